package snapshot

import (
	"bytes"
	"context"
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
	// flightTime is what all ways together get for one picture.
	flightTime = 8 * time.Second
)

// Want bounds a picture.
type Want struct {
	// Width and Height: it is made smaller to fit them; 0 does not bound.
	Width, Height int
	// MaxAge: an older one is asked for anew; 0: 1 s. What cannot be had newer is still answered.
	MaxAge time.Duration
	// Now: it is to be of this moment, whatever it costs. Where a stream's key frame would
	// be from before, what follows it is decoded too.
	Now bool
}

// Way that a picture came.
type Way string

// Ways.
const (
	FromURL    Way = "url"    // the camera's snapshot URL
	FromPlugin Way = "plugin" // asked of it
	Pushed     Way = "pushed" // by the camera's plugin, unasked
	FromFrame  Way = "frame"  // of a stream of JPEGs
	FromKey    Way = "key"    // a key frame, made into a JPEG
	FromNewest Way = "newest" // the newest picture of a stream, made into one
	FromDisk   Way = "disk"   // from before the hub's start; it never counts as new
)

// Image is a JPEG that was looked at.
type Image struct {
	media.Picture
	Width, Height int
	Way           Way
}

// Age by the hub's clock.
func (i Image) Age() time.Duration { return max(0, time.Since(i.Received)) }

func (i Image) fresh(maxAge time.Duration) bool {
	return i.JPEG != nil && i.Way != FromDisk && i.Age() <= maxAge
}

// Source asks the camera's plugin for a picture of about that size (0: as it likes); an
// error that is ErrNone says that it never has one.
type Source func(ctx context.Context, camera string, width, height int) (media.Picture, error)

// Stills makes a JPEG of a key frame, no bigger than width and height, of which 0 does
// not bind. Available says why it never can.
type Stills interface {
	Still(ctx context.Context, u *av.Unit, t av.Track, width, height int) ([]byte, error)
	// Newest is that of the last of units, which go on from a key frame.
	Newest(ctx context.Context, units []*av.Unit, t av.Track, width, height int) ([]byte, error)
	Available() error
}

// Options of a store; all but Core may be left out.
type Options struct {
	Core *media.Core
	// URL is the snapshot URL of a camera, if it has one. It is asked each time, so that a
	// changed one is taken at once.
	URL    func(camera string) (URL, bool)
	Plugin Source
	Stills Stills
	// Sleeps: this camera is not to be woken for a picture, only its last one is shown
	// (battery).
	Sleeps func(camera string) bool
	// Trouble says why no stream of the camera can come at present, if that is known. It is
	// then not waited for, and where there is no picture at all its code and hint are told.
	Trouble func(camera string) error
	// Dir keeps the last picture of each camera over a restart.
	Dir string
	Log *slog.Logger
}

// Store has the newest picture of each camera.
type Store struct {
	o      Options
	log    *slog.Logger
	disk   *disk // nil: nothing is kept
	flight singleflight.Group
	films  singleflight.Group
	work   *semaphore.Weighted // of pixels being made smaller

	mu      sync.Mutex
	cameras map[string]*camera
	closed  bool
	ends    map[*flight]context.CancelFunc
	flown   sync.WaitGroup
}

// flight is one way to a picture that is being gone, whoever waits for it.
type flight struct{ _ byte }

// fly gives what is done in the background its time. Others may wait for it who are still
// there when the caller of ctx has gone, but the store's end ends it.
func (s *Store) fly(ctx context.Context) (_ context.Context, landed func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTime)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		cancel()
		return ctx, func() {}
	}
	f := &flight{}
	s.ends[f] = cancel
	s.flown.Add(1)
	return ctx, func() {
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.ends, f)
		s.flown.Done()
	}
}

// camera is what is known of one.
type camera struct {
	image   Image
	seen    time.Time // Received of the newest pushed picture that was looked at
	key     *av.Unit  // that was made into a picture, or could not be
	keyErr  error
	smaller map[[2]int]Image
	films   map[filmKey]film
	rests   map[string]*rest // of streams whose last key frame was bad
	warm    warmth
	loaded  bool      // it was looked for on the disk
	saved   time.Time // Received of the picture on the disk

	link     *link     // to its snapshot URL
	asked    time.Time // when the plugin was asked last
	askErr   error     // what it said then
	awaited  time.Time // when a stream was waited for in vain
	awaitErr error
}

// New makes a store.
func New(o Options) *Store {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{o: o, log: o.Log.With("part", "snapshot"), work: semaphore.NewWeighted(maxDecoded),
		cameras: make(map[string]*camera), ends: make(map[*flight]context.CancelFunc)}
	if o.Dir != "" {
		var err error
		if s.disk, err = openDisk(o.Dir); err != nil {
			s.log.Warn("last pictures are not kept over a restart", "err", err)
		}
	}
	return s
}

