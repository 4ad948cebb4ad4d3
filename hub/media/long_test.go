package media

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestLongGOPsHoldToTheRing: key frames a minute apart, of more bytes than the ring may have.
func TestLongGOPsHoldToTheRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 24 << 20
		c := New(Limits{})
		s := c.Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 25 * 60, size: 20_000} // 4 Mb/s: 30 MB a GOP
		live := s.Read(av.Start{From: av.FromLive})
		defer live.Close()
		read, without := 0, 0
		for i := range 25 * 60 * 5 {
			f.frame()
			read += len(next(t, live))
			st := s.Stats()
			if st.RingSize > limit || c.Used() > limit {
				t.Fatalf("frame %d: ring of %d bytes", i, st.RingSize)
			}
			if st.NoPrebuffer {
				without++
			}
			if u, _, at, ok := s.NewestKey(); !ok || !u.Key || time.Since(at) > time.Minute {
				t.Fatalf("frame %d: no key frame to make a picture of", i)
			}
			time.Sleep(40 * time.Millisecond)
		}
		if read != f.n || live.Stats().SkippedGOPs != 0 {
			t.Errorf("who followed got %d of %d, skipped %d", read, f.n, live.Stats().SkippedGOPs)
		}
		if without == 0 || without > f.n/4 {
			t.Errorf("no prebuffer at %d of %d frames", without, f.n)
		}
		if st := s.Stats(); st.GOP != time.Minute {
			t.Errorf("GOP of %v", st.GOP)
		}
		// Who comes now waits for the next key frame, and is told nothing old.
		late := s.Read(av.Start{From: av.FromKeyFrame})
		defer late.Close()
		for !s.Stats().NoPrebuffer {
			f.run(1)
		}
		cut := s.Read(av.Start{From: av.FromKeyFrame})
		defer cut.Close()
		f.run(25*60 - f.n%(25*60) + 1)
		if b := next(t, cut); !b[0].Key || len(b) != 1 {
			t.Errorf("began with %d units, key %v", len(b), b[0].Key)
		}
		// Nor do many such cameras together go over the budget.
		small := New(Limits{Budget: 40 << 20})
		var feeds []*feed
		for _, id := range []string{"a", "b", "c", "d"} {
			feeds = append(feeds, &feed{t: t, w: begin(t, small.Stream(id, "main"), video), gop: 25 * 60, size: 20_000})
		}
		for range 25 * 100 {
			for _, f := range feeds {
				f.frame()
			}
			if small.Used() > 40<<20 {
				t.Fatalf("%d bytes in all rings", small.Used())
			}
			time.Sleep(40 * time.Millisecond)
		}
		var sum int64
		for _, st := range small.Stats() {
			sum += st.RingSize
		}
		if sum != small.Used() {
			t.Errorf("the rings have %d bytes, the budget counts %d", sum, small.Used())
		}
	})
}

// day is a camera whose clock jumps.
type day struct {
	t        *testing.T
	s        *Stream
	w        *Writer
	tracks   []av.Track
	rnd      *rand.Rand
	base     time.Duration // of the camera's clock
	at       time.Duration // since it began
	i        int
	last     [3]int64
	have     [3]bool
	glitches int
	jumps    int
	pauses   int
	restarts int
	calm     int           // steps since the last of all that
	apart    time.Duration // most that sound and picture were
	settled  time.Duration // the same, once all is calm
}

const dayStep = 200 * time.Millisecond // a picture and a packet of sound

func (d *day) put(track uint8, clock time.Duration, paused bool) {
	d.t.Helper()
	tr := d.tracks[track-1]
	ticks := tr.Ticks(clock)
	u := &av.Unit{Track: track, Key: track == 1 && d.i%10 == 0, PTS: ticks, DTS: ticks, Data: []byte{1}}
	if err := d.w.Put(u); err != nil {
		d.t.Fatalf("after %v: %v", d.at, err)
	}
	step := tr.Duration(u.DTS - d.last[track])
	if d.have[track] && (step <= 0 || step > time.Second+dayStep && !paused) {
		d.t.Fatalf("after %v: track %d stepped by %v", d.at, track, step)
	}
	d.last[track], d.have[track] = u.DTS, true
}

// far is a jump that no camera makes by sending late, forth or back.
func far(rnd *rand.Rand) time.Duration {
	j := 2*jumpLimit + time.Duration(rnd.Int64N(int64(24*time.Hour)))
	if rnd.IntN(2) == 0 {
		return -j
	}
	return j
}

