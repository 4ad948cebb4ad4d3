package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// pluginTime is what the plugin gets for one picture.
	pluginTime = 5 * time.Second
	// pluginRest: a plugin is not asked more often, however many want pictures.
	pluginRest = 200 * time.Millisecond
	// awaitTime is what a stream that nobody pulls gets for its first key frame: a dial, a
	// login, and a GOP of 2 s.
	awaitTime = 5 * time.Second
	// awaitOld is what it gets where there is a last picture to show meanwhile.
	awaitOld = 2 * time.Second
	// awaitRest: one that sent nothing in that time is not waited for again so soon.
	awaitRest = 30 * time.Second
)

// fetch tries one way after another; of a picture that was there before nothing is new.
func (s *Store) fetch(ctx context.Context, name string, r Want) error {
	var w ways
	if w.url = s.fromURL(ctx, name); w.url == nil {
		return nil
	}
	if w.plugin = s.ask(ctx, name, r); w.plugin == nil {
		return nil
	}
	if r.Now && s.ofNow(ctx, name) == nil {
		return nil
	}
	if w.stream = s.fromStream(ctx, name); w.stream == nil {
		return nil
	}
	s.log.Debug("snapshot: no new picture", "camera", name, "err", &w)
	return &w
}

// fromURL gets the picture of the camera's snapshot URL.
func (s *Store) fromURL(ctx context.Context, name string) error {
	if s.o.URL == nil {
		return errNoURL
	}
	u, ok := s.o.URL(name)
	if !ok {
		return errNoURL
	}
	s.mu.Lock()
	c := s.camera(name)
	if c.link == nil || c.link.url != u {
		if c.link != nil {
			c.link.close()
		}
		c.link = newLink(u)
	}
	l := c.link
	s.mu.Unlock()
	p, err := l.get(ctx)
	if err != nil || p.JPEG == nil {
		return err
	}
	if _, err := s.put(name, p, FromURL); err != nil {
		return l.noPicture(err)
	}
	return nil
}

// ask asks the plugin, not too often.
func (s *Store) ask(ctx context.Context, name string, r Want) error {
	if s.o.Plugin == nil {
		return ErrNone
	}
	s.mu.Lock()
	c := s.camera(name)
	if time.Since(c.asked) < pluginRest {
		err := c.askErr
		s.mu.Unlock()
		return err
	}
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, pluginTime)
	defer cancel()
	p, err := s.o.Plugin(ctx, name, r.Width, r.Height)
	if err == nil {
		if p.Received.IsZero() {
			p.Received = time.Now()
		}
		_, err = s.put(name, p, FromPlugin)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.asked, c.askErr = time.Now(), err
	return err
}

// fromStream takes the newest key frame of a stream that is live, or of one that has to be
// woken, the best first.
func (s *Store) fromStream(ctx context.Context, name string) error {
	st := s.live(name, "main")
	if st == nil {
		var err error
		if st, err = s.wake(ctx, name); err != nil {
			return err
		}
	}
	u, t, at, ok := st.NewestKey()
	if !ok {
		return errNoStream
	}
	s.mu.Lock()
	c := s.camera(name)
	same, err := c.key == u, c.keyErr
	s.mu.Unlock()
	if same {
		return err // nothing newer than what was made of it
	}
	p := media.Picture{JPEG: u.Data, Taken: u.Wall, Received: at}
	way := FromFrame
	if t.Codec != av.MJPEG {
		way = FromKey
		p.JPEG, err = s.still(ctx, name, st.Name(), u, t, 0, 0)
	}
	if err == nil {
		_, err = s.put(name, p, way)
	}
	if err == nil || !passes(err) {
		s.mu.Lock()
		c.key, c.keyErr = u, err
		s.mu.Unlock()
	}
	return err
}

// passes tells of an error that says nothing of the picture, so that it may be tried again.
func passes(err error) bool {
	var c coded
	var r *resting
	return errors.Is(err, errNoDecoder) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.As(err, &r) || errors.As(err, &c) && !badKey(err)
}

// live is the stream of that name, else the other one, if it is live; nil: none is.
func (s *Store) live(name, first string) *media.Stream {
	second := "sub"
	if first == second {
		second = "main"
	}
	for _, n := range []string{first, second} {
		if st, ok := s.o.Core.Lookup(name, n); ok && st.Live() {
			if _, _, _, ok := st.NewestKey(); ok {
				return st
			}
		}
	}
	return nil
}

// wake waits for the first key frame of a stream that is pulled only when it is wanted.
func (s *Store) wake(ctx context.Context, name string) (*media.Stream, error) {
	st, ok := s.o.Core.Lookup(name, "main")
	if !ok {
		if st, ok = s.o.Core.Lookup(name, "sub"); !ok {
			return nil, errNoStream
		}
	}
	if err := s.decodable(st.Tracks()); err != nil {
		return nil, err
	}
	if s.o.Trouble != nil {
		if err := s.o.Trouble(name); err != nil {
			return nil, fmt.Errorf("%w: %w", errNoStream, err)
		}
	}
	if s.o.Sleeps != nil && s.o.Sleeps(name) {
		return nil, errSleeps
	}
	s.mu.Lock()
	c := s.camera(name)
	since, err := time.Since(c.awaited), c.awaitErr
	patient := awaitTime
	if c.image.JPEG != nil {
		patient = awaitOld
	}
	s.mu.Unlock()
	if err != nil && since < awaitRest {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	_, _, _, err = st.Key(ctx, 0)
	if err != nil {
		err = fmt.Errorf("%w: %w", errNoStream, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.awaited, c.awaitErr = time.Now(), err
	return st, err
}

// decodable is nil where it is worth to wait for a picture of such a stream.
func (s *Store) decodable(tracks []av.Track) error {
	for _, t := range tracks {
		if t.Kind != av.Video || t.Codec == av.MJPEG {
			continue
		}
		if s.o.Stills == nil {
			return errNoDecoder
		}
		return s.o.Stills.Available()
	}
	return nil
}
