package rtpout

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/line"
)

const (
	// keyEvery is how often a viewer's question for a key frame is heard: they repeat it
	// until they have one.
	keyEvery = 500 * time.Millisecond
	// keyWithin is how long a camera that was asked may take to send one; a viewer that asks
	// again afterwards gets the cached one.
	keyWithin = time.Second
	// rewindEvery is how often the cached key frame and all since may be sent again.
	rewindEvery = 2 * time.Second
	// readyReports of a viewer are looked at to know whether it has got the first pictures.
	readyReports = 2
	// keyTimeout bounds the question to the camera.
	keyTimeout = 3 * time.Second

	// readSize holds more than any datagram of a viewer.
	readSize = 2048
)

// listen takes what comes on one line until it is closed. It is a goroutine.
func (s *Session) listen(ctx context.Context, l *line.Line) {
	buf := make([]byte, readSize)
	var plain []byte
	for {
		n, err := l.Read(buf)
		switch {
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			return
		case err != nil:
			// What the network says of an earlier packet; the socket lives.
			if !sleep(ctx, time.Millisecond) {
				return
			}
			continue
		}
		plain = s.take(l, buf[:n], plain)
	}
}

// take is one datagram; plain is room.
func (s *Session) take(l *line.Line, b, plain []byte) []byte {
	now := s.now()
	if line.Control(b) {
		out, err := l.Reports(b, plain)
		if err != nil {
			s.count.refused.Add(1)
			return plain
		}
		s.hear(now)
		s.told(l, out, now)
		return out
	}
	var h rtp.Header
	payload, out, err := l.Packet(b, plain, &h)
	if err != nil {
		s.count.refused.Add(1)
		return plain
	}
	s.hear(now)
	if l == s.audio {
		s.talk.Take(&h, payload, now)
	}
	return out
}

// hear notes that the viewer is there.
func (s *Session) hear(now time.Time) { s.heard.Store(now.UnixNano()) }

// told is what a viewer's report says.
func (s *Session) told(l *line.Line, b []byte, now time.Time) {
	packets, err := rtcp.Unmarshal(b)
	if err != nil {
		s.count.odd.Add(1)
		return
	}
	for _, p := range packets {
		switch p := p.(type) {
		case *rtcp.ReceiverReport:
			s.reported(l, p.Reports, now)
			if l == s.video {
				s.ready(p.Reports, now)
			}
		case *rtcp.SenderReport:
			s.reported(l, p.Reports, now)
			l.Spoken(p, now)
		case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
			if l == s.video {
				s.wantKey(now)
			}
		case *rtcp.Goodbye:
			if l == s.video {
				s.end(ErrGoodbye)
			}
		}
	}
}

// reported notes how well the viewer receives.
func (s *Session) reported(l *line.Line, reports []rtcp.ReceptionReport, now time.Time) {
	for _, r := range reports {
		if r.SSRC != l.SSRC() {
			continue
		}
		i := 0
		if l == s.audio {
			i = 1
		}
		c := &s.count
		c.mu.Lock()
		f := &c.reports[i]
		f.Lost, f.Fraction = r.TotalLost, float64(r.FractionLost)/256
		if clock := l.Clock(); clock > 0 {
			f.Jitter = time.Duration(uint64(r.Jitter) * uint64(time.Second) / uint64(clock))
		}
		if r.LastSenderReport != 0 {
			// RFC 3550 6.4.1, in 1/65536 s.
			if d := uint32(line.NTP(now)>>16) - r.LastSenderReport - r.Delay; d < 60<<16 {
				c.roundTrip = time.Duration(uint64(d) * uint64(time.Second) >> 16)
			}
		}
		c.mu.Unlock()
	}
}

// asked is when the viewer asked for a key frame, and what was done.
type asked struct {
	mu      sync.Mutex
	reports int       // that have come, while the first ones are looked at
	at      time.Time // when the question was heard last
	camera  time.Time // when the camera was asked; zero: a key frame has come since
	rewound time.Time
}

// came says that a key frame was sent.
func (a *asked) came() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.camera = time.Time{}
}

// ready looks at the first reports since pictures were sent. A viewer that has lost some of
// the first ones, or that was not there yet when they left and whose second report still
// tells of none, will show nothing before a key frame: it gets it again before it asks.
func (s *Session) ready(reports []rtcp.ReceptionReport, now time.Time) {
	if s.count.firstAt.Load() == 0 {
		return
	}
	a := &s.keyAsk
	a.mu.Lock()
	a.reports++
	n := a.reports
	a.mu.Unlock()
	if n > readyReports {
		return
	}
	for _, r := range reports {
		if r.SSRC != s.video.SSRC() {
			continue
		}
		a.mu.Lock()
		a.reports = readyReports
		a.mu.Unlock()
		if r.TotalLost > 0 {
			s.rewind(now)
		}
		return
	}
	if n == readyReports {
		s.rewind(now)
	}
}

// wantKey asks the camera for a key frame, or sends the cached one again.
func (s *Session) wantKey(now time.Time) {
	s.count.keyAsked.Add(1)
	st, ok := s.playing()
	if !ok {
		return
	}
	a := &s.keyAsk
	a.mu.Lock()
	if now.Sub(a.at) < keyEvery {
		a.mu.Unlock()
		return
	}
	a.at = now
	vain := !a.camera.IsZero() && now.Sub(a.camera) >= keyWithin
	waits := !a.camera.IsZero() && !vain
	if st.KeyFrame != nil && !vain && !waits {
		a.camera = now
	}
	a.mu.Unlock()
	switch {
	case waits:
	case vain || st.KeyFrame == nil:
		s.rewind(now)
	default:
		s.work.Go(func() {
			ctx, cancel := context.WithTimeout(s.feed.ctx, keyTimeout)
			defer cancel()
			if st.KeyFrame(ctx) != nil && s.feed.ctx.Err() == nil {
				s.rewind(now)
			}
		})
	}
}

// rewind sends the newest key frame and what followed it again.
func (s *Session) rewind(now time.Time) {
	a := &s.keyAsk
	a.mu.Lock()
	if now.Sub(a.rewound) < rewindEvery {
		a.mu.Unlock()
		return
	}
	a.rewound, a.camera = now, time.Time{}
	a.mu.Unlock()
	if s.feed.rewind() {
		s.count.rewound.Add(1)
	}
}
