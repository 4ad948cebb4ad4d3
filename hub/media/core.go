package media

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Limits of the rings; a zero field takes the default.
type Limits struct {
	RingTime  time.Duration // what a reader can go back; 10 s
	RingBytes int64         // of one stream; 24 MiB
	Budget    int64         // of all streams together; 384 MiB
}

// MaxHold is the longest time that a ring keeps by request.
const MaxHold = 30 * time.Second

// Core has the streams of all cameras.
type Core struct {
	limits Limits
	used   atomic.Int64 // bytes in all rings
	shedMu sync.Mutex   // one at a time makes room

	mu      sync.Mutex
	streams map[[2]string]*Stream
	derived map[*Stream]struct{}
	images  map[string]*picture

	hearMu  sync.Mutex
	hearers []*hearer
}

// New makes a core without streams.
func New(l Limits) *Core {
	l.RingTime = cmp.Or(l.RingTime, 10*time.Second)
	l.RingBytes = cmp.Or(l.RingBytes, 24<<20)
	l.Budget = cmp.Or(l.Budget, 384<<20)
	return &Core{limits: l, streams: make(map[[2]string]*Stream), derived: make(map[*Stream]struct{}), images: make(map[string]*picture)}
}

// Stream returns the stream of that name, made on first use. It lives as long as the
// core, with or without a writer.
func (c *Core) Stream(camera, stream string) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := [2]string{camera, stream}
	s := c.streams[key]
	if s == nil {
		s = newStream(c, camera, stream)
		c.streams[key] = s
	}
	return s
}

// Lookup returns the stream if somebody has used it before.
func (c *Core) Lookup(camera, stream string) (*Stream, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.streams[[2]string{camera, stream}]
	return s, ok
}

// Streams returns all streams but those of removed cameras, in the order of their names.
func (c *Core) Streams() []*Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]*Stream, 0, len(c.streams))
	for _, s := range c.streams {
		if !s.gone.Load() {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *Stream) int {
		return cmp.Or(cmp.Compare(a.camera, b.camera), cmp.Compare(a.name, b.name))
	})
	return all
}

// Remove ends what is written for camera and empties its rings, for reason. Readers
// stay and wait, since a camera of that id may come again.
func (c *Core) Remove(camera, reason string) {
	c.mu.Lock()
	delete(c.images, camera)
	var of []*Stream
	for key, s := range c.streams {
		if key[0] == camera {
			of = append(of, s)
		}
	}
	for s := range c.derived {
		if s.camera == camera {
			of = append(of, s)
		}
	}
	c.mu.Unlock()
	for _, s := range of {
		s.Remove(reason)
	}
}

// Used is how many bytes all rings hold.
func (c *Core) Used() int64 { return c.used.Load() }

// shed holds the rings together to the budget: the biggest gives first, whether somebody
// still writes it or not. No stream is locked by the caller.
func (c *Core) shed() {
	if c.used.Load() <= c.limits.Budget {
		return
	}
	c.shedMu.Lock()
	defer c.shedMu.Unlock()
	streams := append(c.Streams(), c.conversions()...)
	for len(streams) > 0 && c.used.Load() > c.limits.Budget {
		big := slices.MaxFunc(streams, func(a, b *Stream) int { return cmp.Compare(a.size.Load(), b.size.Load()) })
		big.mu.Lock()
		ok := big.drop()
		big.mu.Unlock()
		if !ok {
			return
		}
	}
}

// Picture is a JPEG as it came from a camera. Its bytes are shared and do not change.
type Picture struct {
	JPEG     []byte
	Taken    time.Time
	Received time.Time
}

type picture struct {
	now     Picture
	changed chan struct{} // closed at the next picture
}

// PutImage keeps u, a unit of the image track, as the camera's newest picture.
func (c *Core) PutImage(camera string, u *av.Unit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.image(camera)
	p.now = Picture{JPEG: u.Data, Taken: u.Wall, Received: time.Now()}
	close(p.changed)
	p.changed = make(chan struct{})
}

// Image is the camera's newest picture, empty before the first, and a channel that is
// closed when there is a newer one.
func (c *Core) Image(camera string) (Picture, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.image(camera)
	return p.now, p.changed
}

func (c *Core) image(camera string) *picture {
	p := c.images[camera]
	if p == nil {
		p = &picture{changed: make(chan struct{})}
		c.images[camera] = p
	}
	return p
}
