package pull

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
)

func TestOnDemandLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.camera("door", film{}.play)
		c.Policy = OnDemand
		early := read(h, "door", "main") // before the camera is known
		h.p.Apply(c)
		if _, err := early.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		early.Close()
		time.Sleep(29 * time.Second)
		h.state("door", Live)
		r := read(h, "door", "main")
		time.Sleep(5 * time.Minute)
		h.state("door", Live)
		r.Close()
		time.Sleep(29 * time.Second)
		h.state("door", Live)
		time.Sleep(2 * time.Second)
		h.state("door", Off)
		if n := len(h.times("rtsp://192.0.2.1/door")); n != 1 {
			t.Errorf("%d dials", n)
		}
		release := h.core.Stream("door", "main").Ask("ring")
		time.Sleep(time.Second)
		h.state("door", Live)
		release()
		release() // once more is nothing
		time.Sleep(31 * time.Second)
		h.state("door", Off)
		h.p.Wake("door")
		time.Sleep(time.Second)
		h.state("door", Live)
		time.Sleep(30 * time.Second)
		h.state("door", Off)
		if u, _, _, err := h.core.Stream("door", "main").Key(t.Context(), time.Second); err != nil || !u.Key {
			t.Errorf("a key frame of a sleeping stream: %v", err)
		}
		if h.most != 1 {
			t.Errorf("%d connections of one stream at a time", h.most)
		}
	})
}

func TestBatteryIsNeverKeptAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		awake, longest := time.Time{}, time.Duration(0)
		c := h.camera("door", func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
			awake = time.Now()
			defer func() { longest = max(longest, time.Since(awake)) }()
			return film{}.play(ctx, n, tg, s)
		})
		c.Policy = Battery
		h.p.Apply(c)
		sleepUntil(h, time.Hour)
		if n := len(h.times("rtsp://192.0.2.1/door")); n != 0 {
			t.Fatalf("%d dials though nothing happened", n)
		}
		r := read(h, "door", "main") // somebody leaves the page open
		defer r.Close()
		time.Sleep(59 * time.Second)
		h.state("door", Live)
		time.Sleep(2 * time.Second)
		if st := h.status("door", "main"); st.State != Off || st.Reason == "nobody watches" {
			t.Errorf("%+v", st)
		}
		time.Sleep(time.Hour)
		if n := len(h.times("rtsp://192.0.2.1/door")); n != 1 {
			t.Errorf("%d dials for one reader", n)
		}
		h.p.Wake("door") // a ring
		time.Sleep(time.Second)
		h.state("door", Live)
		time.Sleep(20 * time.Second)
		h.p.Wake("door") // and another
		time.Sleep(time.Minute)
		h.state("door", Off)
		second := read(h, "door", "main") // somebody else comes, and goes soon
		time.Sleep(5 * time.Second)
		h.state("door", Live)
		second.Close()
		time.Sleep(2 * time.Minute)
		h.state("door", Off)
		c.Limit = 20 * time.Second
		h.p.Apply(c)
		h.core.Stream("door", "main").Ask("clip")
		time.Sleep(2 * time.Minute)
		h.state("door", Off)
		if longest > time.Minute {
			t.Errorf("it was kept awake for %v", longest)
		}
	})
}

func TestBatteryThatDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.camera("door", nil)
		c.Policy = Battery
		h.p.Apply(c)
		h.core.Stream("door", "main").Ask("ring")
		sleepUntil(h, time.Hour)
		times := h.times("rtsp://192.0.2.1/door")
		if last := times[len(times)-1]; last > time.Minute || len(times) > 8 {
			t.Errorf("dialled %d times until %v", len(times), last)
		}
		h.state("door", Off)
	})
}
