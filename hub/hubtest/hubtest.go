package hubtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// Within is how long a test waits for what should be there at once. It only guards
// against a hang; no test is judged by it.
const Within = 60 * time.Second

// binaryEnv names a binary that was built before, so that a run of many test
// packages builds it once.
const binaryEnv = "PORCHLIGHT_TEST_BIN"

// Root is the repository's folder.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Binary is the real program, without cgo as it ships.
func Binary(tb testing.TB) string {
	tb.Helper()
	if bin := os.Getenv(binaryEnv); bin != "" {
		return bin
	}
	return Build(tb, "./hub")
}

// Build builds a main package of this repository without cgo.
func Build(tb testing.TB, pkg string) string {
	tb.Helper()
	out := filepath.Join(tb.TempDir(), filepath.Base(pkg)+"-test")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", out, pkg)
	cmd.Dir = Root()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", pkg, err, b)
	}
	return out
}

// Hub is a child process of the real binary.
type Hub struct {
	Dir       string // holds porchlight.yaml
	DataDir   string
	SetupURL  string // of this start
	PID       int
	Client    *client.Client
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended
	mu        sync.Mutex
	out       bytes.Buffer
	ready     chan string // the setup link; room for one
	tb        testing.TB
	closeOnce sync.Once
}

// Config is YAML with ports of the kernel's choice and data beside the file.
func Config(rest string) string {
	return "version: 1\nhub: {listen: \"127.0.0.1:0\", data_dir: ./data, webrtc: {port: 0}, rtsp: {port: 0}}\n" + rest
}

// Dir makes a short-named folder with the YAML in it (socket paths are bounded).
func Dir(tb testing.TB, yaml string) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "plt")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "porchlight.yaml"), []byte(yaml), 0o600); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Start runs the binary on the config in dir until the test ends.
func Start(tb testing.TB, bin, dir string, args ...string) *Hub {
	tb.Helper()
	h := Launch(tb, bin, dir, args...)
	h.WaitReady()
	return h
}

// WaitReady waits for the setup link and the admin socket.
func (h *Hub) WaitReady() {
	tb := h.tb
	tb.Helper()
	select {
	case h.SetupURL = <-h.ready:
	case <-h.exited:
		tb.Fatalf("hub ended at its start:\n%s", h.Output())
	case <-time.After(Within):
		tb.Fatalf("hub printed no link:\n%s", h.Output())
	}
	Eventually(tb, "admin socket", func() bool {
		c, err := client.Dial(tb.Context(), h.DataDir)
		if err != nil {
			return false
		}
		h.Client = c
		return true
	})
}

var setupLink = regexp.MustCompile(`https?://\S+/setup\?token=\S+`)

// Launch starts the binary and does not wait for it to be ready.
func Launch(tb testing.TB, bin, dir string, args ...string) *Hub {
	tb.Helper()
	return LaunchCommand(tb, dir, exec.Command(bin, append([]string{"run", "--config", filepath.Join(dir, "porchlight.yaml")}, args...)...))
}

// LaunchCommand starts a command that runs the binary on the config in dir, in
// surroundings of its own.
func LaunchCommand(tb testing.TB, dir string, cmd *exec.Cmd) *Hub {
	tb.Helper()
	h := &Hub{Dir: dir, DataDir: filepath.Join(dir, "data"), exited: make(chan struct{}), ready: make(chan string, 1), tb: tb, cmd: cmd}
	h.cmd.Dir = dir
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	h.cmd.Stdout, h.cmd.Stderr = w, w
	if err := h.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	w.Close()
	h.PID = h.cmd.Process.Pid
	var reading sync.WaitGroup
	reading.Go(func() {
		defer r.Close()
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			h.mu.Lock()
			h.out.WriteString(lines.Text() + "\n")
			h.mu.Unlock()
			if m := setupLink.FindString(lines.Text()); m != "" {
				select {
				case h.ready <- m:
				default: // a later link is not for the start
				}
			}
		}
	})
	go func() {
		_ = h.cmd.Wait() // its state is read below
		close(h.exited)
	}()
	tb.Cleanup(func() {
		h.Stop()
		reading.Wait()
		if tb.Failed() {
			tb.Logf("hub's output:\n%s", h.Output())
		}
	})
	return h
}

// Output is all that the hub wrote so far.
func (h *Hub) Output() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.out.String()
}

// Kill ends the hub with SIGKILL and waits until it is gone.
func (h *Hub) Kill() {
	_ = h.cmd.Process.Kill() // it may be gone already
	<-h.exited
	h.closeClient()
}

// Stop ends the hub in order.
func (h *Hub) Stop() {
	_ = h.cmd.Process.Signal(os.Interrupt) // it may be gone already
	select {
	case <-h.exited:
	case <-time.After(Within):
		h.tb.Errorf("hub does not stop; killed")
		_ = h.cmd.Process.Kill()
		<-h.exited
	}
	h.closeClient()
}

func (h *Hub) closeClient() {
	h.closeOnce.Do(func() {
		if h.Client != nil {
			h.Client.Close()
		}
	})
}

// Exited waits for the process to end and gives its exit code.
func (h *Hub) Exited() int {
	select {
	case <-h.exited:
	case <-time.After(Within):
		h.tb.Fatalf("hub does not end:\n%s", h.Output())
	}
	return h.cmd.ProcessState.ExitCode()
}

// BaseURL is the address of the pages.
func (h *Hub) BaseURL() string {
	base, _, _ := strings.Cut(h.SetupURL, "/setup?")
	return base
}

// Save writes the config as an editor does that renames.
func (h *Hub) Save(yaml string) {
	h.tb.Helper()
	tmp := filepath.Join(h.Dir, ".porchlight.yaml.tmp")
	err := errors.Join(os.WriteFile(tmp, []byte(yaml), 0o600), os.Rename(tmp, filepath.Join(h.Dir, "porchlight.yaml")))
	if err != nil {
		h.tb.Fatal(err)
	}
}

// Eventually waits until f holds; what names it in the failure.
func Eventually(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), Within)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			tb.Fatalf("not within %s: %s", Within, what)
		case <-tick.C:
		}
	}
}
