package ports

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/logging"

	"github.com/porchlight-hub/porchlight/hub/media/whep/batch"
)

const (
	// linger is how long the sockets of an address that has gone are kept: a cable that is
	// put back, or a lease that is renewed, brings it back.
	linger = time.Minute
	// Buffers of a UDP socket, in bytes; the kernel may give less. A key frame of many
	// viewers leaves at once.
	readBuffer, writeBuffer = 1 << 20, 4 << 20
	// firstWithin is how long a TCP connection may take to say whose it is.
	firstWithin = 5 * time.Second
	// stall: a TCP connection that takes nothing for so long is closed.
	stall = 10 * time.Second
	// maxConns of one address by TCP: viewers, and those who are about to say which they are.
	maxConns = 256
)

// Settings of the sockets.
type Settings struct {
	Port       int // 0: any
	NoTCP      bool
	Loopback   bool     // loopback addresses, and only those
	Interfaces []string // names; empty: all but virtual ones
}

// Ports are the open sockets. They are safe for many goroutines.
type Ports struct {
	settings Settings
	log      logging.LeveledLogger
	now      func() time.Time
	machine  func() ([]Found, error)

	mu     sync.Mutex
	port   int // the number in use; 0: none yet
	open   map[netip.Addr]*place
	here   []netip.Addr // what the machine has now, of those that are open
	taken  error        // why an address could not be opened, at the last look
	closed bool
}

// place is the sockets of one address.
type place struct {
	udp  *ice.UDPMuxDefault
	conn *batch.Conn
	tcp  *ice.TCPMuxDefault // nil: none
	gone time.Time          // since when the machine has not had the address; zero: it has
}

// New opens nothing before the first Refresh. machine lists the addresses; nil: Machine.
func New(s Settings, log logging.LeveledLogger, now func() time.Time, machine func() ([]Found, error)) *Ports {
	if machine == nil {
		machine = Machine
	}
	return &Ports{settings: s, log: log, now: now, machine: machine, port: s.Port, open: make(map[netip.Addr]*place)}
}

// Refresh looks which addresses the machine has, opens those that are new, and lets go of
// those that went long ago. The error tells of an address whose port another has.
func (p *Ports) Refresh() error {
	found, err := p.machine()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	if err != nil {
		return err
	}
	p.taken = nil
	p.here = p.here[:0:0]
	want := choose(found, p.settings)
	for _, a := range want {
		pl := p.open[a]
		if pl != nil && pl.udp.IsClosed() { // its socket has failed
			pl.close()
			delete(p.open, a)
			pl = nil
		}
		if pl == nil {
			if pl, err = p.openPlace(a); err != nil {
				// An IPv6 address is not there before it was found to be the only one of
				// its kind (RFC 4862 5.4); the next look has it.
				if !errors.Is(err, syscall.EADDRNOTAVAIL) {
					p.taken = err
				}
				continue
			}
			p.open[a] = pl
		}
		pl.gone = time.Time{}
		p.here = append(p.here, a)
	}
	p.forget(want)
	return p.taken
}

func (p *Ports) forget(want []netip.Addr) {
	now := p.now()
	for a, pl := range p.open {
		switch {
		case slices.Contains(want, a):
		case pl.gone.IsZero():
			pl.gone = now
		case now.Sub(pl.gone) > linger:
			pl.close()
			delete(p.open, a)
		}
	}
}

func (pl *place) close() {
	_ = pl.udp.Close()
	if pl.tcp != nil {
		_ = pl.tcp.Close()
	}
}

// openPlace opens the sockets of a. Ports is locked.
func (p *Ports) openPlace(a netip.Addr) (*place, error) {
	c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, uint16(p.port))))
	if err != nil && p.settings.Port == 0 && p.port != 0 {
		c, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
	}
	if err != nil {
		return nil, err
	}
	// What the kernel does not give is missing in bursts only.
	_, _ = c.SetReadBuffer(readBuffer), c.SetWriteBuffer(writeBuffer)
	port := c.LocalAddr().(*net.UDPAddr).Port
	pl := &place{conn: batch.New(c)}
	if !p.settings.NoTCP {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, uint16(port))))
		if err != nil && p.settings.Port == 0 {
			l, err = net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, 0)))
		}
		if err != nil {
			_ = c.Close()
			return nil, err
		}
		pl.tcp = ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener: &bounded{Listener: l, most: maxConns}, Logger: p.log, ReadBufferSize: 64,
			FirstStunBindTimeout: firstWithin, AliveDurationForConnFromStun: firstWithin,
		})
	}
	pl.udp = ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: p.log, UDPConn: pl.conn})
	if p.port == 0 {
		p.port = port
	}
	return pl, nil
}

