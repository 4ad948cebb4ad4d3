package streams

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
)

const (
	// Unanswered is how many publishes of one stream the hub takes in before it has
	// written their results: more than the protocol's 256 credits, so that only a
	// plugin that ignores them, or does not read, is stopped by it.
	Unanswered = 512
	// Queued is how many deliveries, commands and answers wait for one stream.
	Queued = 256
	// patience with a full queue.
	patience = 2 * time.Second
	// CallsAtOnce run of one plugin; CallsWaiting more are kept, others refused.
	CallsAtOnce  = 16
	CallsWaiting = 64
	// calls, log messages and repairs a second are read of one plugin, which is many
	// times what one needs: beyond it the plugin waits, and not the house.
	askRate  = 1000
	askBurst = 2000
)

// lane writes to one stream. What comes first is what the plugin waits for.
type lane[T any] struct {
	results chan T        // size Unanswered: a place was taken for each before it was asked for
	other   chan T        // size Queued
	places  chan struct{} // size Unanswered: publishes that have no written result yet
}

func newLane[T any]() *lane[T] {
	return &lane[T]{results: make(chan T, Unanswered), other: make(chan T, Queued), places: make(chan struct{}, Unanswered)}
}

// write sends until ctx ends or the stream breaks.
func (l *lane[T]) write(ctx context.Context, send func(T) error) error {
	for {
		var m T
		select {
		case <-ctx.Done():
			return nil
		case m = <-l.results:
			if err := send(m); err != nil {
				return err
			}
			<-l.places
		case m = <-l.other:
			if err := send(m); err != nil {
				return err
			}
		}
	}
}

// put queues m, waiting a little where the queue is full.
func (l *lane[T]) put(ctx context.Context, over <-chan struct{}, m T) error {
	select {
	case <-over:
		return ErrOver
	case l.other <- m:
		return nil
	default:
	}
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case l.other <- m:
		return nil
	case <-over:
		return ErrOver
	case <-ctx.Done():
		return slow().Because(ctx.Err())
	case <-t.C:
		return slow()
	}
}

// ErrOver: the life to which something was to be written has ended.
var ErrOver = errors.New("the plugin has ended")

func slow() *fault.Failure {
	return fault.New(fault.Slow, "see the plugin's log; `porchlight plugins restart` ends what it hangs in", "the plugin does not read what it is sent")
}

// Streams are the two of one life.
type Streams struct {
	host   Host
	name   string
	log    func(*pb.Log)
	late   func()
	urgent *lane[*pb.UrgentFromHub]
	link   *lane[*pb.FromHub]
	over   chan struct{}  // closed when the life ends
	broken chan error     // size 2: each stream says once why it broke
	work   sync.WaitGroup // readers, writers and calls

	unknown atomic.Uint64
	calls   atomic.Int64
	running chan struct{} // size CallsAtOnce
	pace    *rate.Limiter

	mu      sync.Mutex
	session Session
	pending map[string]chan *pb.Reply // each of size 1: one answer
}

// New makes the queues; log takes log messages, late is told of each late reply.
func New(host Host, name string, log func(*pb.Log), late func()) *Streams {
	return &Streams{
		host: host, name: name, log: log, late: late,
		urgent: newLane[*pb.UrgentFromHub](), link: newLane[*pb.FromHub](),
		over: make(chan struct{}), broken: make(chan error, 2),
		running: make(chan struct{}, CallsAtOnce), pending: map[string]chan *pb.Reply{},
		pace: rate.NewLimiter(askRate, askBurst),
	}
}

// Open begins both streams; they end with ctx. The host hears of it before the
// first message is read.
func (s *Streams) Open(ctx context.Context, plugin pluginv1grpc.PluginClient) error {
	urgent, err := plugin.Urgent(ctx)
	if err != nil {
		return err
	}
	link, err := plugin.Link(ctx)
	if err != nil {
		return err
	}
	session := s.host.Connected(s.name, s)
	s.mu.Lock()
	s.session = session
	s.mu.Unlock()
	s.work.Go(func() { s.report("urgent", notEOF(s.urgent.write(ctx, urgent.Send))) })
	s.work.Go(func() { s.report("link", notEOF(s.link.write(ctx, link.Send))) })
	s.work.Go(func() { s.report("urgent", s.readUrgent(ctx, urgent)) })
	s.work.Go(func() { s.report("link", s.readLink(ctx, link)) })
	return nil
}

// Close ends the host's session and waits for all goroutines; the context of Open
// must have ended.
func (s *Streams) Close() {
	close(s.over)
	s.mu.Lock()
	session := s.session
	s.mu.Unlock()
	if session != nil {
		session.Close()
	}
	s.work.Wait()
}

// Broken says why a stream ended; the life is over then.
func (s *Streams) Broken() <-chan error { return s.broken }

// Unknown counts messages that this version does not know.
func (s *Streams) Unknown() uint64 { return s.unknown.Load() }

// Go runs f beside the streams; Close waits for it.
func (s *Streams) Go(f func()) { s.work.Go(f) }

// notEOF: Send on a broken stream answers EOF (grpc.ClientStream); the reader's
// status says why.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (s *Streams) report(stream string, err error) {
	if err == nil {
		return
	}
	select {
	case s.broken <- &streamError{stream, err}:
	default:
	}
}

type streamError struct {
	stream string
	err    error
}

func (e *streamError) Error() string { return e.stream + ": " + e.err.Error() }
func (e *streamError) Unwrap() error { return e.err }

