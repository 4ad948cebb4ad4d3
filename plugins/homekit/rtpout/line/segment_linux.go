package line

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// segment sends the train with one call (udp(7), UDP_SEGMENT); false: nothing was sent, and
// it is to be sent one by one. The lock is held.
func (l *Line) segment() bool {
	// A control message of 2 bytes: how big each datagram is.
	var oob [24]byte
	h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
	h.Level, h.Type = unix.IPPROTO_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(oob[unix.CmsgLen(0):], uint16(l.size))
	_, _, err := l.conn.WriteMsgUDPAddrPort(l.buf, oob[:unix.CmsgSpace(2)], l.peer)
	switch {
	case err == nil:
		l.total.calls.Add(1)
		l.total.packets.Add(uint64(l.n))
		l.total.bytes.Add(uint64(len(l.buf)))
		return true
	// Kernels before 4.18, and cards that make no checksums, say so at each call.
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EIO), errors.Is(err, unix.ENOPROTOOPT), errors.Is(err, unix.EOPNOTSUPP):
		l.plain = true
		return false
	// A path that is narrower than the packets: the kernel makes fragments of each.
	case errors.Is(err, unix.EMSGSIZE):
		return false
	}
	l.total.errors.Add(1) // the network is down, or its queue is full
	return true
}
