package media

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// relay copies what r gives into another form of its stream, as a conversion does.
func relay(t *testing.T, s *Stream, lag time.Duration) *Stream {
	t.Helper()
	d := s.Derive(lag)
	r := s.Open(ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}, Times: true, Quiet: true, Pauses: true})
	t.Cleanup(r.Close)
	var w *Writer
	go func() {
		for {
			batch, err := r.Next(t.Context())
			switch {
			case errors.Is(err, ErrPaused):
				if w != nil {
					w.End("as the source")
					w = nil
				}
				continue
			case err != nil:
				return
			}
			if w == nil {
				if w, err = d.Begin(r.Tracks()); err != nil {
					t.Error(err)
				}
			}
			for i, u := range batch {
				_ = w.Relay(u, r.Received(i), true)
			}
		}
	}()
	return d
}

// Another form of a stream costs its slots, reaches as far back, and goes with it.
func TestDerivedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Limits{})
		s := c.Stream("door", "main")
		f := &feed{t: t, w: begin(t, s, video), gop: 25, size: 10_000}
		f.run(250)
		alone := c.Used()
		d := relay(t, s, 0)
		synctest.Wait()
		if cost := c.Used() - alone; cost <= 0 || cost > 300*(unitCost+10) {
			t.Errorf("it costs %d bytes beside %d", cost, alone)
		}
		if d.Source() != s || s.Source() != s || len(c.Streams()) != 1 || s.Demand() != 0 {
			t.Error("it is listed, or wanted")
		}
		if (d.Reaches() - s.Reaches()).Abs() > 0 {
			t.Errorf("it reaches %v back, its source %v", d.Reaches(), s.Reaches())
		}
		r := d.Open(ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}, Until: RingEnd})
		n, newest := 0, s.Stats().Units
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				batch, err := r.Next(t.Context())
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Error(err)
					}
					return
				}
				n += len(batch)
			}
		}()
		f.run(25)
		<-done
		r.Close()
		if n < 240 || uint64(n) > newest {
			t.Errorf("%d units until the end of the ring, of %d", n, newest)
		}
		f.run(250)
		if (d.Reaches() - s.Reaches()).Abs() > 0 {
			t.Errorf("later it reaches %v back, its source %v", d.Reaches(), s.Reaches())
		}
		c.Remove("door", "removed")
		synctest.Wait()
		if c.Used() != 0 {
			t.Errorf("%d bytes are left of a camera that was removed", c.Used())
		}
		f = &feed{t: t, w: begin(t, s, video), gop: 25, size: 10_000}
		f.run(25)
		if d.Reaches() == 0 {
			t.Error("it did not come back with its source")
		}
		gone := errors.New("nobody reads it")
		d.Discard(gone)
		if _, err := d.Read(av.Start{From: av.FromKeyFrame}).Next(t.Context()); !errors.Is(err, gone) {
			t.Errorf("%v", err)
		}
		if c.Used() != s.Stats().RingSize {
			t.Errorf("%d bytes are left of it", c.Used()-s.Stats().RingSize)
		}
	})
}

// What both hold is paid for by the source: the other form does not keep it longer, not
// even where one GOP is bigger than a ring may be.
func TestADerivedStreamKeepsNothingAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Limits{RingBytes: 1 << 20})
		s := c.Stream("door", "main")
		d := relay(t, s, 0)
		f := &feed{t: t, w: begin(t, s, video), gop: 10_000, size: 50_000}
		for range 20 {
			f.run(10)
			synctest.Wait()
			d.mu.Lock()
			data := 0
			for seq := d.ring.first; seq < d.ring.end(); seq++ {
				data += len(d.ring.at(seq).unit.Data)
			}
			d.mu.Unlock()
			if data > 2<<20 {
				t.Fatalf("it keeps %d bytes", data)
			}
		}
	})
}
