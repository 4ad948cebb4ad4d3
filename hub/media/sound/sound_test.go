package sound

import (
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// tone makes n samples of a sine.
func tone(hz float64, rate, n int, level float64) []int16 {
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(level * math.MaxInt16 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return out
}

// power of hz in pcm and of all, as mean squares (Goertzel).
func power(pcm []int16, rate int, hz float64) (at, all float64) {
	w := 2 * math.Cos(2*math.Pi*hz/float64(rate))
	var a, b float64
	for _, s := range pcm {
		v := float64(s) / math.MaxInt16
		a, b = v+w*a-b, a
		all += v * v
	}
	n := float64(len(pcm))
	return 2 * (a*a + b*b - w*a*b) / n / n, all / n
}

// source makes units of 20 ms of pcm in the form of track.
func source(t testing.TB, to av.AudioRendition, pcm []int16, rate int) (av.Track, []*av.Unit) {
	t.Helper()
	enc, err := NewEncoder(2, to, rate)
	if err != nil {
		t.Fatal(err)
	}
	if enc.Rate() != rate {
		t.Fatalf("%s at %d Hz is made at %d", to.Codec, rate, enc.Rate())
	}
	var out []*av.Unit
	for i := 0; i+enc.Frame() <= len(pcm); i += enc.Frame() {
		data, err := enc.Encode(pcm[i : i+enc.Frame()])
		if err != nil {
			t.Fatal(err)
		}
		pts := av.Ticks(av.Duration(int64(i), uint32(rate)), enc.Track().ClockRate)
		out = append(out, &av.Unit{Track: 2, Key: true, PTS: pts, DTS: pts, Data: data})
	}
	return enc.Track(), out
}

func decodeAll(t testing.TB, track av.Track, units []*av.Unit) (pcm []int16, rate int) {
	t.Helper()
	dec, err := NewDecoder(track, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		p, err := dec.Decode(u.Data)
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, p...)
	}
	return pcm, dec.Rate()
}

func TestAToneGoesThroughEachPair(t *testing.T) {
	kinds := []struct {
		to   av.AudioRendition
		rate int
	}{
		{av.AudioRendition{Codec: av.PCMU}, 8000},
		{av.AudioRendition{Codec: av.PCMA}, 8000},
		{av.AudioRendition{Codec: av.L16, SampleRate: 16000}, 16000},
		{av.AudioRendition{Codec: av.L16, SampleRate: 44100}, 44100},
		{av.AudioRendition{Codec: av.Opus, SampleRate: 16000}, 16000},
		{av.AudioRendition{Codec: av.Opus, SampleRate: 48000}, 48000},
	}
	for _, in := range kinds {
		for _, out := range kinds {
			t.Run(fmt.Sprintf("%s %d to %s %d", in.to.Codec, in.rate, out.to.Codec, out.rate), func(t *testing.T) {
				from, units := source(t, in.to, tone(1000, in.rate, in.rate*6/5, 0.5), in.rate)
				tr, err := New(from, out.to)
				if err != nil {
					t.Fatal(err)
				}
				var made []*av.Unit
				for _, u := range units {
					got, err := tr.Convert(u)
					if err != nil {
						t.Fatal(err)
					}
					made = append(made, got...)
				}
				follows(t, tr.Track(), made)
				if len(made) < 57 || len(made) > 60 {
					t.Errorf("%d pieces of 1.2 s", len(made))
				}
				pcm, rate := decodeAll(t, tr.Track(), made)
				at, all := power(pcm[rate/2:rate], rate, 1000)
				if db := 10 * math.Log10(at/0.125); math.Abs(db) > 1 {
					t.Errorf("the tone changed by %.2f dB", db)
				}
				if at < 0.97*all {
					t.Errorf("%.1f%% is something else than the tone", 100*(1-at/all))
				}
			})
		}
	}
}

// follows checks that units of 20 ms follow each other to the tick.
func follows(t *testing.T, track av.Track, units []*av.Unit) {
	t.Helper()
	for i, u := range units {
		if u.Track != 2 || u.PTS != u.DTS || !u.Key {
			t.Fatalf("unit %d: %+v", i, u)
		}
		if i > 0 && u.PTS-units[i-1].PTS != track.Ticks(20*time.Millisecond) {
			t.Fatalf("unit %d: %d ticks after the one before", i, u.PTS-units[i-1].PTS)
		}
	}
}

func TestUnsupported(t *testing.T) {
	pcm := av.PCMTrack(1, av.L16, 16000, 1)
	aac := av.Track{ID: 1, Kind: av.Sound, Codec: av.AAC, ClockRate: 32000, SampleRate: 32000, Channels: 1}
	for _, c := range []struct {
		from av.Track
		to   av.AudioRendition
	}{
		{aac, av.AudioRendition{Codec: av.Opus}},
		{pcm, av.AudioRendition{Codec: av.AAC}},
		{pcm, av.AudioRendition{}},
		{pcm, av.AudioRendition{Codec: av.Opus, Channels: 2}},
		{pcm, av.AudioRendition{Codec: av.L16, SampleRate: 11025 * 7 / 3}},
		{av.PCMTrack(1, av.L16, 0, 1), av.AudioRendition{Codec: av.Opus}},
		{av.PCMTrack(1, av.PCMU, 1<<30, 1), av.AudioRendition{Codec: av.Opus}},
		{av.PCMTrack(1, av.PCMU, 8000, 200), av.AudioRendition{Codec: av.Opus}},
		{av.OpusTrack(1, 6), av.AudioRendition{Codec: av.L16}},
	} {
		if tr, err := New(c.from, c.to); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s %d to %+v: %v %v", c.from.Codec, c.from.SampleRate, c.to, tr, err)
		}
	}
}

// A receiver that reserves for a bit rate gets that, of whatever is said.
func TestOpusIsOfOneSize(t *testing.T) {
	pcm := tone(300, 24000, 24000, 0.8)
	clear(pcm[8000:16000])
	_, units := source(t, av.AudioRendition{Codec: av.Opus, SampleRate: 24000, Kbps: 24}, pcm, 24000)
	for i, u := range units {
		if len(u.Data) != 60 {
			t.Fatalf("packet %d has %d bytes, 24 kbit/s are 60", i, len(u.Data))
		}
	}
}

func BenchmarkOpus(b *testing.B) {
	for _, c := range []struct {
		name string
		from av.Track
		to   av.AudioRendition
	}{
		{"8000 to packets", av.PCMTrack(1, av.L16, 8000, 1), av.AudioRendition{Codec: av.Opus}},
		{"48000 to packets", av.PCMTrack(1, av.L16, 48000, 1), av.AudioRendition{Codec: av.Opus}},
	} {
		b.Run(c.name, func(b *testing.B) {
			tr, err := New(c.from, c.to)
			if err != nil {
				b.Fatal(err)
			}
			var data []byte
			for _, s := range tone(500, c.from.SampleRate, c.from.SampleRate/50, 0.5) {
				data = append(data, byte(s>>8), byte(s))
			}
			b.ReportAllocs()
			for i := range b.N {
				pts := int64(i * c.from.SampleRate / 50)
				if _, err := tr.Convert(&av.Unit{Track: 1, PTS: pts, DTS: pts, Data: data}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
