package media

import (
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Stats of a stream now; the rates are means over what the ring holds, back to the last
// gap.
type Stats struct {
	Camera, Stream string
	State          State
	Tracks         []av.Track
	Generation     uint32

	FPS      float64
	Bitrate  float64       // bit a second, all tracks
	GOP      time.Duration // between the newest two key frames of one writer; 0: not known
	LastUnit time.Duration // age of the newest unit; -1: there is none
	RingSpan time.Duration
	RingSize int64 // bytes

	Readers     int
	Writers     uint64 // so far; each after the first was a reconnect
	Units       uint64
	SkippedGOPs uint64 // by all readers
	Repairs     uint64 // time stamps that were set right
	Early       uint64 // units that came before a first key frame and were dropped
	// NoPrebuffer: the newest GOP is bigger than the ring may be, so that a reader has to
	// wait for the next key frame.
	NoPrebuffer bool
}

// Stats of the stream.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	st := Stats{
		Camera: s.camera, Stream: s.name, State: s.state, Tracks: s.set.tracks, Generation: s.set.epoch,
		LastUnit: -1, RingSize: s.size.Load(), Readers: len(s.readers), Writers: s.begun, GOP: s.gop,
		Units: s.units, SkippedGOPs: s.skipped, Repairs: s.line.repairs, Early: s.early, NoPrebuffer: s.cut,
	}
	if s.ring.n == 0 {
		return st
	}
	g := &s.ring
	first, last := g.at(g.first).recv, g.at(g.end()-1).recv
	st.LastUnit = now.Sub(last)
	st.RingSpan = now.Sub(first)
	since := s.unbroken()
	if span := last.Sub(g.at(since).recv).Seconds(); span > 0 {
		video, data := -1, 0 // the first one begins the span
		for seq := since; seq < g.end(); seq++ {
			data += len(g.at(seq).unit.Data)
			if g.at(seq).video {
				video++
			}
		}
		st.FPS = max(0, float64(video)/span)
		st.Bitrate = float64(data) * 8 / span
	}
	return st
}

// unbroken is where in the ring the newest units begin that have no gap among them: over
// a gap a mean says nothing of the stream. The ring is not empty.
func (s *Stream) unbroken() uint64 {
	g := &s.ring
	seq := g.end() - 1
	for seq > g.first && !g.at(seq).unit.Discontinuity && g.at(seq).recv.Sub(g.at(seq-1).recv) <= jumpLimit {
		seq--
	}
	return seq
}

// Stats of all streams.
func (c *Core) Stats() []Stats {
	streams := c.Streams()
	out := make([]Stats, len(streams))
	for i, s := range streams {
		out[i] = s.Stats()
	}
	return out
}

// Description of a stream before anything is opened.
type Description struct {
	Name        string
	Live        bool
	Tracks      []av.Track
	Prebuffer   time.Duration // how far back a reader can begin now
	KeyInterval time.Duration // as measured; 0: not known
	Bitrate     float64       // bit a second
	FPS         float64
}

// Describe the stream.
func (s *Stream) Describe() Description {
	st := s.Stats()
	d := Description{Name: s.name, Live: st.State.Live, Tracks: st.Tracks, Prebuffer: st.RingSpan,
		KeyInterval: st.GOP, Bitrate: st.Bitrate, FPS: st.FPS}
	if st.NoPrebuffer {
		d.Prebuffer = 0
	}
	return d
}

// NewestKey returns the newest key frame in the ring, its track and when it came by the
// hub's clock, for who makes a picture of it.
func (s *Stream) NewestKey() (*av.Unit, av.Track, time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sl := s.kept
	if e, ok := s.ring.newest(); ok {
		sl = s.ring.at(e)
	}
	if sl == nil {
		return nil, av.Track{}, time.Time{}, false
	}
	t, ok := sl.set.track(sl.unit.Track)
	return sl.unit, t, sl.recv, ok && sl.video
}
