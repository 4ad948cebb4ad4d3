package batch

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segment sends t with one call (udp(7), UDP_SEGMENT); false: nothing was sent, and it is
// to be sent one by one.
func (c *Conn) segment(t *train) bool {
	// A control message of 2 bytes: how big each datagram is.
	var oob [24]byte
	space := unix.CmsgSpace(2)
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(oob[unix.CmsgLen(0):], uint16(t.size))
	_, _, err := c.WriteMsgUDPAddrPort(t.buf, oob[:space], t.to)
	switch {
	case err == nil:
		c.calls.Add(1)
		c.sent.Add(uint64(t.n))
		return true
	// Kernels before 4.18, and cards that do not make checksums, say so at each call.
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EIO), errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EOPNOTSUPP):
		c.plain.Store(true)
		return false
	// A path that is narrower than the packets: fragments are made of each.
	case errors.Is(err, unix.EMSGSIZE):
		return false
	}
	return true // the network is down, or its queue is full
}
