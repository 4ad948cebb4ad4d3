package bus

import (
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

func TestSlowTakerIsCutOffAndReadsOnWithoutGapOrDouble(t *testing.T) {
	b, _ := open(t, Options{})
	s := subscribe(t, b, SubscribeOptions{Name: "slow", Filters: []string{"camera.*.motion", "camera.*.ring"}})
	const count = 3*normalQueue + 3*tailKept // past what the tail keeps, so that the journal is needed
	var ids []string
	answered := make(chan struct{}, count)
	for i := range count {
		e := motion("yard")
		if i%3 == 1 {
			e.Subject = "camera.yard.person" // not this taker's
			e.Type, e.Data = event.TypePerson, event.Detection{}
		} else {
			ids = append(ids, e.ID)
		}
		if err := b.Publish(t.Context(), e, func(event.Result, error) { answered <- struct{}{} }); err != nil {
			t.Fatal(err)
		}
	}
	// A ring now does not wait behind the backlog, and is no replay.
	press := ring("yard")
	publish(t, b, press, event.Durable)
	if d := take(t, s); d.Event.ID != press.ID || d.Replay {
		t.Fatalf("got %s (replay %v), want the live ring first", d.Event.Subject, d.Replay)
	} else {
		s.Ack(d.Event.Seq)
	}
	replays := 0
	for i, want := range ids {
		d := take(t, s)
		if d.Event.ID != want {
			t.Fatalf("event %d: got %s, want %s", i, d.Event.ID, want)
		}
		if d.Replay {
			replays++
		}
		s.Ack(d.Event.Seq)
	}
	nothing(t, s)
	st := s.Stats().Normal
	if st.CutOffs == 0 || !st.Live || replays == 0 || st.Open != 0 {
		t.Fatalf("stats %+v, %d replays", st, replays)
	}
	live := motion("yard")
	for range count {
		<-answered
	}
	publish(t, b, live, event.Durable)
	if d := take(t, s); d.Event.ID != live.ID || d.Replay {
		t.Fatalf("after the replay: got %+v", d)
	}
}

// Cut off while nothing can be written: it reads on from memory, and goes on in the
// journal after it.
func TestCutOffReadsOnFromMemoryWhatIsNotWritten(t *testing.T) {
	hold := make(chan struct{})
	b, _ := open(t, Options{beforeCommit: func() error { <-hold; return nil }})
	s := subscribe(t, b, SubscribeOptions{Filters: []string{"camera.*.motion"}})
	var ids []string
	for range 5 * normalQueue {
		e := motion("yard")
		ids = append(ids, e.ID)
		if err := b.Publish(t.Context(), e, nil); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range ids {
		if i == len(ids)/2 {
			close(hold)
		}
		d := take(t, s)
		if d.Event.ID != want {
			t.Fatalf("event %d: got %s, want %s", i, d.Event.ID, want)
		}
		s.Ack(d.Event.Seq)
	}
	nothing(t, s)
}

func TestUnansweredBoundAndRingsApart(t *testing.T) {
	b, _ := open(t, Options{})
	s := subscribe(t, b, SubscribeOptions{Filters: []string{"**"}})
	for range normalQueue + 10 {
		publish(t, b, motion("yard"), event.Durable)
	}
	var last event.Delivery
	for range normalQueue {
		last = take(t, s.Normal())
	}
	nothing(t, s.Normal()) // too many in its hands
	publish(t, b, ring("yard"), event.Durable)
	take(t, s.Critical())
	s.AckUpTo(event.ClassNormal, last.Event.Seq)
	for range 10 {
		s.Ack(take(t, s.Normal()).Event.Seq)
	}
	nothing(t, s.Normal())
}

func TestCursorMovesOverContiguousAcks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	b, stop := open(t, Options{Journal: path})
	s := subscribe(t, b, SubscribeOptions{Name: "taker"})
	var ds []event.Delivery
	for range 5 {
		publish(t, b, motion("yard"), event.Durable)
		ds = append(ds, take(t, s))
	}
	s.Ack(ds[0].Event.Seq)
	s.Ack(ds[1].Event.Seq)
	s.Ack(ds[3].Event.Seq) // not 2
	if err := s.AckWait(t.Context(), ds[0].Event.Seq); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats().Normal.Acked; got != ds[1].Event.Seq {
		t.Fatalf("acked %d, want %d: up to the gap", got, ds[1].Event.Seq)
	}
	stop()

	b, _ = open(t, Options{Journal: path})
	s = subscribe(t, b, SubscribeOptions{Name: "taker"})
	for _, i := range []int{2, 4} {
		d := take(t, s)
		if d.Event.ID != ds[i].Event.ID || !d.Replay {
			t.Fatalf("got %s (replay %v), want event %d as a replay", d.Event.ID, d.Replay, i)
		}
		if s.Seen(t.Context(), d.Event.ID) {
			t.Fatal("seen, but was not acknowledged")
		}
		s.Ack(d.Event.Seq)
	}
	nothing(t, s)
	if !s.Seen(t.Context(), ds[3].Event.ID) {
		t.Fatal("acknowledged beyond the cursor and forgotten")
	}
}

func TestSubscribingAgainAtOnceHasNoGapOrDouble(t *testing.T) {
	b, _ := open(t, Options{})
	for i := range 50 {
		s := subscribe(t, b, SubscribeOptions{Name: "restless"})
		if _, err := b.Subscribe(SubscribeOptions{Name: "restless", Filters: []string{"**"}}); !errors.Is(err, ErrNameTaken) {
			t.Fatalf("got %v, want the name to be taken", err)
		}
		if i > 0 {
			d := take(t, s) // left unanswered before
			if !d.Replay {
				t.Fatal("came before and is no replay")
			}
			s.Ack(d.Event.Seq)
		}
		nothing2(t, s)
		if err := b.Publish(t.Context(), motion("yard"), nil); err != nil {
			t.Fatal(err)
		}
		s.Ack(take(t, s).Event.Seq)
		publish(t, b, motion("yard"), event.Durable)
		take(t, s)
		s.Close()
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Fatalf("got %v, want closed", err)
		}
	}
}

