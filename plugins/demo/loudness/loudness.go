package loudness

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Silence is the level of nothing, in dB of full scale.
const Silence = -96.0

// Level of samples whose squares add up to sum, in dB of full scale, to a tenth.
func Level(sum float64, n int) float64 {
	if n == 0 || sum == 0 {
		return Silence
	}
	return math.Round(max(Silence, 10*math.Log10(sum/float64(n)))*10) / 10
}

// Measure tells how long a unit sounds and how loud. AAC and Opus are only timed:
// there is no decoder for them here.
func Measure(t av.Track, data []byte) (d time.Duration, sum float64, n int) {
	rate := rateOf(t)
	if rate <= 0 {
		return 0, 0, 0
	}
	switch t.Codec {
	case av.AAC:
		return time.Duration(1024) * time.Second / time.Duration(rate), 0, 0
	case av.Opus:
		return opusDuration(data), 0, 0
	}
	samples(t, data, func(f float64) {
		sum += f * f
		n++
	})
	return time.Duration(n/max(1, t.Channels)) * time.Second / time.Duration(rate), sum, n
}

func rateOf(t av.Track) int {
	if t.SampleRate == 0 {
		return int(t.ClockRate)
	}
	return t.SampleRate
}

// samples calls add with each sample, channel after channel, full scale 1.
func samples(t av.Track, data []byte, add func(float64)) {
	switch t.Codec {
	case av.L16: // network order, RFC 3551 4.5.11
		for ; len(data) >= 2; data = data[2:] {
			add(float64(int16(binary.BigEndian.Uint16(data))) / 32768)
		}
	case av.PCMU:
		for _, b := range data {
			add(float64(ulaw(b)) / 32768)
		}
	case av.PCMA:
		for _, b := range data {
			add(float64(alaw(b)) / 32768)
		}
	}
}

// ulaw opens one byte of G.711 mu-law (ITU-T G.711 table 2a).
func ulaw(b byte) int16 {
	b = ^b
	v := (int(b&15)<<3 + 0x84) << (b >> 4 & 7)
	if b&0x80 != 0 {
		return int16(0x84 - v)
	}
	return int16(v - 0x84)
}

// alaw opens one byte of G.711 A-law (ITU-T G.711 table 1a).
func alaw(b byte) int16 {
	b ^= 0x55
	v := int(b&15)<<4 + 8
	if e := b >> 4 & 7; e > 0 {
		v = (v + 0x100) << (e - 1)
	}
	if b&0x80 == 0 {
		return int16(-v)
	}
	return int16(v)
}

// opusDuration reads a packet's length off its first bytes (RFC 6716 3.1, 3.2).
func opusDuration(p []byte) time.Duration {
	if len(p) == 0 {
		return 0
	}
	var each time.Duration
	switch c := p[0] >> 3; {
	case c < 12: // SILK
		each = []time.Duration{10, 20, 40, 60}[c&3] * time.Millisecond
	case c < 16: // hybrid
		each = []time.Duration{10, 20}[c&1] * time.Millisecond
	default: // CELT
		each = 2500 * time.Microsecond << (c & 3)
	}
	switch p[0] & 3 {
	case 0:
		return each
	case 1, 2:
		return 2 * each
	}
	if len(p) < 2 {
		return 0
	}
	return min(each*time.Duration(p[1]&63), 120*time.Millisecond)
}
