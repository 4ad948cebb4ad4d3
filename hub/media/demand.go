package media

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Demand is how many want a stream now: its readers and those who asked for it.
type Demand struct {
	Camera, Stream string
	N              int
	// Why one more has come: reader, or the reason of who asked. Empty: one has gone.
	Why string
}

type hearer struct{ f func(Demand) }

// OnDemand lets f hear of each change of what is wanted, of one stream in order, until
// stop is called. It must return soon and neither read nor ask: who came waits for it.
func (c *Core) OnDemand(f func(Demand)) (stop func()) {
	h := &hearer{f}
	c.hearMu.Lock()
	defer c.hearMu.Unlock()
	c.hearers = append(slices.Clone(c.hearers), h) // a slice that was handed out does not change
	return func() {
		c.hearMu.Lock()
		defer c.hearMu.Unlock()
		c.hearers = slices.DeleteFunc(slices.Clone(c.hearers), func(o *hearer) bool { return o == h })
	}
}

// heard tells of a change. The caller holds tell.
func (s *Stream) heard(why string) {
	s.core.hearMu.Lock()
	hearers := s.core.hearers
	s.core.hearMu.Unlock()
	if len(hearers) == 0 {
		return
	}
	d := Demand{Camera: s.camera, Stream: s.name, N: s.Demand(), Why: why}
	for _, h := range hearers {
		h.f(d)
	}
}

// Demand is how many want the stream now.
func (s *Stream) Demand() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.readers) - s.quiet + s.asked
}

// Ask says that somebody wants the stream, without reading it, until done is called.
func (s *Stream) Ask(why string) (done func()) {
	s.ask(1, why)
	return sync.OnceFunc(func() { s.ask(-1, "") })
}

func (s *Stream) ask(n int, why string) {
	s.tell.Lock()
	defer s.tell.Unlock()
	s.mu.Lock()
	s.asked += n
	s.mu.Unlock()
	s.heard(why)
}

// Key is a key frame that came at most maxAge ago, with its track and when it came by
// the hub's clock. While there is none the stream is wanted, and the next one awaited.
func (s *Stream) Key(ctx context.Context, maxAge time.Duration) (*av.Unit, av.Track, time.Time, error) {
	if u, t, at, ok := s.NewestKey(); ok && time.Since(at) <= maxAge {
		return u, t, at, nil
	}
	r := s.Open(ReadOptions{Start: av.Start{From: av.FromLive}, Want: Want{NoAudio: true}})
	defer r.Close()
	for {
		if _, err := r.Next(ctx); err != nil {
			return nil, av.Track{}, time.Time{}, fmt.Errorf("media %s/%s: no key frame: %w", s.camera, s.name, err)
		}
		if u, t, at, ok := s.NewestKey(); ok {
			return u, t, at, nil
		}
	}
}
