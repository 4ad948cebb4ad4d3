package units

import (
	"errors"

	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmjpeg"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// maxJPEG is the most bytes that may be collected for one picture.
const maxJPEG = av.MaxUnit

// jpegs reads JPEG (RFC 2435), each picture of which is a key frame. Its size stands in the
// packets alone.
type jpegs struct {
	id    uint8
	dec   *rtpmjpeg.Decoder
	track av.Track
	known bool
	seq   sequence
	time  unwrap
	lost  bool
	held  int // bytes in the decoder
	w, h  int // of the picture that is being collected
	notes Notes
}

func newJPEGs(o Options) *jpegs {
	return &jpegs{id: o.ID, dec: new(rtpmjpeg.Decoder), time: unwrap{from: o.Clock, to: av.ClockVideo}}
}

func (r *jpegs) Track() (av.Track, bool) { return r.track, r.known }
func (r *jpegs) Notes() Notes            { return r.notes }

func (r *jpegs) Read(p *Packet, emit func(Unit)) {
	if n, gap := r.seq.gap(p); gap {
		r.notes.Lost += n
		r.lost = true
		r.dec, r.held = new(rtpmjpeg.Decoder), 0
	}
	pts := r.time.ticks(p.Time)
	if len(p.Payload) < 8 {
		return
	}
	if p.Payload[1]|p.Payload[2]|p.Payload[3] == 0 { // fragment offset 0: a new picture
		r.w, r.h, r.held = int(p.Payload[6])*8, int(p.Payload[7])*8, 0
	}
	if r.held += len(p.Payload); r.held > maxJPEG {
		r.drop()
		return
	}
	b, err := r.dec.Decode(p.pion())
	switch {
	case errors.Is(err, rtpmjpeg.ErrMorePacketsNeeded), errors.Is(err, rtpmjpeg.ErrNonStartingPacketAndNoPrevious):
		return
	case err != nil || r.w == 0 || r.h == 0:
		r.drop()
		return
	}
	r.held = 0
	u := Unit{PTS: pts, DTS: pts, Key: true, Data: b, Lost: r.lost}
	r.lost = false
	if !r.known || r.track.Width != r.w || r.track.Height != r.h {
		r.track, r.known = av.MJPEGTrack(r.id, r.w, r.h, 0), true
		t := r.track
		u.Track = &t
	}
	emit(u)
}

func (r *jpegs) drop() {
	r.notes.Damaged++
	r.lost, r.held = true, 0
	r.dec = new(rtpmjpeg.Decoder)
}
