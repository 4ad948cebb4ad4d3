package still

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Whatever a camera sends, the answer is its picture or an error, and the next camera
// gets its own.
func TestHostilePictures(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	for _, codec := range []av.Codec{av.H264, av.H265} {
		s := stills(t, Options{})
		bad, track := shot(t, codec, "testsrc2=s=640x360")
		good, goodTrack := shot(t, codec, "color=red:s=320x240")
		made := 0
		for i := range 120 {
			u, tr := *bad, track
			u.Data = mutate(rnd, bad.Data)
			if i%5 == 0 {
				tr.PPS = mutate(rnd, tr.PPS)
			}
			if i%7 == 0 {
				tr.SPS = mutate(rnd, tr.SPS)
			}
			b, err := s.Still(t.Context(), &u, tr, 0, 0)
			var f *fault.Fault
			switch {
			case err == nil:
				made++
				decode(t, b)
			case !errors.As(err, &f) || f.Code() != "E-CONV-PICTURE" && f.Code() != "E-CONV-SLOW":
				t.Fatalf("%s %d: %v", codec, i, err)
			}
			if i%10 != 9 {
				continue
			}
			b, err = s.Still(t.Context(), good, goodTrack, 0, 0)
			if err != nil {
				t.Fatalf("%s after %d: %v", codec, i, err)
			}
			if img := decode(t, b); img.Bounds().Dx() != 320 {
				t.Fatalf("%s after %d: another's picture, %v", codec, i, img.Bounds())
			}
		}
		t.Logf("%s: %d of 120 broken pictures were shown, %+v", codec, made, s.Stats())
		s.Close()
	}
}

// mutate flips, cuts, doubles and swaps.
func mutate(rnd *rand.Rand, b []byte) []byte {
	out := bytes.Clone(b)
	for range 1 + rnd.IntN(8) {
		if len(out) < 8 {
			return out
		}
		at := rnd.IntN(len(out))
		switch rnd.IntN(6) {
		case 0:
			out = out[:at]
		case 1:
			out = append(out[:at:at], out[at/2:]...)
		case 2:
			copy(out[at:], []byte{0, 0, 1, byte(rnd.IntN(256))})
		case 3:
			copy(out[at:], []byte{0, 0, 0, 1})
		default:
			out[at] ^= 1 << rnd.IntN(8)
		}
	}
	return out
}

func TestPicturesThatAreNotTaken(t *testing.T) {
	s := stills(t, Options{})
	u, tr := shot(t, av.H264, "testsrc2=s=320x240")
	_, big := shot(t, av.H264, "color=red:s=7680x4320")
	_, other := shot(t, av.H264, "color=red:s=640x480")
	var mark bits
	sps := av.SplitAnnexB(avcMark(2, 8, 0))[0]
	for name, c := range map[string]struct {
		u av.Unit
		t av.Track
	}{
		"nothing":             {av.Unit{}, tr},
		"JPEG":                {av.Unit{Data: []byte{0xff, 0xd8}}, av.MJPEGTrack(1, 64, 64, 5)},
		"no parameter sets":   {*u, av.Track{Codec: av.H264}},
		"too big":             {*u, big},
		"as small as a mark":  {*u, av.Track{Codec: av.H264, SPS: sps, PPS: tr.PPS}},
		"two sizes":           {av.Unit{Data: append(av.JoinNALs([][]byte{other.SPS}), u.Data...)}, tr},
		"parameter sets only": {av.Unit{Data: av.JoinNALs([][]byte{tr.SPS, tr.PPS})}, tr},
		"a broken set":        {*u, av.Track{Codec: av.H264, SPS: []byte{0x67, 1, 2}, PPS: tr.PPS}},
		"a length too long":   {av.Unit{Data: []byte{0xff, 0xff, 0xff, 0xff, 0x65, 1}}, tr},
		"too many pieces":     {av.Unit{Data: bytes.Repeat([]byte{0, 0, 0, 2, 0x65, 0}, maxNALs+1)}, tr},
		"an end in front":     {av.Unit{Data: mark.b}, tr},
	} {
		_, err := s.Still(t.Context(), &c.u, c.t, 0, 0)
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code() != "E-CONV-PICTURE" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if st := s.Stats(); st.Starts != 0 {
		t.Errorf("ffmpeg was started for these: %+v", st)
	}
}

// script is something in place of ffmpeg.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestProgramsThatAreNoFFmpeg(t *testing.T) {
	u, tr := shot(t, av.H264, "testsrc2=s=320x240")
	for name, text := range map[string]string{
		"ends at once":      "echo 'error while loading shared libraries' >&2; exit 127",
		"hangs":             "echo hello; cat >/dev/null",
		"never stops":       "exec yes",
		"one line for ever": "exec tr '\\0' 'x' </dev/zero",
		"lies of its size":  `printf -- '--ffmpeg\r\nContent-length: 99999999999\r\n\r\n'; cat >/dev/null`,
		"of another size":   `printf -- '--ffmpeg\r\nContent-length: 7\r\n\r\n1234567'; cat >/dev/null`,
		"hangs and talks":   "exec yes >&2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stills(t, Options{FFmpeg: script(t, text)})
			for i := range badStarts + 2 {
				_, err := s.Still(t.Context(), u, tr, 0, 0)
				var f *fault.Fault
				if !errors.As(err, &f) || f.Code() != "E-CONV-FFMPEG" || len(err.Error()) > 4<<10 {
					t.Fatalf("%d: %v", i, err)
				}
				if name == "ends at once" && !strings.Contains(err.Error(), "shared libraries") {
					t.Errorf("it does not say why: %v", err)
				}
				if strings.HasPrefix(name, "hangs") {
					break // the others take as long as it is let
				}
			}
			if st := s.Stats(); st.Starts > badStarts {
				t.Errorf("started %d times", st.Starts)
			}
		})
	}
}

