package rtpout

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func testKeys(b byte) Crypto {
	return Crypto{Key: bytes.Repeat([]byte{b, 7}, 8), Salt: bytes.Repeat([]byte{b ^ 0x55}, 14)}
}

// got is one packet as the viewer has it.
type got struct {
	at      time.Time
	size    int // of the datagram
	pt      uint8
	marker  bool
	seq     uint16
	ts      uint32
	ssrc    uint32
	payload []byte
}

// sr is a sender report.
type sr struct {
	at              time.Time
	ssrc            uint32
	ntp             uint64
	rtp             uint32
	packets, octets uint32
}

// ear is one socket of a viewer.
type ear struct {
	conn    *net.UDPConn
	in, out *vault
	ssrc    uint32

	mu      sync.Mutex
	packets []got
	reports []sr
	blocks  [][]byte
	bye     bool
	bad     int
	change  chan struct{}
}

// viewer is a controller's end: it has no code of the package but Crypto.
type viewer struct {
	video, audio *ear
}

func newViewer(t testing.TB, ip string) *viewer {
	t.Helper()
	open := func(k Crypto, ssrc uint32) *ear {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
		if err != nil {
			t.Skipf("%s: %v", ip, err)
		}
		_ = c.SetReadBuffer(4 << 20)
		e := &ear{conn: c, in: newVault(k), out: newVault(k), ssrc: ssrc, change: make(chan struct{}, 1)}
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.run()
		}()
		t.Cleanup(func() {
			_ = c.Close()
			<-done
		})
		return e
	}
	return &viewer{video: open(testKeys(1), 1001), audio: open(testKeys(2), 1002)}
}

func (e *ear) port() uint16 { return uint16(e.conn.LocalAddr().(*net.UDPAddr).Port) }

func (e *ear) run() {
	buf := make([]byte, 4096)
	for {
		n, err := e.conn.Read(buf)
		if err != nil {
			return
		}
		e.take(append([]byte(nil), buf[:n]...))
	}
}

func (e *ear) take(b []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() {
		select {
		case e.change <- struct{}{}:
		default:
		}
	}()
	now := time.Now()
	if len(b) > 1 && b[1] >= 192 && b[1] <= 223 {
		p, err := e.in.openRTCP(b)
		if err != nil {
			e.bad++
			return
		}
		for len(p) >= 4 {
			n := 4 * (int(binary.BigEndian.Uint16(p[2:])) + 1)
			if n > len(p) {
				e.bad++
				return
			}
			switch p[1] {
			case 200:
				e.reports = append(e.reports, sr{now, binary.BigEndian.Uint32(p[4:]), binary.BigEndian.Uint64(p[8:]),
					binary.BigEndian.Uint32(p[16:]), binary.BigEndian.Uint32(p[20:]), binary.BigEndian.Uint32(p[24:])})
				if p[0]&0x1f > 0 {
					e.blocks = append(e.blocks, p[28:n])
				}
			case 201:
				if p[0]&0x1f > 0 {
					e.blocks = append(e.blocks, p[8:n])
				}
			case 203:
				e.bye = true
			}
			p = p[n:]
		}
		return
	}
	p, err := e.in.openRTP(b)
	if err != nil {
		e.bad++
		return
	}
	e.packets = append(e.packets, got{at: now, size: len(b), pt: p[1] & 0x7f, marker: p[1]&0x80 != 0, seq: binary.BigEndian.Uint16(p[2:]),
		ts: binary.BigEndian.Uint32(p[4:]), ssrc: binary.BigEndian.Uint32(p[8:]), payload: p[12:]})
}

// until waits for a condition of what has come.
func (e *ear) until(t testing.TB, what string, f func(*ear) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		e.mu.Lock()
		ok := f(e)
		n, r, bad := len(e.packets), len(e.reports), e.bad
		e.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-e.change:
		case <-ctx.Done():
			t.Fatalf("%s: has not come; %d packets, %d reports, %d bad", what, n, r, bad)
		}
	}
}

func (e *ear) all() []got {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]got(nil), e.packets...)
}

// send sends to the session's port.
func (e *ear) send(t testing.TB, port uint16, b []byte) {
	t.Helper()
	to := e.conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr()
	if _, err := e.conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(to, port)); err != nil {
		t.Fatal(err)
	}
}

func rtcpPacket(kind, count byte, words ...uint32) []byte {
	b := []byte{0x80 | count, kind, 0, 0}
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)/4-1))
	return b
}

// control sends RTCP, encrypted.
func (e *ear) control(t testing.TB, port uint16, b []byte) {
	t.Helper()
	e.send(t, port, e.out.sealRTCP(b))
}

// receiver is a report: of nothing if ssrc is 0.
func (e *ear) receiver(t testing.TB, port uint16, ssrc, lost uint32) {
	t.Helper()
	if ssrc == 0 {
		e.control(t, port, rtcpPacket(201, 0, e.ssrc))
		return
	}
	e.control(t, port, rtcpPacket(201, 1, e.ssrc, ssrc, lost&0xffffff, 1, 0, 0, 0))
}

func rtpPacket(pt uint8, marker bool, seq uint16, ts, ssrc uint32, payload []byte) []byte {
	b := []byte{0x80, pt, 0, 0}
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	b = binary.BigEndian.AppendUint32(b, ts)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return append(b, payload...)
}

// picture is an access unit as it came.
type picture struct {
	at, last time.Time
	ts       uint32
	nals     [][]byte
	bytes    int
}

// pictures puts packets together again (RFC 6184), and fails on what is out of order.
func pictures(t testing.TB, packets []got) []picture {
	t.Helper()
	var out []picture
	var cur *picture
	var fu []byte
	for i, p := range packets {
		if i > 0 && p.seq != packets[i-1].seq+1 {
			t.Fatalf("packet %d has number %d after %d", i, p.seq, packets[i-1].seq)
		}
		if cur == nil {
			out = append(out, picture{at: p.at, ts: p.ts})
			cur = &out[len(out)-1]
		}
		if cur.ts != p.ts {
			t.Fatalf("packet %d has another time within a picture", i)
		}
		cur.last = p.at
		cur.bytes += p.size
		switch kind := p.payload[0] & 0x1f; {
		case kind == 28:
			h := p.payload[1]
			if h&0x80 != 0 {
				fu = []byte{p.payload[0]&0xe0 | h&0x1f}
			}
			fu = append(fu, p.payload[2:]...)
			if h&0x40 != 0 {
				cur.nals, fu = append(cur.nals, fu), nil
			}
		case kind >= 1 && kind <= 23:
			cur.nals = append(cur.nals, p.payload)
		default:
			t.Fatalf("a packet of kind %d", kind)
		}
		if p.marker {
			cur = nil
		}
	}
	if cur != nil { // the last one is still on its way
		out = out[:len(out)-1]
	}
	return out
}

func annexB(pics []picture) []byte {
	var b []byte
	for _, p := range pics {
		for _, n := range p.nals {
			b = append(append(b, 0, 0, 0, 1), n...)
		}
	}
	return b
}
