package announce

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// phase is how far a service is.
type phase int

const (
	probing  phase = iota // it is asked whether somebody has the name
	telling               // everybody is told, twice
	standing              // who asks is answered
)

const (
	probes     = 3
	probeEvery = 250 * time.Millisecond
	tellings   = 2
	tellEvery  = time.Second
	// rest is kept after many contests of a name (RFC 6762, 8.1).
	rest        = 5 * time.Second
	manyContest = 15
)

// Service is one announced accessory.
type Service struct {
	a     *Announcer
	want  string // the name that was asked for
	port  int
	host  string        // its own, so that no other program of this machine contests it
	ready chan struct{} // closed when it was told for the first time

	// The rest is guarded by the announcer's lock.
	txt      map[string]string
	name     string // as announced
	instance string // as the DNS writes it
	nth      int
	phase    phase
	step     int
	due      time.Time // of the next step; zero: none
	what     want      // telling: which records
	contests int
	told     bool
	closed   bool
	owed     map[int]owed      // by index of the interface: answers that wait
	last     map[int]time.Time // when everybody there was answered last
}

func newService(a *Announcer, r Record) *Service {
	id := strings.ReplaceAll(r.TXT["id"], ":", "")
	if id == "" {
		sum := sha256.Sum256([]byte(r.Name))
		id = hex.EncodeToString(sum[:6])
	}
	return &Service{a: a, want: r.Name, port: r.Port, host: label(shorten("Porchlight-"+id, 63)) + ".local.",
		ready: make(chan struct{}), txt: maps.Clone(r.TXT), owed: map[int]owed{}, last: map[int]time.Time{}}
}

// Name is the name as it is announced now.
func (s *Service) Name() string {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	return s.name
}

