package snapshot

import (
	"context"
	"maps"
	"slices"
	"time"
)

const (
	// warmLeast: who takes a picture so old asks again and again, as the tiles of a phone
	// do, and wants it at once. Who wants a newer one is served by the ways themselves.
	warmLeast = 2 * time.Second
	// warmTime is how long pictures are made ahead after the last time that one was asked
	// for: a few of a phone's intervals of 10 s.
	warmTime = 45 * time.Second
	// warmRest is the least time between two, also where nothing newer is to be had.
	warmRest = time.Second
)

// warmth is what is made ahead of a camera while somebody asks again and again. Its
// store's mutex guards it.
type warmth struct {
	until  time.Time
	maxAge time.Duration      // the least that was asked for
	sizes  map[[2]int]Want    // at most maxSmaller
	stop   context.CancelFunc // nil: nothing is made ahead
}

// keepWarm has pictures of the camera made before the last one is too old: a decoder
// takes a tenth of a second for one when the machine is idle, and much longer when it is not.
func (s *Store) keepWarm(name string, r Want) {
	if r.Now || r.MaxAge < warmLeast || r.MaxAge > 2*warmTime || s.o.Sleeps != nil && s.o.Sleeps(name) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	c := s.camera(name)
	w := &c.warm
	w.until = time.Now().Add(warmTime)
	if w.maxAge == 0 || r.MaxAge < w.maxAge {
		w.maxAge = r.MaxAge
	}
	if size := [2]int{r.Width, r.Height}; len(w.sizes) < maxSmaller {
		if w.sizes == nil {
			w.sizes = map[[2]int]Want{}
		}
		w.sizes[size] = r
	}
	if w.stop != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	f := &flight{}
	s.ends[f] = stop
	s.flown.Go(func() {
		s.warm(ctx, name, c)
		s.mu.Lock()
		defer s.mu.Unlock()
		stop()
		delete(s.ends, f)
		c.warm = warmth{}
	})
}

// warm makes pictures of c until nobody has asked for a while, or the camera is gone.
func (s *Store) warm(ctx context.Context, name string, c *camera) {
	for {
		img, ok := s.Latest(name)
		s.mu.Lock()
		half := c.warm.maxAge / 2
		over := s.cameras[name] != c || time.Now().After(c.warm.until)
		sizes := slices.Collect(maps.Values(c.warm.sizes))
		s.mu.Unlock()
		if over || !ok {
			return
		}
		if img.Age() >= half && s.costsNothing(name, img) {
			_ = s.refresh(ctx, name, Want{MaxAge: half}) // who asks next hears what hinders
			img, _ = s.Latest(name)
		}
		for _, r := range sizes {
			_, _ = s.fit(ctx, name, img, r)
		}
		timer := time.NewTimer(max(warmRest, half-img.Age()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// costsNothing tells whether a newer picture can be had without waking the camera.
func (s *Store) costsNothing(name string, last Image) bool {
	return last.Way == FromURL || last.Way == FromPlugin || s.live(name, "main") != nil
}
