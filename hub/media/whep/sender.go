package whep

import (
	"context"
	"errors"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/whep/pack"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// chunk is how much of a picture leaves at once: about half of what a browser's socket
	// holds by default, 64 KiB doubled by the kernel for its own bookkeeping.
	chunk = 32 << 10
	// gap is the pause between chunks where no loss is known: 32 MB a second.
	gap = time.Millisecond
	// pastGap is the same between pictures of the past: 8 MB a second is about what a
	// browser decodes, and what a Wi-Fi carries.
	pastGap = 4 * time.Millisecond
	// lossGap is the same for the past, and for what is repeated, where loss is known: 2 MB
	// a second.
	lossGap = 16 * time.Millisecond
	// lossFor is how long a report of loss slows pictures down.
	lossFor = 10 * time.Second
	// squeeze is the time between pictures of the past in ticks of 90 kHz: see catchUp.
	squeeze = 10
	// soundBack is how much sound before the newest picture goes out at the start.
	soundBack = 100 * time.Millisecond
	// maxSound is the most bytes of one packet of sound: Opus of 510 kb/s has 3.8 KB in 60 ms.
	maxSound = 4 << 10
	// reportEvery is how often the browser is told how the tracks' times belong together.
	reportEvery = 2 * time.Second
)

// sender takes a session's units to its outlets. It is one goroutine's.
type sender struct {
	x      *session
	gen    uint32
	tracks map[uint8]av.Track
	// behind: what comes next is the past, from a key frame on, up to now.
	behind bool
	pos    time.Duration // of the newest unit sent
	posAt  time.Time     // when
	report time.Time     // the last one
	// burst is how many bytes have left since the last pause, burstAt when the last of them.
	burst   int
	burstAt time.Time
}

// play sends until the session ends.
func (s *sender) play() error {
	x := s.x
	for {
		r, ctx := x.reading()
		units, err := r.Next(ctx)
		switch {
		case x.ctx.Err() != nil:
			return context.Cause(x.ctx)
		case x.rewinds():
			x.stat.rewound.Add(1)
			if err := s.back(); err != nil {
				return err
			}
			continue
		case errors.Is(err, media.ErrChanged):
			if err := s.back(); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if units[0].Generation != s.gen {
			if err := s.generation(r, units[0].Generation); err != nil {
				return err
			}
		}
		s.send(units)
		s.tell()
	}
}

// back goes to the ring's newest key frame.
func (s *sender) back() error {
	r, err := s.x.open()
	if err != nil {
		return err
	}
	old := s.x.cursor(r)
	s.x.stat.skipped.Add(old.Stats().SkippedGOPs)
	old.Close()
	s.behind = true
	return nil
}

// rendition says in which form the viewer gets the stream now.
func (x *session) rendition() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.how + x.note
}

// generation takes new tracks; an error: the browser was promised others.
func (s *sender) generation(r *media.Rendering, gen uint32) error {
	s.gen, s.tracks = gen, make(map[uint8]av.Track)
	video, sound := s.x.video == nil, s.x.sound == nil
	for _, t := range r.Tracks() {
		switch {
		case t.Kind == av.Video && !video && t.Codec == s.x.choice.VideoCodec:
			s.tracks[t.ID], video = t, true
		case t.Kind == av.Sound && !sound && t.Codec == s.x.choice.AudioCodec:
			s.tracks[t.ID], sound = t, true
		}
	}
	if !video && s.x.video != nil {
		return errChanged
	}
	return nil
}

