package bus

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus/journal"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// A journal that gives errors, in a bubble where time is ours.
func TestJournalThatCannotBeWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		path := filepath.Join(t.TempDir(), "journal.db")
		b, stop := open(t, Options{Journal: path, beforeCommit: func() error {
			if broken.Load() {
				return errors.New("the disk gives errors")
			}
			return nil
		}})
		states, cancel := b.Watch()
		defer cancel()
		if s := <-states; s.Stopped || s.Full {
			t.Fatalf("at first: %+v", s)
		}
		s := subscribe(t, b, SubscribeOptions{Name: "rules"})
		publish(t, b, ring("door"), event.Durable)
		d := take(t, s)
		if err := s.AckWait(t.Context(), d.Event.Seq); err != nil {
			t.Fatal(err)
		}

		broken.Store(true)
		var kept []string
		for range 300 {
			e := ring("door")
			kept = append(kept, e.ID)
			publish(t, b, e, event.AcceptedNotDurable)
			publish(t, b, e, event.AcceptedNotDurable) // a repeat hears the same truth
			d := take(t, s)
			if d.Event.ID != e.ID || d.Replay {
				t.Fatalf("got %+v", d)
			}
			if err := s.AckWait(t.Context(), d.Event.Seq); err != nil {
				t.Fatal(err)
			}
		}
		if s := <-states; !s.Stopped || s.Full || s.Code != CodeJournal || !strings.Contains(s.Cause, "gives errors") {
			t.Fatalf("got %+v", s)
		}
		if got := s.Stats().Critical.Cursor; got != d.Event.Seq {
			t.Fatalf("cursor %d, want %d: what is not durable does not move it", got, d.Event.Seq)
		}
		if evs, err := b.Events(t.Context(), Query{Limit: 1000}); err != nil || len(evs) != 301 {
			t.Fatalf("%d events, %v; want those in memory too", len(evs), err)
		}
		s.Close() // a taker that comes again now must not hear them again
		s = subscribe(t, b, SubscribeOptions{Name: "rules"})
		nothing2(t, s)

		broken.Store(false)
		time.Sleep(2 * retryAfter)
		synctest.Wait()
		if s := <-states; s.Stopped {
			t.Fatalf("got %+v", s)
		}
		if st := b.Stats(); st.NotDurable != 0 || st.Durable != 301 || st.LetGo != 0 {
			t.Fatalf("stats %+v", st)
		}
		publish(t, b, ring("door"), event.Durable)
		take(t, s)
		stop()

		b, stop = open(t, Options{Journal: path})
		defer stop()
		s = subscribe(t, b, SubscribeOptions{Name: "rules"})
		take(t, s) // the last, which was not acknowledged
		nothing2(t, s)
		evs, err := b.Events(t.Context(), Query{Limit: 1000})
		if err != nil || len(evs) != 302 || evs[1].ID != kept[299] || evs[300].ID != kept[0] {
			t.Fatalf("%d events, %v", len(evs), err)
		}
	})
}

func TestOnlyTheNewestAreKeptWhileTheDiskIsFull(t *testing.T) {
	hold := make(chan struct{})
	var calls atomic.Int64
	b, _ := open(t, Options{beforeCommit: func() error {
		if calls.Add(1) == 1 {
			<-hold
		}
		return nil
	}})
	const more = 500
	outcomes := make(chan event.Outcome, tailEvents+more)
	for range tailEvents + more {
		if err := b.Publish(t.Context(), motion("yard"), func(r event.Result, _ error) { outcomes <- r.Outcome }); err != nil {
			t.Fatal(err)
		}
	}
	publish2 := make(chan event.Outcome, 1)
	if err := b.Publish(t.Context(), ring("door"), func(r event.Result, _ error) { publish2 <- r.Outcome }); err != nil {
		t.Fatal(err)
	}
	for b.Stats().Published != tailEvents+more+1 {
		yield()
	}
	if st := b.Stats(); st.LetGo != more {
		t.Fatalf("stats %+v: let go, want %d", st, more)
	}
	close(hold)
	got := map[event.Outcome]int{}
	for range tailEvents + more {
		got[<-outcomes]++
	}
	if out := <-publish2; out != event.Durable || got[event.AcceptedNotDurable] != more || got[event.Durable] != tailEvents {
		t.Fatalf("ring %v, others %v", out, got)
	}
}

const tmpfsSize = 48 << 20

