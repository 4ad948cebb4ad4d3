package instance

import (
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// laneSize bounds the deliveries of one class that wait for a handler. The hub
	// cuts a subscriber off before (at 1,000 and 256 unacknowledged); a delivery that
	// does not fit is refused, and comes again.
	laneSize = 2048
	// earlySize bounds the deliveries of a subscription whose number is not known yet.
	earlySize = 256
)

// Subscription hands events to one handler: a goroutine a class, each in order.
type Subscription struct {
	in     *Instance
	number uint32
	prefix string // of its ids in the ledger
	handle func(context.Context, event.Delivery) error
	ctx    context.Context
	cancel context.CancelFunc
	lanes  [5]classLane // by class
}

type classLane struct {
	mu      sync.Mutex
	queue   []job
	running bool
}

type job struct {
	lane     lane
	delivery event.Delivery
}

type earlyEvent struct {
	lane lane
	d    *pb.Deliver
}

// newSubscription: name is that of the durable cursor, empty for the manifest's
// own and for one that is not durable.
func newSubscription(in *Instance, number uint32, name string, handle func(context.Context, event.Delivery) error) *Subscription {
	s := &Subscription{in: in, number: number, handle: handle}
	switch {
	case name != "":
		s.prefix = name + "/"
	case number != 0:
		s.prefix = "#" + strconv.FormatUint(uint64(number), 10) + "/"
	}
	s.ctx, s.cancel = context.WithCancel(in.ctx)
	return s
}

// Subscribe asks the hub for events. The subscription is nil unless the reply is a success.
func (in *Instance) Subscribe(ctx context.Context, r *pb.Subscribe, handle func(context.Context, event.Delivery) error) (*Subscription, *pb.HubReply, error) {
	in.mu.Lock()
	in.opening++
	in.mu.Unlock()
	reply, err := in.Call(ctx, &pb.HubCall{C: &pb.HubCall_Subscribe{Subscribe: r}})
	var sub *Subscription
	if err == nil && reply.GetError().GetCode() == pb.Code_CODE_OK {
		sub = newSubscription(in, reply.GetSubscribe().GetSubscription(), r.GetName(), handle)
	}
	for _, e := range in.opened(sub) {
		in.deliver(e.lane, e.d)
	}
	return sub, reply, err
}

// Number is the hub's number of it.
func (s *Subscription) Number() uint32 { return s.number }

// Close ends it here; the hub is told by the caller. A handler that runs is not waited for.
func (s *Subscription) Close() {
	s.cancel()
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	if s.in.subs[s.number] == s {
		delete(s.in.subs, s.number)
	}
}

// opened ends a Subscribe call and gives back the deliveries that overtook its
// answer; with the last call under way, also those that nobody can claim any more.
func (in *Instance) opened(sub *Subscription) []*earlyEvent {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.opening--
	var out []*earlyEvent
	if sub != nil {
		in.subs[sub.number] = sub
		out = in.early[sub.number]
		delete(in.early, sub.number)
	}
	if in.opening == 0 {
		for n, es := range in.early {
			out = append(out, es...)
			delete(in.early, n)
		}
	}
	return out
}

// deliver queues an event for its handler. It never blocks: the goroutine that
// reads the stream also reads the answers that handlers wait for.
func (in *Instance) deliver(l lane, d *pb.Deliver) {
	in.mu.Lock()
	sub := in.subs[d.GetSubscription()]
	if sub == nil && in.opening > 0 && len(in.early[d.GetSubscription()]) < earlySize {
		in.early[d.GetSubscription()] = append(in.early[d.GetSubscription()], &earlyEvent{l, d})
		in.mu.Unlock()
		return
	}
	configured := in.conf != nil
	in.mu.Unlock()
	switch {
	case !configured:
		return // not acknowledged: it comes again when there is somebody to take it
	case sub == nil && d.GetSubscription() == 0:
		// The manifest subscribes, but the author has no HandleEvent: nothing is left to do.
		in.ack(l, 0, d.GetEvent().GetSeq(), nil)
		return
	case sub == nil:
		in.ack(l, d.GetSubscription(), d.GetEvent().GetSeq(), &pb.Error{Code: pb.Code_CODE_NOT_FOUND, Message: "no handler for this subscription"})
		return
	}
	e, err := event.FromProto(d.GetEvent())
	if errors.Is(err, event.ErrUnknownType) {
		// A newer hub's: no handler of this sdk could do anything with it, now or later.
		in.ack(l, sub.number, d.GetEvent().GetSeq(), nil)
		return
	}
	if err != nil {
		in.ack(l, sub.number, d.GetEvent().GetSeq(), &pb.Error{Code: pb.Code_CODE_INVALID, Message: err.Error()})
		return
	}
	sub.put(job{l, event.Delivery{Event: e, Age: d.GetAge().AsDuration(), Replay: d.GetReplay(), Attempt: int(d.GetAttempt())}})
}

