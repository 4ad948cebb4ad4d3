package rtpout

import (
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/frames"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// drift is how far sound may be from where its packets before end and still follow them
// without a gap: sources round their times.
const drift = 30 * time.Millisecond

// bundle is frames that become one packet together.
type bundle struct {
	config byte
	frame  time.Duration
	pos    time.Duration // of the first
	frames [][]byte      // slices of units, which do not change
	bytes  int
	room   [][]byte // for a packet taken apart
	out    []byte   // for one put together

	next    uint32 // RTP time at which the last one ended
	nextSet bool
}

func (b *bundle) drop() { b.frames, b.bytes, b.nextSet = b.frames[:0], 0, false }

// say sends the sound of u, in packets as long as the viewer wants them.
func (p *player) say(t av.Track, u *av.Unit) {
	s := p.s
	st, _ := s.playing()
	if !s.sound || !p.begun {
		return // sound waits for its picture
	}
	pos, now := t.Duration(u.PTS), s.now()
	stamp, _, past := s.clock.place(pos, moment{at: now}, false)
	if past {
		return
	}
	if p.heardSet && stamp <= p.heardTo {
		return // that was heard before the stream was opened again
	}
	p.heardTo, p.heardSet = stamp, true
	if st.Muted != nil {
		if mic, _ := st.Muted(); mic {
			p.bundle.drop()
			return
		}
	}
	b := &p.bundle
	packet, err := frames.Split(u.Data, b.room)
	b.room = packet.Frames
	if err != nil {
		s.count.odd.Add(1)
		return
	}
	for i, f := range packet.Frames {
		if len(b.frames) > 0 && (b.config != packet.Config || b.bytes+len(f)+4+2*len(b.frames) > s.audio.Room()) {
			p.utter(b)
		}
		if len(b.frames) == 0 {
			b.config, b.frame, b.pos, b.bytes = packet.Config, packet.Frame, stamp+time.Duration(i)*packet.Frame, 0
		}
		b.frames = append(b.frames, f)
		b.bytes += len(f)
		if len(b.frames) >= frames.Mostly(b.frame, st.Audio.Packet) {
			p.utter(b)
		}
	}
}

// utter sends the bundle as one packet.
func (p *player) utter(b *bundle) {
	l := p.s.audio
	clock := l.Clock()
	ts := l.At(b.pos)
	if d := int64(int32(ts - b.next)); b.nextSet && d < av.Ticks(drift, clock) && d > -av.Ticks(drift, clock) {
		ts = b.next
	}
	marker := !b.nextSet // begins after a silence (RFC 7587 4.2)
	b.next, b.nextSet = ts+uint32(av.Ticks(b.frame*time.Duration(len(b.frames)), clock)), true
	b.out = frames.Join(b.out[:0], b.config, b.frames)
	b.frames = b.frames[:0]
	if len(b.out) > l.Room() {
		p.s.count.odd.Add(1)
		return
	}
	if l.Put(ts, marker, nil, b.out) != nil {
		return
	}
	l.Leave()
	p.s.first(l)
}
