package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// patience is how long a first key frame may take; the films' greatest distance is 10 s.
const patience = 30 * time.Second

// watching is a process full of viewers that decode nothing. It obeys orders on its
// standard input and ends with it.
type watching struct {
	ctx   context.Context
	views []*view
	leave context.CancelFunc
	all   sync.WaitGroup
}

// watch answers each order with one line.
func watch(ctx context.Context, in io.Reader) error {
	orders, answers := json.NewDecoder(in), json.NewEncoder(os.Stdout)
	w := &watching{ctx: ctx, leave: func() {}}
	defer func() { w.leave(); w.all.Wait() }()
	for {
		var o part.Watch
		if err := orders.Decode(&o); err != nil {
			return nil // the bench is over
		}
		if err := answers.Encode(w.obey(o)); err != nil {
			return nil
		}
	}
}

func (w *watching) obey(o part.Watch) part.Seen {
	switch o.Op {
	case "open":
		return w.open(o.Views)
	case "mark":
		for _, v := range w.views {
			v.mark()
		}
	case "tell":
		return w.tell()
	case "leave":
		w.leave()
		w.all.Wait()
		w.views, w.leave = nil, func() {}
	default:
		return part.Seen{Err: "no order " + o.Op}
	}
	return part.Seen{Views: len(w.views)}
}

// open opens all of them at once, beside those that are open.
func (w *watching) open(views []part.View) part.Seen {
	ctx, cancel := context.WithCancel(w.ctx)
	before := w.leave
	w.leave = func() { cancel(); before() }
	opened := make([]*view, len(views))
	for i, want := range views {
		v := &view{first: make(chan time.Duration, 1), over: make(chan struct{})}
		opened[i] = v
		w.all.Go(func() {
			defer close(v.over)
			v.began = part.Now()
			err := v.show(ctx, want)
			if ctx.Err() == nil {
				v.err = errors.Join(fmt.Errorf("%s %s ended", want.Way, want.URL), err)
			}
		})
	}
	s := part.Seen{}
	late := time.After(patience)
	for _, v := range opened {
		select {
		case d := <-v.first:
			s.First = append(s.First, d)
		case <-v.over:
			s.Err = fmt.Sprint(v.err)
		case <-late:
			s.Err = "no key frame came"
		}
	}
	w.views = append(w.views, opened...)
	s.Views = len(w.views)
	return s
}

func (w *watching) tell() part.Seen {
	s := part.Seen{Views: len(w.views)}
	var late []time.Duration
	for _, v := range w.views {
		select {
		case <-v.over:
			s.Err = fmt.Sprint(v.err)
		default:
		}
		v.mu.Lock()
		s.Pictures += v.pictures
		s.Gaps += v.gaps
		s.Lost += v.lost
		s.Bytes += v.bytes
		late = append(late, v.late...)
		v.mu.Unlock()
	}
	if n := len(late); n > 0 {
		slices.Sort(late)
		s.P50, s.P99, s.Max = late[n/2], late[min(n-1, n*99/100)], late[n-1]
	}
	return s
}

// view is one viewer.
type view struct {
	began int64
	first chan time.Duration // room for one: the first key frame
	over  chan struct{}      // closed when it has ended
	err   error              // why, once it has

	mu       sync.Mutex
	shown    bool
	next     uint32 // number of the picture that must follow
	pictures int
	gaps     int
	lost     int
	bytes    int64
	late     []time.Duration
}

func (v *view) mark() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pictures, v.gaps, v.lost, v.bytes, v.late = 0, 0, 0, 0, v.late[:0]
}

// picture notes one that is whole; a view begins with a key frame.
func (v *view) picture(s part.Stamp, key bool) {
	at := part.Now()
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.shown {
		if !key {
			return
		}
		v.shown = true
		v.first <- time.Duration(at - v.began)
	} else if s.Count != v.next {
		v.gaps++
	}
	v.next = s.Count + 1
	v.pictures++
	v.late = append(v.late, time.Duration(at-s.At))
}

func (v *view) took(bytes, lost int) {
	v.mu.Lock()
	v.bytes += int64(bytes)
	v.lost += lost
	v.mu.Unlock()
}

func (v *view) show(ctx context.Context, want part.View) error {
	switch want.Way {
	case part.RTSP:
		return v.rtsp(ctx, want)
	case part.RTSPUDP:
		return v.rtspUDP(ctx, want)
	case part.MSE:
		return v.mse(ctx, want)
	case part.MP4:
		return v.mp4(ctx, want)
	case part.WebRTC:
		return v.webrtc(ctx, want)
	}
	return fmt.Errorf("no way %s", want.Way)
}