// send sends a batch of one generation.
func (s *sender) send(units []*av.Unit) {
	from, pictures := 0, 0
	now, haveNow := time.Duration(0), false // of the newest picture
	for i, u := range units {
		t, ok := s.tracks[u.Track]
		if !ok || t.Kind != av.Video {
			continue
		}
		if u.Key && s.behind {
			from, pictures = i, 0
		}
		if u.Key && u.Discontinuity {
			s.behind = true // the reader has jumped
		}
		pictures++
		now, haveNow = t.Duration(u.PTS), true
	}
	c := catchUp{o: s.x.video, left: pictures, on: s.behind && haveNow && pictures > 1}
	for _, u := range units[from:] {
		t, ok := s.tracks[u.Track]
		if !ok {
			continue
		}
		pos := t.Duration(u.PTS)
		if t.Kind != av.Video {
			if !c.on && !s.behind || haveNow && pos > now-soundBack {
				s.note(pos)
				s.say(t, u, pos)
			}
			continue
		}
		s.note(pos)
		s.picture(t, u, c.stamp(pos, now), c.on && !u.Key)
	}
	if haveNow || s.x.video == nil {
		s.behind = false
	}
}

// say sends one unit of sound. Samples can be cut anywhere, which makes packets of any
// unit; a packet of Opus cannot, and has a few hundred bytes.
func (s *sender) say(t av.Track, u *av.Unit, pos time.Duration) {
	most := maxSound
	if t.Codec != av.Opus {
		most = pack.Payload
	} else if len(u.Data) > maxSound {
		return // no encoder makes that
	}
	ts := s.x.sound.at(pos)
	for b := u.Data; len(b) > 0; {
		n := min(len(b), most)
		if s.x.sound.put(b[:n], ts, false, time.Now()) != nil {
			return // as with pictures
		}
		ts += uint32(n) // a sample of G.711 is a byte
		b = b[n:]
	}
}

// note remembers where on the line of time now is.
func (s *sender) note(pos time.Duration) {
	if pos > s.pos || s.posAt.IsZero() {
		s.pos, s.posAt = pos, time.Now()
	}
}

// picture sends one picture, a big one in chunks; past: it is one of many that are late.
func (s *sender) picture(t av.Track, u *av.Unit, ts uint32, past bool) {
	x := s.x
	p := x.srv.shelf.Pack(t, u)
	pause := x.pause(t, p.Bytes, past)
	// What has left before has drained meanwhile.
	s.burst = max(0, s.burst-int(min(time.Since(s.burstAt), time.Second)*chunk/pause))
	done, now := x.together(), time.Now()
	defer func() { done() }()
	for i, b := range p.Payloads {
		if s.burst += len(b); s.burst > chunk {
			s.burst = len(b)
			done()
			if !sleep(x.ctx, pause) {
				done = func() {}
				return
			}
			done, now = x.together(), time.Now()
		}
		if x.video.put(b, ts, i == len(p.Payloads)-1, now) != nil {
			return // the connection is away, or over; its state says so
		}
	}
	s.burstAt = time.Now()
	if x.stat.first.Load() == 0 {
		x.stat.first.Store(int64(x.srv.o.Now().Sub(x.since)))
	}
}

// pause is how long to wait between chunks of a picture of so many bytes. When the viewer
// has reported loss, a picture is spread over half a frame's time, and the past goes slower.
func (x *session) pause(t av.Track, bytes int, past bool) time.Duration {
	loss := time.Since(time.Unix(0, x.stat.lostAt.Load())) < lossFor
	switch {
	case past && loss:
		return lossGap
	case past:
		return pastGap
	case !loss:
		return gap
	}
	fps := t.FPS
	if fps < 1 {
		fps = 25
	}
	return max(gap, time.Duration(float64(time.Second)/fps/2)/time.Duration(bytes/chunk+1))
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// catchUp gives pictures of the past times right before that of the newest one: a browser
// decodes them at once, and with their true times it would find its clock wrong. A page
// that sees times which are so close together knows that what it shows is not now.
type catchUp struct {
	o    *outlet
	on   bool
	left int // pictures to come, with this one
}

// stamp is the RTP time of the picture at pos, where now is the newest one's.
func (c *catchUp) stamp(pos, now time.Duration) uint32 {
	c.left--
	if !c.on {
		return c.o.at(pos)
	}
	ts := c.o.at(now) - uint32(c.left)*squeeze
	// A browser takes no picture that is older than one it has shown.
	if last, ok := c.o.newest(); ok && int32(ts-last) <= 0 {
		ts = last + 1
	}
	return ts
}
