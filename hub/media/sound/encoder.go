package sound

import (
	"cmp"
	"fmt"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// perSecond is how many pieces a second of sound is made into: 20 ms each.
const perSecond = 50

// speechRate: sound of no more than this has what a voice has.
const speechRate = 24000

// Encoder makes units' data of samples, 20 ms at a time. It is not for two goroutines at once.
type Encoder struct {
	track av.Track
	rate  int
	opus  *opusEncoder
}

// NewEncoder encodes to what is asked, of sound that has no more than source Hz. Zero
// fields: the rate nearest to the source's that the codec has, and for Opus 32 kbit/s for
// up to 24 kHz, which is made as speech, and 48 for more. All is one channel, and Opus of
// one size (CBR).
func NewEncoder(id uint8, to av.AudioRendition, source int) (*Encoder, error) {
	if to.Channels > 1 {
		return nil, fmt.Errorf("%s of %d channels: %w", to.Codec, to.Channels, ErrUnsupported)
	}
	e := &Encoder{rate: cmp.Or(to.SampleRate, source)}
	switch to.Codec {
	case av.PCMU, av.PCMA: // 8000 for all but who asks otherwise (RFC 3551 4.5.14)
		e.rate = cmp.Or(to.SampleRate, 8000)
	case av.L16:
	case av.Opus:
		e.rate = opusRate(e.rate)
		kbps, speech := 48, min(e.rate, source) <= speechRate
		if speech {
			kbps = 32
		}
		if to.Kbps > 0 {
			kbps = min(max(to.Kbps, 8), 256)
		}
		o, err := newOpusEncoder(e.rate, kbps*1000, speech)
		if err != nil {
			return nil, err
		}
		e.opus, e.track = o, av.OpusTrack(id, 1)
		return e, nil
	default:
		return nil, fmt.Errorf("%s: %w", to.Codec, ErrUnsupported)
	}
	// A piece of 20 ms has a whole number of samples.
	if e.rate < minRate || e.rate > maxRate || e.rate%perSecond != 0 {
		return nil, fmt.Errorf("%s of %d Hz: %w", to.Codec, e.rate, ErrUnsupported)
	}
	e.track = av.PCMTrack(id, to.Codec, e.rate, 1)
	return e, nil
}

// Track that comes out.
func (e *Encoder) Track() av.Track { return e.track }

// Rate of the samples that go in.
func (e *Encoder) Rate() int { return e.rate }

// Frame is how many samples one Encode takes.
func (e *Encoder) Frame() int { return e.rate / perSecond }

// Encode makes the data of one unit of Frame samples.
func (e *Encoder) Encode(pcm []int16) ([]byte, error) {
	if len(pcm) != e.Frame() {
		return nil, fmt.Errorf("%s: %d samples instead of %d", e.track.Codec, len(pcm), e.Frame())
	}
	if e.opus != nil {
		return e.opus.encode(pcm)
	}
	if e.track.Codec == av.L16 {
		out := make([]byte, 0, 2*len(pcm))
		for _, s := range pcm {
			out = append(out, byte(uint16(s)>>8), byte(s))
		}
		return out, nil
	}
	code := muCode
	if e.track.Codec == av.PCMA {
		code = aCode
	}
	out := make([]byte, len(pcm))
	for i, s := range pcm {
		out[i] = code(s)
	}
	return out, nil
}

// Reset forgets what came before.
func (e *Encoder) Reset() {
	if e.opus != nil {
		e.opus.reset()
	}
}
