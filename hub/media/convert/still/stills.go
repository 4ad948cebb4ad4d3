package still

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/convert/child"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// maxWaiting stills; when one more is wanted the oldest gives way. Two for each of 16 cameras.
	maxWaiting = 32
	// idleTime: an ffmpeg that nobody needed for so long gives its 60 MB back.
	idleTime = 5 * time.Minute
	// badStarts in a row, after which it is not tried again for restTime.
	badStarts = 3
	restTime  = 15 * time.Second
)

// Options of stills.
type Options struct {
	FFmpeg string       // path; empty: looked for in PATH, each time one is started
	Log    *slog.Logger // nil: nothing is logged
}

// Stills makes JPEGs, one at a time.
type Stills struct {
	opts Options
	log  *slog.Logger
	work sync.WaitGroup // the one that has its turn

	mu      sync.Mutex
	closed  bool
	busy    bool   // somebody has the worker
	waiting []*job // oldest first
	idle    *time.Timer
	stats   Stats
	process *child.Process // the one that runs or is starting; who has the turn sets it
	single  *child.Process // of Newest; nil: none runs

	// What follows belongs to who has the turn.
	worker *worker
	old    bool // this ffmpeg is one from before 5.1
	failed int  // starts in a row
	until  time.Time
	why    error // of the last start

	// singles is the turn of Newest: room for one.
	singles chan struct{}
}

// Stats count.
type Stats struct {
	Made, Failed, GivenUp uint64 // stills; given up: newer ones were wanted
	Starts                uint64 // of ffmpeg
	PID                   int    // of the one that runs; 0: none
}

// job is one still that is wanted.
type job struct {
	picture       *picture
	width, height int
	done          chan result // one, whether somebody still waits or not
}

type result struct {
	jpeg []byte
	err  error
}

// New makes stills when asked; ffmpeg is not started before.
func New(o Options) *Stills {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Stills{opts: o, log: o.Log.With("part", "convert"), singles: make(chan struct{}, 1)}
}

// Available is nil if there is an ffmpeg; whether it works shows when it is needed.
func (s *Stills) Available() error {
	_, err := s.path()
	return err
}

func (s *Stills) path() (string, error) {
	name := s.opts.FFmpeg
	if name == "" {
		name = "ffmpeg"
	}
	p, err := exec.LookPath(name)
	if err != nil {
		return "", fault.NoFFmpeg(err)
	}
	return p, nil
}

// Still makes a JPEG of u, a key frame of t, no bigger than width and height, of which 0
// does not bind. Of more than can be made the newest are. Errors are a *fault.Fault or ctx's.
func (s *Stills) Still(ctx context.Context, u *av.Unit, t av.Track, width, height int) ([]byte, error) {
	if err := s.Available(); err != nil {
		return nil, err
	}
	p, err := dress(u, t)
	if err != nil {
		return nil, fault.BadPicture(err)
	}
	j := &job{picture: p, width: width, height: height, done: make(chan result, 1)}
	if err := s.enter(j); err != nil {
		return nil, err
	}
	select {
	case r := <-j.done:
		return r.jpeg, r.err
	case <-ctx.Done():
		s.leave(j)
		return nil, fmt.Errorf("convert: %w", ctx.Err())
	}
}

// enter queues j, and has it worked at if nobody works.
func (s *Stills) enter(j *job) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return fault.BadFFmpeg(os.ErrClosed)
	}
	if len(s.waiting) == maxWaiting {
		s.waiting[0].done <- result{err: fault.ManyStills()}
		s.waiting = slices.Delete(s.waiting, 0, 1)
		s.stats.GivenUp++
	}
	s.waiting = append(s.waiting, j)
	if !s.busy {
		s.busy = true
		if s.idle != nil {
			s.idle.Stop()
		}
		s.work.Go(s.loop)
	}
	return nil
}

// leave takes a job back that has not been begun.
func (s *Stills) leave(j *job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(o *job) bool { return o == j })
}

