package line

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/pion/rtp"
)

// errStranger is what is not the viewer's: forged, twice, too late, or our own come back.
var errStranger = errors.New("rtp: not of the viewer")

// Control reports whether b is one of RTCP: what stands there of such a packet is no type of
// RTP that is used (RFC 5761 4).
func Control(b []byte) bool { return len(b) >= 2 && b[1] >= 192 && b[1] <= 223 }

// Read waits for one datagram. Who has sent it is known by the key and not by the address: a
// viewer with several addresses answers from any of them.
func (l *Line) Read(b []byte) (int, error) {
	n, _, err := l.conn.ReadFromUDPAddrPort(b)
	return n, err
}

// Reports opens a datagram of RTCP. plain is room for it.
func (l *Line) Reports(b, plain []byte) ([]byte, error) {
	if len(b) < 8 || !l.may(binary.BigEndian.Uint32(b[4:])) {
		return nil, errStranger
	}
	out, err := l.in.DecryptRTCP(plain[:0], b, nil)
	if err != nil || len(out) < 8 {
		return nil, errStranger
	}
	l.met(binary.BigEndian.Uint32(out[4:]))
	return out, nil
}

// Packet opens a datagram of RTP; payload is a part of out, for which plain is room.
func (l *Line) Packet(b, plain []byte, h *rtp.Header) (payload, out []byte, err error) {
	size, err := h.Unmarshal(b)
	if err != nil || !l.may(h.SSRC) {
		return nil, nil, errStranger
	}
	if out, err = l.in.DecryptRTP(plain[:0], b, h); err != nil || size > len(out) {
		return nil, nil, errStranger
	}
	l.met(h.SSRC)
	payload = out[size:]
	if h.Padding {
		// RFC 3550 5.1: the last byte counts the padding, with itself.
		if len(payload) == 0 || payload[len(payload)-1] == 0 || int(payload[len(payload)-1]) > len(payload) {
			return nil, nil, errStranger
		}
		payload = payload[:len(payload)-int(payload[len(payload)-1])]
	}
	return payload, out, nil
}

// may reports whether packets of that number are looked at: not our own that come back, and
// not of more numbers than a viewer has.
func (l *Line) may(ssrc uint32) bool {
	return ssrc != l.ssrc && (l.froms < len(l.from) || slices.Contains(l.from[:l.froms], ssrc))
}

// met notes a number under which something authentic has come.
func (l *Line) met(ssrc uint32) {
	if l.froms < len(l.from) && !slices.Contains(l.from[:l.froms], ssrc) {
		l.from[l.froms] = ssrc
		l.froms++
	}
}
