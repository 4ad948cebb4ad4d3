//go:build linux

package announce

import (
	"context"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brutella/dnssd"
	"github.com/miekg/dns"

	"github.com/porchlight-hub/porchlight/hub/hubtest/netns"
)

const door = `Haust\195\188r.` + kind // as the DNS library writes Haustür

func TestAPhoneFindsTheDoor(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	s := announced(t, a, record("Haustür", 4711))
	if s.Name() != "Haustür" {
		t.Errorf("announced as %q", s.Name())
	}
	first := n.phone.wait("the announcement", func(m said) bool { _, ok := find[*dns.SRV](m.Msg, door); return ok })
	if srv, _ := find[*dns.SRV](first.Msg, door); srv.Hdr.Class&flush == 0 || srv.Hdr.Ttl != ttlHost {
		t.Errorf("SRV %v", srv)
	}
	for family, cast := range map[string]func(*dns.Msg){"IPv4": n.phone.cast, "IPv6": n.phone.cast6} {
		n.phone.forget()
		cast(question(kind, dns.TypePTR))
		m := n.phone.wait("an answer by "+family, func(m said) bool {
			_, ok := find[*dns.PTR](m.Msg, kind)
			return ok && (m.from.IP.To4() != nil) == (family == "IPv4")
		})
		ptr, _ := find[*dns.PTR](m.Msg, kind)
		srv, _ := find[*dns.SRV](m.Msg, door)
		txt, _ := find[*dns.TXT](m.Msg, door)
		if ptr.Ptr != door || srv == nil || srv.Port != 4711 || txt == nil {
			t.Fatalf("%s: %v", family, m)
		}
		if !slices.Equal(txt.Txt, []string{"c#=1", "ci=18", "id=AA:BB:CC:DD:EE:FF", `md=Door Bell \"2\"`, "sf=1"}) {
			t.Errorf("TXT %q", txt.Txt)
		}
		if got := addresses(m.Msg); !slices.Contains(got, houseAddr) || !slices.Contains(got, houseAddr6) {
			t.Errorf("addresses %v", got)
		}
		// What expires first is asked for again by its own name, letters beyond ASCII and all.
		n.phone.forget()
		cast(question(strings.ToUpper(door), dns.TypeSRV))
		n.phone.wait("SRV alone", func(m said) bool {
			return m.Response && len(m.Answer) == 1 && m.Answer[0].Header().Rrtype == dns.TypeSRV
		})
		n.phone.forget()
		cast(question(srv.Target, dns.TypeA))
		n.phone.wait("the address", func(m said) bool { r, ok := find[*dns.A](m.Msg, srv.Target); return ok && r.A.String() == houseAddr })
		n.phone.forget()
		cast(question(metaName, dns.TypePTR))
		n.phone.wait("the kind", func(m said) bool { r, ok := find[*dns.PTR](m.Msg, metaName); return ok && r.Ptr == kind })
	}
}

func TestAskersAlone(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	announced(t, a, record("Front door", 4711))
	n.phone.wait("both announcements", both())
	n.phone.forget()
	// A resolver that knows nothing of multicast asks from any port, and by IPv6 as well.
	for _, to := range []string{"224.0.0.251:5353", "[ff02::fb%wlan0]:5353"} {
		var c net.PacketConn
		err := n.B.Host.Do(func() (err error) {
			network := "udp4"
			if strings.HasPrefix(to, "[") {
				network = "udp6"
			}
			c, err = net.ListenPacket(network, ":0")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		q := question(kind, dns.TypePTR)
		q.Id = 77
		b, err := q.Pack()
		if err != nil {
			t.Fatal(err)
		}
		addr := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to))
		if addr.IP.To4() != nil {
			n.B.Host.IP("route", "replace", "224.0.0.0/4", "dev", "wlan0")
		}
		if _, err := c.WriteTo(b, addr); err != nil {
			t.Fatal(err)
		}
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 9000)
		size, _, err := c.ReadFrom(buf)
		if err != nil {
			t.Fatalf("%s: %v", to, err)
		}
		var m dns.Msg
		if err := m.Unpack(buf[:size]); err != nil {
			t.Fatal(err)
		}
		srv, ok := find[*dns.SRV](&m, "")
		if !ok || m.Id != 77 || len(m.Question) != 1 || srv.Hdr.Ttl > legacyTTL || srv.Hdr.Class&flush != 0 {
			t.Errorf("%s: %v", to, m.String())
		}
	}
}

// both fits the second announcement by IPv4; IPv6 may still be looking whether its
// addresses are taken.
func both() func(said) bool {
	n := 0
	return func(m said) bool {
		if _, ok := find[*dns.SRV](m.Msg, ""); ok && m.from.IP.To4() != nil {
			n++
		}
		return n == tellings
	}
}

