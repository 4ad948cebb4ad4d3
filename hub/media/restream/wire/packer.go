package wire

import (
	"encoding/binary"
	"fmt"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// FrameHeader is the length of what stands before each packet on TCP: '$', the
	// channel, the packet's length in two bytes.
	FrameHeader = 4
	rtpHeader   = 12
	// maxPayload keeps an IP packet below 1420 bytes, which a VPN over Ethernet carries whole.
	maxPayload = 1380

	firstDynamic = 96 // of payload types, RFC 3551 6
	staticPCMU   = 0
	staticPCMA   = 8
)

// Packer makes the packets of one track. It does not change; a track with new parameter
// sets gets a new one by With.
type Packer struct {
	track   av.Track
	channel byte
	pt      byte
	ssrc    uint32
}

// New is the packer of t, the index-th track of a stream; false: RTP does not carry its codec.
func New(t av.Track, index int, ssrc uint32) (*Packer, bool) {
	p := &Packer{track: t, channel: byte(2 * index), pt: firstDynamic + byte(index), ssrc: ssrc}
	switch t.Codec {
	case av.H264, av.H265, av.AAC, av.Opus, av.L16:
	case av.MJPEG:
		p.pt = 26 // RFC 3551 6
	case av.PCMU, av.PCMA:
		if t.SampleRate == 8000 && t.Channels <= 1 {
			p.pt = staticPCMU
			if t.Codec == av.PCMA {
				p.pt = staticPCMA
			}
		}
	default:
		return nil, false
	}
	return p, true
}

// With is the same for a track that differs in its parameter sets only.
func (p *Packer) With(t av.Track) *Packer {
	n := *p
	n.track = t
	return &n
}

// Track, Channel, PayloadType and SSRC say what the packets are of.
func (p *Packer) Track() av.Track   { return p.track }
func (p *Packer) Channel() byte     { return p.channel }
func (p *Packer) PayloadType() byte { return p.pt }
func (p *Packer) SSRC() uint32      { return p.ssrc }

// Time is the RTP time stamp of a unit.
func (p *Packer) Time(u *av.Unit) uint32 { return uint32(u.PTS) }

// Append puts u's packets behind dst, numbered from seq, and tells how many they are.
func (p *Packer) Append(dst []byte, u *av.Unit, seq uint16) ([]byte, int) {
	s := sheet{Packer: p, out: dst, seq: seq, time: uint32(u.PTS)}
	switch p.track.Codec {
	case av.H264:
		s.nals(u, s.h264, p.track.SPS, p.track.PPS)
	case av.H265:
		s.nals(u, s.h265, p.track.VPS, p.track.SPS, p.track.PPS)
	case av.AAC:
		s.aac(u.Data)
	case av.Opus:
		s.packet(false, u.Data)
	case av.PCMU, av.PCMA:
		s.samples(u.Data, max(1, p.track.Channels))
	case av.L16:
		s.samples(u.Data, 2*max(1, p.track.Channels))
	case av.MJPEG:
		s.mjpeg(u.Data)
	}
	return s.out, int(s.seq - seq)
}

// Size is a good guess of the bytes that Append adds.
func (p *Packer) Size(u *av.Unit) int {
	n := len(u.Data)
	if u.Key {
		n += len(p.track.VPS) + len(p.track.SPS) + len(p.track.PPS) + 3*(FrameHeader+rtpHeader)
	}
	return n + (n/maxPayload+8)*(FrameHeader+rtpHeader+4)
}

// sheet is one Append at work.
type sheet struct {
	*Packer
	out  []byte
	seq  uint16
	time uint32
}

// packet writes one, its payload in up to three parts.
func (s *sheet) packet(marker bool, parts ...[]byte) {
	n := rtpHeader
	for _, b := range parts {
		n += len(b)
	}
	if n > 0xffff {
		return // no length for it: a sound packet of 64 KB is none
	}
	pt := s.pt
	if marker {
		pt |= 0x80
	}
	s.out = append(s.out, '$', s.channel, byte(n>>8), byte(n), 0x80, pt, byte(s.seq>>8), byte(s.seq))
	s.out = binary.BigEndian.AppendUint32(s.out, s.time)
	s.out = binary.BigEndian.AppendUint32(s.out, s.ssrc)
	for _, b := range parts {
		s.out = append(s.out, b...)
	}
	s.seq++
}

