package media

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

var (
	video = av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, FPS: 25, SPS: []byte{0x67, 0x4d, 0x40, 0x1f}}
	aac   = av.Track{ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: 32000, SampleRate: 32000, Channels: 1}
	opus  = av.OpusTrack(3, 2)
)

// feed writes frames at 25 fps, a key frame each gop frames, in the bubble's time.
type feed struct {
	t    *testing.T
	w    *Writer
	n    int
	gop  int
	size int
	base int64
}

func (f *feed) frame() {
	f.t.Helper()
	u := &av.Unit{Track: 1, Key: f.n%f.gop == 0, PTS: f.base + int64(f.n)*3600, DTS: f.base + int64(f.n)*3600, Data: make([]byte, f.size)}
	if err := f.w.Put(u); err != nil {
		f.t.Fatal(err)
	}
	f.n++
}

func (f *feed) run(frames int) {
	f.t.Helper()
	for range frames {
		f.frame()
		time.Sleep(40 * time.Millisecond)
	}
}

func begin(t *testing.T, s *Stream, tracks ...av.Track) *Writer {
	t.Helper()
	w, err := s.Begin(tracks)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func next(t *testing.T, r *Reader) []*av.Unit {
	t.Helper()
	b, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 50, size: 100}
		live := s.Read(av.Start{From: av.FromLive})
		f.run(25 * 20) // 20 s, GOPs of 2 s

		key := s.Read(av.Start{From: av.FromKeyFrame})
		if b := next(t, key); !b[0].Key || len(b) != 50 {
			t.Errorf("from key frame: %d units, key %v; want the last GOP", len(b), b[0].Key)
		}
		back := s.Open(ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: 7 * time.Second}, Until: RingEnd})
		if b := next(t, back); !b[0].Key || len(b) != 200 {
			t.Errorf("7 s back: %d units, want 200 (the key frame 8 s ago)", len(b))
		}
		if _, err := back.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("after the ring's end: %v, want EOF", err)
		}
		if st := s.Stats(); st.RingSpan < 10*time.Second || st.RingSpan > 12*time.Second+time.Millisecond {
			t.Errorf("ring of %v, want 10 s to 10 s and a GOP", st.RingSpan)
		} else if st.FPS < 24.9 || st.FPS > 25.1 || st.GOP != 2*time.Second || st.Readers != 3 {
			t.Errorf("stats %+v", st)
		}
		// A live reader that read nothing for 20 s was overrun, and goes on at the newest key frame.
		b := next(t, live)
		if !b[0].Key || !b[0].Discontinuity || len(b) != 50 || live.Stats().SkippedGOPs == 0 {
			t.Errorf("overrun reader: %d units, key %v, discontinuity %v, stats %+v", len(b), b[0].Key, b[0].Discontinuity, live.Stats())
		}
		f.frame()
		if b := next(t, live); len(b) != 1 || !b[0].Key || b[0].Discontinuity {
			t.Errorf("then %d units", len(b))
		}
		live.Close()
		key.Close()
		back.Close()
		if n := s.Stats().Readers; n != 0 {
			t.Errorf("%d readers after all have closed", n)
		}
		if _, err := live.Next(t.Context()); err == nil {
			t.Error("a closed reader reads")
		}
	})
}

func TestLiveReaderJumpsRecorderDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 50, size: 100}
		live := s.Read(av.Start{From: av.FromLive})
		rec := s.Read(av.Start{From: av.FromSecondsBack})
		f.run(10)
		next(t, live)
		next(t, rec)
		f.run(25 * 5)
		if b := next(t, live); !b[0].Key || !b[0].Discontinuity {
			t.Error("3 s behind and there is a newer key frame: the live reader should be at it")
		}
		if got := live.Stats().SkippedGOPs; got != 2 {
			t.Errorf("skipped %d GOPs, want 2", got)
		}
		if b := next(t, rec); len(b) != 125 || rec.Stats().SkippedGOPs != 0 {
			t.Errorf("the recorder got %d units of 125, skipped %d", len(b), rec.Stats().SkippedGOPs)
		}
	})
}

