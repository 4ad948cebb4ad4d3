package cli_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// running waits until the plugin runs in another process than that one.
func running(t *testing.T, h *hubtest.Hub, plugin string, not int) (pid int) {
	t.Helper()
	hubtest.Eventually(t, plugin+" runs", func() bool {
		p, err := h.Client.Plugin(t.Context(), plugin)
		pid = p.PID
		return err == nil && p.State == "running" && pid > 1 && pid != not // 0 and 1 are nobody to kill
	})
	return pid
}

// Without make: the go command builds, runs, and its plugins are children of what it
// built.
func TestGoRun(t *testing.T) {
	if testing.Short() {
		t.Skip("links the program")
	}
	t.Parallel()
	dir := hubtest.Dir(t, hubtest.Config("cameras:\n  porch: {kind: doorbell, plugin: demo}\n"))
	cmd := exec.Command("go", "-C", hubtest.Root(), "run", "-buildvcs=false", "./hub", "--config", filepath.Join(dir, "porchlight.yaml"))
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	// As at a terminal, Ctrl-C reaches the whole group: the go command leaves it to its child.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h := hubtest.LaunchCommand(t, dir, cmd)
	t.Cleanup(func() {
		_ = syscall.Kill(-h.PID, syscall.SIGINT) // it may be gone already
		h.Exited()
	})
	h.WaitReady()
	running(t, h, "demo", 0)
}

// Who builds anew while a hub runs replaces the file that it runs from; plugins that
// fall are started all the same.
func TestBinaryGone(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real binary")
	}
	t.Parallel()
	dir := hubtest.Dir(t, hubtest.Config("cameras:\n  porch: {kind: doorbell, plugin: demo}\n"))
	bin := filepath.Join(dir, "porchlight")
	copyProgram(t, hubtest.Binary(t), bin)
	h := hubtest.Start(t, bin, dir)
	pid := running(t, h, "demo", 0)
	if err := os.Remove(bin); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	running(t, h, "demo", pid)
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
