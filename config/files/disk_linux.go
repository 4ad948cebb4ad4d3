package files

import (
	"os"
	"slices"
	"syscall"
)

// made tells of a file that the kernel makes up as it is read (statfs(2)): a read of some,
// such as /proc/kmsg, waits for ever, and others are what a process holds in secret.
func made(f *os.File) bool {
	var st syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &st); err != nil {
		return false
	}
	// proc, sysfs, debugfs, tracefs
	return slices.Contains([]int64{0x9fa0, 0x62656572, 0x64626720, 0x74726163}, int64(st.Type))
}