func TestFFmpegOfBefore(t *testing.T) {
	u, tr := shot(t, av.H264, "color=red:s=320x240")
	real, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Fatal(err)
	}
	s := stills(t, Options{FFmpeg: script(t, `case "$*" in *fps_mode*) echo "Unrecognized option 'fps_mode'." >&2; exit 1;; esac
exec `+real+` "$@"`)})
	for range 2 {
		if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Starts != 2 {
		t.Errorf("%+v", st)
	}
}

// Of more than can be made the newest are, and nobody waits for ever.
func TestCrowd(t *testing.T) {
	s := stills(t, Options{})
	u, tr := shot(t, av.H264, "testsrc2=s=320x240")
	if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.Stats().PID, syscall.SIGSTOP); err != nil { // so that a queue builds up
		t.Fatal(err)
	}
	const n = maxWaiting + 20
	var mu sync.Mutex
	count := map[string]int{}
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			_, err := s.Still(t.Context(), u, tr, 0, 0)
			mu.Lock()
			defer mu.Unlock()
			var f *fault.Fault
			switch {
			case err == nil:
				count["made"]++
			case errors.As(err, &f):
				count[f.Code()]++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// The one that is being worked at may have been the first to come, or not yet.
	if count["E-CONV-SLOW"] != 1 || count["E-CONV-BUSY"] > n-maxWaiting || count["made"] < maxWaiting-1 {
		t.Errorf("%v", count)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("--ffmpeg\r\nContent-type: image/jpeg\r\nContent-length: 3\r\n\r\nabc\r\n--ffmpeg\r\nContent-Length: 1\r\n\r\n"))
	f.Add([]byte("content-length: -1\n\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newFrames(bytes.NewReader(b))
		for {
			n, err := r.next()
			if err != nil {
				return
			}
			if n < 1 || n > planes(1, maxPixels) {
				t.Fatal(n)
			}
			if r.skip(n) != nil {
				return
			}
		}
	})
}

func FuzzDress(f *testing.F) {
	avc := av.SplitAnnexB(avcMark(2, 8, 0))
	hevc := av.SplitAnnexB(hevcMark(2, 8))
	f.Add(av.JoinNALs(avc), avc[0], true)
	f.Add(av.JoinNALs(hevc), hevc[1], false)
	f.Fuzz(func(t *testing.T, data, sps []byte, h264 bool) {
		tr := av.Track{Codec: av.H265, SPS: sps}
		if h264 {
			tr.Codec = av.H264
		}
		p, err := dress(&av.Unit{Data: data}, tr)
		if err != nil {
			return
		}
		if p.width < minSide || p.height < minSide || p.width*p.height > maxPixels || len(p.annexB) > len(data)+len(sps)+4 {
			t.Fatalf("%dx%d, %d bytes of %d", p.width, p.height, len(p.annexB), len(data))
		}
	})
}

// BenchmarkStill is the time of one picture, of a camera of 1080p with others between.
func BenchmarkStill(b *testing.B) {
	for _, codec := range []av.Codec{av.H264, av.H265} {
		b.Run(string(codec), func(b *testing.B) {
			s := stills(b, Options{})
			u, tr := shot(b, codec, "testsrc2=s=1920x1080")
			v, vt := shot(b, codec, "testsrc2=s=640x360")
			for b.Loop() {
				for _, c := range []struct {
					u *av.Unit
					t av.Track
				}{{u, tr}, {v, vt}} {
					if _, err := s.Still(b.Context(), c.u, c.t, 0, 0); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
