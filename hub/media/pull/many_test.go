package pull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func TestStormGoesDoorbellsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		dialling, most := 0, 0
		var order []string
		handshake := func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
			h.mu.Lock()
			dialling++
			most = max(most, dialling)
			order = append(order, tg.URL)
			h.mu.Unlock()
			time.Sleep(time.Second)
			h.mu.Lock()
			dialling--
			h.mu.Unlock()
			return film{fps: 1}.play(ctx, n, tg, s)
		}
		for i := range 20 { // hosts that answer nothing hold nobody up for long
			c := h.camera(fmt.Sprintf("dead%d", i), func(ctx context.Context, _ int, _ rtsp.Target, _ rtsp.Sink) error {
				<-ctx.Done()
				return ctx.Err()
			})
			h.p.Apply(c)
		}
		sleepUntil(h, 100*time.Millisecond)
		for i := range 60 {
			c := h.camera(fmt.Sprintf("cam%d", i), handshake)
			c.Doorbell = i >= 56
			h.p.Apply(c)
		}
		sleepUntil(h, 2*time.Second+5*time.Second+200*time.Millisecond) // until the dead gave way, and five rounds
		for i := range 60 {
			h.state(fmt.Sprintf("cam%d", i), Live)
		}
		if most > dials {
			t.Errorf("%d dials at a time", most)
		}
		// Twelve places were free at once, beside four of the dead.
		for i := 56; i < 60; i++ {
			if !slices.Contains(order[:12], fmt.Sprintf("rtsp://192.0.2.1/cam%d", i)) {
				t.Errorf("doorbell %d had to wait: %v", i, order[:16])
			}
		}
	})
}

func TestPluginThatSendsTheStreamItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.p.Apply(h.camera("door", film{}.play))
		time.Sleep(time.Second)
		h.state("door", Live)
		w, err := h.core.Stream("door", "main").Begin(film{}.tracks())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		h.state("door", Pushed)
		if err := w.Put(&av.Unit{Track: 1, Key: true, Data: []byte{1}}); err != nil {
			t.Errorf("the plugin was thrown out: %v", err)
		}
		w.End("the plugin stopped")
		time.Sleep(2 * time.Second)
		h.state("door", Live)
	})
}

// TestChannelsOfOneRecorder: each is a camera, and all have one login at one address.
func TestChannelsOfOneRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		tries, right := 0, "right"
		forbidden := false // channel 3, to this user
		channel := func(i int, password string) Camera {
			c := h.camera(fmt.Sprintf("channel%d", i), func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
				h.mu.Lock()
				tries++
				h.mu.Unlock()
				time.Sleep(50 * time.Millisecond)
				if tg.Password != right || i == 3 && forbidden {
					return &rtsp.Fault{Kind: rtsp.Login, Act: "describe", Why: "401", Tried: true}
				}
				return film{fps: 1}.play(ctx, n, tg, s)
			})
			c.Streams[0].Target.Username, c.Streams[0].Target.Password = "admin", password
			return c
		}
		all := func(password string) {
			for i := range 8 {
				h.p.Apply(channel(i, password))
			}
		}
		count := func(during time.Duration, do func()) int {
			h.mu.Lock()
			before := tries
			h.mu.Unlock()
			do()
			time.Sleep(during)
			synctest.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			return tries - before
		}
		if n := count(4*time.Minute, func() { all("wrong") }); n != 1 {
			t.Errorf("%d tries of one password at one recorder", n)
		}
		if n := count(time.Hour, func() {}); n < 10 || n > 12 {
			t.Errorf("%d tries in an hour", n)
		}
		for i := range 8 {
			h.state(fmt.Sprintf("channel%d", i), Locked)
		}
		if n := count(time.Minute, func() { h.p.Retry("channel5") }); n != 1 {
			t.Errorf("%d tries on request", n)
		}
		if n := count(time.Second, func() { all(right) }); n != 8 {
			t.Errorf("%d tries of the right password", n)
		}
		for i := range 8 {
			h.state(fmt.Sprintf("channel%d", i), Live)
		}
		// One is forbidden to this user: that keeps the others from nothing.
		forbidden = true
		for _, i := range []int{3, 4} {
			h.p.Remove(fmt.Sprintf("channel%d", i))
			h.p.Apply(channel(i, right))
			time.Sleep(time.Second)
		}
		h.state("channel3", Locked)
		h.state("channel4", Live)
	})
}

// TestFrozenCameraAmongSixteen: one stops sending, its neighbours lose nothing.
func TestFrozenCameraAmongSixteen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		const fps, size = 10, 50_000 // 4 Mb/s
		type count struct{ units, gaps, late int }
		counts := make([]count, 16)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range counts {
			id := fmt.Sprintf("cam%d", i)
			c := h.camera(id, film{fps: fps, size: size}.play)
			if i == 0 {
				c = h.camera(id, func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
					if n == 0 {
						_ = film{fps: fps, size: size, long: 20 * time.Second}.play(ctx, n, tg, s)
						time.Sleep(30 * time.Second) // and does not even hear that it is cut off
						return errors.New("thawed")
					}
					return film{fps: fps, size: size}.play(ctx, n, tg, s)
				})
			}
			h.p.Apply(c)
			r := read(h, id, "main")
			go func() {
				defer r.Close()
				for last := int64(-1); ; {
					b, err := r.Next(ctx)
					if err != nil {
						return
					}
					for _, u := range b {
						if last >= 0 && u.DTS-last != 90000/fps {
							counts[i].gaps++
						}
						last = u.DTS
						counts[i].units++
					}
					if r.Stats().Lag > 0 {
						counts[i].late++
					}
				}
			}()
		}
		sleepUntil(h, 80*time.Second+50*time.Millisecond)
		for i := 1; i < 16; i++ {
			if c := counts[i]; c.units != 801 || c.gaps != 0 || c.late != 0 {
				t.Errorf("camera %d: %+v, want 801 units", i, c)
			}
		}
		h.state("cam0", Live)
		if counts[0].units < 400 {
			t.Errorf("the frozen one: %+v", counts[0])
		}
		cancel()
		synctest.Wait()
	})
}