// nothing2 is nothing without the wait: nobody else publishes.
func nothing2(t *testing.T, s *Subscription) {
	t.Helper()
	for _, l := range s.lanes {
		if d, _, err := l.poll(t.Context()); err != nil || d != nil {
			t.Fatalf("got %v, %v; want nothing", d, err)
		}
	}
}

func TestWhereSubscriptionsBegin(t *testing.T) {
	b, _ := open(t, Options{})
	var seqs []uint64
	for range 3 {
		seqs = append(seqs, publish(t, b, ring("door"), event.Durable).Seq)
	}
	for _, c := range []struct {
		o    SubscribeOptions
		want int
	}{
		{SubscribeOptions{}, 0}, {SubscribeOptions{Name: "new"}, 0}, {SubscribeOptions{From: FromNow, Name: "now"}, 0},
		{SubscribeOptions{From: FromStart}, 3}, {SubscribeOptions{From: FromSeq(seqs[0])}, 2}, {SubscribeOptions{From: FromSeq(0), Tap: true}, 3},
		{SubscribeOptions{From: FromSeq(seqs[2])}, 0},
	} {
		s := subscribe(t, b, c.o)
		for i := 3 - c.want; i < 3; i++ {
			if d := take(t, s); d.Event.Seq != seqs[i] || !d.Replay || d.Age < 0 || d.Age > time.Hour {
				t.Fatalf("%+v: got %+v, want seq %d", c.o, d, seqs[i])
			}
		}
		nothing2(t, s)
		s.Close()
	}
	for _, f := range [][]string{nil, {"camera.**.ring"}, {""}} {
		if _, err := b.Subscribe(SubscribeOptions{Filters: f}); err == nil {
			t.Fatalf("filters %q were taken", f)
		}
	}
}

func TestLatestStateWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal.db")
	b, stop := open(t, Options{Journal: path})
	online := func(on bool) event.Event {
		return event.New(event.TypeOnline, "door", event.Online{Online: on})
	}
	slow := subscribe(t, b, SubscribeOptions{Name: "slow"})
	publish(t, b, motion("door"), event.Durable)
	var last event.Event
	for i := range 2*normalQueue + 1 {
		last = online(i%2 == 0)
		publish(t, b, last, event.Accepted)
	}
	if d := take(t, slow); d.Event.Type != event.TypeMotion {
		t.Fatalf("got %s", d.Event.Type)
	}
	if d := take(t, slow); d.Event.ID != last.ID || d.Replay {
		t.Fatalf("got %+v, want the latest alone", d)
	}
	nothing2(t, slow)
	if st := slow.Stats().Normal; st.CutOffs != 0 {
		t.Fatalf("cut off by a state that changed often: %+v", st)
	}
	check := func(b *Bus) {
		t.Helper()
		s := subscribe(t, b, SubscribeOptions{From: FromNow, Filters: []string{"camera.*.online"}})
		if d := take(t, s); d.Event.ID != last.ID || !d.Replay || !d.Event.Data.(event.Online).Online {
			t.Fatalf("a new taker got %+v", d)
		}
		nothing2(t, s)
		if e, ok := b.State("camera.door.online"); !ok || e.ID != last.ID {
			t.Fatalf("state is %+v, %v", e, ok)
		}
		evs, err := b.Events(t.Context(), Query{Types: []event.Type{event.TypeOnline}})
		if err != nil || len(evs) != 1 || evs[0].ID != last.ID {
			t.Fatalf("events: %v, %v", evs, err)
		}
	}
	check(b)
	stop()
	b, _ = open(t, Options{Journal: path})
	check(b)
	s := subscribe(t, b, SubscribeOptions{Name: "slow"})
	// Not acknowledged before: both again, the motion first.
	for _, want := range []event.Type{event.TypeMotion, event.TypeOnline} {
		if d := take(t, s); d.Event.Type != want || !d.Replay {
			t.Fatalf("got %+v, want %s as a replay", d, want)
		}
	}
	nothing2(t, s)
}

