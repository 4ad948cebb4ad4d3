package web

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// peerOf asks the kernel (LOCAL_PEERCRED and LOCAL_PEERPID, unix(4)).
func peerOf(c *net.UnixConn) (peer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return peer{}, fmt.Errorf("peer: %w", err)
	}
	var cred *unix.Xucred
	var pid int
	var asked error
	if err := raw.Control(func(fd uintptr) {
		if cred, asked = unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); asked == nil {
			pid, asked = unix.GetsockoptInt(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		}
	}); err != nil {
		return peer{}, fmt.Errorf("peer: %w", err)
	}
	if asked != nil {
		return peer{}, fmt.Errorf("peer: %w", asked)
	}
	return peer{uid: int(cred.Uid), pid: pid}, nil
}

// ancestry knows only the process itself here: macOS is for developers.
func ancestry(pid int) (chain []int, whole bool) { return []int{pid}, true }

func ownedByUs(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
