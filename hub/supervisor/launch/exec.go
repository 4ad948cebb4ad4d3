package launch

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// exitLaunch is the exit code of a launcher that did not become the plugin.
const exitLaunch = 126

// Exec is the main of `porchlight plugin exec`. It returns only where the plugin
// could not be started.
func Exec([]string) int {
	// no_new_privs and the parent-death signal belong to a thread, and the thread
	// that calls execve is the one that becomes the plugin.
	runtime.LockOSThread()
	sock := os.NewFile(PolicyFD, "policy")
	policy, err := take(sock)
	if err != nil {
		if errors.Is(err, syscall.EBADF) {
			fmt.Fprintln(os.Stderr, "porchlight plugin exec: started by the hub only; see `porchlight plugins ls`")
			return 2
		}
		return report(sock, failure("policy", err))
	}
	return report(sock, become(policy))
}

func report(sock *os.File, e *Error) int {
	// The hub may be gone; then nobody wants to know.
	_ = json.NewEncoder(sock).Encode(e)
	return exitLaunch
}