// onTmpfs mounts a small disk: as root directly, else the test runs once more in
// namespaces of its own.
func onTmpfs(t *testing.T) (dir string, inside bool) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED LOUDLY: a tmpfs of 48 MiB needs Linux")
	}
	dir = t.TempDir()
	err := syscall.Mount("none", dir, "tmpfs", 0, "size=48m")
	if err == nil {
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Errorf("unmount: %v", err)
			}
		})
		return dir, true
	}
	if os.Getenv("PORCHLIGHT_TEST_IN_NAMESPACE") != "" {
		t.Fatalf("mount in a user namespace: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "PORCHLIGHT_TEST_IN_NAMESPACE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if _, ran := errors.AsType[*exec.ExitError](err); err != nil && !ran {
		t.Skipf("SKIPPED LOUDLY: the kernel refuses both a mount and a user namespace with one (CLONE_NEWUSER|CLONE_NEWNS: %v)", err)
	}
	t.Logf("in a namespace of its own:\n%s", out)
	if err != nil {
		t.Fail()
	}
	return "", false
}

// fill writes until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4096, 1} {
		buf := make([]byte, size)
		for err = nil; err == nil; {
			_, err = f.Write(buf)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for !is() {
		if t.Context().Err() != nil {
			t.Fatalf("%s: never", what)
		}
		yield()
	}
}

// The house rings on with a full disk, the answers are true, and the journal catches
// up without a restart.
func TestFullDisk(t *testing.T) {
	dir, inside := onTmpfs(t)
	if !inside {
		return
	}
	path := filepath.Join(dir, "journal.db")
	b, stop := open(t, Options{Journal: path, Ballast: ballastSize})
	s := subscribe(t, b, SubscribeOptions{Name: "rules", Filters: []string{"camera.*.ring"}})
	ballast := func() bool { _, err := os.Stat(b.ballast.Path()); return err == nil }
	await(t, "ballast", ballast)
	press := func(want event.Outcome) string {
		t.Helper()
		e := ring("door")
		publish(t, b, e, want)
		d := take(t, s)
		if d.Event.ID != e.ID || d.Replay {
			t.Fatalf("got %+v, want the ring, live", d)
		}
		s.Ack(d.Event.Seq)
		return e.ID
	}
	var durable, kept []string
	for range 20 {
		durable = append(durable, press(event.Durable))
	}

	fill(t, filepath.Join(dir, "filler"))
	// The ballast goes first: still durable, and the owner is warned.
	for ballast() {
		e := motion("yard")
		e.Data = event.Motion{Zones: []string{strings.Repeat("z", 4000)}}
		publish(t, b, e, event.Durable)
		durable = append(durable, e.ID)
	}
	durable = append(durable, press(event.Durable))
	await(t, "full", func() bool { return b.Stats().DiskFull })
	if st := b.Stats().Journal; st.Code != CodeDiskFull || st.Stopped {
		t.Fatalf("journal %+v", st)
	}
	fill(t, filepath.Join(dir, "filler2"))
	for !b.Stats().Journal.Stopped { // until the last room in the -wal is used up
		e := motion("yard")
		e.Data = event.Motion{Zones: []string{strings.Repeat("z", 4000)}}
		r, err := b.PublishWait(t.Context(), e)
		if err != nil || r.Outcome != event.Durable && r.Outcome != event.AcceptedNotDurable {
			t.Fatalf("got %v, %v", r, err)
		}
		if r.Outcome == event.Durable {
			durable = append(durable, e.ID)
		} else {
			kept = append(kept, e.ID)
		}
	}
	for range 2000 {
		kept = append(kept, press(event.AcceptedNotDurable))
	}
	if st := b.Stats(); !st.DiskFull || st.NotDurable < 2000 || st.LetGo != 0 {
		t.Fatalf("stats %+v", st)
	}

	for _, f := range []string{"filler", "filler2"} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "caught up", func() bool { return b.Stats().NotDurable == 0 })
	durable = append(durable, press(event.Durable))
	await(t, "ballast again", ballast)
	await(t, "well again", func() bool { return b.Stats().Journal == JournalState{} })
	stop()

	b, _ = open(t, Options{Journal: path})
	for _, id := range append(durable, kept...) {
		if _, err := b.Event(t.Context(), id); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
	s = subscribe(t, b, SubscribeOptions{Name: "rules", Filters: []string{"camera.*.ring"}})
	nothing2(t, s) // all was acknowledged
}

// Old events are deleted to make room, though a full disk leaves SQLite hardly room
// to delete.
func TestFullDiskIsHelpedByRetention(t *testing.T) {
	dir, inside := onTmpfs(t)
	if !inside {
		return
	}
	path := filepath.Join(dir, "journal.db")
	b, stop := open(t, Options{Journal: path})
	for range 2000 {
		e := motion("yard")
		e.Data = event.Motion{Zones: []string{strings.Repeat("z", 4000)}}
		publish(t, b, e, event.Durable)
	}
	stop()
	b, _ = open(t, Options{Journal: path, Retain: time.Nanosecond, Ballast: 1 << 20, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	await(t, "expired", func() bool { return count(t, path) < 64 })
	fill(t, filepath.Join(dir, "filler"))
	for range 200 { // in the room of those that are gone
		e := motion("yard")
		e.Data = event.Motion{Zones: []string{strings.Repeat("z", 4000)}}
		publish(t, b, e, event.Durable)
	}
}

func TestBallastOnlyWhereThereIsTwiceTheRoom(t *testing.T) {
	dir, inside := onTmpfs(t)
	if !inside {
		return
	}
	j, err := journal.Open(t.Context(), filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	big, fits := j.Ballast(tmpfsSize/2+1), j.Ballast(1<<20)
	if big.Keep() || big.Drop() {
		t.Fatal("a ballast that takes more than half of the room was made")
	}
	for range 2 {
		if !fits.Keep() {
			t.Fatal("no ballast")
		}
	}
	if st, err := os.Stat(fits.Path()); err != nil || st.Size() != 1<<20 {
		t.Fatalf("%v, %v", st, err)
	}
	for _, there := range []bool{true, false} {
		if fits.Drop() != there {
			t.Fatal("it goes once")
		}
	}
}
