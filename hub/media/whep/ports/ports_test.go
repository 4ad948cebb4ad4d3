package ports

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pion/logging"
)

func quiet() logging.LeveledLogger {
	f := logging.DefaultLoggerFactory{Writer: nil, DefaultLogLevel: logging.LogLevelDisabled}
	return f.NewLogger("test")
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestChoose(t *testing.T) {
	machine := []Found{
		{"lo", ip("127.0.0.1"), true}, {"lo", ip("::1"), true},
		{"eth0", ip("192.0.2.10"), false}, {"eth0", ip("fe80::1"), false}, {"eth0", ip("2001:db8::1"), false}, {"eth0", ip("192.0.2.10"), false},
		{"docker0", ip("172.17.0.1"), false}, {"veth12", ip("10.0.0.1"), false}, {"wg0", ip("10.8.0.1"), false},
		{"eth1", ip("169.254.3.4"), false}, {"eth1", ip("0.0.0.0"), false},
	}
	for _, c := range []struct {
		s     Settings
		found []Found
		want  string
	}{
		{Settings{}, machine, "[192.0.2.10 2001:db8::1 10.8.0.1]"},
		{Settings{Loopback: true}, machine, "[127.0.0.1 ::1]"},
		{Settings{Interfaces: []string{"docker0"}}, machine, "[172.17.0.1]"},
		{Settings{Interfaces: []string{"nobody"}}, machine, "[]"},
		// In a container all there is may have such a name.
		{Settings{}, []Found{{"lo", ip("127.0.0.1"), true}, {"veth0", ip("10.0.0.1"), false}}, "[10.0.0.1]"},
		{Settings{}, nil, "[]"},
	} {
		if got := fmt.Sprint(choose(c.found, c.s)); got != c.want {
			t.Errorf("%+v: %s, want %s", c.s, got, c.want)
		}
	}
	var many []Found
	for i := range 100 {
		many = append(many, Found{"eth0", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), false})
	}
	if n := len(choose(many, Settings{})); n != maxAddresses {
		t.Errorf("%d addresses", n)
	}
}

func TestThisMachine(t *testing.T) {
	found, err := Machine()
	if err != nil || !slices.ContainsFunc(found, func(f Found) bool { return f.Addr.IsLoopback() && f.Loopback }) {
		t.Errorf("%v %v", found, err)
	}
}

// moving is a machine whose addresses change.
type moving struct {
	mu    sync.Mutex
	addrs []string
	now   time.Time
}

func (m *moving) list() (out []Found, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range m.addrs {
		out = append(out, Found{"lo", ip(a), true})
	}
	return out, nil
}

func (m *moving) clock() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// TestAddressesComeAndGo: a new one is opened under the same number, one that has gone is
// no longer told, and its sockets wait a minute for it.
func TestAddressesComeAndGo(t *testing.T) {
	m := &moving{addrs: []string{"127.0.0.1"}, now: time.Unix(1, 0)}
	p := New(Settings{Loopback: true}, quiet(), m.clock, m.list)
	defer p.Close()
	if err := p.Refresh(); err != nil {
		t.Fatal(err)
	}
	first := p.Addrs()
	m.addrs = []string{"127.0.0.2", "127.0.0.3"}
	if err := p.Refresh(); err != nil {
		t.Fatal(err)
	}
	now := p.Addrs()
	if len(now) != 2 || now[0].Addr() != ip("127.0.0.2") || now[0].Port() != first[0].Port() {
		t.Errorf("%v after %v", now, first)
	}
	if !p.Has(net.IPv4(127, 0, 0, 3)) || p.Has(net.IPv4(127, 0, 0, 1)) {
		t.Error("the wrong ones are told")
	}
	if p.Socket(ip("127.0.0.1")) == nil {
		t.Error("gone at once")
	}
	m.now = m.now.Add(linger / 2)
	_ = p.Refresh()
	m.now = m.now.Add(linger)
	_ = p.Refresh()
	if p.Socket(ip("127.0.0.1")) != nil {
		t.Error("kept for ever")
	}
	if n := len(p.UDP().GetListenAddresses()); n != 2 {
		t.Errorf("%d addresses", n)
	}
	if _, err := p.UDP().GetConn("u", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}); err == nil {
		t.Error("a connection on an address that has gone")
	}
	if _, err := p.TCP().GetConnByUfrag("u", false, net.IPv4(127, 0, 0, 1)); err == nil {
		t.Error("a connection on an address that has gone")
	}
	p.Close()
	if err := p.Refresh(); !errors.Is(err, net.ErrClosed) || len(p.Addrs()) != 0 {
		t.Error(err)
	}
}

