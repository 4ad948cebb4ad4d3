package bus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// From tells where a subscription begins.
type From int64

const (
	// FromCursor: after what the taker of this name has acknowledged; the first
	// time, or without a name, from now.
	FromCursor From = 0
	FromNow    From = -1
	// FromStart: from the oldest event of the journal.
	FromStart From = -2
)

// FromSeq begins after the event with this number.
func FromSeq(n uint64) From {
	if n == 0 {
		return FromStart
	}
	return From(min(n, 1<<62))
}

// How much a taker may have outstanding, handed out and not acknowledged as well as
// waiting, before it is cut off and reads on from the journal.
const (
	criticalQueue = 1000
	normalQueue   = 256
)

// defaultAckWait is how long a handler may take before its event counts as lost.
const defaultAckWait = 30 * time.Second

// rememberHandled is how many ids a taker's Seen knows of this run.
const rememberHandled = 1024

// SubscribeOptions of one taker.
type SubscribeOptions struct {
	// Name of the durable cursor, one per taker; empty: none is kept.
	Name string
	// Filters of subjects; an event that matches one of them is taken.
	Filters []string
	From    From
	// Tap: best effort, for those who only look on (pages): nothing is to be
	// acknowledged or handed out again, and when it is slow the oldest is skipped.
	Tap bool
	// AckWait is how long after handing out an answer is waited for before it counts
	// as a Nack; 0: 30 s.
	AckWait time.Duration
}

// Subscription is one taker's two streams. Each lane may be read by its own
// goroutine, or both together by Next.
type Subscription struct {
	bus   *Bus
	opts  SubscribeOptions
	lanes [lanes]*Lane
	over  chan struct{} // closed at the end
	// both wakes Next of both lanes. Size 1: a wake-up is remembered, not counted.
	both chan struct{}
}

// Subscribe begins a subscription: first the latest value of every state subject
// that matches, then what follows on From, then what is published.
func (b *Bus) Subscribe(o SubscribeOptions) (*Subscription, error) {
	if len(o.Filters) == 0 {
		return nil, fmt.Errorf("bus: subscribe %s: no filter", o.Name)
	}
	for _, f := range o.Filters {
		if err := event.CheckFilter(f); err != nil {
			return nil, fmt.Errorf("bus: subscribe %s: %w", o.Name, err)
		}
	}
	if o.AckWait <= 0 {
		o.AckWait = defaultAckWait
	}
	if o.Tap {
		o.Name = ""
	}
	o.Filters = slices.Clone(o.Filters)
	s := &Subscription{bus: b, opts: o, over: make(chan struct{}), both: make(chan struct{}, 1)}
	if o.Name != "" {
		if err := b.reserve(o.Name, s); err != nil {
			return nil, err
		}
	}
	cursors, handled, err := map[int]uint64{}, []uuid.UUID(nil), error(nil)
	if o.Name != "" {
		if cursors, handled, err = b.journal.Taker(context.Background(), o.Name, time.Now()); err != nil {
			b.mu.Lock()
			delete(b.names, o.Name)
			b.mu.Unlock()
			return nil, fmt.Errorf("bus: subscribe %s: read cursor: %w", o.Name, err)
		}
	}
	s.lanes[critical], s.lanes[normal] = newLane(s, critical, criticalQueue), newLane(s, normal, normalQueue)
	for _, id := range handled {
		for _, l := range s.lanes {
			l.before[id] = 0
		}
	}
	if err := s.begin(cursors); err != nil {
		return nil, err
	}
	return s, nil
}

