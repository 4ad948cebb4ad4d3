package pull

import (
	"crypto/sha256"
	"maps"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
)

// lockKey is a login that was refused, at a camera or at an address: several cameras may
// be channels of one recorder. It outlives the description, so that one that comes again
// with the same password is no new try.
type lockKey struct {
	camera, address string // one of them
	login           login
}

// login is a digest of user and password, to compare them by.
type login [sha256.Size]byte

type lock struct {
	until             time.Time
	code, reason, fix string
}

// loginOf a target; the zero one has neither user nor password.
func loginOf(t rtsp.Target) login {
	if t.Username == "" && t.Password == "" {
		return login{}
	}
	return sha256.Sum256([]byte(t.Username + "\x00" + t.Password))
}

// peers are the streams that the same login is for, of this camera or at this address: in,
// one of them was let in; tried, one is finding out, and when not to wait for it any
// more. Until one was let in only one of them tries, so that a wrong password is tried
// once. The puller is locked.
func (s *source) peers(l login, address string, now time.Time) (in bool, tried time.Time) {
	if l == (login{}) {
		return false, time.Time{} // nothing to be wrong
	}
	for o := range s.p.sources() {
		if o == s || o.login != l || o.camera != s.camera && o.address != address {
			continue
		}
		in = in || o.in
		patience := dialLimit
		if o.camera != s.camera {
			patience = peerPatience
		}
		if until := o.tried.Add(patience); o.trying && until.After(now) {
			tried = latest(tried, until)
		}
	}
	return in, tried
}

// lockOf is what keeps a login from being tried. That it was refused for another channel
// of the same recorder does not count while yet another is let in. The puller is locked.
func (p *Puller) lockOf(camera, address string, l login, in bool) lock {
	own := p.locks[lockKey{camera: camera, login: l}]
	at := p.locks[lockKey{address: address, login: l}]
	if in || l == (login{}) || own.until.After(at.until) {
		return own
	}
	return at
}

// refused keeps the login of s, that was, from being tried for a while. The puller is locked.
func (p *Puller) refused(s *source, why error) {
	now := p.o.Now()
	code, reason, fix := told(why)
	l := lock{now.Add(loginRest), code, reason, fix}
	maps.DeleteFunc(p.locks, func(_ lockKey, old lock) bool { return !old.until.After(now) })
	p.locks[lockKey{camera: s.camera.id, login: s.login}] = l
	p.locks[lockKey{address: s.address, login: s.login}] = l
}

// lookAgain has those look who wait for what comes of the login of s. The puller is locked.
func (s *source) lookAgain() {
	for o := range s.p.sources() {
		if o != s && o.status.State != Live {
			o.look()
		}
	}
}
