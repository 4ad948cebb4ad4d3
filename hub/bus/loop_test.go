package bus

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

func TestIDIsDeliveredOnceAcrossRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	b, stop := open(t, Options{Journal: path})
	s := subscribe(t, b, SubscribeOptions{Name: "taker"})
	e := ring("door")
	first := publish(t, b, e, event.Durable)
	if again := publish(t, b, e, event.Duplicate); again.Seq != first.Seq {
		t.Fatalf("the repeat has seq %d, want %d", again.Seq, first.Seq)
	}
	s.Ack(take(t, s).Event.Seq)
	nothing2(t, s)
	stop()

	b, _ = open(t, Options{Journal: path})
	s = subscribe(t, b, SubscribeOptions{Name: "taker"})
	if again := publish(t, b, e, event.Duplicate); again.Seq != first.Seq {
		t.Fatalf("the repeat has seq %d, want %d", again.Seq, first.Seq)
	}
	next := publish(t, b, ring("door"), event.Durable)
	if d := take(t, s); d.Event.Seq != next.Seq {
		t.Fatal("the repeat was handed out")
	}
	if next.Seq != first.Seq+seqGap+1 {
		t.Fatalf("seq %d after the restart, want %d", next.Seq, first.Seq+seqGap+1)
	}
	if st := b.Stats(); st.Duplicates != 1 {
		t.Fatalf("stats %+v", st)
	}
}

// An id from a clock that ran ahead is not looked up beforehand; the journal's
// index knows it all the same.
func TestJournalIndexCatchesWhatMemoryForgot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	b, stop := open(t, Options{Journal: path})
	e := ring("door")
	e.ID = "ff" + e.ID[2:] // some thousand years ahead
	first := publish(t, b, e, event.Durable)
	publish(t, b, ring("door"), event.Durable)
	stop()
	b, _ = open(t, Options{Journal: path})
	publish(t, b, e, event.Duplicate)
	if evs, err := b.Events(t.Context(), Query{}); err != nil || len(evs) != 2 || evs[1].Seq != first.Seq {
		t.Fatalf("got %v, %v", evs, err)
	}
}

// A press made before the hub's start may have been heard before the hub died.
func TestPressFromBeforeTheStartIsAReplay(t *testing.T) {
	b, _ := open(t, Options{})
	s := subscribe(t, b, SubscribeOptions{})
	for _, replay := range []bool{true, false} {
		e := ring("door")
		if replay { // as made in the ms before
			id := uuid.MustParse(e.ID)
			binary.BigEndian.PutUint64(id[:8], uint64(b.start.UnixMilli()-1)<<16|0x7abc)
			e.ID = id.String()
		}
		publish(t, b, e, event.Durable)
		if d := take(t, s); d.Event.ID != e.ID || d.Replay != replay {
			t.Fatalf("got %+v, want replay %v", d, replay)
		}
	}
}

// A repeat of what is not durable yet must not be told that all is well.
func TestRepeatWaitsForTheFirstsCommit(t *testing.T) {
	hold := make(chan struct{})
	b, _ := open(t, Options{beforeCommit: func() error { <-hold; return nil }})
	e := ring("door")
	type answer struct {
		which string
		out   event.Outcome
	}
	answers := make(chan answer, 2)
	for _, which := range []string{"first", "repeat"} {
		if err := b.Publish(t.Context(), e, func(r event.Result, _ error) { answers <- answer{which, r.Outcome} }); err != nil {
			t.Fatal(err)
		}
	}
	for b.Stats().Duplicates == 0 {
		yield()
	}
	select {
	case a := <-answers:
		t.Fatalf("answered before the commit: %v", a)
	default:
	}
	close(hold)
	if a := <-answers; a != (answer{"first", event.Durable}) {
		t.Fatalf("got %v", a)
	}
	if a := <-answers; a != (answer{"repeat", event.Duplicate}) {
		t.Fatalf("got %v", a)
	}
}

