package media

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestSixteenStreamsAtFullSpeed runs writers that restart and readers that come, stop
// and go, as fast as the machine can, mostly for the race detector.
func TestSixteenStreamsAtFullSpeed(t *testing.T) {
	c := New(Limits{RingBytes: 256 << 10, Budget: 2 << 20})
	var readers, writers sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got atomic.Int64
	for i := range 16 {
		s := c.Stream(fmt.Sprint("camera", i), "main")
		frozen := s.Read(av.Start{From: av.FromLive})
		defer frozen.Close()
		for j := range 4 {
			readers.Go(func() { read(t, ctx, s, av.From(j%3+1), &got) })
		}
		writers.Go(func() {
			for range 3 {
				w, err := s.Begin([]av.Track{video, aac})
				if err != nil {
					t.Error(err)
					return
				}
				for n := range 500 {
					u := &av.Unit{Track: 1, Key: n%20 == 0, PTS: int64(n) * 3600, DTS: int64(n) * 3600, Data: make([]byte, 2000)}
					if err := w.Put(u); err != nil {
						t.Error(err)
						return
					}
					if err := w.Put(&av.Unit{Track: 2, PTS: int64(n) * 1280, DTS: int64(n) * 1280, Data: make([]byte, 50)}); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	if c.Used() > 2<<20 {
		t.Errorf("%d bytes in all rings", c.Used())
	}
	var sum int64
	for _, st := range c.Stats() {
		sum += st.RingSize
		if st.Readers != 1 {
			t.Errorf("%s: %d readers, want the frozen one", st.Camera, st.Readers)
		}
	}
	if sum != c.Used() {
		t.Errorf("the rings have %d bytes, the budget counts %d", sum, c.Used())
	}
	if got.Load() == 0 {
		t.Error("nobody read anything")
	}
}

// read checks that what comes is in order and begins at a key frame after each gap.
func read(t *testing.T, ctx context.Context, s *Stream, from av.From, got *atomic.Int64) {
	r := s.Read(av.Start{From: from})
	defer r.Close()
	last := int64(-1)
	for {
		batch, err := r.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
		for _, u := range batch {
			if u.Track != 1 {
				continue
			}
			got.Add(1)
			if (last < 0 || u.Discontinuity) && !u.Key || u.DTS <= last {
				t.Errorf("unit at %d after %d: key %v, discontinuity %v", u.DTS, last, u.Key, u.Discontinuity)
				return
			}
			last = u.DTS
		}
	}
}

// BenchmarkFanOut is what one unit costs with so many readers, none of which is slow; divide by
// them for the cost of one.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{0, 1, 8, 32, 128} {
		b.Run(fmt.Sprintf("readers=%d", n), func(b *testing.B) {
			s := New(Limits{RingTime: time.Second}).Stream("door", "main")
			w, err := s.Begin([]av.Track{video})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			var wg sync.WaitGroup
			var taken atomic.Int64
			for range n {
				r := s.Read(av.Start{From: av.FromSecondsBack})
				wg.Go(func() {
					defer r.Close()
					for {
						batch, err := r.Next(ctx)
						if err != nil {
							return
						}
						taken.Add(int64(len(batch)))
					}
				})
			}
			data := make([]byte, 20_000)
			for i := 0; b.Loop(); i++ {
				u := &av.Unit{Track: 1, Key: i%50 == 0, PTS: int64(i) * 3600, DTS: int64(i) * 3600, Data: data}
				if err := w.Put(u); err != nil {
					b.Fatal(err)
				}
			}
			cancel()
			wg.Wait()
			b.ReportMetric(float64(taken.Load())/float64(b.N), "taken/op")
		})
	}
}
