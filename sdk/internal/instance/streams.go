package instance

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// relinkWait is how long a plugin lives on without a Link: the hub that lost it
// opens another at once or never.
const relinkWait = 30 * time.Second

// attachment is one open stream. A new one of the same lane takes over from it.
type attachment struct {
	cancel context.CancelFunc
	gone   chan struct{} // closed when its pump has ended
}

// Urgent carries rings and chime commands.
func (in *Instance) Urgent(s pluginv1grpc.Plugin_UrgentServer) error {
	return attend(in, onUrgent, s.Context(), s.Recv, in.urgent, s.Send, in.fromUrgent)
}

// Link carries all the rest.
func (in *Instance) Link(s pluginv1grpc.Plugin_LinkServer) error {
	return attend(in, onLink, s.Context(), s.Recv, in.link, s.Send, in.fromLink)
}

// attend serves one stream: it sends what out has, and hands on what comes in,
// until the stream breaks, another takes its place or the plugin ends.
func attend[In, Out any](in *Instance, l lane, ctx context.Context, recv func() (In, error), out *wire.Outbox[Out], send func(Out) error, take func(In)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	at := &attachment{cancel: cancel, gone: make(chan struct{})}
	if !in.attach(l, at) {
		return status.Error(codes.Unavailable, "the plugin is stopping")
	}
	defer in.detach(l, at)
	read := func() { // ends with the stream, which ends with this handler
		defer cancel()
		for {
			m, err := recv()
			if err != nil || ctx.Err() != nil {
				return
			}
			take(m)
		}
	}
	if err := out.Serve(ctx, send, func() { go read() }); err != nil && !errors.Is(err, context.Canceled) {
		return status.Error(codes.Unavailable, err.Error())
	}
	return nil
}

// attach ends the lane's former stream and waits for it.
func (in *Instance) attach(l lane, at *attachment) bool {
	for {
		in.mu.Lock()
		if in.ended {
			in.mu.Unlock()
			return false
		}
		old := in.streams[l]
		if old == nil {
			in.streams[l] = at
			in.mu.Unlock()
			return true
		}
		in.mu.Unlock()
		old.cancel()
		<-old.gone
	}
}

func (in *Instance) detach(l lane, at *attachment) {
	if l == onLink {
		in.calls.Broken()
	}
	in.mu.Lock()
	delete(in.streams, l)
	ended := in.ended
	in.mu.Unlock()
	close(at.gone)
	if l == onLink && !ended {
		time.AfterFunc(relinkWait, in.unlinked)
	}
}

// unlinked ends a plugin whose hub did not come back.
func (in *Instance) unlinked() {
	in.mu.Lock()
	gone := in.streams[onLink] == nil && !in.ended
	in.mu.Unlock()
	if gone {
		in.hubGone()
	}
}

func (in *Instance) fromUrgent(m *pb.UrgentFromHub) {
	switch m := m.GetM().(type) {
	case *pb.UrgentFromHub_Result:
		in.urgent.Answer(m.Result)
	case *pb.UrgentFromHub_Deliver:
		in.deliver(onUrgent, m.Deliver)
	case *pb.UrgentFromHub_Command:
		in.command(onUrgent, m.Command)
	case *pb.UrgentFromHub_Credit:
		in.urgent.Credit(m.Credit.GetPublishes())
	default: // of a newer hub
		in.unknown.Add(1)
	}
}

func (in *Instance) fromLink(m *pb.FromHub) {
	switch m := m.GetM().(type) {
	case *pb.FromHub_Result:
		in.link.Answer(m.Result)
	case *pb.FromHub_Deliver:
		in.deliver(onLink, m.Deliver)
	case *pb.FromHub_Command:
		in.command(onLink, m.Command)
	case *pb.FromHub_Reply:
		in.calls.Answer(m.Reply)
	case *pb.FromHub_Credit:
		in.link.Credit(m.Credit.GetPublishes())
	case *pb.FromHub_Drain:
		in.mu.Lock()
		in.draining = true
		in.mu.Unlock()
	default: // of a newer hub
		in.unknown.Add(1)
	}
}

// ErrDraining: the hub is about to stop the plugin, and takes rings only.
var ErrDraining = errors.New("the hub is about to stop this plugin")

// Publish sends an event on the lane of its class and waits for the hub's answer. A
// ring over the rate is sent again when the hub says so.
func (in *Instance) Publish(ctx context.Context, m *pb.Event) (*pb.PublishResult, error) {
	if event.Type(m.GetType()).Class() != event.ClassCritical {
		in.mu.Lock()
		draining := in.draining // a ring is worth a try to the last
		in.mu.Unlock()
		if draining {
			return nil, ErrDraining
		}
		return in.link.Publish(ctx, m)
	}
	for {
		r, err := in.urgent.Publish(ctx, m)
		wait := r.GetError().GetRetryAfter().AsDuration()
		if err != nil || r.GetOutcome() != pb.PublishResult_OUTCOME_REJECTED || r.GetError().GetCode() != pb.Code_CODE_EXHAUSTED || wait <= 0 {
			return r, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
}

// Call asks the hub.
func (in *Instance) Call(ctx context.Context, c *pb.HubCall) (*pb.HubReply, error) {
	return in.calls.Do(ctx, c)
}
