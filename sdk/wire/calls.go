package wire

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// maxCalls bounds the calls that wait for an answer; one more waits its turn.
	maxCalls = 64
	// callDeadline holds where the caller's context has none.
	callDeadline = 30 * time.Second
)

// ErrBroken: the stream broke before the answer came; the call may have been carried out.
var ErrBroken = errors.New("the connection to the hub broke before the answer")

// Calls puts questions to the hub over the Link and matches the answers. All
// methods may be called at once.
type Calls struct {
	out  *Outbox[*pb.FromPlugin]
	free chan struct{} // maxCalls tokens

	mu      sync.Mutex
	last    uint64
	waiting map[string]chan *pb.HubReply // each of size 1; closed without a reply when the stream broke
}

// NewCalls asks over the given outbox.
func NewCalls(out *Outbox[*pb.FromPlugin]) *Calls {
	return &Calls{out: out, free: make(chan struct{}, maxCalls), waiting: make(map[string]chan *pb.HubReply)}
}

// Do sends the call, with an id and the deadline of ctx, and waits for the reply.
// Without a stream it waits for one.
func (c *Calls) Do(ctx context.Context, call *pb.HubCall) (*pb.HubReply, error) {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callDeadline)
		defer cancel()
	}
	select {
	case c.free <- struct{}{}:
		defer func() { <-c.free }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	deadline, _ := ctx.Deadline()
	call.Deadline = durationpb.New(time.Until(deadline))
	id, reply := c.register()
	defer c.forget(id)
	call.Id = id
	for !c.out.Send(&pb.FromPlugin{M: &pb.FromPlugin_Call{Call: call}}) {
		if err := c.out.Attached(ctx); err != nil {
			return nil, err
		}
		if c.out.isClosed() {
			return nil, ErrClosed
		}
	}
	select {
	case r, ok := <-reply:
		if !ok {
			return nil, ErrBroken
		}
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Calls) register() (string, chan *pb.HubReply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	id, ch := strconv.FormatUint(c.last, 10), make(chan *pb.HubReply, 1)
	c.waiting[id] = ch
	return id, ch
}

func (c *Calls) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// Answer hands a reply to its caller; it tells whether one still waits.
func (c *Calls) Answer(r *pb.HubReply) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch, ok := c.waiting[r.GetId()]
	if ok {
		delete(c.waiting, r.GetId())
		ch <- r
	}
	return ok
}

// Broken ends all calls under way: their stream is gone.
func (c *Calls) Broken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, ch := range c.waiting {
		delete(c.waiting, id)
		close(ch)
	}
}

func (o *Outbox[M]) isClosed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}
