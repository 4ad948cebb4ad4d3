package streams

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// wayBack is what of a command's time is kept for the answer's way, at most: a plugin
// that uses all of its time up is still heard, and tells the reason itself.
const wayBack = 500 * time.Millisecond

// Ask sends a command and waits for the one answer.
func (s *Streams) Ask(ctx context.Context, c *pb.Command) (*pb.Reply, error) {
	c = proto.CloneOf(c) // the caller may keep and send its own again
	if c.Id == "" {
		c.Id = uuid.NewString()
	}
	if deadline, ok := ctx.Deadline(); ok && c.Deadline == nil {
		left := time.Until(deadline)
		c.Deadline = durationpb.New(left - min(left/5, wayBack))
	}
	answer := make(chan *pb.Reply, 1)
	s.mu.Lock()
	if _, twice := s.pending[c.Id]; twice {
		s.mu.Unlock()
		return nil, errors.New("a command with this id is under way")
	}
	s.pending[c.Id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.pending, c.Id)
		s.mu.Unlock()
	}()
	if err := s.sendCommand(ctx, c); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.over:
		return nil, ErrOver
	}
}

// sendCommand takes the urgent stream for sounds: they may not stand behind motion.
func (s *Streams) sendCommand(ctx context.Context, c *pb.Command) error {
	switch c.C.(type) {
	case *pb.Command_ChimePlay, *pb.Command_ChimeStop:
		return s.urgent.put(ctx, s.over, &pb.UrgentFromHub{M: &pb.UrgentFromHub_Command{Command: c}})
	}
	return s.link.put(ctx, s.over, &pb.FromHub{M: &pb.FromHub_Command{Command: c}})
}

// answer hands a reply to who waits for it; one that nobody waits for is late.
func (s *Streams) answer(r *pb.Reply) {
	s.mu.Lock()
	waiting, ok := s.pending[r.GetId()]
	delete(s.pending, r.GetId())
	s.mu.Unlock()
	if !ok {
		s.late()
		return
	}
	waiting <- r
}
