package units

import (
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// avc is H.264.
type avc struct{}

func (avc) kind(nal []byte) nalKind {
	switch t := nal[0] & 0x1f; t { // ITU-T H.264 table 7-1
	case 1, 2, 3, 4:
		return slice
	case 5:
		return keySlice
	case 6:
		return prefixSEI
	case 7:
		return sps
	case 8:
		return pps
	case 9:
		return delimiter
	case 0, 10, 11, 12:
		return dropped
	default:
		if t >= 22 {
			return dropped
		}
		return kept
	}
}

// first: first_mb_in_slice is 0, which Exp-Golomb writes as one set bit (7.3.3).
func (avc) first(nal []byte) bool { return len(nal) > 1 && nal[1]&0x80 != 0 }

// recovery: the first message of the SEI is a recovery point (D.1).
func (avc) recovery(sei []byte) bool { return len(sei) > 1 && sei[1] == 6 }

func (avc) take(r *pictures, b []byte) {
	switch b[0] & 0x1f { // RFC 6184 5.2
	case 24: // STAP-A: sizes and NAL units
		aggregate(r, b[1:])
	case 28: // FU-A
		if len(b) < 2 {
			r.spoil()
			return
		}
		r.fragment([]byte{b[0]&0xe0 | b[1]&0x1f}, b[2:], b[1]&0x80 != 0, b[1]&0x40 != 0)
	case 25, 26, 27, 29: // with an order of decoding of its own, which nobody asked for
		r.spoil()
	default:
		r.whole(b)
	}
}

// aggregate takes NAL units that each stand behind a size of two bytes. Zeros at the end are padding.
func aggregate(r *pictures, b []byte) {
	for len(b) >= 2 {
		n := int(b[0])<<8 | int(b[1])
		if n == 0 {
			return
		}
		if n > len(b)-2 {
			r.spoil()
			return
		}
		r.whole(b[2 : 2+n])
		b = b[2+n:]
	}
}

func (avc) firstSet() int { return 1 }

func (avc) describe(id uint8, _, spsNAL, ppsNAL []byte) (t av.Track, fields, ordered bool, err error) {
	t, err = av.H264Track(id, spsNAL, ppsNAL)
	if err != nil {
		return t, false, false, err
	}
	var s h264.SPS
	if err := s.Unmarshal(spsNAL); err != nil {
		return t, false, false, err
	}
	const baseline = 66 // has no B slices (A.2.1)
	ordered = s.ProfileIdc == baseline || s.PicOrderCntType == 2 ||
		s.VUI != nil && s.VUI.BitstreamRestriction != nil && s.VUI.BitstreamRestriction.MaxNumReorderFrames == 0
	return t, !s.FrameMbsOnlyFlag, ordered, nil
}

func (avc) extractor() extractor {
	x := new(h264.DTSExtractor)
	x.Initialize()
	return x
}
