package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/tlv"
)

// What each viewer by Apple Home asks for: as a phone on the same network does, and so
// that the film fits as it is.
const (
	homeWidth, homeHeight, homeFPS = 1920, 1080, 30
	homeKbps                       = 2500
	homeReports                    = 500 * time.Millisecond // between reports of reception
	homeMTU                        = 1378
)

// Short types of what a stream is made by (HAP 9).
const (
	streamService  = "110"
	setUpEndpoints = "118"
	selectedStream = "117"
)

// homeView is one live picture by SRTP, which is opened and not decoded.
type homeView struct {
	conn     *controller.Conn
	stream   controller.ID // selected stream
	session  [16]byte
	own      uint32 // its SSRC
	box, out *srtp.Box
	began    int64
	video    *net.UDPConn
	sound    *net.UDPConn // nothing comes: the film is silent
	first    chan time.Duration
	over     chan struct{}
	all      sync.WaitGroup

	mu       sync.Mutex
	key      bool // part of the picture that comes in
	shown    bool
	next     uint16
	pictures int
	packets  int
	lost     int
	bytes    int64
}

// see starts a stream on a service and reads it until leave.
func see(ctx context.Context, x *controller.Conn, s controller.Service) (v *homeView, err error) {
	v = &homeView{conn: x, first: make(chan time.Duration, 1), over: make(chan struct{})}
	defer func() {
		if err != nil {
			v.leave()
		}
	}()
	for _, c := range []**net.UDPConn{&v.video, &v.sound} {
		if *c, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			return v, err
		}
	}
	_ = v.video.SetReadBuffer(8 << 20) // as much as the kernel allows: a key frame comes at once
	var key srtp.Key
	for _, b := range [][]byte{key.Key[:], key.Salt[:], v.session[:]} {
		if _, err = rand.Read(b); err != nil {
			return v, err
		}
	}
	endpoints, ok1 := s.Find(setUpEndpoints)
	selected, ok2 := s.Find(selectedStream)
	if !ok1 || !ok2 {
		return v, fmt.Errorf("stream: the service lacks what starts one")
	}
	v.began = now()
	crypto := []tlv.Item{tlv.U8(1, 0), tlv.Raw(2, key.Key[:]), tlv.Raw(3, key.Salt[:])}
	port := func(c *net.UDPConn) uint16 { return uint16(c.LocalAddr().(*net.UDPAddr).Port) }
	if err = x.SetTLV(ctx, endpoints, tlv.Raw(1, v.session[:]),
		tlv.Of(3, tlv.U8(1, 0), tlv.Text(2, "127.0.0.1"), tlv.U16(3, port(v.video)), tlv.U16(4, port(v.sound))), tlv.Of(4, crypto...), tlv.Of(5, crypto...)); err != nil {
		return v, fmt.Errorf("set up endpoints: %w", err)
	}
	answer, err := x.GetTLV(ctx, endpoints)
	if err != nil {
		return v, fmt.Errorf("set up endpoints: %w", err)
	}
	if status := answer.Uint(2); status != 0 {
		return v, fmt.Errorf("set up endpoints: status %d", status)
	}
	theirs := srtp.Key{Key: [16]byte(pad(answer.In(4).Get(2), 16)), Salt: [14]byte(pad(answer.In(4).Get(3), 14))}
	v.box, v.out, v.stream = srtp.New(theirs), srtp.New(key), selected
	ssrc := uint32(answer.Uint(6))
	to := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(answer.In(3).Uint(3))}
	v.all.Go(v.read)
	var own [4]byte
	if _, err = rand.Read(own[:]); err != nil {
		return v, err
	}
	v.own = binary.BigEndian.Uint32(own[:])
	if err = x.SetTLV(ctx, selected, v.selection(1)...); err != nil {
		return v, fmt.Errorf("start: %w", err)
	}
	v.all.Go(func() { v.report(to, ssrc) })
	return v, nil
}

// pad gives b with that length; a key of another one fits nothing.
func pad(b []byte, n int) []byte { return append(b, make([]byte, n)...)[:n] }

