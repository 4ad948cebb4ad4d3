package mse

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// soundWait: a stream that describes sound gets so much time to send some, before it
	// is shown without. A browser shows nothing of an MP4 whose sound never comes.
	soundWait = 500 * time.Millisecond
	// soundGone: sound that was away so long is taken out at the next key frame.
	soundGone = 3 * time.Second
	// quiet: the frame that is held back goes out when no other came for so long.
	quiet = 400 * time.Millisecond
	// longFrame: a frame that seems to last longer is one before a gap in the source.
	longFrame = 2 * time.Second
	// soundAhead: sound may come so much before its picture; more waits for it.
	soundAhead = time.Second
	// maxPackets of sound wait for a picture, about 15 s.
	maxPackets = 512
	// maxPictures wait for sound: half a second has no more at any frame rate there is.
	maxPictures = 256
)

// mux packs one stream. How long a picture lasts is known only when the next has come,
// and to wait for that would make all that is live a picture late. So each goes at once
// and is said to last as long as the one before it; what that was wrong by, the next one
// makes good. A picture never leaves a hole behind it: a browser that finds one twice as
// long as the last picture shows nothing until the next key frame.
type mux struct {
	feed *feed
	how  string // the rendition that is packed
	mute string // why it has no sound, if that is a fault

	epoch uint32
	video av.Track
	sound *av.Track // nil: the stream has none that fits
	gen   *generation
	gens  uint64
	seq   uint32

	deciding bool // whether the generation to come has sound
	begun    time.Time
	needKey  bool
	pictures []*av.Unit
	packets  []*av.Unit

	end   int64         // of our last picture, in its ticks: where the next one goes
	step  int64         // at which pictures come, in ticks; 0: not known yet
	gap   int64         // between the last two
	given int64         // how long our last picture was said to last, but for what was owed
	from  int64         // its time in the source
	next  bool          // the picture to come follows it
	owed  int64         // by how much the source's time is ahead of ours, in ticks
	talk  time.Duration // newest packet, in the stream's time
	heard bool          // there was one in this generation of the stream

	soundEnd   int64 // of our last packet, in its ticks
	soundFresh bool  // the next packet need not follow the last one closely
}

// units is what a mux reads.
type units interface {
	Next(context.Context) ([]*av.Unit, error)
	Tracks() []av.Track
	Close()
}

// run packs what r gives until ctx ends.
func (m *mux) run(ctx context.Context, r units) error {
	m.flush()
	m.needKey = true
	known := false
	for {
		wctx, cancel := context.WithTimeout(ctx, quiet)
		batch, err := r.Next(wctx)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && wctx.Err() != nil:
			m.flush()
			continue
		case err != nil:
			return err
		}
		if g := batch[0].Generation; !known || g != m.epoch || m.video.Codec == "" {
			known = true
			m.begin(g, r.Tracks())
		}
		if m.video.Codec == "" {
			continue
		}
		for _, u := range batch {
			m.unit(u)
		}
	}
}

// begin takes the tracks of a new generation of the stream.
func (m *mux) begin(epoch uint32, tracks []av.Track) {
	m.flush()
	m.epoch = epoch
	m.pictures, m.packets = nil, nil
	m.needKey, m.deciding, m.heard, m.begun = true, true, false, time.Now()
	end, soundEnd := m.video.Duration(m.end), time.Duration(0)
	if m.sound != nil {
		soundEnd = m.sound.Duration(m.soundEnd)
	}
	m.video, m.sound = av.Track{}, nil
	for _, t := range tracks {
		switch {
		case t.Kind == av.Video && m.video.Codec == "" && (t.Codec == av.H264 || t.Codec == av.H265):
			m.video = t
		case t.Kind == av.Sound && m.sound == nil && carries(t):
			m.sound = &t
		}
	}
	if m.video.Codec == "" {
		m.feed.setStatus(status{cannot: true, reason: "the stream has no H.264 or H.265 picture"})
		return
	}
	m.feed.can()
	m.end, m.step, m.gap = m.video.Ticks(end), 0, 0
	if m.sound != nil {
		m.soundEnd = m.sound.Ticks(soundEnd)
	}
}

func (m *mux) unit(u *av.Unit) {
	switch {
	case m.sound != nil && u.Track == m.sound.ID:
		m.talk, m.heard = m.sound.Duration(u.DTS), true
		if !m.needKey {
			m.packets = append(m.packets, u)
		}
		if len(m.packets) > maxPackets {
			m.packets = slices.Delete(m.packets, 0, len(m.packets)/2)
		}
	case u.Track == m.video.ID:
		if u.Key {
			m.key(u)
		}
		if m.needKey {
			return
		}
		m.pictures = append(m.pictures, u)
	default:
		return
	}
	if m.deciding {
		m.decide()
	}
	if !m.deciding {
		m.emit()
	}
}

// key is called with each key frame before it is queued.
func (m *mux) key(u *av.Unit) {
	talks := m.sound != nil && m.heard && m.video.Duration(u.DTS)-m.talk < soundGone
	change := m.gen == nil || m.gen.sound != talks
	if !m.needKey && !u.Discontinuity && (m.deciding || !change) {
		return
	}
	m.flush()
	m.packets = nil
	m.deciding = m.deciding || change
	m.needKey, m.soundFresh = false, true
}

