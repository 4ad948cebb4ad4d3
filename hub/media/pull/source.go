package pull

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"net"
	"net/url"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
)

// States of a Status.
const (
	Off        = "off"
	Connecting = "connecting"
	Live       = "live"
	Waiting    = "waiting"
	Locked     = "locked"
	Pushed     = "pushed"
)

// redescribeRest: a plugin is asked for a camera's source no more often.
const redescribeRest = 10 * time.Second

// source is one stream that is pulled. Its goroutine waits until it is wanted and may be
// dialled, holds one connection, and begins again.
type source struct {
	p      *Puller
	camera *camera
	name   string
	stream *media.Stream
	wake   chan struct{} // one: look again
	before chan struct{} // closed when the one before it of that stream has ended; nil: none
	done   chan struct{} // closed when this one has
	logged string        // state that the log has; its goroutine's own

	// Locked by p.mu.
	target   rtsp.Target
	policy   string
	talk     bool   // it is asked what it takes for talk
	version  uint64 // counts targets
	gone     string // why it is to end; empty: it is not
	wanting  int    // readers and those who asked
	until    time.Time
	session  time.Time // battery: awake until then; zero: asleep
	failures int
	nextTry  time.Time
	trying   bool      // it dials, and has not been let in or refused yet
	in       bool      // it was let in
	login    login     // that it dials with, or did
	address  string    // where
	tried    time.Time // when it began to
	pushed   bool      // another writes to the stream
	sessions uint64
	keys     interval
	status   Status
}

// newSource under p.mu.
func newSource(p *Puller, cam *camera, st Stream) *source {
	s := &source{p: p, camera: cam, name: st.Name, stream: p.o.Core.Stream(cam.id, st.Name),
		wake: make(chan struct{}, 1), done: make(chan struct{}), target: st.Target, policy: st.Policy, talk: st.Talk}
	s.before = p.ending[[2]string{cam.id, st.Name}]
	now := p.o.Now()
	s.status = Status{Camera: cam.id, Stream: st.Name, State: Off, Since: now, Address: addressOf(st.Target)}
	if !cam.doorbell && p.many() {
		s.nextTry = now.Add(rand.N(spread))
	}
	if s.wanting = s.stream.Demand(); s.wanting > 0 {
		s.arrive(now)
	}
	return s
}

// apply a description that may be the same. The puller is locked.
func (s *source) apply(st Stream) {
	if s.policy != st.Policy {
		s.policy, s.session = st.Policy, time.Time{}
		if s.wanting > 0 {
			s.arrive(s.p.o.Now())
		}
	}
	if s.talk = st.Talk; !s.talk {
		s.status.Talk, s.status.TalkKnown = nil, false
	}
	if !sameTarget(s.target, st.Target) {
		s.target, s.version = st.Target, s.version+1
		s.failures, s.nextTry, s.keys = 0, time.Time{}, interval{}
		s.status.Address = addressOf(st.Target)
	}
	s.look()
}

// end takes the source out of its camera. The puller is locked.
func (s *source) end(why string) {
	s.gone = why
	delete(s.camera.sources, s.name)
	if s.p.ctx == nil {
		return // it never began
	}
	s.p.ending[[2]string{s.camera.id, s.name}] = s.done
	s.look()
}

// look has its goroutine look at what has changed.
func (s *source) look() {
	select {
	case s.wake <- struct{}{}:
	default: // it will anyway
	}
}

// arrive notes that somebody came or something happened. The puller is locked.
func (s *source) arrive(now time.Time) {
	if s.policy == Battery && !s.session.After(now) {
		s.session = now.Add(s.camera.limit)
	}
}

// stay keeps the stream wanted until t at least. The puller is locked.
func (s *source) stay(t time.Time) {
	if t.After(s.until) {
		s.until = t
	}
}

func (s *source) linger() time.Duration {
	if s.policy == Battery {
		return batteryLinger
	}
	return linger
}