// selection is what is written to start (1) or end (0).
func (v *homeView) selection(command byte) []tlv.Item {
	control := tlv.Of(1, tlv.Raw(1, v.session[:]), tlv.U8(2, command))
	if command == 0 {
		return []tlv.Item{control}
	}
	return []tlv.Item{control,
		tlv.Of(2, tlv.U8(1, 0), tlv.Of(2, tlv.U8(1, 2), tlv.U8(2, 2), tlv.U8(3, 0)), // high, level 4.0
			tlv.Of(3, tlv.U16(1, homeWidth), tlv.U16(2, homeHeight), tlv.U8(3, homeFPS)),
			tlv.Of(4, tlv.U8(1, 99), tlv.U32(2, v.own), tlv.U16(3, homeKbps), tlv.F32(4, float32(homeReports.Seconds())), tlv.U16(5, homeMTU))),
		tlv.Of(3, tlv.U8(1, 3), tlv.Of(2, tlv.U8(1, 1), tlv.U8(2, 0), tlv.U8(3, 2), tlv.U8(4, 20)), // Opus at 24 kHz
			tlv.Of(3, tlv.U8(1, 110), tlv.U32(2, v.own+1), tlv.U16(3, 24), tlv.F32(4, 5), tlv.U8(6, 13)), tlv.U8(4, 0))}
}

// leave ends the stream and waits until nothing of it is left here.
func (v *homeView) leave() {
	if v.box != nil {
		ctx, cancel := context.WithTimeout(context.Background(), hang/6)
		_ = v.conn.SetTLV(ctx, v.stream, v.selection(0)...) // it may have ended by itself
		cancel()
	}
	close(v.over)
	for _, c := range []*net.UDPConn{v.video, v.sound} {
		if c != nil {
			c.Close()
		}
	}
	v.all.Wait()
}

func (v *homeView) read() {
	b := make([]byte, 2048)
	for {
		n, err := v.video.Read(b)
		if err != nil {
			return
		}
		if srtp.IsRTCP(b[:n]) {
			continue
		}
		plain, _, err := v.box.Open(b[:n])
		if err != nil {
			continue // counted as lost
		}
		if p, err := srtp.Parse(plain); err == nil && len(p.Payload) > 1 {
			v.packet(p, n)
		}
	}
}

// packet counts one of RTP (RFC 6184 5.4): the marker ends a picture.
func (v *homeView) packet(p srtp.Packet, size int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.packets > 0 {
		v.lost += int(p.Seq - v.next)
	}
	v.next = p.Seq + 1
	v.packets++
	v.bytes += int64(size)
	if kind := p.Payload[0] & 0x1f; kind == 5 || kind == 28 && p.Payload[1]&0x1f == 5 {
		v.key = true
	}
	if !p.Marker {
		return
	}
	v.pictures++
	if v.key && !v.shown {
		v.shown = true
		v.first <- since(v.began)
	}
	v.key = false
}

// report tells the sender that somebody is there.
func (v *homeView) report(to *net.UDPAddr, of uint32) {
	tick := time.NewTicker(homeReports)
	defer tick.Stop()
	for {
		select {
		case <-v.over:
			return
		case <-tick.C:
		}
		v.mu.Lock()
		r := srtp.Received{SSRC: of, Lost: uint32(v.lost), Highest: uint32(v.next - 1)}
		v.mu.Unlock()
		_, _ = v.video.WriteToUDP(v.out.SealRTCP(srtp.Report(v.own, r)), to) // the next one will do
	}
}

// showing waits for the first whole key frame.
func (v *homeView) showing(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, hang/2)
	defer cancel()
	select {
	case d := <-v.first:
		return d, nil
	case <-v.conn.Done():
		return 0, fmt.Errorf("first key frame: the connection ended: %w", v.conn.Err())
	case <-ctx.Done():
		v.mu.Lock()
		defer v.mu.Unlock()
		return 0, fmt.Errorf("first key frame: %w after %d packets, %d pictures", ctx.Err(), v.packets, v.pictures)
	}
}

// mark begins to count anew.
func (v *homeView) mark() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pictures, v.lost, v.bytes = 0, 0, 0
}
