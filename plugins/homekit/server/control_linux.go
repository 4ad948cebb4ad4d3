package server

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// unanswered is how long, in milliseconds, what was sent may stay unacknowledged: without
// it, a phone that left while an event was on its way holds its place for a quarter of an
// hour, since keepalive is silent while data is out.
const unanswered = 60_000

// control sets what the listener's connections inherit.
func control(_, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, unanswered)
	})
	return errors.Join(err, set)
}
