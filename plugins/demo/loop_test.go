package demo

import (
	"bytes"
	"encoding/binary"
	"image/jpeg"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func TestTheFilmIsWhatItPromises(t *testing.T) {
	if len(loopFile) > 1500<<10 {
		t.Errorf("the film is %d KiB, want at most 1500", len(loopFile)>>10)
	}
	f, err := readFilm(loopFile)
	if err != nil {
		t.Fatal(err)
	}
	count, keys := map[uint8]int{}, 0
	last := map[uint8]int64{}
	for _, u := range f.frames {
		if p, ok := last[u.track]; ok && u.pts <= p {
			t.Fatalf("track %d: PTS %d after %d: pictures are reordered", u.track, u.pts, p)
		}
		last[u.track] = u.pts
		if f.isVideo(u.track) {
			if u.key != (count[u.track]%50 == 0) {
				t.Fatalf("frame %d: key is %v; want one each 50 frames, 2 s", count[u.track], u.key)
			}
			if u.key {
				keys++
			}
			checkPicture(t, u)
		}
		count[u.track]++
	}
	for _, tr := range f.tracks {
		switch tr.Codec {
		case av.H264:
			if count[tr.ID] != 300 || keys != 6 || tr.Width != 1280 || tr.Height != 720 || len(tr.SPS) < 4 || tr.SPS[1] != 77 || len(tr.PPS) == 0 {
				t.Errorf("video: %d frames, %d keys, %dx%d, profile %d", count[tr.ID], keys, tr.Width, tr.Height, tr.SPS[1])
			}
		case av.AAC:
			if time.Duration(count[tr.ID])*1024*time.Second/32000 != loopLength || tr.SampleRate != 32000 || tr.Channels != 1 || !bytes.Equal(tr.AudioConfig, []byte{0x12, 0x88}) {
				t.Errorf("AAC: %d frames, %+v", count[tr.ID], tr)
			}
		case av.Opus:
			if time.Duration(count[tr.ID])*20*time.Millisecond != loopLength || tr.SampleRate != 48000 || !bytes.HasPrefix(tr.AudioConfig, []byte("OpusHead")) {
				t.Errorf("Opus: %d packets, %+v", count[tr.ID], tr)
			}
		case av.JPEG:
		default:
			t.Errorf("a track of %s", tr.Codec)
		}
	}
	if len(f.pictures) != 12 {
		t.Errorf("%d stills, want one a second", len(f.pictures))
	}
	for i, p := range f.pictures {
		if c, err := jpeg.DecodeConfig(bytes.NewReader(p)); err != nil || c.Width != 640 || c.Height != 360 {
			t.Errorf("still %d: %v, %v", i, c, err)
		}
	}
}

// checkPicture wants whole NAL units, and an IDR (type 5) exactly in key frames.
func checkPicture(t *testing.T, f frame) {
	t.Helper()
	u := av.Unit{Data: f.data}
	total, idr := 0, false
	u.NALs(func(nal []byte) bool {
		total += 4 + len(nal)
		idr = idr || nal[0]&31 == 5
		return true
	})
	if total != len(f.data) || idr != f.key {
		t.Fatalf("picture at %s: %d of %d bytes in NAL units, IDR %v, key %v", f.at, total, len(f.data), idr, f.key)
	}
	for _, u := range [][]byte{f.data} {
		if n := binary.BigEndian.Uint32(u); int(n) > len(u) {
			t.Fatal("first length leads outside")
		}
	}
}

func TestPTSGoOnOverTheEndOfTheFilm(t *testing.T) {
	f, err := readFilm(loopFile)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Unix(1000, 0)
	c := cursor{film: f}
	c.seek(5 * time.Second)
	step := map[uint8]int64{1: 3600, 2: 1024, 3: 960}
	last := map[uint8]int64{}
	first := true
	for range 3 * len(f.frames) {
		u := c.take(start)
		if first && (!u.Key || u.Track != 1 || u.PTS != 4*90000) {
			t.Fatalf("begins with track %d, key %v, PTS %d; want the key frame at 4 s, so that there is a picture at once", u.Track, u.Key, u.PTS)
		}
		first = false
		if p, ok := last[u.Track]; ok && u.PTS-p != step[u.Track] {
			t.Fatalf("track %d: PTS %d after %d", u.Track, u.PTS, p)
		}
		last[u.Track] = u.PTS
		at := time.Duration(u.PTS) * time.Second / time.Duration(f.rate[u.Track])
		if d := u.Wall.Sub(start) - at; d < -time.Millisecond || d > time.Millisecond {
			t.Fatalf("track %d: wall clock is %s away from its PTS", u.Track, d)
		}
	}
}

func TestSeekStaysInItsRound(t *testing.T) {
	f, err := readFilm(loopFile)
	if err != nil {
		t.Fatal(err)
	}
	c := cursor{film: f}
	c.seek(2*loopLength + 11*time.Second)
	if got, want := c.peek(), 2*loopLength+10*time.Second; got != want {
		t.Errorf("begins at %s, want the last key frame, at %s", got, want)
	}
}

func TestBrokenFilmsAreRefused(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("PLLOOP1\n"), loopFile[:100], loopFile[:len(loopFile)-1], append([]byte("x"), loopFile...)} {
		if _, err := readFilm(b); err == nil {
			t.Errorf("%d bytes were read as a film", len(b))
		}
	}
}
