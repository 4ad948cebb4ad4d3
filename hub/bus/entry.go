package bus

import (
	"slices"
	"sort"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// The lanes. State and debug travel in the normal one.
const (
	critical = iota
	normal
	lanes
)

func laneOf(c event.Class) int {
	if c == event.ClassCritical {
		return critical
	}
	return normal
}

// entry is an event on its way. Its row is complete once the loop has numbered it
// and is not changed afterwards, so that takers share it without a lock.
type entry struct {
	journal.Row
	kind int // its lane
	// older: its id was made before this run began, so an earlier run may have handed
	// it out, though the journal does not know it.
	older bool
	// superseded: a newer value of the same state subject was taken.
	superseded atomic.Bool
	waiters    []waiter // who wants to know; Bus.mu, once the loop has it
}

// back makes an entry of what the journal gave back.
func back(r *journal.Row) *entry { return &entry{Row: *r, kind: laneOf(r.Class)} }

type waiter struct {
	done      func(event.Result, error)
	duplicate bool // sent the same id again while it was not yet durable
}

// awaited tells whether somebody waits for the answer. Bus.mu is held.
func (n *entry) awaited() bool {
	return slices.ContainsFunc(n.waiters, func(w waiter) bool { return w.done != nil })
}

// answer tells all who wait. Not to be called with a lock held.
func (n *entry) answer(r event.Result) { answerAll(n.waiters, r) }

func answerAll(ws []waiter, r event.Result) {
	for _, w := range ws {
		if w.done == nil {
			continue
		}
		out := r
		if w.duplicate && r.Outcome == event.Durable {
			out.Outcome = event.Duplicate
		}
		w.done(out, nil)
	}
}

// ageAt is how long ago the event was received: by the monotonic clock, or by the
// wall clock for an event of an earlier run.
func (n *entry) ageAt(now time.Time, start time.Time) time.Duration {
	if n.Earlier {
		return max(0, now.Sub(n.Event.Received))
	}
	return max(0, now.Sub(start)-n.Mono)
}

// What the tail may hold that is not in the journal yet, while the disk is full or
// does not keep up; and how much of what is, so that a taker that was cut off
// finds its way back without the disk.
const (
	tailEvents = 10_000
	tailBytes  = 32 << 20
	tailKept   = 1024
)

// tail is the newest part of a lane's stream: all that is not in the journal, and a
// little that is. Guarded by Bus.mu.
type tail struct {
	entries []*entry // ascending by seq
	written int      // entries[:written] are in the journal
	floor   uint64   // all above it that was not let go is in entries
	durable uint64   // all up to it is in the journal, or was let go
	bytes   int      // of entries[written:]
}

func (t *tail) pending() []*entry { return t.entries[t.written:] }

// add appends, and returns the oldest entry not yet written where it had to go.
func (t *tail) add(n *entry) (gone *entry) {
	t.entries = append(t.entries, n)
	t.bytes += len(n.Body)
	if len(t.pending()) > tailEvents || t.bytes > tailBytes {
		gone = t.entries[t.written]
		t.bytes -= len(gone.Body)
		t.entries = append(t.entries[:t.written], t.entries[t.written+1:]...)
	}
	return gone
}

// wrote marks all up to seq as durable and takes their waiters out.
func (t *tail) wrote(seq uint64, each func(*entry)) {
	for t.written < len(t.entries) && t.entries[t.written].Event.Seq <= seq {
		n := t.entries[t.written]
		t.bytes -= len(n.Body)
		each(n)
		t.written++
	}
	t.durable = max(t.durable, seq)
	// Trimmed in steps, so that the copy is paid once in tailKept events.
	if cut := t.written - tailKept; cut > tailKept {
		t.floor = t.entries[cut-1].Event.Seq
		t.entries = append(t.entries[:0:0], t.entries[cut:]...)
		t.written -= cut
	}
}

// search gives the index of the first entry whose seq is not below.
func (t *tail) search(seq uint64) int {
	return sort.Search(len(t.entries), func(i int) bool { return t.entries[i].Event.Seq >= seq })
}

// find gives the entry with this seq if it is not in the journal yet.
func (t *tail) find(seq uint64) *entry {
	if i := t.search(seq); i >= t.written && i < len(t.entries) && t.entries[i].Event.Seq == seq {
		return t.entries[i]
	}
	return nil
}

// after gives up to limit entries above seq that want tells to take.
func (t *tail) after(seq uint64, limit int, want func(*entry) bool) (found []*entry) {
	for _, n := range t.entries[t.search(seq+1):] {
		if len(found) == limit {
			break
		}
		if want(n) {
			found = append(found, n)
		}
	}
	return found
}

// idRing remembers the newest ids: 32,768 of them are some seconds of a flood and
// hours of a house. Older ones are looked up in the journal.
type idRing struct {
	at   map[uuid.UUID]place
	ring []uuid.UUID
	next int
}

// place tells where the event of an id went.
type place struct {
	seq  uint64
	kind int
}

const idRingSize = 32_768

func newIDRing() *idRing { return &idRing{at: map[uuid.UUID]place{}} }

// add remembers, and returns the time (ms) of the id that had to be forgotten, 0: none.
func (r *idRing) add(id uuid.UUID, p place) (forgotten int64) {
	if len(r.ring) < idRingSize {
		r.ring = append(r.ring, id)
	} else {
		old := r.ring[r.next]
		delete(r.at, old)
		forgotten = idMillis(old)
		r.ring[r.next] = id
		r.next = (r.next + 1) % idRingSize
	}
	r.at[id] = p
	return forgotten
}