// Put keeps p as camera's newest picture, if it is a JPEG.
func (s *Store) Put(name string, p media.Picture) (Image, error) { return s.put(name, p, Pushed) }

func (s *Store) put(name string, p media.Picture, way Way) (Image, error) {
	img, err := Check(p)
	if err != nil {
		return Image{}, fmt.Errorf("camera %s: %w", name, err)
	}
	img.Way = way
	s.mu.Lock()
	c := s.camera(name)
	if c.image.Way != FromDisk && img.Received.Before(c.image.Received) {
		s.mu.Unlock()
		return img, nil // a newer one came meanwhile
	}
	c.image, c.smaller = img, nil
	save := s.disk != nil && !s.closed && img.Received.Sub(c.saved) >= saveEvery
	if save {
		c.saved = img.Received
	}
	s.mu.Unlock()
	if save {
		s.save(name, img)
	}
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
	c := s.camera(name)
	load := !c.loaded && s.disk != nil && !s.closed
	c.loaded = true
	if c.image.JPEG != nil || !load {
		defer s.mu.Unlock()
		return c.image, c.image.JPEG != nil
	}
	s.mu.Unlock()
	img, ok := s.load(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok && c.image.JPEG == nil {
		c.image = img
	}
	return c.image, c.image.JPEG != nil
}

// Get returns a picture that is at most MaxAge old if there is a way to one, else the last
// one there was. Without any its error is a *NoPicture.
func (s *Store) Get(ctx context.Context, name string, r Want) (Image, error) {
	if r.Width < 0 || r.Height < 0 || r.Width > MaxSide || r.Height > MaxSide {
		return Image{}, &BadRequest{fmt.Sprintf("size %dx%d, at most %dx%d", r.Width, r.Height, MaxSide, MaxSide)}
	}
	if r.MaxAge <= 0 {
		r.MaxAge = DefaultMaxAge
	}
	if img, ok := s.Latest(name); ok && !r.Now && img.fresh(r.MaxAge) {
		s.keepWarm(name, r)
		return s.fit(ctx, name, img, r)
	}
	err := s.refresh(ctx, name, r)
	if ctx.Err() != nil {
		return Image{}, fmt.Errorf("camera %s: snapshot: %w", name, ctx.Err())
	}
	img, ok := s.Latest(name)
	if !ok {
		return Image{}, &NoPicture{Camera: name, Cause: err}
	}
	s.keepWarm(name, r)
	return s.fit(ctx, name, img, r)
}

// refresh gets a new picture, once for all who ask for one at the same time.
func (s *Store) refresh(ctx context.Context, name string, r Want) error {
	of := name
	if r.Now {
		of += "/now" // what others wait for may be older
	}
	done := s.flight.DoChan(of, func() (any, error) {
		ctx, landed := s.fly(ctx)
		defer landed()
		return nil, s.fetch(ctx, name, r)
	})
	select {
	case res := <-done:
		return res.Err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lookAtPushed takes over a picture that the camera has pushed since the last look.
func (s *Store) lookAtPushed(name string) {
	p, _ := s.o.Core.Image(name)
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
	if _, err := s.put(name, p, Pushed); err != nil {
		s.log.Warn("snapshot: pushed picture", "camera", name, "err", err)
	}
}

// Forget lets go of all that is known of a camera that was removed, on the disk too.
func (s *Store) Forget(name string) {
	s.mu.Lock()
	c := s.cameras[name]
	delete(s.cameras, name)
	s.mu.Unlock()
	if c != nil && c.link != nil {
		c.link.close()
	}
	if s.disk != nil {
		s.disk.remove(name)
	}
}

// Close ends what is being asked for and writes the last pictures to the disk.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	for _, end := range s.ends {
		end()
	}
	s.mu.Unlock()
	s.flown.Wait()
	s.mu.Lock()
	todo := make(map[string]Image)
	for name, c := range s.cameras {
		if s.disk != nil && c.image.JPEG != nil && c.image.Way != FromDisk && c.image.Received.After(c.saved) {
			c.saved = c.image.Received
			todo[name] = c.image
		}
		if c.link != nil {
			c.link.close()
		}
	}
	s.mu.Unlock()
	for name, img := range todo {
		s.save(name, img)
	}
	if s.disk != nil {
		s.disk.close()
	}
}

// camera is made on first use; s is locked.
func (s *Store) camera(name string) *camera {
	c := s.cameras[name]
	if c == nil {
		c = &camera{}
		s.cameras[name] = c
	}
	return c
}
