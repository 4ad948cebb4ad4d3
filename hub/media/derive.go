package media

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Derive makes a stream that another form of s is written to. It is not listed and is held
// to the same limits; whoever made it discards it. Of the newest lag of s nothing may ever
// come out, where fewer pictures are made of it.
func (s *Stream) Derive(lag time.Duration) *Stream {
	d := newStream(s.core, s.camera, s.name)
	d.source, d.lag = s, lag
	c := s.core
	c.mu.Lock()
	defer c.mu.Unlock()
	c.derived[d] = struct{}{}
	return d
}

// Source is the stream that this is another form of; itself, if it is none.
func (s *Stream) Source() *Stream {
	if s.source == nil {
		return s
	}
	return s.source
}

// conversions are the derived streams.
func (c *Core) conversions() []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.derived))
}

// Discard ends a derived stream: its readers get err behind what they can still read.
func (s *Stream) Discard(err error) {
	s.Fail(err)
	s.core.mu.Lock()
	delete(s.core.derived, s)
	s.core.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer != nil {
		s.writer.ended, s.writer = ErrEnded, nil
	}
	s.forget()
}

// Fail says that nothing more comes, and why; the first reason counts.
func (s *Stream) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
	s.broadcast()
}

// Reaches is how far back a reader can begin now.
func (s *Stream) Reaches() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ring.entries) == 0 {
		return 0
	}
	return time.Since(s.ring.at(s.ring.entries[0]).recv)
}

// head is when the newest unit came.
func (s *Stream) head() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring.n == 0 {
		return time.Time{}
	}
	return s.ring.at(s.ring.end() - 1).recv
}

// SetTracks changes all tracks at once, if they differ from those there are.
func (w *Writer) SetTracks(tracks []av.Track) error {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if w.ended != nil {
		return w.ended
	}
	if slices.EqualFunc(s.set.tracks, tracks, sameTrack) {
		return nil
	}
	set, err := newSet(tracks)
	if err != nil {
		return fmt.Errorf("media %s/%s: %w", s.camera, s.name, err)
	}
	s.announce(set)
	w.keyed = false
	return nil
}

// Relay puts a unit of another form of the stream, with its time as it is: that of the
// source, whose repairs are made. recv is when the source's came. A unit that shares its
// Data with the source's costs no more than its slot.
func (w *Writer) Relay(u *av.Unit, recv time.Time, shared bool) error {
	if len(u.Data) > av.MaxUnit {
		return fmt.Errorf("media %s/%s: %w", w.s.camera, w.s.name, av.ErrTooBig)
	}
	if err := w.relay(u, recv, shared); err != nil {
		return err
	}
	w.s.core.shed()
	return nil
}

func (w *Writer) relay(u *av.Unit, recv time.Time, shared bool) error {
	s := w.s
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := w.track(u)
	if err != nil {
		return err
	}
	if n := s.ring.n; n > 0 { // what was made of a unit comes later than its neighbours
		if last := s.ring.at(s.ring.end() - 1).recv; recv.Before(last) {
			recv = last
		}
	}
	entry := w.isEntry(t, u, recv)
	if !entry && !w.keyed {
		s.early++
		return nil
	}
	mine := *u
	mine.Generation = s.set.epoch
	w.enter(slot{unit: &mine, recv: recv, set: s.set, video: t.Kind == av.Video, shared: shared}, entry)
	s.trim(time.Now())
	s.follow()
	s.broadcast()
	return nil
}

// follow drops what the source has dropped: data that both hold is paid for by the source
// alone, as long as that has it.
func (s *Stream) follow() {
	oldest, cut := s.source.tail()
	for s.ring.n > 1 && s.ring.at(s.ring.first).recv.Before(oldest) {
		next, ok := s.ring.second()
		if ok && s.ring.at(next).recv.After(oldest) || !ok && !cut || !s.drop() {
			return
		}
	}
}

// tail is when the oldest unit came, and whether the newest GOP did not fit.
func (s *Stream) tail() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ring.n == 0 {
		return time.Time{}, s.cut
	}
	return s.ring.at(s.ring.first).recv, s.cut
}
