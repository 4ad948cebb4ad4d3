package rtpout

import (
	"context"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// chunk of a picture leaves at once: half of what a small receiver's socket holds.
	chunk = 32 << 10
	// gap between chunks: 32 MB a second.
	gap = time.Millisecond
)

// player sends units. It is one goroutine's.
type player struct {
	s      *Session
	ctx    context.Context
	units  Units         // that the fields below are of
	begun  bool          // the first key frame was sent
	nals   [][]byte      // room
	waited time.Duration // for the unit at hand

	rounds   int // of units
	lastTS   uint32
	lastSent bool
	heardTo  time.Duration // sound up to there was sent
	heardSet bool
	bundle   bundle
	burst    int
	burstAt  time.Time
}

// play sends what the feed has, until the session ends.
func (s *Session) play() {
	p := &player{s: s, ctx: s.feed.ctx}
	for {
		units, wait, err := s.feed.next()
		if err != nil {
			s.end(err)
			return
		}
		if units != p.units {
			p.units, p.begun = units, false
			p.bundle.drop()
			s.count.how(units.Rendition())
		}
		asked := s.now()
		u, err := units.Next(wait)
		p.waited = s.now().Sub(asked)
		switch {
		case wait.Err() != nil: // others play now, or nothing does
		case err != nil:
			s.feed.lost(units, err)
		default:
			p.unit(u)
		}
	}
}

// unit sends one unit.
func (p *player) unit(u *av.Unit) {
	t, ok := p.units.Track(u.Track)
	if !ok {
		return
	}
	switch {
	case t.Kind == av.Video && t.Codec == av.H264:
		p.picture(t, u)
	case t.Kind == av.Sound && t.Codec == av.Opus:
		p.say(t, u)
	}
}

// picture sends a picture when its time has come.
func (p *player) picture(t av.Track, u *av.Unit) {
	pos := t.Duration(u.PTS)
	now := p.s.now()
	if !p.begun {
		if !u.Key {
			return
		}
		over := catchUp
		if p.rounds > 0 {
			over = catchUpAgain
		}
		p.rounds++
		p.s.clock.begin(pos, u.Wall, now, over)
		p.begun = true
		p.s.feed.came()
	}
	stamp, leave, past := p.s.clock.place(pos, moment{now, u.Wall, p.waited}, true)
	if past {
		if d := leave.Sub(now); d > 0 && !sleep(p.ctx, d) {
			return
		}
	}
	ts := p.s.video.At(stamp)
	if p.lastSent && int32(ts-p.lastTS) <= 0 && !t.Reordered {
		ts = p.lastTS + 1
	}
	p.lastTS, p.lastSent = ts, true
	p.send(t, u, ts)
}

// send sends a picture, a big one in chunks.
func (p *player) send(t av.Track, u *av.Unit, ts uint32) {
	v := p.s.video
	most := v.Room()
	p.gather(t, u)
	// What has left before has drained meanwhile.
	now := p.s.now()
	p.burst = max(0, p.burst-int(min(max(now.Sub(p.burstAt), 0), time.Second)*chunk/gap))
	var head [2]byte
	for i, nal := range p.nals {
		final := i == len(p.nals)-1
		if len(nal) <= most {
			if !p.pace(len(nal)) || v.Put(ts, final, nil, nal) != nil {
				return
			}
			continue
		}
		// RFC 6184 5.8: FU-A.
		head[0], head[1] = nal[0]&0xe0|28, nal[0]&0x1f|0x80
		for rest := nal[1:]; len(rest) > 0; head[1] &= 0x1f {
			n := min(len(rest), most-2)
			if n == len(rest) {
				head[1] |= 0x40
			}
			if !p.pace(n) || v.Put(ts, final && n == len(rest), head[:], rest[:n]) != nil {
				return
			}
			rest = rest[n:]
		}
	}
	v.Leave()
	p.burstAt = p.s.now()
	p.s.count.picture(u.Key, p.burstAt)
	if u.Key {
		p.s.keyAsk.came()
	}
	p.s.first(v)
}

// pace makes a pause where so much has left that n more bytes would be too many at once.
func (p *player) pace(n int) bool {
	if p.burst += n; p.burst <= chunk {
		return true
	}
	p.burst = n
	p.s.video.Leave()
	return sleep(p.ctx, gap)
}

// gather takes the NAL units of u that are sent: parameter sets stand before each key frame,
// those of the track, and no others.
func (p *player) gather(t av.Track, u *av.Unit) {
	p.nals = p.nals[:0]
	if u.Key && len(t.SPS) > 0 && len(t.PPS) > 0 {
		p.nals = append(p.nals, p.parameters(t), t.PPS)
	}
	u.NALs(func(nal []byte) bool {
		if len(nal) < 2 {
			return true
		}
		switch nal[0] & 0x1f {
		case 7, 8, 9, 10, 11, 12: // parameter sets, delimiters, ends, filler
			if len(t.SPS) > 0 {
				return true
			}
		}
		p.nals = append(p.nals, nal)
		return true
	})
}

// parameters is the SPS as the viewer gets it, with a level that it has selected. A baseline
// stream of a camera is constrained baseline, whatever it says: nobody encodes what the
// constraint excludes, and the viewer's decoder knows no other (H.264 A.2.1).
func (p *player) parameters(t av.Track) []byte {
	if len(t.SPS) < 4 {
		return t.SPS
	}
	st, _ := p.s.playing()
	sps := append([]byte(nil), t.SPS...)
	if sps[1] == 66 {
		sps[2] |= 0x40
	}
	if l := st.Video.Level; l != 0 && sps[3] > l {
		sps[3] = l
	}
	return sps
}
