package restream

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/restream/wire"
)

const (
	// portTries bounds the search for an even port with its neighbour free.
	portTries = 64
	// burst is how much goes out at once by UDP, and burstPause the rest after it: a GOP at
	// once would overflow the buffer of 208 KB that a receiver has by default.
	burst      = 32 << 10
	burstPause = 3 * time.Millisecond
	maxPacket  = 2048
)

// udpEnds are the two sockets of one track, connected to the reader's: what others send
// does not arrive, and a reader that has gone is noticed.
type udpEnds struct {
	rtp, rtcp *net.UDPConn
	ports     [2]int
	wg        sync.WaitGroup
}

// newEnds opens them on the address by which the reader came, to its ports.
func newEnds(nc net.Conn, ports [2]int) (*udpEnds, error) {
	here, err1 := netip.ParseAddrPort(nc.LocalAddr().String())
	there, err2 := netip.ParseAddrPort(nc.RemoteAddr().String())
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
				return &udpEnds{rtp: rtp, rtcp: rtcp, ports: [2]int{port, port + 1}}, nil
			}
			last = err
		}
		_ = rtp.Close()
	}
	return nil, errors.Join(errors.New("restream: no two ports are free"), last)
}

// hear takes what the reader sends.
func (e *udpEnds) hear(s *session, index int) {
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
				s.heardOf(index, i == 1, b[:n])
			}
		})
	}
}

func (e *udpEnds) close() {
	_ = e.rtp.Close()
	_ = e.rtcp.Close()
}

func (e *udpEnds) wait() { e.wg.Wait() }

// sendUDP sends each packet by itself, a large picture in bursts.
func (s *session) sendUDP(parts net.Buffers) error {
	sent := 0
	for _, b := range parts {
		err := wire.Packets(b, func(channel byte, packet []byte) error {
			if sent += len(packet); sent > burst {
				sent = 0
				time.Sleep(burstPause)
			}
			return s.sendPacket(channel, packet)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *session) sendPacket(channel byte, packet []byte) error {
	for _, t := range s.tracks {
		if t.index != int(channel/2) {
			continue
		}
		u := t.ends.rtp
		if channel&1 == 1 {
			u = t.ends.rtcp
		}
		_, err := u.Write(packet)
		switch {
		case err == nil, errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.EAGAIN):
			return nil // lost, as it may be on the way
		case errors.Is(err, syscall.ECONNREFUSED):
			return s.unheard(channel)
		}
		return err
	}
	return nil
}

// unheard: nobody is at the reader's port. Some never open the one for reports, and the
// one for pictures may open a little later.
func (s *session) unheard(channel byte) error {
	if channel&1 == 0 && s.c.s.o.Now().Sub(s.since) > writeStall {
		return errors.New("nobody is at the reader's port any more")
	}
	return nil
}
