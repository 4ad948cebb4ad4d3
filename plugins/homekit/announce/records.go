package announce

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"
)

const (
	kind     = "_hap._tcp.local."
	metaName = "_services._dns-sd._udp.local."

	ttlHost  = 120  // seconds, of what names a host (RFC 6762, section 10)
	ttlOther = 4500 // seconds, of the rest

	// flush in the class of an answer says: these are all there are of this name and type
	// (RFC 6762, 10.2); in the class of a question it asks for an answer to the asker alone.
	flush = 1 << 15
)

// want is a set of records.
type want uint8

const (
	wantPTR want = 1 << iota
	wantSRV
	wantTXT
	wantAddr
	wantMeta
	wantAll = wantPTR | wantSRV | wantTXT | wantAddr | wantMeta
)

// label writes one label of a name as the DNS library shows it when it reads one, so
// that names can be compared as text.
func label(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '.' || c == ' ' || c == '\'' || c == '@' || c == ';' || c == '(' || c == ')' || c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// text writes one string of a TXT record as the DNS library shows it.
func text(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// shorten cuts text to n bytes, never within a letter.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// numbered is the name as the nth of its kind: a label has 63 bytes at most.
func numbered(name string, n int) string {
	if n < 2 {
		return shorten(name, 63)
	}
	end := fmt.Sprintf(" (%d)", n)
	return shorten(name, 63-len(end)) + end
}

// records are those of a service on an interface. TTL 0 takes them back.
func (s *Service) records(w want, addrs []netip.Addr, goodbye bool) []dns.RR {
	ttl := func(t uint32) uint32 {
		if goodbye {
			return 0
		}
		return t
	}
	head := func(name string, rtype uint16, t uint32, class uint16) dns.RR_Header {
		return dns.RR_Header{Name: name, Rrtype: rtype, Class: class, Ttl: ttl(t)}
	}
	const unique = dns.ClassINET | flush
	var out []dns.RR
	if w&wantPTR != 0 {
		out = append(out, &dns.PTR{Hdr: head(kind, dns.TypePTR, ttlOther, dns.ClassINET), Ptr: s.instance})
	}
	if w&wantSRV != 0 {
		out = append(out, &dns.SRV{Hdr: head(s.instance, dns.TypeSRV, ttlHost, unique), Port: uint16(s.port), Target: s.host})
	}
	if w&wantTXT != 0 {
		out = append(out, &dns.TXT{Hdr: head(s.instance, dns.TypeTXT, ttlOther, unique), Txt: s.texts()})
	}
	if w&wantAddr != 0 {
		for _, a := range addrs {
			if a.Is4() {
				out = append(out, &dns.A{Hdr: head(s.host, dns.TypeA, ttlHost, unique), A: a.AsSlice()})
			} else {
				out = append(out, &dns.AAAA{Hdr: head(s.host, dns.TypeAAAA, ttlHost, unique), AAAA: a.WithZone("").AsSlice()})
			}
		}
	}
	if w&wantMeta != 0 && !goodbye { // others of this kind may stay
		out = append(out, &dns.PTR{Hdr: head(metaName, dns.TypePTR, ttlOther, dns.ClassINET), Ptr: kind})
	}
	return out
}

// absent says which types there are of the names, so that nobody waits for an address
// of a family that the interface has none of (RFC 6762, 6.1).
func (s *Service) absent(addrs []netip.Addr) dns.RR {
	var types []uint16
	for _, a := range addrs {
		t := dns.TypeAAAA
		if a.Is4() {
			t = dns.TypeA
		}
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	slices.Sort(types)
	return &dns.NSEC{Hdr: dns.RR_Header{Name: s.host, Rrtype: dns.TypeNSEC, Class: dns.ClassINET | flush, Ttl: ttlHost},
		NextDomain: s.host, TypeBitMap: types}
}

// texts are the strings of the TXT record, in the order of their keys.
func (s *Service) texts() []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(s.txt)) {
		out = append(out, text(shorten(k+"="+s.txt[k], 255)))
	}
	if len(out) == 0 {
		out = []string{""} // RFC 6763, 6.1
	}
	return out
}

// response packs an answer.
func response(answers, extra []dns.RR) ([]byte, error) {
	m := dns.Msg{Answer: answers, Extra: extra, Compress: true}
	m.Response, m.Authoritative = true, true
	return m.Pack()
}
