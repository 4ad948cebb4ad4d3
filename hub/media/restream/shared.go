package restream

import (
	"context"
	"errors"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/restream/feed"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// shared is a feed with its users. Users and idle are under the server's lock.
type shared struct {
	*feed.Feed
	stop  context.CancelFunc
	users int
	idle  time.Time // since when nobody uses it
}

// feed gives the feed of src, opened if it is not there; the caller releases it.
func (s *Server) feed(ctx context.Context, src feed.Source) (*shared, error) {
	if f := s.take(src); f != nil {
		return f, nil
	}
	r, err := s.open(ctx, src)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.feeds[src]; f != nil && f.Usable() { // somebody was faster
		f.users++
		r.Close()
		return f, nil
	}
	if s.closing {
		r.Close()
		return nil, feed.ErrStopped
	}
	run, stop := context.WithCancel(s.ctx)
	f := &shared{Feed: feed.New(src, r, s.o.Now), stop: stop, users: 1}
	s.feeds[src] = f
	s.wg.Go(func() { f.Run(run) })
	return f, nil
}

func (s *Server) take(src feed.Source) *shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.feeds[src]
	if f == nil || !f.Usable() {
		return nil
	}
	f.users++
	return f
}

// retain counts one more user of a feed that has one.
func (s *Server) retain(f *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.users++
}

func (s *Server) release(f *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.users--
	f.idle = s.o.Now()
}

// open begins to read src.
func (s *Server) open(ctx context.Context, src feed.Source) (*media.Rendering, error) {
	o := media.ReadOptions{Start: av.Start{From: av.FromKeyFrame}}
	if s.o.Renditions != nil {
		return s.o.Renditions.Open(ctx, src.Camera, src.Stream, src.Want, o)
	}
	stream := s.o.Core.Stream(src.Camera, src.Stream)
	want, err := media.Fit(stream.Tracks(), src.Want)
	if err != nil && !errors.Is(err, media.ErrNoTracks) {
		return nil, err
	}
	o.Want = want
	return media.NewRendering(stream.Open(o), src.Want, media.Copy, nil), nil
}
