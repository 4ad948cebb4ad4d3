package announce

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/miekg/dns"
)

func TestJudge(t *testing.T) {
	const up = net.FlagUp | net.FlagMulticast | net.FlagBroadcast
	for _, c := range []struct {
		name  string
		flags net.Flags
		addrs int
		named []string
		used  bool
	}{
		{"eth0", up, 1, nil, true},
		{"wlan0", up, 2, nil, true},
		{"br0", up, 1, nil, true},
		{"br-lan", up, 1, nil, true}, // the house's own on OpenWrt
		{"eth0", up, 0, nil, false},
		{"eth0", net.FlagMulticast, 1, nil, false},
		{"lo", net.FlagUp | net.FlagLoopback, 1, nil, false},
		{"lo", net.FlagUp | net.FlagLoopback, 1, []string{"lo"}, true},
		{"wg0", net.FlagUp | net.FlagPointToPoint | net.FlagMulticast, 1, nil, false},
		{"can0", net.FlagUp, 1, nil, false},
		{"docker0", up, 1, nil, false},
		{"docker0", up, 1, []string{"docker0"}, true},
		{"br-0123456789ab", up, 1, nil, false},
		{"veth1a2b", up, 1, nil, false},
		{"virbr0", up, 1, nil, false},
		{"cni0", up, 1, nil, false},
		{"eth0", up, 1, []string{"eth1"}, false},
	} {
		used, why := judge(c.name, c.flags, c.addrs, c.named)
		if used != c.used || why == "" {
			t.Errorf("%+v: %v, %s", c, used, why)
		}
	}
}

func TestInterfaces(t *testing.T) {
	all, err := Interfaces([]string{"there-is-none"})
	if err != nil {
		t.Fatal(err)
	}
	last := all[len(all)-1]
	if last.Name != "there-is-none" || last.Used || last.Why == "" {
		t.Errorf("%+v", last)
	}
	for _, i := range all {
		if i.Used {
			t.Errorf("%s is used although it was not named", i.Name)
		}
	}
	if _, err := New(Options{Interfaces: []string{""}}); err == nil {
		t.Error("an interface without a name was taken")
	}
}

// TestLabels: what is written as a label is read back by the DNS library as written.
func TestLabels(t *testing.T) {
	for _, name := range []string{"Haustür", "Tom's door; the \"big\" one", "a.b", `back\slash`, "(2)", "門", "\x00\x7f", "x@y", "Front  door "} {
		in := &dns.PTR{Hdr: dns.RR_Header{Name: kind, Rrtype: dns.TypePTR, Class: dns.ClassINET}, Ptr: label(name) + "." + kind}
		m := dns.Msg{Answer: []dns.RR{in}}
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		var out dns.Msg
		if err := out.Unpack(b); err != nil {
			t.Fatal(err)
		}
		got := out.Answer[0].(*dns.PTR).Ptr
		if got != in.Ptr || shown(got) != name {
			t.Errorf("%q was written %s, read %s, shown %q", name, in.Ptr, got, shown(got))
		}
	}
}

func TestLongNames(t *testing.T) {
	for n := range 150 {
		name := numbered(strings.Repeat("ä", 40), n)
		if len(name) > 63 || !utf8.ValidString(name) {
			t.Errorf("%q", name)
		}
	}
	if numbered("Door", 1) != "Door" || numbered("Door", 2) != "Door (2)" {
		t.Error("names are numbered otherwise")
	}
}

func TestNear(t *testing.T) {
	i := Interface{prefixes: []netip.Prefix{netip.MustParsePrefix("192.168.1.7/24"), netip.MustParsePrefix("fd00::7/64")}}
	for addr, want := range map[string]bool{"192.168.1.200": true, "192.168.2.1": false, "8.8.8.8": false, "fe80::1%eth0": true, "fd00::9": true, "2001:db8::1": false, "169.254.3.4": true} {
		if got := i.near(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

// deaf is an announcer that works on packets without a network.
func deaf(t testing.TB) (*Announcer, *Service) {
	a, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	a.socks = &sockets{}
	a.links = []Interface{{Name: "eth0", index: 1, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}, prefixes: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}}
	s, err := a.Announce(t.Context(), Record{Name: "Front door", Port: 4711, TXT: map[string]string{"id": "AA:BB:CC:DD:EE:FF"}})
	if err != nil {
		t.Fatal(err)
	}
	return a, s
}

func FuzzPacket(f *testing.F) {
	a, s := deaf(f)
	for _, m := range []*dns.Msg{
		{Question: []dns.Question{{Name: kind, Qtype: dns.TypePTR, Qclass: dns.ClassINET}}},
		{Question: []dns.Question{{Name: s.instance, Qtype: dns.TypeANY, Qclass: dns.ClassINET | flush}}, Ns: s.records(wantSRV, nil, false)},
		{MsgHdr: dns.MsgHdr{Response: true}, Answer: s.records(wantAll, a.links[0].Addrs, false)},
	} {
		if b, err := m.Pack(); err == nil {
			f.Add(b, uint16(5353))
			f.Add(b, uint16(1234))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, from uint16) {
		a, s := deaf(t)
		for _, phase := range []phase{probing, telling, standing} {
			s.phase, s.step = phase, 1
			a.take(packet{b, netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), from), 1})
			a.work(time.Now().Add(time.Minute))
			if len(s.name) > 63 || len(s.owed) > 1 {
				t.Fatalf("name %q, owes %d", s.name, len(s.owed))
			}
		}
	})
}

// TestMetAreBounded, however many addresses a neighbour speaks from.
func TestMetAreBounded(t *testing.T) {
	var all []netip.Addr
	a := netip.MustParseAddr("fe80::1")
	for range 4 * maxOthers {
		all, a = met(met(all, a), a), a.Next()
	}
	if len(all) != maxOthers {
		t.Errorf("%d are remembered", len(all))
	}
}
