package mse

import (
	"bytes"
	"encoding/hex"
	"os"
	"os/exec"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// film is what ffmpeg made for a test.
type film struct {
	video, sound av.Track
	units        []*av.Unit // of both, by time
}

// tool finds ffmpeg or ffprobe, or skips, which in CI is a failure.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed: apt-get install ffmpeg", name)
		}
		t.Skipf("SKIPPED: %s is not installed (apt-get install ffmpeg); the MP4 is not looked at by a second program", name)
	}
	return path
}

func output(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), tool(t, name), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, stderr.Bytes())
	}
	return out
}

// newFilm makes seconds of H.264 with a key frame each second and AAC of 32 kHz. The
// picture is of the size given, with B-frames if asked.
func newFilm(t testing.TB, seconds, size, bframes string) film {
	t.Helper()
	var f film
	raw := output(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=r=25:s="+size, "-t", seconds,
		"-c:v", "libx264", "-profile:v", "main", "-bf", bframes, "-g", "25", "-pix_fmt", "yuv420p",
		"-x264-params", "aud=1:scenecut=0:b-adapt=0:open-gop=0", "-f", "h264", "-")
	step := int64(3600)
	for i, au := range accessUnits(raw) {
		p := av.H264FromAnnexB(au)
		if i == 0 {
			var err error
			if f.video, err = av.H264Track(1, p.SPS, p.PPS); err != nil {
				t.Fatal(err)
			}
		}
		f.units = append(f.units, &av.Unit{Track: 1, Key: p.Key, PTS: int64(i) * step, DTS: int64(i) * step, Data: p.Data})
	}
	adts := output(t, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=32000", "-t", seconds,
		"-c:a", "aac", "-ac", "1", "-f", "adts", "-")
	var packets mpeg4audio.ADTSPackets
	if err := packets.Unmarshal(adts); err != nil {
		t.Fatal(err)
	}
	conf := mpeg4audio.AudioSpecificConfig{Type: packets[0].Type, SampleRate: packets[0].SampleRate, ChannelCount: packets[0].ChannelCount}
	asc, err := conf.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if f.sound, err = av.AACTrack(2, asc); err != nil {
		t.Fatal(err)
	}
	at := 0
	for i, p := range packets {
		dts := int64(i) * av.AACFrame
		for at < len(f.units) && (f.units[at].Track != 1 || av.Duration(f.units[at].DTS, 90000) <= av.Duration(dts, 32000)) {
			at++
		}
		u := &av.Unit{Track: 2, PTS: dts, DTS: dts, Data: p.AU}
		f.units = append(f.units[:at], append([]*av.Unit{u}, f.units[at:]...)...)
	}
	return f
}

// accessUnits splits at the delimiters that the encoder was told to write.
func accessUnits(raw []byte) [][]byte {
	aud := []byte{0, 0, 0, 1, 9}
	var out [][]byte
	for _, part := range bytes.Split(raw, aud)[1:] {
		out = append(out, append(bytes.Clone(aud), part...))
	}
	return out
}

// play puts the film into w, as a fresh copy each time.
func (f film) play(t testing.TB, w *media.Writer) {
	t.Helper()
	for _, u := range f.units {
		c := *u
		if err := w.Put(&c); err != nil {
			t.Fatal(err)
		}
	}
}

// still is a track with real parameter sets of 320x180, for units whose pictures nobody decodes.
func still(t testing.TB) av.Track {
	t.Helper()
	sps, _ := hex.DecodeString("674d400cd901419f9f011000000300100000030320f142a480")
	pps, _ := hex.DecodeString("68ebc3cb20")
	tr, err := av.H264Track(1, sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func aacTrack(t testing.TB) av.Track {
	t.Helper()
	tr, err := av.AACTrack(2, []byte{0x12, 0x88}) // AAC-LC, 32 kHz, mono
	if err != nil {
		t.Fatal(err)
	}
	return tr
}
