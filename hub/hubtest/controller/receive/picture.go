package receive

import (
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
)

// Types of H.264's NAL units (ITU-T H.264, table 7-1) and of RFC 6184's packets.
const (
	nalIDR, nalSPS, nalPPS = 5, 7, 8
	packetSTAP, packetFU   = 24, 28
)

// Frame is all that came with one timestamp.
type Frame struct {
	At        time.Time // of its first packet
	Timestamp uint32
	Packets   int
	NALs      [][]byte
	// Whole: no packet is missing in it, and its last one says so.
	Whole bool
}

// Key is whether it is an IDR.
func (f Frame) Key() bool { return f.NAL(nalIDR) != nil }

// SPS is its sequence parameter set, if it has one.
func (f Frame) SPS() []byte { return f.NAL(nalSPS) }

// NAL is the first unit of that type.
func (f Frame) NAL(kind byte) []byte {
	for _, n := range f.NALs {
		if len(n) > 0 && n[0]&31 == kind {
			return n
		}
	}
	return nil
}

// AnnexB is the pictures as a file.
func AnnexB(frames []Frame) (b []byte) {
	for _, f := range frames {
		for _, n := range f.NALs {
			b = append(append(b, 0, 0, 0, 1), n...)
		}
	}
	return b
}

// picture puts packets together (RFC 6184).
type picture struct {
	f     Frame
	begun bool
	part  []byte // of a fragmented unit; nil: none
}

// take gives the frame that the packet ends.
func (p *picture) take(r srtp.Packet, at time.Time, gap bool) (done *Frame) {
	if p.begun && r.Timestamp != p.f.Timestamp { // the end of the last one never came
		p.f.Whole = false
		done = p.end()
	}
	if !p.begun {
		p.f, p.begun = Frame{At: at, Timestamp: r.Timestamp, Whole: !gap}, true
	} else if gap {
		p.f.Whole = false
	}
	p.f.Packets++
	if !p.unpack(r.Payload) {
		p.f.Whole = false
	}
	if r.Marker && done == nil {
		done = p.end()
	}
	return done
}

func (p *picture) end() *Frame {
	if p.part != nil {
		p.f.Whole, p.part = false, nil
	}
	p.begun = false
	f := p.f
	return &f
}

// unpack is whether a payload could be read.
func (p *picture) unpack(b []byte) bool {
	if len(b) < 1 {
		return false
	}
	switch kind := b[0] & 31; kind {
	case packetSTAP:
		for b = b[1:]; len(b) > 0; {
			if len(b) < 2 {
				return false
			}
			n := int(b[0])<<8 | int(b[1])
			if n == 0 || len(b) < 2+n {
				return false
			}
			p.f.NALs = append(p.f.NALs, b[2:2+n])
			b = b[2+n:]
		}
		return true
	case packetFU:
		if len(b) < 3 {
			return false
		}
		if b[1]&0x80 != 0 {
			p.part = []byte{b[0]&0xe0 | b[1]&31}
		}
		if p.part == nil {
			return false
		}
		p.part = append(p.part, b[2:]...)
		if b[1]&0x40 != 0 {
			p.f.NALs = append(p.f.NALs, p.part)
			p.part = nil
		}
		return true
	default:
		if kind == 0 || kind > 23 || p.part != nil {
			return false
		}
		p.f.NALs = append(p.f.NALs, b)
		return true
	}
}
