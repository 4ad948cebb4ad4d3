package announce

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Heard says where an accessory's own announcement came back.
type Heard struct{ On []HeardOn }

// HeardOn is one interface.
type HeardOn struct {
	Interface  string
	Addrs      []netip.Addr
	Back       bool // the own record came back
	Neighbours int  // other machines that were heard; none: multicast may not get through
}

// Everywhere tells whether there are interfaces and all of them brought the record back.
func (h Heard) Everywhere() bool {
	return len(h.On) > 0 && !slices.ContainsFunc(h.On, func(o HeardOn) bool { return !o.Back })
}

// Other is an accessory of somebody else that uses our name or our device id.
type Other struct {
	Name      string // as announced, without its kind
	Device    string // TXT id
	Host      string
	Addr      netip.Addr // who said so
	Interface string
	Port      int
	SameName  bool
	SameID    bool
}

// ErrNotRunning is told when nothing can be asked since the announcer does not run.
var ErrNotRunning = errors.New("mdns: ask: the announcer does not run")

// heardFor is how long answers are waited for: twice onceIn and what delays them.
const heardFor = 2500 * time.Millisecond

// ear gets what is said while somebody asks.
type ear struct {
	hear func(Interface, netip.AddrPort, *dns.Msg)
} // under the announcer's lock

// listen asks questions on every interface and hands on what is said for at most
// heardFor, or until enough tells that it is.
func (a *Announcer) listen(ctx context.Context, qs []dns.Question, hear func(Interface, netip.AddrPort, *dns.Msg) (enough bool)) ([]Interface, error) {
	done := make(chan struct{}, 1) // said once is enough
	e := &ear{func(i Interface, from netip.AddrPort, m *dns.Msg) {
		if hear(i, from, m) {
			select {
			case done <- struct{}{}:
			default:
			}
		}
	}}
	query := dns.Msg{Question: qs, Compress: true}
	b, err := query.Pack()
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	if a.socks == nil {
		a.mu.Unlock()
		return nil, ErrNotRunning
	}
	links := slices.Clone(a.links)
	a.ears = append(a.ears, e)
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ears = slices.DeleteFunc(a.ears, func(o *ear) bool { return o == e })
	}()
	end := time.NewTimer(heardFor)
	defer end.Stop()
	again := time.NewTicker(heardFor / 2) // a packet may be lost
	defer again.Stop()
	for {
		a.mu.Lock()
		for _, i := range links {
			if a.socks != nil {
				_ = a.socks.cast(i, b) // what is not heard tells
			}
		}
		a.mu.Unlock()
		select {
		case <-ctx.Done():
			return links, ctx.Err()
		case <-done:
			return links, nil
		case <-end.C:
			return links, nil
		case <-again.C:
		}
	}
}

// Heard asks for the own record on every interface and says where it came back, and
// whether anybody else was heard there.
func (a *Announcer) Heard(ctx context.Context, s *Service) (Heard, error) {
	a.mu.Lock()
	instance := s.instance
	a.mu.Unlock()
	back := map[int]bool{}
	others := map[int][]netip.Addr{}
	var links []Interface
	var err error
	links, err = a.listen(ctx, []dns.Question{
		{Name: instance, Qtype: dns.TypeSRV, Qclass: dns.ClassINET},
		{Name: metaName, Qtype: dns.TypePTR, Qclass: dns.ClassINET},
	}, func(i Interface, from netip.AddrPort, m *dns.Msg) bool {
		if !slices.Contains(i.Addrs, from.Addr().WithZone("")) {
			others[i.index] = met(others[i.index], from.Addr())
			return false
		}
		for _, rr := range slices.Concat(m.Answer, m.Extra) {
			if srv, ok := rr.(*dns.SRV); ok && same(srv.Hdr.Name, instance) && s.isMine(srv) && srv.Hdr.Ttl > 0 {
				back[i.index] = true
			}
		}
		return false
	})
	var out Heard
	for _, i := range links {
		out.On = append(out.On, HeardOn{i.Name, i.Addrs, back[i.index], len(others[i.index])})
	}
	return out, err
}

