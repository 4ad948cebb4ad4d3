package batch

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
)

const (
	// maxSegments of one call; the kernel takes 64 (UDP_MAX_SEGMENTS before Linux 6.6).
	maxSegments = 64
	// maxBytes of one call: what an IP packet can have, with air for headers.
	maxBytes = 65000
)

// Conn is a UDP socket. It is safe for many goroutines.
type Conn struct {
	*net.UDPConn
	plain atomic.Bool  // the kernel or the card does not segment
	holds atomic.Int32 // how many addresses are held, so that others pay nothing

	mu   sync.Mutex
	held map[netip.AddrPort]*train

	calls, sent atomic.Uint64
}

// train is packets to one address that wait for the call: all of one size, but for the
// last, which may be shorter.
type train struct {
	mu      sync.Mutex
	to      netip.AddrPort
	buf     []byte
	size    int // of the first packet
	n       int
	closed  bool // the last one was shorter
	holders int  // guarded by Conn.mu
}

// New takes over c.
func New(c *net.UDPConn) *Conn { return &Conn{UDPConn: c, held: make(map[netip.AddrPort]*train)} }

// Hold keeps what is written to to, until Release; holds of one address add up.
func (c *Conn) Hold(to netip.AddrPort) {
	to = short(to)
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.held[to]
	if t == nil {
		t = &train{to: to, buf: make([]byte, 0, 4096)}
		c.held[to] = t
	}
	t.holders++
	c.holds.Add(1)
}

// Release sends what was kept. The socket keeps the train's room for the next time.
func (c *Conn) Release(to netip.AddrPort) {
	to = short(to)
	c.mu.Lock()
	t := c.held[to]
	if t == nil || t.holders == 0 {
		c.mu.Unlock()
		return
	}
	t.holders--
	c.holds.Add(-1)
	c.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	c.flush(t)
}

// Forget gives the room of an address back; who held it holds it no longer.
func (c *Conn) Forget(to netip.AddrPort) {
	to = short(to)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.held[to]; t != nil {
		c.holds.Add(-int32(t.holders))
		delete(c.held, to)
	}
}

// ReadFromAddrPort and WriteToAddrPort are how ICE reads and writes without waste.
func (c *Conn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromUDPAddrPort(b)
}

// WriteToAddrPort writes b, or keeps it while the address is held.
func (c *Conn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.holds.Load() > 0 {
		if t := c.train(to); t != nil {
			c.add(t, b)
			return len(b), nil
		}
	}
	return c.write(b, to)
}

// WriteTo is the same for others.
func (c *Conn) WriteTo(b []byte, to net.Addr) (int, error) {
	if a, ok := to.(*net.UDPAddr); ok {
		return c.WriteToAddrPort(b, a.AddrPort())
	}
	return c.UDPConn.WriteTo(b, to)
}

func (c *Conn) write(b []byte, to netip.AddrPort) (int, error) {
	c.calls.Add(1)
	c.sent.Add(1)
	return c.WriteToUDPAddrPort(b, to)
}

// short is the address in its one form: IPv4 is not written as IPv6.
func short(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

func (c *Conn) train(to netip.AddrPort) *train {
	to = short(to)
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.held[to]; t != nil && t.holders > 0 {
		return t
	}
	return nil
}

func (c *Conn) add(t *train, b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n > 0 && (t.closed || len(b) > t.size || t.n == maxSegments || len(t.buf)+len(b) > maxBytes) {
		c.flush(t)
	}
	if t.n == 0 {
		t.size = len(b)
	}
	t.closed = len(b) < t.size
	t.buf = append(t.buf, b...)
	t.n++
}

// flush sends the train, which is locked. UDP loses packets anyway, so an error of the
// network is one more that is asked for again.
func (c *Conn) flush(t *train) {
	if t.n == 0 {
		return
	}
	if t.n == 1 || c.plain.Load() || !c.segment(t) {
		for b := t.buf; len(b) > 0; b = b[min(len(b), t.size):] {
			_, _ = c.write(b[:min(len(b), t.size)], t.to)
		}
	}
	t.buf, t.n, t.closed = t.buf[:0], 0, false
}

// Counts of packets and of the kernel's calls that they took.
func (c *Conn) Counts() (packets, calls uint64) { return c.sent.Load(), c.calls.Load() }
