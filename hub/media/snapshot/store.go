package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// DefaultMaxAge is used where a request has none.
	DefaultMaxAge = time.Second
	// MaxSide of a picture asked for, in pixels.
	MaxSide = 4096
	// maxPixels of a picture kept: 8K and a little.
	maxPixels = 40 << 20
	// sourceTime is what the plugin gets for one picture.
	sourceTime = 5 * time.Second
	// sourceRest: a plugin is not asked more often, however many want pictures.
	sourceRest = 200 * time.Millisecond
)

// ErrNone: the camera's plugin makes no pictures.
var ErrNone = errors.New("the plugin makes no snapshots")

// Want bounds a picture.
type Want struct {
	// Width and Height: it is made smaller to fit them; 0 does not bound.
	Width, Height int
	// MaxAge: an older one is asked for anew; 0: 1 s. What cannot be had newer is still answered.
	MaxAge time.Duration
}

// Image is a JPEG that was looked at.
type Image struct {
	media.Picture
	Width, Height int
}

// Age by the hub's clock.
func (i Image) Age() time.Duration { return max(0, time.Since(i.Received)) }

// Source asks the camera's plugin for a picture of about that size (0: as it likes); an
// error that is ErrNone says that it never has one.
type Source func(ctx context.Context, camera string, width, height int) (media.Picture, error)

// NoPicture says that there is no way to a picture.
type NoPicture struct {
	Camera string
	Cause  error // of the last way tried
}

func (e *NoPicture) Error() string {
	return fmt.Sprintf("camera %s: snapshot: no JPEG from camera or plugin, and no decoder to make one: %v", e.Camera, e.Cause)
}
func (e *NoPicture) Unwrap() error { return e.Cause }

// Code and Hint are for people.
func (e *NoPicture) Code() string { return "E-SNAP-NO-DECODER" }
func (e *NoPicture) Hint() string {
	return "give the camera a snapshot URL, or wait until its plugin sends a picture"
}

// BadRequest is a size that no picture can have.
type BadRequest struct{ What string }

func (e *BadRequest) Error() string { return "snapshot: " + e.What }

// Store has the newest picture of each camera.
type Store struct {
	core   *media.Core
	source Source // nil: no plugin is asked
	log    *slog.Logger
	flight singleflight.Group
	work   *semaphore.Weighted // of pixels being made smaller

	mu      sync.Mutex
	cameras map[string]*camera
}

// camera is what is known of one.
type camera struct {
	image   Image
	seen    time.Time // Received of the newest pushed picture that was looked at
	smaller map[[2]int]Image
	asked   time.Time // when the plugin was asked last
	askErr  error     // what it said then
}

// New makes an empty store.
func New(core *media.Core, source Source, log *slog.Logger) *Store {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Store{core: core, source: source, log: log.With("part", "snapshot"), work: semaphore.NewWeighted(maxDecoded),
		cameras: make(map[string]*camera)}
}

