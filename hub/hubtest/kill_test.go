package hubtest_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

const (
	killRounds  = 20
	killCameras = 8
	// killEvery is a camera's pace: 8 cameras every 20 ms ring 400 times a second.
	killEvery = "20ms"
	// killRings is how many rings must have been sent before the last kill's round ends.
	killRings = 10_000
)

// scene is a house of one publisher with eight doorbells, two takers and a chime,
// each a process of its own that notes what it does.
type scene struct {
	t                    *testing.T
	dir                  string
	sent, one, two, bell string
	begin, end           string // files: while the first is there and the second is not, the bells ring
}

// notes are the lines of a file, split into words.
func notes(t *testing.T, file string) [][]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		out = append(out, strings.Fields(line))
	}
	return out
}

func newScene(t *testing.T) *scene {
	t.Helper()
	noter := hubtest.Build(t, "./hub/hubtest/testdata/noter")
	s := &scene{t: t}
	s.dir = hubtest.Dir(t, "version: 1\n")
	for name, file := range map[string]*string{"sent": &s.sent, "one": &s.one, "two": &s.two, "bell": &s.bell, "begin": &s.begin, "end": &s.end} {
		*file = filepath.Join(s.dir, name)
	}
	var y strings.Builder
	plugin := func(name, notes, permissions, more string) {
		fmt.Fprintf(&y, "  %s:\n    path: %s\n    permissions: {%s}\n    config: {notes: %s%s}\n", name, noter, permissions, notes, more)
		y.WriteString("    limits: {health: {every: 200ms, misses: 5}, restart: {max: 1000, per: 10m, first: 10ms, longest: 100ms}, rates: {critical: {per_second: 10000, burst: 10000}}}\n")
	}
	y.WriteString("plugins:\n")
	plugin("bells", s.sent, `publish: ["camera.*.ring"]`, ", every: "+killEvery+", after: "+s.begin+", until: "+s.end)
	plugin("one", s.one, `subscribe: ["camera.*.ring"]`, "")
	plugin("two", s.two, `subscribe: ["camera.*.ring"]`, "")
	plugin("chime", s.bell, `publish: []`, "")
	y.WriteString("cameras:\n")
	for i := range killCameras {
		fmt.Fprintf(&y, "  bell%d: {kind: doorbell, plugin: bells, ring: {debounce: 0s, ignore_older_than: 15s}}\n", i)
	}
	y.WriteString("chimes:\n  hall: {plugin: chime, sound: gong}\n")
	if err := os.WriteFile(filepath.Join(s.dir, "porchlight.yaml"), []byte(hubtest.Config(y.String())), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) count(file, word string) int {
	n := 0
	for _, l := range notes(s.t, file) {
		if l[0] == word {
			n++
		}
	}
	return n
}

// start lets the bells ring once every taker is subscribed: from there on nothing may
// be missing.
func (s *scene) start(list func() ([]api.Plugin, error)) {
	s.t.Helper()
	hubtest.Eventually(s.t, "all plugins run", func() bool {
		plugins, err := list()
		return err == nil && len(plugins) == 4 && !slices.ContainsFunc(plugins, func(p api.Plugin) bool { return p.State != "running" })
	})
	if err := os.WriteFile(s.begin, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// ring waits until the bells have rung so many times more.
func (s *scene) ring(more int) {
	want := s.count(s.sent, "sent") + more
	hubtest.Eventually(s.t, fmt.Sprintf("%d rings more", more), func() bool { return s.count(s.sent, "sent") >= want })
}

// settle ends the bells and waits until every taker has handled all that was acknowledged.
func (s *scene) settle() {
	s.t.Helper()
	if err := os.WriteFile(s.end, nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if !s.t.Failed() {
			return
		}
		acked := ids(notes(s.t, s.sent), "acked")
		for _, file := range []string{s.one, s.two} {
			handled := ids(notes(s.t, file), "handled")
			for id := range acked {
				if handled[id] == 0 {
					s.t.Logf("%s: acknowledged and not handled: %s", filepath.Base(file), id)
				}
			}
		}
	})
	hubtest.Eventually(s.t, "every acknowledged ring is handled", func() bool {
		acked := ids(notes(s.t, s.sent), "acked")
		return missing(acked, ids(notes(s.t, s.one), "handled")) == 0 && missing(acked, ids(notes(s.t, s.two), "handled")) == 0
	})
}

func ids(lines [][]string, word string) map[string]int {
	out := map[string]int{}
	for _, l := range lines {
		if l[0] == word {
			out[l[1]]++
		}
	}
	return out
}

func missing(want, have map[string]int) (n int) {
	for id := range want {
		if have[id] == 0 {
			n++
		}
	}
	return n
}

// check holds the notes against the promises. running is how many handlers can have
// been at work at the kills.
func (s *scene) check(running int) {
	s.t.Helper()
	sent := ids(notes(s.t, s.sent), "sent")
	acked := ids(notes(s.t, s.sent), "acked")
	for _, file := range []string{s.one, s.two} {
		lines := notes(s.t, file)
		began, handled := ids(lines, "began"), ids(lines, "handled")
		lost := missing(acked, handled)
		invented, repeated, unmarked := 0, 0, 0
		seen := map[string]bool{}
		for _, l := range lines {
			if l[0] != "began" {
				continue
			}
			if sent[l[1]] == 0 {
				invented++
			}
			if seen[l[1]] {
				repeated++
				if l[2] != "true" {
					unmarked++
				}
			}
			seen[l[1]] = true
		}
		s.t.Logf("%s: %d sent, %d acknowledged, %d handled, %d missing, %d repeated of at most %d, %d invented",
			filepath.Base(file), len(sent), len(acked), len(handled), lost, repeated, running, invented)
		if lost > 0 || invented > 0 || repeated > running || unmarked > 0 || len(began) == 0 {
			s.t.Errorf("%s: missing %d, invented %d, repeated %d (at most %d), repeats not marked as replay %d", filepath.Base(file), lost, invented, repeated, running, unmarked)
		}
	}
	for id, n := range ids(notes(s.t, s.bell), "played") {
		if n > 1 {
			s.t.Errorf("ring %s sounded %d times", id, n)
		}
	}
}

// TestKilledHubLosesNoPress kills the hub with SIGKILL at random moments among ten
// thousand rings, and starts it again on the same data.
func TestKilledHubLosesNoPress(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	bin := hubtest.Binary(t)
	s := newScene(t)
	between, started := 0, 0
	perRound := killRings / killRounds
	for round := range killRounds {
		h := hubtest.Launch(t, bin, s.dir)
		if round == 0 {
			h.WaitReady()
			s.start(func() ([]api.Plugin, error) { return h.Client.Plugins(t.Context()) })
		}
		from := s.count(s.sent, "sent")
		began := time.Now()
		s.ring(perRound)
		if round%2 == 1 { // every second kill follows close upon a hand-out
			s.nextHandOut()
		} else {
			pause(time.Duration(rand.IntN(20_000)) * time.Microsecond)
		}
		h.Kill()
		sent := s.count(s.sent, "sent") - from
		t.Logf("kill %2d after %d rings, %.0f a second since the start", round+1, sent, float64(sent)/time.Since(began).Seconds())
		started++
		between += s.betweenFanOutAndCommit()
	}
	h := hubtest.Start(t, bin, s.dir)
	s.settle()
	t.Logf("%d kills; %d between a hand-out and its commit", started, between)
	if between < 5 {
		t.Errorf("only %d kills fell between a hand-out and its commit, want 5", between)
	}
	s.check(killRounds)
	s.noReplaySounded(h)
}

// nextHandOut returns within microseconds of a taker's next note. It spins: any tick
// would be longer than a commit.
func (s *scene) nextHandOut() {
	s.t.Helper()
	size := func() int64 {
		st, err := os.Stat(s.one)
		if err != nil {
			s.t.Fatal(err)
		}
		return st.Size()
	}
	deadline := time.Now().Add(hubtest.Within)
	for was := size(); size() == was; {
		if time.Now().After(deadline) {
			s.t.Fatal("no ring is handed out")
		}
	}
}

// betweenFanOutAndCommit is 1 where a taker had a ring at the kill whose sender was
// never told that it is durable.
func (s *scene) betweenFanOutAndCommit() int {
	acked := ids(notes(s.t, s.sent), "acked")
	lines := notes(s.t, s.one)
	for _, l := range lines[max(0, len(lines)-64):] {
		if l[0] == "began" && acked[l[1]] == 0 {
			return 1
		}
	}
	return 0
}

// noReplaySounded asks the traces: a ring that the rule took as a replay is not asked
// of any chime afterwards.
func (s *scene) noReplaySounded(h *hubtest.Hub) {
	s.t.Helper()
	skipped := map[string]bool{}
	asked := map[string]bool{}
	for cursor := ""; ; {
		list, err := h.Client.Events(s.t.Context(), client.Query{Kinds: []string{"hop", "rule"}, Limit: 500, Cursor: cursor})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, e := range list.Events { // newest first
			switch {
			case e.Type == "rule":
				asked[e.Correlation] = true
			case strings.Contains(string(e.Data), "shown, not rung"):
				skipped[e.Correlation] = true
				if asked[e.Correlation] {
					s.t.Errorf("ring %s was shown after a restart and rung after that", e.Correlation)
				}
			}
		}
		if cursor = list.Next; cursor == "" {
			break
		}
	}
	s.t.Logf("%d rings were rung, %d were shown after a restart and not rung", len(asked), len(skipped))
}

// TestKilledPluginsLoseNoPress kills and stops the takers and the publisher while
// the hub runs on.
func TestKilledPluginsLoseNoPress(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	bin := hubtest.Binary(t)
	s := newScene(t)
	h := hubtest.Start(t, bin, s.dir)
	s.start(func() ([]api.Plugin, error) { return h.Client.Plugins(t.Context()) })
	signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP}
	victims := []string{"one", "bells", "two", "chime"}
	const rounds = 16
	for round := range rounds {
		s.ring(100)
		victim := victims[round%len(victims)]
		pid := runningPID(t, h, victim)
		sig := signals[round/len(victims)%len(signals)]
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatalf("signal %s to %s: %v", sig, victim, err)
		}
		hubtest.Eventually(t, victim+" is started again", func() bool {
			p, err := h.Client.Plugin(t.Context(), victim)
			return err == nil && p.State == "running" && p.PID != pid
		})
	}
	if h.PID == 0 || syscall.Kill(h.PID, 0) != nil {
		t.Fatal("the hub is gone")
	}
	s.settle()
	s.check(rounds)
	list, err := h.Client.Plugins(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if want := rounds / len(victims); p.Restarts != want {
			t.Errorf("plugin %s was restarted %d times, want %d: only the one that fell is touched", p.Name, p.Restarts, want)
		}
	}
}

