package sources

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// askTime bounds one question; a battery camera is woken within it.
	askTime = 15 * time.Second
	// asksAtOnce, so that a house full of cameras does not start with a storm.
	asksAtOnce = 8
	// rest between two questions about one camera that a failing dial asks for.
	rest = 5 * time.Second
)

// ladder of the waits after a question that was not answered.
func ladder(tries int) time.Duration {
	steps := []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second}
	return steps[min(tries, len(steps)-1)]
}

// Wish is a camera as the config wants it.
type Wish struct {
	Camera, Plugin string
	Doorbell       bool
	Pull           string // auto, always, on_demand, battery
	NoMain, NoSub  bool   // the owner does not want that stream
	// Settings are the camera's own for the plugin; other ones are asked about anew.
	Settings string
}

// Options of New. Ask, Secret and Taker are needed.
type Options struct {
	// Ask asks a plugin; the error of one that is not there is not a *Refused.
	Ask func(ctx context.Context, plugin, camera string) (*pb.SourceDescriptor, error)
	// Secret gives a secret that the plugin's own config refers to.
	Secret func(plugin, name string) (string, error)
	// Tell tells a plugin that pushes on demand; nil: none is told.
	Tell  func(ctx context.Context, d Demand) error
	Taker Taker
	// Remember and Recall keep descriptions over restarts; nil: each start asks first.
	// Remember may write, and is called from a goroutine that may wait.
	Remember func(camera string, r Remembered)
	Recall   func(camera string) (Remembered, bool)
	Log      *slog.Logger
	Now      func() time.Time
}

// Refused is a plugin's own answer that it has no source now.
type Refused struct {
	Code       pb.Code
	Message    string
	RetryAfter time.Duration
}

func (r *Refused) Error() string { return r.Message }

// Taker gets each camera's source whenever it may be another. It must not block.
type Taker interface {
	Take(Camera)
	// Retry: its owner has just changed the camera, so that what was refused before may
	// be tried again.
	Retry(camera string)
	Remove(camera string)
}

// State of a camera's source.
type State struct {
	Known bool // the plugin has described it
	Push  bool
	Talk  bool // people can talk to who stands there, if the camera offers what its plugin says
	// Err is why there is no description, or why the newest one is not used.
	Err error
}

// Sources of all cameras. Safe for concurrent use.
type Sources struct {
	o    Options
	kick chan struct{} // 1: a change is noticed once, however many there were
	turn *semaphore.Weighted

	mu      sync.Mutex
	cameras map[string]*camera
	wants   map[[2]string]*want // by camera and stream
}

type camera struct {
	wish   Wish
	said   *pb.SourceDescriptor // the last answer
	made   *Camera              // of the last that was good
	err    error
	due    time.Time // of the next question; zero: none is to be asked
	asked  time.Time
	asking bool
	again  bool // somebody wants to know while a question is under way
	// refused: the plugin does not accept its settings, and was not given them.
	refused error
	fresh   bool // its owner has changed it, and it was not asked about since
	tries   int
}

// New makes a room without cameras.
func New(o Options) *Sources {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Tell == nil {
		o.Tell = func(context.Context, Demand) error { return nil }
	}
	return &Sources{o: o, wants: map[[2]string]*want{}, kick: make(chan struct{}, 1), turn: semaphore.NewWeighted(asksAtOnce), cameras: map[string]*camera{}}
}

// Apply replaces the cameras. One that wants the same keeps its source; passwords are
// looked up again.
func (s *Sources) Apply(wishes []Wish) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	next := make(map[string]*camera, len(wishes))
	for _, w := range wishes {
		if w.Plugin == "" {
			continue
		}
		c := s.cameras[w.Camera]
		switch {
		case c == nil || c.wish.Plugin != w.Plugin:
			if c != nil {
				s.o.Taker.Remove(w.Camera)
			}
			// Its plugin hears of it at the same time; Configured asks.
			c = &camera{due: s.o.Now().Add(rest), said: s.recall(w)}
		case c.wish.Settings != w.Settings:
			// The plugin hears of them at the same time, and Configured tells when it has
			// taken them. One that does not take them is asked all the same.
			c.due, c.tries, c.fresh = s.o.Now().Add(rest), 0, true
		}
		c.wish = w
		next[w.Camera] = c
	}
	for id := range s.cameras {
		if next[id] == nil {
			s.o.Taker.Remove(id)
		}
	}
	s.cameras = next
	for _, c := range next {
		if c.said != nil {
			s.take(c, c.said)
		}
	}
}

// Configured asks about all cameras of a plugin: it has taken its config.
func (s *Sources) Configured(plugin string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgotten(plugin)
	for _, c := range s.cameras {
		if c.wish.Plugin == plugin {
			c.due, c.tries, c.again = s.o.Now(), 0, c.asking
		}
	}
	s.wake()
}

