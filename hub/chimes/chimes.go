package chimes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

const (
	// playTimeout bounds one Play: a chime answers when it begins to sound, and sounds
	// before it may take a while. A ring's own age limit bounds it further, so that a
	// storm of rings is over when the visitor is: what would begin later does not sound.
	playTimeout = 30 * time.Second
	// leastTimeout is what a ring just below its age limit gets: the chime itself
	// tells that it is too old.
	leastTimeout = time.Second
	// inFlight bounds the plays that one chime has under way; the next is told off.
	inFlight = 256
)

// Chime is a thing that sounds.
type Chime struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Builtin string `json:"builtin,omitempty"` // browser
	Plugin  string `json:"plugin,omitempty"`
	Sound   string `json:"sound"`
	Volume  int    `json:"volume"` // 0 to 100
	Muted   bool   `json:"muted"`
}

// Play asks a plugin for one sound.
type Play struct {
	Chime, Sound    string
	Volume          int
	EventID         string
	Camera          string
	CameraName      string
	Age             time.Duration // since the ring was received
	IgnoreOlderThan time.Duration
	Test            bool
}

// Played is what a chime answers.
type Played struct {
	Played bool
	Reason string // why not
	Sound  string
	Took   time.Duration
}

// Player reaches the plugin chimes.
type Player interface {
	Play(ctx context.Context, plugin string, p Play) (Played, error)
}

// Publisher is the bus, as far as this room needs it.
type Publisher interface {
	Publish(ctx context.Context, e event.Event, done func(event.Result, error)) error
}

// Chimes of the house. Safe for concurrent use.
type Chimes struct {
	db      *store.DB
	bus     Publisher
	player  Player
	log     *slog.Logger
	now     func() time.Time
	browser *browser

	mu     sync.RWMutex
	chimes map[string]*chime
	quiet  event.Quiet
	muted  map[string]event.Quiet

	setting sync.Mutex    // held while quiet or a mute is changed
	kick    chan struct{} // 1: Serve looks again, however many changed something

	plays sync.WaitGroup
}

type chime struct {
	Chime
	slots chan struct{} // inFlight: one a play under way
}

// New reads mutes and the quiet hour from hub.db.
func New(ctx context.Context, db *store.DB, bus Publisher, player Player, log *slog.Logger, now func() time.Time) (*Chimes, error) {
	c := &Chimes{db: db, bus: bus, player: player, log: log, now: now, browser: newBrowser(), chimes: map[string]*chime{}, muted: map[string]event.Quiet{}, kick: make(chan struct{}, 1)}
	if err := c.load(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// Apply replaces the set of chimes.
func (c *Chimes) Apply(list []Chime) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := make(map[string]*chime, len(list))
	for _, ch := range list {
		slots := make(chan struct{}, inFlight)
		if old, ok := c.chimes[ch.ID]; ok {
			slots = old.slots
		}
		next[ch.ID] = &chime{Chime: ch, slots: slots}
	}
	c.chimes = next
}

// List all, by id.
func (c *Chimes) List() []Chime {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]Chime, 0, len(c.chimes))
	now := c.now()
	for id, ch := range c.chimes {
		one := ch.Chime
		one.Muted = lasts(c.muted[id], now)
		out = append(out, one)
	}
	slices.SortFunc(out, func(a, b Chime) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Ring sounds every chime that is not muted for a ring. It returns at once with
// what it asked of whom; what each chime did becomes an event of its own.
func (c *Chimes) Ring(ctx context.Context, d event.Delivery, ignoreOlderThan time.Duration) []string {
	quiet := c.Quiet()
	var asked []string
	for _, ch := range c.targets() {
		ring, _ := d.Event.Data.(event.Ring)
		p := Play{Chime: ch.ID, Sound: ch.Sound, Volume: ch.Volume, EventID: d.Event.ID, Camera: d.Event.Camera,
			CameraName: d.Event.CameraName, Age: d.Age, IgnoreOlderThan: ignoreOlderThan, Test: ring.Test}
		switch {
		case quiet.Active && quiet.Until.IsZero():
			c.tell(ctx, ch.Chime, p, Played{Reason: "quiet"})
		case quiet.Active:
			c.tell(ctx, ch.Chime, p, Played{Reason: "quiet until " + quiet.Until.Format("15:04")})
		case c.Muted(ch.ID).Active:
			c.tell(ctx, ch.Chime, p, Played{Reason: "muted"})
		default:
			asked = append(asked, ch.ID)
			c.start(ctx, ch, p)
		}
	}
	return asked
}

// Test sounds one chime, muted or not, and waits for its answer.
func (c *Chimes) Test(ctx context.Context, id string) (Played, error) {
	c.mu.RLock()
	ch, ok := c.chimes[id]
	c.mu.RUnlock()
	if !ok {
		return Played{}, fmt.Errorf("chime %q: %w", id, ErrUnknown)
	}
	ctx, cancel := context.WithTimeout(ctx, playTimeout)
	defer cancel()
	return c.play(ctx, ch.Chime, Play{Chime: id, Sound: ch.Sound, Volume: ch.Volume, EventID: event.NewID(), Test: true})
}

// Wait returns when no play is under way or ctx has ended.
func (c *Chimes) Wait(ctx context.Context) {
	done := make(chan struct{}) // closed once, when all plays have ended
	go func() { c.plays.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// ErrUnknown: no chime of that id.
var ErrUnknown = errors.New("no such chime")

func (c *Chimes) targets() []*chime {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.SortedFunc(maps.Values(c.chimes), func(a, b *chime) int { return cmp.Compare(a.ID, b.ID) })
}

func (c *Chimes) start(ctx context.Context, ch *chime, p Play) {
	select {
	case ch.slots <- struct{}{}:
	default:
		c.tell(ctx, ch.Chime, p, Played{Reason: fmt.Sprintf("busy: %d sounds are under way", inFlight)})
		return
	}
	begun := c.now()
	c.plays.Go(func() {
		defer func() { <-ch.slots }()
		p.Age += c.now().Sub(begun)
		ctx, cancel := context.WithTimeout(ctx, p.within())
		defer cancel()
		played, err := c.play(ctx, ch.Chime, p)
		if err != nil {
			played = Played{Reason: err.Error()}
		}
		c.tell(context.WithoutCancel(ctx), ch.Chime, p, played)
	})
}

// within is how long the sound may take to begin.
func (p Play) within() time.Duration {
	if p.IgnoreOlderThan <= 0 {
		return playTimeout
	}
	return min(playTimeout, max(leastTimeout, p.IgnoreOlderThan-p.Age))
}

func (c *Chimes) play(ctx context.Context, ch Chime, p Play) (Played, error) {
	if ch.Builtin == "browser" {
		return c.browser.play(ctx, p)
	}
	return c.player.Play(ctx, ch.Plugin, p)
}

// tell publishes what a chime did.
func (c *Chimes) tell(ctx context.Context, ch Chime, p Play, played Played) {
	kind := "played"
	if !played.Played {
		kind = "failed"
	}
	e := event.Event{ID: event.NewID(), Type: event.TypeChime, Subject: "chime." + ch.ID + "." + kind, Camera: p.Camera,
		CameraName: p.CameraName, Correlation: p.EventID, Observed: c.now(),
		Data: event.ChimeResult{Chime: ch.ID, Played: played.Played, Sound: cmp.Or(played.Sound, p.Sound), Reason: played.Reason, Took: played.Took}}
	if err := c.bus.Publish(ctx, e, nil); err != nil && ctx.Err() == nil {
		c.log.Warn("chime result not published", "chime", ch.ID, "event", p.EventID, "err", err)
	}
}
