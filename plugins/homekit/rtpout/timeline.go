package rtpout

import (
	"sync"
	"time"
)

const (
	// catchUp is over how long the pictures since the key frame go out at the beginning, and
	// catchUpAgain when they are repeated: then the way is full already.
	catchUp      = 200 * time.Millisecond
	catchUpAgain = 500 * time.Millisecond
	// oldest is the most that a unit's age is believed.
	oldest = 10 * time.Second
	// jump is how far a stream's clock may be from ours before it counts as another's.
	jump = 3 * time.Second
	// joint is the same where two streams meet.
	joint = 500 * time.Millisecond
	// fetched is how long a unit that waits for us takes to come; one that takes longer is
	// made just now.
	fetched = 20 * time.Millisecond
)

// timeline puts the times of all that plays on one line, which goes as our clock does: what
// is captured now is at now(). So picture and sound stay in step through other streams,
// pauses, and cameras whose clock jumps. Guarded by its own lock, since reports read it.
type timeline struct {
	mu  sync.Mutex
	set bool
	// The position anchor was now at anchorAt.
	anchor   time.Duration
	anchorAt time.Time
	shift    time.Duration // from the source's position to ours
	// The position told was captured at toldAt: that is what reports say. It is steadier than
	// when units come, and the same for picture and sound whenever they report.
	told   time.Duration
	toldAt time.Time

	// The past of what plays: from where to where, and how it goes out.
	behind     bool // what leads has not come to now yet
	from, live time.Duration
	began      time.Time
	over       time.Duration
}

// now is the position of what is captured now.
func (t *timeline) now(at time.Time) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.anchor + at.Sub(t.anchorAt), t.set
}

// captured is the position of what is captured at that moment, for reports.
func (t *timeline) captured(at time.Time) (time.Duration, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.told + at.Sub(t.toldAt), t.set
}

// moment is when a unit is at hand: now, when it was captured, and how long it was waited for.
type moment struct {
	at, wall time.Time
	waited   time.Duration
}

// begin is called with the first unit of what plays now: its position, and when it was captured.
func (t *timeline) begin(pos time.Duration, wall, at time.Time, over time.Duration) {
	age := time.Duration(0)
	if !wall.IsZero() {
		age = min(max(at.Sub(wall), 0), oldest)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.set {
		t.set, t.anchor, t.anchorAt = true, pos+age, at
		t.shift = 0
	}
	want := t.anchor + at.Sub(t.anchorAt)
	if d := want - (pos + age + t.shift); d > joint || d < -joint {
		t.shift = want - pos - age
	}
	t.from = pos + t.shift
	t.live = min(t.from+age, max(want, t.from)) // a little of it may be newer than now was
	t.told, t.toldAt = t.from, at.Add(-age)
	t.began, t.over, t.behind = at, min(over, age/2), age > 0
}

// place says where on the line a unit of the source's position pos is: when it is to leave,
// and which position it gets. Pictures of the past get times close together, right before
// now, as they leave: with their own, a viewer would believe that now is seconds away. One
// medium leads: the line follows its clock.
func (t *timeline) place(pos time.Duration, m moment, leads bool) (stamp time.Duration, leave time.Time, past bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	pos += t.shift
	at := m.at
	if t.behind && pos >= t.from && pos < t.live {
		part := time.Duration(float64(t.over) * float64(pos-t.from) / float64(t.live-t.from))
		stamp = t.live - t.over + part
		if !leads || m.waited < fetched || pos == t.from {
			return stamp, t.began.Add(part), true
		}
		// Who makes the picture is slow, and this is as new as it gets: it goes on from here.
		t.behind = false
		t.shift += stamp - pos
		t.tell(stamp, m)
		return stamp, at, false
	}
	if !leads {
		return pos, at, t.behind && pos < t.live
	}
	t.behind = false
	late := t.anchor + at.Sub(t.anchorAt) - pos
	if late > jump || late < -jump {
		t.shift += late
		t.tell(pos+late, m)
		return pos + late, at, false
	}
	// A sixteenth of what it is late, so that one late packet is not a new clock.
	t.anchorAt = t.anchorAt.Add(late / 16)
	t.tell(pos, m)
	return pos, at, false
}

// tell notes when the unit at pos was captured; the lock is held.
func (t *timeline) tell(pos time.Duration, m moment) {
	if age := m.at.Sub(m.wall); !m.wall.IsZero() && age > -oldest && age < oldest {
		t.told, t.toldAt = pos, m.wall
		return
	}
	t.told, t.toldAt = t.anchor, t.anchorAt
}
