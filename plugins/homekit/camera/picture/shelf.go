package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
)

const (
	// MaxAge of a picture of a camera that is there.
	MaxAge = 10 * time.Second
	// limit is how long a new picture is waited for.
	limit = 3 * time.Second
	// eventTime is how long after an event a picture asked for one means this event.
	eventTime = time.Minute
	// maxSizes that are kept; homes ask for two or three.
	maxSizes = 8
	// maxBytes of a picture that is kept.
	maxBytes = 4 << 20
	// maxWaiting for a picture at a time.
	maxWaiting = 64
)

// ErrNone: there is no picture, new or old.
var ErrNone = errors.New("there is no picture")

// Hub gives pictures.
type Hub interface {
	Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.Image, error)
}

// Options of a shelf.
type Options struct {
	Hub    Hub
	Camera string
	Log    *slog.Logger // nil: nothing is logged
	Now    func() time.Time
}

// Shelf has the newest pictures of one camera.
type Shelf struct {
	o      Options
	ctx    context.Context // ends with Close; what is fetched hangs on it, who waits comes and goes
	cancel context.CancelFunc
	work   sync.WaitGroup

	drawing sync.Mutex // taken before mu

	mu      sync.Mutex
	closed  bool
	most    size // that is asked: the camera's
	waiting int
	event   time.Time // of the last one
	// eventSize is what was asked last for an event, else what was asked first.
	eventSize size
	kept      map[size]*entry
}

// size as asked, in pixels.
type size struct{ w, h int }

// entry is what is kept of one size.
type entry struct {
	jpeg   []byte
	taken  time.Time
	used   time.Time // when it was asked for last
	dated  dated     // the same with its age
	flight *flight   // nil: nothing is fetched
}

// good says whether there is a picture that was not taken before since.
func (e *entry) good(since time.Time) bool { return e.jpeg != nil && !e.taken.Before(since) }

// take keeps what the hub gave, unless what is kept is newer. A clock that was set back does
// not make a picture stay for ever, and one that is ahead makes none younger than now.
func (e *entry) take(img sdk.Image, now time.Time) {
	if img.Taken.After(now) {
		img.Taken = now
	}
	if e.jpeg == nil || !img.Taken.Before(e.taken) || e.taken.After(now) {
		e.jpeg, e.taken, e.dated = img.JPEG, img.Taken, dated{}
	}
}

// dated is a picture into which text was drawn.
type dated struct {
	text string
	jpeg []byte
}

// flight is one picture being fetched.
type flight struct {
	began time.Time
	done  chan struct{} // closed when it is over
}

// New shelf, empty.
func New(o Options) *Shelf {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Shelf{o: o, most: size{1920, 1080}, kept: make(map[size]*entry)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Close ends what is being fetched.
func (s *Shelf) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.work.Wait()
}

// Resize says how big the camera's pictures are, which is the biggest that is asked for; until
// then it is 1920x1080.
func (s *Shelf) Resize(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if width >= 64 && height >= 48 {
		s.most = size{width, height}
	}
}

// Happened says that something happened now of which people may want a picture: one that is
// asked for an event is taken after it.
func (s *Shelf) Happened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event = s.o.Now()
}

// Event is Happened of what people will surely want a picture of: it is fetched at once, in
// the size that was asked for the last one. Other sizes the hub makes of that.
func (s *Shelf) Event() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event = s.o.Now()
	z := s.eventSize
	if z == (size{}) {
		z = s.clamp(1280, 720)
	}
	s.fetch(z, s.entry(z), s.event, true)
}

// Get is a picture no bigger than asked or than the camera's. One for an event was taken
// after the last one; any other is at most MaxAge old, if there is a way to one. Else it is
// the last one, with its age drawn in.
func (s *Shelf) Get(ctx context.Context, width, height int, event bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	z, now := s.clamp(width, height), s.o.Now()
	since := now.Add(-MaxAge)
	if event || s.eventSize == (size{}) {
		s.eventSize = z
	}
	event = event && now.Sub(s.event) < eventTime
	if event {
		since = s.event
	}
	if s.waiting >= maxWaiting {
		return s.old(z, since)
	}
	s.waiting++
	defer func() { s.waiting-- }()
	for !s.closed && ctx.Err() == nil {
		e := s.entry(z)
		if e.good(since) && !e.taken.After(s.o.Now()) {
			return e.jpeg, nil
		}
		f := s.fetch(z, e, since, event)
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if !f.began.Before(since) {
			break // it was as good as any other would be
		}
	}
	return s.old(z, since)
}

