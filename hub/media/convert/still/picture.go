package still

import (
	"errors"
	"fmt"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// maxPixels of a picture: two 4K sensors side by side and a little. A decoder holds a
	// few of them, 30 MB each.
	maxPixels = 20 << 20
	// maxNALs of one unit; each slice of a 4K picture in pieces of 1,200 bytes is under it.
	maxNALs = 4096
)

// picture is a key frame as the decoder is to see it, and the size that it will have.
type picture struct {
	codec         av.Codec
	annexB        []byte
	width, height int
}

func (p *picture) size() int { return planes(p.width, p.height) }

// planes is how many bytes a picture of 4:2:0 has.
func planes(w, h int) int { return w*h + 2*((w+1)/2)*((h+1)/2) }

var (
	errNoSlice = errors.New("it holds no picture")
	errSizes   = errors.New("its parameter sets are of different sizes")
)

// dress takes from a unit what belongs to its picture, behind its parameter sets. Every
// size that the decoder will hear of is looked at before.
func dress(u *av.Unit, t av.Track) (*picture, error) {
	p := &picture{codec: t.Codec}
	var sets [][]byte
	switch t.Codec {
	case av.H264:
		sets = [][]byte{t.SPS, t.PPS}
	case av.H265:
		sets = [][]byte{t.VPS, t.SPS, t.PPS}
	default:
		return nil, fmt.Errorf("it is %s", t.Codec)
	}
	if len(u.Data) > av.MaxUnit {
		return nil, fmt.Errorf("it has %d bytes", len(u.Data)) // before room is made
	}
	p.annexB = make([]byte, 0, len(u.Data)+len(t.VPS)+len(t.SPS)+len(t.PPS)+64)
	for _, set := range sets {
		if len(set) == 0 {
			continue
		}
		if _, err := p.add(set); err != nil {
			return nil, err
		}
	}
	if err := p.take(u); err != nil {
		return nil, err
	}
	if p.width == 0 {
		return nil, errors.New("its parameter sets are missing")
	}
	return p, nil
}

// take adds what belongs to the picture of one more unit.
func (p *picture) take(u *av.Unit) error {
	if len(u.Data) > av.MaxUnit {
		return fmt.Errorf("it has %d bytes", len(u.Data))
	}
	slices, n := 0, 0
	var err error
	u.NALs(func(nal []byte) bool {
		var slice bool
		if slice, err = p.add(nal); slice {
			slices++
		}
		if n++; n > maxNALs {
			err = fmt.Errorf("it is in more than %d pieces", maxNALs)
		}
		return err == nil
	})
	if err == nil && slices == 0 {
		err = errNoSlice
	}
	return err
}

// add appends what a decoder needs of a picture and leaves the rest out: delimiters, ends
// of sequences and of streams, filler, other layers and views.
func (p *picture) add(nal []byte) (slice bool, err error) {
	if len(nal) < 2 {
		return false, nil
	}
	var sps bool
	if p.codec == av.H264 {
		switch nal[0] & 0x1f { // table 7-1
		case 1, 5:
			slice = true
		case 6, 8: // SEI tells of recovery points: of some cameras no key frame is an IDR
		case 7:
			sps = true
		default:
			return false, nil
		}
	} else {
		if nal[0]&1 != 0 || nal[1]>>3 != 0 { // nuh_layer_id
			return false, nil
		}
		switch k := nal[0] >> 1 & 0x3f; { // table 7-1
		case k <= 21:
			slice = true
		case k == 32, k == 34:
		case k == 33:
			sps = true
		default:
			return false, nil
		}
	}
	if sps {
		if err := p.measure(nal); err != nil {
			return false, err
		}
	}
	p.annexB = append(append(p.annexB, 0, 0, 0, 1), nal...)
	return slice, nil
}

// measure reads the size that a sequence parameter set says.
func (p *picture) measure(sps []byte) error {
	var w, h int
	if p.codec == av.H264 {
		var s h264.SPS
		if err := s.Unmarshal(sps); err != nil {
			return fmt.Errorf("sps: %w", err)
		}
		w, h = s.Width(), s.Height()
	} else {
		var s h265.SPS
		if err := s.Unmarshal(sps); err != nil {
			return fmt.Errorf("sps: %w", err)
		}
		w, h = s.Width(), s.Height()
	}
	switch {
	case w < minSide || h < minSide || w > 1<<15 || h > 1<<15 || w*h > maxPixels:
		return fmt.Errorf("it would have %dx%d pixels", w, h)
	case p.width != 0 && (p.width != w || p.height != h):
		return errSizes
	}
	p.width, p.height = w, h
	return nil
}