func TestWhatIsKnownIsNotSaid(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	announced(t, a, record("Front door", 4711))
	n.phone.wait("both announcements", both())
	n.phone.forget()
	q := question(kind, dns.TypePTR)
	q.Answer = []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: kind, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: ttlOther}, Ptr: `Front\ door.` + kind}}
	n.phone.cast(q)
	n.phone.cast(question(metaName, dns.TypePTR)) // is answered together with it
	m := n.phone.wait("the answer", func(m said) bool {
		_, meta := find[*dns.PTR](&dns.Msg{MsgHdr: m.MsgHdr, Answer: m.Answer}, metaName)
		_, announcement := find[*dns.SRV](&dns.Msg{MsgHdr: m.MsgHdr, Answer: m.Answer}, "")
		return meta && !announcement
	})
	if ptr, ok := find[*dns.PTR](m.Msg, kind); ok {
		t.Errorf("told %v", ptr)
	}
}

// claims is a machine that has a name already.
func claims(instance string, port uint16, texts ...string) func(*dns.Msg) *dns.Msg {
	return func(m *dns.Msg) *dns.Msg {
		if m.Response {
			return nil
		}
		for _, q := range m.Question {
			if !same(q.Name, instance) && !same(q.Name, kind) {
				continue
			}
			r := &dns.Msg{Answer: []dns.RR{
				&dns.PTR{Hdr: dns.RR_Header{Name: kind, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 4500}, Ptr: instance},
				&dns.SRV{Hdr: dns.RR_Header{Name: instance, Rrtype: dns.TypeSRV, Class: dns.ClassINET | flush, Ttl: 120}, Port: port, Target: "other.local."},
				&dns.TXT{Hdr: dns.RR_Header{Name: instance, Rrtype: dns.TypeTXT, Class: dns.ClassINET | flush, Ttl: 4500}, Txt: texts},
			}}
			r.Response, r.Authoritative = true, true
			return r
		}
		return nil
	}
}

func TestANameThatIsTaken(t *testing.T) {
	n := newLAN(t)
	n.phone.answers(claims(`Front\ door.`+kind, 80))
	a, _ := run(t, Options{})
	s := announced(t, a, record("Front door", 4711))
	if s.Name() != "Front door (2)" {
		t.Errorf("announced as %q", s.Name())
	}
	// A second one of the same name here does not even ask for the taken one's neighbour.
	r := record("Front door", 4712)
	r.TXT["id"] = "AA:BB:CC:DD:EE:00"
	if o := announced(t, a, r); o.Name() != "Front door (3)" {
		t.Errorf("the second one is %q", o.Name())
	}
}

// TestAContestedName: somebody takes the name later; it is looked again, and left.
func TestAContestedName(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	s := announced(t, a, record("Front door", 4711))
	claim := claims(`Front\ door.`+kind, 80)
	n.phone.answers(claim)
	n.phone.cast(claim(question(kind, dns.TypePTR)))
	n.phone.wait("the other name", func(m said) bool { _, ok := find[*dns.SRV](m.Msg, `Front\ door\ \(2\).`+kind); return ok })
	if s.Name() != "Front door (2)" {
		t.Errorf("announced as %q", s.Name())
	}
}

// TestTwoAskAtOnce: the one whose record is the later wins, the other asks again and
// finds it taken.
func TestTwoAskAtOnce(t *testing.T) {
	n := newLAN(t)
	probes := 0
	claim := claims(`Front\ door.`+kind, 65535)
	n.phone.answers(func(m *dns.Msg) *dns.Msg {
		if m.Response || len(m.Question) == 0 || !same(m.Question[0].Name, `Front\ door.`+kind) {
			return nil
		}
		if probes++; probes > 2 { // both families bring one probe
			return claim(m)
		}
		return &dns.Msg{Question: m.Question[:1], Ns: []dns.RR{&dns.SRV{
			Hdr: dns.RR_Header{Name: `Front\ door.` + kind, Rrtype: dns.TypeSRV, Class: dns.ClassINET, Ttl: 120}, Port: 65535, Target: "z.local."}}}
	})
	a, _ := run(t, Options{})
	if s := announced(t, a, record("Front door", 4711)); s.Name() != "Front door (2)" {
		t.Errorf("announced as %q", s.Name())
	}
}

