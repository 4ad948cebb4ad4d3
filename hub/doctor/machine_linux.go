package doctor

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// kernelClock tells whether the kernel's clock is kept by a time server (adjtimex(2),
// STA_UNSYNC); a sandbox may not let us ask.
func kernelClock() (synced, known bool) {
	var t unix.Timex // no modes: only read
	if _, err := unix.Adjtimex(&t); err != nil {
		return false, false
	}
	return t.Status&unix.STA_UNSYNC == 0, true
}

// disk is what the file system of a folder says of itself.
type disk struct {
	free, size int64 // bytes; free for this user
	inodes     int64 // free ones; -1 where the file system has no such count
	remote     bool
	memory     bool
	readOnly   bool
}

func diskOf(dir string) (disk, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return disk{}, err
	}
	d := disk{free: int64(s.Bavail) * int64(s.Bsize), size: int64(s.Blocks) * int64(s.Bsize), inodes: int64(s.Ffree)}
	if s.Files == 0 {
		d.inodes = -1
	}
	d.readOnly = s.Flags&unix.ST_RDONLY != 0
	switch uint32(s.Type) { // numbers of statfs(2)
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, 0xff534d42 /* CIFS */, 0xfe534d42 /* SMB2 */, unix.V9FS_MAGIC:
		d.remote = true
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		d.memory = true
	}
	return d, nil
}

// ownerOf a file, where the system knows one.
func ownerOf(info os.FileInfo) (uid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

// mayOpen tries to open a device for writing without waiting for it; busy is no trouble.
func mayOpen(path string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EAGAIN) {
		return nil
	}
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
