package pull

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// interval remembers how far the key frames of a stream are apart, over its connections.
type interval struct {
	last   [8]time.Duration
	n      int
	misses int // connections in a row that were cut for want of a key frame
}

func (i *interval) add(d time.Duration) {
	i.last[i.n%len(i.last)] = d
	i.n++
	i.misses = 0
}

// limit is how long a key frame is awaited. Smart codecs stretch the interval as they
// please, so the longest of the last ones counts, and each miss allows twice as much.
func (i *interval) limit() time.Duration {
	limit := keyUnknown
	if gop := slices.Max(i.last[:]); gop > 0 {
		limit = max(keyLeast, 3*gop)
	}
	return min(limit<<min(i.misses, 8), max(limit, keyMost))
}

// connection is the sink of one pull, and watches what comes.
type connection struct {
	s       *source
	target  rtsp.Target
	version uint64
	note    chan struct{} // one: it was let in, or the first picture has come

	mu      sync.Mutex
	closed  bool
	w       *media.Writer
	dialled time.Time // zero: it waits for a place
	leave   func()    // gives the place back
	begun   time.Time // zero: not let in yet
	first   time.Time // unit
	last    time.Time
	key     time.Time
	video   map[uint8]av.Codec
	stolen  bool         // another has taken the stream
	worked  *rtsp.Memory // to be kept; nil: nothing
}

// newConnection with the source's target; the puller is locked.
func newConnection(s *source) *connection {
	return &connection{s: s, target: s.target, version: s.version, note: make(chan struct{}, 1)}
}

// connect pulls until that ends, and says why; the guard may end it.
func (s *source) connect(ctx context.Context, c *connection) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result := make(chan error, 1) // the one
	go func() { result <- s.dial(ctx, c) }()
	for {
		s.p.mu.Lock()
		again, why := s.guard(c, s.p.o.Now())
		s.p.mu.Unlock()
		s.report()
		c.keep()
		if why != nil {
			cancel(why)
			s.cut(<-result)
			return context.Cause(ctx)
		}
		t := time.NewTimer(max(0, again.Sub(s.p.o.Now())))
		select {
		case err := <-result:
			t.Stop()
			return s.reason(c, err)
		case <-s.wake:
		case <-c.note:
		case <-t.C:
		}
		t.Stop()
	}
}

// cut looks at how a connection ended that the guard has ended: a password that was
// refused all the same must not be tried again.
func (s *source) cut(err error) {
	if kindOf(err) != rtsp.Login {
		return
	}
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	s.p.refused(s, err)
}

// reason of an end that the guard did not ask for.
func (s *source) reason(c *connection, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stolen:
		return media.ErrSuperseded
	case err == nil:
		return ended()
	}
	return err
}

// dial waits for its place and pulls.
func (s *source) dial(ctx context.Context, c *connection) (err error) {
	defer func() {
		if v := recover(); v != nil {
			var place string
			place, err = panicked(v)
			s.p.log.Error("pull: panic", "camera", s.camera.id, "stream", s.name, "panic", place)
		}
	}()
	s.p.mu.Lock()
	r := rank{doorbell: s.camera.doorbell, failures: s.failures}
	talk, first := s.talk, s.sessions == 0
	s.p.mu.Unlock()
	leave, err := s.p.gate.enter(ctx, r)
	if err != nil {
		return err
	}
	defer leave()
	defer time.AfterFunc(dialPlace, leave).Stop()
	c.mu.Lock()
	c.dialled, c.leave = s.p.o.Now(), leave
	c.mu.Unlock()
	c.tell()
	memory := s.p.load(s.camera.id, memoryOf(s.name, c.target))
	if first { // once a run of the hub: two-way audio may have been switched on since
		memory.NoTalk = false
	}
	return s.p.o.Pull(ctx, c.target, c, rtsp.Options{
		Log:      s.p.log.With("camera", s.camera.id, "stream", s.name),
		Memory:   memory,
		Talk:     talk,
		Remember: c.remember,
		Now:      s.p.o.Now,
		Progress: s.progress,
	})
}

// remember takes what worked. It is kept by the source's goroutine, since units wait for
// this one, and a store takes its time.
func (c *connection) remember(m rtsp.Memory) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worked = &m
	c.tell()
}

// keep what is to be remembered.
func (c *connection) keep() {
	c.mu.Lock()
	m := c.worked
	c.worked = nil
	c.mu.Unlock()
	if m != nil {
		c.s.p.save(c.s.camera.id, memoryOf(c.s.name, c.target), *m)
	}
}

func (s *source) progress(r rtsp.Progress) {
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	st := &s.status
	st.Transport, st.Server, st.Auth, st.Worked = r.Transport, r.Server, r.Auth, slices.Clone(r.Worked)
	st.Talk, st.TalkKnown = slices.Clone(r.Talk), s.talk
	s.p.signal()
}

