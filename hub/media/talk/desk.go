package talk

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	longest = 5 * time.Minute
	silence = 10 * time.Second
	// readyWait is how long a door may take until it listens.
	readyWait = 10 * time.Second
	// leaveWait is how long a door may take to hang up before the next talk begins.
	leaveWait = 3 * time.Second
)

// Sink is one door that can be spoken to.
type Sink interface {
	// Tracks are what the door takes, best first.
	Tracks() []av.Track
	// Play carries the speech to the door until ctx ends or the door ends it, which it
	// returns as an error. It calls r.Ready once, when the door listens.
	Play(ctx context.Context, r Request) error
}

// Request is what a Sink is to play.
type Request struct {
	Camera, Talker string
	// Track that the speech comes in, alone on the stream media.Talk.
	Track av.Track
	// Ready tells that the door listens, and in which form if it is another than Track.
	// An error: that form cannot be made, so there is nothing to play.
	Ready func(av.Track) error
}

// Talker is who speaks.
type Talker struct {
	Name string // as people call them
	Key  string // who may end it: opaque
}

// Talking tells that a talk has begun or ended.
type Talking struct {
	ID     string
	Talker Talker
	Active bool
	Heard  time.Duration // of speech, at the end
	Err    error         // why it ended; nil: the talker ended it
	Reason string        // the same for people
}

// Options of New. Core and Sink must be there.
type Options struct {
	Core *media.Core
	// Sink of a camera; the error is coded, and says why nobody can talk there.
	Sink func(camera string) (Sink, error)
	// Tell is called when a talk begins and when it ends, by one goroutine a talk.
	Tell func(camera string, t Talking)
	Log  *slog.Logger
	Now  func() time.Time
	// Longest a talk may last; 5 minutes. Silence ends it too: 10 seconds without a unit.
	Longest, Silence time.Duration
}

// Desk lets people talk. Safe for concurrent use.
type Desk struct {
	o      Options
	ctx    context.Context // of all talks
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	talks   map[string]*Session  // by camera, until its sink has ended
	turns   map[string]chan void // by camera: who holds it opens; size 1, a place for one
	waiting map[string]int       // of who holds or wants a turn
	line    map[place]*context.CancelFunc
}

type void = struct{}

// place of a talker in the line for a turn: who comes again gives up the one before.
type place struct{ camera, key string }

// ErrClosed: the hub ends, and gives up what it was asked.
var ErrClosed = fmt.Errorf("the hub is ending: %w", context.Canceled)

