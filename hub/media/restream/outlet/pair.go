package outlet

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

const (
	// portTries bounds the search for an even port with its neighbour free.
	portTries = 64
	maxPacket = 2048
)

// ErrUnheard: nobody is at the reader's port now.
var ErrUnheard = errors.New("nobody is at the reader's port")

// Pair are the two sockets of one track, connected to the reader's: what others send
// does not arrive, and a reader that has gone is noticed.
type Pair struct {
	rtp, rtcp *net.UDPConn
	ports     [2]int
	wg        sync.WaitGroup
}

// NewPair opens them on the address by which a reader came, to the ports of where it came
// from.
func NewPair(local, remote net.Addr, ports [2]int) (*Pair, error) {
	here, err1 := netip.ParseAddrPort(local.String())
	there, err2 := netip.ParseAddrPort(remote.String())
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	dial := func(port, to int) (*net.UDPConn, error) {
		return net.DialUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(here.Addr().Unmap(), uint16(port))),
			net.UDPAddrFromAddrPort(netip.AddrPortFrom(there.Addr().Unmap(), uint16(to))))
	}
	var last error
	for range portTries {
		rtp, err := dial(0, ports[0])
		if err != nil {
			return nil, err
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 && port < 0xffff {
			rtcp, err := dial(port+1, ports[1])
			if err == nil {
				return &Pair{rtp: rtp, rtcp: rtcp, ports: [2]int{port, port + 1}}, nil
			}
			last = err
		}
		_ = rtp.Close()
	}
	return nil, errors.Join(errors.New("restream: no two ports are free"), last)
}

// Hear calls f with what the reader sends, for one socket at a time, until Close.
func (e *Pair) Hear(f func(report bool, packet []byte)) {
	for i, u := range []*net.UDPConn{e.rtp, e.rtcp} {
		e.wg.Go(func() {
			b := make([]byte, maxPacket)
			for {
				n, err := u.Read(b)
				switch {
				case errors.Is(err, net.ErrClosed):
					return
				case err != nil: // its port is closed: what is sent next tells
					continue
				}
				f(i == 1, b[:n])
			}
		})
	}
}

// Ports are ours.
func (e *Pair) Ports() [2]int { return e.ports }

// Send sends one packet, or report. What the system has no room for is lost, as it may be
// on the way; ErrUnheard: nobody is at the reader's port.
func (e *Pair) Send(report bool, packet []byte) error {
	u := e.rtp
	if report {
		u = e.rtcp
	}
	_, err := u.Write(packet)
	switch {
	case err == nil, errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.EAGAIN):
		return nil
	case errors.Is(err, syscall.ECONNREFUSED):
		return ErrUnheard
	}
	return err
}

// Close ends both.
func (e *Pair) Close() {
	_ = e.rtp.Close()
	_ = e.rtcp.Close()
}

// Wait is until Hear calls no more.
func (e *Pair) Wait() { e.wg.Wait() }
