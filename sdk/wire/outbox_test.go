package wire

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func newLink() *Outbox[*pb.FromPlugin] {
	return NewOutbox(func(p *pb.Publish) *pb.FromPlugin { return &pb.FromPlugin{M: &pb.FromPlugin_Publish{Publish: p}} })
}

// stream collects what an outbox sends.
type stream struct {
	sent   []*pb.FromPlugin
	cancel context.CancelFunc
	done   chan error
}

func open(ctx context.Context, o *Outbox[*pb.FromPlugin]) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{cancel: cancel, done: make(chan error, 1)}
	go func() {
		s.done <- o.Serve(ctx, func(m *pb.FromPlugin) error {
			s.sent = append(s.sent, m)
			return nil
		}, func() {})
	}()
	synctest.Wait()
	return s
}

func (s *stream) end() {
	s.cancel()
	<-s.done
}

func (s *stream) ids() (out []string) {
	for _, m := range s.sent {
		if p := m.GetPublish(); p != nil {
			out = append(out, p.GetEvent().GetId())
		}
	}
	return out
}

func publish(ctx context.Context, o *Outbox[*pb.FromPlugin], id string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := o.Publish(ctx, &pb.Event{Id: id})
		done <- err
	}()
	synctest.Wait()
	return done
}

func TestOutboxHoldsToItsCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newLink()
		s := open(t.Context(), o)
		for i := range Credits + 5 {
			publish(t.Context(), o, fmt.Sprintf("%04d", i))
		}
		if n := len(s.ids()); n != Credits {
			t.Fatalf("%d are under way, want %d", n, Credits)
		}
		if sent, waiting := o.Outstanding(); sent != Credits || waiting != 5 {
			t.Fatalf("outstanding %d, waiting %d", sent, waiting)
		}
		o.Credit(2)
		o.Answer(&pb.PublishResult{EventId: "0007"})
		synctest.Wait()
		if n := len(s.ids()); n != Credits+3 {
			t.Errorf("%d were sent after two credits and an answer", n)
		}
		if !slices.IsSorted(s.ids()) {
			t.Error("sent out of order")
		}
		if o.Answer(&pb.PublishResult{EventId: "0007"}) {
			t.Error("an answer counted twice")
		}
		o.Close()
		s.end()
	})
}

// Acks and calls go before publishes, log lines after all.
func TestOutboxPriorities(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newLink()
		ctx, cancel := context.WithCancel(t.Context())
		gate := make(chan struct{})
		var sent []string
		go func() {
			_ = o.Serve(ctx, func(m *pb.FromPlugin) error {
				<-gate
				sent = append(sent, fmt.Sprintf("%T", m.GetM())[len("*pluginv1.FromPlugin_"):])
				return nil
			}, func() {})
		}()
		synctest.Wait()
		o.Offer(&pb.FromPlugin{M: &pb.FromPlugin_Log{}}) // taken at once, held at the gate
		synctest.Wait()
		o.Offer(&pb.FromPlugin{M: &pb.FromPlugin_Log{}})
		publish(ctx, o, "a")
		o.Send(&pb.FromPlugin{M: &pb.FromPlugin_Ack{}})
		close(gate)
		if err := o.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		if want := []string{"Log", "Ack", "Publish", "Log"}; !slices.Equal(sent, want) {
			t.Errorf("sent %v, want %v", sent, want)
		}
		cancel()
		o.Close()
	})
}

func TestOutboxSendsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newLink()
		first := open(t.Context(), o)
		var done []<-chan error
		for _, id := range []string{"1", "2", "3"} {
			done = append(done, publish(t.Context(), o, id))
		}
		o.Answer(&pb.PublishResult{EventId: "2"})
		first.end()
		done = append(done, publish(t.Context(), o, "4"))
		second := open(t.Context(), o)
		if got := second.ids(); !slices.Equal(got, []string{"1", "3", "4"}) {
			t.Errorf("the next stream got %v", got)
		}
		for _, id := range []string{"1", "3", "4"} {
			o.Answer(&pb.PublishResult{EventId: id})
		}
		for _, d := range done {
			if err := <-d; err != nil {
				t.Error(err)
			}
		}
		second.end()
	})
}

