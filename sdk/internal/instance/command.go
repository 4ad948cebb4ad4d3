package instance

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// urgentCommands and LinkCommands bound the commands that run at once, each stream
	// for itself, so that no stuck snapshot stands before a chime; one more is refused.
	urgentCommands = 16
	LinkCommands   = 64
	// commandDeadline holds where a command names none.
	commandDeadline = 10 * time.Second
	// answersKept and answersFor bound the answers kept for repeated idempotency keys.
	answersKept = 1024
	answersFor  = 10 * time.Minute
	// lastWord is how long an author whose deadline has come may still say why, at
	// most: the hub keeps more than that for the answer's way.
	lastWord = 250 * time.Millisecond
)

// command runs a command and answers it, at the latest at its deadline; an author
// who comes later is not heard. It never blocks.
func (in *Instance) command(l lane, c *pb.Command) {
	deadline := c.GetDeadline().AsDuration()
	if deadline <= 0 {
		deadline = commandDeadline
	}
	arrived := time.Now()
	ok := in.Setup() != nil && in.Begin(func() {
		ctx, cancel := context.WithTimeout(in.ctx, deadline)
		defer cancel()
		a, first := in.answered.claim(c.GetIdempotencyKey())
		if first {
			in.carryOut(ctx, l, c, arrived, a)
		}
		select {
		case <-a.done:
		case <-ctx.Done():
			a.await(min(deadline/10, lastWord))
		}
		select {
		case <-a.done:
			in.reply(l, c, a.reply)
		default:
			late := failed(pb.Code_CODE_DEADLINE, fmt.Sprintf("no answer within %s", deadline))
			if in.ctx.Err() != nil {
				late = failed(pb.Code_CODE_UNAVAILABLE, "the plugin is stopping")
			}
			in.reply(l, c, late)
		}
	})
	if !ok {
		in.reply(l, c, failed(pb.Code_CODE_UNAVAILABLE, "the plugin is not running"))
	}
}

// carryOut starts the author's code in a goroutine that keeps its place among the
// running commands until it returns, deadline or not.
func (in *Instance) carryOut(ctx context.Context, l lane, c *pb.Command, arrived time.Time, a *answer) {
	key, slots := c.GetIdempotencyKey(), in.slots[l]
	select {
	case slots <- struct{}{}:
	default:
		in.answered.settle(key, a, failed(pb.Code_CODE_EXHAUSTED, fmt.Sprintf("%d commands run already", cap(slots))))
		return
	}
	started := in.Begin(func() {
		defer func() { <-slots }()
		var r *pb.Reply
		if in.Guard("command", func() {
			var err error
			if r, err = in.self().Obey(ctx, c, arrived); err != nil {
				r = &pb.Reply{Error: in.author.Explain(err)}
			}
		}) {
			r = failed(pb.Code_CODE_INTERNAL, "the plugin panicked; see its log")
		}
		in.answered.settle(key, a, r)
	})
	if !started {
		<-slots
		in.answered.settle(key, a, failed(pb.Code_CODE_UNAVAILABLE, "the plugin is stopping"))
	}
}

func failed(code pb.Code, message string) *pb.Reply {
	return &pb.Reply{Error: &pb.Error{Code: code, Message: message}}
}

func (in *Instance) reply(l lane, c *pb.Command, r *pb.Reply) {
	r = proto.CloneOf(r)
	r.Id = c.GetId()
	if l == onUrgent {
		in.urgent.Send(&pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Reply{Reply: r}})
	} else {
		in.link.Send(&pb.FromPlugin{M: &pb.FromPlugin_Reply{Reply: r}})
	}
}

// answers keeps what was answered to an idempotency key, and what is being worked at.
type answers struct {
	mu    sync.Mutex
	byKey map[string]*answer
	order []*answer // settled ones, oldest first
}

type answer struct {
	key   string
	done  chan struct{} // closed when reply is there
	reply *pb.Reply
	at    time.Time
}

// await waits until it is there, at most so long.
func (a *answer) await(most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-a.done:
	case <-timer.C:
	}
}

// claim gives the answer of a key, and whether the caller is the one to work for
// it. An empty key is never repeated.
func (s *answers) claim(key string) (a *answer, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key != "" {
		if a, ok := s.byKey[key]; ok {
			return a, false
		}
	}
	a = &answer{key: key, done: make(chan struct{})}
	if key != "" {
		s.byKey[key] = a
	}
	return a, true
}

// settle gives the answer out. One that says "try again" is not kept for the key.
func (s *answers) settle(key string, a *answer, r *pb.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.reply, a.at = r, time.Now()
	close(a.done)
	if key == "" {
		return
	}
	switch r.GetError().GetCode() {
	case pb.Code_CODE_UNAVAILABLE, pb.Code_CODE_EXHAUSTED, pb.Code_CODE_BUSY:
		delete(s.byKey, key)
		return
	}
	s.order = append(s.order, a)
	for len(s.order) > answersKept || a.at.Sub(s.order[0].at) > answersFor {
		delete(s.byKey, s.order[0].key)
		s.order = s.order[1:]
	}
}