// guard says why the connection is to be cut, or when to look again. The puller is locked.
func (s *source) guard(c *connection, now time.Time) (again time.Time, why error) {
	wanted, end := s.wanted(now)
	switch {
	case s.gone != "":
		return again, errGone
	case s.version != c.version && !s.asksLogin(c, now):
		return again, errReplaced
	case !wanted:
		return again, errUnwanted
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	again = earlier(end, now.Add(dialLimit))
	if s.version != c.version {
		again = earlier(again, c.dialled.Add(loginTime))
	}
	switch {
	case c.dialled.IsZero():
		return again, nil
	case c.begun.IsZero():
		if now.Sub(c.dialled) >= dialLimit {
			return again, stuck()
		}
		return earlier(again, c.dialled.Add(dialLimit)), nil
	}
	unit, key := latest(c.begun, c.last), latest(c.begun, c.key)
	if silent := now.Sub(unit); silent >= quiet {
		return again, noUnit(silent)
	}
	again = earlier(again, unit.Add(quiet))
	if len(c.video) > 0 {
		limit := s.keys.limit()
		if silent := now.Sub(unit); now.Sub(key) >= limit && silent >= quiet/2 {
			return again, noUnit(silent) // with the units the key frames stop, too
		}
		if now.Sub(key) >= limit {
			s.keys.misses++
			return again, noKey(limit)
		}
		again = earlier(again, key.Add(limit))
	}
	if c.key.IsZero() && len(c.video) > 0 || c.first.IsZero() {
		s.say(Status{State: Connecting, Reason: "connected; waiting for a key frame"})
	} else {
		s.say(Status{State: Live})
	}
	return again, nil
}

// asksLogin reports whether c may be about to hear that the login, which goes on to be the
// same, is wrong. Cut now it would be tried once more. The puller is locked.
func (s *source) asksLogin(c *connection, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := s.trying && s.login != (login{}) && s.login == loginOf(s.target)
	return same && !c.dialled.IsZero() && now.Sub(c.dialled) < loginTime
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (c *connection) tell() {
	select {
	case c.note <- struct{}{}:
	default: // it will look anyway
	}
}

// Begin is called when the camera has let the hub in and said what it sends.
func (c *connection) Begin(tracks []av.Track) error {
	s := c.s
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.gone != "" || s.version != c.version {
		return errReplaced
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return media.ErrEnded
	}
	w, err := s.stream.Begin(tracks)
	if err != nil {
		return err
	}
	c.leave()
	now := s.p.o.Now()
	if c.w == nil {
		s.sessions++
		s.status.Reconnects = s.sessions - 1
	}
	c.w, c.begun, c.key = w, now, time.Time{}
	c.video = make(map[uint8]av.Codec)
	for _, t := range tracks {
		c.describe(t)
	}
	s.trying, s.in = false, true
	s.lookAgain()
	c.tell()
	return nil
}

func (c *connection) describe(t av.Track) {
	if t.Kind == av.Video {
		c.video[t.ID] = t.Codec
	}
}

// SetTrack changes one.
func (c *connection) SetTrack(t av.Track) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.w == nil {
		return media.ErrEnded
	}
	c.describe(t)
	return c.taken(c.w.SetTrack(t))
}

// Put hands a unit on.
func (c *connection) Put(u *av.Unit) error {
	c.mu.Lock()
	w := c.w
	if w == nil {
		c.mu.Unlock()
		return media.ErrEnded
	}
	tell, apart := c.watch(u)
	c.mu.Unlock()
	if apart > 0 {
		c.s.p.mu.Lock()
		c.s.keys.add(apart)
		c.s.p.mu.Unlock()
	}
	err := w.Put(u)
	if tell {
		c.tell()
	}
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.taken(err)
	}
	return nil
}

// watch notes when u came; tell: it is the first of its kind. c is locked.
func (c *connection) watch(u *av.Unit) (tell bool, apart time.Duration) {
	now := c.s.p.o.Now()
	if c.first.IsZero() {
		c.first, tell = now, true
	}
	c.last = now
	codec, video := c.video[u.Track]
	if !video || !u.Key && codec != av.MJPEG {
		return tell, 0
	}
	if c.key.IsZero() {
		tell = true
	} else {
		apart = now.Sub(c.key)
	}
	c.key = now
	return tell, apart
}

// taken notes that somebody else writes the stream now. c is locked.
func (c *connection) taken(err error) error {
	c.stolen = c.stolen || errors.Is(err, media.ErrSuperseded)
	return err
}

// end closes the sink and says how long units came.
func (c *connection) end(reason string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if c.w != nil {
		c.w.End(reason)
		c.w = nil
	}
	return c.last.Sub(c.first)
}
