package srtp

import (
	"encoding/binary"
	"time"
)

// Packet of RTP.
type Packet struct {
	Type      uint8
	Marker    bool
	Seq       uint16
	Timestamp uint32
	SSRC      uint32
	Payload   []byte
}

// Parse reads a packet of RTP.
func Parse(b []byte) (Packet, error) {
	if len(b) < 12 || b[0]>>6 != 2 || headerLength(b) > len(b) {
		return Packet{}, ErrShort
	}
	p := Packet{Type: b[1] & 127, Marker: b[1]>>7 == 1, Seq: binary.BigEndian.Uint16(b[2:]), Timestamp: binary.BigEndian.Uint32(b[4:]), SSRC: binary.BigEndian.Uint32(b[8:])}
	p.Payload = b[headerLength(b):]
	if b[0]&0x20 != 0 { // padded
		n := len(p.Payload)
		if n == 0 || int(p.Payload[n-1]) > n || p.Payload[n-1] == 0 {
			return Packet{}, ErrShort
		}
		p.Payload = p.Payload[:n-int(p.Payload[n-1])]
	}
	return p, nil
}

// Bytes of the packet.
func (p Packet) Bytes() []byte {
	b := []byte{0x80, p.Type & 127}
	if p.Marker {
		b[1] |= 0x80
	}
	b = binary.BigEndian.AppendUint16(b, p.Seq)
	b = binary.BigEndian.AppendUint32(b, p.Timestamp)
	b = binary.BigEndian.AppendUint32(b, p.SSRC)
	return append(b, p.Payload...)
}

// IsRTCP tells the two apart on one port (RFC 5761 4).
func IsRTCP(b []byte) bool { return len(b) > 1 && b[1] >= 192 && b[1] <= 223 }

// Types of RTCP (RFC 3550 12.1, RFC 4585 6.1).
const (
	SenderReport   = 200
	ReceiverReport = 201
	Description    = 202
	Bye            = 203
	payloadFB      = 206
)

// Control is one packet of a compound one.
type Control struct {
	Type uint8
	SSRC uint32
	// Of a sender report: its clock, the same moment on the media's clock, and counts.
	NTP       uint64
	Timestamp uint32
	Packets   uint32
	Octets    uint32
}

// ParseRTCP reads a compound packet.
func ParseRTCP(b []byte) (list []Control, err error) {
	for len(b) > 0 {
		if len(b) < 4 || b[0]>>6 != 2 {
			return nil, ErrShort
		}
		n := 4 + 4*int(binary.BigEndian.Uint16(b[2:]))
		if n > len(b) {
			return nil, ErrShort
		}
		c := Control{Type: b[1]}
		if n >= 8 {
			c.SSRC = binary.BigEndian.Uint32(b[4:])
		}
		if c.Type == SenderReport {
			if n < 28 {
				return nil, ErrShort
			}
			c.NTP, c.Timestamp = binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint32(b[16:])
			c.Packets, c.Octets = binary.BigEndian.Uint32(b[20:]), binary.BigEndian.Uint32(b[24:])
		}
		list = append(list, c)
		b = b[n:]
	}
	return list, nil
}

// Wall is a time of NTP as one of the wall (RFC 3550 4).
func Wall(ntp uint64) time.Time {
	const from1900 = 2208988800
	return time.Unix(int64(ntp>>32)-from1900, int64(ntp&0xffffffff*1e9>>32))
}

// Received is what a receiver reports of a sender.
type Received struct {
	SSRC    uint32
	Lost    uint32 // altogether
	Highest uint32 // sequence number, with roll-overs
	LastSR  uint32 // middle of the last report's clock
	Delay   uint32 // since then, in 1/65536 s
}

// Report makes a receiver report, with the name that RFC 3550 6.1 wants in it.
func Report(own uint32, r Received) []byte {
	b := header(ReceiverReport, 1, 7)
	b = binary.BigEndian.AppendUint32(b, own)
	b = binary.BigEndian.AppendUint32(b, r.SSRC)
	b = binary.BigEndian.AppendUint32(b, r.Lost&0xffffff)
	b = binary.BigEndian.AppendUint32(b, r.Highest)
	b = binary.BigEndian.AppendUint32(b, 0) // jitter: not measured
	b = binary.BigEndian.AppendUint32(b, r.LastSR)
	b = binary.BigEndian.AppendUint32(b, r.Delay)
	b = append(b, header(Description, 1, 3)...)
	b = binary.BigEndian.AppendUint32(b, own)
	return append(b, 1, 4, 't', 'e', 's', 't', 0, 0) // CNAME, and the end
}

// PictureLoss asks for a key frame (RFC 4585 6.3.1).
func PictureLoss(own, of uint32) []byte {
	b := header(payloadFB, 1, 2)
	b = binary.BigEndian.AppendUint32(b, own)
	return binary.BigEndian.AppendUint32(b, of)
}

// FullIntra asks for one by other words (RFC 5104 4.3.1).
func FullIntra(own, of uint32, n uint8) []byte {
	b := header(payloadFB, 4, 4)
	b = binary.BigEndian.AppendUint32(b, own)
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint32(b, of)
	return append(b, n, 0, 0, 0)
}

// Goodbye says that nothing more comes.
func Goodbye(own uint32) []byte {
	return binary.BigEndian.AppendUint32(header(Bye, 1, 1), own)
}

func header(kind, count uint8, words uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{0x80 | count, kind}, words)
}
