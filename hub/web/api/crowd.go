package api

import "sync"

const (
	// maxStreams: one a browser, and a few terminals.
	maxStreams = 32
	// maxViewers of moving pictures: a few tabs with all cameras of a house.
	maxViewers = 128
)

// crowd counts answers that last, wakes them and ends them.
type crowd struct {
	max   int
	ended chan struct{} // closed when the hub stops

	mu     sync.Mutex
	all    map[chan struct{}]struct{} // each of size 1: many changes are one look
	closed bool
}

func newCrowd(most int) *crowd {
	return &crowd{max: most, all: map[chan struct{}]struct{}{}, ended: make(chan struct{})}
}

// join gives the newcomer's channel of changes; ok is false where there are too many.
func (c *crowd) join() (changed <-chan struct{}, leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.all) >= c.max {
		return nil, nil, false
	}
	wake := make(chan struct{}, 1)
	c.all[wake] = struct{}{}
	return wake, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.all, wake)
	}, true
}

func (c *crowd) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for wake := range c.all {
		select {
		case wake <- struct{}{}:
		default: // it has not looked since the last change
		}
	}
}

func (c *crowd) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.closed = true
		close(c.ended)
	}
}

func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.all)
}
