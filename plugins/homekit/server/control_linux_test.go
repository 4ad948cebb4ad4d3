package server

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAConnectionInheritsItsLimits from the listener: a phone that left is noticed.
func TestAConnectionInheritsItsLimits(t *testing.T) {
	d := newDoor(t, nil)
	l, err := d.listen(t.Context()) // its own port is taken: another one
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	raw, err := in.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	want := func(what string, option, value int) {
		t.Helper()
		if err := raw.Control(func(fd uintptr) {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); err != nil || got != value {
				t.Errorf("%s is %d, not %d: %v", what, got, value, err)
			}
		}); err != nil {
			t.Error(err)
		}
	}
	want("unanswered", unix.TCP_USER_TIMEOUT, unanswered)
	want("keepalive's idle", unix.TCP_KEEPIDLE, 60)
	want("no delay", unix.TCP_NODELAY, 1)
}
