//go:build linux

package announce

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/porchlight-hub/porchlight/hub/hubtest/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }

const (
	houseAddr  = "10.77.0.1"
	houseAddr6 = "fd77::1"
	phoneAddr  = "10.77.0.2"
	patience   = 15 * time.Second // of a test, never of what is tested
)

// lan is the house, where the announcer runs, and a phone.
type lan struct {
	*netns.Cable
	phone *phone
}

func newLAN(t *testing.T) *lan {
	t.Helper()
	netns.Need(t)
	c := netns.Join(t,
		netns.End{Host: netns.House(t), Interface: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(houseAddr + "/24"), netip.MustParsePrefix(houseAddr6 + "/64")}},
		netns.End{Host: netns.NewHost(t, "phone"), Interface: "wlan0", Addresses: []netip.Prefix{netip.MustParsePrefix(phoneAddr + "/24"), netip.MustParsePrefix("fd77::2/64")}})
	return &lan{c, newPhone(t, c.B.Host)}
}

// said is one message that the phone got.
type said struct {
	*dns.Msg
	from *net.UDPAddr
}

// phone speaks multicast DNS by hand: the DNS library packs, nothing else is ours.
type phone struct {
	t     *testing.T
	host  *netns.Host
	link  *net.Interface
	v4    *ipv4.PacketConn
	v6    *ipv6.PacketConn
	heard chan said // more than any test makes; the rest waits in the socket

	mu     sync.Mutex
	answer func(*dns.Msg) *dns.Msg // what the phone itself says
}

func newPhone(t *testing.T, host *netns.Host) *phone {
	t.Helper()
	p := &phone{t: t, host: host, heard: make(chan said, 1024)}
	err := host.Do(func() (err error) {
		if p.link, err = net.InterfaceByName("wlan0"); err != nil {
			return err
		}
		c4, err := net.ListenMulticastUDP("udp4", p.link, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
		if err != nil {
			return err
		}
		c6, err := net.ListenMulticastUDP("udp6", p.link, &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: 5353})
		if err != nil {
			return err
		}
		p.v4, p.v6 = ipv4.NewPacketConn(c4), ipv6.NewPacketConn(c6)
		if err := p.v4.SetMulticastInterface(p.link); err != nil {
			return err
		}
		if err := p.v6.SetMulticastInterface(p.link); err != nil {
			return err
		}
		go p.listen(c4)
		go p.listen(c6)
		t.Cleanup(func() { c4.Close(); c6.Close() })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *phone) listen(c *net.UDPConn) {
	buf := make([]byte, 9000)
	for {
		n, from, err := c.ReadFromUDP(buf)
		if err != nil {
			return
		}
		var m dns.Msg
		if m.Unpack(buf[:n]) != nil {
			continue
		}
		p.mu.Lock() // both families' readers come here
		if p.answer != nil {
			if reply := p.answer(&m); reply != nil {
				p.cast(reply)
			}
		}
		p.mu.Unlock()
		if !m.Response {
			continue // its own questions come back too
		}
		select {
		case p.heard <- said{&m, from}:
		default:
		}
	}
}

func (p *phone) answers(f func(*dns.Msg) *dns.Msg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = f
}

// cast sends to everybody by IPv4.
func (p *phone) cast(m *dns.Msg) {
	b, err := m.Pack()
	if err != nil {
		p.t.Error(err)
		return
	}
	if _, err := p.v4.WriteTo(b, nil, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}); err != nil {
		p.t.Error(err)
	}
}

// cast6 sends to everybody by IPv6.
func (p *phone) cast6(m *dns.Msg) {
	b, err := m.Pack()
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.v6.WriteTo(b, nil, &net.UDPAddr{IP: net.ParseIP("ff02::fb"), Port: 5353, Zone: "wlan0"}); err != nil {
		p.t.Error(err)
	}
}

func question(name string, rtype uint16) *dns.Msg {
	return &dns.Msg{Question: []dns.Question{{Name: name, Qtype: rtype, Qclass: dns.ClassINET}}}
}

// wait gives the first message that fits.
func (p *phone) wait(what string, fits func(said) bool) said {
	p.t.Helper()
	end := time.After(patience)
	for {
		select {
		case m := <-p.heard:
			if fits(m) {
				return m
			}
		case <-end:
			p.t.Fatalf("the phone did not hear %s", what)
		}
	}
}

// forget drops what was heard so far.
func (p *phone) forget() {
	for {
		select {
		case <-p.heard:
		default:
			return
		}
	}
}

// find is the first record of its kind in a message that is a response.
func find[T dns.RR](m *dns.Msg, name string) (T, bool) {
	var none T
	if !m.Response {
		return none, false
	}
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		if r, ok := rr.(T); ok && (name == "" || same(rr.Header().Name, name)) {
			return r, true
		}
	}
	return none, false
}

func addresses(m *dns.Msg) []string {
	var out []string
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		switch a := rr.(type) {
		case *dns.A:
			out = append(out, a.A.String())
		case *dns.AAAA:
			out = append(out, a.AAAA.String())
		}
	}
	return out
}

// run starts an announcer in the house; stop ends it and waits.
func run(t *testing.T, o Options) (a *Announcer, stop func()) {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1) // one end
	go func() { done <- a.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return a, stop
}

func record(name string, port int) Record {
	return Record{Name: name, Port: port, TXT: map[string]string{"id": "AA:BB:CC:DD:EE:FF", "c#": "1", "sf": "1", "md": "Door Bell \"2\"", "ci": "18"}}
}

// announced waits until it is.
func announced(t *testing.T, a *Announcer, r Record) *Service {
	t.Helper()
	s, err := a.Announce(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	ready(t, s)
	return s
}

func ready(t *testing.T, s *Service) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Ready(ctx); err != nil {
		t.Fatalf("%s is not announced: %v", s.Name(), err)
	}
}