// TestARingWhileTheChimeStartsIsHeard presses at the moment when the chime's process
// has just been killed.
func TestARingWhileTheChimeStartsIsHeard(t *testing.T) {
	s := newScene(t)
	h := hubtest.Start(t, hubtest.Binary(t), s.dir)
	hubtest.Eventually(t, "the chime runs", func() bool {
		p, err := h.Client.Plugin(t.Context(), "chime")
		return err == nil && p.State == "running"
	})
	pid := runningPID(t, h, "chime")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the chime is away", func() bool {
		p, err := h.Client.Plugin(t.Context(), "chime")
		return err == nil && p.PID != pid
	})
	id, err := h.Client.Ring(t.Context(), "bell0", false)
	if err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the ring is heard", func() bool { return ids(notes(t, s.bell), "played")[id] == 1 })
}

// runningPID asks the hub: inside its namespace a plugin has another number.
func runningPID(t *testing.T, h *hubtest.Hub, plugin string) int {
	t.Helper()
	p, err := h.Client.Plugin(t.Context(), plugin)
	if err != nil || p.PID <= 1 {
		t.Fatalf("plugin %s has no process: %+v %v", plugin, p, err)
	}
	return p.PID
}

// pause lets a random moment pass: where the kill falls is the point of the test.
func pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	<-timer.C
}