// wanted reports whether the stream is to come, and when to look again at the latest;
// zero: when something changes. The puller is locked.
func (s *source) wanted(now time.Time) (yes bool, again time.Time) {
	if s.policy != OnDemand && s.policy != Battery {
		return true, time.Time{}
	}
	yes = s.wanting > 0 || s.until.After(now)
	if s.wanting == 0 {
		again = s.until
	}
	if s.policy == Battery {
		yes = yes && s.session.After(now)
		again = earlier(again, s.session)
	}
	if !yes {
		again = time.Time{}
	}
	return yes, again
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// run is the life of the source.
func (s *source) run(ctx context.Context) {
	defer s.finish()
	if s.before != nil {
		<-s.before // its connection is being cut
	}
	for {
		c := s.await(ctx)
		if c == nil {
			return
		}
		why := s.connect(ctx, c)
		c.keep()
		s.settle(ctx, c, why)
	}
}

func (s *source) finish() {
	p := s.p
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case s.gone == "":
		s.stream.Tell("the hub is going down")
	case s.camera.sources[s.name] == nil && p.cameras[s.camera.id] == s.camera:
		s.stream.Remove(s.gone)
	}
	key := [2]string{s.camera.id, s.name}
	if p.ending[key] == s.done {
		delete(p.ending, key)
	}
	close(s.done)
}

// await returns the connection to be made, nil: none any more.
func (s *source) await(ctx context.Context) *connection {
	for ctx.Err() == nil {
		s.p.mu.Lock()
		c, again, gone := s.decide(s.p.o.Now())
		var free <-chan struct{} // of the stream, where another writes it
		if st, changed := s.stream.State(); s.pushed && st.Live {
			free = changed
		}
		s.p.mu.Unlock()
		s.report()
		if c != nil || gone {
			return c
		}
		s.sleep(ctx, again, free)
	}
	return nil
}

// sleep until something has changed, or again.
func (s *source) sleep(ctx context.Context, again time.Time, free <-chan struct{}) {
	var at <-chan time.Time
	if !again.IsZero() {
		t := time.NewTimer(max(0, again.Sub(s.p.o.Now())))
		defer t.Stop()
		at = t.C
	}
	select {
	case <-s.wake:
	case <-at:
	case <-free:
	case <-ctx.Done():
	}
}

// decide what to do now: connect, or wait until again or a change. The puller is locked.
func (s *source) decide(now time.Time) (c *connection, again time.Time, gone bool) {
	if s.gone != "" {
		return nil, time.Time{}, true
	}
	wanted, end := s.wanted(now)
	login, address := loginOf(s.target), addressOf(s.target)
	in, tried := s.peers(login, address, now)
	l := s.p.lockOf(s.camera.id, address, login, in)
	live, _ := s.stream.State()
	if !wanted {
		s.session = time.Time{}
	}
	switch {
	case s.pushed && live.Live:
		s.say(Status{State: Pushed, Reason: "its plugin sends this stream itself"})
		return nil, time.Time{}, false
	case !wanted && !l.until.After(now):
		s.say(s.off())
		return nil, time.Time{}, false
	case l.until.After(now):
		s.say(Status{State: Locked, Code: l.code, Reason: l.reason, Fix: l.fix, NextTry: l.until})
		return nil, earlier(end, l.until), false
	case s.nextTry.After(now):
		if s.failures > 0 {
			s.say(Status{State: Waiting, Code: s.status.Code, Reason: s.status.Reason, Fix: s.status.Fix, NextTry: s.nextTry})
		} else {
			s.say(Status{State: Connecting, Reason: "connecting to the camera"})
		}
		return nil, earlier(end, s.nextTry), false
	}
	s.pushed = false
	s.sayConnecting()
	if !tried.IsZero() && !in {
		return nil, earlier(end, tried), false // what comes of it is told, too
	}
	s.trying, s.login, s.address, s.tried = true, login, address, now
	return newConnection(s), time.Time{}, false
}

// sayConnecting keeps what went wrong before in sight while the next try runs.
func (s *source) sayConnecting() {
	st := Status{State: Connecting, Reason: "connecting to the camera"}
	if s.failures > 0 && s.status.Code != "" {
		st.Code, st.Reason, st.Fix = s.status.Code, s.status.Reason, s.status.Fix
	}
	s.say(st)
}

