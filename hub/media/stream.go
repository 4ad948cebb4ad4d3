package media

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// soundEntry: of a stream without video one unit in so much time is a place to begin.
const soundEntry = 500 * time.Millisecond

// Talk is the name of the stream that carries speech to a camera.
const Talk = "talk"

// What a writer can be told.
var (
	ErrSuperseded = errors.New("another writer has taken the stream")
	ErrEnded      = errors.New("the writer has ended")
	ErrNoTrack    = errors.New("unit of a track that was not described")
)

// Stream is one stream of a camera: a ring of its newest units and whoever reads them.
type Stream struct {
	core         *Core
	camera, name string
	source       *Stream // of a derived one
	lag          time.Duration
	gone         atomic.Bool // its camera was removed
	tell         sync.Mutex  // held while demand changes and is told, so that it is told in order

	mu      sync.Mutex
	ring    ring
	set     *trackSet
	writer  *Writer // nil: nobody writes
	begun   uint64  // writers so far
	line    timeline
	state   State
	changed chan struct{} // closed when state changes
	wake    chan struct{} // closed at the next unit, if somebody waits
	waiting int
	readers map[*Reader]struct{}
	holds   map[*hold]struct{}
	asked   int          // of those who want it and do not read
	quiet   int          // of those who read and do not want it
	skipped uint64       // GOPs, of readers that have gone too
	kept    *slot        // key frame of the newest GOP, if that did not fit
	size    atomic.Int64 // bytes in the ring and of kept, for who does not hold mu
	units   uint64
	early   uint64        // units before the first key frame
	cut     bool          // the newest GOP did not fit, so nobody can begin in it
	key     time.Time     // when the newest key frame came; zero: the writer has sent none
	gop     time.Duration // between the newest two of one writer
	failed  error         // of a derived one: nothing more comes
}

type hold struct{ d time.Duration }

// State of a stream.
type State struct {
	Live   bool
	Reason string // why it is not
	Since  time.Time
}

func newStream(c *Core, camera, name string) *Stream {
	return &Stream{
		core: c, camera: camera, name: name,
		set:     &trackSet{},
		state:   State{Reason: "nothing has come yet", Since: time.Now()},
		changed: make(chan struct{}),
		wake:    make(chan struct{}),
		readers: make(map[*Reader]struct{}),
		holds:   make(map[*hold]struct{}),
	}
}

// Camera and Name say which stream this is.
func (s *Stream) Camera() string { return s.camera }

// Name is main, sub, or talk.
func (s *Stream) Name() string { return s.name }

// Tracks of the newest units. The slice is not to be changed.
func (s *Stream) Tracks() []av.Track {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set.tracks
}

// Live reports whether somebody writes.
func (s *Stream) Live() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Live
}

// State and a channel that is closed when it changes.
func (s *Stream) State() (State, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state, s.changed
}

// Hold makes the ring keep d, at most 30 s, until release is called; its limits in bytes
// stay. It returns what will be kept.
func (s *Stream) Hold(d time.Duration) (kept time.Duration, release func()) {
	h := &hold{d: min(d, MaxHold)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holds[h] = struct{}{}
	return s.span(), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.holds, h)
	}
}

// Tell says why nothing comes, while nobody writes.
func (s *Stream) Tell(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer != nil || s.state.Reason == reason {
		return
	}
	s.gone.Store(false)
	s.setState(State{Reason: reason, Since: s.state.Since})
}

// Remove ends what is written, for reason, and empties the ring. Readers stay.
func (s *Stream) Remove(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer != nil {
		s.writer.ended, s.writer = ErrEnded, nil
	}
	s.forget()
	s.set = &trackSet{epoch: s.set.epoch}
	s.gone.Store(true)
	s.setState(State{Reason: reason, Since: time.Now()})
}

// span is how long the ring reaches back.
func (s *Stream) span() time.Duration {
	d := s.core.limits.RingTime
	for h := range s.holds {
		d = max(d, h.d)
	}
	return d
}