// loop works until nothing is wanted.
func (s *Stills) loop() {
	for {
		s.mu.Lock()
		if len(s.waiting) == 0 || s.closed {
			s.rest()
			s.mu.Unlock()
			return
		}
		j := s.waiting[0]
		s.waiting = slices.Delete(s.waiting, 0, 1)
		s.mu.Unlock()
		b, err := s.one(j)
		s.mu.Lock()
		if err != nil {
			s.stats.Failed++
		} else {
			s.stats.Made++
		}
		s.mu.Unlock()
		j.done <- result{b, err}
	}
}

// rest lets go of the worker; s is locked.
func (s *Stills) rest() {
	s.busy = false
	switch {
	case s.closed || s.worker == nil:
	case s.idle == nil:
		s.idle = time.AfterFunc(idleTime, s.cool)
	default:
		s.idle.Reset(idleTime)
	}
}

// cool ends an ffmpeg that nobody needs.
func (s *Stills) cool() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.busy && !s.closed {
		s.stop()
	}
}

func (s *Stills) one(j *job) ([]byte, error) {
	deadline := time.Now().Add(stillTime)
	for again := false; ; again = true {
		if err := s.ready(j.picture.codec); err != nil {
			return nil, err
		}
		b, err := s.worker.still(j.picture, deadline)
		switch {
		case err == nil && b == nil:
			return nil, fault.BadPicture(errors.New("ffmpeg made nothing of it"))
		case err == nil:
			out, err := encode(b, j.picture.width, j.picture.height, j.width, j.height)
			if err != nil {
				return nil, fault.BadPicture(err)
			}
			return out, nil
		}
		s.log.Warn("ffmpeg is started anew", "err", err, "said", s.worker.process.Said())
		s.drop()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, fault.TooSlow(nil)
		case !errors.Is(err, errGone) || again:
			return nil, fault.BadPicture(err)
		}
		// It was ended from outside, or by this picture: once more will tell.
	}
}

// ready has an ffmpeg for c running. Another codec takes a new one: there is never more than one.
func (s *Stills) ready(c av.Codec) error {
	if s.worker != nil && (s.worker.codec != c || s.worker.process.Ended(0)) {
		s.drop()
	}
	if s.worker != nil {
		return nil
	}
	if time.Now().Before(s.until) {
		return fault.BadFFmpeg(s.why)
	}
	path, err := s.path()
	if err != nil {
		return err
	}
	w, err := start(path, c, s.old, s.began)
	if err != nil && !s.old && strings.Contains(err.Error(), "fps_mode") {
		if w, err = start(path, c, true, s.began); err == nil {
			s.old = true
		}
	}
	if err != nil {
		s.why = err
		if s.failed++; s.failed >= badStarts {
			s.until = time.Now().Add(restTime)
		}
		return fault.BadFFmpeg(err)
	}
	s.failed, s.worker = 0, w
	s.log.Debug("ffmpeg started", "pid", w.process.PID(), "codec", string(c))
	return nil
}

// began tells who may have to end a process that it is there.
func (s *Stills) began(p *child.Process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process = p
	s.stats.Starts++
	if s.closed {
		p.Kill()
	}
}

// drop ends the worker, for who has the turn.
func (s *Stills) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}

// stop ends the worker; s is locked.
func (s *Stills) stop() {
	if s.worker == nil {
		return
	}
	s.worker.kill()
	s.worker = nil
}

// Stats so far.
func (s *Stills) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	if s.process != nil && !s.process.Ended(0) {
		st.PID = s.process.PID()
	}
	return st
}

// Close ends ffmpeg; who waits for a still is told.
func (s *Stills) Close() {
	s.mu.Lock()
	s.closed = true
	for _, j := range s.waiting {
		j.done <- result{err: fault.BadFFmpeg(os.ErrClosed)}
	}
	s.waiting = nil
	if s.idle != nil {
		s.idle.Stop()
	}
	if s.process != nil {
		s.process.Kill() // who has the turn sees it at once
	}
	if s.single != nil {
		s.single.Kill()
	}
	s.mu.Unlock()
	s.work.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
}
