package media

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// What a plugin sends is bounded by what it takes in memory, not by what it counts:
// empty units, and descriptions that change with each unit, cost too.
func TestFloodOfEmptyUnitsHoldsToTheRing(t *testing.T) {
	const limit = 1 << 20
	flood := func(t *testing.T, each func(w *Writer, i int) error) *Stream {
		s := New(Limits{RingBytes: limit}).Stream("door", "main")
		w := begin(t, s, video)
		for i := range 20_000 {
			if err := each(w, i); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	synctest.Test(t, func(t *testing.T) { // no time passes: the ring's span bounds nothing
		s := flood(t, func(w *Writer, i int) error {
			return w.Put(&av.Unit{Track: 1, Key: i == 0, DTS: int64(i) * 3600, PTS: int64(i) * 3600})
		})
		if n := s.ring.n; n > limit/unitCost {
			t.Errorf("%d empty units are kept", n)
		}
		sets := map[*trackSet]bool{}
		s = flood(t, func(w *Writer, i int) error {
			tr := video
			tr.SPS = make([]byte, 60<<10)
			tr.SPS[0], tr.SPS[1] = byte(i), byte(i>>8)
			if err := w.SetTrack(tr); err != nil {
				return err
			}
			return w.Put(&av.Unit{Track: 1, Key: true, DTS: int64(i) * 3600, PTS: int64(i) * 3600})
		})
		for seq := s.ring.first; seq < s.ring.end(); seq++ {
			sets[s.ring.at(seq).set] = true
		}
		if n := len(sets); n > limit/(60<<10)+1 {
			t.Errorf("%d descriptions of 60 KiB are kept", n)
		}
		if s.Stats().RingSize > limit || s.core.Used() != s.Stats().RingSize {
			t.Errorf("ring of %d bytes, budget counts %d", s.Stats().RingSize, s.core.Used())
		}
	})
}

func TestTooManyTracks(t *testing.T) {
	s := New(Limits{}).Stream("door", "main")
	w := begin(t, s, video)
	for id := 2; id <= maxTracks; id++ {
		if err := w.SetTrack(av.PCMTrack(uint8(id), av.PCMU, 8000, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetTrack(av.PCMTrack(200, av.PCMU, 8000, 1)); err == nil {
		t.Error("one track more was taken")
	}
	if err := w.Put(&av.Unit{Track: 1, Key: true}); err != nil {
		t.Errorf("the others go on: %v", err)
	}
}

// Absurd time stamps break nothing for those that follow.
func TestAbsurdTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []uint32{1, 90000, math.MaxUint32} {
			tr := video
			tr.ClockRate, tr.FPS = rate, 1e308
			s := New(Limits{}).Stream("door", "main")
			w := begin(t, s, tr)
			for _, at := range []int64{math.MaxInt64, math.MinInt64, 0, -1, math.MaxInt64 - 1, math.MinInt64 / 2, 1 << 62} {
				for _, ahead := range []int64{0, math.MaxInt64, math.MinInt64} {
					if err := w.Put(&av.Unit{Track: 1, Key: true, DTS: at, PTS: at + ahead, Wall: time.Unix(0, at)}); err != nil {
						t.Fatal(err)
					}
				}
			}
			last := int64(math.MinInt64)
			for seq := s.ring.first; seq < s.ring.end(); seq++ {
				u := s.ring.at(seq).unit
				if u.DTS <= last && seq > s.ring.first {
					t.Errorf("rate %d: dts %d after %d", rate, u.DTS, last)
				}
				if u.PTS < u.DTS {
					t.Errorf("rate %d: pts %d before dts %d", rate, u.PTS, u.DTS)
				}
				last = u.DTS
			}
			s.Stats()
		}
	})
}
