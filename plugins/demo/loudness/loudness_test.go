package loudness

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// sine is one second of L16 at half of full scale.
func sine(rate int) []byte {
	var b []byte
	for i := range rate {
		b = binary.BigEndian.AppendUint16(b, uint16(int16(16384*math.Sin(2*math.Pi*300*float64(i)/float64(rate)))))
	}
	return b
}

func TestMeasure(t *testing.T) {
	quiet := make([]byte, 320)
	for i := range quiet {
		quiet[i] = 0xff // mu-law zero
	}
	for _, c := range []struct {
		name  string
		track av.Track
		data  []byte
		long  time.Duration
		level float64
	}{
		{"L16", av.Track{Codec: av.L16, SampleRate: 16000, Channels: 1}, sine(16000), time.Second, -9},
		{"L16 stereo", av.Track{Codec: av.L16, SampleRate: 8000, Channels: 2}, sine(16000), time.Second, -9},
		{"mu-law Silence", av.Track{Codec: av.PCMU, ClockRate: 8000}, quiet, 40 * time.Millisecond, Silence},
		{"A-law at its loudest", av.Track{Codec: av.PCMA, SampleRate: 8000}, []byte{0xaa, 0x2a, 0xaa, 0x2a, 0xaa, 0x2a, 0xaa, 0x2a}, time.Millisecond, -0.1},
		{"AAC", av.Track{Codec: av.AAC, SampleRate: 32000}, []byte{1, 2, 3}, 32 * time.Millisecond, Silence},
		{"Opus", av.Track{Codec: av.Opus, ClockRate: 48000}, []byte{31 << 3, 2}, 20 * time.Millisecond, Silence},
		{"no rate", av.Track{Codec: av.L16}, []byte{1, 2}, 0, Silence},
		{"half a sample", av.Track{Codec: av.L16, SampleRate: 8000}, []byte{1}, 0, Silence},
	} {
		d, sum, n := Measure(c.track, c.data)
		if d != c.long || math.Abs(Level(sum, n)-c.level) > 0.15 {
			t.Errorf("%s: %s at %.1f dB, want %s at %.1f dB", c.name, d, Level(sum, n), c.long, c.level)
		}
	}
}

func TestOpusDuration(t *testing.T) {
	for _, c := range []struct {
		packet []byte
		want   time.Duration
	}{
		{nil, 0}, {[]byte{1 << 3}, 20 * time.Millisecond}, {[]byte{3<<3 | 1}, 120 * time.Millisecond}, {[]byte{13<<3 | 2}, 40 * time.Millisecond},
		{[]byte{16 << 3}, 2500 * time.Microsecond}, {[]byte{31<<3 | 3, 3}, 60 * time.Millisecond}, {[]byte{31<<3 | 3, 63}, 120 * time.Millisecond}, {[]byte{3}, 0},
	} {
		if got := opusDuration(c.packet); got != c.want {
			t.Errorf("%v: %s, want %s", c.packet, got, c.want)
		}
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add(uint8(0), 8000, 1, []byte{1, 2, 3})
	f.Add(uint8(4), 48000, 2, []byte{251, 63})
	codecs := []av.Codec{av.L16, av.PCMU, av.PCMA, av.AAC, av.Opus, "x"}
	f.Fuzz(func(t *testing.T, codec uint8, rate, channels int, b []byte) {
		d, sum, n := Measure(av.Track{Codec: codecs[int(codec)%len(codecs)], SampleRate: rate, Channels: channels}, b)
		if d < 0 || sum < 0 || n < 0 || sum > float64(n)+1 {
			t.Fatal(d, sum, n)
		}
	})
}
