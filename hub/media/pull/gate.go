package pull

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// dials at a time: after a power cut all cameras of a house come back together.
	dials = 16
	// dialPlace is how long a dial keeps its place: one that has heard nothing by then
	// waits for a dead peer, which costs nothing and shall hold up nobody.
	dialPlace = 2 * time.Second
)

// rank orders those who wait for a place: doorbells first, then who failed least.
type rank struct {
	doorbell bool
	failures int
	turn     uint64
}

func (a rank) compare(b rank) int {
	if a.doorbell != b.doorbell {
		if a.doorbell {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.failures, b.failures), cmp.Compare(a.turn, b.turn))
}

// gate lets so many dials go at a time.
type gate struct {
	mu      sync.Mutex
	free    int
	turns   uint64
	waiting []*waiter // in order of rank
}

type waiter struct {
	rank rank
	in   chan struct{} // closed when it has its place
}

// enter waits for a place, which leave gives back; it may be called more than once.
func (g *gate) enter(ctx context.Context, r rank) (leave func(), err error) {
	g.mu.Lock()
	g.turns++
	r.turn = g.turns
	w := &waiter{rank: r, in: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(g.waiting, w, func(a, b *waiter) int { return a.rank.compare(b.rank) })
	g.waiting = slices.Insert(g.waiting, at, w)
	g.next()
	g.mu.Unlock()
	select {
	case <-w.in:
		return sync.OnceFunc(g.leave), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, w); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		return nil, ctx.Err()
	}
	g.free++ // it came at the same moment
	g.next()
	return nil, ctx.Err()
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free++
	g.next()
}

// next lets in whom there is a place for. The gate is locked.
func (g *gate) next() {
	for g.free > 0 && len(g.waiting) > 0 {
		close(g.waiting[0].in)
		g.waiting = slices.Delete(g.waiting, 0, 1)
		g.free--
	}
}
