package rtpout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// why something is opened: what becomes of it when that does not work.
type why uint8

const (
	first why = iota // nothing plays; the session ends
	other            // what plays goes on
	again            // the stream ended; it is tried again for a while
)

const (
	// againFirst is the pause after a stream that ended at once, doubled each time up to
	// againLongest; after againTries in a row the camera is gone.
	againFirst   = 250 * time.Millisecond
	againLongest = 4 * time.Second
	againTries   = 6
	// settled is how long a stream plays before its end is not counted with the one before.
	settled = 5 * time.Second
)

// feed has the units that play, and opens others beside them. One goroutine takes from it.
type feed struct {
	ctx  context.Context // of the session
	log  *slog.Logger
	turn chan struct{} // 1: held by the one that opens; the next one waits

	mu      sync.Mutex
	work    sync.WaitGroup
	from    func(context.Context) (Units, error)
	units   Units // nil: none
	round   int   // of openings; an older one's result is not wanted
	stopped bool  // nothing is to play
	opening bool
	giveUp  context.CancelFunc // an opening that is not wanted any more
	err     error              // ends the session
	tries   int                // openings in a row of streams that did not last
	since   time.Time          // when what plays began to; zero: no picture yet
	// wait is the context of Next, interrupted when there are others.
	wait      context.Context
	interrupt context.CancelFunc
	changed   chan struct{} // size 1: something of the above has changed
}

func newFeed(ctx context.Context, log *slog.Logger) *feed {
	f := &feed{ctx: ctx, log: log, turn: make(chan struct{}, 1), giveUp: func() {}, changed: make(chan struct{}, 1)}
	f.wait, f.interrupt = context.WithCancel(ctx)
	return f
}

// open opens from in its own goroutine. What plays goes on until the other is there.
func (f *feed) open(from func(context.Context) (Units, error), w why) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.from, f.stopped = from, false
	f.begin(w, 0)
}

// rewind opens the same again, to begin with its newest key frame; false: that goes on
// already, or nothing plays.
func (f *feed) rewind() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stopped || f.opening || f.units == nil {
		return false
	}
	f.begin(other, 0)
	return true
}

// begin opens after a pause, in place of what is being opened: a controller may change its
// mind as often as it likes, and waits for one opening at most. The lock is held.
func (f *feed) begin(w why, pause time.Duration) {
	if f.ctx.Err() != nil {
		return
	}
	f.round++
	f.opening = true
	round, from := f.round, f.from
	f.giveUp()
	ctx, giveUp := context.WithCancel(f.ctx)
	f.giveUp = giveUp
	f.work.Go(func() {
		defer giveUp()
		if pause > 0 && !sleep(ctx, pause) {
			return
		}
		select {
		case f.turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		u, err := from(ctx)
		<-f.turn
		if err == nil && u == nil {
			err = errors.New("nothing was opened")
		}
		f.opened(round, w, u, err)
	})
}

func (f *feed) opened(round int, w why, u Units, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if round != f.round || f.stopped || f.ctx.Err() != nil {
		if err == nil {
			_ = u.Close()
		}
		return
	}
	f.opening = false
	switch {
	case err == nil:
		f.replace(u)
	case w == other && f.units != nil:
		f.log.Warn("the stream could not be opened anew, so the one before goes on", "error", err)
	case w == again && f.tries < againTries:
		f.retry()
	default:
		f.err = fmt.Errorf("%w: %w", ErrSource, err)
	}
	f.signal()
}

// replace lets u play; the lock is held.
func (f *feed) replace(u Units) {
	if f.units != nil {
		_ = f.units.Close()
	}
	f.units, f.since = u, time.Time{}
	f.interrupt()
	f.wait, f.interrupt = context.WithCancel(f.ctx)
}

// stop gives up what plays.
func (f *feed) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped, f.opening = true, false
	f.round++
	f.giveUp()
	f.replace(nil)
	f.signal()
}

// next waits until something plays. The context is for one call of its Next or more, until
// that ends with it.
func (f *feed) next() (Units, context.Context, error) {
	for {
		f.mu.Lock()
		u, ctx, err := f.units, f.wait, f.err
		f.mu.Unlock()
		if err != nil {
			return nil, nil, err
		}
		if u != nil {
			return u, ctx, nil
		}
		select {
		case <-f.changed:
		case <-f.ctx.Done():
			return nil, nil, context.Cause(f.ctx)
		}
	}
}

// lost says that u has ended by itself; it is opened again for a while.
func (f *feed) lost(u Units, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.units != u || f.stopped {
		return
	}
	if !f.since.IsZero() && time.Since(f.since) > settled {
		f.tries = 0
	}
	f.replace(nil)
	if f.opening {
		return
	}
	f.log.Info("the stream has ended and is opened again", "error", err)
	if f.tries >= againTries {
		f.err = fmt.Errorf("%w: %w", ErrSource, err)
		f.signal()
		return
	}
	f.retry()
}

// retry opens after a pause that grows; the lock is held.
func (f *feed) retry() {
	pause := time.Duration(0)
	if f.tries > 0 {
		pause = min(againFirst<<(f.tries-1), againLongest)
	}
	f.tries++
	f.begin(again, pause)
}

// came says that the first picture has come of what plays.
func (f *feed) came() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Now()
}

func (f *feed) signal() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}

// close ends what plays, and returns when nothing is opened any more.
func (f *feed) close() {
	f.stop()
	f.work.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.interrupt()
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
