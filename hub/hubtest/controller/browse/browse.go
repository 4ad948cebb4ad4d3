package browse

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/ipv4"
)

// HAP is the kind of service that accessories are (HAP 6.4).
const HAP = "_hap._tcp.local."

// Service is one that was heard.
type Service struct {
	Name      string // the instance's own part
	Host      string
	Port      uint16
	Text      map[string]string
	Addresses []netip.Addr
}

// Browser hears one network.
type Browser struct {
	kind  string
	conn  net.PacketConn
	group *net.UDPAddr
	done  sync.WaitGroup

	mu    sync.Mutex
	here  map[string]bool
	where map[string]dnsmessage.SRVResource
	text  map[string][]string
	hosts map[string]map[netip.Addr]bool
}

// Open joins the group on an interface of the network of the calling thread.
func Open(network, kind string) (*Browser, error) {
	iface, err := net.InterfaceByName(network)
	if err != nil {
		return nil, err
	}
	group := &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353}
	conn, err := net.ListenMulticastUDP("udp4", iface, group)
	if err != nil {
		return nil, fmt.Errorf("browse: %w", err)
	}
	p := ipv4.NewPacketConn(conn)
	if err := p.SetMulticastInterface(iface); err != nil {
		conn.Close()
		return nil, fmt.Errorf("browse: %w", err)
	}
	b := &Browser{kind: kind, conn: conn, group: group, here: map[string]bool{}, where: map[string]dnsmessage.SRVResource{}, text: map[string][]string{}, hosts: map[string]map[netip.Addr]bool{}}
	b.done.Go(b.listen)
	return b, nil
}

// Close ends it.
func (b *Browser) Close() {
	b.conn.Close()
	b.done.Wait()
}

// Ask asks everybody.
func (b *Browser) Ask() error {
	name, err := dnsmessage.NewName(b.kind)
	if err != nil {
		return err
	}
	m := dnsmessage.Message{Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypePTR, Class: dnsmessage.ClassINET}}}
	raw, err := m.Pack()
	if err != nil {
		return err
	}
	_, err = b.conn.WriteTo(raw, b.group)
	return err
}

func (b *Browser) listen() {
	raw := make([]byte, 64<<10)
	for {
		n, _, err := b.conn.ReadFrom(raw)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(raw[:n]) == nil && m.Response {
			b.take(append(m.Answers, m.Additionals...))
		}
	}
}

func (b *Browser) take(list []dnsmessage.Resource) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range list {
		name := r.Header.Name.String()
		switch body := r.Body.(type) {
		case *dnsmessage.PTRResource:
			if strings.EqualFold(name, b.kind) {
				b.here[body.PTR.String()] = r.Header.TTL > 0
			}
		case *dnsmessage.SRVResource:
			b.where[name] = *body
		case *dnsmessage.TXTResource:
			b.text[name] = body.TXT
		case *dnsmessage.AResource:
			b.address(name, netip.AddrFrom4(body.A), r.Header)
		case *dnsmessage.AAAAResource:
			b.address(name, netip.AddrFrom16(body.AAAA), r.Header)
		}
	}
}

// address adds one; the bit for the cache says that what was known before is over (RFC
// 6762 10.2), which is left alone here: addresses come one record at a time.
func (b *Browser) address(host string, a netip.Addr, h dnsmessage.ResourceHeader) {
	if b.hosts[host] == nil {
		b.hosts[host] = map[netip.Addr]bool{}
	}
	b.hosts[host][a] = h.TTL > 0
}

// Services are those that are here and of which all is known.
func (b *Browser) Services() (all []Service) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.here)) {
		srv, ok := b.where[name]
		text, told := b.text[name]
		if !b.here[name] || !ok || !told {
			continue
		}
		s := Service{Name: strings.TrimSuffix(name, "."+b.kind), Host: srv.Target.String(), Port: srv.Port, Text: map[string]string{}}
		for _, t := range text {
			k, v, _ := strings.Cut(t, "=")
			s.Text[k] = v
		}
		for a, is := range b.hosts[s.Host] {
			if is {
				s.Addresses = append(s.Addresses, a)
			}
		}
		slices.SortFunc(s.Addresses, netip.Addr.Compare)
		all = append(all, s)
	}
	return all
}
