package sound

import (
	"slices"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// inRange checks what must hold of whatever a unit was made into.
func inRange(t *testing.T, tr *Transcoder, in *av.Unit, out []*av.Unit) {
	t.Helper()
	if len(out) > 50*(maxSeconds+2) {
		t.Fatalf("%d pieces of one unit of %d bytes", len(out), len(in.Data))
	}
	for _, u := range out {
		if len(u.Data) == 0 || len(u.Data) > maxPacket || u.Track != tr.from.ID {
			t.Fatalf("a piece of %d bytes on track %d", len(u.Data), u.Track)
		}
	}
}

func FuzzOpus(f *testing.F) {
	for _, rate := range []int{8000, 16000, 24000, 48000} {
		enc, err := newOpusEncoder(rate, 32000, rate < 48000)
		if err != nil {
			f.Fatal(err)
		}
		p, err := enc.encode(tone(300, rate, rate/50, 0.3))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(p, int64(0), false)
	}
	f.Add([]byte{9 << 3, 1, 2, 3, 4, 5}, int64(960), false)         // SILK
	f.Add([]byte{15<<3 | 4, 1, 2, 3, 4, 5}, int64(-1<<62), true)    // hybrid, two channels
	f.Add([]byte{31<<3 | 3, 0xff, 255, 255, 3, 0}, int64(1), false) // many frames, padded
	f.Add([]byte{}, int64(1<<62), true)
	f.Fuzz(func(t *testing.T, packet []byte, pts int64, broken bool) {
		tr, err := New(av.OpusTrack(7, 2), av.AudioRendition{Codec: av.L16, SampleRate: 16000})
		if err != nil {
			t.Fatal(err)
		}
		u := &av.Unit{Track: 7, PTS: pts, DTS: pts, Discontinuity: broken, Data: packet}
		before := slices.Clone(packet)
		for range 3 {
			out, _ := tr.Convert(u)
			inRange(t, tr, u, out)
			u.PTS += 960
		}
		if !slices.Equal(before, packet) {
			t.Error("the packet was changed")
		}
	})
}

func FuzzG711(f *testing.F) {
	f.Add([]byte("hello, who is there"), false, 8000, 1, int64(0), int64(160))
	f.Add(make([]byte, 4000), true, 44100, 2, int64(-5), int64(1<<40))
	f.Add([]byte{0, 0xff, 0x7f, 0x80}, true, 1, 300, int64(1<<62), int64(-1<<62))
	f.Fuzz(func(t *testing.T, data []byte, a bool, rate, channels int, first, second int64) {
		codec := av.PCMU
		if a {
			codec = av.PCMA
		}
		for _, to := range []av.AudioRendition{{Codec: av.Opus}, {Codec: av.PCMA}, {Codec: av.L16, SampleRate: 16000}} {
			tr, err := New(av.PCMTrack(7, codec, rate, channels), to)
			if err != nil {
				return
			}
			for _, pts := range []int64{first, second, second + int64(len(data))} {
				u := &av.Unit{Track: 7, PTS: pts, DTS: pts, Data: data}
				out, _ := tr.Convert(u)
				inRange(t, tr, u, out)
			}
		}
	})
}

// A packet that cannot be decoded costs itself.
func TestABadPacketCostsItself(t *testing.T) {
	track, units := source(t, av.AudioRendition{Codec: av.Opus, SampleRate: 48000}, tone(500, 48000, 48000, 0.3), 48000)
	tr, err := New(track, av.AudioRendition{Codec: av.PCMU})
	if err != nil {
		t.Fatal(err)
	}
	var out []*av.Unit
	bad := 0
	for i, u := range units {
		if i%10 == 5 {
			u.Data = []byte{0xff, 0xff}
		}
		got, err := tr.Convert(u)
		if err != nil {
			bad++
		}
		out = append(out, got...)
	}
	if bad != 5 || len(out) < 43 {
		t.Errorf("%d bad packets of 5, %d pieces", bad, len(out))
	}
	follows(t, tr.Track(), out)
}

// Every code of both laws is what it becomes again, and no two samples in rising order
// fall.
func TestG711IsItsOwnInverse(t *testing.T) {
	for name, law := range map[string]struct {
		code  func(int16) byte
		table *[256]int16
	}{"µ": {muCode, muTable()}, "A": {aCode, aTable()}} {
		for i := range 256 {
			v := law.table[i]
			if back := law.table[law.code(v)]; back != v {
				t.Errorf("%s-law: code %#x is %d and became %d", name, i, v, back)
			}
		}
		last := int16(-32768)
		for s := -32768; s <= 32767; s++ {
			v := law.table[law.code(int16(s))]
			if v < last {
				t.Fatalf("%s-law: %d became %d after %d", name, s, v, last)
			}
			if off := int(v) - s; off > 1+max(s, -s)/16+8 || -off > 1+max(s, -s)/16+8 {
				t.Fatalf("%s-law: %d became %d", name, s, v)
			}
			last = v
		}
	}
}
