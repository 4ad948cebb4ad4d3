package rtpout

import (
	"time"
)

const (
	// Reports: what is sent when nothing is asked, and what is made of odd wishes.
	videoReports = 500 * time.Millisecond
	audioReports = 5 * time.Second
	reportLeast  = 100 * time.Millisecond
	reportMost   = 30 * time.Second

	// silentFor is the least time after which a viewer that sends no report is gone; it is
	// silentReports intervals if they are longer.
	silentFor     = 10 * time.Second
	silentReports = 5
	// pausedFor is the same while the viewer has asked to be sent nothing.
	pausedFor = 60 * time.Second
)

func (v VideoParams) fixed() VideoParams {
	v.RTCP = interval(v.RTCP, videoReports)
	return v
}

func (a AudioParams) fixed() AudioParams {
	a.RTCP = interval(a.RTCP, audioReports)
	if a.Packet <= 0 {
		a.Packet = 20 * time.Millisecond
	}
	a.Packet = min(max(a.Packet, 20*time.Millisecond), 120*time.Millisecond)
	return a
}

// merged is v with what of w is not zero.
func (v VideoParams) merged(w VideoParams) VideoParams {
	keep := func(to *int, from int) {
		if from != 0 {
			*to = from
		}
	}
	keep(&v.Kbps, w.Kbps)
	keep(&v.MTU, w.MTU)
	keep(&v.Width, w.Width)
	keep(&v.Height, w.Height)
	keep(&v.FPS, w.FPS)
	if w.RTCP > 0 {
		v.RTCP = interval(w.RTCP, videoReports)
	}
	if w.Level != 0 {
		v.Level = w.Level
	}
	return v
}

func interval(d, usual time.Duration) time.Duration {
	if d <= 0 {
		return usual
	}
	return min(max(d, reportLeast), reportMost)
}

// patience is how long a viewer may be silent.
func patience(s state, reports time.Duration) time.Duration {
	if s == suspended {
		return max(pausedFor, silentReports*reports)
	}
	return max(silentFor, silentReports*reports)
}
