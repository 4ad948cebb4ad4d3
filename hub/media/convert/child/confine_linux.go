package child

import (
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxMemory that it may map, with its libraries: several times what the biggest picture takes.
const MaxMemory = 3 << 30

// confine: a group of its own, so that all of it can be ended, and an end with the hub's.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// seal closes to the child that the calling thread will start what the pipes are not: each
// descriptor from 3 up ends with the execve, those too that the hub was itself started with
// and knows nothing of, and no set-uid program gives back the rights that the hub's user
// has not (prctl(2), PR_SET_NO_NEW_PRIVS). The thread has it from then on, for good.
func seal() error {
	if err := closeOnExec(); err != nil {
		return fmt.Errorf("descriptors: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	return nil
}

// closeOnExec only marks, so it takes nothing from the hub; what os/exec hands to a child
// it copies behind the fork, where the mark of the copy is its own.
func closeOnExec() error {
	const first = 3 // behind stderr
	if unix.CloseRange(first, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	names, err := os.ReadDir("/proc/self/fd") // before Linux 5.11: one by one
	if err != nil {
		return err
	}
	for _, n := range names {
		if fd, err := strconv.Atoi(n.Name()); err == nil && fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// limit what a decoder can do that a picture has taken over: it writes no file, leaves no
// core, and is the first to go where memory is short. What the kernel refuses is done
// without; the pipes are all that it has anyway.
func limit(pid int) {
	for what, most := range map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_AS: MaxMemory} {
		_ = unix.Prlimit(pid, what, &unix.Rlimit{Cur: most, Max: most}, nil)
	}
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("500"), 0)
}

// awaitEnd waits for the end and leaves the dead one's number taken.
func awaitEnd(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
}

func killGroup(pid int) { _ = unix.Kill(-pid, unix.SIGKILL) }
