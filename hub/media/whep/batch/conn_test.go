package batch

import (
	"bytes"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func pair(t testing.TB, ip string) (*Conn, *net.UDPConn) {
	t.Helper()
	a, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Skipf("%s: %v", ip, err)
	}
	b, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Fatal(err)
	}
	_ = b.SetReadBuffer(4 << 20)
	t.Cleanup(func() { _, _ = a.Close(), b.Close() })
	return New(a), b
}

func addr(c *net.UDPConn) netip.AddrPort {
	a := c.LocalAddr().(*net.UDPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// TestOrderAndSizes: whatever sizes are written, each comes as its own datagram, in order,
// with and without the kernel's help.
func TestOrderAndSizes(t *testing.T) {
	for _, ip := range []string{"127.0.0.1", "::1"} {
		for _, plain := range []bool{false, true} {
			c, r := pair(t, ip)
			c.plain.Store(plain)
			var want [][]byte
			for i := range 300 {
				size := 1200
				switch i % 10 {
				case 3:
					size = 700
				case 4:
					size = 1
				case 7:
					size = 1199
				}
				want = append(want, bytes.Repeat([]byte{byte(i)}, size))
			}
			c.Hold(addr(r))
			for i, w := range want {
				if i%70 == 69 {
					c.Release(addr(r))
					c.Hold(addr(r))
				}
				if n, err := c.WriteToAddrPort(w, addr(r)); n != len(w) || err != nil {
					t.Fatal(n, err)
				}
			}
			c.Release(addr(r))
			_ = r.SetReadDeadline(time.Now().Add(10 * time.Second))
			buf := make([]byte, 2000)
			for i, w := range want {
				n, err := r.Read(buf)
				if err != nil {
					t.Fatal(ip, plain, i, err)
				}
				if !bytes.Equal(buf[:n], w) {
					t.Fatalf("%s plain %v: datagram %d has %d bytes of %d, wanted %d of %d", ip, plain, i, n, buf[0], len(w), w[0])
				}
			}
			if packets, calls := c.Counts(); packets != 300 || plain && calls != 300 {
				t.Errorf("%d packets in %d calls", packets, calls)
			}
		}
	}
}

// TestOneCall: the packets of a picture leave with one call where the kernel segments.
func TestOneCall(t *testing.T) {
	c, r := pair(t, "127.0.0.1")
	c.Hold(addr(r))
	for range 20 {
		_, _ = c.WriteTo(make([]byte, 1200), r.LocalAddr())
	}
	_, _ = c.WriteTo(make([]byte, 10), r.LocalAddr())
	c.Release(addr(r))
	if c.plain.Load() {
		t.Skip("this kernel does not segment")
	}
	if packets, calls := c.Counts(); packets != 21 || calls != 1 {
		t.Errorf("%d packets in %d calls", packets, calls)
	}
}

// TestOthersGoAtOnce: an address that is not held does not wait for one that is, and holds
// of one address by two add up.
func TestOthersGoAtOnce(t *testing.T) {
	c, held := pair(t, "127.0.0.1")
	_, other := pair(t, "127.0.0.1")
	c.Hold(addr(held))
	c.Hold(addr(held))
	_, _ = c.WriteToAddrPort([]byte("late"), addr(held))
	_, _ = c.WriteToAddrPort([]byte("now"), addr(other))
	buf := make([]byte, 10)
	if n, err := other.Read(buf); err != nil || string(buf[:n]) != "now" {
		t.Fatal(n, err)
	}
	c.Release(addr(held))
	if n, err := held.Read(buf); err != nil || string(buf[:n]) != "late" {
		t.Fatal(n, err)
	}
	_, _ = c.WriteToAddrPort([]byte("more"), addr(held))
	c.Release(addr(held))
	c.Release(addr(held)) // once too often
	if n, err := held.Read(buf); err != nil || string(buf[:n]) != "more" {
		t.Fatal(n, err)
	}
	c.Forget(addr(held))
	if n := c.holds.Load(); n != 0 {
		t.Errorf("%d holds", n)
	}
}

// TestManyAtOnce: with the race detector.
func TestManyAtOnce(t *testing.T) {
	c, r := pair(t, "127.0.0.1")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 200 {
				c.Hold(addr(r))
				for range 5 {
					_, _ = c.WriteToAddrPort(bytes.Repeat([]byte{byte(i)}, 100*(i+1)), addr(r))
				}
				c.Release(addr(r))
			}
		})
	}
	wg.Wait()
	if packets, _ := c.Counts(); packets != 4000 {
		t.Errorf("%d packets", packets)
	}
	if n := c.holds.Load(); n != 0 {
		t.Errorf("%d holds", n)
	}
}

// BenchmarkPicture sends a picture of 16 KB to a socket that nobody reads.
func BenchmarkPicture(b *testing.B) {
	for _, plain := range []bool{true, false} {
		name := "one by one"
		if !plain {
			name = "segmented"
		}
		b.Run(name, func(b *testing.B) {
			c, r := pair(b, "127.0.0.1")
			_ = r.SetReadBuffer(1)
			c.plain.Store(plain)
			p := make([]byte, 1200)
			for b.Loop() {
				c.Hold(addr(r))
				for range 14 {
					_, _ = c.WriteToAddrPort(p, addr(r))
				}
				c.Release(addr(r))
			}
		})
	}
}
