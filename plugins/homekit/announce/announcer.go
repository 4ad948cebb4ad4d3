package announce

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Record is an accessory to announce.
type Record struct {
	Name string
	Port int
	TXT  map[string]string
}

// Options of an announcer.
type Options struct {
	Interfaces []string // names; empty: all of the house
	Log        *slog.Logger
}

// lookAt is how often the interfaces are looked at for other addresses.
const lookAt = 2 * time.Second

// Announcer announces services while it runs. Services may be given before, and stay
// when it is run anew.
type Announcer struct {
	named []string
	log   *slog.Logger
	wake  chan struct{} // 1: that there is something to do, said once is enough

	mu       sync.Mutex
	socks    *sockets // nil while it does not run
	links    []Interface
	services []*Service
	ears     []*ear
	spent    budget
}

// Unavailable says that multicast DNS cannot be spoken on this machine.
type Unavailable struct{ Err error }

func (u *Unavailable) Error() string { return "mdns: listen on port 5353: " + u.Err.Error() }
func (u *Unavailable) Unwrap() error { return u.Err }
func (u *Unavailable) Code() string  { return "E-HOMEKIT-MDNS" }
func (u *Unavailable) Hint() string {
	return "Another program keeps UDP port 5353 for itself, or the network refuses multicast. Let it share the port, or run the hub with the network of the host."
}

// New makes an announcer; Run opens the network.
func New(o Options) (*Announcer, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if i := slices.Index(o.Interfaces, ""); i >= 0 {
		return nil, errors.New("mdns: an interface without a name")
	}
	return &Announcer{named: slices.Clone(o.Interfaces), log: log, wake: make(chan struct{}, 1)}, nil
}

// Run announces and answers until ctx ends; then all services have said goodbye. It
// fails at once with *Unavailable when the network cannot be opened.
func (a *Announcer) Run(ctx context.Context) error {
	for first := true; ; first = false {
		socks, err := openSockets()
		switch {
		case err != nil && first:
			return &Unavailable{err}
		case err != nil:
			a.log.Warn("multicast DNS is still not there", "err", err)
		default:
			err = a.serve(ctx, socks)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			a.log.Warn("multicast DNS is opened anew", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(lookAt):
		}
	}
}

// serve works with two sockets until ctx or one of them ends.
func (a *Announcer) serve(ctx context.Context, socks *sockets) error {
	ctx, stop := context.WithCancel(ctx)
	packets := make(chan packet, 32) // what comes while one is worked on; more waits in the socket
	failed := make(chan error, 2)    // one of each reader
	var readers sync.WaitGroup
	if socks.v4 != nil {
		readers.Go(func() { failed <- read(ctx, socks.read4, packets) })
	}
	if socks.v6 != nil {
		readers.Go(func() { failed <- read(ctx, socks.read6, packets) })
	}
	a.begin(socks)
	defer readers.Wait()
	defer socks.close()
	defer stop()
	defer a.end()
	look := time.NewTicker(lookAt)
	defer look.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case p := <-packets:
			a.take(p)
		case <-look.C:
			a.look()
		case <-a.wake:
		case <-due.C:
		}
		due.Reset(a.work(time.Now()))
	}
}

// begin takes the sockets and lets every service be probed on them.
func (a *Announcer) begin(socks *sockets) {
	a.mu.Lock()
	a.socks, a.links = socks, nil
	for _, s := range a.services {
		s.probe(time.Now())
	}
	a.mu.Unlock()
	a.look()
}

// end says goodbye for all services and gives the sockets back.
func (a *Announcer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.services {
		a.goodbye(s)
	}
	a.socks, a.links = nil, nil
}

