package convert

import (
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// tape is a machine that gives what it is fed with, until it is told otherwise.
type tape struct {
	mu     sync.Mutex
	units  chan *av.Unit // room for all that a test feeds
	ended  chan struct{}
	mute   bool
	behind time.Duration
}

func newTape(mute bool) *tape {
	return &tape{units: make(chan *av.Unit, 10_000), ended: make(chan struct{}), mute: mute}
}

func (t *tape) Put(u *av.Unit, _ time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mute {
		t.behind += 40 * time.Millisecond
		return nil
	}
	t.units <- u
	return nil
}

func (t *tape) Next() (*av.Unit, time.Time, error) {
	select {
	case u := <-t.units:
		return u, time.Time{}, nil
	case <-t.ended:
		return nil, time.Time{}, io.EOF
	}
}

func (t *tape) Track() av.Track { return av.Track{} }
func (t *tape) Said() string    { return "" }
func (t *tape) PID() int        { return 1 }
func (t *tape) End()            { close(t.ended) }
func (t *tape) Behind() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.behind
}

// What hangs is ended; each next attempt comes later, and after a good while soon again.
func TestALineRestsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Time
		mute := true
		var got atomic.Int64
		l := newLine(func(string) (machine, error) {
			starts = append(starts, time.Now())
			return newTape(mute), nil
		}, func(machine, *av.Unit, time.Time) { got.Add(1) }, time.Now, slog.New(slog.DiscardHandler))
		feed := func(d time.Duration) {
			for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(40 * time.Millisecond) {
				l.put(&av.Unit{}, time.Now())
			}
		}
		feed(40 * time.Second)
		if len(starts) != 4 || got.Load() != 0 {
			t.Fatalf("%d starts, %d units", len(starts), got.Load())
		}
		for i, rest := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second} {
			if d := starts[i+1].Sub(starts[i]) - hung; d < rest || d > rest+200*time.Millisecond {
				t.Errorf("after %d failures it rested %v", i+1, d)
			}
		}
		if _, made, why := l.trouble(); made || why == nil {
			t.Error(made, why)
		}
		mute = false
		feed(2 * time.Minute)
		if got.Load() < 2000 {
			t.Errorf("%d units", got.Load())
		}
		before := len(starts)
		m := l.m
		l.fell(m, errors.New("killed"))
		feed(time.Second)
		if len(starts) != before+1 || time.Since(starts[before]) > time.Second {
			t.Error("it rests as if it had never run well")
		}
		l.end()
		l.end()
		feed(time.Hour / 60)
		if len(starts) != before+1 {
			t.Error("it goes on behind its end")
		}
	})
}
