package timeline

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

func realBus(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Journal: filepath.Join(t.TempDir(), "journal.db"), Ballast: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = b.Serve(ctx) })
	t.Cleanup(func() { stop(); run.Wait() })
	return b
}

func publish(t *testing.T, b *bus.Bus, e event.Event) {
	t.Helper()
	if _, err := b.PublishWait(t.Context(), e); err != nil {
		t.Fatal(err)
	}
}

func TestTraceTellsEveryHopInOrder(t *testing.T) {
	b := realBus(t)
	tl := New(b)
	ring := event.New(event.TypeRing, "porch", event.Ring{})
	ring.Source, ring.Correlation = "bell", ring.ID
	ring.Time = time.Now().Add(-100 * time.Millisecond)
	publish(t, b, ring)
	follow := func(subject string, typ event.Type, data event.Data) event.Event {
		return event.Event{ID: event.NewID(), Type: typ, Subject: subject, Camera: "porch", Correlation: ring.ID, Data: data}
	}
	chime := follow("chime.attic.failed", event.TypeChime, event.ChimeResult{Chime: "attic", Reason: "no page is open"})
	for _, e := range []event.Event{
		follow("rule.ring_everything.fired", event.TypeRule, event.RuleFired{Rule: "ring_everything", Name: "Ring the house", Actions: []string{"attic", "hall"}}),
		follow("chime.hall.played", event.TypeChime, event.ChimeResult{Chime: "hall", Played: true, Sound: "gong", Took: time.Millisecond}),
		chime,
		follow("chime.cellar.failed", event.TypeChime, event.ChimeResult{Chime: "cellar", Reason: "muted"}),
		follow("plugin.home.hop", event.TypeHop, event.Hop{EventID: ring.ID, Taker: "plugin home", Outcome: "failed", Detail: "401"}),
	} {
		publish(t, b, e)
	}
	publish(t, b, event.New(event.TypeMotion, "porch", event.Motion{Active: true})) // of another matter

	for name, id := range map[string]string{"of the ring": ring.ID, "of what followed": chime.ID} {
		tr, err := tl.Trace(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if tr.Event.ID != ring.ID {
			t.Errorf("trace %s is of %s", name, tr.Event.ID)
		}
		want := []struct{ who, outcome string }{{"device", "ok"}, {"plugin bell", "ok"}, {"bus", "ok"}, {"rule Ring the house", "ok"},
			{"chime hall", "ok"}, {"chime attic", "failed"}, {"chime cellar", "skipped"}, {"plugin home", "failed"}}
		if len(tr.Hops) != len(want) {
			t.Fatalf("trace %s has %d hops: %+v", name, len(tr.Hops), tr.Hops)
		}
		for i, w := range want {
			h := tr.Hops[i]
			if h.Who != w.who || h.Outcome != w.outcome {
				t.Errorf("hop %d: %s %s, want %s %s", i, h.Who, h.Outcome, w.who, w.outcome)
			}
			if i > 0 && h.Since < tr.Hops[i-1].Since {
				t.Errorf("hop %d is before the one before it", i)
			}
		}
		if tr.Hops[2].Since < 100*time.Millisecond {
			t.Errorf("the way counts from the device's own time: the bus came after %s", tr.Hops[2].Since)
		}
		if tr.Hops[5].Fix == "" {
			t.Error("a failed hop says how to mend it")
		}
	}
	if _, err := tl.Trace(t.Context(), event.NewID()); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("a trace of nothing: %v", err)
	}
}

func TestAWrongDeviceClockIsTold(t *testing.T) {
	b := realBus(t)
	ring := event.New(event.TypeRing, "porch", event.Ring{})
	ring.Time = time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC)
	publish(t, b, ring)
	tr, err := New(b).Trace(t.Context(), ring.ID)
	if err != nil {
		t.Fatal(err)
	}
	if h := tr.Hops[len(tr.Hops)-1]; h.Who != "bus" || h.Fix == "" || h.Since > time.Hour {
		t.Errorf("hops %+v", tr.Hops)
	}
}
