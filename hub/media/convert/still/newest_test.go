package still

import (
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"os/exec"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// reel makes n pictures of one key frame, red but for the last, which is green.
func reel(t testing.TB, codec av.Codec, n int, options ...string) ([]*av.Unit, av.Track) {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("SKIPPED: ffmpeg is not installed, and making pictures of video is not tested without it")
	}
	args := []string{"-v", "error", "-f", "lavfi", "-i", "color=red:s=640x360", "-frames:v", fmt.Sprint(n),
		"-vf", fmt.Sprintf("drawbox=color=0x00ff00:t=fill:enable=gte(n\\,%d)", n-1), "-pix_fmt", "yuv420p", "-g", fmt.Sprint(n)}
	format := "h264"
	if codec == av.H265 {
		format = "hevc"
		args = append(args, "-c:v", "libx265", "-x265-params", "log-level=error:info=0:bframes=0:aud=1:scenecut=0")
	} else {
		args = append(args, "-c:v", "libx264", "-x264-params", "aud=1:scenecut=0:bframes=0")
	}
	b, err := exec.CommandContext(t.Context(), path, append(append(args, options...), "-f", format, "-")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var vps, sps, pps []byte
	var units []*av.Unit
	var nals [][]byte
	flush := func() {
		if len(nals) > 0 {
			units = append(units, &av.Unit{Track: 1, Key: len(units) == 0, Data: av.JoinNALs(nals)})
		}
		nals = nil
	}
	for _, nal := range av.SplitAnnexB(b) {
		kind := nal[0] & 0x1f
		if codec == av.H265 {
			kind = map[byte]byte{32: 32, 33: 7, 34: 8, 35: 9}[nal[0]>>1&0x3f]
		}
		switch kind {
		case 9:
			flush()
		case 32:
			vps = nal
		case 7:
			sps = nal
		case 8:
			pps = nal
		default:
			nals = append(nals, bytes.Clone(nal))
		}
	}
	flush()
	if len(units) != n {
		t.Fatalf("%d units, not %d", len(units), n)
	}
	tr, err := av.H264Track(1, sps, pps)
	if codec == av.H265 {
		tr, err = av.H265Track(1, vps, sps, pps)
	}
	if err != nil {
		t.Fatal(err)
	}
	return units, tr
}

func TestNewest(t *testing.T) {
	s := stills(t, Options{})
	red, green := color.RGBA{254, 0, 0, 255}, color.RGBA{0, 255, 0, 255}
	for _, c := range []struct {
		codec av.Codec
		n     int
	}{{av.H264, 40}, {av.H264, 1}, {av.H265, 12}} {
		units, tr := reel(t, c.codec, c.n)
		b, err := s.Newest(t.Context(), units, tr, 320, 0)
		if err != nil {
			t.Fatal(c, err)
		}
		img := decode(t, b)
		if !near(img, green) || img.Bounds().Dx() != 320 {
			t.Errorf("%v: %v of %v", c, img.At(160, 90), img.Bounds())
		}
		if c.n == 1 {
			continue
		}
		if b, err = s.Newest(t.Context(), units[:c.n-1], tr, 0, 0); err != nil {
			t.Fatal(c, err)
		}
		if img := decode(t, b); !near(img, red) {
			t.Errorf("%v: before the last: %v", c, img.At(320, 180))
		}
	}
	if st := s.Stats(); st.PID != 0 || s.single != nil {
		t.Errorf("something is left: %+v", st)
	}
}

func TestNewestOfNothingGood(t *testing.T) {
	s := stills(t, Options{})
	units, tr := reel(t, av.H264, 4)
	_, other := shot(t, av.H264, "color=red:s=320x240")
	long := make([]*av.Unit, maxUnits+1)
	for i := range long {
		long[i] = units[0]
	}
	for name, run := range map[string][]*av.Unit{
		"none":         nil,
		"many":         long,
		"empty":        {units[0], {Data: av.JoinNALs([][]byte{{9, 0x10}})}},
		"another size": {units[0], {Data: append(av.JoinNALs([][]byte{other.SPS}), units[1].Data...)}},
		"noise":        {units[0], {Data: av.JoinNALs([][]byte{append([]byte{0x41}, bytes.Repeat([]byte{0xff}, 40)...)})}},
	} {
		_, err := s.Newest(t.Context(), run, tr, 0, 0)
		var f *fault.Fault
		if name == "noise" && err == nil {
			continue // concealed
		}
		if !errors.As(err, &f) || f.Code() != "E-CONV-PICTURE" {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.Close()
	if _, err := s.Newest(t.Context(), units, tr, 0, 0); err == nil {
		t.Error("one was made after the end")
	}
}

func BenchmarkNewest(b *testing.B) {
	s := stills(b, Options{})
	units, tr := reel(b, av.H264, 100, "-s", "1920x1080")
	for b.Loop() {
		if _, err := s.Newest(b.Context(), units, tr, 1280, 720); err != nil {
			b.Fatal(err)
		}
	}
}