func TestUpdateAndGoodbye(t *testing.T) {
	n := newLAN(t)
	a, stop := run(t, Options{})
	s := announced(t, a, record("Front door", 4711))
	r := record("Back door", 4712)
	r.TXT["id"] = "AA:BB:CC:DD:EE:00"
	announced(t, a, r)
	txt := record("", 0).TXT
	txt["sf"], txt["c#"] = "0", "2"
	if err := s.Update(txt); err != nil {
		t.Fatal(err)
	}
	m := n.phone.wait("the new text", func(m said) bool {
		r, ok := find[*dns.TXT](m.Msg, `Front\ door.`+kind)
		return ok && slices.Contains(r.Txt, "sf=0") && slices.Contains(r.Txt, "c#=2")
	})
	if r, _ := find[*dns.TXT](m.Msg, `Front\ door.`+kind); r.Hdr.Class&flush == 0 {
		t.Error("the old text is not taken back")
	}
	gone := func(name string) func(m said) bool {
		return func(m said) bool {
			r, ok := find[*dns.PTR](m.Msg, kind)
			return ok && r.Ptr == name && r.Hdr.Ttl == 0
		}
	}
	s.Close()
	s.Close()
	n.phone.wait("its goodbye", gone(`Front\ door.`+kind))
	n.phone.forget()
	stop()
	n.phone.wait("the other's goodbye", gone(`Back\ door.`+kind))
}

func TestAnotherAddress(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	announced(t, a, record("Front door", 4711))
	n.phone.wait("both announcements", both())
	n.A.Replace(netip.MustParsePrefix(houseAddr+"/24"), netip.MustParsePrefix("10.77.0.9/24"))
	m := n.phone.wait("the other address", func(m said) bool { return m.Response && slices.Contains(addresses(m.Msg), "10.77.0.9") })
	if got := addresses(m.Msg); slices.Contains(got, houseAddr) {
		t.Errorf("addresses %v", got)
	}
}

func TestPlugPulled(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	s := announced(t, a, record("Front door", 4711))
	n.phone.wait("both announcements", both())
	n.A.Pull()
	await(t, "the interface is gone", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return len(a.links) == 0 })
	n.phone.forget()
	if err := s.Update(map[string]string{"sf": "0"}); err != nil {
		t.Fatal(err)
	}
	n.A.Plug()
	n.phone.wait("the announcement after it", func(m said) bool {
		r, ok := find[*dns.TXT](m.Msg, "")
		return ok && slices.Contains(r.Txt, "sf=0") && slices.Contains(addresses(m.Msg), houseAddr)
	})
}

// await looks again and again until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	end := time.After(patience)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for !so() {
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("it never was so: %s", what)
		}
	}
}

func TestBeforeThereIsANetwork(t *testing.T) {
	n := newLAN(t)
	n.A.Pull()
	a, _ := run(t, Options{})
	s, err := a.Announce(t.Context(), record("Front door", 4711))
	if err != nil {
		t.Fatal(err)
	}
	if s.Announced() {
		t.Error("announced to nobody")
	}
	n.A.Plug()
	ready(t, s)
}

func TestOnlyNamedInterfaces(t *testing.T) {
	n := newLAN(t)
	yard := netns.Join(t,
		netns.End{Host: netns.House(t), Interface: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix("10.78.0.1/24")}},
		netns.End{Host: netns.NewHost(t, "yard"), Interface: "wlan0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.78.0.2/24")}})
	other := newPhone(t, yard.B.Host)
	a, _ := run(t, Options{Interfaces: []string{"eth1"}})
	s := announced(t, a, record("Front door", 4711))
	m := other.wait("the announcement", func(m said) bool { _, ok := find[*dns.SRV](m.Msg, ""); return ok })
	if got := addresses(m.Msg); slices.Contains(got, houseAddr) || !slices.Contains(got, "10.78.0.1") {
		t.Errorf("the yard is told %v", got)
	}
	n.phone.cast(question(kind, dns.TypePTR))
	h, err := a.Heard(t.Context(), s)
	if err != nil || len(h.On) != 1 || h.On[0].Interface != "eth1" || !h.Everywhere() {
		t.Errorf("%+v, %v", h, err)
	}
	if len(n.phone.heard) > 0 {
		t.Errorf("the phone was told %v", <-n.phone.heard)
	}
}

func TestHeard(t *testing.T) {
	n := newLAN(t)
	n.phone.answers(claims(`Other.`+kind, 80))
	a, _ := run(t, Options{})
	s := announced(t, a, record("Front door", 4711))
	h, err := a.Heard(t.Context(), s)
	if err != nil || !h.Everywhere() || len(h.On) != 1 || h.On[0].Interface != "eth0" {
		t.Fatalf("%+v, %v", h, err)
	}
	n.phone.answers(func(m *dns.Msg) *dns.Msg {
		if m.Response {
			return nil
		}
		r := &dns.Msg{Answer: []dns.RR{&dns.PTR{Hdr: dns.RR_Header{Name: metaName, Rrtype: dns.TypePTR, Class: dns.ClassINET, Ttl: 4500}, Ptr: "_x._tcp.local."}}}
		r.Response = true
		return r
	})
	n.A.Lose("udp dport 5353 ip saddr "+houseAddr, 100) // what we say ourselves does not come back by IPv4
	if h, err = a.Heard(t.Context(), s); err != nil || h.On[0].Neighbours == 0 {
		t.Errorf("%+v, %v", h, err)
	}
	n.A.Lose("udp dport 5353", 100)
	if h, err = a.Heard(t.Context(), s); err != nil || h.Everywhere() {
		t.Errorf("behind a wall: %+v, %v", h, err)
	}
	n.A.Heal() // the house is the same in every test
}

