package units

import (
	"bytes"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Limits of one picture.
const (
	maxPicture = av.MaxUnit - 64<<10
	maxNALs    = 2048
	cleanNALs  = 500
	cleanLook  = 256
)

// Without an IDR picture for so many pictures a recovery point is where one may begin:
// encoders that refresh slice by slice never send one (H.264 D.2.8).
const patienceForIDR = 250

type nalKind uint8

const (
	dropped   nalKind = iota // padding, ends, what RTP has no use for
	kept                     // anything else
	slice                    // of a picture
	keySlice                 // of one that a decoder can begin with
	vps                      // parameter sets
	sps                      //
	pps                      //
	prefixSEI                // before the picture that it speaks of
	delimiter
)

// codec is what H.264 and H.265 do differently.
type codec interface {
	kind(nal []byte) nalKind
	// first reports whether a slice is the first of its picture.
	first(nal []byte) bool
	// recovery reports whether SEI announces a recovery point.
	recovery(sei []byte) bool
	// take hands the NAL units of a payload to r.
	take(r *pictures, payload []byte)
	// firstSet is 0 where there is a VPS, else 1.
	firstSet() int
	// describe makes a track of parameter sets; fields: two slices with the same time may
	// both be first; ordered: pictures are sent in the order in which they are shown.
	describe(id uint8, vps, sps, pps []byte) (t av.Track, fields, ordered bool, err error)
	extractor() extractor
}

// pictures reads H.264 or H.265. A picture is put together in one buffer, each NAL unit
// behind its length, and copied out once when it is whole.
type pictures struct {
	codec codec
	o     Options
	seq   sequence
	clock unwrap
	order order
	notes Notes
	emit  func(Unit) // of the packet that is being read

	buf     []byte
	open    int    // where the length of the NAL unit that is being put together stands; -1: none
	nals    int    // in buf
	clean   int    // NAL units without a start code in them, up to cleanNALs
	at      uint32 // RTP time of the picture
	begun   bool   // at is set
	slices  bool   // buf holds one
	key     bool
	resume  bool // buf holds a recovery point
	damaged bool
	gap     bool   // packets are missing before the one that is being read
	torn    bool   // packets are missing before the picture or in front of its first slice
	started bool   // a NAL unit has begun with its beginning
	ended   bool   // a marker ended the picture before
	endedAt uint32 // RTP time of that one

	lost    bool
	waiting int // pictures since the last key frame
	sets    [3][]byte
	pending [3][]byte // as they came last
	ppsHere bool      // this picture has brought one
	track   av.Track
	known   bool
	fields  bool
}

func newPictures(c codec, o Options, vps, sps, pps []byte) *pictures {
	r := &pictures{codec: c, o: o, open: -1, clock: unwrap{from: o.Clock, to: av.ClockVideo}}
	r.notes.Slices = o.Slices
	r.order.new = c.extractor
	r.pending = [3][]byte{vps, sps, pps}
	r.describe()
	return r
}

func (r *pictures) Track() (av.Track, bool) { return r.track, r.known }

func (r *pictures) Notes() Notes {
	n := r.notes
	n.Disorder = r.order.guessed
	return n
}

// Read takes one packet.
func (r *pictures) Read(p *Packet, emit func(Unit)) {
	r.emit = emit
	n, gap := r.seq.gap(p)
	if r.gap = gap; gap {
		r.notes.Lost += n
		r.lost = true
		r.damaged = r.damaged || r.begun && (len(r.buf) > 0 || r.open >= 0)
	}
	if r.begun && p.Time != r.at {
		r.flush(false)
	}
	if !r.begun {
		r.begun, r.at = true, p.Time
	}
	r.torn = r.torn || gap
	if len(p.Payload) > 0 {
		r.codec.take(r, p.Payload)
	}
	if !p.Marker {
		return
	}
	if !r.slices && r.open < 0 && !r.damaged && !r.o.Without("marker") {
		return // it stands on SEI or parameter sets: the picture is still to come
	}
	if !r.notes.Slices {
		r.flush(true)
	}
}

// whole adds a NAL unit that came in one piece.
func (r *pictures) whole(nal []byte) {
	r.closeNAL() // the end bit of the one before is missing
	r.begin(nal)
	r.closeNAL()
}

// begin opens a NAL unit with its first bytes.
func (r *pictures) begin(b ...[]byte) {
	r.closeNAL()
	r.started = true
	if r.nals++; r.nals > maxNALs {
		r.spoil()
	}
	if r.damaged {
		return
	}
	r.open = len(r.buf)
	r.buf = append(r.buf, 0, 0, 0, 0)
	for _, piece := range b {
		r.add(piece)
	}
}

func (r *pictures) add(b []byte) {
	if r.open < 0 {
		return
	}
	if len(r.buf)+len(b) > maxPicture {
		r.spoil()
		return
	}
	r.buf = append(r.buf, b...)
}

// spoil gives the picture up; what still comes of it is not kept.
func (r *pictures) spoil() {
	r.damaged, r.open = true, -1
	r.buf = r.buf[:0]
}

// fragment adds a piece of a NAL unit that came in several; head is its header.
func (r *pictures) fragment(head, b []byte, start, end bool) {
	switch {
	case start:
		r.begin(head, b)
	case r.open >= 0:
		if was := r.buf[r.open+4]; was != head[0] && r.o.Without("fragment_type") {
			r.spoil()
		}
		r.add(b)
	case r.gap || !r.started:
		r.spoil() // its beginning is missing
	default:
		r.begin(head, b) // the start bit is missing, no packet is
	}
	if end {
		r.closeNAL()
	}
}

// closeNAL ends the open NAL unit and looks at what it is.
func (r *pictures) closeNAL() {
	if r.open < 0 {
		return
	}
	at := r.open
	r.open = -1
	nal := r.buf[at+4:]
	if r.startCodes(nal) {
		pieces := av.SplitAnnexB(append([]byte{0, 0, 1}, nal...))
		r.buf = r.buf[:at]
		for _, piece := range pieces {
			if len(r.buf)+4+len(piece) > maxPicture || r.nals > maxNALs {
				r.spoil()
				return
			}
			r.nals++
			at = len(r.buf)
			r.buf = append(append(r.buf, 0, 0, 0, 0), piece...)
			if r.settle(at); r.damaged {
				return
			}
		}
		return
	}
	r.settle(at)
}

// startCodes reports whether a NAL unit is really several, with start codes between them.
// Four bytes that no NAL unit can hold betray them once; from then on three are enough. A
// camera that sent so many without is looked at only where parameter sets would end.
func (r *pictures) startCodes(nal []byte) bool {
	if r.o.Without("annex_b") {
		return false
	}
	if !r.notes.AnnexB {
		if r.clean++; r.clean > cleanNALs {
			r.clean = cleanNALs
			nal = nal[:min(len(nal), cleanLook)]
		}
		r.notes.AnnexB = bytes.HasPrefix(nal, []byte{0, 0, 1}) || bytes.Contains(nal, []byte{0, 0, 0, 1})
	}
	return r.notes.AnnexB
}

// settle decides about the last NAL unit of buf, whose length stands at.
func (r *pictures) settle(at int) {
	nal := r.buf[at+4:]
	if len(nal) == 0 {
		r.buf = r.buf[:at]
		return
	}
	k := r.codec.kind(nal)
	if r.slices && r.beginsNext(k, nal) {
		tail := bytes.Clone(r.buf[at:])
		r.buf = r.buf[:at]
		r.flush(false)
		r.begun = true // the next picture has the same time
		r.buf = append(r.buf[:0], tail...)
		at, r.nals = 0, 1
		nal = r.buf[4:]
	}
	n := len(nal)
	r.buf[at], r.buf[at+1], r.buf[at+2], r.buf[at+3] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	switch k {
	case dropped, delimiter:
		r.buf = r.buf[:at]
	case vps, sps, pps:
		r.keepSet(k, at)
	case prefixSEI:
		r.resume = r.resume || r.codec.recovery(nal)
	case slice, keySlice:
		if !r.slices && !r.codec.first(nal) {
			r.continues()
		}
		r.slices = true
		r.key = r.key || k == keySlice
	}
}

// beginsNext reports whether a NAL unit behind the slices of a picture belongs to the next one.
func (r *pictures) beginsNext(k nalKind, nal []byte) bool {
	switch k {
	case vps, sps, pps, prefixSEI, delimiter:
		return true
	case slice, keySlice:
		return !r.fields && r.codec.first(nal)
	}
	return false
}

// continues meets a slice that is not the first where the first is expected.
func (r *pictures) continues() {
	switch {
	case r.ended && r.endedAt == r.at && !r.o.Without("slices"):
		r.notes.Slices = true // the marker stood on a slice; from now on the time parts pictures
		r.spoil()
	case r.torn:
		r.spoil()
	}
}

// keepSet takes a parameter set out of the picture. A second PPS with another number stays
// in, for decoders to find it.
func (r *pictures) keepSet(k nalKind, at int) {
	nal := r.buf[at+4:]
	i := int(k - vps)
	if k == pps {
		if r.ppsHere && !bytes.Equal(nal, r.pending[i]) {
			return
		}
		r.ppsHere = true
	}
	if !bytes.Equal(nal, r.pending[i]) {
		r.pending[i] = bytes.Clone(nal)
	}
	r.buf = r.buf[:at]
}

// describe takes over the parameter sets that came last; false: they say nothing new.
func (r *pictures) describe() bool {
	for i := r.codec.firstSet(); i < len(r.pending); i++ {
		if len(r.pending[i]) == 0 {
			return false
		}
	}
	same := true
	for i := range r.sets {
		same = same && bytes.Equal(r.sets[i], r.pending[i])
	}
	if same {
		return false
	}
	t, fields, ordered, err := r.codec.describe(r.o.ID, r.pending[0], r.pending[1], r.pending[2])
	if err != nil {
		return false
	}
	r.sets, r.track, r.known, r.fields = r.pending, t, true, fields
	r.order.none = ordered
	return true
}

// flush ends the picture and gives it out if it is whole.
func (r *pictures) flush(marker bool) {
	r.closeNAL()
	defer r.reset()
	r.ended, r.endedAt = marker, r.at
	if r.damaged {
		r.notes.Damaged++
		r.lost = true
		return
	}
	if !r.slices {
		return
	}
	pts := r.clock.ticks(r.at)
	key := r.key
	if r.waiting++; r.resume && r.waiting > patienceForIDR && !r.o.Without("recovery") {
		key, r.notes.NoIDR = true, true
	}
	if key && !r.notes.NoIDR {
		r.waiting = 0
	}
	u := Unit{PTS: pts, Key: key, Lost: r.lost}
	if key || !r.known {
		if r.describe() {
			t := r.track
			u.Track = &t
		}
	}
	if !r.known {
		return
	}
	u.Data = bytes.Clone(r.buf)
	u.PTS, u.DTS = r.order.place(r.sets, u.Data, pts, key)
	r.lost = false
	r.emit(u)
}

// reset makes ready for the next picture.
func (r *pictures) reset() {
	r.buf, r.open, r.nals = r.buf[:0], -1, 0
	r.begun, r.slices, r.key, r.resume = false, false, false, false
	r.damaged, r.torn, r.ppsHere = false, false, false
}
