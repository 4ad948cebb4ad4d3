package rules

import (
	"context"
	"log/slog"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// bell counts what was rung; hub/chimes has its own tests.
type bell chan string

func (b bell) Ring(_ context.Context, d event.Delivery, _ time.Duration) []string {
	b <- d.Event.ID
	return []string{"hall"}
}

// house runs a bus on the journal given, and the rule where wanted.
func house(t *testing.T, journal string, b bell, limit time.Duration) (*bus.Bus, func()) {
	t.Helper()
	bs, err := bus.Open(t.Context(), bus.Options{Journal: journal, Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = bs.Serve(ctx) })
	if b != nil {
		r := New(bs, b, func(string) time.Duration { return limit }, slog.New(slog.DiscardHandler))
		run.Go(func() { _ = r.Serve(ctx) })
		// What comes before the first subscription of all is nobody's.
		for !slices.ContainsFunc(bs.Stats().Takers, func(k bus.TakerStats) bool { return k.Name == "rules" }) {
			if t.Context().Err() != nil {
				t.Fatal("the rule does not subscribe")
			}
			runtime.Gosched()
		}
	}
	return bs, sync.OnceFunc(func() { stop(); run.Wait() })
}

// after waits for what the rule says of a ring.
func after(t *testing.T, b *bus.Bus, ring string) event.Event {
	t.Helper()
	for t.Context().Err() == nil {
		list, err := b.Events(t.Context(), bus.Query{Correlation: ring, Types: []event.Type{event.TypeRule, event.TypeHop}})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			return list[0]
		}
	}
	t.Fatal("the rule said nothing")
	return event.Event{}
}

func TestARingIsRungOnceAndAReplayNever(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal.db")
	rung := make(bell, 8)
	b, stop := house(t, journal, rung, 15*time.Second)
	defer stop()
	ring := event.New(event.TypeRing, "porch", event.Ring{})
	if _, err := b.PublishWait(t.Context(), ring); err != nil {
		t.Fatal(err)
	}
	if id := <-rung; id != ring.ID {
		t.Fatalf("rang %s", id)
	}
	fired := after(t, b, ring.ID)
	if d, ok := fired.Data.(event.RuleFired); !ok || d.Name != RingName || len(d.Actions) != 1 {
		t.Errorf("told %+v", fired)
	}
	stop()

	// A ring that comes while no rule runs is in the journal when one does.
	b, stop = house(t, journal, nil, 0)
	missed := event.New(event.TypeRing, "porch", event.Ring{})
	if _, err := b.PublishWait(t.Context(), missed); err != nil {
		t.Fatal(err)
	}
	stop()
	b, stop = house(t, journal, rung, 15*time.Second)
	defer stop()
	told := after(t, b, missed.ID)
	if h, ok := told.Data.(event.Hop); !ok || h.Outcome != "skipped" || !h.Replay {
		t.Errorf("of the missed one was told %+v", told.Data)
	}
	if len(rung) != 0 {
		t.Errorf("ring %s was rung out of the journal", <-rung)
	}
}

func TestAnOldRingIsShownNotRung(t *testing.T) {
	rung := make(bell, 1)
	r := New(&noBus{told: make(chan event.Event, 1)}, rung, func(string) time.Duration { return time.Second }, slog.New(slog.DiscardHandler))
	r.ring(t.Context(), event.Delivery{Event: event.New(event.TypeRing, "porch", event.Ring{}), Age: 2 * time.Second})
	if len(rung) != 0 {
		t.Error("it was rung")
	}
	e := <-r.bus.(*noBus).told
	if h, ok := e.Data.(event.Hop); !ok || h.Outcome != "skipped" {
		t.Errorf("told %+v", e.Data)
	}
}

// noBus takes what is published and gives nothing.
type noBus struct{ told chan event.Event }

func (*noBus) Subscribe(bus.SubscribeOptions) (*bus.Subscription, error) { return nil, bus.ErrClosed }

func (n *noBus) Publish(_ context.Context, e event.Event, _ func(event.Result, error)) error {
	n.told <- e
	return nil
}
