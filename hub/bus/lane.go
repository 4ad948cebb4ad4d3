package bus

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// ladder is how long after a failed attempt the event is handed out again.
func ladder(attempt int) (wait time.Duration, again bool) {
	steps := [...]time.Duration{time.Second, 5 * time.Second, 30 * time.Second}
	if attempt > len(steps) {
		return 0, false
	}
	return steps[attempt-1], true
}

// Lane is one ordered stream of a taker, with its own queue and cursor.
//
// A lane is live, and gets its events from the bus's loop into its queue; or it
// reads on by itself, in the goroutine that calls Next, from the journal and then
// from the bus's tail, until there is nothing left and it is live again.
type Lane struct {
	sub   *Subscription
	kind  int
	limit int
	wake  chan struct{} // size 1: a wake-up is remembered, not counted
	fill  sync.Mutex    // held by the one caller that reads on; taken before mu

	mu       sync.Mutex
	live     bool
	queue    fifo      // published while live, not yet handed out
	staged   []*entry  // read back, not yet handed out; goes before queue
	pos      uint64    // all up to it was handed out or passed over
	replayTo uint64    // what is not above it is a replay: older than the subscription, or cut off
	pending  []pend    // handed out, ascending by seq, from the first that is not acknowledged
	open     int       // of pending, those not acknowledged
	soonest  time.Time // no pending event is due before
	handled  []handled
	seen     idSet                // acknowledged in this subscription, the newest
	before   map[uuid.UUID]uint64 // acknowledged in an earlier one and above its cursor, with the seq if it is known

	acked uint64      // all up to it was acknowledged or passed over
	saved uint64      // the cursor in the journal
	fresh atomic.Bool // the cursor in the journal is not where this subscription began
	saves []chan struct{}

	cutOffs, gaveUp, skipped, delivered uint64

	notes []func(*slog.Logger) // to be logged once mu is free: the loop must not wait for a log
}

// maxPending bounds what is kept behind one event that is not answered: it is
// given up after 2 minutes at most, and the lane waits for that from here on.
const maxPending = 4096

// pend is an event in the taker's hands.
type pend struct {
	n       *entry
	attempt int
	due     time.Time // when it is handed out again
	failed  bool      // due after a Nack, not for want of an answer
	done    bool
	noted   bool // its id is in the journal's handled table
}

// handled is an acknowledged event that the saved cursor does not cover yet.
type handled struct {
	seq   uint64
	id    uuid.UUID
	noted bool
}

func newLane(s *Subscription, kind, limit int) *Lane {
	return &Lane{sub: s, kind: kind, limit: limit, wake: make(chan struct{}, 1), before: map[uuid.UUID]uint64{}}
}

func bySeq(x, y *entry) int { return cmp.Compare(x.Event.Seq, y.Event.Seq) }

// push takes an event from the loop, which holds Bus.mu.
func (l *Lane) push(n *entry) {
	l.mu.Lock()
	if !l.live { // it reads on, and will come to this one
		if n.Class == event.ClassDebug {
			l.skipped++
		}
		l.mu.Unlock()
		return
	}
	if l.queue.len()+l.open >= l.limit {
		l.queue.compact()
	}
	if l.queue.len()+l.open >= l.limit {
		switch {
		case n.Class == event.ClassDebug:
			l.skipped++
			l.mu.Unlock()
			return
		case l.sub.opts.Tap:
			l.queue.pop()
			l.skipped++
		default:
			l.cutOff(n)
			l.mu.Unlock()
			return
		}
	}
	l.queue.push(n)
	l.mu.Unlock()
	l.signal()
}

// cutOff lets the queue go: the lane reads on from the journal, after what it was
// last handed. mu is held.
func (l *Lane) cutOff(n *entry) {
	l.cutOffs++
	l.live = false
	l.queue = fifo{}
	l.replayTo = n.Event.Seq
	open := l.open
	l.notes = append(l.notes, func(log *slog.Logger) {
		log.Warn("taker is slow, cut off and reading on from the journal", "lane", laneName(l.kind), "unanswered", open)
	})
	l.signal()
}

// report logs what was noted under the lock.
func (l *Lane) report() {
	l.mu.Lock()
	notes := l.notes
	l.notes = nil
	l.mu.Unlock()
	for _, note := range notes {
		note(l.sub.bus.log.With("taker", l.sub.opts.Name))
	}
}

func laneName(kind int) string {
	if kind == critical {
		return "critical"
	}
	return "normal"
}

func (l *Lane) signal() {
	signal(l.wake)
	signal(l.sub.both)
}

