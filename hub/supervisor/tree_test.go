package supervisor

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/child"
	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// sleepers are the grandchildren of a hub whose run directory is below dir: known by
// the environment that they inherited.
func sleepers(dir string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		args, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(args), "\x00sleep\x00") {
			continue
		}
		env, err := os.ReadFile(filepath.Join(filepath.Dir(path), "environ"))
		if err == nil && strings.Contains(string(env), "PORCHLIGHT_INSTANCE_DIR="+dir) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func childOf(t *testing.T, s *Supervisor) (pid int) {
	t.Helper()
	eventually(t, "a grandchild", func() bool {
		pids := sleepers(s.place.Path())
		if len(pids) == 1 {
			pid = pids[0]
		}
		return pid != 0
	})
	return pid
}

// TestDeathIsSeenThoughAGrandchildHoldsStderr, and the grandchild goes too: one of
// the same group, and one that took a session of its own.
func TestDeathIsSeenThoughAGrandchildHoldsStderr(t *testing.T) {
	for _, mode := range []string{"parent", "parent-setsid"} {
		for _, walls := range []bool{true, false} {
			t.Run(fmt.Sprint(mode, " namespace ", walls), func(t *testing.T) {
				g := newGuest()
				s := open(t, g, func(o *Options) { o.Clock, o.noWalls = newFakeClock(), !walls })
				apply(t, s, patient(Spec{Name: "gate", Builtin: mode}))
				g.untilState(t, "gate", Running)
				child := childOf(t, s)
				if !walls {
					s.instances["gate"].life.p.Run.Look() // the sampler's, which the clock of this test holds
				}
				if _, err := s.Command(t.Context(), "gate", &pb.Command{C: &pb.Command_Action{Action: &pb.Action{Name: "crash"}}}); err == nil {
					t.Error("a crash answered")
				}
				if st := g.untilState(t, "gate", Backoff); st.Code != fault.Crash {
					t.Errorf("%+v", st)
				}
				eventually(t, "the grandchild to go", func() bool { return gone(child) })
			})
		}
	}
}

func TestStopTakesGrandchildren(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "parent"}))
	g.untilState(t, "gate", Running)
	child := childOf(t, s)
	apply(t, s)
	if !gone(child) {
		t.Error("the grandchild lives")
	}
}

// TestStoppedProcessIsFoundAndKilled: SIGSTOP leaves a process that lives, holds its
// connection, and answers nothing.
func TestStoppedProcessIsFoundAndKilled(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	spec := patient(Spec{Name: "gate", Builtin: "good"})
	spec.Health = Health{Every: 300 * time.Millisecond, Misses: 3}
	apply(t, s, spec)
	pid := g.untilState(t, "gate", Running).PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	g.until(t, "another life", func() bool { st := g.last("gate"); return st.State == Running && st.PID != pid })
	g.mu.Lock()
	defer g.mu.Unlock()
	var codes []string
	for _, st := range g.states["gate"] {
		codes = append(codes, st.Code)
	}
	if !slices.Contains(codes, fault.Hang) {
		t.Error(codes)
	}
	if !gone(pid) {
		t.Error("the stopped process is still there")
	}
}

// TestKilledHubTakesItsChildren: SIGKILL leaves the hub no time for anything.
func TestKilledHubTakesItsChildren(t *testing.T) {
	t.Run("namespace", func(t *testing.T) { killHub(t, true, houseBinary(t), "hub") })
	t.Run("ordinary user", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("the case above was an ordinary user's")
		}
		killHub(t, true, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", houseBinary(t), "hub")
	})
	t.Run("no namespace", func(t *testing.T) {
		if out, err := exec.Command("unshare", "-Ur", "true").CombinedOutput(); err != nil {
			t.Skipf("unshare -Ur: the kernel refuses user namespaces: %v %s", err, out)
		}
		killHub(t, false, "unshare", "-Ur", "sh", "-c", `echo 0 >/proc/sys/user/max_pid_namespaces; exec "$0" "$@"`, houseBinary(t), "hub")
	})
}

func killHub(t *testing.T, walled bool, args ...string) {
	dir, err := os.MkdirTemp("", "h")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	args = append(args, dir)
	hub := exec.Command(args[0], args[1:]...)
	hub.Stderr = os.Stderr
	in, err := hub.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := hub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hub.Process.Kill(); _ = hub.Wait() }()
	running := map[string]bool{}
	for lines := bufio.NewScanner(out); len(running) < 3 && lines.Scan(); {
		var said [2]string
		if json.Unmarshal(lines.Bytes(), &said) == nil && said[1] == string(Running) {
			running[said[0]] = true
		}
	}
	var grandchildren []int
	eventually(t, "two grandchildren", func() bool { grandchildren = sleepers(dir + "/run/porchlight"); return len(grandchildren) == 2 })
	children := childrenOf(t, hub.Process.Pid)
	if len(children) != 3 {
		t.Fatalf("children %v", children)
	}
	if err := hub.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = hub.Wait() // it holds its lock until the last of it is gone
	for _, pid := range children {
		eventually(t, "a child to end with its hub", func() bool { return gone(pid) || zombie(pid) })
	}
	if walled {
		for _, pid := range grandchildren {
			eventually(t, "a grandchild to end with the hub", func() bool { return gone(pid) || zombie(pid) })
		}
	}
	// Without a namespace the kernel has no word for grandchildren; the next hub clears them away.
	if walled {
		next := exec.Command(args[0], args[1:]...)
		next.Stderr = os.Stderr // its stdin is at its end: it clears away, starts and stops
		if err := next.Run(); err != nil {
			t.Fatal(err)
		}
	} else if s, err := New(Options{Exe: houseBinary(t), RunDir: dir + "/run", PluginDataDir: dir + "/data"}); err != nil {
		t.Fatal(err)
	} else {
		s.Close() // not in another user namespace, which may not look into the first
	}
	for _, pid := range grandchildren {
		eventually(t, "a grandchild to end", func() bool { return gone(pid) || zombie(pid) })
	}
	left, err := filepath.Glob(dir + "/run/porchlight/h" + strconv.Itoa(hub.Process.Pid) + "-*")
	if err != nil || len(left) != 0 {
		t.Error("sockets left:", left, err)
	}
}

