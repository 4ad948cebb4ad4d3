package bus

import (
	"sort"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// maxHandled bounds the acknowledged ids that wait for a cursor while the disk is full.
const maxHandled = tailEvents

// find gives the place of a pending event, -1: it is not there. mu is held.
func (l *Lane) find(seq uint64) int {
	i := sort.Search(len(l.pending), func(i int) bool { return l.pending[i].n.Event.Seq >= seq })
	if i == len(l.pending) || l.pending[i].n.Event.Seq != seq {
		return -1
	}
	return i
}

// settle marks a pending event as done with. mu is held.
func (l *Lane) settle(i int) {
	l.tick(i)
	l.trim()
}

func (l *Lane) tick(i int) {
	if p := &l.pending[i]; !p.done {
		p.done = true
		l.open--
	}
}

// trim lets go what is done with at the head, which moves the lane's acked seq. mu is held.
func (l *Lane) trim() {
	cut := 0
	for ; cut < len(l.pending) && l.pending[cut].done; cut++ {
		n := l.pending[cut].n
		l.acked = max(l.acked, n.Event.Seq)
		if l.sub.opts.Name != "" && n.Class != event.ClassState {
			l.handled = append(l.handled, handled{n.Event.Seq, n.ID, l.pending[cut].noted})
		}
	}
	clear(l.pending[:cut])
	l.pending = l.pending[cut:]
	if len(l.pending) == 0 {
		l.acked = max(l.acked, l.pos) // all up to pos was handed out or passed over
	}
	if over := len(l.handled) - maxHandled; over > 0 {
		l.handled = l.handled[over:]
	}
}

// ack tells whether the event was of this lane.
func (l *Lane) ack(seq uint64) bool {
	l.mu.Lock()
	i := l.find(seq)
	if i < 0 {
		l.mu.Unlock()
		return false
	}
	l.seen.add(l.pending[i].n.ID)
	l.settle(i)
	l.mu.Unlock()
	l.signal() // a full lane goes on
	l.sub.bus.mark(l, l.kind == critical)
	return true
}

func (l *Lane) ackUpTo(seq uint64) {
	l.mu.Lock()
	for i := range l.pending {
		if l.pending[i].n.Event.Seq > seq {
			break
		}
		l.seen.add(l.pending[i].n.ID)
		l.tick(i)
	}
	l.trim()
	l.mu.Unlock()
	l.signal()
	l.sub.bus.mark(l, l.kind == critical)
}

// ackWait acknowledges and gives a channel that closes when that is in the journal;
// nil if the event is not of this lane or nothing is kept for it.
func (l *Lane) ackWait(seq uint64) <-chan struct{} {
	if l.sub.opts.Name == "" {
		l.ack(seq)
		return nil
	}
	l.mu.Lock()
	i := l.find(seq)
	if i < 0 {
		l.mu.Unlock()
		return nil
	}
	saved := make(chan struct{}) // closed once
	l.seen.add(l.pending[i].n.ID)
	l.settle(i)
	l.saves = append(l.saves, saved)
	l.mu.Unlock()
	l.signal()
	l.sub.bus.mark(l, true)
	if l.sub.bus.isStopped() {
		l.release()
	}
	return saved
}

func (l *Lane) nack(seq uint64, err error) bool {
	why := "refused"
	if err != nil {
		why = err.Error()
	}
	l.mu.Lock()
	i := l.find(seq)
	if i < 0 {
		l.mu.Unlock()
		return false
	}
	if p := &l.pending[i]; !p.done && !p.failed && !l.fail(p, time.Now(), why) {
		l.settle(i)
	}
	l.mu.Unlock()
	l.report()
	l.signal() // it may fall due before what is waited for, or a full lane goes on
	l.sub.bus.mark(l, false)
	return true
}

// mark has the writer save the lane's cursor, at once or with the next group.
func (b *Bus) mark(l *Lane, eager bool) {
	if l.sub.opts.Name == "" {
		return
	}
	b.dirtyMu.Lock()
	first := len(b.dirty) == 0
	b.dirty[l] = struct{}{}
	wake := first || eager && !b.eager
	b.eager = b.eager || eager
	b.dirtyMu.Unlock()
	if wake {
		signal(b.wake)
	}
}

// progress is what the journal is to learn of a lane.
type progress struct {
	lane   *Lane
	taker  string
	kind   int
	cursor uint64
	acked  uint64
	write  bool // the cursor differs from the journal's
	ids    []uuid.UUID
	saves  []chan struct{}
}

// progress gives the lane's cursor, which is never above durable (but where the
// subscription began), and the ids that were handled and are not covered by it.
func (l *Lane) progress(durable uint64) progress {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := max(min(l.acked, durable), l.saved)
	p := progress{lane: l, taker: l.sub.opts.Name, kind: l.kind, cursor: c, write: c != l.saved || l.fresh.Load(), acked: l.acked, saves: l.saves}
	l.saves = nil
	for i := range l.handled {
		if h := &l.handled[i]; h.seq > c && !h.noted {
			p.ids = append(p.ids, h.id)
		}
	}
	for i := range l.pending {
		if e := &l.pending[i]; e.done && !e.noted && e.n.Class != event.ClassState {
			p.ids = append(p.ids, e.n.ID)
		}
	}
	return p
}

// saved takes over what the journal has now; ok false: it could not be written, and
// who waits goes on all the same.
func (p *progress) saved(ok bool) {
	l := p.lane
	l.mu.Lock()
	if ok {
		l.saved = max(l.saved, p.cursor)
		l.fresh.Store(false)
		noted := map[uuid.UUID]struct{}{}
		for _, id := range p.ids {
			noted[id] = struct{}{}
		}
		kept := l.handled[:0]
		for _, h := range l.handled {
			if h.seq <= p.cursor {
				continue
			}
			if _, is := noted[h.id]; is {
				h.noted = true
			}
			kept = append(kept, h)
		}
		clear(l.handled[len(kept):])
		l.handled = kept
		for i := range l.pending {
			if _, is := noted[l.pending[i].n.ID]; is {
				l.pending[i].noted = true
			}
		}
	}
	l.mu.Unlock()
	for _, c := range p.saves {
		close(c)
	}
}

// takeOver carries on from the lane of the taker's last subscription: the journal
// may not have all of it yet. The other lane's subscription is over.
func (l *Lane) takeOver(old *Lane, durable uint64) (cursor uint64) {
	old.mu.Lock()
	defer old.mu.Unlock()
	cursor = max(min(old.acked, durable), old.saved)
	for id, seq := range old.before {
		if seq == 0 || seq > cursor {
			l.before[id] = seq
		}
	}
	for _, h := range old.handled {
		if h.seq > cursor {
			l.before[h.id] = h.seq
			l.handled = append(l.handled, handled{seq: h.seq, id: h.id})
		}
	}
	for _, p := range old.pending {
		if p.done && p.n.Class != event.ClassState {
			l.before[p.n.ID] = p.n.Event.Seq
			l.handled = append(l.handled, handled{seq: p.n.Event.Seq, id: p.n.ID})
		}
	}
	return cursor
}
