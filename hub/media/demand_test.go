package media

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func TestDemandIsToldInOrder(t *testing.T) {
	c := New(Limits{})
	var heard []Demand
	stop := c.OnDemand(func(d Demand) { heard = append(heard, d) })
	s := c.Stream("door", "main")
	r := s.Read(av.Start{From: av.FromLive})
	done := s.Ask("ring")
	done()
	done() // once more is nothing
	c.Stream("door", "sub").Read(av.Start{From: av.FromLive}).Close()
	r.Close()
	r.Close()
	stop()
	s.Ask("late")()
	want := []Demand{{"door", "main", 1, "reader"}, {"door", "main", 2, "ring"}, {"door", "main", 1, ""},
		{"door", "sub", 1, "reader"}, {"door", "sub", 0, ""}, {"door", "main", 0, ""}}
	if len(heard) != len(want) {
		t.Fatalf("heard %+v", heard)
	}
	for i := range want {
		if heard[i] != want[i] {
			t.Errorf("%d: heard %+v, want %+v", i, heard[i], want[i])
		}
	}
}

func TestKeyIsAwaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Limits{})
		s := c.Stream("door", "main")
		c.OnDemand(func(d Demand) { // a camera that comes when it is wanted
			if d.Why == "" || d.Camera != "door" || s.Live() {
				return
			}
			w := begin(t, s, video, aac)
			go func() {
				time.Sleep(time.Second)
				f := &feed{t: t, w: w, gop: 25, size: 100}
				f.run(50)
				w.End("nobody wants it")
			}()
		})
		u, tr, at, err := s.Key(t.Context(), time.Second)
		if err != nil || !u.Key || tr.Codec != av.H264 || time.Since(at) > 0 {
			t.Errorf("%+v %+v %v %v", u, tr, at, err)
		}
		time.Sleep(500 * time.Millisecond)
		if u2, _, _, _ := s.Key(t.Context(), time.Second); u2 != u {
			t.Error("a young one is there, and another was awaited")
		}
		time.Sleep(time.Minute)
		if u2, _, at, err := s.Key(t.Context(), time.Second); err != nil || u2 == u || time.Since(at) > time.Second {
			t.Errorf("an old one was given: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, _, err := c.Stream("gate", "main").Key(ctx, time.Second); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("of a stream that never comes: %v", err)
		}
		if n := s.Demand() + c.Stream("gate", "main").Demand(); n != 0 {
			t.Errorf("%d still wanted", n)
		}
		time.Sleep(time.Minute) // until the camera has gone
	})
}

func TestRemovedCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Limits{})
		s := c.Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 25, size: 1000}
		r := s.Read(av.Start{From: av.FromKeyFrame})
		f.run(100)
		c.PutImage("door", &av.Unit{Data: []byte{1}})
		c.Remove("door", "taken out")
		if st, _ := s.State(); st.Live || st.Reason != "taken out" || c.Used() != 0 || len(c.Streams()) != 0 || len(s.Tracks()) != 0 {
			t.Errorf("%+v, %d bytes, %d streams", st, c.Used(), len(c.Streams()))
		}
		if p, _ := c.Image("door"); p.JPEG != nil {
			t.Error("its picture is kept")
		}
		if err := f.w.Put(&av.Unit{Track: 1, Key: true}); !errors.Is(err, ErrEnded) {
			t.Errorf("its writer: %v", err)
		}
		// It comes again: who watched goes on.
		got := make(chan []*av.Unit, 1) // the one batch
		go func() {
			b, _ := r.Next(t.Context())
			got <- b
		}()
		synctest.Wait()
		begin2 := &feed{t: t, w: begin(t, s, video), gop: 25, size: 1000}
		begin2.run(1)
		if b := <-got; len(b) != 1 || !b[0].Key || !b[0].Discontinuity {
			t.Errorf("%d units", len(b))
		}
		if len(c.Streams()) != 1 {
			t.Error("it is not told of")
		}
		s.Tell("not heard, since somebody writes")
		if st, _ := s.State(); !st.Live {
			t.Error(st)
		}
		begin2.w.End("unplugged")
		s.Tell("the password is wrong")
		if st, _ := s.State(); st.Live || st.Reason != "the password is wrong" {
			t.Error(st)
		}
	})
}
