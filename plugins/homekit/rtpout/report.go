package rtpout

import (
	"context"
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/line"
)

// first sees to it that the report of a line leaves with its first packet.
func (s *Session) first(l *line.Line) {
	if l.Fresh() {
		now := s.now()
		if pos, ok := s.clock.captured(now); ok {
			l.Tell(now, pos)
			s.nudge()
		}
	}
}

// tend sends reports, and ends the session when nobody is there. It is a goroutine.
func (s *Session) tend(ctx context.Context) {
	timer := time.NewTimer(unusedFor)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
		now := s.now()
		wait, err := s.look(now)
		if err != nil {
			s.end(err)
			return
		}
		timer.Reset(max(wait, time.Millisecond))
	}
}

// look does what is due, and says after how long to look again.
func (s *Session) look(now time.Time) (time.Duration, error) {
	s.mu.Lock()
	st, video := s.state, s.start.Video
	s.mu.Unlock()
	if st == waiting {
		left := unusedFor - now.Sub(s.opened)
		if left <= 0 {
			return 0, fmt.Errorf("%w for %v", ErrUnused, unusedFor)
		}
		return left, nil
	}
	most := patience(st, video.RTCP)
	silent := now.Sub(time.Unix(0, s.heard.Load()))
	if silent >= most {
		err := fmt.Errorf("%w for %v", ErrSilent, most)
		if n := s.video.Counts().Errors; n > 0 {
			err = fmt.Errorf("%w, and the network refused %d packets to it", err, n)
		}
		return 0, err
	}
	wait := most - silent
	if st == playing {
		if pos, ok := s.clock.captured(now); ok {
			for _, l := range []*line.Line{s.video, s.audio} {
				if next := l.Tell(now, pos); !next.IsZero() {
					wait = min(wait, next.Sub(now))
				}
			}
		}
	}
	if again := s.talk.Look(now, st == playing); again > 0 {
		wait = min(wait, again)
	}
	return wait, nil
}
