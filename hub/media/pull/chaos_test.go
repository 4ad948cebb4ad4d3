package pull

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
)

// moody is a camera that behaves one way for a while and then another.
type moody struct {
	h      *house
	mood   int
	right  string
	tried  time.Time     // a wrong password, the last time
	soon   int           // wrong passwords within 5 minutes of the one before
	excuse bool          // the owner asked for a try, or changed the password
	awake  time.Duration // longest that a battery camera was held
}

const (
	well = iota
	closed
	wrong
	hanging
	panicking
	leaving // after a while
	keyless
	moods
)

func (m *moody) play(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
	m.h.mu.Lock()
	mood, right, began := m.mood, m.right, time.Now()
	m.h.mu.Unlock()
	defer func() {
		m.h.mu.Lock()
		defer m.h.mu.Unlock()
		m.awake = max(m.awake, time.Since(began))
	}()
	time.Sleep(50 * time.Millisecond) // the way there
	if tg.Password != right && mood != closed && mood != hanging {
		m.refuse()
		return &rtsp.Fault{Kind: rtsp.Login, Act: "describe", Why: "401", Tried: true}
	}
	f := film{fps: 1, gop: 4 * time.Second}
	switch mood {
	case closed:
		return &rtsp.Fault{Kind: rtsp.Refused, Act: "dial", Why: "closed"}
	case hanging:
		<-ctx.Done()
		return ctx.Err()
	case leaving:
		f.long, f.end = 20*time.Second, &rtsp.Fault{Kind: rtsp.Ended, Act: "read", Why: "closed"}
	case keyless:
		f.keys = 3
	case panicking:
		f.long = 7 * time.Second
		_ = f.play(ctx, n, tg, s)
		panic("on purpose")
	}
	return f.play(ctx, n, tg, s)
}

func (m *moody) refuse() {
	m.h.mu.Lock()
	defer m.h.mu.Unlock()
	if !m.tried.IsZero() && time.Since(m.tried) < 5*time.Minute-100*time.Millisecond && !m.excuse {
		m.soon++
	}
	m.tried, m.excuse = time.Now(), false
}

// TestHoursOfChaos: whatever cameras, owners and viewers do, in any order, no stream has
// two connections, no wrong password is tried twice in five minutes, no battery is held
// awake, and once all is well all pictures are there.
func TestHoursOfChaos(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 2))
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		policies := []string{Always, OnDemand, Battery}
		var all []*moody
		describe := func(i int, host int, password string) Camera {
			c := Camera{ID: fmt.Sprintf("cam%d", i), Policy: policies[i%3]}
			for _, name := range []string{"main", "sub"} {
				url := fmt.Sprintf("rtsp://192.0.2.%d/cam%d_%s", host, i, name)
				h.put(url, all[i].play)
				c.Streams = append(c.Streams, Stream{Name: name, Target: rtsp.Target{URL: url, Username: "admin", Password: password}})
			}
			return c
		}
		for i := range 6 {
			all = append(all, &moody{h: h, right: "right"})
			h.p.Apply(describe(i, i, "right"))
		}
		var readers []*media.Reader
		for h.p.o.Now().Sub(h.began) < 6*time.Hour {
			i := rnd.IntN(len(all))
			m, id := all[i], fmt.Sprintf("cam%d", i)
			switch rnd.IntN(8) {
			case 0:
				h.mu.Lock()
				m.mood = rnd.IntN(moods)
				h.mu.Unlock()
			case 1: // written anew: the same, elsewhere, or with a password that is wrong
				pw := []string{"right", "right", "wrong"}[rnd.IntN(3)]
				h.p.Apply(describe(i, i+100*rnd.IntN(2), pw))
				time.Sleep(time.Duration(rnd.Int64N(int64(100 * time.Millisecond)))) // in the middle of a dial
				h.p.Apply(describe(i, i+100*rnd.IntN(2), pw))
			case 2:
				h.p.Remove(id)
			case 3:
				h.mu.Lock()
				m.excuse = true
				h.mu.Unlock()
				h.p.Retry(id)
			case 4:
				h.p.Wake(id)
			case 5:
				readers = append(readers, read(h, id, []string{"main", "sub"}[rnd.IntN(2)]))
			case 6:
				if n := len(readers); n > 0 {
					readers[n-1].Close()
					readers = readers[:n-1]
				}
			case 7:
				release := h.core.Stream(id, "main").Ask("clip")
				time.Sleep(time.Duration(rnd.Int64N(int64(20 * time.Second))))
				release()
			}
			time.Sleep(time.Duration(rnd.Int64N(int64(40 * time.Second))))
		}
		for _, r := range readers {
			r.Close()
		}
		h.mu.Lock()
		for i, m := range all {
			if m.soon > 0 {
				t.Errorf("camera %d: a wrong password was tried again within 5 minutes %d times", i, m.soon)
			}
			if i%3 == 2 && m.awake > defaultLimit {
				t.Errorf("camera %d was held awake for %v", i, m.awake)
			}
			m.mood = well
		}
		if h.most != 1 {
			t.Errorf("%d connections of one stream at a time", h.most)
		}
		h.mu.Unlock()
		for i := range all {
			h.p.Apply(describe(i, i, "right"))
			defer read(h, fmt.Sprintf("cam%d", i), "main").Close()
		}
		time.Sleep(70 * time.Second) // hanging dials are given up, and who runs on battery sleeps again
		for i := range all {
			id := fmt.Sprintf("cam%d", i)
			h.p.Retry(id)
		}
		time.Sleep(2 * time.Second)
		for i := range all {
			h.state(fmt.Sprintf("cam%d", i), Live)
		}
	})
}
