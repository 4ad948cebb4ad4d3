package units

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// hevc is H.265.
type hevc struct{}

func (hevc) kind(nal []byte) nalKind {
	if len(nal) < 3 {
		return dropped
	}
	switch t := nal[0] >> 1 & 0x3f; { // ITU-T H.265 table 7-1
	case t <= 15:
		return slice
	case t <= 21: // BLA, IDR, CRA
		return keySlice
	case t <= 31:
		return slice
	case t == 32:
		return vps
	case t == 33:
		return sps
	case t == 34:
		return pps
	case t == 35:
		return delimiter
	case t == 39:
		return prefixSEI
	case t == 40: // SEI behind the picture
		return kept
	}
	return dropped
}

// first: first_slice_segment_in_pic_flag (7.3.6.1).
func (hevc) first(nal []byte) bool { return nal[2]&0x80 != 0 }

// recovery: the first message of the SEI is a recovery point (D.2.1).
func (hevc) recovery(sei []byte) bool { return sei[2] == 6 }

func (hevc) take(r *pictures, b []byte) {
	if len(b) < 3 {
		r.spoil()
		return
	}
	switch b[0] >> 1 & 0x3f { // RFC 7798 4.4
	case 48: // aggregation
		aggregate(r, b[2:])
	case 49: // fragmentation
		r.fragment([]byte{b[0]&0x81 | b[2]&0x3f<<1, b[1]}, b[3:], b[2]&0x80 != 0, b[2]&0x40 != 0)
	case 50:
		r.spoil()
	default:
		r.whole(b)
	}
}

func (hevc) firstSet() int { return 0 }

func (hevc) describe(id uint8, vpsNAL, spsNAL, ppsNAL []byte) (t av.Track, fields, ordered bool, err error) {
	t, err = av.H265Track(id, vpsNAL, spsNAL, ppsNAL)
	if err != nil {
		return t, false, false, err
	}
	var p h265.PPS
	if err := p.Unmarshal(ppsNAL); err != nil {
		return t, false, false, err
	}
	return t, false, !t.Reordered, nil
}

func (hevc) extractor() extractor {
	x := new(h265.DTSExtractor)
	x.Initialize()
	return x
}
