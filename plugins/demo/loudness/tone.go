package loudness

import (
	"math"
	"math/bits"
	"math/cmplx"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// maxRate of sound that an Ear listens to; it keeps a second of it.
	maxRate = 48000
	// audible is the least level of a tone, in dB of full scale.
	audible = -60.0
	// pure is the least part of all power that a tone has in it.
	pure = 0.5
)

// Ear keeps the last second of what it hears. The zero value has heard nothing.
type Ear struct {
	rate, channels int
	kept           []float64 // of the first channel, oldest first
}

// Hear takes a unit. Sound that cannot be opened here is not heard.
func (e *Ear) Hear(t av.Track, data []byte) {
	rate, channels := rateOf(t), max(1, t.Channels)
	if rate <= 0 || rate > maxRate {
		return
	}
	if rate != e.rate || channels != e.channels {
		e.rate, e.channels, e.kept = rate, channels, nil
	}
	i := 0
	samples(t, data, func(f float64) {
		if i%channels == 0 {
			e.kept = append(e.kept, f)
		}
		i++
	})
	if over := len(e.kept) - rate; over > 0 {
		e.kept = e.kept[:copy(e.kept, e.kept[over:])]
	}
}

// Tone is the pitch of the last second in Hz, to a tenth; 0: it is silence, noise, or
// not one tone.
func (e *Ear) Tone() float64 {
	n := len(e.kept)
	if n < e.rate/10 || n == 0 {
		return 0
	}
	var sum float64
	size := 1 << bits.Len(uint(n-1))
	x := make([]complex128, size)
	for i, f := range e.kept {
		sum += f * f
		x[i] = complex(f*(0.5-0.5*math.Cos(2*math.Pi*float64(i)/float64(n))), 0) // Hann
	}
	if Level(sum, n) < audible {
		return 0
	}
	transform(x)
	power := make([]float64, size/2)
	best, all := 1, 0.0
	for i := 1; i < len(power); i++ {
		power[i] = real(x[i])*real(x[i]) + imag(x[i])*imag(x[i])
		all += power[i]
		if power[i] > power[best] {
			best = i
		}
	}
	around, lobe := 0.0, 2*size/n+1 // the window spreads a tone over so many on either side
	for i := max(1, best-lobe); i <= min(len(power)-1, best+lobe); i++ {
		around += power[i]
	}
	if around < pure*all || best+1 >= len(power) {
		return 0
	}
	// The top of a parabola through the highest three.
	a, b, c := math.Log(power[best-1]+1e-30), math.Log(power[best]+1e-30), math.Log(power[best+1]+1e-30)
	at := float64(best)
	if d := a - 2*b + c; d != 0 {
		at += 0.5 * (a - c) / d
	}
	return math.Round(at*float64(e.rate)/float64(size)*10) / 10
}

// transform is the discrete Fourier transform of a power of two of samples, in place.
func transform(x []complex128) {
	n := len(x)
	shift := bits.UintSize - bits.Len(uint(n-1))
	for i := range x {
		if j := int(bits.Reverse(uint(i)) >> shift); j > i {
			x[i], x[j] = x[j], x[i]
		}
	}
	for half := 1; half < n; half *= 2 {
		step := cmplx.Rect(1, -math.Pi/float64(half))
		for from := 0; from < n; from += 2 * half {
			w := complex(1, 0)
			for i := from; i < from+half; i++ {
				a, b := x[i], x[i+half]*w
				x[i], x[i+half] = a+b, a-b
				w *= step
			}
		}
	}
}
