//go:build linux

package netns

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// Host is a machine: a network namespace, with files and processes as everybody else's.
type Host struct {
	Name string
	tb   testing.TB
	file *os.File // its namespace; nil: the test's own
}

// House is the machine on which the test itself runs.
func House(tb testing.TB) *Host {
	tb.Helper()
	h := &Host{Name: "house", tb: tb}
	h.IP("link", "set", "lo", "up")
	return h
}

// NewHost makes one that is joined to nobody yet.
func NewHost(tb testing.TB, name string) *Host {
	tb.Helper()
	h := &Host{Name: name, tb: tb}
	made := make(chan error, 1) // one answer
	go func() {
		// Never unlocked: the thread ends with this goroutine rather than go back to others.
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			h.file, err = os.Open("/proc/thread-self/ns/net")
		}
		made <- err
	}()
	if err := <-made; err != nil {
		if refused(err) {
			tb.Skipf("SKIPPED: the kernel refuses a network namespace: %v", err)
		}
		tb.Fatal(err)
	}
	tb.Cleanup(func() { h.file.Close() })
	h.IP("link", "set", "lo", "up")
	return h
}

// Do runs f on a thread that is on the host's network. Sockets stay where they were made.
func (h *Host) Do(f func() error) error {
	if h.file == nil {
		return f()
	}
	done := make(chan error, 1) // one answer
	go func() {
		runtime.LockOSThread() // never unlocked, as above
		if err := unix.Setns(int(h.file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("netns: enter %s: %w", h.Name, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// Start starts a command on the host. The process stays after the thread that started
// it has gone, so Pdeathsig must not be asked for.
func (h *Host) Start(cmd *exec.Cmd) error { return h.Do(cmd.Start) }

// Output runs a command on the host and gives what it writes.
func (h *Host) Output(cmd *exec.Cmd) (out []byte, err error) {
	err = h.Do(func() error {
		out, err = cmd.CombinedOutput()
		return err
	})
	return out, err
}

// DialContext connects from the host, for http.Transport and the like.
func (h *Host) DialContext(ctx context.Context, network, address string) (conn net.Conn, err error) {
	err = h.Do(func() error {
		// Addresses alone: a name would be looked up by another thread, on another network.
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	return conn, err
}

// IP runs the command ip on the host.
func (h *Host) IP(args ...string) string {
	h.tb.Helper()
	return h.run("", "ip", args...)
}

// Rules replaces the host's packet filter; an empty text lets everything through.
func (h *Host) Rules(chains string) {
	h.tb.Helper()
	text := "flush ruleset\n"
	if chains != "" {
		text += "table inet test {\n" + chains + "\n}\n"
	}
	h.run(text, "nft", "-f", "-")
}

// Filter is what the host's packet filter holds, with its counters.
func (h *Host) Filter() string {
	h.tb.Helper()
	return h.run("", "nft", "list", "ruleset")
}

func (h *Host) run(input, name string, args ...string) string {
	h.tb.Helper()
	var out string
	err := h.Do(func() (err error) {
		out, err = tool(input, name, args...)
		return err
	})
	if err != nil {
		h.tb.Fatalf("netns: on %s: %v", h.Name, err)
	}
	return out
}
