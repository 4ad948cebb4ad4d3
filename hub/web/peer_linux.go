package web

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel (SO_PEERCRED, unix(7)): who connected, at that moment.
func peerOf(c *net.UnixConn) (peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, fmt.Errorf("peer: %w", err)
	}
	var cred *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return peer{}, fmt.Errorf("peer: %w", err)
	}
	if asked != nil {
		return peer{}, fmt.Errorf("peer: %w", asked)
	}
	return peer{uid: int(cred.Uid), pid: int(cred.Pid)}, nil
}

// maxAncestry bounds the walk; nobody is nested so deep.
const maxAncestry = 64

// ancestry is the process and those it comes from, nearest first. A process whose
// parent ended counts as a child of who adopts it, which of plugins is the hub. Not
// whole: one of them has ended, so that nothing is known of what is before it.
func ancestry(pid int) (chain []int, whole bool) {
	for pid > 1 && len(chain) < maxAncestry {
		chain = append(chain, pid)
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return chain, false
		}
		pid = parentIn(string(stat))
	}
	return chain, pid <= 1
}

// parentIn reads the parent from /proc/PID/stat (proc_pid_stat(5)); the name before it
// stands in brackets and may itself hold brackets and spaces.
func parentIn(stat string) int {
	_, rest, ok := cutLast(stat, ") ")
	if !ok {
		return 0
	}
	f := strings.Fields(rest) // state, parent, …
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.Atoi(f[1])
	if err != nil {
		return 0
	}
	return n
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func ownedByUs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
