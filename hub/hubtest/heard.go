package hubtest

import (
	"encoding/binary"
	"math"
	"os"
	"testing"
)

// Heard reads what a Camera's back channel wrote: samples of full scale 1.
func Heard(tb testing.TB, file string) []float64 {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		tb.Fatal(err)
	}
	pcm := make([]float64, len(b)/2)
	for i := range pcm {
		pcm[i] = float64(int16(binary.NativeEndian.Uint16(b[2*i:]))) / 32768
	}
	return pcm
}

// Pitch is the strongest frequency of samples between 100 Hz and 3500 Hz, to 10 Hz, and
// which part of their power it has: 1 is a pure tone. Silence has none.
func Pitch(pcm []float64, rate float64) (hz, part float64) {
	var all float64
	for _, v := range pcm {
		all += v * v
	}
	if all < 1e-6*float64(len(pcm)) {
		return 0, 0
	}
	var best float64
	for f := 100.0; f <= 3500; f += 10 {
		// Goertzel's algorithm: the power at one frequency.
		var s1, s2 float64
		c := 2 * math.Cos(2*math.Pi*f/rate)
		for _, v := range pcm {
			s1, s2 = v+c*s1-s2, s1
		}
		if p := s1*s1 + s2*s2 - c*s1*s2; p > best {
			best, hz = p, f
		}
	}
	return hz, 2 * best / all / float64(len(pcm))
}
