package sources

import (
	"context"
	"sync"
	"time"
)

const (
	// linger is how long a pushed stream stays wanted after the last one has gone: who
	// comes back soon finds it running.
	linger = 30 * time.Second
	// tellTime bounds one word to a plugin; tellAgain is when it is said again after an error.
	tellTime  = 15 * time.Second
	tellAgain = 2 * time.Second
)

// Demand is what a plugin that pushes on demand is told.
type Demand struct {
	Plugin, Camera, Stream string
	Wanted                 bool
	Reason                 string // viewer, event, recording, snapshot
}

// want is how much a stream is wanted now, and what its plugin knows of it.
type want struct {
	n       int
	why     string
	told    bool      // the plugin believes that it is wanted
	since   time.Time // of told
	emptyAt time.Time // when the last one went
	spent   bool      // a battery camera was awake for its limit; it rests until nobody wants it
	due     time.Time // after an error
	telling bool
}

// Heard notes how many want a stream. why is that of one who came, empty where one has
// gone. It does not block.
func (s *Sources) Heard(camera, stream string, n int, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := [2]string{camera, stream}
	w := s.wants[key]
	if w == nil {
		if n == 0 {
			return
		}
		w = &want{}
		s.wants[key] = w
	}
	w.n = n
	if why != "" {
		w.why = why
	}
	if n == 0 {
		w.emptyAt, w.spent = s.o.Now(), false
	}
	s.wake()
}

// tellDue starts the words that are due and tells how long none is.
func (s *Sources) tellDue(ctx context.Context, work *sync.WaitGroup) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.o.Now(), time.Minute
	for key, w := range s.wants {
		c := s.cameras[key[0]]
		if c == nil || c.made == nil || !c.made.Push || c.made.Policy == "always" {
			if w.n == 0 {
				delete(s.wants, key)
			}
			continue
		}
		if w.told && c.made.Policy == "battery" && now.Sub(w.since) >= c.made.Limit {
			w.spent = true
		}
		should := w.n > 0 && !w.spent
		if w.n == 0 && w.told && !w.spent {
			left := w.emptyAt.Add(linger).Sub(now)
			if should = left > 0; should {
				wait = min(wait, left)
			}
		}
		if w.told && c.made.Policy == "battery" && should {
			wait = min(wait, w.since.Add(c.made.Limit).Sub(now))
		}
		switch {
		case w.telling:
		case should == w.told:
			if w.n == 0 && !w.told {
				delete(s.wants, key)
			}
		case w.due.After(now):
			wait = min(wait, w.due.Sub(now))
		default:
			w.telling = true
			d := Demand{Plugin: c.wish.Plugin, Camera: key[0], Stream: key[1], Wanted: should, Reason: reasonFor(w.why)}
			work.Go(func() { s.tell(ctx, w, d) })
		}
	}
	return wait
}

// reasonFor is why in the protocol's words.
func reasonFor(why string) string {
	switch why {
	case "event", "recording", "snapshot":
		return why
	}
	return "viewer"
}

func (s *Sources) tell(ctx context.Context, w *want, d Demand) {
	timed, cancel := context.WithTimeout(ctx, tellTime)
	err := s.o.Tell(timed, d)
	cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	w.telling = false
	if err != nil {
		w.due = s.o.Now().Add(tellAgain)
		return
	}
	if w.told = d.Wanted; w.told {
		w.since = s.o.Now()
	}
}

// unwanted has a plugin told of streams that nobody wants: until it hears of it, it
// pushes what it likes, and the owner's word may be above its own.
func (s *Sources) unwanted(c *camera) {
	if !c.made.Push || c.made.Policy == "always" {
		return
	}
	for _, stream := range []string{"main", "sub"} {
		key := [2]string{c.wish.Camera, stream}
		w := s.wants[key]
		if w == nil {
			w = &want{}
			s.wants[key] = w
		}
		if w.n == 0 {
			w.told, w.emptyAt = true, s.o.Now().Add(-linger)
		}
	}
}

// forgotten: a plugin that was started anew knows nothing of what it was told.
func (s *Sources) forgotten(plugin string) {
	for key, w := range s.wants {
		if c := s.cameras[key[0]]; c != nil && c.wish.Plugin == plugin {
			w.told, w.due = false, time.Time{}
		}
	}
}
