package dialog

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	// LargestUDP is the most bytes of one packet. Cameras send up to 10 kB in one (Tapo).
	LargestUDP = 64 << 10

	udpBuffer = 1 << 20 // asked of the kernel; it may give less
	udpTries  = 64      // for two ports side by side
)

// Pair of UDP ports, for RTP and, one higher, RTCP.
type Pair struct {
	conns [2]*net.UDPConn
	most  int // bytes of a packet
	peer  netip.Addr
	to    [2]netip.AddrPort // where we write; zero: not known yet
}

// Listen opens a pair on the interface of local for packets of at most so many bytes.
func Listen(local net.Addr, most int) (*Pair, error) {
	at, ok := local.(*net.TCPAddr)
	if !ok {
		return nil, fmt.Errorf("udp: no address to listen on beside %v", local)
	}
	for range udpTries {
		a, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Zone: at.Zone})
		if err != nil {
			return nil, err
		}
		port := a.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 { // RFC 3550 11: RTP on the even one
			if b, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Zone: at.Zone, Port: port + 1}); err == nil {
				_ = a.SetReadBuffer(udpBuffer)
				return &Pair{conns: [2]*net.UDPConn{a, b}, most: most}, nil
			}
		}
		a.Close()
	}
	return nil, errors.New("udp: no two free ports side by side")
}

// Ports are what SETUP names.
func (p *Pair) Ports() (rtp, rtcp int) {
	rtp = p.conns[0].LocalAddr().(*net.UDPAddr).Port
	return rtp, rtp + 1
}

// Aim says whom to hear and where to write. Ports that the server did not name are learned
// from what comes; other hosts are not heard.
func (p *Pair) Aim(peer netip.Addr, ports [2]int) {
	p.peer = peer.Unmap()
	for i, port := range ports {
		if port > 1 {
			p.to[i] = netip.AddrPortFrom(peer, uint16(port))
		}
	}
}

// Punch opens the way through a firewall between (RFC 2326 says nothing of it; servers and
// clients have done it for ever): an empty packet of each protocol.
func (p *Pair) Punch() {
	p.write(0, []byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	p.write(1, []byte{0x80, 201, 0, 1, 0, 0, 0, 0})
}

// Send writes RTP or RTCP.
func (p *Pair) Send(rtcp bool, b []byte) {
	if rtcp {
		p.write(1, b)
		return
	}
	p.write(0, b)
}

// Report writes RTCP.
func (p *Pair) Report(b []byte) { p.write(1, b) }

func (p *Pair) write(i int, b []byte) {
	if !p.to[i].IsValid() {
		return
	}
	_ = p.conns[i].SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = p.conns[i].WriteToUDPAddrPort(b, p.to[i]) // a lost packet is what UDP promises
}

// Read hands on what comes, until Close. b is good until take returns.
func (p *Pair) Read(rtcp bool, take func(b []byte)) error {
	c := p.conns[0]
	if rtcp {
		c = p.conns[1]
	}
	buf := make([]byte, p.most)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			return err
		}
		if from.Addr().Unmap().WithZone("") != p.peer.WithZone("") {
			continue
		}
		take(buf[:n])
	}
}

// Close ends both readers.
func (p *Pair) Close() {
	for _, c := range p.conns {
		c.Close()
	}
}
