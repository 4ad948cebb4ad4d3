package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// beat is how often units that are due go out: a frame of 25 a second.
	beat = 40 * time.Millisecond
	// late: a camera further behind (the machine slept, the process was stopped) does
	// not hurry after the clock; it goes on from where it is.
	late = time.Second
	// apart is by how much the cameras of one house are shifted, so that they do not
	// all show the same moment. A multiple of the distance of key frames.
	apart = 4 * time.Second
	// firstWait and longestWait bound the pause before a broken media connection is tried again.
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
	// settles is how young a camera may be that has sent nothing yet and is no fault.
	settles = 3 * time.Second
	notYet  = "no pictures sent yet"
)

// The visitor of the film comes into the picture and leaves it; see loop/draw/scene.go.
const (
	visitorComes = 500 * time.Millisecond
	visitorGoes  = 9200 * time.Millisecond
)

// publisher is the hub as one camera sees it.
type publisher interface {
	PublishMedia(ctx context.Context, camera, stream string, tracks ...av.Track) (*av.Publisher, error)
	Publish(ctx context.Context, e sdk.Event) (sdk.Result, error)
}

// camera is one running demo camera.
type camera struct {
	id, name, kind string
	settings       deviceSettings
	film           *film
	pictures       *pictures
	talk           talkMeter
	modes          modes
	shift          time.Duration
	zone           *time.Location

	mu     sync.Mutex
	health sdk.Part
	start  time.Time     // wall clock at position 0
	motion time.Time     // until when motion on request lasts; zero: none
	moved  chan struct{} // size 1: "motion has changed, look"
}

func newCamera(d sdk.Device, s deviceSettings, p *pictures, index int, zone *time.Location) *camera {
	name := d.Name
	if name == "" {
		name = d.ID
	}
	return &camera{
		id: d.ID, name: name, kind: d.Kind, settings: s, film: p.film, pictures: p, zone: zone,
		shift:  time.Duration(index) * apart % loopLength,
		health: sdk.Part{Name: "camera " + d.ID, State: sdk.PartDegraded, Reason: notYet, Since: time.Now()},
		start:  time.Now(), moved: make(chan struct{}, 1),
	}
}

// stream sends the film until ctx ends, over a new connection whenever one breaks.
func (c *camera) stream(ctx context.Context, hub publisher, warn func(error)) {
	c.mu.Lock()
	c.start = time.Now().Add(-c.shift)
	c.mu.Unlock()
	for wait := firstWait; ctx.Err() == nil; wait = min(2*wait, longestWait) {
		began := time.Now()
		err := c.connection(ctx, hub)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestWait {
			wait = firstWait // it was a good one
		}
		if c.report(sdk.PartDegraded, "no pictures reach the hub: "+err.Error(), "it tries again by itself; see the hub's log") {
			warn(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// connection sends over one connection until it breaks.
func (c *camera) connection(ctx context.Context, hub publisher) error {
	pub, err := hub.PublishMedia(ctx, c.id, "main", c.film.tracks...)
	if err != nil {
		return err
	}
	defer pub.Close()
	cur := cursor{film: c.film}
	cur.seek(c.position(time.Now()))
	picture := c.position(time.Now())
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		now := c.catchUp(cur.peek())
		for cur.peek() <= now {
			if err := pub.Write(ctx, cur.take(c.wall())); err != nil {
				return fmt.Errorf("camera %s: write: %w", c.id, err)
			}
		}
		if now >= picture {
			if err := c.writePicture(ctx, pub, now); err != nil {
				return err
			}
			picture = now.Truncate(time.Second) + time.Second
		}
		c.report(sdk.PartOK, "", "")
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-pub.Done():
			if err := pub.Err(); err != nil {
				return err
			}
			return fmt.Errorf("camera %s: the hub closed the media connection", c.id)
		case <-tick.C:
		}
	}
}

func (c *camera) writePicture(ctx context.Context, pub *av.Publisher, now time.Duration) error {
	taken := time.Now()
	jpeg, err := c.pictures.draw(c.scene(taken), 0, 0)
	if err != nil {
		return fmt.Errorf("camera %s: picture: %w", c.id, err)
	}
	u := &av.Unit{Track: av.ImageTrack, Key: true, PTS: now.Milliseconds(), Wall: taken, Generation: 1, Data: jpeg.JPEG}
	if err := pub.Write(ctx, u); err != nil {
		return fmt.Errorf("camera %s: write: %w", c.id, err)
	}
	return nil
}

// scene is what a picture taken now shows.
func (c *camera) scene(now time.Time) scene {
	caption := c.settings.Caption
	if caption == "" {
		caption = c.name
	}
	return scene{at: c.position(now) % loopLength, caption: caption, time: now.In(c.zone), notes: []string{c.talk.note(now), c.modes.note()},
		grey: c.modes.value(nightVision) == "on", lit: c.modes.value(indicator) == "on"}
}

func (c *camera) wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.start
}

// position in the endless film.
func (c *camera) position(now time.Time) time.Duration { return now.Sub(c.wall()) }

// catchUp answers the position of now; where the next unit is long overdue the clock is set back instead.
func (c *camera) catchUp(next time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if behind := now.Sub(c.start) - next; behind > late {
		c.start = c.start.Add(behind)
	}
	return now.Sub(c.start)
}

// report notes how the camera is; it answers whether that is news.
func (c *camera) report(s sdk.PartState, reason, fix string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.health.State == s && c.health.Reason == reason {
		return false
	}
	c.health = sdk.Part{Name: c.health.Name, State: s, Reason: reason, Fix: fix, Since: time.Now()}
	return true
}

// part is the camera's health. One that has just begun is not called broken.
func (c *camera) part() sdk.Part {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.health
	if p.Reason == notYet && time.Since(p.Since) < settles {
		p.State = sdk.PartOK
	}
	return p
}

// requestMotion lets motion last at least until d from now.
func (c *camera) requestMotion(d time.Duration) {
	c.mu.Lock()
	if until := time.Now().Add(d); until.After(c.motion) {
		c.motion = until
	}
	c.mu.Unlock()
	select {
	case c.moved <- struct{}{}:
	default: // it is going to look anyway
	}
}

// motionEvents tells the beginnings and ends of motion: on request, and with follow
// also while the visitor of the film is to be seen.
func (c *camera) motionEvents(ctx context.Context, hub publisher, follow bool, warn func(error)) {
	active := false
	for {
		want, next := c.moving(time.Now(), follow)
		if want != active {
			active = want
			if _, err := hub.Publish(ctx, sdk.NewEvent(sdk.TypeMotion, c.id, sdk.Motion{Active: active, Score: 0.9})); err != nil && ctx.Err() == nil {
				warn(err)
			}
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-c.moved:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// moving tells whether there is motion at a moment, and in how long to look again.
func (c *camera) moving(now time.Time, follow bool) (active bool, next time.Duration) {
	next = time.Hour // nothing is due; a request wakes it
	c.mu.Lock()
	left := c.motion.Sub(now)
	c.mu.Unlock()
	if left > 0 {
		active, next = true, left
	}
	if !follow {
		return active, next
	}
	at := c.position(now) % loopLength
	switch {
	case at < visitorComes:
		return active, min(next, visitorComes-at)
	case at < visitorGoes:
		return true, min(next, visitorGoes-at)
	}
	return active, min(next, loopLength-at+visitorComes)
}
