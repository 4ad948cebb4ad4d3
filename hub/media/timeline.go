package media

import (
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Limits of time repair.
const (
	// jumpLimit: a step of the time stamps beyond this is not believed at once.
	jumpLimit = 5 * time.Second
	// jumpFrames: a new time is believed when it has lasted for so many units.
	jumpFrames = 3
	// pauseError: a step as long as the units were apart by the hub's clock is a pause of
	// the camera and no jump, if the two differ by less.
	pauseError = time.Second
	// oddError is the same after units that were not believed. A track that takes a small
	// jump for late units parts from its sister, so it is less.
	oddError = 250 * time.Millisecond
	// sameShift: two tracks that land this close after the same shift have jumped together.
	sameShift = time.Second
)

// timeline puts the time stamps of one writer after another onto one line that only goes
// forward, so that readers see a restart as a discontinuity and nothing else. All tracks of
// a writer share one shift, and so stay together.
type timeline struct {
	last     time.Duration // newest dts given out, over all tracks
	lastRecv time.Time     // when; zero: never
	shift    time.Duration // added to what the writer says
	shifted  bool          // the writer's shift is known
	clocks   map[uint8]*clock
	repairs  uint64
}

// clock of one track, in its ticks.
type clock struct {
	off     int64
	lastIn  int64
	lastOut int64
	step    int64 // the last believable one
	odd     int   // units in a row that were not believed
	begun   bool
	recv    time.Time // when the last believed one came
	seen    time.Time // when the last one came, believed or not
}

// begin forgets the last writer's clocks, not the line.
func (t *timeline) begin() {
	t.clocks = make(map[uint8]*clock)
	t.shifted = false
}

// place sets u's PTS and DTS onto the line; true: here the writer's own time jumped.
func (t *timeline) place(u *av.Unit, tr av.Track, now time.Time) (jumped bool) {
	c := t.clocks[u.Track]
	if c == nil {
		c = &clock{step: firstStep(tr)}
		t.clocks[u.Track] = c
	}
	dts, ahead := u.DTS%farthest(tr), u.PTS-u.DTS
	if ahead < 0 || ahead > tr.Ticks(jumpLimit) {
		ahead = 0
	}
	out, jumped := t.step(c, tr, dts, now)
	u.DTS, u.PTS = out, out+ahead
	c.lastOut = out
	if d := tr.Duration(out); t.lastRecv.IsZero() || d > t.last {
		t.last = d
	}
	t.lastRecv = now
	return jumped
}

// farthest is beyond what a clock can say: a hundred years of its ticks, or what can be
// added twice without overflow. What is said beyond it is folded back, and is a jump.
func farthest(tr av.Track) int64 {
	const century, most = 100 * 366 * 24 * 3600, 1 << 61
	return int64(min(uint64(tr.ClockRate)*century, most)) // less than 2^64: a rate has 32 bits, a century of seconds as well
}

func (t *timeline) step(c *clock, tr av.Track, dts int64, now time.Time) (out int64, jumped bool) {
	if !c.begun {
		c.begun, c.recv, c.seen = true, now, now
		if !t.shifted {
			t.shift, t.shifted = t.start(now)-tr.Duration(dts), true
		}
		c.off, c.lastIn = tr.Ticks(t.shift), dts
		// A track whose clock began elsewhere than its sister's goes where it came.
		if at := t.start(now); !t.lastRecv.IsZero() && (tr.Duration(dts+c.off)-at).Abs() > jumpLimit {
			t.repairs++
			c.off = tr.Ticks(at) - dts
		}
		return dts + c.off, false
	}
	d := dts - c.lastIn
	want := c.lastOut + c.step
	if passed := now.Sub(c.seen); passed > jumpLimit {
		want = c.lastOut + tr.Ticks(passed) // a pause, whatever time it says
	}
	c.seen = now
	if !c.believes(tr, d, now) {
		t.repairs++
		c.odd++
		if c.odd < jumpFrames {
			return want, false
		}
		c.land(t, tr, dts, want)
		jumped = true
	} else if d <= tr.Ticks(jumpLimit) {
		c.step = max(1, d/int64(c.odd+1)) // those not believed lie between
	}
	c.odd, c.lastIn, c.recv = 0, dts, now
	return max(dts+c.off, c.lastOut+1), jumped
}

// land puts dts, at which a jump has ended, at want, or where the shift has it that
// another track of the writer has found for the same jump.
func (c *clock) land(t *timeline, tr av.Track, dts, want int64) {
	shared := tr.Ticks(t.shift)
	moved := av.Duration(shared-c.off, tr.ClockRate).Abs() > time.Millisecond // more than rounding
	if off := av.Duration(dts+shared-want, tr.ClockRate).Abs(); moved && off <= sameShift {
		c.off = shared
		return
	}
	c.off = want - dts
	t.shift = tr.Duration(c.off)
}

// believes reports whether a unit may follow the last one by d ticks. One that comes
// after some that were not believed, or after a pause, must have taken as long on its way.
func (c *clock) believes(tr av.Track, d int64, now time.Time) bool {
	if d <= 0 {
		return false
	}
	if c.odd == 0 && d <= tr.Ticks(jumpLimit) {
		return true
	}
	passed := now.Sub(c.recv)
	apart := (tr.Duration(d) - passed).Abs()
	return c.odd > 0 && apart < oddError || passed > jumpLimit-pauseError && apart < pauseError
}

// start is where a new writer's first unit goes: as long after the last one as it came later.
func (t *timeline) start(now time.Time) time.Duration {
	if t.lastRecv.IsZero() {
		return 0
	}
	return t.last + max(now.Sub(t.lastRecv), time.Millisecond)
}

// firstStep is the step of a track of which one unit was seen.
func firstStep(tr av.Track) int64 {
	switch {
	case tr.Kind == av.Video && tr.FPS > 1:
		return max(1, int64(float64(tr.ClockRate)/tr.FPS))
	case tr.Codec == av.AAC:
		return av.AACFrame
	}
	return max(1, int64(tr.ClockRate)/50)
}