// Refused keeps what a plugin finds wrong with its cameras' settings, by camera: it is
// not asked about those. What was refused before and is not any more is asked about anew
// when the plugin is configured.
func (s *Sources) Refused(plugin string, faults map[string]error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.cameras {
		if c.wish.Plugin == plugin {
			c.refused = faults[id]
		}
	}
	s.wake()
}

// Again asks about one camera, soon: a dial failed, or its plugin says that it changed.
func (s *Sources) Again(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cameras[id]
	if c == nil {
		return
	}
	at := c.asked.Add(rest)
	if now := s.o.Now(); at.Before(now) {
		at = now
	}
	if c.due.IsZero() || at.Before(c.due) {
		c.due = at
	}
	s.wake()
}

// State of a camera's source.
func (s *Sources) State(id string) State {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.cameras[id]
	if c == nil {
		return State{}
	}
	st := State{Known: c.made != nil, Err: cmp.Or(c.refused, c.err)}
	if c.made != nil {
		st.Push, st.Talk = c.made.Push, c.made.Talk != TalkNone
	}
	return st
}

// Camera is the last description in force.
func (s *Sources) Camera(id string) (Camera, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.cameras[id]; c != nil && c.made != nil {
		return *c.made, true
	}
	return Camera{}, false
}

func (s *Sources) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Serve asks until ctx ends; it waits for the questions that are under way.
func (s *Sources) Serve(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		wait := min(s.askDue(ctx, &work), s.tellDue(ctx, &work))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-s.kick:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// askDue starts what is due and tells how long nothing is.
func (s *Sources) askDue(ctx context.Context, work *sync.WaitGroup) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, wait := s.o.Now(), time.Minute
	for _, c := range s.cameras {
		if c.asking || c.due.IsZero() || c.refused != nil {
			continue
		}
		if d := c.due.Sub(now); d > 0 {
			wait = min(wait, d)
			continue
		}
		c.asking, c.again, c.due, c.asked = true, false, time.Time{}, now
		work.Go(func() { s.ask(ctx, c) })
	}
	return wait
}

func (s *Sources) ask(ctx context.Context, c *camera) {
	if s.turn.Acquire(ctx, 1) != nil {
		return
	}
	defer s.turn.Release(1)
	s.mu.Lock()
	w := c.wish
	s.mu.Unlock()
	timed, cancel := context.WithTimeout(ctx, askTime)
	d, err := s.o.Ask(timed, w.Plugin, w.Camera)
	cancel()
	if err == nil {
		defer s.remember(w, d) // last: it may write, and needs no lock
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.wake()
	c.asking = false
	if s.cameras[w.Camera] != c || ctx.Err() != nil {
		return
	}
	if c.again {
		c.due = s.o.Now() // it was configured meanwhile: this answer may be of the time before
	}
	if err != nil {
		s.unanswered(c, err)
		return
	}
	c.tries = 0
	s.take(c, d)
	if c.fresh && c.err == nil {
		c.fresh = false
		s.o.Taker.Retry(w.Camera)
	}
}

// unanswered keeps what there was and plans the next question.
func (s *Sources) unanswered(c *camera, err error) {
	var r *Refused
	if errors.As(err, &r) && r.Code == pb.Code_CODE_UNSUPPORTED {
		// It answers no camera.source: whatever comes, it pushes by itself.
		s.take(c, &pb.SourceDescriptor{Push: true, Snapshot: "plugin"})
		return
	}
	c.err = &Fault{code: codePlugin, cause: err, reason: fmt.Sprintf("plugin %s does not say where the pictures of %s come from: %v", c.wish.Plugin, c.wish.Camera, err),
		fix: "porchlight plugins logs " + c.wish.Plugin + " may tell more; it is asked again by itself"}
	wait := ladder(c.tries)
	if r != nil && r.RetryAfter > 0 {
		wait = min(r.RetryAfter, time.Hour)
	}
	c.tries++
	if at := s.o.Now().Add(wait); c.due.IsZero() || at.Before(c.due) {
		c.due = at
	}
}

// take hands a description on, if it is good; else the last good one stays in force.
func (s *Sources) take(c *camera, d *pb.SourceDescriptor) {
	c.said = d
	made, err := describe(c.wish, d, s.o.Secret)
	if c.err = err; err != nil {
		s.o.Log.Warn("camera source not taken", "camera", c.wish.Camera, "plugin", c.wish.Plugin, "err", err)
		return
	}
	c.made = &made
	s.unwanted(c)
	s.o.Taker.Take(made)
}
