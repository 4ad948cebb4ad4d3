package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// maxSubscriptions of one plugin, its manifest's own among them.
	maxSubscriptions = 16
	// maxCursors a plugin may name in the hub's life: each is kept in the journal for good.
	maxCursors = 32
	// openRings bounds the rings whose acknowledgement a session waits for to tell the trace.
	openRings = 1024
)

// Outbox is the way to one plugin process. Deliver blocks while the plugin does
// not read, and fails when it is gone.
type Outbox interface {
	Deliver(ctx context.Context, urgent bool, d *pb.Deliver) error
}

// Session is one life of a plugin process, from both streams open to gone.
type Session struct {
	h      *Host
	n      *entry
	out    Outbox
	ctx    context.Context // ends with Close; the pumps live in it
	cancel context.CancelFunc
	pumps  sync.WaitGroup

	mu    sync.Mutex
	subs  map[uint32]*bus.Subscription
	next  uint32
	rings map[uint64]pending // delivered, not acknowledged
}

type pending struct {
	ring   event.Event
	at     time.Time
	replay bool
}

// Connected begins a session: what the manifest subscribes to starts to flow,
// from the cursor on that the entry left.
func (h *Host) Connected(plugin string, out Outbox) (*Session, error) {
	n, ok := h.entry(plugin)
	if !ok {
		return nil, fmt.Errorf("plugin %s: has no entry", plugin)
	}
	n.mu.Lock()
	n.overSince, n.overLast, n.overTold = time.Time{}, time.Time{}, time.Time{} // a new life has done nothing yet
	n.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	s := &Session{h: h, n: n, out: out, ctx: ctx, cancel: cancel, subs: map[uint32]*bus.Subscription{}, rings: map[uint64]pending{}}
	if filters := n.granted().GetSubscribe(); len(filters) > 0 {
		if _, err := s.subscribe("plugin/"+plugin, filters, bus.FromCursor); err != nil {
			cancel()
			return nil, err
		}
	}
	s.mu.Lock()
	s.next = max(s.next, 1) // 0 is the manifest's own, also where it has none
	s.mu.Unlock()
	h.mu.Lock()
	h.sessions[plugin] = s
	h.mu.Unlock()
	return s, nil
}

// Close ends the session; cursors stay where the acknowledgements left them.
func (s *Session) Close() {
	s.cancel()
	s.mu.Lock()
	subs := slices.Collect(maps.Values(s.subs))
	clear(s.subs)
	s.mu.Unlock()
	for _, sub := range subs {
		sub.Close()
	}
	s.pumps.Wait()
	s.h.mu.Lock()
	if s.h.sessions[s.n.Name] == s {
		delete(s.h.sessions, s.n.Name)
	}
	s.h.mu.Unlock()
}

func (s *Session) subscribe(name string, filters []string, from bus.From) (uint32, error) {
	if err := s.room(name); err != nil {
		return 0, err
	}
	sub, err := s.h.Bus.Subscribe(bus.SubscribeOptions{Name: name, Filters: filters, From: from})
	if err != nil {
		return 0, fmt.Errorf("plugin %s: subscribe: %w", s.n.Name, err)
	}
	s.mu.Lock()
	if len(s.subs) >= maxSubscriptions || s.ctx.Err() != nil {
		s.mu.Unlock()
		sub.Close()
		return 0, s.tooMany()
	}
	id := s.next
	s.next++
	s.subs[id] = sub
	s.mu.Unlock()
	s.pumps.Go(func() { s.pump(sub.Critical(), id, true) })
	s.pumps.Go(func() { s.pump(sub.Normal(), id, false) })
	return id, nil
}

// room refuses what is too much before the bus and the journal hear of it.
func (s *Session) room(cursor string) error {
	s.mu.Lock()
	full := len(s.subs) >= maxSubscriptions
	s.mu.Unlock()
	if full {
		return s.tooMany()
	}
	if cursor != "" && !s.n.mayKeep(cursor) {
		return refusal{pb.Code_CODE_EXHAUSTED, fmt.Sprintf("plugin %s: has named %d cursors, no more are kept", s.n.Name, maxCursors)}
	}
	return nil
}

func (s *Session) tooMany() error {
	return refusal{pb.Code_CODE_EXHAUSTED, fmt.Sprintf("plugin %s: has %d subscriptions, no more are allowed", s.n.Name, maxSubscriptions)}
}

// mayKeep counts the cursors that the plugin names.
func (n *entry) mayKeep(cursor string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.cursors[cursor]; known {
		return true
	}
	if len(n.cursors) >= maxCursors {
		return false
	}
	n.cursors[cursor] = struct{}{}
	return true
}

// pump carries one lane to the plugin. A plugin that does not read stops its own
// pump only; the bus then cuts that lane off and replays it later.
func (s *Session) pump(lane *bus.Lane, id uint32, urgent bool) {
	for {
		d, err := lane.Next(s.ctx)
		if err != nil {
			return
		}
		if urgent {
			s.delivered(d)
		}
		m := &pb.Deliver{Event: event.ToProto(&d.Event), Subscription: id, Age: durationpb.New(d.Age), Replay: d.Replay, Attempt: uint32(d.Attempt)}
		for {
			err := s.out.Deliver(s.ctx, urgent, m)
			if err == nil {
				break
			}
			// A slow plugin is waited for: its lane fills meanwhile, the bus cuts the lane
			// off and replays from the cursor once the plugin reads again.
			if slow := (interface{ Code() string })(nil); !errors.As(err, &slow) || slow.Code() != "E-PLUGIN-SLOW" || s.ctx.Err() != nil {
				return
			}
		}
	}
}

func (s *Session) delivered(d event.Delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rings) < openRings {
		s.rings[d.Event.Seq] = pending{ring: d.Event, at: s.h.Now(), replay: d.Replay}
	}
}

// Ack takes a plugin's word for what it handled.
func (s *Session) Ack(urgent bool, a *pb.EventAck) {
	s.mu.Lock()
	sub, ok := s.subs[a.GetSubscription()]
	p, isRing := s.rings[a.GetSeq()]
	if isRing {
		delete(s.rings, a.GetSeq())
	}
	if a.GetCumulative() && urgent {
		maps.DeleteFunc(s.rings, func(seq uint64, _ pending) bool { return seq <= a.GetSeq() })
	}
	s.mu.Unlock()
	if !ok {
		return
	}
	var failed error
	if e := a.GetError(); e.GetCode() != pb.Code_CODE_OK || e.GetMessage() != "" {
		failed = fmt.Errorf("plugin %s: %s", s.n.Name, clip(e.GetMessage(), 300))
	}
	switch {
	case failed != nil:
		sub.Nack(a.GetSeq(), failed)
	case a.GetCumulative():
		class := event.ClassNormal
		if urgent {
			class = event.ClassCritical
		}
		sub.AckUpTo(class, a.GetSeq())
	default:
		sub.Ack(a.GetSeq())
	}
	if !isRing {
		return
	}
	hop := event.Hop{EventID: p.ring.ID, Taker: "plugin " + s.n.Name, Outcome: "ok", Took: s.h.Now().Sub(p.at), Replay: p.replay}
	if failed != nil {
		hop.Outcome, hop.Detail = "failed", clip(a.GetError().GetMessage(), 300)
	}
	s.h.publishHop(&p.ring, "plugin."+s.n.Name+".hop", hop)
}
