package bus

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// The test binary is also the child that is killed: with this variable it runs a bus
// in that folder.
const childVariable = "PORCHLIGHT_TEST_BUS_CHILD"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		if err := child(dir, os.Getenv(childVariable+"_LAST") != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const (
	kills       = 20
	killCameras = 8
	killEvery   = 20 * time.Millisecond // a camera's events: 400 a second in all
	killTakers  = 3
)

// note appends whole lines with one write each, so that they outlive a SIGKILL.
type note struct{ f *os.File }

func openNote(dir, name string) (note, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return note{f}, err
}

func (n note) add(words ...any) {
	if _, err := n.f.WriteString(fmt.Sprintln(words...)); err != nil {
		panic(err)
	}
}

func readNotes(dir, name string) (lines [][]string) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		lines = append(lines, strings.Fields(line))
	}
	return lines
}

// child publishes as 8 cameras do, takes as 3 takers do, and notes all of it; a tap
// notes what is handed out at that moment. The
// last one publishes only what was never answered, and ends when all is handled.
func child(dir string, last bool) error {
	b, err := Open(context.Background(), Options{Journal: filepath.Join(dir, "journal.db"), Ballast: -1, CommitDelay: time.Millisecond})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- b.Serve(ctx) }()
	var takers sync.WaitGroup
	var subs []*Subscription
	for i := range killTakers {
		name := fmt.Sprintf("taker%d", i)
		s, err := b.Subscribe(SubscribeOptions{Name: name, Filters: []string{"camera.*.*"}})
		if err != nil {
			return err
		}
		handled, err := openNote(dir, name)
		if err != nil {
			return err
		}
		subs = append(subs, s)
		for _, l := range []*Lane{s.Critical(), s.Normal()} {
			takers.Go(func() {
				for {
					d, err := l.Next(ctx)
					if err != nil {
						return
					}
					handled.add(d.Event.ID, d.Replay)
					if s.AckWait(ctx, d.Event.Seq) != nil {
						return
					}
				}
			})
		}
	}
	tap, err := b.Subscribe(SubscribeOptions{Tap: true, From: FromNow, Filters: []string{"camera.*.*"}})
	if err != nil {
		return err
	}
	heard, err := openNote(dir, "heard") // what was handed out, at once
	if err != nil {
		return err
	}
	takers.Go(func() {
		for {
			d, err := tap.Next(ctx)
			if err != nil {
				return
			}
			heard.add(d.Event.ID)
		}
	})
	if err := publishAsCameras(b, dir, last); err != nil {
		return err
	}
	for caught := false; !caught; yield() {
		caught = true
		for _, s := range subs {
			for _, l := range s.lanes {
				l.mu.Lock()
				caught = caught && l.live && l.queue.len() == 0 && len(l.staged) == 0 && len(l.pending) == 0
				l.mu.Unlock()
			}
		}
	}
	cancel()
	takers.Wait()
	return <-over
}

func publishAsCameras(b *Bus, dir string, last bool) error {
	sent, err := openNote(dir, "sent")
	if err != nil {
		return err
	}
	answered, err := openNote(dir, "answered")
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, l := range readNotes(dir, "answered") {
		known[l[0]] = true
	}
	var again [killCameras][]event.Event // what was never answered is sent again, as the SDK does
	for _, l := range readNotes(dir, "sent") {
		if !known[l[0]] {
			var camera int
			_, _ = fmt.Sscanf(l[1], "cam%d", &camera)
			e := event.New(event.Type(l[2]), l[1], nil)
			e.ID = l[0]
			again[camera] = append(again[camera], e)
		}
	}
	var cameras, answers sync.WaitGroup
	for c := range killCameras {
		cameras.Go(func() {
			hand := func(e event.Event) {
				answers.Add(1)
				err := b.Publish(context.Background(), e, func(r event.Result, _ error) {
					answered.add(e.ID, uint8(r.Outcome))
					answers.Done()
				})
				if err != nil {
					panic(err)
				}
			}
			for _, e := range again[c] {
				hand(e)
			}
			if last {
				return
			}
			pace := time.NewTicker(killEvery)
			defer pace.Stop()
			for i := 0; ; i++ {
				e := ring(fmt.Sprintf("cam%d", c))
				if i%3 == 2 {
					e = motion(fmt.Sprintf("cam%d", c))
				}
				sent.add(e.ID, e.Camera, e.Type)
				hand(e)
				<-pace.C // until it is killed
			}
		})
	}
	cameras.Wait()
	answers.Wait()
	return nil
}

