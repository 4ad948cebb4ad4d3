package line

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

func pair(t testing.TB, ip string) (*Line, *net.UDPConn) {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Skip(err)
	}
	_ = c.SetReadBuffer(4 << 20)
	a := netip.MustParseAddr(ip)
	l, err := Open("video", a, netip.AddrPortFrom(a, uint16(c.LocalAddr().(*net.UDPAddr).Port)), bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 14), 7)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close(false)
		_ = c.Close()
	})
	return l, c
}

// TestOrderAndSizes: whatever sizes are put, each comes as its own datagram, in order, with
// and without the kernel's help, over the end of the numbers.
func TestOrderAndSizes(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		for _, plain := range []bool{false, true} {
			l, c := pair(t, ip)
			l.Begin(96, 90000, time.Hour)
			l.plain, l.seq = plain, 65400
			other, _ := pair(t, ip) // opens what l has sealed: the keys are the same
			var want [][]byte
			for i := range 300 {
				size := l.Room()
				switch i % 10 {
				case 3:
					size = 700
				case 4:
					size = 1
				case 7:
					size--
				}
				want = append(want, bytes.Repeat([]byte{byte(i)}, size))
			}
			for i, w := range want {
				if err := l.Put(uint32(i), i%3 == 0, w[:1], w[1:]); err != nil {
					t.Fatal(err)
				}
				if i%70 == 69 {
					l.Leave()
				}
			}
			l.Leave()
			_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
			buf := make([]byte, 2000)
			for i, w := range want {
				n, err := c.Read(buf)
				if err != nil {
					t.Fatal(ip, plain, i, err)
				}
				var h rtp.Header
				if _, _, err := other.Packet(buf[:n], nil, &h); err == nil {
					t.Fatal("our own number was taken")
				}
				other.ssrc = 8
				payload, _, err := other.Packet(buf[:n], nil, &h)
				if err != nil {
					t.Fatal(i, err)
				}
				other.ssrc = 7
				if !bytes.Equal(payload, w) || h.SequenceNumber != uint16(65400+i) || h.Timestamp != uint32(i) || h.Marker != (i%3 == 0) || h.PayloadType != 96 {
					t.Fatalf("%s plain %v: datagram %d is %+v of %d bytes", ip, plain, i, h, len(payload))
				}
			}
			n := l.Counts()
			if n.Packets != 300 || plain && n.Calls != 300 || !plain && !l.plain && n.Calls > 200 || n.Errors != 0 {
				t.Errorf("%+v", n)
			}
		}
	}
}

// TestNothingAfterClose: no packet, no report, and the port is free.
func TestNothingAfterClose(t *testing.T) {
	l, c := pair(t, "127.0.0.1")
	l.Begin(96, 90000, time.Second)
	if err := l.Put(1, true, nil, []byte{1}); err != nil {
		t.Fatal(err)
	}
	l.Leave()
	l.Close(true)
	l.Close(true)
	if err := l.Put(1, true, nil, []byte{1}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	l.Leave()
	if next := l.Tell(time.Now(), 0); !next.IsZero() {
		t.Error(next)
	}
	if n := l.Counts(); n.Packets != 2 { // and a goodbye
		t.Errorf("%+v", n)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	buf := make([]byte, 2000)
	for range 2 {
		if _, err := c.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := l.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// TestManyNumbers: packets of more numbers than a viewer has are not looked at, whoever seals
// them; damaged ones take no place.
func TestManyNumbers(t *testing.T) {
	l, _ := pair(t, "127.0.0.1")
	for i := range 20 {
		b, err := (&rtcp.ReceiverReport{SSRC: uint32(100 + i)}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		o, _ := pair(t, "127.0.0.1")
		sealed, err := o.out.EncryptRTCP(nil, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		bad := append([]byte(nil), sealed...)
		bad[4] ^= 0x55
		if _, err := l.Reports(bad, nil); err == nil {
			t.Error("forged")
		}
		_, err = l.Reports(sealed, nil)
		if taken := err == nil; taken != (i < len(l.from)) {
			t.Errorf("number %d: %v", i, err)
		}
	}
	if _, err := l.Reports([]byte{0x80, 201, 0}, nil); err == nil {
		t.Error("short")
	}
}

// TestPadding: what a packet says of its padding is believed as far as it can be.
func TestPadding(t *testing.T) {
	l, _ := pair(t, "127.0.0.1")
	o, _ := pair(t, "127.0.0.1")
	for i, c := range []struct {
		payload []byte
		want    int // -1: refused
	}{{[]byte{1, 2, 0, 2}, 2}, {[]byte{1, 2, 3, 4}, 0}, {[]byte{1, 2, 3, 5}, -1}, {[]byte{1, 2, 0}, -1}, {nil, -1}} {
		b := []byte{0xa0, 110, 0, byte(i), 0, 0, 0, 1}
		b = append(binary.BigEndian.AppendUint32(b, 9), c.payload...)
		sealed, err := o.out.EncryptRTP(nil, b, nil)
		if err != nil {
			t.Fatal(err)
		}
		var h rtp.Header
		payload, _, err := l.Packet(sealed, nil, &h)
		if (err != nil) != (c.want < 0) || err == nil && len(payload) != c.want {
			t.Errorf("%v: %v %v", c.payload, payload, err)
		}
	}
}

// TestReception: lost, late and jitter, as RFC 3550 counts them, over the end of the numbers.
func TestReception(t *testing.T) {
	l, _ := pair(t, "127.0.0.1")
	l.Begin(110, 24000, time.Second)
	now := time.Unix(100, 0)
	for i := range 100 {
		if i%10 == 5 {
			continue
		}
		first := l.Received(&rtp.Header{SSRC: 9, SequenceNumber: uint16(65500 + i), Timestamp: uint32(480 * i)}, now.Add(time.Duration(i)*20*time.Millisecond))
		if first != (i == 0) {
			t.Error(i, first)
		}
	}
	l.Spoken(&rtcp.SenderReport{SSRC: 9, NTPTime: 0x1234_5678_9abc_0000}, now)
	b := l.reception.block(now.Add(500 * time.Millisecond))
	if b.SSRC != 9 || b.TotalLost != 10 || b.FractionLost != 25 || b.LastSequenceNumber != 65599 || b.Jitter != 0 || b.LastSenderReport != 0x5678_9abc || b.Delay != 32768 {
		t.Errorf("%+v", b)
	}
	if b = l.reception.block(now); b.FractionLost != 0 || b.TotalLost != 10 {
		t.Errorf("%+v", b)
	}
}
