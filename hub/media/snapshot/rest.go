package snapshot

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// firstRest of a stream whose key frame was no picture; each further one doubles it. A
	// bad frame may cost all cameras two seconds and a new ffmpeg, so that one camera alone
	// takes at most half of the time, and soon 3 % of it.
	firstRest = 2 * time.Second
	// longestRest is also how late a camera that was mended may have its picture.
	longestRest = time.Minute
)

// rest is what a stream has that gives bad key frames; its store's mutex guards it.
type rest struct {
	length time.Duration
	until  time.Time
	why    error
	trying bool // one that came after the rest is being made, and the others wait for that
}

// resting tells why no picture is made of a stream at present.
type resting struct {
	stream string
	why    error
}

func (e *resting) Error() string {
	return fmt.Sprintf("stream %s: its key frames are left out for a while: %v", e.stream, e.why)
}

func (e *resting) Unwrap() error { return e.why }

// still makes a picture of a key frame of a camera's stream, unless the stream rests. All
// cameras have one decoder, and what it cannot take holds up the others' pictures.
func (s *Store) still(ctx context.Context, name, stream string, u *av.Unit, t av.Track, width, height int) ([]byte, error) {
	if s.o.Stills == nil {
		return nil, errNoDecoder
	}
	began, err := s.tryStill(name, stream)
	if err != nil {
		return nil, err
	}
	b, err := s.o.Stills.Still(ctx, u, t, width, height)
	s.tried(name, stream, began, err)
	return b, err
}

// tryStill gives the rest that is over, if there was one, or says that it is not.
func (s *Store) tryStill(name, stream string) (*rest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.camera(name).rests[stream]
	if r == nil {
		return nil, nil
	}
	if r.trying || time.Now().Before(r.until) {
		return nil, &resting{stream, r.why}
	}
	r.trying = true
	return r, nil
}

// tried takes in how a try ended that was begun at the end of rest began, or with none.
func (s *Store) tried(name, stream string, began *rest, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if began != nil {
		began.trying = false
	}
	c := s.cameras[name]
	switch {
	case c == nil: // it was removed
	case err == nil:
		delete(c.rests, stream)
	case !badKey(err) || c.rests[stream] != began: // of several at once the first one counts
	case began != nil:
		began.length = min(2*began.length, longestRest)
		began.until, began.why = time.Now().Add(began.length), err
	default:
		if c.rests == nil {
			c.rests = make(map[string]*rest, 2)
		}
		c.rests[stream] = &rest{length: firstRest, until: time.Now().Add(firstRest), why: err}
	}
}

// badKey tells of an error that is the key frame's.
func badKey(err error) bool {
	var c coded
	return errors.As(err, &c) && (c.Code() == "E-CONV-PICTURE" || c.Code() == "E-CONV-SLOW")
}