// nals sends the parameter sets before a key frame, since a reader may begin there, and
// marks the last packet of the picture (RFC 6184 5.1, RFC 7798 4.1).
func (s *sheet) nals(u *av.Unit, send func(nal []byte, last bool), sets ...[]byte) {
	if u.Key {
		for _, set := range sets {
			if len(set) > 2 {
				send(set, false)
			}
		}
	}
	var held []byte
	u.NALs(func(nal []byte) bool {
		if len(nal) <= 2 {
			return true
		}
		if held != nil {
			send(held, false)
		}
		held = nal
		return true
	})
	if held != nil {
		send(held, true)
	}
}

// h264 sends a NAL unit whole or as FU-A (RFC 6184 5.8).
func (s *sheet) h264(nal []byte, last bool) {
	if len(nal) <= maxPayload {
		s.packet(last, nal)
		return
	}
	head := [2]byte{nal[0]&0xe0 | 28, nal[0]&0x1f | 0x80}
	s.fragments(nal[1:], head[:], last)
}

// h265 sends a NAL unit whole or as FU (RFC 7798 4.4.3).
func (s *sheet) h265(nal []byte, last bool) {
	if len(nal) <= maxPayload {
		s.packet(last, nal)
		return
	}
	head := [3]byte{nal[0]&0x81 | 49<<1, nal[1], nal[0]>>1&0x3f | 0x80}
	s.fragments(nal[2:], head[:], last)
}

// fragments cuts rest; the last byte of head has the bits of begin (0x80) and end (0x40).
func (s *sheet) fragments(rest, head []byte, last bool) {
	bits := &head[len(head)-1]
	for len(rest) > 0 {
		n := min(len(rest), maxPayload-len(head))
		if n == len(rest) {
			*bits |= 0x40
		}
		s.packet(last && n == len(rest), head, rest[:n])
		*bits &^= 0x80
		rest = rest[n:]
	}
}

// aac sends one frame with its header of 13 and 3 bits, in pieces if it is large (RFC 3640 3.2).
func (s *sheet) aac(frame []byte) {
	if len(frame) > 0x1fff {
		return
	}
	head := [4]byte{0, 16, byte(len(frame) >> 5), byte(len(frame) << 3)}
	for {
		n := min(len(frame), maxPayload-len(head))
		s.packet(n == len(frame), head[:], frame[:n])
		if frame = frame[n:]; len(frame) == 0 {
			return
		}
	}
}

// samples cuts PCM between samples of so many bytes; the clock counts samples.
func (s *sheet) samples(pcm []byte, size int) {
	for len(pcm) >= size {
		n := min(len(pcm), maxPayload)
		n -= n % size
		s.packet(false, pcm[:n])
		s.time += uint32(n / size)
		pcm = pcm[n:]
	}
}

// Packets calls f with each packet of what Append made, and its channel. It stops at a
// broken length and says so.
func Packets(b []byte, f func(channel byte, packet []byte) error) error {
	for len(b) > 0 {
		if len(b) < FrameHeader || b[0] != '$' {
			return fmt.Errorf("interleaved frame: %d bytes left", len(b))
		}
		n := FrameHeader + int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) {
			return fmt.Errorf("interleaved frame of %d bytes: %d are there", n, len(b))
		}
		if err := f(b[1], b[FrameHeader:n]); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// Report appends the sender report of a track (RFC 3550 6.4.1) in its frame: what the
// media clock says at the time ntp (seconds since 1900 in 32.32 bits).
func (p *Packer) Report(dst []byte, ntp uint64, rtp uint32, packets, bytes uint32) []byte {
	dst = append(dst, '$', p.channel+1, 0, 28, 0x80, 200, 0, 6)
	dst = binary.BigEndian.AppendUint32(dst, p.ssrc)
	dst = binary.BigEndian.AppendUint64(dst, ntp)
	dst = binary.BigEndian.AppendUint32(dst, rtp)
	dst = binary.BigEndian.AppendUint32(dst, packets)
	return binary.BigEndian.AppendUint32(dst, bytes)
}
