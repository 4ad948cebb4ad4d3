//go:build !linux

package runner

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Elsewhere than on Linux the hub runs for developers: no parent-death signal, no
// adoption of orphans, no figures; the stdin lifeline ends the plugins.

const markerKey = "PORCHLIGHT_INSTANCE_DIR"

func marker(dir string) string { return markerKey + "=" + dir }

func childPath(hub *os.File) string { return hub.Name() }

func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// wall: there are no namespaces.
func wall(*syscall.SysProcAttr) bool { return false }

// OpenSelf opens the running hub's binary.
func OpenSelf() (*os.File, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Adopt does nothing here.
func Adopt() error { return nil }

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	return os.NewFile(uintptr(fds[0]), "policy"), os.NewFile(uintptr(fds[1]), "policy"), nil
}

// waitFor blocks until the child has ended and leaves it to be reaped (kqueue(2), NOTE_EXIT).
func waitFor(pid int) {
	queue, err := unix.Kqueue()
	if err != nil {
		return
	}
	defer unix.Close(queue)
	change := make([]unix.Kevent_t, 1)
	unix.SetKevent(&change[0], pid, unix.EVFILT_PROC, unix.EV_ADD|unix.EV_ONESHOT)
	change[0].Fflags = unix.NOTE_EXIT
	for {
		_, err := unix.Kevent(queue, change, make([]unix.Kevent_t, 1), nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func killGroup(pid int) error {
	if err := unix.Kill(-pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return err
	}
	return nil
}

func ownerOf(info fs.FileInfo) (int, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

func peerOf(*net.UnixConn) (int, bool) { return 0, false }

func startOf(int) uint64 { return 0 }

// Look and killKin need /proc.
func (r *Runner) Look()                  {}
func (r *Runner) look([]task, time.Time) {}
func (r *Runner) killKin()               {}

// task is what /proc tells of a process.
type task struct{}

func tasks() []task { return nil }

// ReapStrays needs /proc.
func ReapStrays(map[int]uint64) map[int]uint64 { return nil }

// SweepMarked needs /proc.
func SweepMarked(string) int { return 0 }

// Usage of a process.
type Usage struct {
	PSS, RSS int64
	Ticks    uint64
}

// Measure needs /proc.
func (r *Runner) Measure() (Usage, bool) { return Usage{}, false }
