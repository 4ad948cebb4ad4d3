package api

import (
	"context"
	"sync"

	"github.com/porchlight-hub/porchlight/hub/access"
)

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

	mu       sync.Mutex
	all      map[chan struct{}]bool // each of size 1: many changes are one look; true: a program's
	programs int
	closed   bool
}

func newCrowd(most int) *crowd {
	return &crowd{max: most, all: map[chan struct{}]bool{}, ended: make(chan struct{})}
}

// join gives the newcomer's channel of changes; ok is false where there are too many. A
// quarter of the places is for people alone: no program keeps the bell from their pages.
func (c *crowd) join(ctx context.Context) (changed <-chan struct{}, leave func(), ok bool) {
	id, _ := access.From(ctx)
	program := !id.Person()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || len(c.all) >= c.max || program && c.programs >= c.max-c.max/4 {
		return nil, nil, false
	}
	wake := make(chan struct{}, 1)
	c.all[wake] = program
	if program {
		c.programs++
	}
	return wake, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.all[wake] {
			c.programs--
		}
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
