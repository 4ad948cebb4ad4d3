package pull

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func TestLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.p.Apply(h.camera("door", fails(rtsp.Refused)))
		sleepUntil(h, 4*time.Minute)
		times := h.times("rtsp://192.0.2.1/door")
		near(t, times[:min(10, len(times))], seconds(0.5, 1, 2, 4, 8, 15, 30, 60, 60)...)
		st := h.status("door", "main")
		if st.State != Waiting || st.Code != "E-RTSP-REFUSED" || st.Fix == "" || !st.NextTry.After(time.Now()) || st.Address != "192.0.2.1:554" {
			t.Errorf("%+v", st)
		}
		if ms, _ := h.core.Stream("door", "main").State(); ms.Live || ms.Reason != st.Reason {
			t.Errorf("viewers are told %+v", ms)
		}
		// It comes back and stays for less than a minute: the ladder goes on where it was.
		h.put("rtsp://192.0.2.1/door", film{long: 30 * time.Second, end: &rtsp.Fault{Kind: rtsp.Ended, Act: "read", Why: "closed"}}.play)
		n := len(h.times("rtsp://192.0.2.1/door"))
		sleepUntil(h, time.Since(h.began)+3*time.Minute)
		times = h.times("rtsp://192.0.2.1/door")[n:]
		if d := times[1] - times[0] - 30*time.Second; d < 48*time.Second || d > 72*time.Second {
			t.Errorf("after half a minute of frames it waited %v, want a minute", d)
		}
		// A minute of good frames begins it anew.
		h.put("rtsp://192.0.2.1/door", film{long: 70 * time.Second, end: &rtsp.Fault{Kind: rtsp.Ended, Act: "read", Why: "closed"}}.play)
		n = len(h.times("rtsp://192.0.2.1/door"))
		sleepUntil(h, time.Since(h.began)+6*time.Minute)
		times = h.times("rtsp://192.0.2.1/door")[n:]
		if len(times) < 3 {
			t.Fatal(times)
		}
		for i := 1; i < len(times); i++ {
			if d := times[i] - times[i-1] - 70*time.Second; d < 400*time.Millisecond || d > 600*time.Millisecond {
				t.Errorf("after a minute of frames it waited %v", d)
			}
		}
		if st := h.status("door", "main"); st.Reconnects < 4 {
			t.Errorf("%d reconnects", st.Reconnects)
		}
	})
}

func TestWrongPasswordIsTriedOnceInFiveMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		right := "right"
		login := func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
			select { // the way to the camera and back
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
			if tg.Password != right {
				return &rtsp.Fault{Kind: rtsp.Login, Act: "describe", Why: "user or password refused", Tried: true}
			}
			return film{}.play(ctx, n, tg, s)
		}
		two := func(host, password string) Camera {
			c := Camera{ID: "door", Policy: Always}
			for _, name := range []string{"main", "sub"} {
				url := "rtsp://" + host + "/" + name
				h.put(url, login)
				c.Streams = append(c.Streams, Stream{Name: name, Target: rtsp.Target{URL: url, Username: "admin", Password: password}})
			}
			return c
		}
		// The plugin is asked again and says the same each time, once with another address.
		asks := 0
		h.again = func(string, string) {
			asks++
			h.p.Apply(two(fmt.Sprintf("192.0.2.%d", asks), "wrong"))
		}
		h.p.Apply(two("192.0.2.0", "wrong"))
		tries := func() int {
			synctest.Wait()
			h.mu.Lock()
			defer h.mu.Unlock()
			return len(h.dials)
		}
		for m := range 60 {
			sleepUntil(h, time.Duration(m)*time.Minute+time.Second)
			if got, most := tries(), 1+m/5; got > most {
				t.Fatalf("%d tries within %d minutes", got, m)
			}
		}
		if tries() < 10 {
			t.Errorf("%d tries in an hour: it gave up", tries())
		}
		for _, name := range []string{"main", "sub"} {
			if st := h.status("door", name); st.State != Locked || st.Code != "E-RTSP-LOGIN" || st.Fix == "" || !st.NextTry.After(time.Now()) {
				t.Errorf("%+v", st)
			}
		}
		h.mu.Lock()
		h.again = nil
		h.mu.Unlock()
		// Taken out and put back with the same password: no new try.
		n := tries()
		h.p.Remove("door")
		h.p.Apply(two("192.0.2.77", "wrong"))
		time.Sleep(10 * time.Second)
		if got := tries(); got != n {
			t.Errorf("%d tries after the camera was written anew", got-n)
		}
		// The owner asks for a try: one, not one a stream.
		h.p.Retry("door")
		time.Sleep(10 * time.Second)
		if got := tries() - n; got != 1 {
			t.Errorf("%d tries on request", got)
		}
		// The password is mended: at once, and both streams come.
		h.p.Apply(two("192.0.2.77", right))
		time.Sleep(time.Second)
		h.state("door", Live)
		if st := h.status("door", "sub"); st.State != Live || st.Code != "" || st.Reason != "" {
			t.Errorf("%+v", st)
		}
		// It is changed at the camera, which cuts both: one try.
		right = "newer"
		n = tries()
		h.p.Apply(two("192.0.2.78", "right"))
		time.Sleep(2 * time.Minute)
		if got := tries() - n; got != 1 {
			t.Errorf("%d tries with a password that was right before", got)
		}
		for _, secret := range []string{"wrong", "newer"} {
			if contains(h, secret) {
				t.Errorf("%q stands in a status or in the log", secret)
			}
		}
	})
}

