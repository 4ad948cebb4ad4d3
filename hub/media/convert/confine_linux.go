package convert

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxMemory that ffmpeg may map, with its libraries: several times what the biggest picture takes.
const maxMemory = 3 << 30

// confine: a group of its own, so that all of it can be ended, and an end with the hub's.
func confine(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// limit what a decoder can do that a picture has taken over: it writes no file, leaves no
// core, and is the first to go where memory is short. What the kernel refuses is done
// without; the pipes are all that it has anyway.
func limit(pid int) {
	for what, most := range map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_AS: maxMemory} {
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