func TestRingHoldsToItsBytesWithAGOPOfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1 << 20
		c := New(Limits{RingBytes: limit})
		s := c.Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 25 * 60, size: 4000} // 6 MB a GOP
		r := s.Read(av.Start{From: av.FromKeyFrame})
		got := 0
		for i := range 25 * 145 {
			f.run(1)
			if n := s.Stats().RingSize; n > limit {
				t.Fatalf("frame %d: ring of %d bytes", i, n)
			}
			got += len(next(t, r))
		}
		if got != 25*145 || r.Stats().SkippedGOPs != 0 {
			t.Errorf("a reader that keeps up got %d of %d frames", got, 25*145)
		}
		if !s.Stats().NoPrebuffer || s.Describe().Prebuffer != 0 {
			t.Error("a GOP that does not fit is not reported")
		}
		late := s.Read(av.Start{From: av.FromKeyFrame})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if b, err := late.Next(ctx); err == nil {
			t.Errorf("a reader began inside a GOP whose key frame is gone: %d units", len(b))
		}
		f.run(25 * 40) // over the next key frame
		if s.Stats().RingSize > limit {
			t.Error("ring too big")
		}
		if c.Used() != s.Stats().RingSize {
			t.Errorf("budget counts %d, the ring has %d", c.Used(), s.Stats().RingSize)
		}
	})
}

func TestBudgetOverAllStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Limits{Budget: 2 << 20})
		var feeds []*feed
		for _, cam := range []string{"a", "b", "c", "d"} {
			feeds = append(feeds, &feed{t: t, w: begin(t, c.Stream(cam, "main"), video), gop: 25, size: 8000})
		}
		gone := &feed{t: t, w: begin(t, c.Stream("gone", "main"), video), gop: 25, size: 8000}
		gone.run(25 * 10)
		gone.w.End("unplugged")
		for range 25 * 20 {
			for _, f := range feeds {
				f.frame()
				if c.Used() > 2<<20 {
					t.Fatalf("%d bytes in all rings", c.Used())
				}
			}
			time.Sleep(40 * time.Millisecond)
		}
		for _, s := range c.Streams() {
			if st := s.Stats(); st.RingSize > 2<<20/4 || (st.Stream != "gone" && st.NoPrebuffer) {
				t.Errorf("%s has %d bytes", st.Camera, st.RingSize)
			}
		}
	})
}

func TestWriterRestartsAndReadersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "main")
		first := begin(t, s, video, aac)
		f := &feed{t: t, w: first, gop: 50, size: 100, base: 1 << 40}
		r := s.Read(av.Start{From: av.FromKeyFrame})
		f.run(60)
		sound := &av.Unit{Track: 2, DTS: 1, PTS: 1}
		if err := first.Put(sound); err != nil || sound.Discontinuity {
			t.Errorf("the first sound of all: %v, something is missing %v", err, sound.Discontinuity)
		}
		b := next(t, r)
		last := b[len(b)-2]

		f2 := &feed{t: t, w: begin(t, s, video, aac), gop: 50, size: 100, base: -1 << 50}
		if err := first.Put(&av.Unit{Track: 1, Key: true}); !errors.Is(err, ErrSuperseded) {
			t.Errorf("the old writer: %v", err)
		}
		first.End("late")
		if !s.Live() {
			t.Error("the old writer's end ended the new one")
		}
		time.Sleep(460 * time.Millisecond)
		// Sound of the new writer before its key frame is of no use.
		if err := f2.w.Put(&av.Unit{Track: 2, DTS: -1 << 49, PTS: -1 << 49}); err != nil {
			t.Fatal(err)
		}
		f2.run(1)
		b = next(t, r)
		if len(b) != 1 || !b[0].Key || !b[0].Discontinuity || b[0].Generation == last.Generation {
			t.Fatalf("after the restart: %d units, %+v", len(b), b[0])
		}
		if d := av.Duration(b[0].DTS-last.DTS, 90000); d.Round(time.Millisecond) != 500*time.Millisecond {
			t.Errorf("the time line went on after %v, want the 500 ms that have passed", d)
		}
		f2.w.End("stopped")
		if st, _ := s.State(); st.Live || st.Reason != "stopped" {
			t.Errorf("state %+v", st)
		}
		if err := f2.w.Put(&av.Unit{Track: 1}); !errors.Is(err, ErrEnded) {
			t.Errorf("put after the end: %v", err)
		}
	})
}

func TestWriterEndEndsBoundReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "talk")
		r := s.Open(ReadOptions{Start: av.Start{From: av.FromLive}, Until: WriterEnd})
		got := make(chan int, 1) // one result
		go func() {
			n := 0
			for {
				b, err := r.Next(context.Background())
				n += len(b)
				if err != nil {
					got <- n
					return
				}
			}
		}()
		synctest.Wait()
		w := begin(t, s, av.PCMTrack(1, av.L16, 16000, 1))
		for i := range 100 {
			if err := w.Put(&av.Unit{Track: 1, PTS: int64(i) * 320, DTS: int64(i) * 320, Data: make([]byte, 640)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		w.End("")
		if n := <-got; n != 100 {
			t.Errorf("%d of 100 units before the end", n)
		}
	})
}

func TestTimeRepair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "main")
		w := begin(t, s, video, aac)
		var last [4]int64
		put := func(track uint8, dts int64, key bool) *av.Unit {
			t.Helper()
			u := &av.Unit{Track: track, PTS: dts, DTS: dts, Key: key, Data: []byte{1}}
			if err := w.Put(u); err != nil {
				t.Fatal(err)
			}
			if u.DTS < last[track] || u.DTS == last[track] && last[track] != 0 {
				t.Errorf("track %d: dts %d after %d", track, u.DTS, last[track])
			}
			if d := u.DTS - last[track]; d > 4*int64(3600) {
				t.Errorf("track %d: a step of %d ticks", track, d)
			}
			last[track] = u.DTS
			time.Sleep(20 * time.Millisecond)
			return u
		}
		var v, a int64
		step := func(n int) {
			for range n {
				put(1, v, v == 0)
				put(2, a, false)
				v, a = v+3600, a+1280
			}
		}
		step(10)
		put(1, v+90000*1000, false) // one frame from elsewhere
		v += 3600
		step(10)
		v, a = v+90000*7777, a+32000*7777 // a new time that stays, of both
		step(20)
		if d := av.Duration(last[1], 90000) - av.Duration(last[2], 32000); d < -60*time.Millisecond || d > 60*time.Millisecond {
			t.Errorf("sound and picture are %v apart after the jump", d)
		}
		v, a = 5, 5 // and back
		step(20)
		if d := av.Duration(last[1], 90000) - av.Duration(last[2], 32000); d < -60*time.Millisecond || d > 60*time.Millisecond {
			t.Errorf("sound and picture are %v apart after the jump back", d)
		}
		if s.Stats().Repairs == 0 {
			t.Error("repairs not counted")
		}
	})
}

func TestTracksAndGenerations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video, aac, opus), gop: 5, size: 10}
		sound := func(id uint8) {
			if err := f.w.Put(&av.Unit{Track: id, PTS: int64(f.n) * 1280, DTS: int64(f.n) * 1280, Data: []byte{id}}); err != nil {
				t.Fatal(err)
			}
		}
		r := s.Open(ReadOptions{Start: av.Start{From: av.FromKeyFrame}, Want: Want{Audio: av.Opus}})
		for range 5 {
			f.run(1)
			sound(2)
			sound(3)
		}
		for _, u := range next(t, r) {
			if u.Track == 2 {
				t.Fatal("the other audio track came too")
			}
		}
		if tr := r.Tracks(); len(tr) != 2 || tr[1].Codec != av.Opus {
			t.Errorf("tracks %v", tr)
		}
		if err := f.w.SetTrack(video); err != nil {
			t.Fatal(err)
		}
		gen := s.Stats().Generation
		wide := video
		wide.Width = 1920
		if err := f.w.SetTrack(wide); err != nil {
			t.Fatal(err)
		}
		if s.Stats().Generation != gen+1 {
			t.Error("new parameter sets made no new generation")
		}
		f.n++ // its next frame is no key frame, and of no use to the new generation
		f.run(4)
		f.run(2)
		b := next(t, r)
		if !b[0].Key || b[0].Generation != gen+1 || r.Tracks()[0].Width != 1920 {
			t.Errorf("first unit of the new generation: %+v", b[0])
		}
		if err := f.w.Put(&av.Unit{Track: 9}); !errors.Is(err, ErrNoTrack) {
			t.Errorf("unknown track: %v", err)
		}
	})
}

