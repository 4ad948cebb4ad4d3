package registry

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

type published []event.Event

func (p *published) Publish(_ context.Context, e event.Event, _ func(event.Result, error)) error {
	*p = append(*p, e)
	return nil
}

func TestOnlineIsToldOnceAChange(t *testing.T) {
	var told published
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	r := New(&told, slog.New(slog.DiscardHandler), func() time.Time { return now })
	r.Apply([]Device{{ID: "porch", Name: "Porch", Plugin: "demo"}})
	if d, _ := r.Device("porch"); d.Known || d.Online {
		t.Errorf("before anything was heard: %+v; unknown is not online", d)
	}
	steps := []struct {
		online bool
		reason string
	}{{true, ""}, {true, ""}, {false, "no picture comes from it"}, {false, "plugin demo is backoff"}, {true, ""}}
	for _, s := range steps {
		now = now.Add(time.Minute)
		r.SetOnline(t.Context(), "porch", s.online, s.reason)
	}
	r.SetOnline(t.Context(), "cellar", true, "")
	if len(told) != 3 {
		t.Fatalf("%d events, want one for each change: %+v", len(told), told)
	}
	for i, want := range []bool{true, false, true} {
		o := told[i].Data.(event.Online)
		if o.Online != want || told[i].Subject != "camera.porch.online" || told[i].CameraName != "Porch" {
			t.Errorf("event %d: %+v", i, told[i])
		}
	}
	d, _ := r.Device("porch")
	if !d.Online || !d.LastSeen.Equal(now) || d.OfflineReason != "" {
		t.Errorf("at the end: %+v", d)
	}
}

func TestApplyKeepsWhatIsKnownOfOneThatStays(t *testing.T) {
	var told published
	now := time.Now()
	r := New(&told, slog.New(slog.DiscardHandler), func() time.Time { return now })
	r.Apply([]Device{{ID: "porch", Plugin: "demo"}, {ID: "yard", Plugin: "demo"}})
	r.SetOnline(t.Context(), "porch", true, "")
	r.SetOnline(t.Context(), "yard", true, "")
	r.Saw("porch", now)
	r.Saw("porch", now.Add(-time.Hour)) // an older one, late
	r.Apply([]Device{{ID: "porch", Name: "Front door", Plugin: "demo"}, {ID: "yard", Plugin: "other"}})
	porch, _ := r.Device("porch")
	if !porch.Online || porch.Name != "Front door" || !porch.LastEvent.Equal(now) {
		t.Errorf("renamed: %+v", porch)
	}
	if yard, _ := r.Device("yard"); yard.Known {
		t.Errorf("of another plugin now, and still known: %+v", yard)
	}
	if of := r.Of("demo"); len(of) != 1 || of[0].ID != "porch" {
		t.Errorf("demo's: %+v", of)
	}
	r.Apply(nil)
	if len(r.Devices()) != 0 {
		t.Error("a removed camera is still there")
	}
}
