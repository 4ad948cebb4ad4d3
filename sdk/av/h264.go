package av

import (
	"encoding/binary"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
)

// NAL unit types of H.264 (ITU-T H.264 table 7-1).
const (
	nalIDR = 5
	nalSPS = 7
	nalPPS = 8
	nalAUD = 9
)

// ClockVideo is the clock of video as RTP and MPEG use it.
const ClockVideo = 90000

// H264Track describes H.264 by its parameter sets, without start codes.
func H264Track(id uint8, sps, pps []byte) (Track, error) {
	var s h264.SPS
	if len(sps) < 4 {
		return Track{}, fmt.Errorf("h264 sps: %d bytes", len(sps))
	}
	if err := s.Unmarshal(sps); err != nil {
		return Track{}, fmt.Errorf("h264 sps: %w", err)
	}
	return Track{
		ID: id, Kind: Video, Codec: H264, ClockRate: ClockVideo,
		Width: s.Width(), Height: s.Height(), FPS: s.FPS(), Reordered: reorders(&s),
		SPS: sps, PPS: pps,
	}, nil
}

// reorders reports whether pictures are shown in another order than they are sent, as the
// restriction in the VUI (E.2.1) says. Encoders that reorder write one; a camera without
// one does not reorder.
func reorders(s *h264.SPS) bool {
	return s.VUI != nil && s.VUI.BitstreamRestriction != nil && s.VUI.BitstreamRestriction.MaxNumReorderFrames > 0
}

// SplitAnnexB returns the NAL units between start codes (H.264 annex B), as slices of b.
func SplitAnnexB(b []byte) [][]byte {
	var out [][]byte
	start := -1
	for i := 0; i+2 < len(b); {
		if b[i] != 0 || b[i+1] != 0 || b[i+2] != 1 {
			i++
			continue
		}
		if start >= 0 {
			out = appendNAL(out, b[start:i])
		}
		i += 3
		start = i
	}
	if start >= 0 {
		out = appendNAL(out, b[start:])
	}
	return out
}

// appendNAL leaves out the zeros that belong to the next start code.
func appendNAL(out [][]byte, nal []byte) [][]byte {
	for len(nal) > 0 && nal[len(nal)-1] == 0 {
		nal = nal[:len(nal)-1]
	}
	if len(nal) == 0 {
		return out
	}
	return append(out, nal)
}

// JoinNALs puts each NAL unit behind its length, as Unit.Data holds them.
func JoinNALs(nals [][]byte) []byte {
	n := 0
	for _, nal := range nals {
		n += 4 + len(nal)
	}
	out := make([]byte, 0, n)
	for _, nal := range nals {
		out = binary.BigEndian.AppendUint32(out, uint32(len(nal)))
		out = append(out, nal...)
	}
	return out
}

// H264Picture is one access unit of H.264 taken apart.
type H264Picture struct {
	Data     []byte // for Unit.Data, without parameter sets and delimiters
	Key      bool
	SPS, PPS []byte // nil: none in this one
}

// H264FromAnnexB takes one access unit apart: parameter sets go out of the data and are
// returned beside it.
func H264FromAnnexB(b []byte) H264Picture {
	var p H264Picture
	nals := SplitAnnexB(b)
	kept := nals[:0]
	for _, nal := range nals {
		switch nal[0] & 0x1f {
		case nalSPS:
			p.SPS = nal
		case nalPPS:
			p.PPS = nal
		case nalAUD:
		case nalIDR:
			p.Key = true
			kept = append(kept, nal)
		default:
			kept = append(kept, nal)
		}
	}
	p.Data = JoinNALs(kept)
	return p
}

// AnnexB puts start codes in place of the lengths of u's NAL units, with the given
// parameter sets in front.
func (u *Unit) AnnexB(sets ...[]byte) []byte {
	out := make([]byte, 0, len(u.Data)+64)
	for _, s := range sets {
		if len(s) > 0 {
			out = append(append(out, 0, 0, 0, 1), s...)
		}
	}
	u.NALs(func(nal []byte) bool {
		out = append(append(out, 0, 0, 0, 1), nal...)
		return true
	})
	return out
}