func TestDebouncePerCamera(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := open(t, Options{Debounce: func(camera string) time.Duration {
			if camera == "gate" {
				return 0
			}
			return 5 * time.Second
		}})
		defer stop()
		s := subscribe(t, b, SubscribeOptions{})
		first := publish(t, b, ring("door"), event.Durable)
		time.Sleep(4 * time.Second)
		bounced := ring("door")
		if r := publish(t, b, bounced, event.Duplicate); r.Seq != first.Seq {
			t.Fatalf("seq %d, want the first press's %d", r.Seq, first.Seq)
		}
		publish(t, b, ring("side"), event.Durable)
		publish(t, b, ring("gate"), event.Durable)
		publish(t, b, ring("gate"), event.Durable)
		publish(t, b, motion("door"), event.Durable)
		time.Sleep(time.Second) // the span runs from the first press
		publish(t, b, bounced, event.Duplicate)
		publish(t, b, ring("door"), event.Durable)
		got := map[string]int{}
		for range 6 {
			d := take(t, s)
			got[d.Event.Subject]++
			s.Ack(d.Event.Seq)
		}
		nothing2(t, s)
		if got["camera.door.ring"] != 2 || got["camera.side.ring"] != 1 || got["camera.gate.ring"] != 2 || got["camera.door.motion"] != 1 {
			t.Fatalf("got %v", got)
		}
	})
}

func TestDeviceClockFarOffIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	b, stop := open(t, Options{Journal: path})
	now := time.Now()
	want := map[string]bool{}
	for _, c := range []struct {
		at       time.Time
		replaced bool
	}{{time.Unix(0, 0), true}, {now.Add(-25 * time.Hour), true}, {now.Add(25 * time.Hour), true}, {now.Add(-23 * time.Hour), false}, {time.Time{}, false}} {
		e := motion("yard")
		e.Time = c.at
		want[e.ID] = c.replaced
		publish(t, b, e, event.Durable)
	}
	check := func(b *Bus) {
		t.Helper()
		evs, err := b.Events(t.Context(), Query{})
		if err != nil || len(evs) != len(want) {
			t.Fatalf("got %v, %v", evs, err)
		}
		for _, e := range evs {
			if e.TimeReplaced != want[e.ID] || e.TimeReplaced && !e.Time.Equal(e.Received) {
				t.Fatalf("time %v, received %v, replaced %v; want %v", e.Time, e.Received, e.TimeReplaced, want[e.ID])
			}
		}
	}
	check(b)
	stop()
	b, _ = open(t, Options{Journal: path})
	check(b)
}

