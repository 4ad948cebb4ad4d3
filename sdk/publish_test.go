package sdk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// ringer publishes one event and tells the answer.
func ringer(e Event) (stub, <-chan error) {
	done := make(chan error, 1)
	return stub{run: func(ctx context.Context, h *Hub) error {
		_, err := h.Publish(ctx, e)
		done <- err
		return nil
	}}, done
}

func TestRingIsSentAgainWhenTheHubSaysSo(t *testing.T) {
	s, done := ringer(NewEvent(TypeRing, "door", Ring{}))
	p := start(t, s)
	first := p.recvUrgent().GetPublish().GetEvent().GetId()
	p.sendUrgent(urgentResult(rejected(first, pb.Code_CODE_EXHAUSTED, time.Millisecond)))
	if again := p.recvUrgent().GetPublish().GetEvent().GetId(); again != first {
		t.Fatalf("sent again as %s, first as %s", again, first)
	}
	p.sendUrgent(urgentResult(&pb.PublishResult{EventId: first, Outcome: pb.PublishResult_OUTCOME_ACCEPTED_NOT_DURABLE}))
	if err := <-done; err != nil {
		t.Errorf("accepted, not durable: %v", err)
	}
}

func TestMotionOverTheRateIsTheAuthorsMatter(t *testing.T) {
	s, done := ringer(NewEvent(TypeMotion, "door", Motion{Active: true}))
	p := start(t, s)
	p.sendLink(linkResult(rejected(p.recvLink().GetPublish().GetEvent().GetId(), pb.Code_CODE_EXHAUSTED, time.Second)))
	var e *Error
	if err := <-done; !errors.Is(err, ErrExhausted) || !errors.As(err, &e) || e.RetryAfter != time.Second {
		t.Errorf("have %v", err)
	}
}

func TestPublishOutcomes(t *testing.T) {
	for _, c := range []struct {
		answer *pb.PublishResult
		want   error
	}{
		{&pb.PublishResult{Outcome: pb.PublishResult_OUTCOME_DURABLE, Seq: 7}, nil},
		{&pb.PublishResult{Outcome: pb.PublishResult_OUTCOME_DUPLICATE}, nil},
		{&pb.PublishResult{Outcome: pb.PublishResult_OUTCOME_ACCEPTED}, nil},
		{rejected("", pb.Code_CODE_DENIED, 0), ErrDenied},
		{rejected("", pb.Code_CODE_INVALID, 0), ErrInvalid},
	} {
		s, done := ringer(NewEvent(TypeMotion, "door", Motion{}))
		p := start(t, s)
		c.answer.EventId = p.recvLink().GetPublish().GetEvent().GetId()
		p.sendLink(linkResult(c.answer))
		if err := <-done; !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v, want %v", c.answer.GetOutcome(), err, c.want)
		}
	}
}

func TestWrongEventIsToldWithoutTheHub(t *testing.T) {
	s, done := ringer(Event{Type: "doorbell", Camera: "door"})
	start(t, s)
	if err := <-done; !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "doorbell") {
		t.Errorf("have %v", err)
	}
}

// 256 are out at once; credits and answers let more go; nothing is lost or turned round.
func TestCredits(t *testing.T) {
	const all = 400
	var wg sync.WaitGroup
	s := stub{run: func(ctx context.Context, h *Hub) error {
		for i := range all {
			wg.Go(func() {
				if _, err := h.Publish(ctx, NewEvent(TypeMotion, fmt.Sprint("c", i), Motion{})); err != nil {
					t.Error(err)
				}
			})
		}
		return nil
	}}
	wg.Add(1)
	p := start(t, s)
	var got []string
	take := func(n int) {
		for range n {
			got = append(got, p.recvLink().GetPublish().GetEvent().GetId())
		}
	}
	take(wire.Credits)
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Credit{Credit: &pb.Credit{Publishes: 10}}})
	take(10)
	for i := 0; i < all; i++ {
		if len(got) <= i {
			t.Fatalf("%d arrived, none under way", len(got))
		}
		p.sendLink(linkResult(&pb.PublishResult{EventId: got[i], Outcome: pb.PublishResult_OUTCOME_DURABLE}))
		if len(got) < all {
			take(1)
		}
	}
	wg.Done()
	wg.Wait()
	slices.Sort(got)
	if n := len(slices.Compact(got)); n != all {
		t.Errorf("%d different events arrived", n)
	}
}

