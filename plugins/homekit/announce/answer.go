package announce

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"
)

// owed is an answer to everybody on an interface that waits for its time.
type owed struct {
	what want
	due  time.Time
}

const (
	// onceIn is how soon a record is told to everybody again (RFC 6762, section 6), and
	// defend when somebody probes for our name.
	onceIn = time.Second
	defend = 250 * time.Millisecond
	// legacyTTL is what resolvers that know nothing of multicast may keep (RFC 6762, 6.7).
	legacyTTL = 10
)

// answer works on the questions of one query for one service.
func (a *Announcer) answer(s *Service, i Interface, from netip.AddrPort, m dns.Msg, now time.Time) {
	if s.phase == probing {
		return // it is not ours yet
	}
	var all, alone want
	probe := false
	for _, q := range m.Question {
		w := s.asked(q)
		if w == 0 || !slices.Contains([]uint16{dns.ClassINET, dns.ClassANY}, q.Qclass&^flush) {
			continue
		}
		if q.Qclass&flush != 0 || from.Port() != port {
			alone |= w
		} else {
			all |= w
		}
		probe = probe || q.Qtype == dns.TypeANY && len(m.Ns) > 0
	}
	all, alone = s.unknown(all, m.Answer), s.unknown(alone, m.Answer)
	if alone != 0 && a.spent.take(now) {
		a.tell(s, i, from, m, alone)
	}
	if all == 0 {
		return
	}
	wait := time.Duration(0)
	if all&(wantPTR|wantMeta) != 0 { // others may answer too
		wait = 20*time.Millisecond + rand.N(100*time.Millisecond)
	}
	gap := onceIn
	if probe {
		gap = defend
	}
	due := now.Add(wait)
	if soonest := s.last[i.index].Add(gap); due.Before(soonest) {
		due = soonest
	}
	if o, ok := s.owed[i.index]; ok {
		all |= o.what
		if o.due.Before(due) {
			due = o.due
		}
	}
	s.owed[i.index] = owed{all, due}
}

// asked tells which of our records a question is about.
func (s *Service) asked(q dns.Question) want {
	is := func(types ...uint16) bool { return q.Qtype == dns.TypeANY || slices.Contains(types, q.Qtype) }
	var w want
	switch {
	case same(q.Name, kind) && is(dns.TypePTR):
		w = wantPTR
	case same(q.Name, metaName) && is(dns.TypePTR):
		w = wantMeta
	case same(q.Name, s.instance):
		if is(dns.TypeSRV) {
			w |= wantSRV
		}
		if is(dns.TypeTXT) {
			w |= wantTXT
		}
	case same(q.Name, s.host) && is(dns.TypeA, dns.TypeAAAA):
		w = wantAddr
	}
	return w
}

// unknown leaves out what the asker says it knows, if it knows it for half its time.
func (s *Service) unknown(w want, known []dns.RR) want {
	for _, rr := range known {
		long := rr.Header().Ttl >= ttlOther/2
		switch k := rr.(type) {
		case *dns.PTR:
			if long && same(k.Hdr.Name, kind) && same(k.Ptr, s.instance) {
				w &^= wantPTR
			}
			if long && same(k.Hdr.Name, metaName) && same(k.Ptr, kind) {
				w &^= wantMeta
			}
		case *dns.SRV:
			if k.Hdr.Ttl >= ttlHost/2 && same(k.Hdr.Name, s.instance) && s.isMine(k) {
				w &^= wantSRV
			}
		case *dns.TXT:
			if long && same(k.Hdr.Name, s.instance) && slices.Equal(k.Txt, s.texts()) {
				w &^= wantTXT
			}
		}
	}
	return w
}

// along are the records that whoever asked for w will ask for next (RFC 6763, section 12).
func (s *Service) along(w want, addrs []netip.Addr) []dns.RR {
	var more want
	if w&wantPTR != 0 {
		more |= wantSRV | wantTXT | wantAddr
	}
	if w&wantSRV != 0 {
		more |= wantAddr
	}
	out := s.records(more&^w, addrs, false)
	if (w|more)&wantAddr != 0 {
		out = append(out, s.absent(addrs))
	}
	return out
}

// pay sends an answer that waited.
func (a *Announcer) pay(s *Service, index int, o owed, now time.Time) {
	delete(s.owed, index)
	at := slices.IndexFunc(a.links, func(i Interface) bool { return i.index == index })
	if at < 0 {
		return
	}
	i := a.links[at]
	s.last[index] = now
	a.cast(i, s.records(o.what, i.Addrs, false), s.along(o.what, i.Addrs))
}

// tell answers one asker alone.
func (a *Announcer) tell(s *Service, i Interface, to netip.AddrPort, m dns.Msg, w want) {
	reply := dns.Msg{Answer: s.records(w, i.Addrs, false), Extra: s.along(w, i.Addrs), Compress: true}
	reply.Response, reply.Authoritative = true, true
	if to.Port() != port { // a resolver that knows nothing of multicast
		reply.Id = m.Id
		for _, q := range m.Question {
			if s.asked(q) != 0 {
				reply.Question = append(reply.Question, q)
			}
		}
		for _, rr := range slices.Concat(reply.Answer, reply.Extra) {
			rr.Header().Class &^= flush
			rr.Header().Ttl = min(rr.Header().Ttl, legacyTTL)
		}
	}
	b, err := reply.Pack()
	if err == nil {
		err = a.socks.tell(i, to, b)
	}
	if err != nil {
		a.log.Debug("an answer could not be sent", "interface", i.Name, "err", err)
	}
}
