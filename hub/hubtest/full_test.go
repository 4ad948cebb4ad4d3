package hubtest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// twice mounts a small disk for the data and runs the hub on it two times, one
// after the other, in a mount namespace of its own.
const twice = `mount -t tmpfs -o size=48m tmpfs "$1" && shift && { "$@"; exec "$@"; }`

// TestFullDisk fills the disk of the data folder: the house rings on, every answer is
// true, and what was kept in memory is on disk once there is room, without a restart.
func TestFullDisk(t *testing.T) {
	if out, err := exec.Command("unshare", "-Urm", "true").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("unshare -Urm: %v: %s", err, out)
		}
		t.Skipf("SKIPPED: the kernel gives no user namespace (unshare -Urm: %v)", err)
	}
	bin := hubtest.Binary(t)
	s := newScene(t)
	data := filepath.Join(s.dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	h := hubtest.LaunchCommand(t, s.dir, exec.Command("unshare", "-Urm", "sh", "-c", twice, "sh", data,
		bin, "run", "--config", filepath.Join(s.dir, "porchlight.yaml")))
	inside := fmt.Sprintf("/proc/%d/root%s", h.PID, data)
	s.start(func() ([]api.Plugin, error) {
		c, err := client.Dial(t.Context(), inside)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		return c.Plugins(t.Context())
	})
	s.ring(50)

	fill := filepath.Join(inside, "fill")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "a ring that is not durable", func() bool {
		fillUp(t, f) // whatever the hub gives up to make room
		return s.outcomes()["accepted,"] > 0
	})
	if cards := health(t, inside); len(cards) != 1 || cards[0].Key != "journal" || cards[0].Code == "" {
		t.Errorf("the owner is shown %+v, want a card about the journal", cards)
	}
	before := s.count(s.bell, "played")
	s.ring(200)
	hubtest.Eventually(t, "the house rings on", func() bool { return s.count(s.bell, "played") > before+100 })
	if n := s.count(s.sent, "refused"); n > 0 {
		t.Errorf("%d rings were refused for want of room", n)
	}

	if err := errors.Join(f.Close(), os.Remove(fill)); err != nil {
		t.Fatal(err)
	}
	was := s.outcomes()["durable"]
	hubtest.Eventually(t, "rings are durable again", func() bool { return s.outcomes()["durable"] > was+50 })
	hubtest.Eventually(t, "the card is closed", func() bool { return len(health(t, inside)) == 0 })
	s.settle()
	acked := ids(notes(t, s.sent), "acked")
	t.Logf("%v of %d acknowledged", s.outcomes(), len(acked))

	// What was answered "not durable" is in the journal by now: a kill does not lose it.
	pid, err := os.ReadFile(filepath.Join(inside, "run", "hub.lock"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(pid)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var c *client.Client
	hubtest.Eventually(t, "the second start", func() bool {
		again, err := os.ReadFile(filepath.Join(inside, "run", "hub.lock"))
		if err != nil || string(again) == string(pid) {
			return false
		}
		c, err = client.Dial(t.Context(), inside)
		return err == nil
	})
	defer c.Close()
	for id := range acked {
		if _, err := c.Event(t.Context(), id); err != nil {
			t.Fatalf("ring %s was acknowledged and is gone: %v", id, err)
		}
	}
}

// health are the hub's own cards.
func health(t *testing.T, dataDir string) []api.Card {
	t.Helper()
	c, err := client.Dial(t.Context(), dataDir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cards, err := c.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cards
}

// fillUp writes until the disk is full.
func fillUp(t *testing.T, f *os.File) {
	t.Helper()
	chunk := make([]byte, 64<<10)
	for {
		if _, err := f.Write(chunk); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
			if len(chunk) == 1 {
				return
			}
			chunk = chunk[:max(1, len(chunk)/16)]
		}
	}
}

// outcomes counts the first words of what the bells were answered.
func (s *scene) outcomes() map[string]int {
	out := map[string]int{}
	for _, l := range notes(s.t, s.sent) {
		if l[0] == "acked" && len(l) > 2 {
			out[l[2]]++
		}
	}
	return out
}