// What a broken stream left unanswered comes on the next one, in its order and
// under its ids, ahead of what is new.
func TestUnansweredIsSentAgain(t *testing.T) {
	var wg sync.WaitGroup
	more := make(chan struct{})
	s := stub{run: func(ctx context.Context, h *Hub) error {
		for i := range 4 {
			if i == 3 {
				<-more
			}
			e := NewEvent(TypeRing, "door", Ring{Button: fmt.Sprint(i)})
			wg.Go(func() {
				if _, err := h.Publish(ctx, e); err != nil {
					t.Error(err)
				}
			})
			if i < 3 {
				time.Sleep(2 * time.Millisecond) // UUIDv7 counts milliseconds: the ids are to differ in order
			}
		}
		return nil
	}}
	wg.Add(1)
	p := start(t, s)
	var first []string
	for range 3 {
		first = append(first, p.recvUrgent().GetPublish().GetEvent().GetId())
	}
	p.sendUrgent(urgentResult(&pb.PublishResult{EventId: first[1], Outcome: pb.PublishResult_OUTCOME_DURABLE}))
	close(more)
	p.recvUrgent() // the fourth; by then the answer above was read
	p.cancel()
	p.open()
	var again []string
	for range 3 {
		e := p.recvUrgent().GetPublish().GetEvent()
		again = append(again, e.GetId())
		p.sendUrgent(urgentResult(&pb.PublishResult{EventId: e.GetId(), Outcome: pb.PublishResult_OUTCOME_DUPLICATE}))
	}
	if again[0] != first[0] || again[1] != first[2] {
		t.Errorf("sent again %v, first %v", again, first)
	}
	wg.Done()
	wg.Wait()
}

func TestDrainLetsRingsThrough(t *testing.T) {
	told := make(chan error, 1)
	p := start(t, stub{run: func(ctx context.Context, h *Hub) error {
		for range Every(ctx, time.Millisecond) {
			if _, err := h.Publish(ctx, NewEvent(TypeDebug, "door", Debug{Kind: "k"})); err != nil {
				told <- err
				break
			}
		}
		_, err := h.Ring(ctx, "door")
		told <- err
		return nil
	}})
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Drain{Drain: &pb.Drain{Reason: "config"}}})
	go func() {
		for m, err := p.link.Recv(); err == nil; m, err = p.link.Recv() {
			_ = p.link.Send(linkResult(&pb.PublishResult{EventId: m.GetPublish().GetEvent().GetId(), Outcome: pb.PublishResult_OUTCOME_ACCEPTED}))
		}
	}()
	if err := <-told; !errors.Is(err, ErrUnavailable) {
		t.Errorf("debug while draining: %v", err)
	}
	id := p.recvUrgent().GetPublish().GetEvent().GetId()
	p.sendUrgent(urgentResult(&pb.PublishResult{EventId: id, Outcome: pb.PublishResult_OUTCOME_DURABLE}))
	if err := <-told; err != nil {
		t.Errorf("ring while draining: %v", err)
	}
}

// A call waits for the connection, and one that a broken connection cut off says so.
func TestCallsAndTheConnection(t *testing.T) {
	told := make(chan error, 2)
	p := connect(t, stub{run: func(ctx context.Context, h *Hub) error {
		told <- h.KVPut(ctx, "a", nil)
		told <- h.KVPut(ctx, "b", nil)
		return nil
	}})
	p.configure(t.TempDir())
	p.open()
	c := p.recvLink().GetCall()
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Reply{Reply: &pb.HubReply{Id: c.GetId(), R: &pb.HubReply_Done{Done: &pb.Done{}}}}})
	if err := <-told; err != nil {
		t.Errorf("call made before the streams opened: %v", err)
	}
	p.recvLink()
	p.cancel()
	if err := <-told; !errors.Is(err, ErrUnavailable) || !errors.Is(err, wire.ErrBroken) {
		t.Errorf("call cut off: %v", err)
	}
}