// TestNothingAcknowledgedIsLostWhenKilled kills the bus 20 times at random moments
// under load and counts afterwards.
func TestNothingAcknowledgedIsLostWhenKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("20 kills take some 20 s")
	}
	dir := t.TempDir()
	between, slowest := 0, 1e9
	for range kills {
		rate, inWindow := killOne(t, dir)
		between += inWindow
		slowest = min(slowest, rate)
	}
	var out bytes.Buffer
	last := exec.CommandContext(t.Context(), os.Args[0])
	last.Env = append(os.Environ(), childVariable+"="+dir, childVariable+"_LAST=1")
	last.Stderr = &out
	if err := last.Run(); err != nil {
		t.Fatalf("the last run: %v\n%s", err, out.String())
	}

	sent, acked := map[string]bool{}, map[string]bool{}
	for _, l := range readNotes(dir, "sent") {
		sent[l[0]] = true
	}
	for _, l := range readNotes(dir, "answered") {
		if l[1] == fmt.Sprint(uint8(event.Durable)) || l[1] == fmt.Sprint(uint8(event.Duplicate)) {
			acked[l[0]] = true
		}
	}
	missing, repeated, unmarked, unknown := 0, 0, 0, 0
	for i := range killTakers {
		times := map[string]int{}
		for _, l := range readNotes(dir, fmt.Sprintf("taker%d", i)) {
			if times[l[0]]++; times[l[0]] > 1 {
				repeated++
				if l[1] != "true" {
					unmarked++
				}
			}
			if !sent[l[0]] {
				unknown++
			}
		}
		for id := range acked {
			if times[id] == 0 {
				missing++
			}
		}
	}
	t.Logf("kills %d, of them between fan-out and commit %d; sent %d, acknowledged %d, slowest life %.0f events a second; missing %d, repeated %d (at most %d), repeated and not marked %d, unknown %d",
		kills, between, len(sent), len(acked), slowest, missing, repeated, kills*killTakers*lanes, unmarked, unknown)
	if missing > 0 || unmarked > 0 || unknown > 0 || repeated > kills*killTakers*lanes || len(acked) != len(sent) {
		t.Error("the bus's promises are broken")
	}
	if between < 5 {
		t.Errorf("only %d kills between fan-out and commit: this run proves too little", between)
	}
}

// killOne runs a child and kills it at a random moment. inWindow is 1 if the kill fell
// between an event's fan-out and its commit: a taker had it, the journal has not.
func killOne(t *testing.T, dir string) (rate float64, inWindow int) {
	t.Helper()
	before := len(readNotes(dir, "sent"))
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+dir)
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	want := before + 80 + rand.IntN(160)
	var first time.Time
	for n := before; n < want; n = len(readNotes(dir, "sent")) {
		if n > before && first.IsZero() {
			first = time.Now()
		}
		select {
		case err := <-gone:
			t.Fatalf("the child ended by itself: %v\n%s", err, out.String())
		case <-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond): // a look at the notes, not a wait for a result
		}
	}
	rate = float64(want-before) / time.Since(first).Seconds()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-gone

	answered := map[string]bool{}
	for _, l := range readNotes(dir, "answered") {
		answered[l[0]] = true
	}
	j, err := journal.Open(t.Context(), filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatalf("the journal after a kill: %v", err)
	}
	defer j.Close()
	for _, l := range readNotes(dir, "heard") {
		if answered[l[0]] {
			continue
		}
		if _, err := j.SeqOf(t.Context(), uuid.MustParse(l[0])); err != nil {
			return rate, 1
		}
	}
	return rate, 0
}
