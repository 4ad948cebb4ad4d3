package controller

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/receive"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/tlv"
)

// Short types of what streams are made by (HAP 8.5, 9).
const (
	streamManagement = "110"
	selected         = "117"
	endpoints        = "118"
)

// Profiles and levels of H.264 as HAP numbers them.
const (
	Baseline, Main, High      = 0, 1, 2
	Level31, Level32, Level40 = 0, 1, 2
)

const (
	codecH264, codecOpus        = 0, 3
	cmdEnd, cmdStart            = 0, 1
	cmdSuspend, cmdResume       = 2, 3
	cmdReconfigure              = 4
	sound16kHz, sound24kHz byte = 1, 2
)

// Statuses of a set-up.
const (
	Taken = 0
	Busy  = 1
)

// StreamWish is what a controller asks for. Usual has a phone's.
type StreamWish struct {
	Service            int // which of the accessory's stream managements, from 0
	Profile, Level     byte
	Width, Height, FPS int
	Kbps               int
	RTCP               time.Duration // between reports
	MTU                int
	NoSound            bool
	SoundRate          int // 16000 or 24000
	SoundKbps          int
	Packet             time.Duration // of sound in one packet
	// Discard keeps counts and no pictures.
	Discard bool
}

// Usual is what a phone asks for at home.
func Usual() StreamWish {
	return StreamWish{Profile: High, Level: Level40, Width: 1280, Height: 720, FPS: 30, Kbps: 2000, RTCP: 500 * time.Millisecond, MTU: 1378,
		SoundRate: 24000, SoundKbps: 24, Packet: 20 * time.Millisecond}
}

// Endpoints is what the accessory answers to a set-up.
type Endpoints struct {
	Status               byte // 0: taken, 1: busy, 2: error
	Address              netip.Addr
	VideoPort, SoundPort uint16
	VideoSSRC, SoundSSRC uint32
	VideoKey, SoundKey   srtp.Key
}

// Stream is one live view of a controller.
type Stream struct {
	Endpoints

	x        *Conn
	wish     StreamWish
	service  Service
	session  [16]byte
	video    *receive.Side
	sound    *receive.Side
	owned    sync.WaitGroup
	quiet    chan struct{} // closed: no more reports
	hush     sync.Once
	speech   chan struct{} // closed to end what is spoken; nil: nothing is
	spoken   uint16        // packets of speech
	speaking sync.WaitGroup
	once     sync.Once
}