func TestKeyFrameWatchdog(t *testing.T) {
	for _, c := range []struct {
		name  string
		film  film
		after time.Duration // the last key frame
	}{
		{"2 s", film{gop: 2 * time.Second, keys: 5}, 10 * time.Second},
		{"4 s", film{gop: 4 * time.Second, keys: 5}, 12 * time.Second},
		{"60 s", film{gop: time.Minute, keys: 3}, 3 * time.Minute},
		{"one and no more", film{gop: time.Second, keys: 1}, keyUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				h.p.Apply(h.camera("door", c.film.play))
				last := c.film.gop * time.Duration(c.film.keys-1)
				sleepUntil(h, last+c.after-time.Second)
				h.state("door", Live)
				sleepUntil(h, last+c.after+200*time.Millisecond)
				if st := h.status("door", "main"); st.State != Waiting || st.Code != codeNoKey {
					t.Errorf("%+v", st)
				}
				sleepUntil(h, last+c.after+time.Second)
				if n := len(h.times("rtsp://192.0.2.1/door")); n != 2 {
					t.Errorf("%d dials", n)
				}
			})
		})
	}
	t.Run("60 s for an hour", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			h.p.Apply(h.camera("door", film{fps: 2, gop: time.Minute}.play))
			sleepUntil(h, time.Hour)
			h.state("door", Live)
			if n := len(h.times("rtsp://192.0.2.1/door")); n != 1 {
				t.Errorf("%d dials", n)
			}
		})
	})
}

func TestSilenceIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.p.Apply(h.camera("mute", func(ctx context.Context, _ int, _ rtsp.Target, _ rtsp.Sink) error {
			<-ctx.Done() // the connection stands, nothing is said
			return ctx.Err()
		}))
		h.p.Apply(h.camera("stalled", func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
			_ = film{long: 4 * time.Second}.play(ctx, n, tg, s)
			<-ctx.Done()
			return ctx.Err()
		}))
		sleepUntil(h, 3900*time.Millisecond)
		h.state("mute", Connecting)
		h.state("stalled", Live)
		sleepUntil(h, 12*time.Second+100*time.Millisecond) // 10 s after the last key frame
		if st := h.status("stalled", "main"); st.Code != codeQuiet || st.State != Waiting {
			t.Errorf("%+v", st)
		}
		sleepUntil(h, 30*time.Second+100*time.Millisecond)
		if st := h.status("mute", "main"); st.Code != codeStuck || st.State != Waiting {
			t.Errorf("%+v", st)
		}
		if h.most != 1 {
			t.Errorf("%d connections of one stream at a time", h.most)
		}
	})
}

func TestCameraWithNewAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		moved := false
		c := h.camera("door", func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
			if n > 0 {
				return &rtsp.Fault{Kind: rtsp.Unreachable, Act: "dial", Why: "no route to host"}
			}
			return film{long: 90 * time.Second, end: &rtsp.Fault{Kind: rtsp.Timeout, Act: "read", Why: "silent"}}.play(ctx, n, tg, s)
		})
		h.again = func(id, why string) {
			moved = true
			m := c
			m.Streams = slices.Clone(c.Streams)
			m.Streams[0].Target.URL = "rtsp://192.0.2.200/door"
			h.put(m.Streams[0].Target.URL, film{}.play)
			h.p.Apply(m)
		}
		r := read(h, "door", "main")
		defer r.Close()
		h.p.Apply(c)
		sleepUntil(h, 95*time.Second)
		h.state("door", Live)
		if !moved || h.status("door", "main").Address != "192.0.2.200:554" {
			t.Errorf("%+v", h.status("door", "main"))
		}
		// A plugin that knows nothing better is not asked without end.
		h.mu.Lock()
		h.again, h.asked = nil, nil
		h.mu.Unlock()
		h.p.Apply(h.camera("gate", nil))
		time.Sleep(9 * time.Second)
		synctest.Wait()
		h.mu.Lock()
		defer h.mu.Unlock()
		if n := len(h.asked); n != 1 {
			t.Errorf("asked %d times within 9 s", n)
		}
	})
}

func TestPanicCostsOneCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.p.Apply(h.camera("good", film{}.play))
		h.p.Apply(h.camera("bad", func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
			_ = film{long: 3 * time.Second}.play(ctx, n, tg, s)
			panic("a length that nobody thought of")
		}))
		sleepUntil(h, 2*time.Second)
		h.state("bad", Live)
		sleepUntil(h, 3100*time.Millisecond)
		if st := h.status("bad", "main"); st.State != Waiting || st.Code != codePanic {
			t.Errorf("%+v", st)
		}
		sleepUntil(h, 10*time.Minute)
		h.state("good", Live)
		if n := len(h.times("rtsp://192.0.2.1/good")); n != 1 {
			t.Errorf("the good camera was dialled %d times", n)
		}
		if n := len(h.times("rtsp://192.0.2.1/bad")); n < 8 {
			t.Errorf("the bad camera was dialled %d times: it was given up", n)
		}
	})
}

func TestApplyTouchesOnlyWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		slow := false // to close
		play := func(ctx context.Context, n int, tg rtsp.Target, s rtsp.Sink) error {
			err := film{}.play(ctx, n, tg, s)
			if slow {
				time.Sleep(3 * time.Second)
			}
			return err
		}
		c := h.camera("door", play)
		c.Streams = append(c.Streams, Stream{Name: "sub", Target: rtsp.Target{URL: "rtsp://192.0.2.1/door_sub"}, Policy: Always})
		h.put("rtsp://192.0.2.1/door_sub", play)
		h.p.Apply(c)
		time.Sleep(time.Second)
		h.state("door", Live)
		again := c
		again.Streams = slices.Clone(c.Streams)
		again.Streams[0].Target.Quirks = []string{}
		again.Doorbell, again.Limit = false, time.Hour
		again.Streams[1].Policy = OnDemand
		h.p.Apply(again)
		time.Sleep(time.Second)
		h.state("door", Live)
		if st := h.status("door", "sub"); st.State != Off {
			t.Errorf("sub: %+v", st)
		}
		if n := len(h.times("rtsp://192.0.2.1/door")); n != 1 {
			t.Errorf("%d dials after nothing changed", n)
		}
		// Another address: the old connection is closed before the new one begins.
		slow = true
		again.Streams = slices.Clone(again.Streams[:1])
		again.Streams[0].Target.URL = "rtsp://192.0.2.9/door"
		h.put("rtsp://192.0.2.9/door", play)
		h.p.Apply(again)
		time.Sleep(2 * time.Second)
		if n := len(h.times("rtsp://192.0.2.9/door")); n != 0 {
			t.Error("two connections at once")
		}
		time.Sleep(2 * time.Second)
		h.state("door", Live)
		// Taken out and put in again while the old connection closes slowly.
		r := read(h, "door", "main")
		defer r.Close()
		h.p.Remove("door")
		if st, _ := h.core.Stream("door", "main").State(); st.Live || h.core.Used() != 0 {
			t.Errorf("after the removal: %+v, %d bytes", st, h.core.Used())
		}
		if len(h.p.Status()) != 0 || len(h.core.Streams()) != 0 {
			t.Error("a removed camera is still told of")
		}
		h.p.Apply(again)
		time.Sleep(10 * time.Second)
		h.state("door", Live)
		if _, err := r.Next(t.Context()); err != nil {
			t.Errorf("who watched meanwhile: %v", err)
		}
		h.p.Remove("door")
		h.p.Remove("door")
		h.p.Retry("door")
		h.p.Wake("door")
		time.Sleep(time.Minute)
		if h.most != 1 {
			t.Errorf("%d connections of one stream at a time", h.most)
		}
		h.p.mu.Lock()
		defer h.p.mu.Unlock()
		if len(h.p.ending) != 0 || len(h.p.memory) != 0 {
			t.Errorf("%d endings and %d memories are kept of a camera that is gone", len(h.p.ending), len(h.p.memory))
		}
	})
}

