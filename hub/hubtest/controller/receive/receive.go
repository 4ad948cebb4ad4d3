package receive

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
)

// maxDatagram that can be on any network.
const maxDatagram = 64 << 10

// Received is what came to one of a stream's sockets.
type Received struct {
	Packets   int
	Bytes     int // of payload
	Lost      int // sequence numbers that never came
	Late      int // packets that came after a later one, or twice
	Forged    int // datagrams that were not sealed for us
	Foreign   int // of another SSRC or payload type
	Datagrams int // all that came, whatever it was
	Largest   int // datagram, without IP and UDP
	First     time.Duration
	Last      time.Time      // of a datagram
	Reports   []srtp.Control // sender reports
	Arrived   []time.Time    // when the reports came
	Byes      int
	Frames    []Frame       // of pictures
	Sound     []SoundPacket // of sound
	Begun     time.Time     // when it was asked for
	Highest   uint64        // index
}

// SoundPacket is one packet of Opus.
type SoundPacket struct {
	At        time.Time
	Seq       uint16
	Timestamp uint32
	Data      []byte
}

// Side is one media's socket, which carries both directions and RTCP.
type Side struct {
	Conn net.PacketConn
	SSRC uint32
	Key  srtp.Key
	kind uint8 // payload type

	mu     sync.Mutex
	to     *net.UDPAddr // nil: not known yet
	theirs uint32
	in     *srtp.Box
	out    *srtp.Box
	got    Received
	first  uint64 // index of the first packet
	making picture
	lastSR time.Time
}

// Types of payload, of this controller's choice.
const (
	Video = 99
	Sound = 110
)

// New takes a socket for a payload type, and chooses a key for what is sent.
func New(conn net.PacketConn, kind uint8) *Side {
	if u, ok := conn.(*net.UDPConn); ok {
		_ = u.SetReadBuffer(4 << 20) // a hint
	}
	s := &Side{Conn: conn, kind: kind}
	var b [4]byte
	for _, random := range [][]byte{b[:], s.Key.Key[:], s.Key.Salt[:]} {
		_, _ = rand.Read(random) // it cannot fail
	}
	s.SSRC = binary.BigEndian.Uint32(b[:])
	s.out = srtp.New(s.Key)
	return s
}

// Port of the socket.
func (s *Side) Port() uint16 { return uint16(s.Conn.LocalAddr().(*net.UDPAddr).Port) }

// Join tells it who the other end is.
func (s *Side) Join(address netip.Addr, port uint16, ssrc uint32, k srtp.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.to = net.UDPAddrFromAddrPort(netip.AddrPortFrom(address, port))
	s.theirs, s.in = ssrc, srtp.New(k)
}

// Begin is the moment from which the first packet is waited for.
func (s *Side) Begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got.Begun = time.Now()
}

// Listen takes datagrams until the socket is closed.
func (s *Side) Listen(keep bool) {
	b := make([]byte, maxDatagram)
	for {
		n, _, err := s.Conn.ReadFrom(b)
		if err != nil {
			return
		}
		s.take(b[:n], time.Now(), keep)
	}
}

func (s *Side) take(b []byte, at time.Time, keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &s.got
	g.Datagrams++
	g.Largest, g.Last = max(g.Largest, len(b)), at
	if s.in == nil {
		g.Forged++
		return
	}
	if srtp.IsRTCP(b) {
		s.control(b, at)
		return
	}
	plain, index, err := s.in.Open(b)
	if err != nil {
		g.Forged++
		return
	}
	p, err := srtp.Parse(plain)
	if err != nil || p.SSRC != s.theirs || p.Type != s.kind {
		g.Foreign++
		return
	}
	if g.Packets == 0 {
		s.first, g.Highest, g.First = index, index, at.Sub(g.Begun)
	} else if index <= g.Highest {
		g.Late++
	}
	gap := index > g.Highest+1
	g.Packets++
	g.Bytes += len(p.Payload)
	g.Highest = max(g.Highest, index)
	g.Lost = int(g.Highest-s.first) + 1 - g.Packets + g.Late
	if !keep {
		return
	}
	if s.kind == Sound {
		g.Sound = append(g.Sound, SoundPacket{At: at, Seq: p.Seq, Timestamp: p.Timestamp, Data: p.Payload})
	} else if f := s.making.take(p, at, gap); f != nil {
		g.Frames = append(g.Frames, *f)
	}
}

func (s *Side) control(b []byte, at time.Time) {
	plain, err := s.in.OpenRTCP(b)
	if err != nil {
		s.got.Forged++
		return
	}
	list, err := srtp.ParseRTCP(plain)
	if err != nil {
		s.got.Foreign++
		return
	}
	for _, c := range list {
		switch c.Type {
		case srtp.SenderReport:
			s.got.Reports, s.got.Arrived = append(s.got.Reports, c), append(s.got.Arrived, at)
			s.lastSR = at
		case srtp.Bye:
			s.got.Byes++
		}
	}
}

// Report sends what was received.
func (s *Side) Report() {
	s.mu.Lock()
	r := srtp.Received{SSRC: s.theirs, Lost: uint32(max(s.got.Lost, 0)), Highest: uint32(s.got.Highest)}
	if n := len(s.got.Reports); n > 0 {
		r.LastSR = uint32(s.got.Reports[n-1].NTP >> 16)
		r.Delay = uint32(time.Since(s.lastSR) * 65536 / time.Second)
	}
	s.mu.Unlock()
	s.Send(srtp.Report(s.SSRC, r))
}

// Send seals RTCP and sends it. The other end may be gone.
func (s *Side) Send(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.to != nil {
		_, _ = s.Conn.WriteTo(s.out.SealRTCP(b), s.to)
	}
}

// SendRTP seals a packet and sends it.
func (s *Side) SendRTP(p srtp.Packet) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.Conn.WriteTo(s.out.Seal(p.Bytes()), s.to)
	return err
}

// Received is a copy.
func (s *Side) Received() Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.got
	g.Reports, g.Arrived = slices.Clone(g.Reports), slices.Clone(g.Arrived)
	g.Frames, g.Sound = slices.Clone(g.Frames), slices.Clone(g.Sound)
	return g
}