func TestNotRunning(t *testing.T) {
	a, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Announce(t.Context(), record("Front door", 4711))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Heard(t.Context(), s); err != ErrNotRunning {
		t.Errorf("%v", err)
	}
	s.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Announce(ctx, record("x", 1)); err == nil {
		t.Error("announced after its end")
	}
	for _, r := range []Record{{Name: "x"}, {Name: " ", Port: 1}, {Name: "x", Port: 65536}} {
		if _, err := a.Announce(t.Context(), r); err == nil {
			t.Errorf("%+v was announced", r)
		}
	}
}

func TestDuplicates(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	s := announced(t, a, record("Haustür", 4711))
	none, err := a.Duplicates(t.Context(), s)
	if err != nil || len(none) != 0 {
		t.Errorf("%+v, %v", none, err)
	}
	n.phone.answers(claims(`Copy\ of\ it.`+kind, 99, "sf=1", "id=aa:bb:cc:dd:ee:ff"))
	got, err := a.Duplicates(t.Context(), s)
	if err != nil || len(got) != 1 || !got[0].SameID || got[0].SameName || got[0].Name != "Copy of it" || got[0].Port != 99 || got[0].Addr.String() != phoneAddr {
		t.Errorf("%+v, %v", got, err)
	}
	n.phone.answers(claims(door, 98, "id=11:22:33:44:55:66"))
	got, err = a.Duplicates(t.Context(), s)
	if err != nil || len(got) != 1 || !got[0].SameName || got[0].SameID || got[0].Name != "Haustür" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReadByAnother: the library that this room does without reads what it says.
func TestReadByAnother(t *testing.T) {
	newLAN(t)
	a, _ := run(t, Options{})
	announced(t, a, record("Front door", 4711))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := make(chan dnssd.BrowseEntry, 64) // a few interfaces
	// It must end by cancel: with another end its readers never stop.
	sub, stop := context.WithCancel(t.Context())
	defer stop()
	go func() {
		_ = dnssd.LookupType(sub, kind, func(e dnssd.BrowseEntry) {
			select {
			case found <- e:
			default:
			}
		}, func(dnssd.BrowseEntry) {})
	}()
	for {
		select {
		case e := <-found:
			if e.IfaceName == "eth0" && e.Name == "Front door" {
				if e.Port != 4711 || e.Text["id"] != "AA:BB:CC:DD:EE:FF" || e.Host != "Porchlight-AABBCCDDEEFF" {
					t.Errorf("%+v", e)
				}
				return
			}
		case <-ctx.Done():
			t.Fatal("not found")
		}
	}
}

// TestFlood: many questions cost few answers, and the next real one is answered.
func TestFlood(t *testing.T) {
	n := newLAN(t)
	a, _ := run(t, Options{})
	announced(t, a, record("Front door", 4711))
	n.phone.wait("both announcements", both())
	n.phone.forget()
	q := question(kind, dns.TypePTR)
	for range 2000 {
		n.phone.cast(q)
	}
	answers := 0
	n.phone.wait("an answer", func(m said) bool { _, ok := find[*dns.PTR](m.Msg, kind); return ok })
	n.phone.cast(question(metaName, dns.TypePTR))
	n.phone.wait("the mark", func(m said) bool {
		if _, ok := find[*dns.PTR](m.Msg, kind); ok {
			answers++
		}
		_, ok := find[*dns.PTR](m.Msg, metaName)
		return ok
	})
	if answers > 20 {
		t.Errorf("2000 questions cost %d answers", answers)
	}
	a.mu.Lock()
	spent := budget{}
	a.mu.Unlock()
	taken := 0
	for range 1000 {
		if spent.take(time.Unix(5, 0)) {
			taken++
		}
	}
	if taken != answersPerSecond {
		t.Errorf("%d answers for single askers in one second", taken)
	}
}

// TestNothingIsLeft: after many ends no goroutine of it lives.
func TestNothingIsLeft(t *testing.T) {
	newLAN(t)
	before := runtime.NumGoroutine()
	for range 5 {
		a, stop := run(t, Options{})
		announced(t, a, record("Front door", 4711))
		stop()
	}
	await(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before })
}
