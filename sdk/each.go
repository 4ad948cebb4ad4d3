package sdk

import (
	"context"
	"iter"
	"sync"
	"time"
)

const (
	// firstRetry and longestRetry bound the wait before Each tries a device again.
	firstRetry   = time.Second
	longestRetry = 30 * time.Second
	// goodRun of a device begins the waits anew.
	goodRun = time.Minute
)

// Each runs f for every device side by side, until ctx ends. Where f returns an
// error it is logged and f runs again, after 1 s at first and 30 s at most; nil
// ends that device. A panic in f is caught like one in Run.
func (h *Hub) Each(ctx context.Context, f func(ctx context.Context, d Device) error) error {
	var wg sync.WaitGroup
	for _, d := range h.Devices() {
		wg.Go(func() {
			h.in.Guard("device "+d.ID, func() { h.again(ctx, d, f) })
		})
	}
	wg.Wait()
	return ctx.Err()
}

func (h *Hub) again(ctx context.Context, d Device, f func(context.Context, Device) error) {
	wait := firstRetry
	for {
		began := time.Now()
		err := f(ctx, d)
		if err == nil || ctx.Err() != nil {
			return
		}
		if time.Since(began) > goodRun {
			wait = firstRetry
		}
		h.Log().Warn("device: trying again", "device", d.ID, "error", err.Error(), "in", wait)
		if sleep(ctx, wait) != nil {
			return
		}
		wait = min(2*wait, longestRetry)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Every gives the time at once and then at each tick, until ctx ends:
//
//	for now := range sdk.Every(ctx, time.Second) { … }
//
// A loop body that takes longer than a tick misses ticks; none pile up.
func Every(ctx context.Context, d time.Duration) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		t := time.NewTicker(d)
		defer t.Stop()
		for now := time.Now(); ctx.Err() == nil && yield(now); {
			select {
			case now = <-t.C:
			case <-ctx.Done():
			}
		}
	}
}
