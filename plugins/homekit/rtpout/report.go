package rtpout

import (
	"context"
	"fmt"
	"time"

	"github.com/pion/rtcp"
)

// ntpEpoch is how many seconds 1970 is after 1900, where NTP counts from.
const ntpEpoch = 2208988800

// cname is the name under which a viewer finds that picture and sound belong together
// (RFC 3550 6.5.1). It tells nobody who we are.
const cname = "porchlight"

func ntp(t time.Time) uint64 {
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

func (l *line) name() *rtcp.SourceDescription {
	return &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: l.ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: cname}},
	}}}
}

// tell sends a report if one is due, and says when the next one is. pos is now on the line of
// time, the same for both lines: that is what keeps them in step.
func (l *line) tell(now time.Time, pos time.Duration) (next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.begun {
		return time.Time{}
	}
	if !l.due.IsZero() && now.Before(l.due) {
		return l.due
	}
	if !l.sent && l.reception == nil {
		return time.Time{} // with the first packet
	}
	l.due = now.Add(l.every)
	var blocks []rtcp.ReceptionReport
	if l.reception != nil {
		blocks = append(blocks, l.reception.block(now))
	}
	var report rtcp.Packet = &rtcp.ReceiverReport{SSRC: l.ssrc, Reports: blocks}
	if l.sent {
		report = &rtcp.SenderReport{SSRC: l.ssrc, NTPTime: ntp(now), RTPTime: l.at(pos),
			PacketCount: l.packets, OctetCount: l.octets, Reports: blocks}
	}
	_ = l.control([]rtcp.Packet{report, l.name()}) // the next one comes in time
	return l.due
}

// first sees to it that the report of a line leaves with its first packet.
func (s *Session) first(l *line) {
	l.mu.Lock()
	fresh := l.due.IsZero()
	l.mu.Unlock()
	if fresh {
		now := s.now()
		if pos, ok := s.clock.now(now); ok {
			l.tell(now, pos)
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
		if n := s.video.total.errors.Load(); n > 0 {
			err = fmt.Errorf("%w, and the network refused %d packets to it", err, n)
		}
		return 0, err
	}
	wait := most - silent
	if st == playing {
		if pos, ok := s.clock.now(now); ok {
			for _, l := range []*line{s.video, s.audio} {
				if next := l.tell(now, pos); !next.IsZero() {
					wait = min(wait, next.Sub(now))
				}
			}
		}
	}
	if again := s.talk.look(now); again > 0 {
		wait = min(wait, again)
	}
	return wait, nil
}
