package rtpout

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/line"
)

// Flow is what one medium has carried.
type Flow struct {
	Packets, Bytes, Calls, Errors uint64 // datagrams sent, and what the kernel was asked for them
	Lost                          uint32 // packets, as the viewer reports them
	Fraction                      float64
	Jitter                        time.Duration
}

// Stats of a session.
type Stats struct {
	Since        time.Time // zero: not started
	Rendition    string
	Video, Audio Flow
	Pictures     uint64
	KeyFrames    uint64
	FirstPicture time.Duration // after Start; 0: none yet
	KeyAsked     uint64        // by the viewer
	Rewound      uint64        // the cached key frame was sent again
	RoundTrip    time.Duration
	LastHeard    time.Time
	Rejected     uint64 // datagrams that are not the viewer's
	Odd          uint64 // units of sound that are no Opus
	Heard        uint64 // packets of speech
	Missed       uint64 // packets of speech that did not come
	Talking      bool
}

// counts is what Stats is made of.
type counts struct {
	since time.Time // guarded by Session.mu

	mu        sync.Mutex
	rendition string
	reports   [2]Flow // of the viewer
	roundTrip time.Duration

	pictures, keys, firstAt         atomic.Int64
	keyAsked, rewound, odd, refused atomic.Uint64
}

func (c *counts) how(rendition string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rendition = rendition
}

func (c *counts) picture(key bool, at time.Time) {
	c.pictures.Add(1)
	if key {
		c.keys.Add(1)
	}
	if c.firstAt.Load() == 0 {
		c.firstAt.Store(at.UnixNano())
	}
}

// Stats of now.
func (s *Session) Stats() Stats {
	c := &s.count
	s.mu.Lock()
	out := Stats{Since: c.since}
	s.mu.Unlock()
	c.mu.Lock()
	out.Rendition, out.RoundTrip = c.rendition, c.roundTrip
	out.Video, out.Audio = c.reports[0], c.reports[1]
	c.mu.Unlock()
	out.Video.sent(s.video)
	out.Audio.sent(s.audio)
	out.Pictures, out.KeyFrames = uint64(c.pictures.Load()), uint64(c.keys.Load())
	if at := c.firstAt.Load(); at != 0 {
		out.FirstPicture = time.Unix(0, at).Sub(out.Since)
	}
	out.KeyAsked, out.Rewound, out.Odd, out.Rejected = c.keyAsked.Load(), c.rewound.Load(), c.odd.Load(), c.refused.Load()
	if at := s.heard.Load(); at != 0 {
		out.LastHeard = time.Unix(0, at)
	}
	talk := s.talk.Stats()
	out.Heard, out.Missed, out.Talking = talk.Heard, talk.Missed, talk.Talking
	out.Odd += talk.Odd
	return out
}

func (f *Flow) sent(l *line.Line) {
	n := l.Counts()
	f.Packets, f.Bytes, f.Calls, f.Errors = n.Packets, n.Bytes, n.Calls, n.Errors
}
