package talk

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// maxSpeech is the most data of one unit of speech: more than a second in any codec.
const maxSpeech = 256 << 10

// Session is one talk.
type Session struct {
	desk   *Desk
	id     string
	camera string
	by     Talker
	from   av.Track
	since  time.Time
	ctx    context.Context // of the sink
	cancel context.CancelFunc
	w      *media.Writer

	ready chan void // closed when the door listens
	done  chan void // closed when it is over
	left  chan void // closed when the sink has ended too
	spoke chan void // size 1: there was a unit since the watch looked

	mu     sync.Mutex
	way    *way
	pace   pace
	gap    bool // something was dropped since the last unit that was not
	heard  time.Duration
	listen bool // ready is closed
	ended  bool
	reason string
	err    error
}

// ID of the talk.
func (s *Session) ID() string { return s.id }

// Camera that is spoken to.
func (s *Session) Camera() string { return s.camera }

// Talker who speaks.
func (s *Session) Talker() Talker { return s.by }

// Track in which the door hears it.
func (s *Session) Track() av.Track {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.way.track
}

// Heard is how much speech went to the door.
func (s *Session) Heard() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.heard
}

// Done is closed when the talk is over.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is why it is over, if it was not closed: an *Ended.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the talk; reason is for people.
func (s *Session) Close(reason string) { s.end(reason, nil) }

// Put takes the next unit of speech. While the door has half a second that it has not said
// yet, more is dropped; so is what cannot be converted. An error says that the talk is over.
func (s *Session) Put(u *av.Unit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		if s.err != nil {
			return s.err
		}
		return fmt.Errorf("talk: %w", context.Canceled)
	}
	if len(u.Data) == 0 || len(u.Data) > maxSpeech {
		return nil
	}
	select {
	case s.spoke <- void{}:
	default:
	}
	if !s.pace.take(s.desk.o.Now()) {
		s.gap = true
		return nil
	}
	if s.gap { // what was dropped is gone, and not to be made up for by silence
		next := *u
		next.Discontinuity, s.gap = true, false
		u = &next
	}
	out, err := s.way.convert(u)
	if err != nil {
		s.desk.o.Log.Debug("talk: a unit was left out", "camera", s.camera, "err", err)
	}
	for _, u := range out {
		if err := s.w.Put(u); err != nil {
			s.endNow("", doorEnded(err))
			return s.err
		}
		d := s.way.length(u)
		s.heard += d
		s.pace.gave(d)
	}
	return nil
}

// accept is Request.Ready.
func (s *Session) accept(t av.Track) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return context.Canceled
	}
	if t.Codec != "" {
		t.ID = s.way.track.ID
		next, err := choose(s.camera, s.from, []av.Track{t})
		if err != nil {
			return err
		}
		if err := s.w.SetTrack(next.track); err != nil {
			return err
		}
		s.way = next
	}
	if !s.listen {
		s.listen = true
		close(s.ready)
	}
	return nil
}

func (s *Session) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// end makes it over, once.
func (s *Session) end(reason string, err *Ended) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endNow(reason, err)
}

// endNow is end with the lock held.
func (s *Session) endNow(reason string, err *Ended) {
	if s.ended {
		return
	}
	s.ended, s.reason = true, reason
	if err != nil {
		s.err, s.reason = err, err.Error()
	}
	s.w.End(s.reason)
	s.cancel()
	close(s.done)
}

// play is the life of the sink.
func (s *Session) play(sink Sink) {
	defer close(s.left)
	defer s.desk.leave(s)
	err := s.guard(sink)
	if s.ctx.Err() == nil {
		var e *Ended
		if !errors.As(err, &e) {
			e = doorEnded(err)
		}
		s.end(e.Error(), e)
	}
}

// guard turns a panic of a sink into the end of this talk.
func (s *Session) guard(sink Sink) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("talk: sink of %s: %v", s.camera, p)
			s.desk.o.Log.Error("talk: the way to the door broke", "camera", s.camera, "panic", p)
		}
	}()
	return sink.Play(s.ctx, Request{Camera: s.camera, Talker: s.by.Name, Track: s.Track(), Ready: s.accept})
}

// watch tells that the talk began, ends one that lasts too long or says nothing, and
// tells the end.
func (s *Session) watch() {
	select {
	case <-s.ready:
	case <-s.done:
		return // nobody was heard
	}
	s.tell(Talking{ID: s.id, Talker: s.by, Active: true})
	s.wait()
	s.tell(Talking{ID: s.id, Talker: s.by, Heard: s.Heard(), Err: s.Err(), Reason: s.why()})
}

func (s *Session) wait() {
	most := time.NewTimer(s.desk.o.Longest)
	defer most.Stop()
	quiet := time.NewTimer(s.desk.o.Silence)
	defer quiet.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.spoke:
			quiet.Reset(s.desk.o.Silence)
		case <-quiet.C:
			s.end("", silent(s.desk.o.Silence))
		case <-most.C:
			s.end("", tooLong(s.desk.o.Longest))
		}
	}
}

func (s *Session) why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

func (s *Session) tell(t Talking) {
	s.desk.o.Log.Info("talk", "camera", s.camera, "talker", t.Talker.Name, "active", t.Active, "heard", t.Heard, "reason", t.Reason)
	if s.desk.o.Tell != nil {
		s.desk.o.Tell(s.camera, t)
	}
}
