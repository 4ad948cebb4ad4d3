package app

import (
	"context"
	"runtime/debug"
	"time"
)

const (
	// headroom is how much garbage may wait beside the rings. They are most of what lives,
	// and a collector that lets garbage grow to as much as lives would double them.
	headroom = 48 << 20
	// leastPercent keeps a house full of cameras from collecting all the time.
	leastPercent = 30
	usualPercent = 100
	lookAtHeap   = 5 * time.Second
)

// watchMemory holds the collector's headroom to a size instead of a share.
func (h *Hub) watchMemory(ctx context.Context) error {
	tick := time.NewTicker(lookAtHeap)
	defer tick.Stop()
	now := usualPercent
	for {
		if want := percent(h.media.Used()); want != now {
			debug.SetGCPercent(want)
			now = want
		}
		select {
		case <-ctx.Done():
			debug.SetGCPercent(usualPercent)
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// percent is the share of what lives that may be garbage, in steps of ten so that it
// does not change all the time.
func percent(rings int64) int {
	if rings <= headroom {
		return usualPercent
	}
	return max(leastPercent, int(usualPercent*headroom/rings)/10*10)
}
