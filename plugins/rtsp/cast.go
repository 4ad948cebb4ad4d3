package rtsp

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/httpcam"
)

const (
	// goodRun of pictures begins the waits anew.
	goodRun = time.Minute
	// loginWait after a login that was refused: devices lock out after a few.
	loginWait = 5 * time.Minute
	// loginLook is how often it is looked meanwhile whether the secret has another value.
	loginLook = 5 * time.Second
	// blips a hub does not hear of: after so many tries the stream is told to be over.
	blips = 3
	// hubWait before a hub that takes no pictures is asked again.
	hubWait = time.Second
	// settles is how young a cast may be that has brought nothing yet and is no fault.
	settles = 10 * time.Second
	notYet  = "no picture came yet"
)

// ladder are the waits before a camera is tried again, the last one for ever.
func ladder() []time.Duration {
	return []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute}
}

// house is the hub as one cast sees it.
type house interface {
	PublishMedia(ctx context.Context, camera, stream string, tracks ...av.Track) (*av.Publisher, error)
	Secret(ctx context.Context, name string) (sdk.Secret, error)
}

// errUnwanted ends a watch that nobody wants any more.
var errUnwanted = errors.New("nobody looks")

// cast fetches one stream of one camera by HTTP and pushes it. Its loop is serve; what
// others change or ask stands behind mu.
type cast struct {
	hub            house
	warn           func(msg string, args ...any)
	camera, stream string
	settings       settings
	tried          func(time.Duration) time.Duration // a wait of the ladder, made uneven

	mu     sync.Mutex
	health sdk.Part
	idle   bool          // there is nothing to push
	wanted bool          //
	moved  chan struct{} // size 1: "wanted, or a secret, has changed; look"
	cancel context.CancelCauseFunc

	// Of serve alone.
	out      *av.Publisher
	track    av.Track
	began    time.Time // when pts was 0
	pts      int64
	gap      bool
	hubTried time.Time
}

func newCast(hub *sdk.Hub, camera, stream string, s settings) *cast {
	c := makeCast(hub, camera, stream, s)
	c.warn = func(msg string, args ...any) { hub.Log().Warn(msg, args...) }
	return c
}

func makeCast(hub house, camera, stream string, s settings) *cast {
	name := "camera " + camera
	if stream != "main" {
		name += " " + stream
	}
	return &cast{
		hub: hub, camera: camera, stream: stream, settings: s, tried: uneven, warn: func(string, ...any) {},
		health: sdk.Part{Name: name, State: sdk.PartDegraded, Reason: notYet, Fix: "it is tried; look again in a moment", Since: time.Now()},
		// What is not always pushed begins when the hub says that somebody looks.
		wanted: s.pull() == "" || s.pull() == always, moved: make(chan struct{}, 1),
	}
}

// uneven makes a wait longer or shorter by up to a fifth, so that cameras do not come all at once.
func uneven(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

// look has serve look anew, without a word on the camera itself.
func (c *cast) look() {
	select {
	case c.moved <- struct{}{}:
	default: // it is going to look anyway
	}
}

// demand says whether pictures are wanted.
func (c *cast) demand(wanted bool) {
	c.mu.Lock()
	changed := c.wanted != wanted
	c.wanted = wanted
	if changed && !wanted && c.cancel != nil {
		c.cancel(errUnwanted)
	}
	c.mu.Unlock()
	if changed {
		c.look()
	}
}

func (c *cast) isWanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wanted
}

// report notes how the cast is, and logs what is news and bad.
func (c *cast) report(state sdk.PartState, reason, fix string) {
	c.mu.Lock()
	news := settled(&c.health, state, reason, fix)
	c.mu.Unlock()
	if news && state != sdk.PartOK {
		c.warn("camera brings no pictures", "camera", c.camera, "stream", c.stream, "reason", reason, "fix", fix)
	}
}

// part is the cast's health; none where it has nothing to push.
func (c *cast) part() (sdk.Part, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.health
	if p.Reason == notYet && time.Since(p.Since) < settles {
		p.State = sdk.PartOK
	}
	return p, !c.idle
}

// serve watches until ctx ends.
func (c *cast) serve(ctx context.Context) {
	defer c.close()
	var refused httpcam.Login // that the camera did not take
	var until time.Time       // when it may be tried again
	step := 0
	for ctx.Err() == nil {
		if !c.isWanted() {
			c.report(sdk.PartOK, "nobody looks", "")
			c.close()
			if !c.pause(ctx, time.Hour) {
				return
			}
			continue
		}
		o, err := c.options(ctx)
		if errors.Is(err, errNothing) {
			c.setIdle()
			return
		}
		if err == nil && o.Login == refused && time.Now().Before(until) {
			if !c.pause(ctx, min(loginLook, time.Until(until))) {
				return
			}
			continue
		}
		began := time.Now()
		if err == nil {
			err = c.watch(ctx, o)
		}
		if ctx.Err() != nil || errors.Is(err, errUnwanted) {
			continue
		}
		if time.Since(began) > goodRun {
			step = 0
		}
		c.gap = true
		if c.tell(err) == sdk.PartFailed || step >= blips {
			c.close()
		}
		if httpcam.KindOf(err) == httpcam.LoginNeeded {
			refused, until = o.Login, time.Now().Add(loginWait)
			continue
		}
		wait := ladder()[min(step, len(ladder())-1)]
		step++
		if !c.pause(ctx, c.tried(wait)) {
			return
		}
	}
}