// decide ends the wait for sound and makes the generation.
func (m *mux) decide() {
	if len(m.pictures) == 0 {
		return
	}
	heard := m.sound != nil && len(m.packets) > 0
	first, last := m.pictures[0], m.pictures[len(m.pictures)-1]
	// What is converted comes a little later than the pictures, however old those are.
	waits := m.video.Duration(last.DTS-first.DTS) < soundWait || m.how != media.Copy && time.Since(m.begun) < soundWait
	if m.sound != nil && !heard && waits && len(m.pictures) < maxPictures {
		return
	}
	m.deciding = false
	var sound *av.Track
	if heard {
		sound = m.sound
	}
	gen, err := m.generation(sound)
	if err != nil {
		m.feed.setStatus(status{cannot: true, reason: err.Error()})
		m.video = av.Track{}
		m.pictures, m.packets = nil, nil
		return
	}
	m.gen = gen
}

// generation is the one that is there, if it says the same.
func (m *mux) generation(sound *av.Track) (*generation, error) {
	b, err := initSegment(m.video, sound)
	if err != nil {
		return nil, err
	}
	mute := ""
	switch {
	case sound != nil:
	case m.sound != nil:
		mute = "the camera says that it has sound, and sends none"
	default:
		mute = m.mute
	}
	if m.gen != nil && slices.Equal(m.gen.init, b) && m.gen.mute == mute && m.gen.how == m.how {
		return m.gen, nil
	}
	m.gens++
	codecs := m.video.CodecString()
	if sound != nil {
		codecs += "," + sound.CodecString()
	}
	return &generation{id: m.gens, mime: `video/mp4; codecs="` + codecs + `"`, init: b,
		width: m.video.Width, height: m.video.Height, sound: sound != nil, mute: mute, how: m.how}, nil
}

// emit makes a fragment of each picture, but holds the first one of a stream until it is
// known how fast they come.
func (m *mux) emit() {
	for len(m.pictures) > 0 {
		u := m.pictures[0]
		if m.next {
			if d := u.DTS - m.from; m.sane(d) {
				m.owed += d - m.given
				// Of two the shorter: a picture that the source left out is no new pace.
				m.step, m.gap = min(d, cmp.Or(m.gap, d)), d
			}
			m.next = false
		}
		if len(m.pictures) == 1 && m.step == 0 {
			return
		}
		d := m.last()
		if len(m.pictures) > 1 && m.sane(m.pictures[1].DTS-u.DTS) {
			d = m.pictures[1].DTS - u.DTS
		}
		m.pictures = slices.Delete(m.pictures, 0, 1)
		m.put(u, d)
	}
}

// sane: the source has no gap there, of which ours would know nothing.
func (m *mux) sane(d int64) bool { return d > 0 && m.video.Duration(d) <= longFrame }

// put sends a picture that lasts d, as far as that is known.
func (m *mux) put(u *av.Unit, d int64) {
	lasts := min(max(d+m.owed, d/2, 1), 2*d)
	m.fragment(u, lasts)
	m.owed -= lasts - d
	m.given, m.from, m.next = d, u.DTS, true
}

// flush lets a held picture go; what comes next follows it without a gap.
func (m *mux) flush() {
	if !m.deciding && m.gen != nil && len(m.pictures) > 0 {
		m.emit()
		for _, u := range m.pictures {
			m.put(u, m.last())
		}
		m.pictures = m.pictures[:0]
	}
	m.next, m.owed = false, 0
}

// last is how long a picture lasts of which nothing better is known.
func (m *mux) last() int64 {
	if m.step > 0 {
		return m.step
	}
	if m.video.FPS > 1 {
		return int64(float64(m.video.ClockRate) / m.video.FPS)
	}
	return int64(m.video.ClockRate) / 25
}

// fragment writes one picture right behind the last one, and the sound up to its end.
func (m *mux) fragment(u *av.Unit, duration int64) {
	runs := [2]run{{id: videoID, dts: uint64(m.end), samples: []sample{{
		data: u.Data, duration: uint32(duration), ahead: int32(u.PTS - u.DTS), key: u.Key}}}}
	n := 1
	if m.gen.sound {
		until := m.video.Duration(u.DTS+duration) + soundAhead
		if runs[1] = m.soundRun(m.video.Duration(m.end+m.owed-u.DTS), until); len(runs[1].samples) > 0 {
			n = 2
		}
	}
	m.seq++
	moof, mdat := fragmentSize(runs[:n])
	m.feed.add(m.gen, u.Key, m.video.Duration(m.end), moof+mdat, func(b []byte) []byte { return appendFragment(b, m.seq, runs[:n]...) })
	m.end += duration
}

// soundRun makes one run of the packets before until, shifted from the stream's time to
// ours. They follow each other without a gap as long as the source's clock is less than a
// packet off, so that nobody hears clicks.
func (m *mux) soundRun(shift, until time.Duration) run {
	r := run{id: soundID}
	taken := 0
	for _, u := range m.packets {
		if m.sound.Duration(u.DTS) > until {
			break
		}
		taken++
		want, d := u.DTS+m.sound.Ticks(shift), lasts(m.sound, u)
		if want < 0 || want < m.soundEnd-d || m.soundFresh && want < m.soundEnd {
			continue // its place is taken
		}
		if m.soundFresh || want > m.soundEnd+d {
			if n := len(r.samples); n > 0 {
				r.samples[n-1].duration += uint32(want - m.soundEnd)
			}
			m.soundEnd, m.soundFresh = want, false
		}
		if len(r.samples) == 0 {
			r.dts = uint64(m.soundEnd)
		}
		r.samples = append(r.samples, sample{data: u.Data, duration: uint32(d), key: true})
		m.soundEnd += d
	}
	m.packets = slices.Delete(m.packets, 0, taken)
	return r
}
