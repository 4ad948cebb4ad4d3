package still

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/convert/child"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// await waits for a condition that others bring about.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(what)
		}
	}
}

// gone reports whether no such process is left; a dead one that nobody has looked after
// yet still is.
func gone(pid int) bool {
	return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// What a wrapper has started ends with it.
func TestNothingIsLeft(t *testing.T) {
	u, tr := shot(t, av.H264, "color=red:s=320x240")
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	s := stills(t, Options{FFmpeg: script(t, `sleep 1000 </dev/null >/dev/null 2>&1 &
echo $! >&2
`+real+` "$@"`)})
	if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Sscan(s.worker.process.Said(), &child); err != nil {
		t.Fatal(err)
	}
	pid := s.Stats().PID
	s.Close()
	if !gone(pid) {
		t.Error("the wrapper is left")
	}
	await(t, "its child is left", func() bool { return gone(child) || zombie(child) })
}

// zombie: dead, but its new parent has not looked after it.
func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}

// ffmpeg ends with a hub that was killed: this test runs itself as that hub.
func TestNothingOutlivesTheHub(t *testing.T) {
	if os.Getenv("CONVERT_AS_HUB") != "" {
		s := New(Options{})
		u, tr := shot(t, av.H264, "color=red:s=320x240")
		if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("pid=%d\n", s.Stats().PID)
		<-t.Context().Done()
		return
	}
	shot(t, av.H264, "color=red:s=320x240") // or it is skipped
	hub := exec.Command(os.Args[0], "-test.run=TestNothingOutlivesTheHub")
	hub.Env = append(os.Environ(), "CONVERT_AS_HUB=1")
	out, err := hub.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := hub.Start(); err != nil {
		t.Fatal(err)
	}
	defer hub.Wait() //nolint:errcheck // it was killed
	defer hub.Process.Kill()
	var pid int
	if _, err := fmt.Fscanf(out, "pid=%d\n", &pid); err != nil {
		t.Fatal(err)
	}
	if gone(pid) {
		t.Fatal("there is no ffmpeg")
	}
	if err := hub.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	await(t, "ffmpeg is left", func() bool { return gone(pid) || zombie(pid) })
}

func TestWhatFFmpegHas(t *testing.T) {
	t.Setenv("PORCHLIGHT_SECRET", "hunter2")
	left := leftOpen(t)
	s := stills(t, Options{})
	u, tr := shot(t, av.H264, "color=red:s=320x240")
	if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", s.Stats().PID)
	if env, err := os.ReadFile(proc + "environ"); err != nil || len(env) != 0 {
		t.Errorf("environment: %q %v", env, err)
	}
	fds, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		to, _ := os.Readlink(proc + "fd/" + fd.Name())
		if !strings.HasPrefix(to, "pipe:") && to != os.DevNull { // what a library of its own opened
			t.Errorf("descriptor %s is %s", fd.Name(), to)
		}
		if left[to] {
			t.Errorf("descriptor %s is %s, which the hub was started with", fd.Name(), to)
		}
	}
	limits, err := os.ReadFile(proc + "limits")
	if err != nil || !strings.Contains(string(limits), fmt.Sprint(uint64(child.MaxMemory))) {
		t.Errorf("limits: %s %v", limits, err)
	}
}

// leftOpen opens a file and a pipe as they are in a hub whose starter did not close them,
// and gives what /proc calls them.
func leftOpen(t *testing.T) map[string]bool {
	t.Helper()
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], 0); err != nil {
		t.Fatal(err)
	}
	file, err := syscall.Open(os.Args[0], syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	left := make(map[string]bool)
	for _, fd := range []int{pipe[0], pipe[1], file} {
		t.Cleanup(func() { _ = syscall.Close(fd) })
		to, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
		if err != nil {
			t.Fatal(err)
		}
		left[to] = true
	}
	return left
}

// ffmpeg gains no rights by a set-uid program, and what is done to the thread that starts
// it for that is not done to the rest of the hub.
func TestNoNewPrivileges(t *testing.T) {
	u, tr := shot(t, av.H264, "color=red:s=320x240")
	var all []*Stills
	for range 3 { // at the same time, so that not all are started by the first thread
		s := stills(t, Options{})
		if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
			t.Fatal(err)
		}
		if got := noNewPrivs(t, fmt.Sprintf("/proc/%d/status", s.Stats().PID)); got != "1" {
			t.Errorf("no_new_privs of ffmpeg is %q", got)
		}
		all = append(all, s)
	}
	for _, s := range all {
		s.Close()
	}
	if noNewPrivs(t, fmt.Sprintf("/proc/%d/status", os.Getppid())) == "1" {
		return // all that runs here was started with it
	}
	await(t, "a thread is left that has it", func() bool {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range threads {
			// The first one never ends; if it was one of them, Go does not use it again.
			if id.Name() != fmt.Sprint(os.Getpid()) && noNewPrivs(t, "/proc/self/task/"+id.Name()+"/status") == "1" {
				return false
			}
		}
		return true
	})
}

// noNewPrivs is what a status file of /proc says; empty where the thread has ended.
func noNewPrivs(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), "NoNewPrivs:")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}
