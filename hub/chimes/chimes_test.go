package chimes

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"log/slog"

	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// told keeps what was published; the bus itself has its own tests.
type told struct {
	mu     sync.Mutex
	events []event.Event
	quiets []event.Quiet    // their subject stands in Chime too
	ended  chan event.Quiet // where it is not nil: those that are no longer active
	more   chan struct{}
}

func (t *told) Publish(_ context.Context, e event.Event, _ func(event.Result, error)) error {
	t.mu.Lock()
	if q, ok := e.Data.(event.Quiet); ok {
		q.Chime += " " + e.Subject
		t.quiets = append(t.quiets, q)
		if t.ended != nil && !q.Active {
			t.ended <- q
		}
		t.mu.Unlock()
		return nil
	}
	t.events = append(t.events, e)
	t.mu.Unlock()
	t.more <- struct{}{}
	return nil
}

func (t *told) next(tb testing.TB) event.ChimeResult {
	tb.Helper()
	select {
	case <-t.more:
	case <-tb.Context().Done():
		tb.Fatal("nothing was published")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	r, ok := t.events[len(t.events)-1].Data.(event.ChimeResult)
	if !ok {
		tb.Fatalf("published %T", t.events[len(t.events)-1].Data)
	}
	return r
}

type playerFunc func(ctx context.Context, plugin string, p Play) (Played, error)

func (f playerFunc) Play(ctx context.Context, plugin string, p Play) (Played, error) {
	return f(ctx, plugin, p)
}

func room(t *testing.T, path string, now func() time.Time, player Player) (*Chimes, *told) {
	t.Helper()
	db, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	out := &told{more: make(chan struct{}, 100)}
	c, err := New(t.Context(), db, out, player, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Wait(context.Background()) })
	return c, out
}

func ring() event.Delivery {
	e := event.New(event.TypeRing, "porch", event.Ring{})
	e.CameraName = "Porch"
	return event.Delivery{Event: e}
}

func TestRingAsksEveryChimeThatIsNotMuted(t *testing.T) {
	asked := make(chan Play, 4)
	c, out := room(t, filepath.Join(t.TempDir(), "hub.db"), time.Now, playerFunc(func(_ context.Context, plugin string, p Play) (Played, error) {
		if plugin != "speaker" {
			t.Errorf("asked plugin %q", plugin)
		}
		asked <- p
		return Played{Played: true, Sound: p.Sound, Took: time.Millisecond}, nil
	}))
	c.Apply([]Chime{{ID: "hall", Plugin: "speaker", Sound: "gong", Volume: 40}, {ID: "attic", Plugin: "speaker", Sound: "chirp"}})
	if err := c.SetQuiet(t.Context(), event.Quiet{Active: true, Chime: "attic"}); err != nil {
		t.Fatal(err)
	}
	d := ring()
	if got := c.Ring(t.Context(), d, 15*time.Second); len(got) != 1 || got[0] != "hall" {
		t.Fatalf("asked %v, want hall alone", got)
	}
	p := <-asked
	if p.EventID != d.Event.ID || p.Sound != "gong" || p.Volume != 40 || p.CameraName != "Porch" || p.IgnoreOlderThan != 15*time.Second {
		t.Errorf("asked %+v", p)
	}
	results := map[string]event.ChimeResult{}
	for range 2 {
		r := out.next(t)
		results[r.Chime] = r
	}
	out.mu.Lock()
	for _, e := range out.events {
		r := e.Data.(event.ChimeResult)
		results[r.Chime] = r
		if e.Correlation != d.Event.ID {
			t.Errorf("result of %s does not name the ring", r.Chime)
		}
	}
	out.mu.Unlock()
	if !results["hall"].Played || results["attic"].Played || results["attic"].Reason != "muted" {
		t.Errorf("results %+v", results)
	}
}

