package outbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/frame"
)

// start runs an outbox towards the peer that it returns.
func start(t *testing.T) (o *Outbox, peer net.Conn, end func() error) {
	t.Helper()
	ours, peer := net.Pipe()
	o = New(ours)
	done := make(chan error, 1)
	go func() { done <- o.Run() }()
	end = sync.OnceValue(func() error {
		o.Close(nil)
		peer.Close()
		return <-done
	})
	t.Cleanup(func() { end() })
	return o, peer, end
}

func change(iid uint64, v string) Change { return Change{ID{1, iid}, []byte(v)} }

// heard reads n bytes.
func heard(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPressIsNeitherMergedNorBehindAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, peer, _ := start(t)
		first := EventMessage(change(9, "1"))
		o.Change(change(9, "1"))
		synctest.Wait() // the writer is in the middle of it
		var answered error
		var wg sync.WaitGroup
		wg.Go(func() { answered = o.Answer([]byte("HTTP answer"), o.Mark(), nil) })
		o.Change(change(7, "1"))
		o.Change(change(7, "2"))
		for i := range 3 {
			if err := o.Press(Press{Message: fmt.Appendf(nil, "press %d;", i)}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := heard(t, peer, len(first)); got != string(first) {
			t.Errorf("got %q", got)
		}
		if got := heard(t, peer, 24); got != "press 0;press 1;press 2;" {
			t.Errorf("got %q", got)
		}
		rest := string(EventMessage(change(7, "2")))
		got := heard(t, peer, len(rest)+len("HTTP answer"))
		if !strings.Contains(got, rest) || !strings.Contains(got, "HTTP answer") {
			t.Errorf("got %q", got)
		}
		wg.Wait()
		if answered != nil {
			t.Error(answered)
		}
	})
}

// TestAnOlderAnswerNeverFollowsANewerValue: whoever reads both in turn ends with the newer.
func TestAnOlderAnswerNeverFollowsANewerValue(t *testing.T) {
	for _, c := range []struct {
		name   string
		before bool // the change was there when the answer was begun
		want   string
	}{
		{"change after the reading", false, "answer|event|"},
		{"change before the reading", true, "event|answer|"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := queue{changes: map[ID]json.RawMessage{}}
			if c.before {
				q.change(change(1, "2"))
			}
			a := &answer{mark: q.order}
			if !c.before {
				q.change(change(1, "2"))
			}
			q.answer = a
			got := ""
			for {
				p, a, ev := q.next()
				switch {
				case a != nil:
					got += "answer|"
				case ev != nil:
					got += "event|"
				case p == nil:
					if got != c.want {
						t.Fatalf("got %s, want %s", got, c.want)
					}
					return
				}
			}
		})
	}
}

func TestManyChangesAreOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, peer, _ := start(t)
		o.Change(change(1, "0"))
		synctest.Wait()
		for i := range 1000 {
			o.Change(change(uint64(2+i%2), fmt.Sprint(i)))
		}
		heard(t, peer, len(EventMessage(change(1, "0"))))
		want := string(EventMessage(change(2, "998"), change(3, "999")))
		if got := heard(t, peer, len(want)); got != want {
			t.Errorf("got %q", got)
		}
	})
}

func TestWhoTakesNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _, end := start(t)
		begin := time.Now()
		var wrote error
		o.Press(Press{Message: []byte("press"), Wrote: func(err error) { wrote = err }})
		<-o.Done()
		if d := time.Since(begin); d != Limit {
			t.Errorf("given up after %v", d)
		}
		if err := end(); !errors.Is(err, os.ErrDeadlineExceeded) || !errors.Is(wrote, os.ErrDeadlineExceeded) {
			t.Errorf("ended with %v, wrote %v", err, wrote)
		}
		if err := o.Press(Press{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a press after the end: %v", err)
		}
		if err := o.Answer([]byte("x"), 0, nil); err == nil {
			t.Error("an answer was taken after the end")
		}
	})
}

func TestTooManyPressesEndTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, _, end := start(t)
		claimed := 0
		var told []error
		p := Press{
			Message: []byte("press"),
			Claim:   func() bool { claimed++; return true },
			Wrote:   func(err error) { told = append(told, err) },
		}
		o.Press(p)
		synctest.Wait() // the first is being written
		taken := 0
		for o.Press(p) == nil {
			taken++
		}
		if taken != Room {
			t.Errorf("%d were taken", taken)
		}
		if err := end(); !errors.Is(err, ErrFull) {
			t.Errorf("ended with %v", err)
		}
		if claimed != 1 || len(told) != Room+1 || slices.Contains(told, nil) || !errors.Is(told[Room], ErrFull) {
			t.Errorf("claimed %d, told %v", claimed, told)
		}
	})
}

func TestAPressThatIsNotClaimedIsNotWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, peer, _ := start(t)
		o.Press(Press{Message: []byte("no"), Claim: func() bool { return false }, Wrote: func(error) { t.Error("told") }})
		o.Press(Press{Message: []byte("yes")})
		if got := heard(t, peer, 3); got != "yes" {
			t.Errorf("got %q", got)
		}
	})
}

// TestTheSealIsPutOnBetweenTwoMessages: the answer that says so is in the clear, all after
// it is not, and the frames are in the order of their counts.
func TestTheSealIsPutOnBetweenTwoMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, peer, _ := start(t)
		key := [32]byte{7}
		sealer, err := frame.NewSealer(key)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() { o.Answer([]byte("M4"), 0, sealer) })
		if got := heard(t, peer, 2); got != "M4" {
			t.Fatalf("got %q", got)
		}
		wg.Wait()
		const many, size = 50, 5000
		for i := range many {
			wg.Go(func() { o.Press(Press{Message: []byte(strings.Repeat(fmt.Sprintf("%02d", i), size/2))}) })
		}
		r, err := frame.NewReader(peer, key)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for range many {
			got := heard(t, r, size)
			if got != strings.Repeat(got[:2], size/2) || seen[got[:2]] {
				t.Fatalf("mixed or twice: %.8s", got)
			}
			seen[got[:2]] = true
		}
		wg.Wait()
	})
}

func TestWhatIsHeldFollowsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, peer, _ := start(t)
		o.Hold()
		if err := o.Press(Press{Message: []byte("press;")}); err != nil {
			t.Fatal(err)
		}
		mark := o.Mark()
		o.Change(change(7, "1"))
		synctest.Wait() // the writer has looked at both
		var answered error
		var wg sync.WaitGroup
		wg.Go(func() { answered = o.Answer([]byte("answer;"), mark, nil) })
		want := "answer;press;" + string(EventMessage(change(7, "1")))
		if got := heard(t, peer, len(want)); got != want {
			t.Errorf("got %q", got)
		}
		wg.Wait()
		if answered != nil {
			t.Error(answered)
		}
		if err := o.Press(Press{Message: []byte("press;")}); err != nil { // held no more
			t.Fatal(err)
		}
		if got := heard(t, peer, 6); got != "press;" {
			t.Errorf("got %q", got)
		}
	})
}
