package web_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

// adopting makes this process the parent of orphans below it, as the hub is of its plugins'.
func adopting(t *testing.T) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Skip("orphans cannot be adopted here:", err)
	}
	t.Cleanup(func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
}