func TestQuietHourSilencesAllAndSurvivesARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	now := time.Date(2026, 5, 1, 20, 0, 0, 0, time.Local)
	clock := func() time.Time { return now }
	silent := playerFunc(func(context.Context, string, Play) (Played, error) {
		t.Error("a chime sounded in the quiet hour")
		return Played{}, nil
	})
	c, out := room(t, path, clock, silent)
	c.Apply([]Chime{{ID: "hall", Plugin: "speaker"}})
	if err := c.SetQuiet(t.Context(), event.Quiet{Active: true, Until: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	c.Ring(t.Context(), ring(), 0)
	if r := out.next(t); r.Played || r.Reason != "quiet until 21:00" {
		t.Errorf("result %+v", r)
	}
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	again, _ := room(t, path, clock, silent)
	if q := again.Quiet(); !q.Active || !q.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("after a restart quiet is %+v", q)
	}
	now = now.Add(time.Hour)
	if again.Quiet().Active {
		t.Error("quiet has no end")
	}
	if err := again.SetQuiet(t.Context(), event.Quiet{Active: true, Until: now.Add(MaxQuiet + time.Minute)}); err == nil {
		t.Error("quiet for more than a day was taken")
	}
}

func TestAChimeThatFailsIsTold(t *testing.T) {
	c, out := room(t, filepath.Join(t.TempDir(), "hub.db"), time.Now, playerFunc(func(context.Context, string, Play) (Played, error) {
		return Played{}, errors.New("plugin speaker is stopped")
	}))
	c.Apply([]Chime{{ID: "hall", Plugin: "speaker"}})
	c.Ring(t.Context(), ring(), 0)
	if r := out.next(t); r.Played || r.Reason != "plugin speaker is stopped" {
		t.Errorf("result %+v", r)
	}
	if err := c.SetQuiet(t.Context(), event.Quiet{Active: true, Chime: "nobody"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("muting nobody: %v", err)
	}
	if _, err := c.Test(t.Context(), "nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("testing nobody: %v", err)
	}
}

// TestALateSoundIsNone: what waits behind other sounds is given up when the ring is
// as old as its limit, so that a storm of rings does not sound on for minutes.
func TestALateSoundIsNone(t *testing.T) {
	within := make(chan time.Duration, 4) // one of each ring
	c, out := room(t, filepath.Join(t.TempDir(), "hub.db"), time.Now, playerFunc(func(ctx context.Context, _ string, _ Play) (Played, error) {
		end, _ := ctx.Deadline()
		within <- time.Until(end)
		return Played{Reason: "it waited too long behind other sounds"}, nil
	}))
	c.Apply([]Chime{{ID: "hall", Plugin: "speaker"}})
	for _, tc := range []struct{ age, limit, most time.Duration }{
		{0, 0, playTimeout}, {0, 15 * time.Second, 15 * time.Second}, {10 * time.Second, 15 * time.Second, 5 * time.Second},
		{15 * time.Second, 15 * time.Second, leastTimeout}, {0, time.Hour, playTimeout},
	} {
		d := ring()
		d.Age = tc.age
		c.Ring(t.Context(), d, tc.limit)
		if got := <-within; got > tc.most || got <= 0 {
			t.Errorf("age %s, limit %s: it may take %s, want at most %s", tc.age, tc.limit, got, tc.most)
		}
		if r := out.next(t); r.Played || r.Reason != "it waited too long behind other sounds" {
			t.Errorf("result %+v", r)
		}
	}
}

func TestBrowserChime(t *testing.T) {
	c, out := room(t, filepath.Join(t.TempDir(), "hub.db"), time.Now, nil)
	c.Apply([]Chime{{ID: "tabs", Builtin: "browser", Sound: "ding_dong", Volume: 70}})
	c.Ring(t.Context(), ring(), 0)
	if r := out.next(t); r.Played || r.Reason != "no page is open" {
		t.Errorf("without pages: %+v", r)
	}
	one, stop, err := c.Sounds()
	if err != nil {
		t.Fatal(err)
	}
	two, stopTwo, err := c.Sounds()
	if err != nil {
		t.Fatal(err)
	}
	defer stopTwo()
	d := ring()
	c.Ring(t.Context(), d, 0)
	s := <-one
	if other := <-two; other != s || s.EventID != d.Event.ID || s.Sound != "ding_dong" || s.Volume != 70 {
		t.Errorf("pages got %+v and %+v", s, other)
	}
	c.Sounded(s.EventID, s.Chime, 9*time.Millisecond)
	c.Sounded(s.EventID, s.Chime, 99*time.Millisecond) // the second report changes nothing
	if r := out.next(t); !r.Played || r.Took != 9*time.Millisecond {
		t.Errorf("result %+v", r)
	}
	stop()
	old := ring()
	old.Age = time.Minute
	c.Ring(t.Context(), old, 15*time.Second)
	if r := out.next(t); r.Played || r.Reason != "too old" {
		t.Errorf("an old ring: %+v", r)
	}
}