// TestBroken: a socket that has failed is opened again.
func TestBroken(t *testing.T) {
	m := &moving{addrs: []string{"127.0.0.1"}}
	p := New(Settings{Loopback: true, NoTCP: true}, quiet(), m.clock, m.list)
	defer p.Close()
	_ = p.Refresh()
	if p.TCP() != nil {
		t.Error("TCP")
	}
	before := p.Socket(ip("127.0.0.1"))
	_ = p.place(net.IPv4(127, 0, 0, 1)).udp.Close()
	if err := p.Refresh(); err != nil {
		t.Fatal(err)
	}
	if after := p.Socket(ip("127.0.0.1")); after == nil || after == before {
		t.Error("not opened again")
	}
}

func TestTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &moving{addrs: []string{"127.0.0.1"}}
	p := New(Settings{Loopback: true, Port: l.Addr().(*net.TCPAddr).Port}, quiet(), m.clock, m.list)
	defer p.Close()
	if err := p.Refresh(); !errors.Is(err, syscall.EADDRINUSE) || len(p.Addrs()) != 0 {
		t.Errorf("%v %v", err, p.Addrs())
	}
	_ = l.Close()
	if err := p.Refresh(); err != nil || len(p.Addrs()) != 1 {
		t.Errorf("%v %v", err, p.Addrs())
	}
}

// TestTCPStrangers: connections that say nothing, or nonsense, do not stay, and there are
// never more than so many.
func TestTCPStrangers(t *testing.T) {
	m := &moving{addrs: []string{"127.0.0.1"}}
	p := New(Settings{Loopback: true}, quiet(), m.clock, m.list)
	defer p.Close()
	_ = p.Refresh()
	at := p.Addrs()[0].String()
	for _, say := range []string{"GET / HTTP/1.1\r\n\r\n", "\x00\x04abcd", "\x00\x14\x00\x01\x00\x00\x21\x12\xa4\x42aaaaaaaaaaaa", "\xff\xff"} {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
		_ = c.(*net.TCPConn).CloseWrite()
		if n, err := c.Read(make([]byte, 10)); err == nil {
			t.Errorf("%q: %d bytes", say, n)
		}
		_ = c.Close()
	}
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for range maxConns {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	c, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	open = append(open, c)
	_ = open[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := open[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("of one too many the oldest stays: %v", err)
	}
}

// TestCrowd: those who were answered stay, and those who were not give way.
func TestCrowd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	b := &bounded{Listener: l, most: 2}
	come := func() (there net.Conn) {
		t.Helper()
		here, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = here.Close() })
		if there, err = b.Accept(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = there.Close() })
		return there
	}
	viewer, stranger := come(), come()
	if _, err := viewer.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	second := come()
	if _, err := stranger.Write([]byte("x")); err == nil {
		t.Error("the stranger stays")
	}
	for _, c := range []net.Conn{viewer, second} {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	}
	if victim, ok := b.admit(&conn{of: b}); ok || victim != nil || b.open != 2 || len(b.silent) != 0 {
		t.Errorf("one more beside two viewers: %v, %d open, %d silent", ok, b.open, len(b.silent))
	}
}

// TestStalled: who takes nothing is cut off.
func TestStalled(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	b := &bounded{Listener: l, most: 1}
	c, err := b.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.(*conn).stall = 50 * time.Millisecond
	for err == nil {
		_, err = c.Write(make([]byte, 1<<16))
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) || b.open != 0 {
		t.Errorf("%v, %d open", err, b.open)
	}
}

// FuzzTCP: whatever comes in the framing of ICE-TCP (RFC 4571), the port goes on.
func FuzzTCP(f *testing.F) {
	m := &moving{addrs: []string{"127.0.0.1"}}
	p := New(Settings{Loopback: true}, quiet(), m.clock, m.list)
	f.Cleanup(p.Close)
	if err := p.Refresh(); err != nil {
		f.Fatal(err)
	}
	at := p.Addrs()[0].String()
	f.Add([]byte("\x00\x04abcd"))
	f.Add([]byte("\x00\x14\x00\x01\x00\x00\x21\x12\xa4\x42aaaaaaaaaaaa"))
	f.Add([]byte("\x00\x1c\x00\x01\x00\x08\x21\x12\xa4\x42aaaaaaaaaaaa\x00\x06\x00\x03a:b\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := net.Dial("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.(*net.TCPConn).SetLinger(0)
		_, _ = c.Write(b)
		u, err := net.Dial("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		_, _ = u.Write(b)
		if len(p.Addrs()) != 1 || p.place(net.IPv4(127, 0, 0, 1)).udp.IsClosed() {
			t.Error("the port is closed")
		}
	})
}