// Next gives the lane's next event. It ends with ErrClosed, or with ctx.
func (l *Lane) Next(ctx context.Context) (event.Delivery, error) {
	return next(ctx, l.sub, l.wake, l)
}

func next(ctx context.Context, s *Subscription, wake chan struct{}, from ...*Lane) (event.Delivery, error) {
	for {
		var soonest time.Time
		for _, l := range from {
			d, due, err := l.poll(ctx)
			l.report()
			if err != nil {
				return event.Delivery{}, err
			}
			if d != nil {
				return *d, nil
			}
			if !due.IsZero() && (soonest.IsZero() || due.Before(soonest)) {
				soonest = due
			}
		}
		if err := wait(ctx, s, wake, soonest); err != nil {
			return event.Delivery{}, err
		}
	}
}

func wait(ctx context.Context, s *Subscription, wake chan struct{}, until time.Time) error {
	var tick <-chan time.Time
	if !until.IsZero() {
		t := time.NewTimer(time.Until(until))
		defer t.Stop()
		tick = t.C
	}
	select {
	case <-wake:
	case <-tick:
	case <-s.over:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// poll gives an event if there is one, else when one falls due again.
func (l *Lane) poll(ctx context.Context) (*event.Delivery, time.Time, error) {
	for {
		select {
		case <-l.sub.over:
			return nil, time.Time{}, ErrClosed
		default:
		}
		l.mu.Lock()
		now := time.Now()
		if d := l.again(now); d != nil {
			l.mu.Unlock()
			return d, time.Time{}, nil
		}
		if l.open >= l.limit || len(l.pending) >= maxPending { // an answer wakes us
			due := l.nextDue()
			l.mu.Unlock()
			return nil, due, nil
		}
		n := l.pop()
		if n != nil {
			d := l.handOut(n, now)
			l.mu.Unlock()
			if d != nil {
				return d, time.Time{}, nil
			}
			continue
		}
		if l.live {
			due := l.nextDue()
			l.mu.Unlock()
			return nil, due, nil
		}
		l.mu.Unlock()
		if err := l.readOn(ctx); err != nil {
			return nil, time.Time{}, err
		}
	}
}

// pop takes the next event that is still worth handing out. mu is held.
func (l *Lane) pop() *entry {
	for len(l.staged) > 0 {
		n := l.staged[0]
		l.staged = l.staged[1:]
		if !n.superseded.Load() {
			return n
		}
		l.passOver(n.Event.Seq)
	}
	for l.queue.len() > 0 {
		n := l.queue.pop()
		if !n.superseded.Load() {
			return n
		}
		l.passOver(n.Event.Seq)
	}
	return nil
}

// passOver moves on without handing out. mu is held.
func (l *Lane) passOver(seq uint64) {
	l.pos = max(l.pos, seq)
	if len(l.pending) == 0 {
		l.acked = max(l.acked, seq)
	}
}

// handOut notes the event as given; nil if the taker handled it before. mu is held.
func (l *Lane) handOut(n *entry, now time.Time) *event.Delivery {
	if _, did := l.before[n.ID]; did {
		l.before[n.ID] = n.Event.Seq
		l.passOver(n.Event.Seq)
		return nil
	}
	l.delivered++
	if len(l.staged)+l.queue.len() > 0 { // for another caller
		l.signal()
	}
	replay := n.Event.Seq != 0 && n.Event.Seq <= l.replayTo || n.older
	d := &event.Delivery{Event: n.Event, Age: n.ageAt(now, l.sub.bus.start), Replay: replay, Attempt: 1}
	if l.sub.opts.Tap || n.Class == event.ClassDebug {
		l.passOver(n.Event.Seq)
		return d
	}
	l.pos = max(l.pos, n.Event.Seq)
	l.pending = append(l.pending, pend{n: n, attempt: 1, due: now.Add(l.sub.opts.AckWait)})
	l.open++
	if due := now.Add(l.sub.opts.AckWait); l.open == 1 || due.Before(l.soonest) {
		l.soonest = due
	}
	return d
}

// again gives an event whose answer did not come, or was a Nack, when it is due; one
// that failed too often is given up. mu is held.
func (l *Lane) again(now time.Time) *event.Delivery {
	if l.open == 0 || l.soonest.After(now) {
		return nil
	}
	var found *event.Delivery
	for i := range l.pending {
		p := &l.pending[i]
		if p.done || p.due.After(now) || found != nil {
			continue
		}
		if !p.failed && !l.fail(p, now, "no answer") || p.n.superseded.Load() {
			l.tick(i)
			continue
		}
		if p.due.After(now) {
			continue
		}
		p.attempt++
		p.failed = false
		p.due = now.Add(l.sub.opts.AckWait)
		l.delivered++
		found = &event.Delivery{Event: p.n.Event, Age: p.n.ageAt(now, l.sub.bus.start), Replay: true, Attempt: p.attempt}
	}
	l.trim()
	l.soonest = l.nextDue()
	return found
}

// fail sets the event's next attempt; false: there is none, it is given up. mu is held.
func (l *Lane) fail(p *pend, now time.Time, why string) bool {
	wait, again := ladder(p.attempt)
	if again {
		p.failed, p.due = true, now.Add(wait)
		if p.due.Before(l.soonest) {
			l.soonest = p.due
		}
		return true
	}
	l.gaveUp++
	id, subject, attempts := p.n.Event.ID, p.n.Event.Subject, p.attempt
	l.notes = append(l.notes, func(log *slog.Logger) {
		log.Error("event given up", "event", id, "subject", subject, "attempts", attempts, "cause", why)
	})
	return false
}

func (l *Lane) nextDue() (due time.Time) {
	if l.open == 0 {
		return due
	}
	for i := range l.pending {
		if p := &l.pending[i]; !p.done && (due.IsZero() || p.due.Before(due)) {
			due = p.due
		}
	}
	return due
}

// readOn stages what comes next, from the journal or the tail, or makes the lane live.
func (l *Lane) readOn(ctx context.Context) error {
	l.fill.Lock()
	defer l.fill.Unlock()
	b := l.sub.bus
	b.mu.Lock()
	l.mu.Lock()
	if l.live || len(l.staged) > 0 { // another caller was here before
		l.mu.Unlock()
		b.mu.Unlock()
		return nil
	}
	pos, t := l.pos, &b.tails[l.kind]
	if pos >= t.floor {
		l.staged = t.after(pos, l.limit, func(n *entry) bool {
			return !n.superseded.Load() && event.MatchAny(l.sub.opts.Filters, n.Event.Subject)
		})
		l.live = len(l.staged) == 0
		l.mu.Unlock()
		b.mu.Unlock()
		return nil
	}
	upto := t.durable
	l.mu.Unlock()
	b.mu.Unlock()

	class := event.ClassNormal
	if l.kind == critical {
		class = event.ClassCritical
	}
	rows, looked, err := b.journal.Replay(ctx, class, pos, upto, b.first, l.sub.opts.Filters)
	if err != nil {
		return fmt.Errorf("bus: %s: read journal: %w", l.sub.opts.Name, cmp.Or(ctx.Err(), err))
	}
	found := make([]*entry, len(rows))
	for i, r := range rows {
		found[i] = back(r)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.kind == normal { // the latest values stand in memory
		for _, n := range b.state {
			if s := n.Event.Seq; s > pos && s <= looked && event.MatchAny(l.sub.opts.Filters, n.Event.Subject) {
				found = append(found, n)
			}
		}
		slices.SortFunc(found, bySeq)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.staged = found
	if len(found) == 0 {
		l.passOver(looked)
	}
	return nil
}

// fifo is a queue that reuses its slice.
type fifo struct {
	items []*entry
	head  int
}

func (f *fifo) len() int { return len(f.items) - f.head }

func (f *fifo) push(n *entry) {
	if f.head > 0 && len(f.items) == cap(f.items) {
		kept := copy(f.items, f.items[f.head:])
		clear(f.items[kept:])
		f.items, f.head = f.items[:kept], 0
	}
	f.items = append(f.items, n)
}

func (f *fifo) pop() *entry {
	if f.len() == 0 {
		return nil
	}
	n := f.items[f.head]
	f.items[f.head] = nil
	if f.head++; f.head == len(f.items) {
		f.items, f.head = f.items[:0], 0
	}
	return n
}

// compact drops states that a newer value has overtaken.
func (f *fifo) compact() {
	kept := f.items[:0]
	for _, n := range f.items[f.head:] {
		if !n.superseded.Load() {
			kept = append(kept, n)
		}
	}
	clear(f.items[len(kept):])
	f.items, f.head = kept, 0
}

// idSet remembers the newest ids that were handled.
type idSet struct {
	at   map[uuid.UUID]struct{}
	ring []uuid.UUID
	next int
}

func (s *idSet) has(id uuid.UUID) bool { _, ok := s.at[id]; return ok }

func (s *idSet) add(id uuid.UUID) {
	if s.at == nil {
		s.at = map[uuid.UUID]struct{}{}
	}
	if s.has(id) {
		return
	}
	if len(s.ring) < rememberHandled {
		s.ring = append(s.ring, id)
	} else {
		delete(s.at, s.ring[s.next])
		s.ring[s.next] = id
		s.next = (s.next + 1) % rememberHandled
	}
	s.at[id] = struct{}{}
}