// Put keeps p as camera's newest picture, if it is a JPEG.
func (s *Store) Put(name string, p media.Picture) (Image, error) {
	img, err := Check(p)
	if err != nil {
		return Image{}, fmt.Errorf("camera %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.camera(name)
	if img.Received.Before(c.image.Received) {
		return img, nil // a newer one came meanwhile
	}
	c.image, c.smaller = img, nil
	return img, nil
}

// Check looks at a picture.
func Check(p media.Picture) (Image, error) {
	if len(p.JPEG) > av.MaxUnit {
		return Image{}, fmt.Errorf("snapshot: %d bytes, at most %d", len(p.JPEG), av.MaxUnit)
	}
	cfg, err := jpeg.DecodeConfig(bytes.NewReader(p.JPEG))
	if err != nil {
		return Image{}, fmt.Errorf("snapshot: not a JPEG: %w", err)
	}
	if cfg.Width < 1 || cfg.Height < 1 || int64(cfg.Width)*int64(cfg.Height) > maxPixels {
		return Image{}, fmt.Errorf("snapshot: %dx%d pixels", cfg.Width, cfg.Height)
	}
	if p.Taken.IsZero() {
		p.Taken = p.Received
	}
	return Image{Picture: p, Width: cfg.Width, Height: cfg.Height}, nil
}

// Latest is the newest picture that is there, without asking anybody.
func (s *Store) Latest(name string) (Image, bool) {
	s.lookAtPushed(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.camera(name)
	return c.image, c.image.JPEG != nil
}

// Get returns a picture that is at most MaxAge old if there is a way to one, else the last one there was.
func (s *Store) Get(ctx context.Context, name string, r Want) (Image, error) {
	if r.Width < 0 || r.Height < 0 || r.Width > MaxSide || r.Height > MaxSide {
		return Image{}, &BadRequest{fmt.Sprintf("size %dx%d, at most %dx%d", r.Width, r.Height, MaxSide, MaxSide)}
	}
	if r.MaxAge <= 0 {
		r.MaxAge = DefaultMaxAge
	}
	img, ok := s.Latest(name)
	if ok && img.Age() <= r.MaxAge {
		return s.fit(ctx, name, img, r)
	}
	err := s.refresh(ctx, name, r)
	if ctx.Err() != nil {
		return Image{}, fmt.Errorf("camera %s: snapshot: %w", name, ctx.Err())
	}
	img, ok = s.Latest(name)
	if !ok {
		return Image{}, &NoPicture{Camera: name, Cause: err}
	}
	return s.fit(ctx, name, img, r)
}

// refresh gets a new picture, once for all who ask for one at the same time.
func (s *Store) refresh(ctx context.Context, name string, r Want) error {
	done := s.flight.DoChan(name, func() (any, error) {
		// Others may wait for it who are still there when this caller has gone.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sourceTime)
		defer cancel()
		return nil, s.fetch(ctx, name, r)
	})
	select {
	case res := <-done:
		return res.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) fetch(ctx context.Context, name string, r Want) error {
	err := s.ask(ctx, name, r)
	if err == nil {
		return nil
	}
	if p, ok := s.fromStream(name); ok {
		_, perr := s.Put(name, p)
		return perr
	}
	return err
}

// ask asks the plugin, not too often.
func (s *Store) ask(ctx context.Context, name string, r Want) error {
	if s.source == nil {
		return ErrNone
	}
	s.mu.Lock()
	c := s.camera(name)
	if time.Since(c.asked) < sourceRest {
		err := c.askErr
		s.mu.Unlock()
		return err
	}
	s.mu.Unlock()
	p, err := s.source(ctx, name, r.Width, r.Height)
	if err == nil {
		if p.Received.IsZero() {
			p.Received = time.Now()
		}
		_, err = s.Put(name, p)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.asked, c.askErr = time.Now(), err
	return err
}

// fromStream takes a picture of a stream that consists of JPEGs.
func (s *Store) fromStream(name string) (media.Picture, bool) {
	for _, stream := range []string{"main", "sub"} {
		st, ok := s.core.Lookup(name, stream)
		if !ok {
			continue
		}
		if u, t, at, ok := st.NewestKey(); ok && t.Codec == av.MJPEG {
			return media.Picture{JPEG: u.Data, Taken: u.Wall, Received: at}, true
		}
	}
	return media.Picture{}, false
}

// lookAtPushed takes over a picture that the camera has pushed since the last look.
func (s *Store) lookAtPushed(name string) {
	p, _ := s.core.Image(name)
	if p.JPEG == nil {
		return
	}
	s.mu.Lock()
	c := s.camera(name)
	seen := c.seen.Equal(p.Received)
	c.seen = p.Received
	s.mu.Unlock()
	if seen {
		return
	}
	if _, err := s.Put(name, p); err != nil {
		s.log.Warn("snapshot: pushed picture", "camera", name, "err", err)
	}
}

func (s *Store) camera(name string) *camera {
	c := s.cameras[name]
	if c == nil {
		c = &camera{}
		s.cameras[name] = c
	}
	return c
}
