package line

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	headerSize = 12 // of RTP without extensions (RFC 3550 5.1)
	tagSize    = 10 // of HMAC_SHA1_80 (RFC 3711 5.2)
	replay     = 64 // packets that may come late (RFC 3711 3.3.2)

	// trainBytes and trainPackets bound what one call of the kernel sends: what an IP packet
	// holds, and UDP_MAX_SEGMENTS before Linux 6.6.
	trainBytes   = 64000
	trainPackets = 64

	// Datagrams that HomeKit's networks carry on IPv4 and IPv6, and the least that is made
	// of a wish: smaller ones would be nothing but headers.
	datagram4     = 1378
	datagram6     = 1228
	datagramLeast = 256

	// sendBuffer is asked of the kernel, for a key frame; it gives what it allows.
	sendBuffer = 1 << 20
)

// ErrClosed is returned by a line that sends no more.
var ErrClosed = errors.New("rtp: line is closed")

// Line is one medium's socket with one viewer: numbers and cipher of what leaves, and the
// cipher of what comes. in and from are the listening goroutine's alone; what follows mu is guarded.
type Line struct {
	kind string
	conn *net.UDPConn
	peer netip.AddrPort
	ssrc uint32
	in   *srtp.Context
	// from are the numbers that the viewer has sent by: a cipher has a state for each.
	from  [8]uint32
	froms int

	mu     sync.Mutex
	out    *srtp.Context
	head   rtp.Header // room
	closed bool
	begun  bool // is sent on
	pt     uint8
	seq    uint16
	base   uint32 // RTP time of position 0
	clock  uint32
	most   int // bytes of a datagram
	every  time.Duration
	due    time.Time // of the next report; zero: with the first packet
	// buf is a train: datagrams of one size, of which only the last may be shorter.
	buf       []byte
	size, n   int
	plain     bool // the kernel or the card does not segment
	last      uint32
	sent      bool   // last holds
	packets   uint32 // of RTP, as reports count them
	octets    uint32
	reception *reception // of what comes on this line; nil: nothing has

	total struct{ packets, bytes, calls, errors atomic.Uint64 }
}

// Counts of datagrams that were sent, and of the kernel's calls for them.
type Counts struct{ Packets, Bytes, Calls, Errors uint64 }

// Counts so far.
func (l *Line) Counts() Counts {
	return Counts{l.total.packets.Load(), l.total.bytes.Load(), l.total.calls.Load(), l.total.errors.Load()}
}

// SSRC that we send by.
func (l *Line) SSRC() uint32 { return l.ssrc }

// Kind is the word for the medium.
func (l *Line) Kind() string { return l.kind }

// Port that was bound.
func (l *Line) Port() uint16 { return uint16(l.conn.LocalAddr().(*net.UDPAddr).Port) }

// Used reports whether there is anywhere to send to.
func (l *Line) Used() bool { return l.peer.Port() != 0 }

// Clock of RTP times, in ticks a second; 0 before Begin.
func (l *Line) Clock() uint32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.clock
}

// Open binds a port of local for packets to peer. ssrc is the number we send by.
func Open(kind string, local netip.Addr, peer netip.AddrPort, key, salt []byte, ssrc uint32) (*Line, error) {
	const profile = srtp.ProtectionProfileAes128CmHmacSha1_80
	l := &Line{kind: kind, peer: peer, ssrc: ssrc, seq: uint16(rand.Uint32()) & 0x7fff, base: rand.Uint32()}
	var err error
	if l.out, err = srtp.CreateContext(key, salt, profile); err != nil {
		return nil, fmt.Errorf("rtp: %s key: %w", kind, err)
	}
	if l.in, err = srtp.CreateContext(key, salt, profile, srtp.SRTPReplayProtection(replay), srtp.SRTCPReplayProtection(replay)); err != nil {
		return nil, fmt.Errorf("rtp: %s key: %w", kind, err)
	}
	network := "udp4"
	if local.Is6() {
		network = "udp6"
	}
	l.conn, err = net.ListenUDP(network, net.UDPAddrFromAddrPort(netip.AddrPortFrom(local, 0)))
	if err != nil {
		return nil, fmt.Errorf("rtp: %s port: %w", kind, err)
	}
	_ = l.conn.SetWriteBuffer(sendBuffer)
	l.Limit(0)
	return l, nil
}