func TestDebugIsBestEffort(t *testing.T) {
	b, _ := open(t, Options{})
	s := subscribe(t, b, SubscribeOptions{Name: "slow"})
	for range normalQueue + 50 {
		r := publish(t, b, event.Event{ID: event.NewID(), Type: event.TypeDebug, Subject: "system.debug", Data: event.Debug{Kind: "n"}}, event.Accepted)
		if r.Seq != 0 {
			t.Fatal("debug got a number")
		}
	}
	for range normalQueue {
		take(t, s)
	}
	nothing2(t, s)
	if st := s.Stats().Normal; st.Skipped != 50 || st.CutOffs != 0 || st.Open != 0 {
		t.Fatalf("stats %+v", st)
	}
}

func TestTapSkipsTheOldest(t *testing.T) {
	b, _ := open(t, Options{})
	s := subscribe(t, b, SubscribeOptions{Tap: true})
	var last string
	for range normalQueue + 50 {
		e := motion("yard")
		last = e.ID
		publish(t, b, e, event.Durable)
	}
	for range normalQueue - 1 {
		take(t, s)
	}
	if d := take(t, s); d.Event.ID != last {
		t.Fatal("the newest is not the last")
	}
	nothing2(t, s)
	if st := s.Stats().Normal; st.Skipped != 50 || st.Open != 0 || st.CutOffs != 0 {
		t.Fatalf("stats %+v", st)
	}
}

func TestRedeliveryLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := open(t, Options{})
		s := subscribe(t, b, SubscribeOptions{Name: "taker"})
		defer stop()
		defer s.Close()
		publish(t, b, ring("door"), event.Durable)
		last := time.Now()
		for i, wait := range []time.Duration{0, time.Second, 5 * time.Second, 30 * time.Second} {
			d := take(t, s)
			if got := time.Since(last); got != wait || d.Attempt != i+1 || d.Replay != (i > 0) {
				t.Fatalf("attempt %d (replay %v) after %s, want attempt %d after %s", d.Attempt, d.Replay, got, i+1, wait)
			}
			last = time.Now()
			s.Nack(d.Event.Seq, errors.New("no"))
			s.Nack(d.Event.Seq, errors.New("no")) // said twice, counted once
		}
		time.Sleep(time.Hour)
		nothing2(t, s)
		if st := s.Stats().Critical; st.GaveUp != 1 || st.Open != 0 || st.Acked == 0 {
			t.Fatalf("stats %+v", st)
		}
	})
}

func TestRunningHandlerIsNormalSilenceIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, stop := open(t, Options{})
		s := subscribe(t, b, SubscribeOptions{AckWait: 10 * time.Second})
		defer stop()
		publish(t, b, ring("door"), event.Durable)
		start := time.Now()
		d := take(t, s)
		time.Sleep(9 * time.Second) // the handler is at work
		nothing2(t, s)
		if d = take(t, s); d.Attempt != 2 || time.Since(start) != 11*time.Second {
			t.Fatalf("attempt %d after %s, want the second after 10 s and 1 s", d.Attempt, time.Since(start))
		}
		time.Sleep(9 * time.Second)
		s.Ack(d.Event.Seq)
		time.Sleep(time.Hour)
		nothing2(t, s)
		if st := s.Stats().Critical; st.GaveUp != 0 {
			t.Fatalf("stats %+v", st)
		}
		publish(t, b, ring("door"), event.Durable)
		for range 4 {
			take(t, s)
		}
		time.Sleep(time.Hour)
		nothing2(t, s)
		if st := s.Stats().Critical; st.GaveUp != 1 {
			t.Fatalf("stats %+v", st)
		}
	})
}

func TestAckWaitReturnsWhenWritten(t *testing.T) {
	var commits atomic.Int64
	b, _ := open(t, Options{beforeCommit: func() error { commits.Add(1); return nil }})
	s := subscribe(t, b, SubscribeOptions{Name: "rules"})
	for range 20 {
		publish(t, b, ring("door"), event.Durable)
		d := take(t, s)
		if err := s.AckWait(t.Context(), d.Event.Seq); err != nil {
			t.Fatal(err)
		}
		if got := s.Stats().Critical.Cursor; got != d.Event.Seq {
			t.Fatalf("the journal's cursor is %d, want %d", got, d.Event.Seq)
		}
	}
	if err := s.AckWait(t.Context(), 1<<40); err != nil {
		t.Fatal("a number that is not the taker's is no error")
	}
}
