//go:build linux

package netns

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// insideEnv tells the second life of a test process where it is: "yes", or why the
// kernel does not let it be there.
const insideEnv = "PORCHLIGHT_TEST_NETNS"

// Main runs the tests in a network namespace of their own. Call it from TestMain and
// exit with what it gives. The test program is started once more for that: a process
// with threads cannot move as a whole.
func Main(m *testing.M) int {
	if os.Getenv(insideEnv) != "" {
		return m.Run()
	}
	// The child is to end with this thread, and a locked thread ends with the process.
	runtime.LockOSThread()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	err := again(attr, "yes")
	if !refused(err) {
		return code(err)
	}
	return code(again(&syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}, err.Error()))
}

func again(attr *syscall.SysProcAttr, inside string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), insideEnv+"="+inside)
	cmd.SysProcAttr = attr
	return cmd.Run()
}

// refused is whether the kernel said no to the namespaces, and not the tests to the hub.
func refused(err error) bool {
	for _, no := range []error{syscall.EPERM, syscall.EACCES, syscall.EINVAL, syscall.ENOSYS, syscall.ENOSPC, syscall.EUSERS} {
		if errors.Is(err, no) {
			return true
		}
	}
	return false
}

func code(err error) int {
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return ended.ExitCode()
	default:
		fmt.Fprintln(os.Stderr, "netns:", err)
		return 1
	}
}

// Need skips the test where the kernel refuses what it needs, and says what that is. The
// commands must be there where everything was to be installed.
func Need(tb testing.TB, commands ...string) {
	tb.Helper()
	switch why := os.Getenv(insideEnv); why {
	case "yes":
	case "":
		tb.Fatal("netns: TestMain does not call Main")
	default:
		tb.Skipf("SKIPPED: the kernel refuses network namespaces: %s", why)
	}
	for _, name := range append([]string{"ip", "nft"}, commands...) {
		if _, err := find(name); err != nil {
			if os.Getenv("CI") == "true" {
				tb.Fatal(err)
			}
			tb.Skipf("SKIPPED: %v; apt-get install iproute2 nftables libnss3-tools chromium", err)
		}
	}
}

// find looks where a user's PATH does not: ip and nft are an administrator's.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin/", "/sbin/"} {
		if _, e := os.Stat(dir + name); e == nil {
			return dir + name, nil
		}
	}
	return "", err
}

// tool runs ip or nft on this thread's network.
func tool(input, name string, args ...string) (string, error) {
	path, err := find(name)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
