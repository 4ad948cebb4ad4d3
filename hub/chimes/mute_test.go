package chimes

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

func (t *told) quietSoFar() []event.Quiet {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.quiets)
}

// TestEachChangeOfQuietIsTold: by whoever it was made, by its own end, and by an end
// that came while the hub did not run.
func TestEachChangeOfQuietIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	now := time.Date(2026, 5, 1, 20, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	c, out := room(t, path, clock, nil)
	c.Apply([]Chime{{ID: "hall"}, {ID: "attic"}})
	set := func(q event.Quiet) {
		t.Helper()
		if err := c.SetQuiet(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	hour := now.Add(time.Hour)
	set(event.Quiet{Active: true, Until: hour, By: "owner"})
	set(event.Quiet{Active: true, Until: hour, By: "owner"}) // nothing new
	set(event.Quiet{Active: true, Chime: "hall", By: "plugin/homekit"})
	set(event.Quiet{Active: true, Chime: "attic", Until: now.Add(time.Minute)})
	set(event.Quiet{Active: true, Until: now.Add(-time.Second)}) // a time past ends it
	set(event.Quiet{Active: true, By: "plugin/homekit"})
	want := []event.Quiet{
		{Active: true, Until: hour, By: "owner", Chime: " system.quiet"},
		{Active: true, By: "plugin/homekit", Chime: "hall chime.hall.quiet"},
		{Active: true, Until: now.Add(time.Minute), Chime: "attic chime.attic.quiet"},
		{Chime: " system.quiet"},
		{Active: true, By: "plugin/homekit", Chime: " system.quiet"},
	}
	if got := out.quietSoFar(); !slices.Equal(got, want) {
		t.Fatalf("told\n%+v, want\n%+v", got, want)
	}
	if wait, err := c.end(t.Context()); err != nil || wait != time.Minute {
		t.Errorf("looks again in %s, %v", wait, err)
	}
	now = now.Add(59 * time.Second)
	if wait, err := c.end(t.Context()); err != nil || wait != time.Second || !c.Muted("attic").Active {
		t.Errorf("a second before: looks again in %s, %v, %+v", wait, err, c.Muted("attic"))
	}
	now = now.Add(time.Second)
	if c.Muted("attic").Active {
		t.Error("a mute that is over still holds")
	}
	if _, err := c.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := out.quietSoFar()[5:]; !slices.Equal(got, []event.Quiet{{Chime: "attic chime.attic.quiet"}}) {
		t.Errorf("at the end of a mute told %+v", got)
	}
	set(event.Quiet{Active: true, Until: hour})
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}

	again, _ := room(t, path, clock, nil)
	again.Apply([]Chime{{ID: "hall"}, {ID: "attic"}})
	if q := again.Quiet(); !q.Active || !q.Until.Equal(hour) {
		t.Errorf("after a restart %+v", q)
	}
	if q := again.Muted("hall"); !q.Active || !q.Until.IsZero() || q.By != "plugin/homekit" || again.Muted("attic").Active {
		t.Errorf("after a restart hall is %+v, attic %+v", q, again.Muted("attic"))
	}
	if list := again.List(); list[0].Muted || !list[1].Muted {
		t.Errorf("listed as %+v", list)
	}
	if err := again.db.Close(); err != nil {
		t.Fatal(err)
	}
	now = now.Add(24 * time.Hour)
	later, out := room(t, path, clock, nil)
	if _, err := later.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := out.quietSoFar(); !slices.Equal(got, []event.Quiet{{Chime: " system.quiet"}}) {
		t.Errorf("what ended meanwhile was told as %+v", got)
	}
	if _, err := later.end(t.Context()); err != nil || len(out.quietSoFar()) != 1 {
		t.Errorf("it was told again: %v", err)
	}
}

func TestQuietWithoutAnEnd(t *testing.T) {
	now := time.Date(2026, 5, 1, 20, 0, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "hub.db")
	c, out := room(t, path, func() time.Time { return now }, nil)
	c.Apply([]Chime{{ID: "hall", Plugin: "speaker"}})
	if err := c.SetQuiet(t.Context(), event.Quiet{Active: true}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(48 * time.Hour)
	c.Ring(t.Context(), ring(), 0)
	if r := out.next(t); r.Played || r.Reason != "quiet" {
		t.Errorf("result %+v", r)
	}
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	again, _ := room(t, path, func() time.Time { return now }, nil)
	if q := again.Quiet(); !q.Active || !q.Until.IsZero() {
		t.Errorf("after a restart %+v", q)
	}
	if err := again.SetQuiet(t.Context(), event.Quiet{}); err != nil || again.Quiet().Active {
		t.Errorf("it cannot be ended: %v", err)
	}
}

// TestServeLooksAtOnce: a quiet time that is set while nothing was due ends in time.
func TestServeLooksAtOnce(t *testing.T) {
	c, out := room(t, filepath.Join(t.TempDir(), "hub.db"), time.Now, nil)
	out.ended = make(chan event.Quiet, 1)
	done := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { done <- c.Serve(ctx) }()
	if err := c.SetQuiet(t.Context(), event.Quiet{Active: true, Until: time.Now().Add(50 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	select {
	case q := <-out.ended:
		if q.Active {
			t.Errorf("told %+v", q)
		}
	case <-t.Context().Done():
		t.Fatal("its end was not told")
	}
	stop()
	<-done
}