// off says why nothing comes, and keeps in sight what went wrong the last time.
func (s *source) off() Status {
	st := Status{State: Off, Reason: "nobody watches"}
	if s.policy == Battery && s.wanting > 0 {
		st.Reason = "the camera runs on battery and went back to sleep; ask for the picture again"
	}
	if s.failures > 0 && s.status.Code != "" {
		if s.status.State == Off {
			return s.status
		}
		st.Code, st.Fix = s.status.Code, s.status.Fix
		st.Reason += ", and the last try failed: " + s.status.Reason
	}
	return st
}

// say sets the status. The puller is locked.
func (s *source) say(st Status) {
	old := s.status
	if old.State == st.State && old.Code == st.Code && old.Reason == st.Reason && old.Fix == st.Fix && old.NextTry.Equal(st.NextTry) {
		return
	}
	s.status.State, s.status.Code, s.status.Reason, s.status.Fix, s.status.NextTry = st.State, st.Code, st.Reason, st.Fix, st.NextTry
	if old.State != st.State {
		s.status.Since = s.p.o.Now()
	}
	if st.State != Live {
		s.stream.Tell(st.Reason)
	}
	s.p.signal()
}

// report logs a new state, without the lock: a log that is stuck holds up nobody else.
func (s *source) report() {
	s.p.mu.Lock()
	st := s.status
	s.p.mu.Unlock()
	if st.State == s.logged {
		return
	}
	s.logged = st.State
	s.p.log.Info("pull: "+st.State, "camera", st.Camera, "stream", st.Stream, "code", st.Code, "reason", st.Reason)
}

// settle notes how a connection ended.
func (s *source) settle(ctx context.Context, c *connection, why error) {
	reason := "the hub is going down"
	if ctx.Err() == nil {
		_, reason, _ = told(why)
	}
	lasted := c.end(reason)
	p := s.p
	p.mu.Lock()
	let := s.in
	s.trying, s.in = false, false
	s.lookAgain()
	if lasted >= good {
		s.failures = 0
	}
	ask, failed := "", false
	switch {
	case ctx.Err() != nil, errors.Is(why, errGone), errors.Is(why, errUnwanted), errors.Is(why, errReplaced):
	case s.gone != "", s.version != c.version:
		if kindOf(why) == rtsp.Login { // it failed at the same moment
			p.refused(s, why)
		}
	case errors.Is(why, media.ErrSuperseded):
		s.pushed = true
	default:
		ask, failed = s.failed(why, let), true
	}
	failures := s.failures
	p.mu.Unlock()
	if failed {
		code, reason, _ := told(why)
		p.log.Warn("pull: failed", "camera", s.camera.id, "stream", s.name, "code", code, "reason", reason, "failures", failures)
	}
	if ask != "" && p.o.Redescribe != nil {
		p.o.Redescribe(s.camera.id, ask)
	}
}

// failed sets the next try, and says why the plugin should be asked for the source again,
// if it should. The puller is locked.
func (s *source) failed(why error, let bool) (ask string) {
	p, now := s.p, s.p.o.Now()
	code, reason, fix := told(why)
	switch kindOf(why) {
	case rtsp.Login:
		p.refused(s, why)
		s.nextTry = time.Time{} // the lock says when
	case rtsp.Address:
		s.nextTry = now.Add(addressRest)
	default:
		s.nextTry = now.Add(wait(s.failures))
	}
	s.failures++
	s.status.Code, s.status.Reason, s.status.Fix = code, reason, fix
	s.stream.Tell(reason)
	if let || now.Sub(s.camera.asked) < redescribeRest {
		return ""
	}
	s.camera.asked = now
	return reason
}

// sources of all cameras. The puller is locked.
func (p *Puller) sources() iter.Seq[*source] {
	return func(yield func(*source) bool) {
		for _, c := range p.cameras {
			for _, s := range c.sources {
				if !yield(s) {
					return
				}
			}
		}
	}
}

// addressOf is host and port, with nothing that may be secret.
func addressOf(t rtsp.Target) string {
	u, err := url.Parse(t.URL)
	if err != nil || u.Host == "" {
		return ""
	}
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "rtsps":
		port = "322"
	default:
		port = "554"
	}
	return net.JoinHostPort(u.Hostname(), port)
}