// pause waits; a look ends it early. False: ctx has ended.
func (c *cast) pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-c.moved:
	case <-t.C:
	}
	return true
}

// errNothing: there is nothing for this cast to push.
var errNothing = errors.New("nothing to push")

// options are what to watch, with the secrets as they are now.
func (c *cast) options(ctx context.Context) (httpcam.Options, error) {
	secret := func(name string) (string, error) {
		s, err := c.hub.Secret(ctx, name)
		return s.Reveal(), err
	}
	s, err := c.settings.reveal(secret)
	if err != nil {
		return httpcam.Options{}, err
	}
	p, bad := s.plan()
	switch {
	case len(bad) > 0:
		return httpcam.Options{}, &httpcam.Fault{Kind: httpcam.BadURL, Reason: bad[0].Error(), Fix: bad[0].fix}
	case !p.http, c.stream == "sub" && p.sub == "":
		return httpcam.Options{}, errNothing
	}
	o := httpcam.Options{URL: p.main, Every: p.every}
	if c.stream == "sub" {
		o.URL = p.sub
	}
	if encrypted(o.URL) {
		o.Fingerprint = s.Fingerprint
	}
	if s.Username != "" {
		o.Login = httpcam.Login{Username: s.Username, Password: s.Password}
		if name, ok := secretName(s.Password); ok {
			if o.Login.Password, err = secret(name); err != nil {
				return httpcam.Options{}, err
			}
		}
	}
	return o, nil
}

// watch takes pictures over one connection, or one poll after the other.
func (c *cast) watch(ctx context.Context, o httpcam.Options) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.mu.Lock()
	c.cancel = cancel
	unwanted := !c.wanted
	c.mu.Unlock()
	if unwanted {
		return errUnwanted
	}
	return httpcam.Watch(ctx, o, func(p httpcam.Picture) error { return c.take(ctx, p) })
}

// take pushes one picture. A hub that takes none now is no reason to leave the camera.
func (c *cast) take(ctx context.Context, p httpcam.Picture) error {
	if c.out != nil {
		select {
		case <-c.out.Done():
			c.close()
		default:
		}
	}
	if c.out == nil {
		if time.Since(c.hubTried) < hubWait {
			return nil
		}
		c.hubTried = time.Now()
		track := av.MJPEGTrack(1, p.Width, p.Height, 0)
		track.Generation = 1
		out, err := c.hub.PublishMedia(ctx, c.camera, c.stream, track)
		if err != nil {
			c.report(sdk.PartDegraded, "the hub does not take the pictures: "+err.Error(), "it is tried again; see the hub's log")
			return ctx.Err()
		}
		c.out, c.track, c.began, c.pts, c.gap = out, track, p.At, -1, false
	}
	if p.Width != c.track.Width || p.Height != c.track.Height {
		c.track.Width, c.track.Height, c.track.Generation = p.Width, p.Height, c.track.Generation+1
		if err := c.out.SetTrack(c.track); err != nil {
			c.close()
			return nil
		}
	}
	c.pts = max(c.pts+1, c.track.Ticks(p.At.Sub(c.began)))
	u := &av.Unit{Track: c.track.ID, Key: true, Discontinuity: c.gap, PTS: c.pts, DTS: c.pts, Wall: p.At, Generation: c.track.Generation, Data: p.JPEG}
	if err := c.out.Write(ctx, u); err != nil {
		c.close()
		return ctx.Err()
	}
	c.gap = false
	c.report(sdk.PartOK, "", "")
	return nil
}

func (c *cast) close() {
	if c.out != nil {
		_ = c.out.Close() // what it says is known: nothing more goes this way
		c.out = nil
	}
}

func (c *cast) setIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.idle = true
}

// tell says why no pictures come, and whether that may mend itself.
func (c *cast) tell(err error) sdk.PartState {
	state, reason, fix := sdk.PartDegraded, err.Error(), "it is tried again"
	var f *httpcam.Fault
	if errors.As(err, &f) {
		fix = f.Fix
		switch f.Kind {
		case httpcam.LoginNeeded, httpcam.NotFound, httpcam.BadURL, httpcam.Certificate, httpcam.NoPictures, httpcam.Redirected:
			state = sdk.PartFailed // it will not mend itself
		}
	}
	c.report(state, reason, fix)
	return state
}
