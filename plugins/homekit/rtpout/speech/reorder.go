package speech

import (
	"time"

	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// reorderFor is how long a packet that is missing is waited for.
	reorderFor = 60 * time.Millisecond
	// reorderMost packets wait behind one that is missing.
	reorderMost = 16
	// restart is how far a number may be from the one before; farther away another counts.
	restart = 1000
)

// spoken is one packet in its turn.
type spoken struct {
	seq     uint16
	ts      uint32
	payload []byte
	gap     bool // packets before it are missing
	came    time.Time
}

// reorder puts a viewer's packets in order: one that is missing is waited for 60 ms, and one
// that comes later than that, or twice, is dropped.
type reorder struct {
	rate  int // of the RTP clock
	ssrc  uint32
	begun bool
	next  uint16   // number of the next packet to go
	wait  []spoken // behind a gap, rising

	// Of the packet that went last: its time, what it says it lasts, and our time.
	timed  bool
	lastTS uint32
	lastN  uint16
	lasted time.Duration
	at     int64
}

// push takes a packet; payload is copied.
func (r *reorder) push(h *rtp.Header, payload []byte, now time.Time) {
	d := int16(h.SequenceNumber - r.next)
	if !r.begun || h.SSRC != r.ssrc || d > restart || d < -restart {
		r.begun, r.ssrc, r.next, r.timed = true, h.SSRC, h.SequenceNumber, false
		r.wait, d = r.wait[:0], 0
	}
	if d < 0 {
		return
	}
	i := len(r.wait)
	for i > 0 && int16(h.SequenceNumber-r.wait[i-1].seq) < 0 {
		i--
	}
	if i > 0 && r.wait[i-1].seq == h.SequenceNumber {
		return
	}
	r.wait = append(r.wait, spoken{})
	copy(r.wait[i+1:], r.wait[i:])
	r.wait[i] = spoken{seq: h.SequenceNumber, ts: h.Timestamp, came: now, payload: append([]byte(nil), payload...)}
}

// pop is the next packet whose turn it is.
func (r *reorder) pop(now time.Time) (spoken, bool) {
	if len(r.wait) == 0 {
		return spoken{}, false
	}
	p := r.wait[0]
	if p.seq != r.next {
		if now.Sub(p.came) < reorderFor && len(r.wait) < reorderMost {
			return spoken{}, false
		}
		p.gap = true
	}
	r.next = p.seq + 1
	copy(r.wait, r.wait[1:])
	r.wait[len(r.wait)-1] = spoken{}
	r.wait = r.wait[:len(r.wait)-1]
	return p, true
}

// left is how long what stands behind a missing packet still waits; 0: nothing does.
func (r *reorder) left(now time.Time) time.Duration {
	if len(r.wait) == 0 {
		return 0
	}
	return max(reorderFor-now.Sub(r.wait[0].came), time.Millisecond)
}

// pts is the time of p on the clock of the media socket. HomeKit's RTP clock is the rate that
// was asked for; a sender that counts in 48000 as the rest of the world does (RFC 7587 4.1)
// is known by the first two packets that follow each other.
func (r *reorder) pts(p spoken, lasts time.Duration) int64 {
	if !r.timed {
		r.timed = true
	} else {
		ticks := int64(int32(p.ts - r.lastTS))
		if p.seq == r.lastN+1 && r.rate != talkClock && ticks == av.Ticks(r.lasted, talkClock) {
			r.rate = talkClock
		}
		r.at += max(ticks*talkClock/int64(max(r.rate, 1)), 1)
	}
	r.lastTS, r.lastN, r.lasted = p.ts, p.seq, lasts
	return r.at
}
