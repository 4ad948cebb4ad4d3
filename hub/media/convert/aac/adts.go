package aac

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// headerSize of ADTS without a checksum, and the most that one frame of it may have, as
// its length has 13 bits (ISO 13818-7 6.2).
const (
	headerSize = 7
	maxFrame   = 1<<13 - 1
)

// errFrame: no ADTS.
var errFrame = errors.New("no frame of AAC where one should be")

// rates by their number in ADTS (ISO 14496-3 1.6.3.4).
func rates() []int {
	return []int{96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
}

// layout is what the header of each frame of a track says.
type layout struct{ rate, channels byte }

// layoutOf a track of AAC-LC; others have no place in ADTS.
func layoutOf(t av.Track) (layout, error) {
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(t.AudioConfig); err != nil {
		return layout{}, fmt.Errorf("its config: %w", err)
	}
	rate := slices.Index(rates(), c.SampleRate)
	switch {
	case rate < 0:
		return layout{}, fmt.Errorf("it has %d Hz", c.SampleRate)
	case c.ChannelCount < 1 || c.ChannelCount > 6:
		return layout{}, fmt.Errorf("it has %d channels", c.ChannelCount)
	}
	return layout{byte(rate), byte(c.ChannelCount)}, nil
}

// frame puts data behind a header.
func (l layout) frame(b, data []byte) ([]byte, error) {
	n := headerSize + len(data)
	if len(data) == 0 || n > maxFrame {
		return b, fmt.Errorf("a frame of %d bytes", len(data))
	}
	const lc = 1 // profile, one less than the object type
	b = append(b, 0xff, 0xf1, lc<<6|l.rate<<2|l.channels>>2, l.channels<<6|byte(n>>11), byte(n>>3), byte(n)<<5|0x1f, 0xfc)
	return append(b, data...), nil
}

// readFrame takes the data of the next frame.
func readFrame(r *bufio.Reader) ([]byte, error) {
	h, err := r.Peek(headerSize)
	if err != nil {
		return nil, err
	}
	n := int(h[3]&3)<<11 | int(h[4])<<3 | int(h[5])>>5
	head := headerSize
	if h[1]&1 == 0 { // with a checksum
		head += 2
	}
	// Sync word, layer 0, and one block of data in the frame.
	if h[0] != 0xff || h[1]&0xf6 != 0xf0 || h[6]&3 != 0 || n <= head {
		return nil, errFrame
	}
	if _, err := r.Discard(head); err != nil {
		return nil, err
	}
	data := make([]byte, n-head)
	_, err = io.ReadFull(r, data)
	return data, err
}