func TestQueries(t *testing.T) {
	var hold atomic.Bool
	gate := make(chan struct{})
	b, _ := open(t, Options{beforeCommit: func() error {
		if hold.Load() {
			<-gate
		}
		return nil
	}})
	defer close(gate)
	start := time.Now()
	press := ring("door")
	publish(t, b, press, event.Durable)
	chime := event.Event{ID: event.NewID(), Type: event.TypeChime, Subject: "chime.hall.played", Correlation: press.ID, Data: event.ChimeResult{}}
	publish(t, b, chime, event.Durable)
	for range 10 {
		publish(t, b, motion("yard"), event.Durable)
	}
	half := time.Now()
	hold.Store(true)
	late := motion("door") // not written yet
	if err := b.Publish(t.Context(), late, nil); err != nil {
		t.Fatal(err)
	}
	for b.Stats().NotDurable == 0 {
		yield()
	}
	for name, c := range map[string]struct {
		q    Query
		want int
		top  string
	}{
		"all":         {Query{}, 13, late.ID},
		"camera":      {Query{Camera: "door"}, 2, late.ID},
		"rings":       {Query{Types: []event.Type{event.TypeRing}}, 1, press.ID},
		"two types":   {Query{Types: []event.Type{event.TypeRing, event.TypeChime}}, 2, chime.ID},
		"correlation": {Query{Correlation: press.ID}, 1, chime.ID},
		"limit":       {Query{Limit: 3}, 3, late.ID},
		"since":       {Query{Since: half}, 1, late.ID},
		"until":       {Query{Until: half, Camera: "door"}, 1, press.ID},
		"before all":  {Query{Until: start}, 0, ""},
		"future":      {Query{Since: half.Add(time.Hour)}, 0, ""},
	} {
		evs, err := b.Events(t.Context(), c.q)
		if err != nil || len(evs) != c.want || c.want > 0 && evs[0].ID != c.top {
			t.Errorf("%s: got %d events, %v; want %d, first %s", name, len(evs), err, c.want, c.top)
		}
		for i := 1; i < len(evs); i++ {
			if evs[i].Seq >= evs[i-1].Seq {
				t.Errorf("%s: not newest first", name)
			}
		}
	}
	page, err := b.Events(t.Context(), Query{Limit: 5})
	if err != nil {
		t.Fatal(err)
	}
	next, err := b.Events(t.Context(), Query{Before: page[4].Seq})
	if err != nil || len(next) != 8 {
		t.Fatalf("next page has %d, %v", len(next), err)
	}
	if e, err := b.Event(t.Context(), late.ID); err != nil || e.ID != late.ID {
		t.Fatalf("got %v, %v", e, err)
	}
	for _, id := range []string{event.NewID(), "no id"} {
		if _, err := b.Event(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestBadEventsAreRefused(t *testing.T) {
	b, stop := open(t, Options{})
	good := motion("yard")
	for name, change := range map[string]func(*event.Event){
		"id":      func(e *event.Event) { e.ID = "7" },
		"version": func(e *event.Event) { e.ID = "6ba7b810-9dad-41d1-80b4-00c04fd430c8" },
		"type":    func(e *event.Event) { e.Type = "wish" },
		"subject": func(e *event.Event) { e.Subject = "Camera!" },
		"size":    func(e *event.Event) { e.Data = event.Motion{Zones: []string{strings.Repeat("x", event.MaxSize)}} },
		"utf-8":   func(e *event.Event) { e.Data = event.Motion{Zones: []string{"\xff"}} },
	} {
		e := good
		change(&e)
		if r, err := b.PublishWait(t.Context(), e); err == nil || r.Outcome != event.Rejected {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
	stop()
	if _, err := b.PublishWait(t.Context(), good); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v, want closed", err)
	}
	if _, err := b.Subscribe(SubscribeOptions{Filters: []string{"**"}}); err == nil {
		t.Fatal("subscribed to a bus that ended")
	}
}

func TestNewerJournalIsRefusedUntouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	db, err := store.Open(t.Context(), path, store.Room{Name: "bus", Steps: append(journal.Steps(), `CREATE TABLE tomorrow (x)`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), Options{Journal: path})
	var c interface{ Code() string }
	if !errors.As(err, &c) || c.Code() != store.CodeNewer {
		t.Fatalf("got %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Fatal("the newer journal was changed")
	}
}

// What was handed over before the end is answered, delivered and written.
func TestEndAnswersEveryPublisher(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	b, stop := open(t, Options{Journal: path})
	var taken, answered atomic.Int64
	var publishers sync.WaitGroup
	for range 8 {
		publishers.Go(func() {
			for {
				err := b.Publish(context.Background(), motion("yard"), func(r event.Result, err error) {
					if err == nil && r.Outcome == event.Durable {
						answered.Add(1)
					}
				})
				if err != nil {
					return
				}
				taken.Add(1)
			}
		})
	}
	for taken.Load() < 1000 {
		yield()
	}
	stop()
	publishers.Wait()
	if taken.Load() != answered.Load() {
		t.Fatalf("%d taken, %d answered as durable", taken.Load(), answered.Load())
	}
	if n := count(t, path); n != taken.Load() {
		t.Fatalf("%d in the journal, want %d", n, taken.Load())
	}
}

// count gives how many events the journal holds.
func count(t testing.TB, path string) (n int64) {
	t.Helper()
	db, err := store.OpenSQLite(t.Context(), path, "query_only(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM events`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