// failureOf a broken stream, for the owner.
func FailureOf(err error) *fault.Failure {
	if status.Code(errors.Unwrap(err)) == codes.ResourceExhausted {
		return fault.New(fault.Message, "pictures and other large things go over media.sock; report it to the plugin's author",
			"it sent a message over the limit: %s", status.Convert(errors.Unwrap(err)).Message()).Because(err)
	}
	return fault.New(fault.Link, "see its last log lines", "it ended its connection while it went on running (%v)", err).Because(err)
}

func (s *Streams) readUrgent(ctx context.Context, in grpc.BidiStreamingClient[pb.UrgentFromHub, pb.UrgentFromPlugin]) error {
	for {
		m, err := in.Recv()
		if err != nil {
			return err
		}
		switch m := m.GetM().(type) {
		case *pb.UrgentFromPlugin_Publish:
			if !publish(ctx, s, s.urgent, m.Publish, true, func(r *pb.PublishResult) *pb.UrgentFromHub {
				return &pb.UrgentFromHub{M: &pb.UrgentFromHub_Result{Result: r}}
			}) {
				return ctx.Err()
			}
		case *pb.UrgentFromPlugin_Ack:
			s.session.Ack(true, m.Ack)
		case *pb.UrgentFromPlugin_Reply:
			s.answer(m.Reply)
		default:
			s.unknown.Add(1)
		}
	}
}

func (s *Streams) readLink(ctx context.Context, in grpc.BidiStreamingClient[pb.FromHub, pb.FromPlugin]) error {
	for {
		m, err := in.Recv()
		if err != nil {
			return err
		}
		switch m.GetM().(type) {
		case *pb.FromPlugin_Publish, *pb.FromPlugin_Ack, *pb.FromPlugin_Reply: // paced by the host, or asked for by us
		default:
			if err := s.pace.Wait(ctx); err != nil {
				return ctx.Err()
			}
		}
		switch m := m.GetM().(type) {
		case *pb.FromPlugin_Publish:
			if !publish(ctx, s, s.link, m.Publish, false, func(r *pb.PublishResult) *pb.FromHub {
				return &pb.FromHub{M: &pb.FromHub_Result{Result: r}}
			}) {
				return ctx.Err()
			}
		case *pb.FromPlugin_Ack:
			s.session.Ack(false, m.Ack)
		case *pb.FromPlugin_Reply:
			s.answer(m.Reply)
		case *pb.FromPlugin_Call:
			s.call(ctx, m.Call)
		case *pb.FromPlugin_Log:
			s.log(m.Log)
		case *pb.FromPlugin_Repair:
			s.host.Repair(s.name, m.Repair)
		default:
			s.unknown.Add(1)
		}
	}
}

// publish hands one event to the host. It waits for a place, and the host may let it
// wait longer: both stop the reading of this stream, and so its sender.
func publish[T any](ctx context.Context, s *Streams, l *lane[T], p *pb.Publish, urgent bool, wrap func(*pb.PublishResult) T) bool {
	if p.GetEvent() == nil {
		s.unknown.Add(1)
		return true
	}
	select {
	case l.places <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	var once sync.Once
	s.host.Publish(ctx, s.name, urgent, p.GetEvent(), func(r *pb.PublishResult) {
		once.Do(func() { l.results <- wrap(r) })
	})
	return true
}

// call runs a hub call beside the reading.
func (s *Streams) call(ctx context.Context, c *pb.HubCall) {
	reply := func(r *pb.HubReply) {
		r.Id = c.GetId()
		_ = s.link.put(ctx, s.over, &pb.FromHub{M: &pb.FromHub_Reply{Reply: r}})
	}
	if s.calls.Add(1) > CallsAtOnce+CallsWaiting {
		s.calls.Add(-1)
		// Not put: the reader does not wait for a plugin that floods it.
		select {
		case s.link.other <- &pb.FromHub{M: &pb.FromHub_Reply{Reply: &pb.HubReply{Id: c.GetId(), Error: &pb.Error{
			Code: pb.Code_CODE_EXHAUSTED, Message: "too many calls at once; wait for answers before asking more"}}}}:
		default:
		}
		return
	}
	s.work.Go(func() {
		defer s.calls.Add(-1)
		select {
		case s.running <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-s.running }()
		if d := c.GetDeadline().AsDuration(); d > 0 {
			bounded, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			reply(s.host.Call(bounded, s.name, c))
			return
		}
		reply(s.host.Call(ctx, s.name, c))
	})
}

// Deliver queues one event for the plugin.
func (s *Streams) Deliver(ctx context.Context, urgent bool, d *pb.Deliver) error {
	if urgent {
		return s.urgent.put(ctx, s.over, &pb.UrgentFromHub{M: &pb.UrgentFromHub_Deliver{Deliver: d}})
	}
	return s.link.put(ctx, s.over, &pb.FromHub{M: &pb.FromHub_Deliver{Deliver: d}})
}

// Credit lets the plugin publish n more.
func (s *Streams) Credit(urgent bool, n uint32) error {
	c := &pb.Credit{Publishes: n}
	if urgent {
		return s.urgent.put(context.Background(), s.over, &pb.UrgentFromHub{M: &pb.UrgentFromHub_Credit{Credit: c}})
	}
	return s.link.put(context.Background(), s.over, &pb.FromHub{M: &pb.FromHub_Credit{Credit: c}})
}

// Drain tells the plugin to publish nothing new. Best effort: Stop follows.
func (s *Streams) Drain(reason string) {
	select {
	case s.link.other <- &pb.FromHub{M: &pb.FromHub_Drain{Drain: &pb.Drain{Reason: reason}}}:
	default:
	}
}
