package bus

import (
	"maps"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Codes for the owner.
const (
	CodeDiskFull = "E-BUS-DISK-FULL"
	CodeJournal  = "E-BUS-JOURNAL"
)

// JournalState tells how the journal is, for a repair card. The zero value: all is well.
type JournalState struct {
	// Stopped: it cannot be written now; events are delivered and kept in memory.
	Stopped bool
	// Full: for want of room. Also true while it is written again but the room kept
	// for emergencies (the ballast) is not there yet.
	Full  bool
	Code  string // of `porchlight explain`
	Cause string
	Since time.Time
}

// Watch gives the journal's state now and whenever it changes; only the newest
// waits to be read. cancel ends it.
func (b *Bus) Watch() (states <-chan JournalState, cancel func()) {
	c := make(chan JournalState, 1) // size 1: the newest state
	b.mu.Lock()
	defer b.mu.Unlock()
	c <- b.trouble
	b.watchers[c] = struct{}{}
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watchers, c)
	}
}

// setTrouble tells who watches. mu is held.
func (b *Bus) setTrouble(s JournalState) {
	b.trouble = s
	for c := range b.watchers {
		select {
		case <-c:
		default:
		}
		c <- s // mu makes us the only sender
	}
}

// stopped takes note of a failed commit: who waits hears at once that the event is
// not durable. It tells whether room could be made, so that another try is worth it.
func (b *Bus) stopped(cause error) (again bool) {
	full := store.IsFull(cause)
	if full && b.ballast.Drop() {
		b.log.Warn("disk is full, gave up the ballast to go on writing the journal", "file", b.ballast.Path())
		b.mu.Lock()
		b.setTrouble(JournalState{Full: true, Code: CodeDiskFull, Cause: cause.Error(), Since: time.Now()})
		b.mu.Unlock()
		signal(b.tidy)
		return true
	}
	var tell []*entry
	var waiters [][]waiter
	b.mu.Lock()
	first := !b.trouble.Stopped
	s := JournalState{Stopped: true, Full: full, Code: CodeJournal, Cause: cause.Error(), Since: b.trouble.Since}
	if full {
		s.Code = CodeDiskFull
	}
	if s.Since.IsZero() {
		s.Since = time.Now()
	}
	if first || b.trouble.Full != full {
		b.setTrouble(s)
	}
	for i := range b.tails {
		for _, n := range b.tails[i].pending() {
			if n.waiters != nil {
				tell, waiters = append(tell, n), append(waiters, n.waiters)
				n.waiters = nil
			}
		}
	}
	b.mu.Unlock()
	if first {
		b.log.Error("journal cannot be written, events are kept in memory", "code", s.Code, "cause", cause)
	}
	signal(b.tidy)
	b.releaseSaves()
	for i, n := range tell {
		answerAll(waiters[i], event.Result{Outcome: event.AcceptedNotDurable, Seq: n.Event.Seq})
	}
	return false
}

// resumed takes note of a commit that went through.
func (b *Bus) resumed() {
	b.mu.Lock()
	was := b.trouble
	if was.Stopped {
		s := JournalState{}
		if was.Full && b.opts.Ballast > 0 { // until the ballast is back
			s = JournalState{Full: true, Code: was.Code, Cause: was.Cause, Since: was.Since}
		}
		b.setTrouble(s)
	}
	kept := len(b.tails[critical].pending()) + len(b.tails[normal].pending())
	b.mu.Unlock()
	if was.Stopped {
		b.log.Info("journal is written again", "kept", kept, "after", time.Since(was.Since).Round(time.Second))
		signal(b.tidy)
	}
}

// abandon answers who still waits when the bus ends and the journal could not be written.
func (b *Bus) abandon() {
	b.mu.Lock()
	left := slices.Concat(b.tails[critical].pending(), b.tails[normal].pending())
	waiters := make([][]waiter, len(left))
	for i, n := range left {
		waiters[i], n.waiters = n.waiters, nil
	}
	b.mu.Unlock()
	for i, n := range left {
		answerAll(waiters[i], event.Result{Outcome: event.AcceptedNotDurable, Seq: n.Event.Seq})
	}
	b.releaseSaves()
}

// releaseSaves lets takers go on that wait for their cursor to be saved: it is kept
// in memory until it can be.
func (b *Bus) releaseSaves() {
	b.dirtyMu.Lock()
	lanes := slices.Collect(maps.Keys(b.dirty))
	b.dirtyMu.Unlock()
	for _, l := range lanes {
		l.release()
	}
}

// release lets go who waits for the cursor to be saved.
func (l *Lane) release() {
	l.mu.Lock()
	saves := l.saves
	l.saves = nil
	l.mu.Unlock()
	for _, c := range saves {
		close(c)
	}
}
