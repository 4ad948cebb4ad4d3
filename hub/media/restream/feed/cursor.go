package feed

import (
	"errors"
	"sync"
	"time"
)

// batchBytes is what a reader takes at once; a new one takes its GOP in pieces of it.
const batchBytes = 1 << 20

// ErrStopped ends a cursor that was told to stop.
var ErrStopped = errors.New("stopped")

// Cursor is a reader's place in a feed. Its fields are under the feed's lock.
type Cursor struct {
	feed    *Feed
	wants   []bool // by track
	next    uint64
	ord     uint64        // beginnings before next
	waits   bool          // for a beginning at or behind next
	slack   time.Duration // how old the beginning was: until it has caught up, it may be so late
	taken   []Entry
	quit    bool
	skipped uint64 // GOPs

	sink   Sink // nil: the feed never writes for it
	direct bool // the feed writes for it
	busy   bool // it does so now
	left   [][]byte
	woken  sync.Cond // for one that is direct
}

// Cursor begins at the newest key frame, or the next one; wants is by track.
func (f *Feed) Cursor(wants []bool) *Cursor {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &Cursor{feed: f, wants: wants}
	c.woken.L = &f.mu
	no, ok := f.newest()
	if !ok {
		no = f.endNo()
	}
	c.waits = !ok
	c.move(no)
	if ok {
		c.slack = f.now().Sub(f.at(no).at)
	}
	return c
}

// move puts the cursor at no. The feed is locked.
func (c *Cursor) move(no uint64) {
	c.next, c.ord = no, c.feed.ordinal(no)
}

// Start tells the next number and time stamp of each wanted track, for RTP-Info.
func (c *Cursor) Start() (seqs []uint16, times []uint32) {
	f := c.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	seqs, times = append(seqs, f.seqs...), make([]uint32, len(f.seqs))
	known := make([]bool, len(f.seqs))
	var at time.Duration
	for no := c.next; no < f.endNo(); no++ {
		e := f.at(no)
		if e.unit == nil || known[e.track] {
			continue
		}
		if no == c.next {
			at = e.packer.Track().Duration(e.unit.PTS)
		}
		seqs[e.track], times[e.track], known[e.track] = e.seq, e.packer.Time(e.unit), true
	}
	for i, ok := range known {
		if !ok { // nothing of it yet: where the others begin
			times[i] = uint32(f.packers[i].Track().Ticks(at))
		}
	}
	return seqs, times
}

// Take waits for unread entries and returns them; the slice is good until the next call.
func (c *Cursor) Take() ([]Entry, error) {
	f := c.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		switch {
		case c.busy:
			c.woken.Wait()
			continue
		case len(c.left) > 0: // whatever happened since: a part of a packet has gone
			return c.rest(), nil
		case c.quit:
			c.unpark()
			return nil, ErrStopped
		case f.ended != nil:
			c.unpark()
			return nil, f.ended
		case c.direct:
			c.park()
			continue
		}
		c.settle()
		c.gather()
		switch {
		case len(c.taken) > 0:
			return c.taken, nil
		case c.sink != nil && !c.waits:
			c.park()
		default:
			f.more.Wait()
		}
	}
}

// settle moves a cursor that waits for a beginning, or is too far behind.
func (c *Cursor) settle() {
	f := c.feed
	newest, ok := f.newest()
	switch {
	case c.waits && ok && newest >= c.next:
		c.waits = false
		c.move(newest)
	case c.waits:
	case c.next < f.first && !ok:
		c.skipped += max(1, f.passed-min(f.passed, c.ord))
		c.waits = true
		c.move(f.endNo())
	case c.next < f.first, ok && newest > c.next && f.now().Sub(f.at(c.next).at) > behind+c.slack:
		ord := f.ordinal(newest)
		c.skipped += max(1, ord-min(ord, c.ord))
		c.move(newest)
	}
}

// gather takes what is wanted from next on.
func (c *Cursor) gather() {
	f := c.feed
	clear(c.taken)
	c.taken = c.taken[:0]
	if c.waits {
		return
	}
	bytes := 0
	for ; c.next < f.endNo() && bytes < batchBytes; c.next++ {
		e := f.at(c.next)
		if e.begin {
			c.ord++
		}
		if !c.wants[e.track] {
			continue
		}
		bytes += e.bytes
		c.taken = append(c.taken, *e)
	}
	if c.next == f.endNo() {
		c.slack = 0
	}
}

// Stop lets take return.
func (c *Cursor) Stop() {
	c.feed.mu.Lock()
	defer c.feed.mu.Unlock()
	c.quit = true
	c.woken.Signal()
	c.feed.more.Broadcast()
}

// Missed is what the cursor has skipped, and, of a reader that stands, what it will.
func (c *Cursor) Missed() (gops uint64, lag time.Duration) {
	f := c.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	gops, no := c.skipped, c.next
	if no < f.first {
		gops += f.passed - min(f.passed, c.ord)
		no = f.first
	}
	if no < f.endNo() && !c.waits {
		lag = f.now().Sub(f.at(no).at)
	}
	return gops, lag
}

// Reports are the first that a reader is told of the clocks.
func (c *Cursor) Reports() []byte {
	f := c.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []byte
	for i := range f.packers {
		if c.wants[i] && !f.clock.wall.IsZero() {
			out = f.report(out, i)
		}
	}
	return out
}

// Packed is the packets of e, made again if the feed has let them go.
func (e *Entry) Packed(scratch []byte) (b, rest []byte) {
	if e.wire != nil {
		return e.wire, scratch
	}
	from := len(scratch)
	scratch, _ = e.packer.Append(scratch, e.unit, e.seq)
	return scratch[from:], scratch
}

// Count tells how many packets they are; counted: it was told before.
func (e *Entry) Count() (packets int, counted bool) { return e.packets, e.counted }

// Bytes are those of the packets.
func (e *Entry) Bytes() int { return max(e.bytes, len(e.wire)) }
