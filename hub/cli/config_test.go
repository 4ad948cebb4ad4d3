package cli_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// TestConfigEndsAtOnce: whatever a check of the file is at, a signal ends it. Here it
// waits for a reader of its output.
func TestConfigEndsAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real binary")
	}
	t.Parallel()
	var b strings.Builder
	b.WriteString("version: 1\n")
	for i := range 200 {
		fmt.Fprintf(&b, "%s%d: 1\n", strings.Repeat("k", 200), i)
	}
	file, bin := filepath.Join(t.TempDir(), "porchlight.yaml"), hubtest.Binary(t)
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"config", "validate", "--json", file}
	all, err := exec.CommandContext(t.Context(), bin, args...).Output()
	if len(all) <= 80<<10 {
		t.Fatalf("%d bytes: they fit in a pipe (%v)", len(all), err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		ctx, cancel := context.WithTimeout(t.Context(), hubtest.Within)
		cmd := exec.CommandContext(ctx, bin, args...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(out, make([]byte, 1)); err != nil {
			t.Error(err)
		}
		if err := cmd.Process.Signal(sig); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // the state tells more
		cancel()
		if how := cmd.ProcessState.Sys().(syscall.WaitStatus); !how.Signaled() || how.Signal() != sig {
			t.Errorf("%s: %s", sig, cmd.ProcessState)
		}
	}
}
