package wire

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// maxWaiting bounds the publishes that wait for a credit or for the stream; more are refused.
	maxWaiting = 4096
	// maxIdle bounds the log lines that wait behind all else; more are dropped and counted.
	maxIdle = 512
	// maxCredits bounds what the hub can lend, so that a wrong number cannot undo the limit.
	maxCredits = 4096
)

// Errors of an outbox.
var (
	// ErrFull: too many publishes wait already.
	ErrFull = errors.New("too many publishes wait for the hub")
	// ErrClosed: the plugin is stopping.
	ErrClosed = errors.New("the plugin is stopping")
)

// Outbox is the plugin's sending half of one stream (M is UrgentFromPlugin or
// FromPlugin). Acks, replies and calls go first, then publishes in the order of
// their call as far as credits reach, then log lines. What was published and not
// answered when a stream broke is sent again, with its id, ahead of the rest on
// the next one. All methods may be called at once.
type Outbox[M any] struct {
	wrap func(*pb.Publish) M

	mu       sync.Mutex
	wake     chan struct{} // size 1: a change is noticed once, however many there were
	changed  chan struct{} // closed and replaced when a stream opens or ends, or all is sent
	attached bool
	closed   bool
	sending  bool
	control  []M
	waiting  []*pending
	byID     map[string]*pending // those that wait and those that were sent and not answered
	idle     []M
	dropped  uint64
	credits  int
}

type pending struct {
	event   *pb.Event
	done    chan struct{} // closed when result or err is there
	result  *pb.PublishResult
	err     error
	sent    bool
	callers int // who wait for the answer; a publish of the same id joins
}

// NewOutbox makes an outbox; wrap puts a publish into the stream's own message.
func NewOutbox[M any](wrap func(*pb.Publish) M) *Outbox[M] {
	return &Outbox[M]{
		wrap: wrap, wake: make(chan struct{}, 1), changed: make(chan struct{}),
		byID: make(map[string]*pending),
	}
}

// Publish hands the event over and waits for the hub's answer. When ctx ends
// first, an event that was already sent may or may not have been taken.
func (o *Outbox[M]) Publish(ctx context.Context, ev *pb.Event) (*pb.PublishResult, error) {
	p, err := o.enqueue(ev)
	if err != nil {
		return nil, err
	}
	select {
	case <-p.done:
		return p.result, p.err
	case <-ctx.Done():
		o.leave(p)
		return nil, ctx.Err()
	}
}

func (o *Outbox[M]) enqueue(ev *pb.Event) (*pending, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil, ErrClosed
	}
	if p, ok := o.byID[ev.GetId()]; ok {
		p.callers++
		return p, nil // the same id is under way: one answer for both
	}
	if len(o.waiting) >= maxWaiting {
		return nil, ErrFull
	}
	p := &pending{event: ev, done: make(chan struct{}), callers: 1}
	o.byID[ev.GetId()] = p
	o.waiting = append(o.waiting, p)
	o.poke()
	return p, nil
}

// leave takes back a publish for which nobody waits, unless it was sent: the hub
// may have it, so its answer is awaited for the credit's sake.
func (o *Outbox[M]) leave(p *pending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.callers--; p.callers > 0 || p.sent {
		return
	}
	o.waiting = slices.DeleteFunc(o.waiting, func(w *pending) bool { return w == p })
	if o.byID[p.event.GetId()] == p {
		delete(o.byID, p.event.GetId())
	}
}

// Answer settles the publish that the result names; it tells whether there was one.
func (o *Outbox[M]) Answer(r *pb.PublishResult) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, ok := o.byID[r.GetEventId()]
	if !ok || !p.sent {
		return false
	}
	delete(o.byID, r.GetEventId())
	o.credits = min(o.credits+1, maxCredits)
	p.result = r
	close(p.done)
	o.poke()
	return true
}

// Credit lets n more publishes be outstanding.
func (o *Outbox[M]) Credit(n uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.credits = int(min(int64(o.credits)+int64(n), maxCredits))
	o.poke()
}

// Send queues an ack, a reply or a call. It tells whether a stream is there to
// take it; without one the message is gone, since the hub starts these anew.
func (o *Outbox[M]) Send(m M) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.attached {
		return false
	}
	o.control = append(o.control, m)
	o.poke()
	return true
}

// Offer queues a message that may be lost, behind all others. It tells whether it
// was taken, and how many were dropped since the last one that was.
func (o *Outbox[M]) Offer(m M) (taken bool, dropped uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.attached {
		return false, 0
	}
	if len(o.idle) >= maxIdle {
		o.dropped++
		return true, 0
	}
	dropped, o.dropped = o.dropped, 0
	o.idle = append(o.idle, m)
	o.poke()
	return true, dropped
}

// Serve sends what is queued over one stream until ctx ends or send fails. One
// Serve runs at a time. It calls begun when the outbox takes answers for the stream:
// one who reads before that loses the answer to what he reads.
func (o *Outbox[M]) Serve(ctx context.Context, send func(M) error, begun func()) error {
	o.attach()
	defer o.detach()
	begun()
	for {
		m, ok := o.next()
		if !ok {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-o.wake:
				continue
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := send(m); err != nil {
			return err
		}
	}
}

func (o *Outbox[M]) attach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attached, o.credits = true, Credits
	var again []*pending
	for _, p := range o.byID {
		if p.sent {
			p.sent = false
			again = append(again, p)
		}
	}
	// UUIDv7 ids sort by the time they were made.
	slices.SortFunc(again, func(a, b *pending) int { return strings.Compare(a.event.GetId(), b.event.GetId()) })
	o.waiting = append(again, o.waiting...)
	o.change()
}

func (o *Outbox[M]) detach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.attached, o.sending = false, false
	o.control, o.idle = nil, nil
	o.change()
}

// next takes the next message to send.
func (o *Outbox[M]) next() (m M, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case len(o.control) > 0:
		m, o.control = o.control[0], o.control[1:]
	case len(o.waiting) > 0 && o.credits > 0:
		p := o.waiting[0]
		o.waiting = o.waiting[1:]
		o.credits--
		p.sent = true
		m = o.wrap(&pb.Publish{Event: p.event})
	case len(o.idle) > 0:
		m, o.idle = o.idle[0], o.idle[1:]
	default:
		if o.sending {
			o.sending = false
			o.change()
		}
		return m, false
	}
	o.sending = true
	return m, true
}

// Attached waits until a stream is there.
func (o *Outbox[M]) Attached(ctx context.Context) error {
	return o.await(ctx, func() bool { return o.attached || o.closed })
}

// Flush waits until all that can go was handed to the stream, or there is no stream.
func (o *Outbox[M]) Flush(ctx context.Context) error {
	return o.await(ctx, func() bool {
		return !o.attached || !o.sending && len(o.control) == 0 && len(o.idle) == 0
	})
}

func (o *Outbox[M]) await(ctx context.Context, holds func() bool) error {
	for {
		o.mu.Lock()
		ok, changed := holds(), o.changed
		o.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close refuses new publishes and ends those that wait, sent or not, with ErrClosed.
func (o *Outbox[M]) Close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return
	}
	o.closed = true
	for _, p := range o.byID {
		p.err = ErrClosed
		close(p.done)
	}
	o.waiting = nil
	clear(o.byID)
	o.change()
}

// Outstanding counts the publishes that were sent and not answered, and those that wait.
func (o *Outbox[M]) Outstanding() (sent, waiting int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.byID) - len(o.waiting), len(o.waiting)
}

func (o *Outbox[M]) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *Outbox[M]) change() {
	close(o.changed)
	o.changed = make(chan struct{})
}
