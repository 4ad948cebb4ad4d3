package sound

import (
	"errors"
	"fmt"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// ErrUnsupported: this codec, or this rate of it, is not made here.
var ErrUnsupported = errors.New("not a sound that is turned here")

const (
	minRate, maxRate = 4000, 192000
	maxChannels      = 8
	// maxSeconds of one unit; sound comes in pieces of milliseconds.
	maxSeconds = 2
)

// Decoder makes samples of units: one channel, 16 bits. It is not for two goroutines at once.
type Decoder struct {
	codec    av.Codec
	rate     int
	channels int
	table    *[256]int16
	opus     *opusDecoder
	pcm      []int16
}

// NewDecoder decodes track. Opus comes out at the rate that it knows next above near
// (48 kHz for 0); the others at their own.
func NewDecoder(track av.Track, near int) (*Decoder, error) {
	d := &Decoder{codec: track.Codec, rate: track.SampleRate, channels: max(track.Channels, 1)}
	switch track.Codec {
	case av.PCMU:
		d.table = muTable()
	case av.PCMA:
		d.table = aTable()
	case av.L16:
	case av.Opus:
		d.rate = 48000
		if near > 0 {
			d.rate = opusRate(near)
		}
		if d.channels > 2 {
			return nil, fmt.Errorf("opus of %d channels: %w", d.channels, ErrUnsupported)
		}
		o, err := newOpusDecoder(d.rate)
		if err != nil {
			return nil, err
		}
		d.opus = o
		return d, nil
	default:
		return nil, fmt.Errorf("%s: %w", track.Codec, ErrUnsupported)
	}
	if d.rate == 0 {
		d.rate = int(track.ClockRate)
	}
	if d.rate < minRate || d.rate > maxRate || d.channels > maxChannels {
		return nil, fmt.Errorf("%s of %d Hz and %d channels: %w", track.Codec, d.rate, d.channels, ErrUnsupported)
	}
	return d, nil
}

// Rate of the samples.
func (d *Decoder) Rate() int { return d.rate }

// Decode returns the samples of one unit's data, good until the next call. An error
// costs this unit only.
func (d *Decoder) Decode(data []byte) ([]int16, error) {
	if d.opus != nil {
		return d.opus.decode(data)
	}
	width := d.channels
	if d.codec == av.L16 {
		width *= 2
	}
	n := len(data) / width
	if n > maxSeconds*d.rate {
		return nil, fmt.Errorf("%s: a unit of more than %d s", d.codec, maxSeconds)
	}
	d.pcm = d.pcm[:0]
	for i := range n {
		frame := data[i*width : (i+1)*width]
		var sum int32
		if d.codec == av.L16 {
			for c := range d.channels {
				sum += int32(int16(uint16(frame[2*c])<<8 | uint16(frame[2*c+1])))
			}
		} else {
			for _, b := range frame {
				sum += int32(d.table[b])
			}
		}
		d.pcm = append(d.pcm, int16(sum/int32(d.channels)))
	}
	return d.pcm, nil
}

// Reset forgets what came before.
func (d *Decoder) Reset() {
	if d.opus != nil {
		d.opus.reset()
	}
}
