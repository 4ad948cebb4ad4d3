package media

import (
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// trackSet is what a run of units belongs to. It does not change; new parameter sets or
// a new writer make a new one with an epoch one higher.
type trackSet struct {
	tracks []av.Track
	epoch  uint32
	video  bool
	size   int64 // bytes that it keeps in memory
}

const (
	// unitCost is what a unit takes beside its data: itself, its slot, its allocations.
	// Without it a flood of empty units would fill the memory and no ring.
	unitCost  = 256
	trackCost = 256
	// maxTracks of a stream: picture, a few sounds, and air.
	maxTracks = 16
)

func sizeOf(tracks []av.Track) (n int64) {
	for _, t := range tracks {
		n += trackCost + int64(len(t.VPS)+len(t.SPS)+len(t.PPS)+len(t.AudioConfig))
	}
	return n
}

func (t *trackSet) track(id uint8) (av.Track, bool) {
	for _, tr := range t.tracks {
		if tr.ID == id {
			return tr, true
		}
	}
	return av.Track{}, false
}

// slot is a unit in the ring.
type slot struct {
	unit  *av.Unit
	recv  time.Time
	set   *trackSet
	video bool
	// shared: the data is another ring's too, which pays for it.
	shared bool
	cost   int64
}

// ring is a queue of slots with running numbers. An entry is a slot at which a reader can
// begin: a key frame, or of a stream without video one unit each half second.
type ring struct {
	buf     []slot // a power of two long
	first   uint64 // number of the oldest slot
	n       int
	bytes   int64    // cost of all slots
	entries []uint64 // numbers of the entries in the ring, rising
	passed  uint64   // entries that have left the ring
}

func (r *ring) end() uint64 { return r.first + uint64(r.n) }

func (r *ring) at(seq uint64) *slot { return &r.buf[seq&uint64(len(r.buf)-1)] }

// push gives the slot's cost, in bytes.
func (r *ring) push(s slot, entry bool) int64 {
	s.cost = unitCost
	if !s.shared {
		s.cost += int64(len(s.unit.Data))
	}
	if r.n == 0 || r.at(r.end()-1).set != s.set {
		s.cost += s.set.size // of the first that belongs to it
	}
	if r.n == len(r.buf) {
		r.grow()
	}
	if entry {
		r.entries = append(r.entries, r.end())
	}
	*r.at(r.end()) = s
	r.n++
	r.bytes += s.cost
	return s.cost
}

func (r *ring) grow() {
	old := *r
	r.buf = make([]slot, max(256, 2*len(old.buf)))
	for seq := old.first; seq < old.end(); seq++ {
		*r.at(seq) = *old.at(seq)
	}
}

// dropTo removes what is older than seq and returns its bytes.
func (r *ring) dropTo(seq uint64) int64 {
	before := r.bytes
	for r.n > 0 && r.first < seq {
		s := r.at(r.first)
		r.bytes -= s.cost
		*s = slot{}
		if len(r.entries) > 0 && r.entries[0] == r.first {
			r.entries = r.entries[1:]
			r.passed++
		}
		r.first++
		r.n--
	}
	return before - r.bytes
}

// second is the oldest entry behind the first slot: up to it a whole GOP can go.
func (r *ring) second() (uint64, bool) {
	for _, e := range r.entries {
		if e > r.first {
			return e, true
		}
	}
	return 0, false
}

// newest entry in the ring.
func (r *ring) newest() (uint64, bool) {
	if len(r.entries) == 0 {
		return 0, false
	}
	return r.entries[len(r.entries)-1], true
}

// entryFrom is the oldest entry at or behind seq.
func (r *ring) entryFrom(seq uint64) (uint64, bool) {
	for _, e := range r.entries {
		if e >= seq {
			return e, true
		}
	}
	return 0, false
}

// entryBefore is the newest entry that was received at or before t, else the oldest one.
func (r *ring) entryBefore(t time.Time) (uint64, bool) {
	if len(r.entries) == 0 {
		return 0, false
	}
	found := r.entries[0]
	for _, e := range r.entries[1:] {
		if r.at(e).recv.After(t) {
			break
		}
		found = e
	}
	return found, true
}

// ordinal counts the entries up to and with seq since the stream began.
func (r *ring) ordinal(seq uint64) uint64 {
	n := r.passed
	for _, e := range r.entries {
		if e <= seq {
			n++
		}
	}
	return n
}