// Begin makes the caller the one writer of the stream; a writer before it is superseded.
// Readers go on with a discontinuity, on one line of time.
func (s *Stream) Begin(tracks []av.Track) (*Writer, error) {
	set, err := newSet(tracks)
	if err != nil {
		return nil, fmt.Errorf("media %s/%s: begin: %w", s.camera, s.name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer != nil {
		s.writer.ended = ErrSuperseded
	}
	w := &Writer{s: s, fresh: make(map[uint8]bool)}
	s.writer = w
	s.begun++
	s.gone.Store(false)
	s.key = time.Time{}
	if s.name == Talk {
		s.forget() // nobody hears again what somebody else has said
	}
	s.line.begin()
	s.announce(set)
	s.setState(State{Live: true, Since: time.Now()})
	return w, nil
}

// forget empties the ring.
func (s *Stream) forget() {
	s.account(-s.ring.dropTo(s.ring.end()))
	s.keep(nil)
}

// keep holds the key frame of a GOP that did not fit, for who makes a picture of it.
func (s *Stream) keep(key *slot) {
	if s.kept != nil {
		s.account(-s.kept.cost)
	}
	if s.kept = key; key != nil {
		s.account(key.cost)
	}
}

func (s *Stream) account(bytes int64) {
	s.size.Add(bytes)
	s.core.used.Add(bytes)
}

func newSet(tracks []av.Track) (*trackSet, error) {
	if len(tracks) > maxTracks {
		return nil, fmt.Errorf("more than %d tracks", maxTracks)
	}
	set := &trackSet{tracks: slices.Clone(tracks), size: sizeOf(tracks)}
	seen := make(map[uint8]bool)
	for _, t := range tracks {
		switch {
		case seen[t.ID]:
			return nil, fmt.Errorf("track %d: described twice", t.ID)
		case t.ClockRate == 0:
			return nil, fmt.Errorf("track %d: no clock rate", t.ID)
		}
		seen[t.ID] = true
		set.video = set.video || t.Kind == av.Video
	}
	return set, nil
}

// announce makes set the current one, under a new epoch.
func (s *Stream) announce(set *trackSet) {
	set.epoch = s.set.epoch + 1
	for i := range set.tracks {
		set.tracks[i].Generation = set.epoch
	}
	s.set = set
}

func (s *Stream) setState(st State) {
	s.state = st
	close(s.changed)
	s.changed = make(chan struct{})
	s.broadcast()
}

// broadcast wakes all readers that wait; it costs nothing when none does.
func (s *Stream) broadcast() {
	if s.waiting == 0 {
		return
	}
	s.waiting = 0
	close(s.wake)
	s.wake = make(chan struct{})
}

// trim holds the ring to its limits. Whole GOPs go first. If the newest GOP alone is too
// big its oldest units go too: readers that follow go on, but nobody can begin before
// the next key frame, and Stats says so.
func (s *Stream) trim(now time.Time) {
	span := s.span()
	over := func() bool { return s.size.Load() > s.core.limits.RingBytes }
	for {
		next, ok := s.ring.second()
		if !ok || !(over() || now.Sub(s.ring.at(next).recv) >= span) {
			break
		}
		s.drop()
	}
	for over() && s.drop() {
	}
}

// drop takes the oldest GOP, or the oldest unit where there is only one GOP, whose key
// frame is kept aside as long as there is anything else to take; false: nothing is left.
func (s *Stream) drop() bool {
	to, whole := s.ring.second()
	switch {
	case whole:
	case s.ring.n >= 2:
		to, s.cut = s.ring.first+1, true
		if e, ok := s.ring.newest(); ok && e == s.ring.first && s.ring.at(e).video {
			key := *s.ring.at(e)
			s.account(-s.ring.dropTo(to))
			s.keep(&key)
			return true
		}
	case s.kept != nil:
		s.keep(nil)
		return true
	default:
		return false
	}
	s.account(-s.ring.dropTo(to))
	return true
}

// Writer puts units into a stream. It is for one goroutine at a time.
type Writer struct {
	s     *Stream
	ended error
	keyed bool           // the first key frame has come
	fresh map[uint8]bool // tracks that have had a unit from this writer
	entry time.Time      // of the last entry of a stream without video
}

// SetTrack adds a track or changes one. The units that follow belong to a new
// generation, if anything has changed.
func (w *Writer) SetTrack(t av.Track) error {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil {
		return w.ended
	}
	if old, ok := s.set.track(t.ID); ok && sameTrack(old, t) {
		return nil
	}
	tracks := slices.DeleteFunc(slices.Clone(s.set.tracks), func(o av.Track) bool { return o.ID == t.ID })
	set, err := newSet(append(tracks, t))
	if err != nil {
		return fmt.Errorf("media %s/%s: %w", s.camera, s.name, err)
	}
	slices.SortFunc(set.tracks, func(a, b av.Track) int { return int(a.ID) - int(b.ID) })
	s.announce(set)
	if t.Kind == av.Video {
		w.keyed = false
	}
	return nil
}

// sameTrack compares all but the generation.
func sameTrack(a, b av.Track) bool {
	return a.Kind == b.Kind && a.Codec == b.Codec && a.ClockRate == b.ClockRate &&
		a.Width == b.Width && a.Height == b.Height && a.FPS == b.FPS && a.Reordered == b.Reordered &&
		a.SampleRate == b.SampleRate && a.Channels == b.Channels &&
		slices.Equal(a.VPS, b.VPS) && slices.Equal(a.SPS, b.SPS) && slices.Equal(a.PPS, b.PPS) &&
		slices.Equal(a.AudioConfig, b.AudioConfig)
}

// Put hands u over: its time stamps, generation and discontinuity are set here, and from
// then on it does not change. It never waits for a reader.
func (w *Writer) Put(u *av.Unit) error {
	if len(u.Data) > av.MaxUnit {
		return fmt.Errorf("media %s/%s: %w", w.s.camera, w.s.name, av.ErrTooBig)
	}
	s := w.s
	if u.Track == av.ImageTrack {
		s.core.PutImage(s.camera, u)
		return nil
	}
	if err := w.put(u, time.Now()); err != nil {
		return err
	}
	s.core.shed()
	return nil
}

// track that u belongs to, while the writer may write. The stream is locked.
func (w *Writer) track(u *av.Unit) (av.Track, error) {
	if w.ended != nil {
		return av.Track{}, w.ended
	}
	t, ok := w.s.set.track(u.Track)
	if !ok {
		return av.Track{}, fmt.Errorf("media %s/%s: track %d: %w", w.s.camera, w.s.name, u.Track, ErrNoTrack)
	}
	return t, nil
}

func (w *Writer) put(u *av.Unit, now time.Time) error {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := w.track(u)
	if err != nil {
		return err
	}
	entry := w.isEntry(t, u, now)
	if !entry && !w.keyed {
		s.early++
		return nil // nothing can be made of it without the key frame before it
	}
	// Of the first writer a track's first unit has nothing before it that could be missing.
	jumped := s.line.place(u, t, now)
	u.Discontinuity = u.Discontinuity || jumped || !w.fresh[u.Track] && s.begun > 1
	w.fresh[u.Track] = true
	u.Generation = s.set.epoch
	w.enter(slot{unit: u, recv: now, set: s.set, video: t.Kind == av.Video}, entry)
	s.trim(now)
	s.broadcast()
	return nil
}

// enter puts a slot into the ring; the stream is locked.
func (w *Writer) enter(sl slot, entry bool) {
	s := w.s
	s.units++
	s.account(s.ring.push(sl, entry))
	if !entry {
		return
	}
	s.keep(nil)
	w.keyed, s.cut = true, false
	if !s.key.IsZero() {
		s.gop = sl.recv.Sub(s.key)
	}
	s.key = sl.recv
}

// PutImage keeps a unit of the image track as the camera's newest picture; it needs no writer.
func (s *Stream) PutImage(u *av.Unit) { s.core.PutImage(s.camera, u) }

// isEntry reports whether a reader may begin at u.
func (w *Writer) isEntry(t av.Track, u *av.Unit, now time.Time) bool {
	if w.s.set.video {
		return t.Kind == av.Video && (u.Key || t.Codec == av.MJPEG)
	}
	if !w.entry.IsZero() && now.Sub(w.entry) < soundEntry {
		return false
	}
	w.entry = now
	return true
}

// End says that no more will come, and why. It is safe to call after the writer was superseded.
func (w *Writer) End(reason string) {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil {
		return
	}
	w.ended = ErrEnded
	s.writer = nil
	s.setState(State{Reason: reason, Since: time.Now()})
}