// TestRemovalAtTheMomentOfFailure: the failure is seen after the removal.
func TestRemovalAtTheMomentOfFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.p.Apply(h.camera("door", fails(rtsp.Busy)))
		synctest.Wait()
		h.p.mu.Lock()
		s := h.p.cameras["door"].sources["main"]
		c := newConnection(s)
		h.p.mu.Unlock()
		h.p.Remove("door")
		synctest.Wait()
		s.settle(t.Context(), c, &rtsp.Fault{Kind: rtsp.Login, Act: "describe", Why: "401"})
		if n := len(h.core.Streams()); n != 0 {
			t.Errorf("%d streams of a camera that is gone", n)
		}
		h.p.Apply(h.camera("door", film{}.play))
		h.state("door", Locked) // that its password is wrong is still known
	})
}

func TestWhatWorkedIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var got []rtsp.Memory
		h.p.o.Pull = func(ctx context.Context, tg rtsp.Target, s rtsp.Sink, o rtsp.Options) error {
			h.mu.Lock()
			got = append(got, o.Memory)
			h.mu.Unlock()
			o.Progress(rtsp.Progress{Transport: "tcp", Server: "Cam/1.0", Auth: "basic", Worked: []string{"no_range"}})
			defer o.Remember(rtsp.Memory{Version: 1, NoRange: true, Path: tg.URL})
			return film{}.play(ctx, 0, tg, s)
		}
		c := h.camera("door", nil)
		for _, url := range []string{"rtsp://192.0.2.1/door", "rtsp://192.0.2.44/door", "rtsp://192.0.2.44/other"} {
			c.Streams = slices.Clone(c.Streams)
			c.Streams[0].Target.URL = url
			h.p.Apply(c)
			time.Sleep(5 * time.Second)
		}
		if st := h.status("door", "main"); st.Transport != "tcp" || st.Server != "Cam/1.0" || st.Auth != "basic" || !slices.Equal(st.Worked, []string{"no_range"}) {
			t.Errorf("%+v", st)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(got) != 3 || got[0].NoRange || !got[1].NoRange || got[2].NoRange {
			t.Errorf("memories %+v: it moves with the camera, not to another path", got)
		}
	})
}

// What a camera takes for talk comes with its pictures; it is asked for its back channel
// once a run even if it refused that the last time, and not at all where talk is off.
func TestWhatACameraTakesForTalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		var asked []rtsp.Options
		h.p.o.Pull = func(ctx context.Context, tg rtsp.Target, s rtsp.Sink, o rtsp.Options) error {
			h.mu.Lock()
			asked = append(asked, o)
			h.mu.Unlock()
			p := rtsp.Progress{Transport: "tcp"}
			if o.Talk {
				p.Talk = []av.Track{av.PCMTrack(1, av.PCMU, 8000, 1)}
			}
			o.Progress(p)
			o.Remember(rtsp.Memory{Version: 1, NoTalk: true})
			return film{}.play(ctx, 0, tg, s)
		}
		c := h.camera("door", nil)
		c.Streams[0].Talk = true
		h.p.Apply(c)
		time.Sleep(2 * time.Second)
		if st := h.status("door", "main"); !st.TalkKnown || len(st.Talk) != 1 || st.Talk[0].Codec != av.PCMU {
			t.Errorf("%+v", st)
		}
		h.p.Retry("door")
		c.Streams = slices.Clone(c.Streams)
		c.Streams[0].Target.Username = "other"
		h.p.Apply(c)
		time.Sleep(5 * time.Second)
		c.Streams = slices.Clone(c.Streams)
		c.Streams[0].Talk = false
		h.p.Apply(c)
		if st := h.status("door", "main"); st.TalkKnown || st.Talk != nil {
			t.Errorf("talk is off: %+v", st)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(asked) != 2 || !asked[0].Talk || asked[0].Memory.NoTalk || !asked[1].Memory.NoTalk {
			t.Errorf("asked %d times", len(asked))
		}
	})
}