func zombie(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(raw), ") Z ")
}

func childrenOf(t *testing.T, parent int) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(parent) && f[0] != "Z" {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			pids = append(pids, pid)
		}
	}
	return pids
}

func TestRestartsLeaveNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a hundred processes")
	}
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "good"}))
	pid := g.untilState(t, "gate", Running).PID
	fds := func() int { n, _ := os.ReadDir("/proc/self/fd"); return len(n) }
	routines, open := 0, 0
	for n := range 100 {
		if n == 10 { // caches and pools are warm
			routines, open = runtime.NumGoroutine(), fds()
		}
		if n%2 == 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			s.Restart(t.Context(), "gate") // do not wait for the ladder
		} else if err := s.Restart(t.Context(), "gate"); err != nil {
			t.Fatal(err)
		}
		g.until(t, "the next life", func() bool {
			st := g.last("gate")
			if st.State == Running && st.PID != pid {
				pid = st.PID
				return true
			}
			return false
		})
	}
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= routines+5 })
	if now := fds(); now > open+5 {
		t.Errorf("%d descriptors, %d before", now, open)
	}
	eventually(t, "one child to be left", func() bool { return len(childrenOf(t, os.Getpid())) <= 1 })
	entries, err := os.ReadDir(filepath.Join(s.place.Path(), "gate"))
	if err != nil || len(entries) > 2 {
		t.Errorf("instance directory: %v, %v", entries, err)
	}
}

// bareRunner starts a process without go-plugin.
func bareRunner(t *testing.T, target *launch.Target, change func(*launch.Policy), lines func(runner.Line)) *runner.Runner {
	t.Helper()
	starter := runner.NewStarter(true)
	t.Cleanup(starter.Close)
	hub, err := os.Open(houseBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hub.Close() })
	p := launch.Policy{Args: []string{"x"}, Dir: t.TempDir()}
	if change != nil {
		change(&p)
	}
	return runner.New(runner.Config{Name: "x", Starter: starter, Hub: hub, Target: target, Policy: p, Dir: t.TempDir(), Lines: lines}, nil)
}

func TestLayerThatFailsIsNamedAndNothingRuns(t *testing.T) {
	target, err := launch.Open(pathPlugin(t, "silent"), "")
	if err != nil {
		t.Fatal(err)
	}
	defer target.File.Close()
	r := bareRunner(t, target, func(p *launch.Policy) { p.Dir = "/nowhere" }, nil)
	err = r.Start(t.Context())
	f := child.Explain(r, time.Second, err)
	if f.Code() != fault.Launch || !f.Blocked || !strings.Contains(f.Reason, `"working directory"`) {
		t.Fatal(err, f)
	}
	if !gone(r.PID()) {
		t.Error("something runs")
	}
}

// TestWhatWasLookedAtIsWhatRuns: the file is replaced between hash and start.
func TestWhatWasLookedAtIsWhatRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plugin")
	write := func(text string) {
		fresh := path + ".new"
		if err := os.WriteFile(fresh, []byte("#!/bin/sh\necho "+text+" >&2\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, path); err != nil {
			t.Fatal(err)
		}
	}
	write("the one that was looked at")
	target, err := launch.Open(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer target.File.Close()
	write("another one")
	said := make(chan string, 8)
	r := bareRunner(t, target, nil, func(l runner.Line) { said <- l.Text })
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-r.Gone()
	close(said)
	if got := <-said; got != "the one that was looked at" {
		t.Errorf("it said %q (%s)", got, r.Exit())
	}
}

func TestReplacedHubStartsItsOldSelf(t *testing.T) {
	exe := filepath.Join(t.TempDir(), "porchlight")
	raw, err := os.ReadFile(houseBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	g := newGuest()
	s := open(t, g, func(o *Options) { o.Exe = exe })
	if err := os.Remove(exe); err != nil {
		t.Fatal(err)
	}
	apply(t, s, patient(Spec{Name: "gate", Builtin: "good"}))
	g.untilState(t, "gate", Running)
}

// TestStarterThreadOutlivesIdleness: children forked from a thread that Go ends
// would get their death signal with it.
func TestStarterThreadOutlivesIdleness(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "good"}))
	pid := g.untilState(t, "gate", Running).PID
	for range 50 { // make threads and end them
		done := make(chan struct{})
		go func() { runtime.LockOSThread(); close(done) }()
		<-done
	}
	if r, err := s.Command(t.Context(), "gate", playCommand()); err != nil || !r.GetChimePlayed().GetPlayed() {
		t.Fatal(r, err)
	}
	if st, _ := s.Plugin("gate"); st.PID != pid {
		t.Error("it was started again")
	}
}