func (d *day) step() {
	d.t.Helper()
	paused := false
	var glitch [3]time.Duration
	what := d.rnd.IntN(400) // one of them each minute or two
	// A second one before the first is over would leave sound and picture up to
	// sameShift apart until the next.
	if d.calm++; d.calm <= 2*jumpFrames {
		what = 399
	}
	if what < 5 {
		d.calm = 0
	}
	switch what {
	case 0: // hours, back or forth, and it stays there
		d.base += far(d.rnd)
		d.jumps++
	case 1: // one unit from elsewhere
		glitch[1+d.rnd.IntN(2)] = far(d.rnd)
		d.glitches++
	case 2: // the camera begins to count anew
		if (d.base + d.at).Abs() > 2*jumpLimit { // less is believed, as units may come late
			d.base = -d.at
			d.jumps++
		}
	case 3: // nothing for a while, and its clock goes on
		pause := 6*time.Second + time.Duration(d.rnd.Int64N(int64(30*time.Second)))
		time.Sleep(pause)
		d.at += pause
		d.pauses++
		paused = true
	case 4: // it connects again
		if d.rnd.IntN(4) == 0 {
			d.base = time.Duration(d.rnd.Int64N(int64(365 * 24 * time.Hour)))
			d.w = begin(d.t, d.s, d.tracks...)
			d.i = 0
			d.restarts++
		}
	}
	d.put(1, d.base+d.at+glitch[1], paused)
	d.put(2, d.base+d.at+glitch[2], paused)
	apart := (av.Duration(d.last[1], 90000) - av.Duration(d.last[2], aac.ClockRate)).Abs()
	d.apart = max(d.apart, apart)
	if d.calm > 10 {
		d.settled = max(d.settled, apart)
	}
	d.i++
	time.Sleep(dayStep)
	d.at += dayStep
}

// TestDayOfTimeJumps: through 24 hours of a camera whose time jumps, nothing is lost or
// goes back, sound stays with its picture, and the line keeps to the hub's clock.
func TestDayOfTimeJumps(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	synctest.Test(t, func(t *testing.T) {
		s := New(Limits{}).Stream("door", "main")
		slow := video
		slow.FPS = float64(time.Second / dayStep)
		tracks := []av.Track{slow, aac}
		d := &day{t: t, s: s, rnd: rand.New(rand.NewPCG(seed, 1)), tracks: tracks, w: begin(t, s, tracks...)}
		r := s.Read(av.Start{From: av.FromSecondsBack})
		defer r.Close()
		units, began := 0, time.Now()
		for d.at < 24*time.Hour {
			d.step()
			units += len(next(t, r))
		}
		st := s.Stats()
		if uint64(units) != st.Units || r.Stats().SkippedGOPs != 0 {
			t.Errorf("read %d of %d units, skipped %d GOPs", units, st.Units, r.Stats().SkippedGOPs)
		}
		if d.settled > 50*time.Millisecond || d.apart > 2*dayStep {
			t.Errorf("sound and picture were %v apart, and %v once all was calm", d.apart, d.settled)
		}
		if drift := (av.Duration(d.last[1], 90000) - (time.Since(began) - dayStep)).Abs(); drift > time.Second {
			t.Errorf("the line went %v away from the clock", drift)
		}
		if d.jumps == 0 || d.glitches == 0 || d.pauses == 0 || d.restarts == 0 || st.Repairs < uint64(d.jumps) {
			t.Errorf("%d jumps, %d glitches, %d pauses, %d restarts, %d repairs", d.jumps, d.glitches, d.pauses, d.restarts, st.Repairs)
		}
		if st.RingSpan > 13*time.Second+40*time.Second {
			t.Errorf("ring of %v", st.RingSpan)
		}
		t.Logf("%d jumps, %d glitches, %d pauses, %d restarts, %d repairs; at most %v apart, calm %v", d.jumps, d.glitches, d.pauses, d.restarts, st.Repairs, d.apart, d.settled)
	})
}

// TestFrozenReaderHurtsNobody: sixteen cameras of 4 Mb/s with two readers each; one reader
// takes nothing for 30 s. All others get each unit once, in order, at the moment it comes.
func TestFrozenReaderHurtsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Limits{})
		type tally struct {
			units, bad int
			late       time.Duration
		}
		tallies := make([]tally, 32)
		ctx, cancel := context.WithCancel(t.Context())
		var feeds []*feed
		thaw := make(chan struct{}) // closed when the frozen one goes on
		for i := range 16 {
			s := c.Stream(string(rune('a'+i)), "main")
			feeds = append(feeds, &feed{t: t, w: begin(t, s, video), gop: 50, size: 20_000})
			for j := range 2 {
				r, n := s.Read(av.Start{From: av.FromKeyFrame}), &tallies[2*i+j]
				go func() {
					defer r.Close()
					if i == 0 && j == 0 {
						<-thaw
					}
					for {
						b, err := r.Next(ctx)
						if err != nil {
							return
						}
						for _, u := range b {
							if u.DTS != int64(n.units)*3600 {
								n.bad++
							}
							n.units++
						}
						n.late = max(n.late, r.Stats().Lag)
					}
				}()
			}
		}
		frames := func(n int) {
			for range n {
				for _, f := range feeds {
					f.frame()
				}
				time.Sleep(40 * time.Millisecond)
			}
		}
		frames(25 * 30)
		close(thaw)
		frames(25 * 5)
		synctest.Wait()
		for i, n := range tallies[1:] {
			if n.units != 25*35 || n.bad != 0 || n.late != 0 {
				t.Errorf("reader %d: %+v, want %d units", i+1, n, 25*35)
			}
		}
		if n := tallies[0]; n.units < 25*5 || n.units > 25*7 {
			t.Errorf("the frozen one got %d units after it thawed", n.units)
		}
		if c.Used() > 384<<20 {
			t.Errorf("%d bytes", c.Used())
		}
		cancel()
		synctest.Wait()
	})
}
