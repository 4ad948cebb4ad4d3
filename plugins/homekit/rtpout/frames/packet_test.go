package frames

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/sound"
)

func frame(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }

// TestThereAndBack: frames of any sizes come out of the packet as they went in.
func TestThereAndBack(t *testing.T) {
	for _, frames := range [][][]byte{
		{frame(0, 1)}, {frame(100, 1)}, {frame(3, 1), frame(3, 2)}, {frame(3, 1), frame(4, 2)},
		{frame(60, 1), frame(251, 2), frame(252, 3)}, {frame(252, 1), frame(253, 2), frame(254, 3)},
		{frame(1275, 1), frame(0, 2), frame(1275, 3)}, {frame(300, 1), frame(300, 2), frame(300, 3)},
	} {
		const config = 31 << 3 // CELT of 20 ms
		b := Join(nil, config, frames)
		p, err := Split(b, nil)
		if err != nil || p.Config != config || len(p.Frames) != len(frames) || p.Duration() != time.Duration(len(frames))*20*time.Millisecond {
			t.Fatalf("%x: %+v %v", b, p, err)
		}
		for i := range frames {
			if !bytes.Equal(p.Frames[i], frames[i]) {
				t.Errorf("frame %d of %d", i, len(frames))
			}
		}
		if d := sound.OpusLength(b); d != p.Duration() {
			t.Errorf("the other says %v", d)
		}
	}
}

func TestCodesOfTheBook(t *testing.T) {
	const silk60 = 3 << 3
	for _, c := range []struct {
		name string
		b    []byte
		want [][]byte
	}{
		{"code 1", []byte{silk60 | 1, 1, 2, 3, 4}, [][]byte{{1, 2}, {3, 4}}},
		{"code 2", []byte{silk60 | 2, 1, 9, 3, 4}, [][]byte{{9}, {3, 4}}},
		{"code 2, long", append([]byte{31<<3 | 2, 252, 1}, frame(260, 7)...), [][]byte{frame(256, 7), frame(4, 7)}},
		{"code 3, equal", []byte{31<<3 | 3, 3, 1, 2, 3}, [][]byte{{1}, {2}, {3}}},
		{"code 3, padded", []byte{31<<3 | 3, 0x40 | 2, 2, 1, 2, 0, 0}, [][]byte{{1}, {2}}},
		{"code 3, sizes", []byte{31<<3 | 3, 0x80 | 2, 1, 9, 8, 7}, [][]byte{{9}, {8, 7}}},
		{"code 0, nothing", []byte{silk60}, [][]byte{{}}},
	} {
		p, err := Split(c.b, nil)
		if err != nil || len(p.Frames) != len(c.want) {
			t.Errorf("%s: %+v %v", c.name, p, err)
			continue
		}
		for i := range c.want {
			if !bytes.Equal(p.Frames[i], c.want[i]) {
				t.Errorf("%s: frame %d is %x", c.name, i, p.Frames[i])
			}
		}
	}
	for _, b := range [][]byte{
		nil, {1, 1}, {2}, {2, 252}, {2, 9, 1}, {3}, {3, 0}, {31<<3 | 3, 7}, {31<<3 | 3, 2, 1}, {31<<3 | 3, 0x42}, {31<<3 | 3, 0x42, 255},
		{31<<3 | 3, 0x42, 9, 1}, {31<<3 | 3, 0x82}, {31<<3 | 3, 0x82, 9, 1}, append([]byte{0}, frame(1276, 1)...), {3, 49},
	} {
		if p, err := Split(b, nil); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x was taken: %+v", b, p)
		}
	}
}

// TestVoice: by packets as a real encoder makes them, of speech-like sound and of none.
func TestVoice(t *testing.T) {
	for _, c := range []struct {
		b             []byte
		silent, voice bool
	}{
		{[]byte{9 << 3}, true, false},
		{[]byte{9 << 3, 0x80, 1}, true, false},
		{[]byte{9 << 3, 0x80, 1, 2}, false, true},
		{[]byte{9 << 3, 0x70, 1, 2}, false, false},
		{[]byte{11 << 3, 0x20, 1, 2}, false, true}, // 60 ms: the third of three
		{[]byte{10 << 3, 0x20, 1, 2}, false, false},
		{[]byte{13 << 3, 0x80, 1, 2}, false, true},
		{[]byte{31 << 3, 0xff, 0xfe, 0, 0}, true, false},
		{[]byte{31 << 3, 0xff, 0xfd, 0, 0}, false, true},
		{[]byte{31<<3 | 1, 0xff, 0xff, 0, 0xff, 0x00, 0}, false, true},
	} {
		p, err := Split(c.b, nil)
		if err != nil || p.Silent() != c.silent || p.Voice() != c.voice {
			t.Errorf("%x: silent %v, voice %v, %v", c.b, p.Silent(), p.Voice(), err)
		}
	}
}

// FuzzSplit: whatever comes, nothing panics, what is taken lasts as long as another says it
// does, and put together again it is the same.
func FuzzSplit(f *testing.F) {
	f.Add([]byte{31<<3 | 3, 0x80 | 2, 1, 9, 8, 7})
	f.Add([]byte{31<<3 | 3, 0x40 | 2, 255, 3, 1, 2})
	f.Add([]byte{9 << 3, 0x80, 1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Split(b, nil)
		if err != nil {
			return
		}
		if p.Duration() > mostTime || len(p.Frames) == 0 {
			t.Errorf("%+v", p)
		}
		if d := sound.OpusLength(b); d != 0 && d != p.Duration() {
			t.Errorf("%v, and another says %v", p.Duration(), d)
		}
		p.Voice()
		again, err := Split(Join(nil, p.Config, p.Frames), nil)
		if err != nil || len(again.Frames) != len(p.Frames) {
			t.Fatalf("%+v %v", again, err)
		}
		for i := range p.Frames {
			if !bytes.Equal(again.Frames[i], p.Frames[i]) {
				t.Errorf("frame %d has changed", i)
			}
		}
	})
}