// begin sets the lanes to their places and lets the events in, in one step.
func (s *Subscription) begin(cursors map[int]uint64) error {
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.closed:
		delete(b.names, s.opts.Name)
		return ErrClosed
	default:
	}
	old := b.parted[s.opts.Name]
	delete(b.parted, s.opts.Name)
	for kind, l := range s.lanes {
		at, known := cursors[kind]
		if old[kind] != nil {
			at, known = l.takeOver(old[kind], b.tails[kind].durable), true
		}
		switch {
		case s.opts.From == FromStart:
			at = 0
		case s.opts.From > 0:
			at = uint64(s.opts.From)
		case s.opts.From == FromNow || !known:
			at = b.seq
		}
		l.pos, l.acked, l.saved = at, at, at
		l.replayTo = b.seq
		l.live = at >= b.seq
		if in, is := cursors[kind]; s.opts.Name != "" && (!is || in != at) {
			l.fresh.Store(true)
			b.mark(l, true)
		}
	}
	l := s.lanes[normal]
	for _, n := range b.state {
		if n.Event.Seq <= l.pos && event.MatchAny(s.opts.Filters, n.Event.Subject) {
			l.staged = append(l.staged, n)
		}
	}
	slices.SortFunc(l.staged, bySeq)
	b.subs[s] = struct{}{}
	clear(b.routes)
	return nil
}

func (b *Bus) reserve(name string, s *Subscription) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.names[name]; taken {
		return fmt.Errorf("bus: subscribe %s: %w", name, ErrNameTaken)
	}
	b.names[name] = s
	return nil
}

// Critical is the lane of rings.
func (s *Subscription) Critical() *Lane { return s.lanes[critical] }

// Normal is the lane of all other classes.
func (s *Subscription) Normal() *Lane { return s.lanes[normal] }

// Next gives the next event of either lane, a ring first. It ends with ErrClosed,
// or with ctx. It must not be mixed with the lanes' own Next.
func (s *Subscription) Next(ctx context.Context) (event.Delivery, error) {
	return next(ctx, s, s.both, s.lanes[critical], s.lanes[normal])
}

// Ack tells that the event was handled. It does not wait for the disk.
func (s *Subscription) Ack(seq uint64) {
	for _, l := range s.lanes {
		if l.ack(seq) {
			return
		}
	}
}

// AckWait is Ack that returns when the journal has it, so that not even a kill in
// the next moment brings the event again; while the disk is full it returns at once.
func (s *Subscription) AckWait(ctx context.Context, seq uint64) error {
	for _, l := range s.lanes {
		if saved := l.ackWait(seq); saved != nil {
			select {
			case <-saved:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// AckUpTo acknowledges all that was handed out of the class's lane up to seq.
func (s *Subscription) AckUpTo(class event.Class, seq uint64) { s.lanes[laneOf(class)].ackUpTo(seq) }

// Nack tells that the handler failed: the event comes again after 1, 5, 30 s.
func (s *Subscription) Nack(seq uint64, err error) {
	for _, l := range s.lanes {
		if l.nack(seq, err) {
			return
		}
	}
}

// Seen tells whether this taker handled the event's id already: acknowledged in the
// last 10 minutes, this run or an earlier one. Events that the journal knows it
// handled are not handed out at all; Seen is for takers that look before they act.
func (s *Subscription) Seen(_ context.Context, id string) bool {
	key, err := uuid.Parse(id)
	if err != nil {
		return false
	}
	for _, l := range s.lanes {
		l.mu.Lock()
		_, seen := l.before[key]
		seen = seen || l.seen.has(key)
		l.mu.Unlock()
		if seen {
			return true
		}
	}
	return false
}

// Close ends the subscription. What was not acknowledged comes again to the next
// subscription of this name.
func (s *Subscription) Close() {
	for _, l := range s.lanes {
		s.bus.mark(l, true)
	}
	b := s.bus
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, running := b.subs[s]; !running {
		return
	}
	delete(b.subs, s)
	clear(b.routes)
	if s.opts.Name != "" {
		delete(b.names, s.opts.Name)
		if len(b.parted) >= maxParted {
			clear(b.parted) // the journal has them but for the last moment
		}
		b.parted[s.opts.Name] = s.lanes
	}
	s.end()
}

// maxParted bounds the takers that are remembered after they left.
const maxParted = 1000

// end closes over once. Bus.mu is held.
func (s *Subscription) end() {
	select {
	case <-s.over:
	default:
		close(s.over)
	}
}
