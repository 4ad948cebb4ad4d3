package loudness

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func l16(n int, f func(i int) float64) []byte {
	var b []byte
	for i := range n {
		b = binary.BigEndian.AppendUint16(b, uint16(int16(32767*f(i))))
	}
	return b
}

func TestTone(t *testing.T) {
	sine := func(hz, level float64) func(int) float64 {
		return func(i int) float64 { return level * math.Sin(2*math.Pi*hz*float64(i)/16000) }
	}
	noise := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		f    func(int) float64
		want float64
	}{
		"1 kHz":                     {sine(1000, 0.5), 1000},
		"440 Hz, soft":              {sine(440, 0.01), 440},
		"a low voice":               {sine(97.3, 0.3), 97.3},
		"3 kHz under a little hiss": {func(i int) float64 { return 0.3*math.Sin(2*math.Pi*3000*float64(i)/16000) + 0.05*noise.Float64() }, 3000},
		"silence":                   {func(int) float64 { return 0 }, 0},
		"nearly silence":            {sine(1000, 0.0003), 0},
		"noise":                     {func(int) float64 { return noise.Float64() - 0.5 }, 0},
		"three tones": {func(i int) float64 {
			return 0.2 * (math.Sin(float64(i)*0.1) + math.Sin(float64(i)*0.31) + math.Sin(float64(i)*0.77))
		}, 0},
	} {
		var e Ear
		for _, b := range [][]byte{l16(16000, sine(2000, 0.9)), l16(16000, c.f)} { // the second before does not count
			for ; len(b) >= 640; b = b[640:] {
				e.Hear(av.PCMTrack(1, av.L16, 16000, 1), b[:640])
			}
		}
		if got := e.Tone(); math.Abs(got-c.want) > 1 {
			t.Errorf("%s: %v Hz, want %v", name, got, c.want)
		}
	}
	var e Ear
	if e.Tone() != 0 {
		t.Error("it hears what nobody said")
	}
	e.Hear(av.PCMTrack(1, av.L16, 1<<30, 1), make([]byte, 10))
	e.Hear(av.OpusTrack(1, 1), make([]byte, 10))
	if e.Tone() != 0 {
		t.Error("it hears what it cannot open")
	}
}

func FuzzEar(f *testing.F) {
	f.Add("l16", 16000, 1, l16(320, func(i int) float64 { return float64(i%3) / 3 }))
	f.Add("pcmu", 8000, 2, []byte("hello"))
	f.Fuzz(func(t *testing.T, codec string, rate, channels int, data []byte) {
		var e Ear
		for range 3 {
			e.Hear(av.Track{Codec: av.Codec(codec), SampleRate: rate, Channels: channels}, data)
		}
		if hz := e.Tone(); math.IsNaN(hz) || hz < 0 || hz > maxRate {
			t.Errorf("a tone of %v Hz", hz)
		}
	})
}