func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 25, size: 10}
		kept, release := s.Hold(time.Hour)
		if kept != MaxHold {
			t.Errorf("kept %v", kept)
		}
		f.run(25 * 60)
		if d := s.Stats().RingSpan; d < MaxHold {
			t.Errorf("held %v", d)
		}
		release()
		f.run(25)
		if d := s.Stats().RingSpan; d > 12*time.Second {
			t.Errorf("%v after the release", d)
		}
	})
}

func TestFit(t *testing.T) {
	tracks := []av.Track{{ID: 1, Kind: av.Video, Codec: av.H264, Width: 1280, Height: 720, FPS: 25, SPS: []byte{0x67, 77, 0x40, 31}}, aac, opus}
	for _, c := range []struct {
		name string
		r    av.Rendition
		fits bool
	}{
		{"as it is", av.Rendition{}, true},
		{"h264 720p", av.Rendition{Video: av.VideoRendition{Codec: av.H264, MaxWidth: 1280, MaxHeight: 720, Profile: "main", Level: 31}}, true},
		{"smaller", av.Rendition{Video: av.VideoRendition{MaxWidth: 640}}, false},
		{"baseline", av.Rendition{Video: av.VideoRendition{Profile: "baseline"}}, false},
		{"level 3", av.Rendition{Video: av.VideoRendition{Level: 30}}, false},
		{"in order", av.Rendition{Video: av.VideoRendition{InOrder: true}}, true},
		{"h265", av.Rendition{Video: av.VideoRendition{Codec: av.H265}}, false},
		{"opus at 24 kHz", av.Rendition{Audio: av.AudioRendition{Codec: av.Opus, SampleRate: 24000}}, true},
		{"aac at 16 kHz", av.Rendition{Audio: av.AudioRendition{Codec: av.AAC, SampleRate: 16000}}, false},
		{"pcm", av.Rendition{Audio: av.AudioRendition{Codec: av.L16}}, false},
		{"no sound", av.Rendition{Audio: av.AudioRendition{None: true, Codec: av.L16}}, true},
		{"sound alone", av.Rendition{Video: av.VideoRendition{None: true, MaxWidth: 1}, Audio: av.AudioRendition{Codec: av.AAC}}, true},
	} {
		if _, err := Fit(tracks, c.r); (err == nil) != c.fits || err != nil && !errors.Is(err, av.ErrNotYet) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	// What a camera claims is not what counts.
	liar := av.Track{ID: 1, Kind: av.Video, Codec: av.H264, Width: 1280, Height: 720, FPS: 30, SPS: []byte{0x67, 77, 0x40, 51}, Reordered: true}
	if _, err := Fit([]av.Track{liar}, av.Rendition{Video: av.VideoRendition{Level: 31}}); err != nil {
		t.Errorf("720p30 that claims 5.1: %v", err)
	}
	if _, err := Fit([]av.Track{liar}, av.Rendition{Video: av.VideoRendition{InOrder: true}}); err == nil {
		t.Error("B-frames were taken for a picture in order")
	}
}

// Figures after a gap are of the stream, not of the gap.
func TestFiguresAfterAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{RingTime: 30 * time.Second}).Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 50, size: 1000}
		f.run(100)
		f.w.End("the camera went away")
		time.Sleep(6 * time.Second)
		f = &feed{t: t, w: begin(t, s, video), gop: 50, size: 2000}
		f.run(51)
		if st := s.Stats(); st.FPS < 24.9 || st.FPS > 25.1 || st.Bitrate < 400_000 || st.Bitrate > 410_000 {
			t.Errorf("%.1f pictures a second, %.0f bit/s; want 25 and 400,000 and one picture", st.FPS, st.Bitrate)
		}
	})
}
