package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
)

const (
	// openWait is how long a sink may take to open the device.
	openWait = 5 * time.Second
	// stuckWait: a sink that says nothing for so long over a sound is ended. The
	// longest sound is bounded, see maxOrder.
	stuckWait = 2 * time.Minute
	// firstRetry and longestRetry bound the pause before a device is tried again
	// that did not open; a change in what is plugged in ends the pause at once.
	firstRetry   = 2 * time.Second
	longestRetry = time.Minute
	// steady: a sink that died younger than this is not started again at once.
	steady = time.Second
	// watchEvery is how often it is looked what is plugged in.
	watchEvery = 2 * time.Second
	// endWait is what a sink gets to end by itself.
	endWait = time.Second
	// lastWords bounds what of a sink's stderr is kept.
	lastWords = 4 << 10
)

// device owns the sink process and feeds it from the queue.
type device struct {
	queue   *queue
	command func() (*exec.Cmd, error)
	plugged func() string // changes when a card or a sound server comes or goes
	log     *slog.Logger

	mu     sync.Mutex
	health sdk.Part
	sink   *sinkProcess // the open one; nil: none
}

func newDevice(q *queue, command func() (*exec.Cmd, error), plugged func() string, log *slog.Logger) *device {
	return &device{
		queue: q, command: command, plugged: plugged, log: log,
		// Not yet a fault: within openWait it is known.
		health: sdk.Part{Name: "sound device", State: sdk.PartOK, Reason: "is being opened", Since: time.Now()},
	}
}

// serve keeps a sink alive until ctx ends.
func (d *device) serve(ctx context.Context) {
	defer d.queue.close("the speaker is stopping")
	wait := firstRetry
	for ctx.Err() == nil {
		before, began := d.plugged(), time.Now()
		opened, err := d.session(ctx, before)
		if ctx.Err() != nil {
			return
		}
		if opened {
			wait = firstRetry
			if errors.Is(err, errPlugged) || time.Since(began) > steady {
				continue // it was a good one: open again at once, and what waits goes on waiting
			}
		}
		reason := err.Error()
		if before == "" {
			reason = "no sound card and no sound server was found"
		}
		d.queue.close("no sound device: " + reason)
		if d.report(sdk.PartDegraded, reason, fixDevice) {
			d.log.Warn("no sound", "error", err.Error())
		}
		d.await(ctx, before, wait)
		wait = min(2*wait, longestRetry)
	}
}

const fixDevice = "plug in or switch on a loudspeaker, or start the sound server; it is tried again by itself. `aplay -L` lists what the machine has"

// errPlugged ends a session because cards or servers have come or gone.
var errPlugged = errors.New("what is plugged in has changed")

// await waits until something is plugged in or out, at most so long.
func (d *device) await(ctx context.Context, before string, most time.Duration) {
	end := time.NewTimer(most)
	defer end.Stop()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-end.C:
			return
		case <-tick.C:
			if d.plugged() != before {
				return
			}
		}
	}
}

// session runs one sink: opened tells whether it ever could play.
func (d *device) session(ctx context.Context, plugged string) (opened bool, err error) {
	s, err := startSink(d.command)
	if err != nil {
		return false, err
	}
	defer s.end()
	// A sink that takes nothing would hold a write for ever.
	defer context.AfterFunc(ctx, func() { _ = s.in.Close() })()
	select {
	case l, ok := <-s.lines:
		if !ok || l != "ready" {
			return false, s.failure(l)
		}
	case <-time.After(openWait):
		return false, errors.New("the sound device does not answer")
	case <-ctx.Done():
		return false, ctx.Err()
	}
	d.setSink(s)
	defer d.setSink(nil)
	d.queue.open()
	if d.report(sdk.PartOK, "", "") {
		d.log.Info("sound device is open")
	}
	err = d.feed(ctx, s, plugged)
	d.queue.lost("no sound device: " + err.Error())
	return true, err
}

