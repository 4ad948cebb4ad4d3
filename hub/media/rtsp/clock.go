package rtsp

import (
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/units"
)

// Limits of what clocks may do.
const (
	fitSpan    = 5 * time.Second // of one bucket of the sliding minute
	fitBuckets = 12
	fitSettle  = 2 * time.Second // after which the fit is only slewed
	fitSlew    = 500e-6          // of the time that went by
	// clockJump is a step after which a clock is taken for a new one.
	clockJump = 5 * time.Second
	// wallStep is a step of the hub's own clock that is followed at once.
	wallStep = 2 * time.Second
	// alignSlew is how fast sound is moved to its picture, of the time that went by;
	// alignLimit is what is believed at all.
	alignSlew  = 20e-3
	alignLimit = 3 * time.Second
)

// fit tells when a unit was taken, by the hub's clock: its time stamp and the least delay
// with which units came in the last minute. Delay by the network is nearly always added, so
// the least one is nearest to the truth; a clock of the camera that runs fast or slow is
// followed slowly, so that the time of a recording never jumps.
type fit struct {
	begun   bool
	start   time.Time
	off     time.Duration // since start, less the time stamp
	last    time.Time
	buckets [fitBuckets]struct {
		n    int64 // which span it holds
		used bool
		low  time.Duration
	}
	wall time.Duration // the hub's wall clock less its steady clock, since start
}

// place notes that the unit at pts came at recv and returns when it was taken.
func (f *fit) place(pts time.Duration, recv time.Time) time.Time {
	since := max(0, recv.Sub(f.start))
	d := since - pts
	if !f.begun || d-f.off > clockJump || d-f.off < -clockJump {
		*f = fit{begun: true, start: recv, last: recv, off: -pts}
		since, d = 0, -pts
	}
	n := int64(since / fitSpan)
	b := &f.buckets[n%fitBuckets]
	if !b.used || b.n != n {
		b.n, b.used, b.low = n, true, d
	}
	b.low = min(b.low, d)
	low := d
	for _, b := range f.buckets {
		if b.used && b.n > n-fitBuckets {
			low = min(low, b.low)
		}
	}
	most := max(0, time.Duration(float64(recv.Sub(f.last))*fitSlew))
	f.last = recv
	if since < fitSettle {
		f.off = min(f.off, low)
	} else {
		f.off += min(max(low-f.off, -most), most)
	}
	return f.at(pts, recv, most)
}

// at is the wall time of pts, by what is known.
func (f *fit) at(pts time.Duration, recv time.Time, most time.Duration) time.Time {
	wall := recv.Round(0).Sub(f.start.Round(0)) - recv.Sub(f.start)
	if d := wall - f.wall; d > wallStep || d < -wallStep {
		f.wall = wall
	} else {
		f.wall += min(max(d, -most), most)
	}
	return f.start.Round(0).Add(pts + f.off + f.wall)
}

// line puts the tracks of one camera onto one line of time, which begins with the first
// unit. Sound is put beside its picture by when both came, and later by sender reports,
// slowly, so that nobody hears it move.
type line struct {
	fit   fit
	begun bool
	zero  time.Time // when the first unit came
	ref   *lane     // the picture, or the only sound
	lanes []*lane
}

// lane is one track's place on the line.
type lane struct {
	track  av.Track
	ref    bool
	begun  bool
	off    time.Duration // added to the track's own time
	last   int64         // pts
	lastAt time.Time
	sr     units.Report // the last believable sender report
	srPTS  int64        // its RTP time on the track's clock
	has    bool
}

func (l *line) lane(t av.Track, ref bool) *lane {
	a := &lane{track: t, ref: ref}
	l.lanes = append(l.lanes, a)
	if ref {
		l.ref = a
	}
	return a
}

// place puts a unit onto the line and returns when it was taken.
func (l *line) place(a *lane, u *av.Unit, recv time.Time) {
	if !l.begun {
		l.begun, l.zero = true, recv
	}
	own := a.track.Duration(u.PTS)
	if !a.begun {
		a.begun = true
		a.off = recv.Sub(l.zero) - own
		if want, ok := l.reported(a); ok {
			a.off = want
		}
	} else if d := a.track.Duration(u.PTS - a.last); d > clockJump || d < -clockJump {
		a.has = false // whoever keeps the ring repairs the jump; reports from before it are void
	}
	if want, ok := l.reported(a); ok && !a.ref {
		most := max(0, time.Duration(float64(recv.Sub(a.lastAt))*alignSlew))
		a.off += min(max(want-a.off, -most), most)
	}
	a.last, a.lastAt = u.PTS, recv
	shift := a.track.Ticks(a.off)
	u.PTS += shift
	u.DTS += shift
	pts := a.track.Duration(u.PTS)
	if a.ref || l.ref == nil || !l.ref.begun {
		u.Wall = l.fit.place(pts, recv)
		return
	}
	u.Wall = l.fit.at(pts, recv, 0)
}

// reported is where sender reports put a lane, beside the one of the picture.
func (l *line) reported(a *lane) (off time.Duration, ok bool) {
	r := l.ref
	if r == nil || a == r || !a.has || !r.has || !r.begun {
		return 0, false
	}
	apart := a.sr.Wall.Sub(r.sr.Wall)
	off = r.track.Duration(r.srPTS) + r.off + apart - a.track.Duration(a.srPTS)
	if d := off - a.off; a.begun && (d > alignLimit || d < -alignLimit) || apart > time.Minute || apart < -time.Minute {
		return 0, false // its clocks have nothing to do with one another
	}
	return off, true
}

// report notes a sender report.
func (a *lane) report(r units.Report, pts int64) {
	a.sr, a.srPTS, a.has = r, pts, r.NTP>>32 != 0
}