// Duplicates asks which other accessories of this network use the name that s was to
// have, or its device id: a hub that was restored twice from one backup shows so.
func (a *Announcer) Duplicates(ctx context.Context, s *Service) ([]Other, error) {
	a.mu.Lock()
	device := s.txt["id"]
	a.mu.Unlock()
	found := map[string]*Other{} // by instance, machine and interface
	one := func(instance string, i Interface, from netip.AddrPort) *Other {
		key := strings.ToLower(instance) + "\n" + from.Addr().String() + "\n" + i.Name
		if found[key] == nil {
			if len(found) >= maxOthers {
				return &Other{}
			}
			found[key] = &Other{Name: shown(instance), Addr: from.Addr(), Interface: i.Name}
		}
		return found[key]
	}
	links, err := a.listen(ctx, []dns.Question{
		{Name: kind, Qtype: dns.TypePTR, Qclass: dns.ClassINET},
		{Name: label(numbered(s.want, 1)) + "." + kind, Qtype: dns.TypeANY, Qclass: dns.ClassINET},
	}, func(i Interface, from netip.AddrPort, m *dns.Msg) bool {
		for _, rr := range slices.Concat(m.Answer, m.Extra) {
			name := rr.Header().Name
			if len(name) <= len(kind) || !same(name[len(name)-len(kind):], kind) || rr.Header().Ttl == 0 {
				continue
			}
			switch k := rr.(type) {
			case *dns.SRV:
				o := one(name, i, from)
				o.Host, o.Port = strings.TrimSuffix(k.Target, "."), int(k.Port)
			case *dns.TXT:
				for _, t := range k.Txt {
					if v, ok := strings.CutPrefix(t, "id="); ok {
						one(name, i, from).Device = v
					}
				}
			}
		}
		return false
	})
	return a.theirs(s, device, found, links), err
}

// met notes who was heard: addresses cost a hostile neighbour nothing.
func met(all []netip.Addr, who netip.Addr) []netip.Addr {
	if len(all) >= maxOthers || slices.Contains(all, who) {
		return all
	}
	return append(all, who)
}

// maxOthers bounds what a crowded or hostile network makes us remember.
const maxOthers = 512

// theirs leaves out what this announcer itself announces.
func (a *Announcer) theirs(s *Service, device string, found map[string]*Other, links []Interface) []Other {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []Other
	for _, o := range found {
		local := slices.ContainsFunc(links, func(i Interface) bool { return slices.Contains(i.Addrs, o.Addr.WithZone("")) })
		ours := local && slices.ContainsFunc(a.services, func(m *Service) bool {
			return strings.EqualFold(m.name, o.Name) && m.port == o.Port
		})
		o.SameName = strings.EqualFold(o.Name, numbered(s.want, 1))
		o.SameID = device != "" && strings.EqualFold(o.Device, device)
		if !ours && (o.SameName || o.SameID) {
			out = append(out, *o)
		}
	}
	slices.SortFunc(out, func(x, y Other) int {
		return strings.Compare(x.Interface+x.Addr.String()+x.Name, y.Interface+y.Addr.String()+y.Name)
	})
	return out
}

// shown is an instance's name as people read it: label undone.
func shown(instance string) string {
	name := instance[:len(instance)-len(kind)-1]
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch {
		case name[i] != '\\' || i+1 == len(name):
			b.WriteByte(name[i])
		case i+3 < len(name) && name[i+1] >= '0' && name[i+1] <= '9':
			n, err := strconv.ParseUint(name[i+1:i+4], 10, 8)
			if err == nil {
				b.WriteByte(byte(n))
			}
			i += 3
		default:
			i++
			b.WriteByte(name[i])
		}
	}
	return b.String()
}
