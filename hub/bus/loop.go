package bus

import (
	"context"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// maxClockError is how far a device's clock may be off before it is not believed.
const maxClockError = 24 * time.Hour

// loop is the one place where events are numbered and handed out. Rings go first.
func (b *Bus) loop(ctx context.Context) {
	for {
		select {
		case n := <-b.urgent:
			b.take(n)
			continue
		default:
		}
		select {
		case n := <-b.urgent:
			b.take(n)
		case n := <-b.normal:
			b.take(n)
		case <-ctx.Done():
			b.drain()
			return
		}
	}
}

// drain lets nobody in any more and takes all who are.
func (b *Bus) drain() {
	close(b.closed)
	left := make(chan struct{})
	go func() { // ends as soon as the last publisher that is handing over has left
		b.sending.Lock()
		defer b.sending.Unlock()
		close(left)
	}()
	for {
		select {
		case n := <-b.urgent:
			b.take(n)
		case n := <-b.normal:
			b.take(n)
		case <-left:
			for {
				select {
				case n := <-b.urgent:
					b.take(n)
				case n := <-b.normal:
					b.take(n)
				default:
					return
				}
			}
		}
	}
}

// take is one event's way through the bus: known already? the clock, the number,
// out to the takers, into the tail for the journal.
func (b *Bus) take(n *entry) {
	now := time.Now()
	n.Mono = now.Sub(b.start)
	n.Event.Received = now
	// The start in terms of the clock as it is now: a clock that is set must not make old
	// what is new, or the house would not ring.
	n.older = idMillis(n.ID) < now.Round(0).Add(-n.Mono).UnixMilli()
	if off := n.Event.Time.Sub(now); !n.Event.Time.IsZero() && (off > maxClockError || off < -maxClockError) {
		n.Event.Time, n.Event.TimeReplaced = now, true
	}
	if n.Class == event.ClassDebug {
		b.mu.Lock()
		b.count.published++
		b.fanOut(n)
		b.mu.Unlock()
		n.answer(event.Result{Outcome: event.Accepted})
		return
	}
	if p, known := b.known(n, now); known {
		b.takeAgain(n, p)
		return
	}
	b.mu.Lock()
	if n.Class == event.ClassState && !b.keepState(n) {
		b.mu.Unlock()
		n.answer(event.Result{Outcome: event.Rejected})
		return
	}
	b.seq++
	n.Event.Seq = b.seq
	b.count.published++
	b.fanOut(n)
	res, answered := event.Result{Outcome: event.Accepted, Seq: n.Event.Seq}, n.waiters
	switch {
	case n.Class == event.ClassState:
		n.waiters = nil
	case b.trouble.Stopped:
		res.Outcome, n.waiters = event.AcceptedNotDurable, nil
	default:
		answered = nil
	}
	t := &b.tails[n.kind]
	var letGo []waiter
	gone := t.add(n)
	if gone != nil {
		b.count.letGo++
		letGo, gone.waiters = gone.waiters, nil
	}
	b.rings.Store(int32(len(b.tails[critical].pending())))
	wake := n.kind == critical || !b.gathering || len(t.pending()) >= groupSize || b.resting && n.awaited()
	b.mu.Unlock()

	b.remember(n, place{n.Event.Seq, n.kind}, now)
	if wake {
		signal(b.wake)
	}
	answerAll(answered, res)
	if gone != nil {
		answerAll(letGo, event.Result{Outcome: event.AcceptedNotDurable, Seq: gone.Event.Seq})
	}
}

// known tells whether the id was taken before, or the press belongs to one that was.
func (b *Bus) known(n *entry, now time.Time) (place, bool) {
	if p, ok := b.ids.at[n.ID]; ok {
		return p, true
	}
	if n.Event.Type != event.TypeRing || n.Event.Camera == "" {
		return place{}, false
	}
	last, ok := b.presses[n.Event.Camera]
	if !ok {
		return place{}, false
	}
	since := now.Sub(last.at)
	if since >= 0 && since < b.opts.Debounce(n.Event.Camera) {
		return place{last.seq, critical}, true
	}
	return place{}, false
}

// takeAgain answers a repeat: at once where the first is in the journal, else with it.
func (b *Bus) takeAgain(n *entry, p place) {
	_, same := b.ids.at[n.ID]
	if !same {
		b.remember(n, p, time.Time{})
	}
	res := event.Result{Outcome: event.Duplicate, Seq: p.seq}
	b.mu.Lock()
	b.count.duplicates++
	if first := b.tails[p.kind].find(p.seq); first != nil && n.Class != event.ClassState {
		if !b.trouble.Stopped {
			for _, w := range n.waiters {
				first.waiters = append(first.waiters, waiter{w.done, true})
			}
			resting := b.resting
			b.mu.Unlock()
			if resting {
				signal(b.wake)
			}
			return
		}
		if same { // a repeat must not hear that the event is safe
			res.Outcome = event.AcceptedNotDurable
		}
	}
	b.mu.Unlock()
	n.answer(res)
}

// remember keeps the id, and the press for its camera's debounce (zero time: it is
// a repeat, and the debounce runs from the first).
func (b *Bus) remember(n *entry, p place, pressed time.Time) {
	if ms := b.ids.add(n.ID, p); ms != 0 {
		// An id from the future must not make every publisher look into the journal.
		b.horizon.Store(max(b.horizon.Load(), min(ms+1, time.Now().UnixMilli())))
	}
	if n.Event.Type == event.TypeRing && n.Event.Camera != "" && !pressed.IsZero() {
		b.presses[n.Event.Camera] = press{pressed, p.seq}
	}
}

type press struct {
	at  time.Time
	seq uint64
}

// keepState makes n the latest of its subject. False: there are too many subjects.
func (b *Bus) keepState(n *entry) bool {
	old, ok := b.state[n.Event.Subject]
	if ok {
		old.superseded.Store(true)
	} else if len(b.state) >= maxSubjects {
		b.count.refused++
		return false
	}
	b.state[n.Event.Subject] = n
	return true
}

// fanOut hands the event to the takers whose filters match. Bus.mu is held.
func (b *Bus) fanOut(n *entry) {
	for _, s := range b.route(n.Event.Subject) {
		s.lanes[n.kind].push(n)
	}
}

// maxRoutes bounds the remembered routes; subjects come from outside.
const maxRoutes = 4096

func (b *Bus) route(subject string) []*Subscription {
	to, ok := b.routes[subject]
	if ok {
		return to
	}
	if len(b.routes) >= maxRoutes {
		clear(b.routes)
	}
	for s := range b.subs {
		if event.MatchAny(s.opts.Filters, subject) {
			to = append(to, s)
		}
	}
	b.routes[subject] = to
	return to
}
