package sdk

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/internal/instance"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func deliverOf(e Event, sub uint32) *pb.Deliver {
	return &pb.Deliver{Event: event.ToProto(&e), Subscription: sub, Age: durationpb.New(time.Second), Attempt: 1}
}

// One class comes in order, one at a time; another class does not wait for it.
func TestOrderPerClass(t *testing.T) {
	const n = 500
	var mu sync.Mutex
	var seqs []uint64
	hold := make(chan struct{})
	p := start(t, stub{handle: func(_ context.Context, d Delivery) error {
		if d.Event.Type == TypeMotion {
			<-hold
			mu.Lock()
			seqs = append(seqs, d.Event.Seq)
			mu.Unlock()
		}
		if d.Age < time.Second || d.Attempt != 1 {
			t.Errorf("delivery: %+v", d)
		}
		return nil
	}})
	for i := range n {
		e := NewEvent(TypeMotion, fmt.Sprint("c", i%3), Motion{})
		e.Seq = uint64(i + 1)
		p.sendLink(&pb.FromHub{M: &pb.FromHub_Deliver{Deliver: deliverOf(e, 0)}})
	}
	ring := NewEvent(TypeRing, "door", Ring{})
	ring.Seq = n + 1
	p.sendUrgent(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Deliver{Deliver: deliverOf(ring, 0)}})
	if a := p.recvUrgent().GetAck(); a.GetSeq() != n+1 || a.GetError() != nil {
		t.Fatalf("the ring waits behind motions: %v", a)
	}
	close(hold)
	for i := range n {
		if a := p.recvLink().GetAck(); a.GetSeq() != uint64(i+1) || a.GetError() != nil {
			t.Fatalf("ack %d: %v", i, a)
		}
	}
	for i, s := range seqs {
		if s != uint64(i+1) {
			t.Fatalf("handled as number %d: %d", i+1, s)
		}
	}
}

// An event may overtake the answer that tells its subscription's number.
func TestEventOvertakesSubscribeReply(t *testing.T) {
	heard := make(chan Delivery, 1)
	p := start(t, stub{run: func(ctx context.Context, h *Hub) error {
		_, err := h.Subscribe(ctx, SubscribeRequest{Filters: []string{"camera.**"}, Name: "mine"}, func(_ context.Context, d Delivery) error {
			heard <- d
			return nil
		})
		return err
	}})
	call := p.recvLink().GetCall()
	ring := NewEvent(TypeRing, "door", Ring{})
	ring.Seq = 9
	p.sendUrgent(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Deliver{Deliver: deliverOf(ring, 5)}})
	// A command on the same stream is answered after the delivery was read.
	p.sendUrgent(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Command{Command: p.command("1", time.Second, "", &pb.Command{C: &pb.Command_ChimeStop{ChimeStop: &pb.ChimeStop{}}})}})
	p.recvUrgent()
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Reply{Reply: &pb.HubReply{Id: call.GetId(), R: &pb.HubReply_Subscribe{Subscribe: &pb.SubscribeReply{Subscription: 5}}}}})
	if d := <-heard; d.Event.ID != ring.ID {
		t.Errorf("heard %v", d)
	}
	if a := p.recvUrgent().GetAck(); a.GetSubscription() != 5 || a.GetSeq() != 9 {
		t.Errorf("ack %v", a)
	}
}

func TestDeliveryForNobody(t *testing.T) {
	p := start(t, stub{})
	e := NewEvent(TypeMotion, "door", Motion{})
	e.Seq = 3
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Deliver{Deliver: deliverOf(e, 77)}})
	if a := p.recvLink().GetAck(); a.GetError().GetCode() != pb.Code_CODE_NOT_FOUND || a.GetSeq() != 3 {
		t.Errorf("ack %v", a)
	}
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Deliver{Deliver: &pb.Deliver{Event: &pb.Event{Id: "x", Seq: 4}}}})
	if a := p.recvLink().GetAck(); a.GetError().GetCode() != pb.Code_CODE_INVALID || a.GetSeq() != 4 {
		t.Errorf("ack %v", a)
	}
}

// What only a newer hub knows is taken and done with, or it would come again for ever.
func TestDeliveryOfANewerHub(t *testing.T) {
	p := start(t, stub{handle: func(context.Context, Delivery) error { t.Error("it was handled"); return nil }})
	e := event.ToProto(new(NewEvent(TypeMotion, "door", Motion{})))
	e.Type, e.Seq, e.Subject = "eclipse", 3, "camera.door.eclipse"
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Deliver{Deliver: &pb.Deliver{Event: e}}})
	if a := p.recvLink().GetAck(); a.GetError() != nil || a.GetSeq() != 3 {
		t.Errorf("ack %v", a)
	}
}

func chimePlay(m *pb.ChimePlay) *pb.Command {
	return &pb.Command{C: &pb.Command_ChimePlay{ChimePlay: m}}
}

