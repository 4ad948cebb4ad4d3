package bus

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// open runs a bus until the test ends or stop is called.
func open(t testing.TB, o Options) (b *Bus, stop func()) {
	t.Helper()
	if o.Journal == "" {
		o.Journal = filepath.Join(t.TempDir(), "journal.db")
	}
	if o.Ballast == 0 {
		o.Ballast = -1
	}
	b, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- b.Serve(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-over; err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return b, stop
}

func ring(camera string) event.Event { return event.New(event.TypeRing, camera, event.Ring{}) }

func motion(camera string) event.Event {
	return event.New(event.TypeMotion, camera, event.Motion{Active: true})
}

func subscribe(t testing.TB, b *Bus, o SubscribeOptions) *Subscription {
	t.Helper()
	if o.Filters == nil {
		o.Filters = []string{"**"}
	}
	s, err := b.Subscribe(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(t testing.TB, b *Bus, e event.Event, want event.Outcome) event.Result {
	t.Helper()
	r, err := b.PublishWait(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if r.Outcome != want {
		t.Fatalf("publish %s: %s, want %s", e.Subject, r.Outcome, want)
	}
	return r
}

type nexter interface {
	Next(context.Context) (event.Delivery, error)
}

func take(t testing.TB, s nexter) event.Delivery {
	t.Helper()
	d, err := s.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// nothing checks that s has nothing to give now.
func nothing(t testing.TB, s nexter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if d, err := s.Next(ctx); err == nil {
		t.Fatalf("got %s %s, want nothing", d.Event.Subject, d.Event.ID)
	}
}

func TestPressReachesTakersAndJournal(t *testing.T) {
	b, _ := open(t, Options{})
	s := subscribe(t, b, SubscribeOptions{Name: "rules", Filters: []string{"camera.*.ring"}})
	e := ring("front_door")
	e.Received, e.Seq = time.Unix(1, 0), 77 // not the publisher's to say
	r := publish(t, b, e, event.Durable)
	d := take(t, s)
	if d.Event.ID != e.ID || d.Event.Seq != r.Seq || d.Replay || d.Attempt != 1 || time.Since(d.Event.Received) > time.Minute {
		t.Fatalf("got %+v", d)
	}
	s.Ack(d.Event.Seq)
	if !s.Seen(t.Context(), e.ID) {
		t.Fatal("acknowledged and not seen")
	}
	got, err := b.Event(t.Context(), e.ID)
	if err != nil || got.Seq != r.Seq {
		t.Fatalf("got %+v, %v", got, err)
	}
	evs, err := b.Events(t.Context(), Query{Types: []event.Type{event.TypeRing}})
	if err != nil || len(evs) != 1 || evs[0].ID != e.ID {
		t.Fatalf("got %v, %v", evs, err)
	}
}

func TestOrderPerCameraAndClass(t *testing.T) {
	b, _ := open(t, Options{})
	s := subscribe(t, b, SubscribeOptions{Name: "timeline"})
	const each, cameras = 100, 4
	var sent [cameras][]string
	done := make(chan struct{}, each*cameras)
	for range each {
		for c := range cameras {
			e := motion(fmt.Sprintf("cam%d", c))
			sent[c] = append(sent[c], e.ID)
			if err := b.Publish(t.Context(), e, func(event.Result, error) { done <- struct{}{} }); err != nil {
				t.Fatal(err)
			}
		}
	}
	var got [cameras][]string
	for range each * cameras {
		d := take(t, s)
		s.Ack(d.Event.Seq)
		c := d.Event.Camera[3] - '0'
		got[c] = append(got[c], d.Event.ID)
	}
	for c := range cameras {
		if !slices.Equal(sent[c], got[c]) {
			t.Fatalf("camera %d: another order", c)
		}
	}
	for range each * cameras {
		<-done
	}
}

// yield lets others run while a test awaits a condition.
func yield() { runtime.Gosched() }
