package journal

import (
	"path/filepath"
	"syscall"
)

// freeBytes tells how much room the file's disk has for us.
func freeBytes(path string) (n int64, known bool) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &st); err != nil {
		return 0, false
	}
	return int64(st.Bavail) * st.Bsize, true
}
