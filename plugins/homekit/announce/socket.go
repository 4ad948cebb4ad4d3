package announce

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	port      = 5353
	maxPacket = 9000 // RFC 6762, section 17
	// writeLimit ends a write that the interface does not take; UDP does not wait.
	writeLimit = 100 * time.Millisecond
)

func group4() net.IP { return net.IPv4(224, 0, 0, 251) }
func group6() net.IP { return net.ParseIP("ff02::fb") }

// packet is one that came in.
type packet struct {
	data []byte
	from netip.AddrPort
	link int // index of the interface; 0 when the system does not tell
}

// sockets are the two ways onto the network; one of them may be nil.
type sockets struct {
	v4 *ipv4.PacketConn
	v6 *ipv6.PacketConn
}

// openSockets takes port 5353, shared with others of this machine.
func openSockets() (*sockets, error) {
	s := &sockets{}
	c4, err4 := net.ListenUDP("udp4", &net.UDPAddr{IP: group4(), Port: port})
	if err4 == nil {
		s.v4 = ipv4.NewPacketConn(c4)
		err4 = errors.Join(s.v4.SetControlMessage(ipv4.FlagInterface, true), s.v4.SetMulticastLoopback(true),
			s.v4.SetMulticastTTL(255), s.v4.SetTTL(255))
	}
	c6, err6 := net.ListenUDP("udp6", &net.UDPAddr{IP: group6(), Port: port})
	if err6 == nil {
		s.v6 = ipv6.NewPacketConn(c6)
		err6 = errors.Join(s.v6.SetControlMessage(ipv6.FlagInterface, true), s.v6.SetMulticastLoopback(true),
			s.v6.SetMulticastHopLimit(255), s.v6.SetHopLimit(255))
	}
	if err4 != nil && err6 != nil {
		s.close()
		return nil, errors.Join(err4, err6)
	}
	return s, nil
}

func (s *sockets) close() {
	if s.v4 != nil {
		s.v4.Close()
	}
	if s.v6 != nil {
		s.v6.Close()
	}
}

// join listens on an interface. One that was joined already says so, which is no error.
func (s *sockets) join(i Interface) error {
	ifc := &net.Interface{Index: i.index, Name: i.Name}
	var err4, err6 error
	if s.v4 != nil {
		_ = s.v4.LeaveGroup(ifc, &net.UDPAddr{IP: group4()})
		err4 = s.v4.JoinGroup(ifc, &net.UDPAddr{IP: group4()})
	}
	if s.v6 != nil {
		_ = s.v6.LeaveGroup(ifc, &net.UDPAddr{IP: group6()})
		err6 = s.v6.JoinGroup(ifc, &net.UDPAddr{IP: group6()})
	}
	if (s.v4 == nil || err4 != nil) && (s.v6 == nil || err6 != nil) {
		return fmt.Errorf("mdns: listen on %s: %w", i.Name, errors.Join(err4, err6))
	}
	return nil
}

// cast sends to everybody on an interface, by both families as far as it has them.
func (s *sockets) cast(i Interface, data []byte) error {
	has4, has6 := false, false
	for _, a := range i.Addrs {
		has4, has6 = has4 || a.Is4(), has6 || a.Is6()
	}
	var err4, err6 error
	if s.v4 != nil && has4 {
		err4 = s.send4(i.index, data, &net.UDPAddr{IP: group4(), Port: port})
	}
	if s.v6 != nil && has6 {
		err6 = s.send6(i.index, data, &net.UDPAddr{IP: group6(), Port: port, Zone: i.Name})
	}
	return errors.Join(err4, err6)
}

// tell sends to one.
func (s *sockets) tell(i Interface, to netip.AddrPort, data []byte) error {
	addr := net.UDPAddrFromAddrPort(to)
	if to.Addr().Is4() && s.v4 != nil {
		return s.send4(i.index, data, addr)
	}
	if to.Addr().Is6() && s.v6 != nil {
		return s.send6(i.index, data, addr)
	}
	return errors.New("mdns: send: no socket of this family")
}

func (s *sockets) send4(index int, data []byte, to net.Addr) error {
	_ = s.v4.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := s.v4.WriteTo(data, &ipv4.ControlMessage{IfIndex: index}, to)
	return err
}

func (s *sockets) send6(index int, data []byte, to net.Addr) error {
	_ = s.v6.SetWriteDeadline(time.Now().Add(writeLimit))
	_, err := s.v6.WriteTo(data, &ipv6.ControlMessage{IfIndex: index}, to)
	return err
}

// read hands packets on until the socket is closed or ctx ends. A network that goes down
// shows as errors that end by themselves; many in a row end the reading.
func read(ctx context.Context, from func([]byte) (int, int, net.Addr, error), into chan<- packet) error {
	failed := 0
	buf := make([]byte, maxPacket)
	for ctx.Err() == nil {
		n, link, addr, err := from(buf)
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			if failed++; failed > 16 {
				return fmt.Errorf("mdns: receive: %w", err)
			}
			continue
		}
		failed = 0
		udp, ok := addr.(*net.UDPAddr)
		if !ok {
			continue
		}
		src := udp.AddrPort()
		p := packet{append([]byte(nil), buf[:n]...), netip.AddrPortFrom(src.Addr().Unmap(), src.Port()), link}
		select {
		case into <- p:
		case <-ctx.Done():
		}
	}
	return nil
}

func (s *sockets) read4(buf []byte) (int, int, net.Addr, error) {
	n, cm, from, err := s.v4.ReadFrom(buf)
	if cm == nil {
		return n, 0, from, err
	}
	return n, cm.IfIndex, from, err
}

func (s *sockets) read6(buf []byte) (int, int, net.Addr, error) {
	n, cm, from, err := s.v6.ReadFrom(buf)
	if cm == nil {
		return n, 0, from, err
	}
	return n, cm.IfIndex, from, err
}