// A chime that was killed inside Play sounds no second time for the same command.
func TestChimeSoundsOnceAcrossARestart(t *testing.T) {
	dir, sounded := t.TempDir(), 0
	s := stub{play: func(context.Context, PlayRequest) (PlayResult, error) {
		sounded++
		return PlayResult{Played: true}, nil
	}}
	for i := range 2 {
		p := connect(t, s)
		p.configure(dir)
		p.open()
		p.sendUrgent(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Command{Command: p.command("1", time.Second, "key", chimePlay(&pb.ChimePlay{}))}})
		r := p.recvUrgent().GetReply().GetChimePlayed()
		if r.GetPlayed() != (i == 0) || (r.GetReason() == "") != (i == 0) {
			t.Errorf("start %d: %v", i, r)
		}
	}
	if sounded != 1 {
		t.Errorf("sounded %d times", sounded)
	}
}

func TestReplayAndOldRingStaySilent(t *testing.T) {
	p := start(t, stub{play: func(context.Context, PlayRequest) (PlayResult, error) {
		t.Error("the author was asked")
		return PlayResult{}, nil
	}})
	for want, m := range map[string]*pb.ChimePlay{
		"not played: replay":  {Replay: true},
		"not played: too old": {Age: durationpb.New(16 * time.Second), IgnoreOlderThan: durationpb.New(15 * time.Second)},
	} {
		p.sendUrgent(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Command{Command: p.command("1", time.Second, "", chimePlay(m))}})
		if r := p.recvUrgent().GetReply(); r.GetError() != nil || !strings.HasPrefix(r.GetChimePlayed().GetReason(), want) {
			t.Errorf("want %q, have %v", want, r)
		}
	}
}

// A stuck command is answered at its deadline, keeps its place, and stands before no chime.
func TestStuckCommands(t *testing.T) {
	hold := make(chan struct{})
	defer close(hold)
	p := start(t, stub{
		ident: func(ctx context.Context, _ string) error { <-hold; return nil },
		play:  func(context.Context, PlayRequest) (PlayResult, error) { return PlayResult{Played: true}, nil },
	})
	for _, id := range ids(instance.LinkCommands + 1) {
		deadline := time.Minute
		if id == "0" {
			deadline = time.Millisecond
		}
		p.sendLink(&pb.FromHub{M: &pb.FromHub_Command{Command: p.command(id, deadline, "", &pb.Command{C: &pb.Command_DeviceIdentify{DeviceIdentify: &pb.DeviceIdentify{}}})}})
	}
	codes := map[pb.Code]int{}
	for range 2 {
		codes[p.recvLink().GetReply().GetError().GetCode()]++
	}
	if codes[pb.Code_CODE_DEADLINE] != 1 || codes[pb.Code_CODE_EXHAUSTED] != 1 {
		t.Errorf("answers: %v", codes)
	}
	p.sendUrgent(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Command{Command: p.command("c", time.Second, "", chimePlay(&pb.ChimePlay{}))}})
	if r := p.recvUrgent().GetReply(); !r.GetChimePlayed().GetPlayed() {
		t.Errorf("the chime waits: %v", r)
	}
	// Stop does not wait for them longer than its deadline.
	if _, err := p.client.Stop(p.ctx, &pb.StopRequest{Deadline: durationpb.New(50 * time.Millisecond)}); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// Who works until the deadline comes is still heard: he knows why it was too short.
func TestLastWord(t *testing.T) {
	p := start(t, stub{play: func(ctx context.Context, _ PlayRequest) (PlayResult, error) {
		<-ctx.Done()
		return PlayResult{Reason: "behind other sounds"}, nil
	}})
	p.sendUrgent(&pb.UrgentFromHub{M: &pb.UrgentFromHub_Command{Command: p.command("1", time.Second, "", chimePlay(&pb.ChimePlay{}))}})
	if r := p.recvUrgent().GetReply(); r.GetError() != nil || r.GetChimePlayed().GetReason() != "behind other sounds" {
		t.Errorf("have %v", r)
	}
}

func TestRepeatedKey(t *testing.T) {
	calls := 0
	p := start(t, stub{ident: func(context.Context, string) error {
		if calls++; calls == 1 {
			return fmt.Errorf("lamp: %w", ErrBusy)
		}
		return errors.New("burnt out")
	}})
	var got []string
	for _, id := range ids(4) {
		p.sendLink(&pb.FromHub{M: &pb.FromHub_Command{Command: p.command(id, time.Second, "k", &pb.Command{C: &pb.Command_DeviceIdentify{DeviceIdentify: &pb.DeviceIdentify{}}})}})
		r := p.recvLink().GetReply()
		if r.GetId() != id {
			t.Errorf("reply %s to command %s", r.GetId(), id)
		}
		got = append(got, r.GetError().GetMessage())
	}
	// The first says "try again", so the second is carried out; its answer stays.
	if calls != 2 || got[1] != got[2] || got[2] != got[3] || got[0] == got[1] {
		t.Errorf("%d calls, answers %q", calls, got)
	}
}

func TestCommandBeforeConfig(t *testing.T) {
	p := connect(t, stub{})
	p.open()
	p.sendLink(&pb.FromHub{M: &pb.FromHub_Command{Command: p.command("1", time.Second, "", &pb.Command{})}})
	if r := p.recvLink().GetReply(); r.GetError().GetCode() != pb.Code_CODE_UNAVAILABLE {
		t.Errorf("have %v", r)
	}
}
