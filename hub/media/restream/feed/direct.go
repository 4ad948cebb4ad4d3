package feed

import "slices"

// Sink writes what it can of taken without waiting, and returns what is left of it.
type Sink func(taken []Entry) (left [][]byte)

// Direct lets the feed itself hand what comes to sink, while the cursor has caught up: to
// wake a goroutine costs as much as half the writing. What sink leaves, and what comes
// until it is written, Take returns as ever.
func (c *Cursor) Direct(sink Sink) {
	c.feed.mu.Lock()
	defer c.feed.mu.Unlock()
	c.sink = sink
}

// park waits, as one that the feed writes for. The feed is locked.
func (c *Cursor) park() {
	if !c.direct {
		c.direct = true
		c.feed.direct = append(c.feed.direct, c)
	}
	c.woken.Wait()
}

// unpark lets the cursor be woken by what comes again. The feed is locked.
func (c *Cursor) unpark() {
	if !c.direct {
		return
	}
	c.direct = false
	c.feed.direct = slices.DeleteFunc(c.feed.direct, func(o *Cursor) bool { return o == c })
	c.woken.Signal()
}

// push hands what has come to those that the feed writes for. The feed is not locked:
// their cursors are the feed's own while they are busy.
func (f *Feed) push() {
	for _, c := range f.pushing {
		c.left = c.sink(c.taken)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.pushing {
		c.busy = false
		if len(c.left) > 0 || c.quit {
			c.unpark()
		}
	}
	clear(f.pushing)
	f.pushing = f.pushing[:0]
	for i := len(f.direct) - 1; i >= 0; i-- {
		if c := f.direct[i]; c.next < f.endNo() {
			c.unpark() // there was more than goes at once
		}
	}
}

// deal notes what is to be pushed. The feed is locked.
func (f *Feed) deal() {
	for _, c := range f.direct {
		if c.next < f.first { // a picture beyond all bounds has pushed its own beginning out
			continue
		}
		c.gather()
		if c.busy = len(c.taken) > 0; c.busy {
			f.pushing = append(f.pushing, c)
		}
	}
}

// rest is what the sink left, as entries. The feed is locked.
func (c *Cursor) rest() []Entry {
	clear(c.taken)
	c.taken = c.taken[:0]
	for _, b := range c.left {
		c.taken = append(c.taken, Entry{wire: b, counted: true})
	}
	c.left = nil
	return c.taken
}
