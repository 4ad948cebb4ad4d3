package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// watchers is a process full of viewers that decode nothing, so that what they cost is
// nobody's but theirs.
type watchers struct {
	cmd     *exec.Cmd
	orders  io.Closer
	out     *json.Encoder
	answers *json.Decoder
}

func (b *bench) newWatchers() (*watchers, error) {
	cmd := exec.Command(b.peer, "watch")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &watchers{cmd: cmd, orders: stdin, out: json.NewEncoder(stdin), answers: json.NewDecoder(stdout)}, nil
}

func (w *watchers) end() {
	w.orders.Close()
	_ = w.cmd.Wait() // how it ended does not matter
}

func (w *watchers) ask(o part.Watch) (part.Seen, error) {
	var s part.Seen
	if err := w.out.Encode(o); err != nil {
		return s, fmt.Errorf("watchers: %w", err)
	}
	if err := w.answers.Decode(&s); err != nil {
		return s, fmt.Errorf("watchers: %w", err)
	}
	if s.Err != "" {
		return s, errors.New("watchers: " + s.Err)
	}
	return s, nil
}

// side is one of those who are compared, and how its cameras are watched.
type side struct {
	name string
	pid  int                                     // of its first process
	view func(way string, camera int) *part.View // nil: it has no such way

	profile func(d time.Duration, to string) error // nil: it has none
}

// turn is what one side did for a while.
type turn struct {
	seen part.Seen
	cpu  time.Duration // of its process tree
	took time.Duration
	pss  float64 // MB at the end
}

// watched has so many viewers on each of n cameras of a side, and measures for d.
func (b *bench) watched(w *watchers, s *side, way string, n, each int, d time.Duration) (t turn, err error) {
	var views []part.View
	for i := range n {
		v := s.view(way, i)
		for range each {
			views = append(views, *v)
		}
	}
	defer func() {
		_, lerr := w.ask(part.Watch{Op: "leave"})
		if err = errors.Join(err, lerr); err != nil {
			err = fmt.Errorf("%s by %s: %w", s.name, way, err)
		}
	}()
	if _, err = w.ask(part.Watch{Op: "open", Views: views}); err != nil {
		return t, err
	}
	if err = b.pause(b.seconds(1.5, 0.7)); err != nil { // what came at once is over
		return t, err
	}
	if _, err = w.ask(part.Watch{Op: "mark"}); err != nil {
		return t, err
	}
	at := now()
	before, err := treeCPU(s.pid)
	if err != nil {
		return t, err
	}
	if b.profiles != "" && s.profile != nil {
		name := filepath.Join(b.profiles, fmt.Sprintf("%s-%dx%d-%d.pprof", way, n, each, at))
		if err = s.profile(d, name); err != nil {
			return t, err
		}
	} else if err = b.pause(d); err != nil {
		return t, err
	}
	after, err := treeCPU(s.pid)
	if err != nil {
		return t, err
	}
	t.cpu, t.took = after-before, since(at)
	if t.seen, err = w.ask(part.Watch{Op: "tell"}); err != nil {
		return t, err
	}
	t.pss, err = treePSS(s.pid)
	return t, err
}

// perMinute is the processor time a minute, in seconds.
func (t turn) perMinute() float64 { return t.cpu.Seconds() / t.took.Minutes() }

// first opens the views at once and gives how long each took to its first key frame.
func (w *watchers) first(ctx context.Context, views ...part.View) ([]time.Duration, error) {
	s, err := w.ask(part.Watch{Op: "open", Views: views})
	_, lerr := w.ask(part.Watch{Op: "leave"})
	return s.First, errors.Join(err, lerr, ctx.Err())
}
