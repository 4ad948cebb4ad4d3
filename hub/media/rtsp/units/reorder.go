package units

import (
	"encoding/binary"
	"time"
)

const (
	// reorderSpan is how far ahead of a missing packet others may wait for it.
	reorderSpan = 64
	// reorderWait is how long they wait.
	reorderWait = 100 * time.Millisecond
)

// Reorder puts packets that came by UDP into the order of their numbers and leaves out doubles.
type Reorder struct {
	next   uint16
	begun  bool
	held   [reorderSpan][]byte // by number modulo its size
	count  int
	since  time.Time // when the first of held came
	behind int       // packets in a row that were too old
}

// Push takes a packet and calls emit for each that is due; b is good until emit returns.
func (r *Reorder) Push(b []byte, now time.Time, emit func(b []byte)) {
	if len(b) < 12 {
		return
	}
	seq := binary.BigEndian.Uint16(b[2:])
	if !r.begun {
		r.begun, r.next = true, seq
	}
	ahead := int16(seq - r.next)
	if ahead < 0 {
		if r.behind++; r.behind <= reorderSpan {
			return
		}
		r.flush(emit) // the camera has begun to count anew
		r.next, ahead = seq, 0
	}
	r.behind = 0
	if ahead >= reorderSpan || r.count > 0 && now.Sub(r.since) > reorderWait {
		r.flush(emit)
		if ahead = int16(seq - r.next); ahead < 0 {
			return
		}
		r.next, ahead = seq, 0
	}
	if ahead > 0 {
		if i := seq % reorderSpan; r.held[i] == nil {
			if r.count == 0 {
				r.since = now
			}
			r.held[i] = append([]byte(nil), b...)
			r.count++
		}
		return
	}
	emit(b)
	r.next++
	r.drain(emit)
}

// drain gives out what waited for the packet before it.
func (r *Reorder) drain(emit func(b []byte)) {
	for r.count > 0 {
		i := r.next % reorderSpan
		if r.held[i] == nil {
			return
		}
		b := r.held[i]
		r.held[i] = nil
		r.count--
		r.next++
		emit(b)
	}
}

// flush gives out all that waits, over the gaps.
func (r *Reorder) flush(emit func(b []byte)) {
	for range reorderSpan {
		if r.count == 0 {
			return
		}
		r.drain(emit)
		if r.count > 0 {
			r.next++
		}
	}
}