// New makes a desk at which nobody talks.
func New(o Options) *Desk {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Longest <= 0 {
		o.Longest = longest
	}
	if o.Silence <= 0 {
		o.Silence = silence
	}
	d := &Desk{o: o, talks: make(map[string]*Session), turns: make(map[string]chan void), waiting: make(map[string]int), line: make(map[place]*context.CancelFunc)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Close ends all talks and returns when their sinks have ended.
func (d *Desk) Close() {
	d.mu.Lock()
	d.closed = true
	talks := make([]*Session, 0, len(d.talks))
	for _, s := range d.talks {
		talks = append(talks, s)
	}
	d.mu.Unlock()
	for _, s := range talks {
		s.end("the hub is ending", nil)
	}
	d.cancel()
	d.wg.Wait()
}

// Open lets by talk to camera, with what comes as from. It returns when the door listens.
// Somebody else who talks is a *Busy; a talk of the same key is ended and taken over.
func (d *Desk) Open(ctx context.Context, camera string, by Talker, from av.Track) (*Session, error) {
	// Who cannot have it is told at once, and not in turn behind all who open it again.
	if err := d.free(camera, by); err != nil {
		return nil, err
	}
	if err := d.turn(ctx, camera, by); err != nil {
		return nil, err
	}
	defer d.turned(camera)
	if err := d.clear(ctx, camera, by); err != nil {
		return nil, err
	}
	sink, err := d.o.Sink(camera)
	if err != nil {
		return nil, err
	}
	s, err := d.begin(camera, by, from, sink)
	if err != nil {
		return nil, err
	}
	wait := time.NewTimer(readyWait)
	defer wait.Stop()
	select {
	case <-s.ready:
		return s, nil
	case <-s.done:
	case <-wait.C:
		s.end("the door does not answer", &Ended{code: "E-TALK-DOOR", why: "the door does not answer",
			hint: "look whether the camera is online and can be spoken to by its own app"})
	case <-ctx.Done():
		s.end("the talker has gone", nil)
		return nil, ctx.Err()
	}
	return nil, cmp.Or(s.Err(), ErrClosed) // only the desk closes a talk that nobody has yet
}

// turn waits until nobody else opens the camera.
func (d *Desk) turn(ctx context.Context, camera string, by Talker) error {
	waits, cancel := context.WithCancel(ctx)
	defer cancel()
	at := place{camera, by.Key}
	d.mu.Lock()
	if older := d.line[at]; older != nil {
		(*older)()
	}
	d.line[at] = &cancel
	t := d.turns[camera]
	if t == nil {
		t = make(chan void, 1)
		d.turns[camera] = t
	}
	d.waiting[camera]++
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.line[at] == &cancel {
			delete(d.line, at)
		}
	}()
	select {
	case t <- void{}:
		return nil
	case <-waits.Done():
		d.gone(camera)
		if ctx.Err() == nil {
			return &Busy{Camera: camera, Talker: by.Name, Since: d.o.Now()}
		}
		return ctx.Err()
	}
}

func (d *Desk) turned(camera string) {
	d.mu.Lock()
	t := d.turns[camera]
	d.mu.Unlock()
	<-t
	d.gone(camera)
}

// gone forgets the turn that nobody wants.
func (d *Desk) gone(camera string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waiting[camera]--; d.waiting[camera] == 0 {
		delete(d.waiting, camera)
		delete(d.turns, camera)
	}
}

// free tells who else talks.
func (d *Desk) free(camera string, by Talker) error {
	d.mu.Lock()
	s := d.talks[camera]
	d.mu.Unlock()
	if s == nil || s.by.Key == by.Key || s.over() {
		return nil
	}
	return &Busy{Camera: camera, Talker: s.by.Name, Since: s.since}
}

// clear makes sure that nobody talks: its own talk is taken over, another's is not.
func (d *Desk) clear(ctx context.Context, camera string, by Talker) error {
	if err := d.free(camera, by); err != nil {
		return err
	}
	d.mu.Lock()
	s := d.talks[camera]
	d.mu.Unlock()
	if s == nil {
		return nil
	}
	s.end("taken over by the same talker", nil)
	wait := time.NewTimer(leaveWait)
	defer wait.Stop()
	select {
	case <-s.left:
	case <-wait.C: // it hangs: the next is not kept waiting for it
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Speech reads what is said to camera until the talker ends; for a Sink that carries it
// itself, from within Play.
func Speech(core *media.Core, camera string) *media.Reader {
	return core.Stream(camera, media.Talk).Open(media.ReadOptions{Start: av.Start{From: av.FromKeyFrame}, Until: media.WriterEnd})
}

// Session is the talk of that id, while it lasts.
func (d *Desk) Session(id string) (*Session, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.talks {
		if s.id == id && !s.over() {
			return s, true
		}
	}
	return nil, false
}

// Who talks to camera, and since when; false: nobody.
func (d *Desk) Who(camera string) (Talker, time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.talks[camera]
	if s == nil || s.over() {
		return Talker{}, time.Time{}, false
	}
	return s.by, s.since, true
}

// begin starts the talk and its sink.
func (d *Desk) begin(camera string, by Talker, from av.Track, sink Sink) (*Session, error) {
	way, err := choose(camera, from, sink.Tracks())
	if err != nil {
		return nil, err
	}
	w, err := d.o.Core.Stream(camera, media.Talk).Begin([]av.Track{way.track})
	if err != nil {
		return nil, err
	}
	s := &Session{desk: d, id: rand.Text(), camera: camera, by: by, from: from, since: d.o.Now(), way: way, w: w,
		ready: make(chan void), done: make(chan void), left: make(chan void), spoke: make(chan void, 1)}
	s.ctx, s.cancel = context.WithCancel(d.ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		s.cancel()
		w.End(ErrClosed.Error())
		return nil, ErrClosed
	}
	d.talks[camera] = s
	d.wg.Go(func() { s.play(sink) })
	d.wg.Go(s.watch)
	return s, nil
}

// leave forgets a talk whose sink has ended.
func (d *Desk) leave(s *Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.talks[s.camera] == s {
		delete(d.talks, s.camera)
	}
}
