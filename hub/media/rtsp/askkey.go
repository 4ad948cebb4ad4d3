package rtsp

import (
	"time"

	"github.com/pion/rtcp"
)

const (
	// keyAsks is how often a camera is asked for a key frame before the first one has come.
	keyAsks = 3
	// keyAskEvery is the time between two.
	keyAskEvery = time.Second
	// keyAskBroke: a connection that ends so soon after the first was ended by it.
	keyAskBroke = time.Second
)

// askKey is who asks for the first key frame.
type askKey struct {
	n    int
	last time.Time
}

// askKey asks the camera for a key frame, where pictures come that nothing can be begun
// with: else the first picture may be a whole interval away. Most cameras that know no
// such wish ignore it; one that ends the connection is not asked again. The player is locked.
func (s *session) askKey(st *stream, ssrc uint32, now time.Time) {
	a := &s.asks
	if s.mem.NoKeyAsk || a.n >= keyAsks || now.Sub(a.last) < keyAskEvery {
		return
	}
	a.n++
	a.last = now
	from := reporter + uint32(st.id)
	b, err := rtcp.Marshal([]rtcp.Packet{ // compound, as RFC 3550 6.1 wants it
		&rtcp.ReceiverReport{SSRC: from},
		&rtcp.PictureLossIndication{SenderSSRC: from, MediaSSRC: ssrc}, // RFC 4585 6.3.1
	})
	if err != nil {
		return
	}
	if s.udp() {
		for i, other := range s.play.streams {
			if other == st && i < len(s.pairs) {
				s.pairs[i].Report(b)
			}
		}
		return
	}
	for ch, c := range s.channels {
		if c.s == st && c.rtcp {
			_ = s.conn.SendFrame(ch, b) // the reader sees a broken connection too
		}
	}
}

// brokeByAsking learns that the camera does not bear to be asked for a key frame.
func (s *session) brokeByAsking(err error) bool {
	a := s.asks
	if a.n == 0 || s.mem.NoKeyAsk || s.without("key_ask") || !ended(err) || s.play.keyedNow() || s.o.Now().Sub(a.last) > keyAskBroke {
		return false
	}
	s.mem.NoKeyAsk = true
	return true
}
