package launch

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// become applies the policy and executes the target; it returns only on failure.
func become(p Policy) *Error {
	// The signal that the hub's fork armed belongs to the first thread of this
	// process; the thread that execs here may be another (prctl(2), PR_SET_PDEATHSIG).
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return failure("parent death signal", err)
	}
	if hubGone() {
		return failure("parent death signal", errors.New("the hub is gone"))
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return failure("no new privileges", err)
	}
	unix.Umask(0o077)
	if p.Dir != "" {
		if err := os.Chdir(p.Dir); err != nil {
			return failure("working directory", err)
		}
	}
	if err := limit(p.Limits); err != nil {
		return failure("limits", err)
	}
	if err := closeAll(p.Script); err != nil {
		return failure("descriptors", err)
	}
	return failure("exec", syscall.Exec("/proc/self/fd/"+strconv.Itoa(TargetFD), p.Args, p.Env))
}

// hubGone looks whether the hub died before the signal was armed. Its pid would not
// tell: in a PID namespace every parent is 0. It has ended its side of writing;
// both sides ended means that nobody is there (poll(2), POLLHUP).
func hubGone() bool {
	fds := []unix.PollFd{{Fd: PolicyFD, Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLHUP != 0
}

func limit(l Limits) error {
	set := func(name string, resource int, value uint64) error {
		// syscall's, not unix's: it also stops the runtime from putting back its own
		// RLIMIT_NOFILE at execve.
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("%s %d: %w", name, value, err)
		}
		return nil
	}
	if err := set("core", unix.RLIMIT_CORE, 0); err != nil {
		return err
	}
	for _, r := range []struct {
		name     string
		resource int
		value    uint64
	}{{"files", unix.RLIMIT_NOFILE, l.Files}, {"file size", unix.RLIMIT_FSIZE, l.FileSize}, {"data", unix.RLIMIT_DATA, l.Data}} {
		if r.value == 0 {
			continue
		}
		if err := set(r.name, r.resource, r.value); err != nil {
			return err
		}
	}
	return nil
}

// closeAll lets every descriptor but 0 to 2 end with the execve. The socket must
// live until then: its end is how the hub knows.
func closeAll(keepTarget bool) error {
	if err := unix.CloseRange(PolicyFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		// Before Linux 5.11: one by one.
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			return err
		}
		for _, n := range names {
			if fd, err := strconv.Atoi(n.Name()); err == nil && fd >= PolicyFD {
				unix.CloseOnExec(fd)
			}
		}
	}
	if !keepTarget {
		return nil
	}
	_, err := unix.FcntlInt(TargetFD, unix.F_SETFD, 0)
	return err
}