// look compares the interfaces with what they were, joins new ones, and has everything
// told anew when one came or has other addresses.
func (a *Announcer) look() {
	all, err := Interfaces(a.named)
	if err != nil {
		a.log.Warn("the network interfaces cannot be listed", "err", err)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.socks == nil {
		return
	}
	var links []Interface
	changed := false
	for _, i := range all {
		if !i.Used {
			continue
		}
		was := slices.IndexFunc(a.links, func(o Interface) bool { return o.index == i.index && o.Name == i.Name })
		if was >= 0 && slices.Equal(a.links[was].prefixes, i.prefixes) {
			links = append(links, i)
			continue
		}
		if err := a.socks.join(i); err != nil {
			a.log.Warn("an interface does not take multicast", "interface", i.Name, "err", err)
			continue
		}
		a.log.Debug("accessories are announced", "interface", i.Name, "addresses", i.Addrs)
		links, changed = append(links, i), true
	}
	a.links = links
	if !changed {
		return
	}
	now := time.Now()
	for _, s := range a.services {
		s.tellAgain(now)
	}
	a.poke()
}

// poke has the loop look at what is due.
func (a *Announcer) poke() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// work does what is due and says how long nothing will be.
func (a *Announcer) work(now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := time.Hour
	for _, s := range a.services {
		if wait := a.advance(s, now); wait < next {
			next = wait
		}
	}
	return max(next, time.Millisecond)
}

// cast sends to everybody on one interface.
func (a *Announcer) cast(i Interface, answers, extra []dns.RR) {
	if len(answers) == 0 {
		return
	}
	b, err := response(answers, extra)
	if err == nil {
		err = a.socks.cast(i, b)
	}
	if err != nil {
		a.log.Debug("an announcement could not be sent", "interface", i.Name, "err", err)
	}
}

// link is the interface a packet came by: the one the system names, else the one whose
// network the sender is in.
func (a *Announcer) link(p packet) (Interface, bool) {
	for _, i := range a.links {
		if p.link != 0 && i.index != p.link {
			continue
		}
		if i.near(p.from.Addr()) {
			return i, true
		}
	}
	return Interface{}, false
}

// near tells whether an address is a neighbour's: others are not answered (RFC 6762,
// section 11).
func (i Interface) near(a netip.Addr) bool {
	if a.IsLinkLocalUnicast() {
		return true
	}
	plain := a.WithZone("")
	return slices.ContainsFunc(i.prefixes, func(p netip.Prefix) bool { return p.Contains(plain) })
}

// take works on one packet.
func (a *Announcer) take(p packet) {
	var m dns.Msg
	if err := m.Unpack(p.data); err != nil || m.Opcode != dns.OpcodeQuery || m.Rcode != dns.RcodeSuccess {
		return // RFC 6762, 18.3 and 18.11
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.socks == nil {
		return
	}
	i, ok := a.link(p)
	if !ok {
		return
	}
	now := time.Now()
	if m.Response {
		if p.from.Port() != port {
			return // RFC 6762, section 11
		}
		for _, s := range a.services {
			a.contest(s, m, now)
		}
		for _, e := range a.ears {
			e.hear(i, p.from, &m)
		}
		return
	}
	for _, s := range a.services {
		a.rival(s, m, now)
		a.answer(s, i, p.from, m, now)
	}
}

// budget bounds the answers that go to single askers.
type budget struct {
	second time.Time
	n      int
}

const answersPerSecond = 64

func (b *budget) take(now time.Time) bool {
	if now.Sub(b.second) >= time.Second {
		b.second, b.n = now, 0
	}
	b.n++
	return b.n <= answersPerSecond
}

// Announce has an accessory announced, at once if the announcer runs, else when it does.
// Its name may get a number when it is taken: see Name and Ready.
func (a *Announcer) Announce(ctx context.Context, r Record) (*Service, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("mdns: announce: %w", err)
	}
	if r.Port < 1 || r.Port > 65535 {
		return nil, fmt.Errorf("mdns: announce: %d is no port", r.Port)
	}
	if strings.TrimSpace(r.Name) == "" {
		return nil, errors.New("mdns: announce: the name is empty")
	}
	s := newService(a, r)
	a.mu.Lock()
	defer a.mu.Unlock()
	s.rename(1)
	a.services = append(a.services, s)
	s.probe(time.Now().Add(rand.N(250 * time.Millisecond))) // RFC 6762, 8.1
	a.poke()
	return s, nil
}