// A caller that gives up takes back what was not sent, and only that.
func TestOutboxGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newLink()
		ctx, cancel := context.WithCancel(t.Context())
		gone, stays := publish(ctx, o, "x"), publish(t.Context(), o, "x") // one id, two callers
		lone := publish(ctx, o, "y")
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := <-lone; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s := open(t.Context(), o)
		if got := s.ids(); !slices.Equal(got, []string{"x"}) {
			t.Errorf("sent %v, want what somebody still waits for, once", got)
		}
		o.Answer(&pb.PublishResult{EventId: "x"})
		if err := <-stays; err != nil {
			t.Error(err)
		}
		s.end()
	})
}

// Who reads the stream once the outbox has begun can answer the first thing he reads.
func TestOutboxBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newLink()
		ctx, cancel := context.WithCancel(t.Context())
		sent := 0
		go func() {
			_ = o.Serve(ctx, func(*pb.FromPlugin) error { sent++; return nil }, func() {
				if !o.Send(&pb.FromPlugin{M: &pb.FromPlugin_Reply{}}) {
					t.Error("the reply to the first command is lost")
				}
			})
		}()
		synctest.Wait()
		if sent != 1 {
			t.Errorf("%d replies were sent, want 1", sent)
		}
		cancel()
	})
}

func TestOutboxBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newLink()
		if o.Send(&pb.FromPlugin{}) {
			t.Error("an ack was taken without a stream")
		}
		if taken, _ := o.Offer(&pb.FromPlugin{}); taken {
			t.Error("a log line was taken without a stream")
		}
		for i := range maxWaiting {
			publish(t.Context(), o, fmt.Sprint(i))
		}
		if err := <-publish(t.Context(), o, "more"); !errors.Is(err, ErrFull) {
			t.Errorf("one too many: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = o.Serve(ctx, func(*pb.FromPlugin) error { <-ctx.Done(); return ctx.Err() }, func() {}) }()
		synctest.Wait()
		var dropped uint64
		for range maxIdle + 7 {
			_, d := o.Offer(&pb.FromPlugin{M: &pb.FromPlugin_Log{}})
			dropped += d
		}
		if o.dropped != 7 || dropped != 0 {
			t.Errorf("dropped %d, told %d", o.dropped, dropped)
		}
		o.Close()
		if err := <-publish(t.Context(), o, "late"); !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
		cancel()
	})
}

func TestCallsAreBoundedAndEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newLink()
		c := NewCalls(o)
		s := open(t.Context(), o)
		done := make(chan error, maxCalls+1)
		for range maxCalls + 1 {
			go func() {
				_, err := c.Do(t.Context(), &pb.HubCall{})
				done <- err
			}()
		}
		synctest.Wait()
		if n := len(s.sent); n != maxCalls {
			t.Errorf("%d calls at once, want %d", n, maxCalls)
		}
		id := s.sent[0].GetCall().GetId()
		if d := s.sent[0].GetCall().GetDeadline().AsDuration(); d != callDeadline {
			t.Errorf("deadline %s, want %s", d, callDeadline)
		}
		if !c.Answer(&pb.HubReply{Id: id}) || c.Answer(&pb.HubReply{Id: id}) {
			t.Error("an answer is taken once")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		s.end()
		c.Broken()
		for range maxCalls {
			if err := <-done; !errors.Is(err, ErrBroken) {
				t.Error(err)
			}
		}
		if _, err := c.Do(t.Context(), &pb.HubCall{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a stream: %v", err)
		}
		o.Close()
		if _, err := c.Do(t.Context(), &pb.HubCall{}); !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}