// Begin makes the line ready to send.
func (l *Line) Begin(pt uint8, clock uint32, every time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pt, l.clock, l.every, l.begun = pt&0x7f, clock, every, true
	l.buf = make([]byte, 0, trainBytes)
}

// Every says how often reports are sent from now on.
func (l *Line) Every(every time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.every = every
}

// Limit bounds datagrams by what the viewer wishes.
func (l *Line) Limit(mtu int) {
	most := datagram4
	if l.peer.Addr().Is6() {
		most = datagram6
	}
	if mtu > 0 {
		most = min(most, max(mtu, datagramLeast))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most = most
}

// Room is the most bytes of a payload.
func (l *Line) Room() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.most - headerSize - tagSize
}

// At is the RTP time of a position on the session's line of time.
func (l *Line) At(pos time.Duration) uint32 { return l.base + uint32(av.Ticks(pos, l.clock)) }

// Put makes one packet of head and body, and keeps it until Leave.
func (l *Line) Put(ts uint32, marker bool, head, body []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	n := headerSize + len(head) + len(body)
	if l.n > 0 && (n+tagSize > l.size || len(l.buf)%l.size != 0 || l.n == trainPackets || len(l.buf)+n+tagSize > trainBytes) {
		l.flush()
	}
	from := len(l.buf)
	b := append(l.buf, 0x80, l.pt)
	if marker {
		b[from+1] |= 0x80
	}
	b = binary.BigEndian.AppendUint16(b, l.seq)
	b = binary.BigEndian.AppendUint32(b, ts)
	b = binary.BigEndian.AppendUint32(b, l.ssrc)
	b = append(append(b, head...), body...)
	packet, err := l.out.EncryptRTP(b[from:from:cap(b)], b[from:], &l.head)
	if err != nil {
		return fmt.Errorf("rtp: %s: encrypt: %w", l.kind, err)
	}
	if l.n == 0 {
		l.size = len(packet)
	}
	l.buf = b[:from+len(packet)]
	l.n++
	l.seq++
	l.last, l.sent = ts, true
	l.packets++
	l.octets += uint32(len(head) + len(body))
	return nil
}

// Leave sends what is kept.
func (l *Line) Leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.flush()
	}
}

// flush sends the train; the lock is held. UDP loses packets anyway, so that an error of the
// network is only counted: who hears nothing says nothing, which ends the session.
func (l *Line) flush() {
	if l.n == 0 {
		return
	}
	if l.n == 1 || l.plain || !l.segment() {
		for b := l.buf; len(b) > 0; b = b[min(len(b), l.size):] {
			l.write(b[:min(len(b), l.size)])
		}
	}
	l.buf, l.n = l.buf[:0], 0
}

func (l *Line) write(b []byte) {
	l.total.calls.Add(1)
	if _, err := l.conn.WriteToUDPAddrPort(b, l.peer); err != nil {
		l.total.errors.Add(1)
		return
	}
	l.total.packets.Add(1)
	l.total.bytes.Add(uint64(len(b)))
}

// control sends packets of RTCP as one datagram; the lock is held.
func (l *Line) control(packets []rtcp.Packet) error {
	b, err := rtcp.Marshal(packets)
	if err != nil {
		return fmt.Errorf("rtp: %s: report: %w", l.kind, err)
	}
	if b, err = l.out.EncryptRTCP(nil, b, nil); err != nil {
		return fmt.Errorf("rtp: %s: encrypt: %w", l.kind, err)
	}
	l.write(b)
	return nil
}

// Close says goodbye, if the line was used, and frees the port. Nothing leaves afterwards.
func (l *Line) Close(used bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if used && l.begun {
		_ = l.control([]rtcp.Packet{
			&rtcp.ReceiverReport{SSRC: l.ssrc},
			l.name(),
			&rtcp.Goodbye{Sources: []uint32{l.ssrc}},
		})
	}
	l.closed = true
	l.buf, l.n = nil, 0
	_ = l.conn.Close()
}
