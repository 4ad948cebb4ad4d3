package journal

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

func row(t *testing.T, seq uint64, typ event.Type, camera string) *Row {
	t.Helper()
	e := event.New(typ, camera, nil)
	body, err := event.Marshal(&e)
	if err != nil {
		t.Fatal(err)
	}
	e.Seq, e.Received = seq, time.Now()
	return &Row{Event: e, ID: uuid.MustParse(e.ID), Class: e.Class(), Body: body, Mono: time.Duration(seq)}
}

func TestGroupIsWholeOrNothing(t *testing.T) {
	j, err := Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	w := j.Writer()
	defer w.Close()
	ctx := t.Context()
	first := row(t, 1, event.TypeRing, "door")
	put := func(rows ...*Row) func(*Group) error {
		return func(g *Group) error {
			for _, r := range rows {
				if _, err := g.Event(ctx, r); err != nil {
					return err
				}
			}
			return nil
		}
	}
	if err := w.Write(ctx, true, put(first)); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	if err := w.Write(ctx, false, func(g *Group) error {
		return errors.Join(put(row(t, 2, event.TypeMotion, "door"))(g), g.Cursor(ctx, "rules", 0, 2, time.Now()), no)
	}); !errors.Is(err, no) {
		t.Fatalf("got %v", err)
	}
	if last, id, err := j.Last(ctx); err != nil || last != 1 || id != first.ID {
		t.Fatalf("last %d, %v: half a group was kept", last, err)
	}
	again := *first
	again.Event.Seq = 9
	if err := w.Write(ctx, false, func(g *Group) error {
		if repeat, err := g.Event(ctx, &again); err != nil || !repeat {
			t.Errorf("a known id: repeat %v, %v", repeat, err)
		}
		return put(row(t, 10, event.TypeMotion, "door"), row(t, 11, event.TypeMotion, "yard"), row(t, 12, event.TypeRing, "yard"))(g)
	}); err != nil {
		t.Fatal(err)
	}
	got, looked, err := j.Replay(ctx, event.ClassNormal, 0, 11, 1, []string{"camera.yard.*"})
	if err != nil || len(got) != 1 || got[0].Event.Seq != 11 || looked != 11 || got[0].Earlier || got[0].Mono != 11 {
		t.Fatalf("got %v up to %d, %v", got, looked, err)
	}
	got, _, err = j.Replay(ctx, event.ClassCritical, 0, 11, 5, []string{"**"})
	if err != nil || len(got) != 1 || got[0].Event.ID != first.Event.ID || !got[0].Earlier {
		t.Fatalf("got %v, %v", got, err)
	}
	if r, err := j.ByID(ctx, first.ID, 0); err != nil || r == nil || r.Event.Camera != "door" {
		t.Fatalf("got %v, %v", r, err)
	}
	if r, err := j.ByID(ctx, uuid.New(), 0); err != nil || r != nil {
		t.Fatalf("got %v, %v", r, err)
	}
}

func TestExpireAndStates(t *testing.T) {
	j, err := Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	w := j.Writer()
	defer w.Close()
	ctx := t.Context()
	if err := w.Write(ctx, false, func(g *Group) error {
		for seq := range uint64(3 * expireRows) {
			if _, err := g.Event(ctx, row(t, seq+1, event.TypeMotion, "door")); err != nil {
				return err
			}
			if err := g.State(ctx, row(t, seq+1, event.TypeOnline, "door")); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	states, err := j.States(ctx)
	if err != nil || len(states) != 1 || states[0].Event.Seq != 3*expireRows {
		t.Fatalf("%d states, %v; want the latest alone", len(states), err)
	}
	if err := j.Expire(ctx, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if left, err := j.Search(ctx, Query{Limit: 1000}, 0); err != nil || len(left) > 63 {
		t.Fatalf("%d left, %v", len(left), err)
	}
	if last, _, err := j.Last(ctx); err != nil || last != 3*expireRows {
		t.Fatalf("last %d, %v: numbers go on all the same", last, err)
	}
}

func TestOneBadRowHidesNoOther(t *testing.T) {
	j, err := Open(t.Context(), filepath.Join(t.TempDir(), "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	told := 0
	j.Unreadable = func(error) { told++ }
	w := j.Writer()
	defer w.Close()
	bad := row(t, 2, event.TypeRing, "door")
	bad.Body = []byte("no event")
	if err := w.Write(t.Context(), true, func(g *Group) error {
		for _, r := range []*Row{row(t, 1, event.TypeRing, "door"), bad, row(t, 3, event.TypeRing, "door")} {
			if _, err := g.Event(t.Context(), r); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Search(t.Context(), Query{Limit: 10}, 0); err != nil || len(got) != 2 {
		t.Errorf("search: %d rows, %v", len(got), err)
	}
	if got, looked, err := j.Replay(t.Context(), event.ClassCritical, 0, 3, 0, []string{"camera.**"}); err != nil || len(got) != 2 || looked != 3 {
		t.Errorf("replay: %d rows up to %d, %v", len(got), looked, err)
	}
	if got, err := j.ByID(t.Context(), bad.ID, 0); err != nil || got != nil {
		t.Errorf("by id: %v, %v", got, err)
	}
	if told != 3 {
		t.Errorf("told of %d", told)
	}
}
