//go:build !linux

package launch

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// become is the developers' version: no sandbox beyond umask, environment and the
// number of files. Linux is the product.
func become(p Policy) *Error {
	unix.Umask(0o077)
	if p.Dir != "" {
		if err := os.Chdir(p.Dir); err != nil {
			return failure("working directory", err)
		}
	}
	if p.Limits.Files > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: p.Limits.Files, Max: p.Limits.Files}); err != nil {
			return failure("limits", err)
		}
	}
	for _, fd := range []int{PolicyFD, TargetFD, HubFD} {
		unix.CloseOnExec(fd)
	}
	return failure("exec", syscall.Exec(p.Path, p.Args, p.Env))
}