func (s *Subscription) put(j job) {
	c := &s.lanes[j.delivery.Event.Class()]
	c.mu.Lock()
	if len(c.queue) >= laneSize {
		c.mu.Unlock()
		s.in.ack(j.lane, s.number, j.delivery.Event.Seq, &pb.Error{Code: pb.Code_CODE_EXHAUSTED, Message: "the plugin's queue is full"})
		return
	}
	c.queue = append(c.queue, j)
	start := !c.running
	c.running = true
	c.mu.Unlock()
	if start && !s.in.Begin(func() { s.work(c) }) {
		c.mu.Lock()
		c.queue, c.running = nil, false // stopping: what is unacknowledged comes again
		c.mu.Unlock()
	}
}

// work handles one class until its queue is empty.
func (s *Subscription) work(c *classLane) {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 || s.ctx.Err() != nil {
			c.queue, c.running = nil, false
			c.mu.Unlock()
			return
		}
		j := c.queue[0]
		c.queue = c.queue[1:]
		c.mu.Unlock()
		s.one(j)
	}
}

// one handles an event unless it was handled before, notes it, and only then
// acknowledges it: killed in between, the plugin is asked again and knows the id.
func (s *Subscription) one(j job) {
	e := &j.delivery.Event
	key := s.prefix + e.ID
	if s.in.ledger.Has(key) {
		s.in.ack(j.lane, s.number, e.Seq, nil)
		return
	}
	var err error
	if s.in.Guard("handler of "+e.Subject, func() { err = s.handle(s.ctx, j.delivery) }) {
		return
	}
	switch {
	case err == nil:
	case s.ctx.Err() != nil && errors.Is(err, context.Canceled):
		return // stopped, not failed
	default:
		s.in.ack(j.lane, s.number, e.Seq, s.in.author.Explain(err))
		return
	}
	if e.Class() != event.ClassDebug { // which is never sent again
		s.in.Note(key)
	}
	s.in.ack(j.lane, s.number, e.Seq, nil)
}

func (in *Instance) ack(l lane, sub uint32, seq uint64, e *pb.Error) {
	a := &pb.EventAck{Seq: seq, Subscription: sub, Error: e}
	// Without a stream it is lost; the hub sends the event again and the ledger knows it.
	if l == onUrgent {
		in.urgent.Send(&pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Ack{Ack: a}})
	} else {
		in.link.Send(&pb.FromPlugin{M: &pb.FromPlugin_Ack{Ack: a}})
	}
}

// forgetful reports that handled ids are remembered in memory only.
func (in *Instance) forgetful(err error) {
	in.log.Warn("ids of handled events are kept in memory only; after a crash some may be handled again", "error", err.Error())
	in.link.Offer(&pb.FromPlugin{M: &pb.FromPlugin_Repair{Repair: &pb.Repair{
		Key: "handled-ids", Title: "A plugin cannot write to its data folder", Effect: "after a crash it may handle an event twice: " + err.Error(),
		Fix: "make room on the disk, or give the plugin's data folder back to the user that runs it",
	}}})
}

// Known tells whether the key was noted in the last ten minutes, by an earlier process too.
func (in *Instance) Known(key string) bool { return in.ledger.Has(key) }

// Note keeps the key before it returns, on a full disk in memory only.
func (in *Instance) Note(key string) {
	if err := in.ledger.Add(key); err != nil {
		in.forgetful(err)
	}
}
