package film

import (
	"bufio"
	"bytes"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func ffmpeg(t *testing.T) string {
	t.Helper()
	p, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("needs ffmpeg: apt install ffmpeg")
	}
	return p
}

// source is so many seconds of a test picture at 25 a second as Matroska's sister of ours:
// units in the order of decoding, with the times that ffprobe gives them.
func source(t *testing.T, seconds string, size string, coding ...string) (av.Track, []*av.Unit) {
	t.Helper()
	format, filter := "h264", "h264_metadata=aud=insert"
	switch {
	case slices.Contains(coding, "libx265"):
		format, filter = "hevc", "hevc_metadata=aud=insert"
	case slices.Contains(coding, "mjpeg"):
		format, filter = "mjpeg", "null"
	}
	raw, err := exec.Command(ffmpeg(t), slices.Concat([]string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=r=25:s=" + size, "-t", seconds, "-pix_fmt", "yuv420p"},
		coding, []string{"-bsf:v", filter, "-f", format, "-"})...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var tr av.Track
	var units []*av.Unit
	if format == "mjpeg" {
		tr = av.MJPEGTrack(1, 0, 0, 25)
		for i, jpeg := range bytes.Split(raw, []byte{0xff, 0xd8, 0xff})[1:] {
			units = append(units, &av.Unit{Track: 1, Key: true, PTS: int64(i) * 3600, Data: append([]byte{0xff, 0xd8, 0xff}, jpeg...)})
		}
		return tr, units
	}
	aud := []byte{0, 0, 0, 1, 9}
	if format == "hevc" {
		aud = []byte{0, 0, 0, 1, 0x46}
	}
	var sets [3][]byte
	for i, part := range bytes.Split(raw, aud)[1:] {
		u := &av.Unit{Track: 1, PTS: int64(i) * 3600}
		var kept [][]byte
		for _, nal := range av.SplitAnnexB(part)[:] {
			kind := nal[0] & 0x1f
			if format == "hevc" {
				kind = nal[0] >> 1 & 0x3f
				switch {
				case kind >= 32 && kind <= 34:
					sets[kind-32] = nal
					continue
				case kind >= 16 && kind <= 21:
					u.Key = true
				}
			} else {
				switch kind {
				case 7, 8:
					sets[kind-6] = nal
					continue
				case 5:
					u.Key = true
				}
			}
			kept = append(kept, nal)
		}
		u.Data = av.JoinNALs(kept)
		units = append(units, u)
	}
	if format == "hevc" {
		tr, err = av.H265Track(1, sets[0], sets[1], sets[2])
	} else {
		tr, err = av.H264Track(1, sets[1], sets[2])
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr, units
}

// reorder gives units of x264's fixed pattern I B B P their times: shown later by one.
func reorder(units []*av.Unit) {
	n := len(units)
	for i, u := range units {
		at := i
		switch {
		case i == 0:
		case (i-1)%3 == 0:
			at = min(i+2, n-1)
		default:
			at = i - 1
		}
		u.PTS = int64(at) * 3600
	}
}

// run puts all units through a pipe, and gives what comes out until it is quiet.
func run(t *testing.T, o Options, units []*av.Unit, want int) (av.Track, []*av.Unit) {
	t.Helper()
	o.Path = ffmpeg(t)
	p, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.End()
	began := time.Now()
	fed := make(chan error, 1) // the one result
	go func() {
		for _, u := range units {
			if err := p.Put(u, began); err != nil {
				fed <- err
				return
			}
		}
		fed <- p.process.In.Close()
	}()
	var out []*av.Unit
	for len(out) < want {
		u, recv, err := p.Next()
		if err != nil {
			t.Fatalf("after %d of %d pictures: %v; it said %q", len(out), want, err, p.Said())
		}
		if !recv.Equal(began) {
			t.Fatal("when it came is lost")
		}
		out = append(out, u)
	}
	if err := <-fed; err != nil {
		t.Fatal(err)
	}
	if said := p.Said(); said != "" {
		t.Errorf("it said %q", said)
	}
	return p.Track(), out
}

func TestPicturesOfAllCodecs(t *testing.T) {
	for name, coding := range map[string][]string{
		"h264":   {"-c:v", "libx264", "-bf", "0", "-g", "25", "-preset", "ultrafast"},
		"h265":   {"-c:v", "libx265", "-x265-params", "bframes=0:keyint=25:log-level=none", "-preset", "ultrafast"},
		"mjpeg":  {"-c:v", "mjpeg", "-q:v", "5"},
		"bframe": {"-c:v", "libx264", "-bf", "2", "-g", "250", "-x264-params", "b-adapt=0:b-pyramid=0:scenecut=0:sync-lookahead=0:rc-lookahead=0", "-preset", "medium"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, units := source(t, "4", "640x360", coding...)
			if name == "bframe" {
				if !tr.Reordered {
					t.Fatal("no B-frames")
				}
				units = units[:97]
				reorder(units)
			}
			out, made := run(t, Options{From: tr, Want: av.VideoRendition{Codec: av.H264, Profile: "baseline", MaxWidth: 320}}, units, len(units)-3)
			if out.Width != 320 || out.Height != 180 || out.Reordered || out.SPS[1] != 66 {
				t.Errorf("%+v", out)
			}
			for i, u := range made {
				if u.PTS != int64(i)*3600 || u.DTS != u.PTS {
					t.Fatalf("picture %d at %d", i, u.PTS)
				}
				if u.Key != (i%50 == 0) { // each 2 s
					t.Errorf("picture %d: key %v", i, u.Key)
				}
				u.NALs(func(nal []byte) bool {
					if kind := nal[0] & 0x1f; (kind == 5) != u.Key && (kind == 1 || kind == 5) {
						t.Errorf("picture %d has a slice of kind %d", i, kind)
					}
					return true
				})
			}
		})
	}
}

// What is asked is kept: fewer pictures, a level, bits, and how often there is a key frame.
func TestBounds(t *testing.T) {
	tr, units := source(t, "6", "1280x720", "-c:v", "libx264", "-bf", "0", "-g", "50", "-preset", "ultrafast")
	out, made := run(t, Options{From: tr, Want: av.VideoRendition{MaxFPS: 10, Level: 30, MaxKbps: 300, KeyInterval: time.Second}}, units, 58)
	var sps h264.SPS
	if err := sps.Unmarshal(out.SPS); err != nil {
		t.Fatal(err)
	}
	if blocks := (out.Width + 15) / 16 * ((out.Height + 15) / 16); blocks > 1620 || sps.LevelIdc > 30 || out.Width*9 < out.Height*16-32 {
		t.Errorf("%dx%d, level %d", out.Width, out.Height, sps.LevelIdc)
	}
	if out.FPS != 10 {
		t.Errorf("%v pictures a second", out.FPS)
	}
	bytes, keys := 0, 0
	for i, u := range made {
		bytes += len(u.Data)
		if u.Key {
			keys++
		}
		if u.PTS%3600 != 0 || i > 0 && u.PTS-made[i-1].PTS < 2*3600 {
			t.Fatalf("picture %d at %d", i, u.PTS)
		}
	}
	seconds := float64(made[len(made)-1].PTS) / 90000
	if kbps := float64(bytes) * 8 / 1000 / seconds; kbps > 330 {
		t.Errorf("%.0f kbit/s", kbps)
	}
	if keys != 6 {
		t.Errorf("%d key frames in %.1f s", keys, seconds)
	}
}

// A picture comes out when it went in, and not with the next.
func TestNoPictureWaitsForTheNext(t *testing.T) {
	tr, units := source(t, "2", "640x360", "-c:v", "libx264", "-bf", "0", "-g", "50", "-preset", "ultrafast")
	p, err := Open(Options{Path: ffmpeg(t), From: tr})
	if err != nil {
		t.Fatal(err)
	}
	defer p.End()
	for i, u := range units[:20] {
		if err := p.Put(u, time.Now()); err != nil {
			t.Fatal(err)
		}
		if got, _, err := p.Next(); err != nil || got.PTS != u.PTS || p.Behind() != 0 {
			t.Fatalf("picture %d: %v, %v behind", i, err, p.Behind())
		}
	}
}

func TestWhatIsNotMade(t *testing.T) {
	for _, c := range []struct {
		from av.Track
		want av.VideoRendition
	}{
		{av.Track{Codec: av.H264}, av.VideoRendition{}},
		{av.Track{Codec: "vp9"}, av.VideoRendition{}},
		{av.MJPEGTrack(1, 640, 480, 10), av.VideoRendition{Codec: av.H265}},
		{av.MJPEGTrack(1, 640, 480, 10), av.VideoRendition{Profile: "professional"}},
		{av.MJPEGTrack(1, 64000, 48000, 10), av.VideoRendition{}},
	} {
		if _, err := Made(c.from, c.want); err == nil {
			t.Errorf("%+v to %+v", c.from, c.want)
		}
	}
}

// FuzzFLV reads whatever comes out of ffmpeg.
func FuzzFLV(f *testing.F) {
	head := append([]byte("FLV\x01\x01\x00\x00\x00\x09"), 0, 0, 0, 0)
	video := []byte{9, 0, 0, 7, 0, 0, 1, 0, 0, 0, 0, 0x17, 1, 0, 0, 0, 1, 2, 0, 0, 0, 18}
	f.Add(append(slices.Clone(head), video...))
	f.Add(append(slices.Clone(head), 9, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0x17, 0, 0, 0, 0, 1, 66, 0, 30, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 1, 0x68, 0, 0, 0, 0, 0))
	f.Add(append(slices.Clone(head), 18, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &Pipe{tags: tags{r: bufio.NewReaderSize(bytes.NewReader(b), 64<<10)}, from: av.Track{ID: 1, ClockRate: 90000}, waiting: []picture{{pts: 0}, {pts: 3600}}}
		for range 1000 {
			u, _, err := p.Next()
			if err != nil {
				return
			}
			if len(u.Data) > av.MaxUnit {
				t.Fatal(len(u.Data))
			}
			u.NALs(func([]byte) bool { return true })
		}
	})
}