// feed gives the sink one sound after the other.
func (d *device) feed(ctx context.Context, s *sinkProcess, plugged string) error {
	jobs := make(chan *job) // unbuffered: the next is taken when the last is done
	inner, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			j, err := d.queue.next(inner)
			if err != nil {
				return
			}
			select {
			case jobs <- j:
			case <-inner.Done():
				return // lost puts it back
			}
			select {
			case <-s.idle:
			case <-inner.Done():
				return
			}
		}
	})
	watch := time.NewTicker(watchEvery)
	defer watch.Stop()
	stuck := time.NewTimer(stuckWait)
	defer stuck.Stop()
	busy := false
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case j := <-jobs:
			busy = true
			stuck.Reset(stuckWait)
			if err := s.send(order{op: opPlay, id: j.id, pcm: j.pcm}); err != nil {
				return s.failure("")
			}
		case l, ok := <-s.lines:
			if !ok {
				return s.failure("")
			}
			done, err := d.hear(s, l)
			if err != nil {
				return err
			}
			if done {
				busy = false
			}
		case <-watch.C:
			if !busy && d.plugged() != plugged {
				return errPlugged
			}
		case <-stuck.C:
			if busy {
				return errors.New("the sound device hangs")
			}
		}
	}
}

// hear takes a line of the sink; done: a sound has ended.
func (d *device) hear(s *sinkProcess, l string) (done bool, err error) {
	word, rest, _ := strings.Cut(l, " ")
	id, perr := strconv.ParseUint(rest, 10, 32)
	switch {
	case word == "error":
		return false, s.failure(l)
	case perr != nil:
		return false, nil // a newer sink says more than we know
	case word == "first":
		d.queue.first(uint32(id))
	case word == "done":
		if d.queue.done(uint32(id)) {
			select {
			case s.idle <- struct{}{}:
			default:
			}
			return true, nil
		}
	}
	return false, nil
}

func (d *device) setSink(s *sinkProcess) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sink = s
}

// stop silences what sounds now.
func (d *device) stop() error {
	d.mu.Lock()
	s := d.sink
	d.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.send(order{op: opStop})
}

func (d *device) report(st sdk.PartState, reason, fix string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.health.State == st && d.health.Reason == reason {
		return false
	}
	d.health = sdk.Part{Name: d.health.Name, State: st, Reason: reason, Fix: fix, Since: time.Now()}
	return true
}

func (d *device) part() sdk.Part {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.health
}

// sinkProcess is a running sink.
type sinkProcess struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string   // size 16: a sound makes two; closed when the sink's output ends
	idle  chan struct{} // size 1: "the sound is done"
	gone  chan struct{} // closed when the process was waited for

	write sync.Mutex // one order at a time
	tail  tail
}

func startSink(command func() (*exec.Cmd, error)) (*sinkProcess, error) {
	cmd, err := command()
	if err != nil {
		return nil, err
	}
	s := &sinkProcess{cmd: cmd, lines: make(chan string, 16), idle: make(chan struct{}, 1), gone: make(chan struct{})}
	if s.in, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	cmd.Stderr = &s.tail
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("sink: %w", err)
	}
	go func() { // ends with the process, which end() ends
		defer close(s.gone)
		r := bufio.NewScanner(out)
		for r.Scan() {
			s.lines <- r.Text()
		}
		close(s.lines)
		_ = cmd.Wait() // how it ended is told by its last line
	}()
	return s, nil
}

func (s *sinkProcess) send(o order) error {
	s.write.Lock()
	defer s.write.Unlock()
	return o.write(s.in)
}

// failure puts into words why the sink ended.
func (s *sinkProcess) failure(line string) error {
	if line == "" { // its last line may still be on its way
		for l := range s.lines {
			if strings.HasPrefix(l, "error ") {
				line = l
			}
		}
	}
	if text, ok := strings.CutPrefix(line, "error "); ok {
		return errors.New(text)
	}
	if t := s.tail.last(); t != "" {
		return errors.New("the sound output ended: " + t)
	}
	return errors.New("the sound output ended")
}

// end ends the process and waits until it is gone.
func (s *sinkProcess) end() {
	_ = s.in.Close()
	timer := time.NewTimer(endWait)
	defer timer.Stop()
	lines := s.lines
	for {
		select {
		case <-s.gone:
			return
		case _, ok := <-lines:
			if !ok {
				lines = nil
			}
		case <-timer.C:
			_ = s.cmd.Process.Kill()
		}
	}
}

// tail keeps the last of what was written.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > lastWords {
		t.b = t.b[len(t.b)-lastWords:]
	}
	return len(b), nil
}

// last is the last line.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.b)), "\n")
	return lines[len(lines)-1]
}