// Addrs are the addresses with their ports that browsers are told now.
func (p *Ports) Addrs() []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]netip.AddrPort, 0, len(p.here))
	for _, a := range p.here {
		out = append(out, p.open[a].udp.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return out
}

// Has reports whether browsers are told ip.
func (p *Ports) Has(ip net.IP) bool {
	a, ok := netip.AddrFromSlice(ip)
	p.mu.Lock()
	defer p.mu.Unlock()
	return ok && slices.Contains(p.here, a.Unmap())
}

// Close closes all sockets.
func (p *Ports) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.here = nil
	for a, pl := range p.open {
		pl.close()
		delete(p.open, a)
	}
}

// places are the open ones now.
func (p *Ports) places() []*place {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*place, 0, len(p.open))
	for _, pl := range p.open {
		out = append(out, pl)
	}
	return out
}

// Socket is the one of UDP on a local address; nil: there is none.
func (p *Ports) Socket(a netip.Addr) *batch.Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pl := p.open[a.Unmap()]; pl != nil {
		return pl.conn
	}
	return nil
}

func (p *Ports) place(ip net.IP) *place {
	a, _ := netip.AddrFromSlice(ip)
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open[a.Unmap()]
}

// UDP is the sockets as ICE takes them. An agent's Close does not close them.
func (p *Ports) UDP() ice.UDPMux { return udp{p} }

// TCP is the same for TCP; nil: none.
func (p *Ports) TCP() ice.TCPMux {
	if p.settings.NoTCP {
		return nil
	}
	return tcp{p}
}

type udp struct{ p *Ports }

func (u udp) Close() error { return nil }

// GetListenAddresses is what an agent makes candidates of, each time that it gathers.
func (u udp) GetListenAddresses() (out []net.Addr) {
	for _, a := range u.p.Addrs() {
		out = append(out, net.UDPAddrFromAddrPort(a))
	}
	return out
}

func (u udp) GetConn(ufrag string, addr net.Addr) (net.PacketConn, error) {
	a, ok := addr.(*net.UDPAddr)
	if !ok {
		return nil, net.ErrClosed
	}
	pl := u.p.place(a.IP)
	if pl == nil {
		return nil, net.ErrClosed
	}
	return pl.udp.GetConn(ufrag, addr)
}

func (u udp) RemoveConnByUfrag(ufrag string) {
	for _, pl := range u.p.places() {
		pl.udp.RemoveConnByUfrag(ufrag)
	}
}

type tcp struct{ p *Ports }

func (t tcp) Close() error { return nil }

func (t tcp) GetConnByUfrag(ufrag string, isIPv6 bool, local net.IP) (net.PacketConn, error) {
	pl := t.p.place(local)
	if pl == nil || pl.tcp == nil {
		return nil, io.ErrClosedPipe
	}
	return pl.tcp.GetConnByUfrag(ufrag, isIPv6, local)
}

func (t tcp) RemoveConnByUfrag(ufrag string) {
	for _, pl := range t.p.places() {
		if pl.tcp != nil {
			pl.tcp.RemoveConnByUfrag(ufrag)
		}
	}
}

// bounded is a listener that has so many connections at most. In a crowd the one goes that
// has waited longest for our first word, which only who knows a session is given.
type bounded struct {
	net.Listener
	most int

	mu     sync.Mutex
	open   int
	silent []*conn // that were not written to yet, the oldest first
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		x := &conn{Conn: c, stall: stall, of: b}
		victim, ok := b.admit(x)
		if victim != nil {
			_ = victim.Close()
		}
		if ok {
			return x, nil
		}
		_ = c.Close()
	}
}

// admit makes room for x, if need be in the place of another.
func (b *bounded) admit(x *conn) (victim *conn, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.open >= b.most {
		if len(b.silent) == 0 {
			return nil, false
		}
		victim = b.silent[0]
	}
	b.open++
	b.silent = append(b.silent, x)
	return victim, true
}

// answered is of one that was written to.
func (b *bounded) answered(x *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i := slices.Index(b.silent, x); i >= 0 {
		b.silent = slices.Delete(b.silent, i, i+1)
	}
}

func (b *bounded) left(x *conn) {
	b.answered(x)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
}

// conn is a TCP connection that does not wait for ever for who takes nothing.
type conn struct {
	net.Conn
	stall time.Duration
	of    *bounded
	told  sync.Once // our first word
	once  sync.Once // the end

	mu   sync.Mutex
	next time.Time // when the deadline is moved again
}

// Write fails, and closes the connection, when the other end takes nothing.
func (c *conn) Write(b []byte) (int, error) {
	c.told.Do(func() { c.of.answered(c) })
	now := time.Now()
	c.mu.Lock()
	if now.After(c.next) {
		_ = c.SetWriteDeadline(now.Add(c.stall))
		c.next = now.Add(c.stall / 10)
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() { c.of.left(c) })
	return c.Conn.Close()
}