// Ready waits until the service was announced once, on at least one interface.
func (s *Service) Ready(ctx context.Context) error {
	select {
	case <-s.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Announced tells whether it was announced once.
func (s *Service) Announced() bool {
	select {
	case <-s.ready:
		return true
	default:
		return false
	}
}

// Update tells another text.
func (s *Service) Update(txt map[string]string) error {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	if s.closed || maps.Equal(s.txt, txt) {
		return nil
	}
	s.txt = maps.Clone(txt)
	if s.phase != probing {
		s.what |= wantTXT
		if s.phase == standing {
			s.what = wantTXT
		}
		s.phase, s.step, s.due = telling, 0, time.Now()
	}
	s.a.poke()
	return nil
}

// Close takes the service back and says goodbye.
func (s *Service) Close() {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.a.services = slices.DeleteFunc(s.a.services, func(o *Service) bool { return o == s })
	s.a.goodbye(s)
}

// goodbye takes all records back, on every interface; twice, since a packet may be lost.
func (a *Announcer) goodbye(s *Service) {
	if a.socks == nil || !s.told {
		return
	}
	for range 2 {
		for _, i := range a.links {
			a.cast(i, s.records(wantPTR|wantSRV|wantTXT|wantAddr, i.Addrs, true), nil)
		}
	}
}

// rename takes the nth name that no other service here has.
func (s *Service) rename(nth int) {
	for {
		s.nth = nth
		s.name = numbered(s.want, nth)
		s.instance = label(s.name) + "." + kind
		if !slices.ContainsFunc(s.a.services, func(o *Service) bool { return o != s && same(o.instance, s.instance) }) {
			return
		}
		nth++
	}
}

func same(a, b string) bool { return strings.EqualFold(a, b) }

// probe begins to look whether the name is taken.
func (s *Service) probe(at time.Time) {
	s.phase, s.step, s.due = probing, 0, at
	clear(s.owed)
}

// tellAgain tells everything anew; one that is being probed will tell anyway.
func (s *Service) tellAgain(now time.Time) {
	if s.phase == probing {
		if s.due.IsZero() {
			s.due = now
		}
		return
	}
	s.phase, s.step, s.due, s.what = telling, 0, now, wantAll
}

// advance does what is due for one service and says how long nothing will be.
func (a *Announcer) advance(s *Service, now time.Time) time.Duration {
	if a.socks == nil || len(a.links) == 0 {
		return time.Hour // look has it go on
	}
	if !s.due.IsZero() && !now.Before(s.due) {
		a.takeStep(s, now)
	}
	next := time.Hour
	if !s.due.IsZero() {
		next = s.due.Sub(now)
	}
	for index, o := range s.owed {
		if !now.Before(o.due) {
			a.pay(s, index, o, now)
			continue
		}
		next = min(next, o.due.Sub(now))
	}
	return next
}

func (a *Announcer) takeStep(s *Service, now time.Time) {
	switch {
	case s.phase == probing && s.step < probes:
		for _, i := range a.links {
			a.ask(s, i)
		}
		s.step++
		s.due = now.Add(probeEvery)
	case s.phase == probing:
		s.phase, s.step, s.what = telling, 0, wantAll
		fallthrough
	case s.phase == telling:
		for _, i := range a.links {
			a.cast(i, s.records(s.what, i.Addrs, false), nil)
			s.last[i.index] = now
		}
		if s.step++; s.step < tellings {
			s.due = now.Add(tellEvery)
		} else {
			s.phase, s.due, s.contests = standing, time.Time{}, 0
		}
		if !s.told {
			s.told = true
			close(s.ready)
			a.log.Info("an accessory is announced", "name", s.name, "port", s.port)
		}
	}
}

// ask sends one probe: who has this name, which I want with these records?
func (a *Announcer) ask(s *Service, i Interface) {
	m := dns.Msg{Question: []dns.Question{
		{Name: s.instance, Qtype: dns.TypeANY, Qclass: dns.ClassINET},
		{Name: s.host, Qtype: dns.TypeANY, Qclass: dns.ClassINET},
	}, Ns: s.records(wantSRV|wantAddr, i.Addrs, false), Compress: true}
	for _, rr := range m.Ns {
		rr.Header().Class &^= flush // RFC 6762, 8.2: not in a probe
	}
	b, err := m.Pack()
	if err == nil {
		err = a.socks.cast(i, b)
	}
	if err != nil {
		a.log.Debug("a probe could not be sent", "interface", i.Name, "err", err)
	}
}

// contest looks whether a response gives our name to another. While probing another name
// is taken; later it is probed anew (RFC 6762, section 9).
func (a *Announcer) contest(s *Service, m dns.Msg, now time.Time) {
	if s.phase == probing && s.step == 0 {
		return // what was said before we asked does not count
	}
	for _, rr := range slices.Concat(m.Answer, m.Extra) {
		srv, ok := rr.(*dns.SRV)
		if !ok || srv.Hdr.Ttl == 0 || !same(srv.Hdr.Name, s.instance) || s.isMine(srv) {
			continue
		}
		s.contests++
		at := now
		if s.contests >= manyContest {
			at = now.Add(rest)
		}
		if s.phase == probing {
			was := s.name
			s.rename(s.nth + 1)
			a.log.Warn("the name of an accessory is taken on this network", "name", was, "taken by", srv.Target, "now", s.name)
		}
		s.probe(at)
		a.poke()
		return
	}
}

func (s *Service) isMine(srv *dns.SRV) bool {
	return int(srv.Port) == s.port && same(srv.Target, s.host)
}

// rival settles who gets a name that two probe at the same time: the later record in
// the order of bytes wins, the other waits and asks again (RFC 6762, 8.2).
func (a *Announcer) rival(s *Service, m dns.Msg, now time.Time) {
	if s.phase != probing || s.step == 0 {
		return
	}
	for _, rr := range m.Ns {
		srv, ok := rr.(*dns.SRV)
		if !ok || !same(srv.Hdr.Name, s.instance) || s.isMine(srv) {
			continue
		}
		theirs, ours := order(srv), order(&dns.SRV{Port: uint16(s.port), Target: s.host})
		if bytes.Compare(ours, theirs) < 0 {
			s.probe(now.Add(time.Second))
			a.poke()
		}
		return
	}
}

// order is the content of an SRV record as it is compared: without compression.
func order(srv *dns.SRV) []byte {
	name := make([]byte, 256)
	n, err := dns.PackDomainName(srv.Target, name, 0, nil, false)
	if err != nil {
		n = 0
	}
	head := []byte{byte(srv.Priority >> 8), byte(srv.Priority), byte(srv.Weight >> 8), byte(srv.Weight), byte(srv.Port >> 8), byte(srv.Port)}
	return append(head, name[:n]...)
}