// Stream sets up and starts.
func (x *Conn) Stream(ctx context.Context, w StreamWish) (*Stream, error) {
	s, err := x.SetUp(ctx, w)
	if err != nil {
		return nil, err
	}
	if s.Status != Taken {
		s.Close()
		return nil, fmt.Errorf("%w: set-up answers status %d", ErrStatus, s.Status)
	}
	if err := s.Start(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// SetUp exchanges addresses and keys. A refused one is no error: look at Status.
func (x *Conn) SetUp(ctx context.Context, w StreamWish) (*Stream, error) {
	db, err := x.Accessories(ctx)
	if err != nil {
		return nil, err
	}
	services := db.Services(streamManagement)
	if w.Service >= len(services) {
		return nil, fmt.Errorf("controller: there are %d stream managements", len(services))
	}
	s := &Stream{x: x, wish: w, service: services[w.Service], quiet: make(chan struct{})}
	_, _ = rand.Read(s.session[:]) // it cannot fail
	if s.video, err = x.side(receive.Video); err != nil {
		return nil, err
	}
	if s.sound, err = x.side(receive.Sound); err != nil {
		s.video.Conn.Close()
		return nil, err
	}
	if err := s.exchange(ctx); err != nil {
		s.Close()
		return nil, err
	}
	for _, side := range []*receive.Side{s.video, s.sound} {
		s.owned.Go(func() { side.Listen(!w.Discard) })
	}
	return s, nil
}

// side opens a socket on the address of the connection.
func (x *Conn) side(kind uint8) (*receive.Side, error) {
	conn, err := x.Controller.ListenPacket("udp", net.JoinHostPort(x.Local().String(), "0"))
	if err != nil {
		return nil, err
	}
	return receive.New(conn, kind), nil
}

func (s *Stream) characteristic(kind string) ID {
	id, _ := s.service.Find(kind)
	return id
}

// exchange writes characteristic 118 and reads it back.
func (s *Stream) exchange(ctx context.Context) error {
	version := byte(0)
	if s.x.Local().To4() == nil {
		version = 1
	}
	crypto := func(kind byte, k srtp.Key) tlv.Item {
		return tlv.Of(kind, tlv.U8(1, 0), tlv.Raw(2, k.Key[:]), tlv.Raw(3, k.Salt[:]))
	}
	id := s.characteristic(endpoints)
	err := s.x.SetTLV(ctx, id, tlv.Raw(1, s.session[:]),
		tlv.Of(3, tlv.U8(1, version), tlv.Text(2, s.x.Local().String()), tlv.U16(3, s.video.Port()), tlv.U16(4, s.sound.Port())),
		crypto(4, s.video.Key), crypto(5, s.sound.Key))
	if err != nil {
		return err
	}
	t, err := s.x.GetTLV(ctx, id)
	if err != nil {
		return err
	}
	s.Status = byte(t.Uint(2))
	if string(t.Get(1)) != string(s.session[:]) {
		return fmt.Errorf("controller: set-up of session %x is answered for %x", s.session, t.Get(1))
	}
	if s.Status != Taken {
		return nil
	}
	address := t.In(3)
	if s.Address, err = netip.ParseAddr(string(address.Get(2))); err != nil {
		return fmt.Errorf("controller: set-up: %w", err)
	}
	s.VideoPort, s.SoundPort = uint16(address.Uint(3)), uint16(address.Uint(4))
	s.VideoSSRC, s.SoundSSRC = uint32(t.Uint(6)), uint32(t.Uint(7))
	s.VideoKey, s.SoundKey = key(t.In(4)), key(t.In(5))
	s.video.Join(s.Address, s.VideoPort, s.VideoSSRC, s.VideoKey)
	s.sound.Join(s.Address, s.SoundPort, s.SoundSSRC, s.SoundKey)
	return nil
}

func key(t tlv.Items) (k srtp.Key) {
	copy(k.Key[:], t.Get(2))
	copy(k.Salt[:], t.Get(3))
	return k
}

func (s *Stream) control(command byte) tlv.Item {
	return tlv.Of(1, tlv.Raw(1, s.session[:]), tlv.U8(2, command))
}

func (s *Stream) size() tlv.Item {
	return tlv.Of(3, tlv.U16(1, uint16(s.wish.Width)), tlv.U16(2, uint16(s.wish.Height)), tlv.U8(3, byte(s.wish.FPS)))
}

func (s *Stream) rtp() tlv.Item {
	items := []tlv.Item{tlv.U8(1, receive.Video), tlv.U32(2, s.video.SSRC), tlv.U16(3, uint16(s.wish.Kbps)), tlv.F32(4, float32(s.wish.RTCP.Seconds()))}
	if s.wish.MTU > 0 {
		items = append(items, tlv.U16(5, uint16(s.wish.MTU)))
	}
	return tlv.Of(4, items...)
}

// Start asks for pictures and sound, and begins to report.
func (s *Stream) Start(ctx context.Context) error {
	w := s.wish
	rate := sound24kHz
	if w.SoundRate == 16000 {
		rate = sound16kHz
	}
	items := []tlv.Item{s.control(cmdStart),
		tlv.Of(2, tlv.U8(1, codecH264), tlv.Of(2, tlv.U8(1, w.Profile), tlv.U8(2, w.Level), tlv.U8(3, 0)), s.size(), s.rtp())}
	if !w.NoSound {
		items = append(items, tlv.Of(3, tlv.U8(1, codecOpus),
			tlv.Of(2, tlv.U8(1, 1), tlv.U8(2, 0), tlv.U8(3, rate), tlv.U8(4, byte(w.Packet.Milliseconds()))),
			tlv.Of(3, tlv.U8(1, receive.Sound), tlv.U32(2, s.sound.SSRC), tlv.U16(3, uint16(w.SoundKbps)), tlv.F32(4, float32(w.RTCP.Seconds())), tlv.U8(6, 13)),
			tlv.U8(4, 0)))
	}
	s.video.Begin()
	s.sound.Begin()
	if err := s.x.SetTLV(ctx, s.characteristic(selected), items...); err != nil {
		return err
	}
	s.owned.Go(s.report)
	return nil
}

// report sends receiver reports until Quiet or Close.
func (s *Stream) report() {
	tick := time.NewTicker(cmp.Or(s.wish.RTCP, time.Second))
	defer tick.Stop()
	for {
		s.video.Report()
		if !s.wish.NoSound {
			s.sound.Report()
		}
		select {
		case <-s.quiet:
			return
		case <-tick.C:
		}
	}
}

// Reconfigure asks for another size or bit rate while it runs.
func (s *Stream) Reconfigure(ctx context.Context, w StreamWish) error {
	s.wish.Width, s.wish.Height, s.wish.FPS, s.wish.Kbps = w.Width, w.Height, w.FPS, w.Kbps
	return s.x.SetTLV(ctx, s.characteristic(selected), s.control(cmdReconfigure), tlv.Of(2, s.size(), s.rtp()))
}

// Suspend asks for a rest.
func (s *Stream) Suspend(ctx context.Context) error { return s.command(ctx, cmdSuspend) }

// Resume ends the rest.
func (s *Stream) Resume(ctx context.Context) error { return s.command(ctx, cmdResume) }

// End asks for the end. The sockets stay, to see whether anything more comes.
func (s *Stream) End(ctx context.Context) error { return s.command(ctx, cmdEnd) }

func (s *Stream) command(ctx context.Context, command byte) error {
	return s.x.SetTLV(ctx, s.characteristic(selected), s.control(command))
}

// Running reads characteristic 120: 0 free, 1 in use, 2 unavailable.
func (s *Stream) Running(ctx context.Context) (byte, error) {
	t, err := s.x.GetTLV(ctx, s.characteristic("120"))
	return byte(t.Uint(1)), err
}

// PictureLoss asks for a key frame.
func (s *Stream) PictureLoss() { s.video.Send(srtp.PictureLoss(s.video.SSRC, s.VideoSSRC)) }

// FullIntra asks for one by other words.
func (s *Stream) FullIntra(n uint8) { s.video.Send(srtp.FullIntra(s.video.SSRC, s.VideoSSRC, n)) }

// Goodbye says by RTCP that the controller has enough.
func (s *Stream) Goodbye() {
	s.video.Send(srtp.Goodbye(s.video.SSRC))
	s.sound.Send(srtp.Goodbye(s.sound.SSRC))
}

// Quiet sends nothing more, as a phone does that was carried away. What comes is counted.
func (s *Stream) Quiet() { s.hush.Do(func() { close(s.quiet) }) }

// Close gives the sockets back without a word.
func (s *Stream) Close() {
	s.once.Do(func() {
		s.Quiet()
		s.video.Conn.Close()
		s.sound.Conn.Close()
		s.Hush()
	})
	s.owned.Wait()
}

// Video is what came of the picture so far.
func (s *Stream) Video() receive.Received { return s.video.Received() }

// Sound is what came of the sound so far.
func (s *Stream) Sound() receive.Received { return s.sound.Received() }

// VideoSocket and SoundSocket of the controller's end, for who forges packets.
func (s *Stream) VideoSocket() net.PacketConn { return s.video.Conn }

// SoundSocket is the other one.
func (s *Stream) SoundSocket() net.PacketConn { return s.sound.Conn }
