package main

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// gathering finds the pictures in a run of RTP packets of H.264 (RFC 3550 5.1, RFC 6184 5).
// It keeps no more of them than where the stamp may be.
type gathering struct {
	v     *view
	begun bool
	next  uint16
	key   bool
	end   []byte // of the picture so far, without the marks of packetising
}

func (g *gathering) packet(p []byte) error {
	if len(p) < 12 {
		return fmt.Errorf("an RTP packet of %d bytes", len(p))
	}
	sequence, last := uint16(p[2])<<8|uint16(p[3]), p[1]&0x80 != 0
	head := 12 + 4*int(p[0]&0x0f)
	if p[0]&0x10 != 0 && len(p) >= head+4 {
		head += 4 + 4*(int(p[head+2])<<8|int(p[head+3]))
	}
	end := len(p)
	if p[0]&0x20 != 0 {
		end -= int(p[end-1])
	}
	if head >= end {
		return nil // padding alone
	}
	missing := 0
	if g.begun && sequence != g.next {
		missing = int(sequence - g.next)
		if missing > 1<<15 { // it came late or again
			g.v.took(len(p), 0)
			return nil
		}
		g.end, g.key = g.end[:0], false
	}
	g.begun, g.next = true, sequence+1
	g.v.took(len(p), missing)
	g.payload(p[head:end])
	if last {
		key := g.key
		part.Stamps(g.end, func(s part.Stamp) { g.v.picture(s, key) })
		g.end, g.key = g.end[:0], false
	}
	return nil
}

func (g *gathering) payload(b []byte) {
	switch kind := b[0] & 0x1f; {
	case kind == 28 && len(b) > 2: // FU-A
		g.key = g.key || b[1]&0x1f == 5
		b = b[2:]
	case kind == 5:
		g.key = true
	}
	b = b[max(0, len(b)-part.StampLen):]
	if over := len(g.end) + len(b) - part.StampLen; over > 0 {
		g.end = append(g.end[:0], g.end[min(over, len(g.end)):]...)
	}
	g.end = append(g.end, b...)
}

func (v *view) rtsp(ctx context.Context, want part.View) error {
	d, err := dialRTSP(want.URL, want.User, want.Password)
	if err != nil {
		return err
	}
	defer d.conn.Close()
	stop := context.AfterFunc(ctx, func() { d.conn.Close() })
	defer stop()
	if err := d.setup(interleaved); err != nil {
		return err
	}
	if err := d.play(); err != nil {
		return err
	}
	return d.packets((&gathering{v: v}).packet)
}

// ports is a pair of neighbours for RTP and its reports.
func ports() (rtp, rtcp *net.UDPConn, err error) {
	for range 20 {
		if rtp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return nil, nil, err
		}
		port := rtp.LocalAddr().(*net.UDPAddr).Port
		if port%2 == 0 {
			if rtcp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port + 1}); err == nil {
				return rtp, rtcp, nil
			}
		}
		rtp.Close()
	}
	return nil, nil, fmt.Errorf("no pair of ports: %w", err)
}

// receive is the buffer of a viewer's socket: key frames come in bursts that the
// default one does not hold.
const receive = 4 << 20

func (v *view) rtspUDP(ctx context.Context, want part.View) error {
	d, err := dialRTSP(want.URL, want.User, want.Password)
	if err != nil {
		return err
	}
	defer d.conn.Close()
	rtp, rtcp, err := ports()
	if err != nil {
		return err
	}
	defer rtcp.Close()
	defer rtp.Close()
	_ = rtp.SetReadBuffer(receive) // as much as the machine allows
	stop := context.AfterFunc(ctx, func() { d.conn.Close(); rtp.Close() })
	defer stop()
	port := rtp.LocalAddr().(*net.UDPAddr).Port
	if err := d.setup(fmt.Sprintf("RTP/AVP;unicast;client_port=%d-%d", port, port+1)); err != nil {
		return err
	}
	if err := d.play(); err != nil {
		return err
	}
	g, b := &gathering{v: v}, make([]byte, 2048)
	for {
		_ = rtp.SetReadDeadline(time.Now().Add(patience)) // it is open
		n, err := rtp.Read(b)
		if err != nil {
			return err
		}
		if err := g.packet(b[:n]); err != nil {
			return err
		}
	}
}
