package units

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrNotRTP is said of bytes that are no RTP packet.
var ErrNotRTP = errors.New("not an RTP packet")

// Packet is one RTP packet (RFC 3550 5.1).
type Packet struct {
	Type    uint8
	Marker  bool
	Seq     uint16
	Time    uint32
	SSRC    uint32
	Payload []byte
}

// ParsePacket reads a packet; its payload points into b.
func ParsePacket(b []byte) (Packet, error) {
	if len(b) < 12 || b[0]>>6 != 2 {
		return Packet{}, ErrNotRTP
	}
	p := Packet{
		Marker: b[1]&0x80 != 0, Type: b[1] & 0x7f,
		Seq: binary.BigEndian.Uint16(b[2:]), Time: binary.BigEndian.Uint32(b[4:]), SSRC: binary.BigEndian.Uint32(b[8:]),
	}
	at, end := 12+4*int(b[0]&0x0f), len(b)
	if b[0]&0x10 != 0 { // an extension, its length in words
		if len(b) < at+4 {
			return Packet{}, ErrNotRTP
		}
		at += 4 + 4*int(binary.BigEndian.Uint16(b[at+2:]))
	}
	if b[0]&0x20 != 0 && end > at { // padding, its length in the last byte
		end -= int(b[end-1])
	}
	if at > end {
		return Packet{}, ErrNotRTP
	}
	p.Payload = b[at:end]
	return p, nil
}

// Report is a sender report (RFC 3550 6.4.1): RTP time and wall clock of one instant, by the camera.
type Report struct {
	SSRC uint32
	Time uint32
	Wall time.Time
	NTP  uint64
}

// ntpEpoch is 1900-01-01 in Unix seconds.
const ntpEpoch = -2208988800

// ParseReports finds the sender reports in a compound RTCP packet.
func ParseReports(b []byte) []Report {
	var out []Report
	for len(b) >= 4 && b[0]>>6 == 2 {
		n := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) {
			break
		}
		if b[1] == 200 && n >= 28 {
			ntp := binary.BigEndian.Uint64(b[8:])
			out = append(out, Report{
				SSRC: binary.BigEndian.Uint32(b[4:]), Time: binary.BigEndian.Uint32(b[16:]), NTP: ntp,
				Wall: time.Unix(int64(ntp>>32)+ntpEpoch, int64((ntp&0xffffffff)*1e9>>32)),
			})
		}
		b = b[n:]
	}
	return out
}