// entry of a size, made where there is none. One that has no picture makes room, else the
// one that was not asked for longest.
func (s *Shelf) entry(z size) *entry {
	e := s.kept[z]
	if e == nil {
		for len(s.kept) >= maxSizes {
			delete(s.kept, slices.MinFunc(slices.Collect(maps.Keys(s.kept)), s.lessWanted))
		}
		e = &entry{}
		s.kept[z] = e
	}
	e.used = s.o.Now()
	return e
}

func (s *Shelf) lessWanted(a, b size) int {
	x, y := s.kept[a], s.kept[b]
	switch {
	case x.jpeg == nil && y.jpeg != nil:
		return -1
	case x.jpeg != nil && y.jpeg == nil:
		return 1
	}
	return x.used.Compare(y.used)
}

// fetch begins to get a picture taken after since, unless one is being fetched.
func (s *Shelf) fetch(z size, e *entry, since time.Time, event bool) *flight {
	if e.flight != nil {
		return e.flight
	}
	f := &flight{began: s.o.Now(), done: make(chan struct{})}
	if s.closed {
		close(f.done)
		return f
	}
	e.flight = f
	r := sdk.SnapshotRequest{Camera: s.o.Camera, Width: z.w, Height: z.h,
		MaxAge: max(f.began.Sub(since), time.Millisecond), Reason: reason(event)}
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.ctx, limit)
		defer cancel()
		img, err := s.o.Hub.Snapshot(ctx, r)
		if err == nil {
			err = check(img)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if err == nil {
			e.take(img, s.o.Now())
		} else {
			s.o.Log.Debug("no picture for Home", "width", z.w, "height", z.h, "err", err)
		}
		e.flight = nil
		close(f.done)
	})
	return f
}

func reason(event bool) string {
	if event {
		return "event"
	}
	return "periodic"
}

// check looks at what the hub gave.
func check(img sdk.Image) error {
	if len(img.JPEG) < 4 || img.JPEG[0] != 0xff || img.JPEG[1] != 0xd8 {
		return errors.New("not a JPEG")
	}
	if len(img.JPEG) > maxBytes {
		return fmt.Errorf("%d bytes, at most %d", len(img.JPEG), maxBytes)
	}
	return nil
}

// old is the last picture of that size, else the newest of any; where it is neither of the
// time that was asked nor younger than MaxAge, with its age drawn in. s is locked.
func (s *Shelf) old(z size, since time.Time) ([]byte, error) {
	e := s.kept[z]
	if e == nil || e.jpeg == nil {
		for _, o := range s.kept {
			if o.jpeg != nil && (e == nil || e.jpeg == nil || o.taken.After(e.taken)) {
				e = o
			}
		}
	}
	if e == nil || e.jpeg == nil {
		return nil, ErrNone
	}
	if e.good(since) || s.o.Now().Sub(e.taken) <= MaxAge {
		return e.jpeg, nil // of before the event, maybe, but not old
	}
	text := "Last picture, " + ago(s.o.Now().Sub(e.taken))
	if e.dated.text == text {
		return e.dated.jpeg, nil
	}
	jpeg := e.jpeg
	s.mu.Unlock()
	s.drawing.Lock() // one at a time: a picture taken apart is some 30 MB
	s.mu.Lock()
	if e.dated.text == text { // another did it meanwhile
		s.drawing.Unlock()
		return e.dated.jpeg, nil
	}
	s.mu.Unlock()
	drawn := withText(jpeg, text)
	s.drawing.Unlock()
	s.mu.Lock()
	if bytes.Equal(e.jpeg, jpeg) {
		e.dated = dated{text, drawn}
	}
	return drawn, nil
}

// clamp is the size that is asked of the hub: within the camera's, of which something can be seen.
func (s *Shelf) clamp(w, h int) size {
	if w < 1 || h < 1 {
		return s.most
	}
	return size{min(max(w, 64), s.most.w), min(max(h, 48), s.most.h)}
}
