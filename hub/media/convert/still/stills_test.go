package still

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// shot makes one key frame with a real encoder.
func shot(t testing.TB, codec av.Codec, source string, options ...string) (*av.Unit, av.Track) {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("SKIPPED: ffmpeg is not installed, and making pictures of video is not tested without it")
	}
	args := []string{"-v", "error", "-f", "lavfi", "-i", source, "-frames:v", "1", "-pix_fmt", "yuv420p"}
	if codec == av.H265 {
		args = append(args, "-c:v", "libx265", "-x265-params", "log-level=error:info=0", "-f", "hevc")
	} else {
		args = append(args, "-c:v", "libx264", "-f", "h264")
	}
	b, err := exec.CommandContext(t.Context(), path, append(append(args, options...), "-")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if codec == av.H264 {
		p := av.H264FromAnnexB(b)
		tr, err := av.H264Track(1, p.SPS, p.PPS)
		if err != nil {
			t.Fatal(err)
		}
		return &av.Unit{Track: 1, Key: true, Data: p.Data}, tr
	}
	var vps, sps, pps []byte
	var rest [][]byte
	for _, nal := range av.SplitAnnexB(b) {
		switch nal[0] >> 1 & 0x3f {
		case 32:
			vps = nal
		case 33:
			sps = nal
		case 34:
			pps = nal
		default:
			rest = append(rest, nal)
		}
	}
	tr, err := av.H265Track(1, vps, sps, pps)
	if err != nil {
		t.Fatal(err)
	}
	return &av.Unit{Track: 1, Key: true, Data: av.JoinNALs(rest)}, tr
}

func stills(t testing.TB, o Options) *Stills {
	s := New(o)
	t.Cleanup(s.Close)
	return s
}

func decode(t testing.TB, b []byte) image.Image {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// near reports whether the middle of img is about c.
func near(img image.Image, c color.RGBA) bool {
	r, g, b, _ := img.At(img.Bounds().Dx()/2, img.Bounds().Dy()/2).RGBA()
	off := func(a uint32, b uint8) bool { d := int(a>>8) - int(b); return d < -24 || d > 24 }
	return !off(r, c.R) && !off(g, c.G) && !off(b, c.B)
}

func TestStillsOfAllKinds(t *testing.T) {
	s := stills(t, Options{})
	if s.Stats().Starts != 0 {
		t.Error("started before it was needed")
	}
	red := color.RGBA{254, 0, 0, 255}
	for i, c := range []struct {
		codec        av.Codec
		size         string
		options      []string
		boundW, want string
	}{
		{av.H264, "1920x1080", nil, "", "1920x1080"},
		{av.H264, "1280x720", []string{"-bf", "3", "-refs", "16"}, "", "1280x720"},
		{av.H264, "640x360", []string{"-profile:v", "baseline"}, "", "640x360"},
		{av.H264, "2560x1920", nil, "320", "320x240"},
		{av.H264, "1920x1080", []string{"-x264-params", "slices=8"}, "640", "640x360"},
		{av.H264, "1920x1080", []string{"-pix_fmt", "yuv444p"}, "", "1920x1080"},
		{av.H265, "1920x1080", nil, "", "1920x1080"},
		{av.H265, "3840x2160", nil, "640", "640x360"},
		{av.H265, "2304x1296", []string{"-pix_fmt", "yuv420p10le"}, "", "2304x1296"},
		{av.H264, "704x576", nil, "", "704x576"},
		{av.H264, "18x16", nil, "", "18x16"},
	} {
		t.Run(fmt.Sprint(i, c.codec, c.size), func(t *testing.T) {
			u, tr := shot(t, c.codec, "color=red:s="+c.size, c.options...)
			var w int
			_, _ = fmt.Sscan(c.boundW, &w)
			for range 3 {
				b, err := s.Still(t.Context(), u, tr, w, 0)
				if err != nil {
					t.Fatal(err)
				}
				img := decode(t, b)
				if got := fmt.Sprintf("%dx%d", img.Bounds().Dx(), img.Bounds().Dy()); got != c.want || !near(img, red) {
					t.Errorf("%s, %v", got, img.At(8, 8))
				}
			}
		})
	}
	if st := s.Stats(); st.Starts != 3 {
		t.Errorf("%d starts; one for each change of codec is enough", st.Starts)
	}
}

// One camera must never be answered with the picture of another.
func TestEachIsAnsweredWithItsOwn(t *testing.T) {
	s := stills(t, Options{})
	type camera struct {
		u     *av.Unit
		t     av.Track
		c     color.RGBA
		width int
	}
	var cameras []camera
	for _, c := range []struct {
		name, size string
		c          color.RGBA
	}{
		{"red", "640x480", color.RGBA{254, 0, 0, 255}},
		{"blue", "640x480", color.RGBA{0, 0, 254, 255}},
		{"white", "1280x720", color.RGBA{254, 254, 254, 255}},
		{"black", "320x240", color.RGBA{0, 0, 0, 255}},
	} {
		u, tr := shot(t, av.H264, "color="+c.name+":s="+c.size, "-bf", "3")
		cameras = append(cameras, camera{u, tr, c.c, tr.Width})
	}
	broken := *cameras[0].u
	broken.Data = append([]byte(nil), broken.Data...)
	for i := 60; i < len(broken.Data); i += 3 {
		broken.Data[i] ^= 0x5a
	}
	var wg sync.WaitGroup
	for i := range 7 {
		wg.Go(func() {
			for k := range 12 {
				c := cameras[(i+k)%len(cameras)]
				if i == 6 {
					_, _ = s.Still(t.Context(), &broken, cameras[0].t, 0, 0) // whatever becomes of it
					continue
				}
				b, err := s.Still(t.Context(), c.u, c.t, 0, 0)
				if err != nil {
					t.Error(err)
					return
				}
				img, err := jpeg.Decode(bytes.NewReader(b))
				if err != nil || img.Bounds().Dx() != c.width || !near(img, c.c) {
					t.Errorf("another's picture: %v %v", img.Bounds(), img.At(9, 9))
				}
			}
		})
	}
	wg.Wait()
}

func TestWorkerThatIsKilled(t *testing.T) {
	s := stills(t, Options{})
	u, tr := shot(t, av.H264, "testsrc2=s=1280x720")
	var before int
	for i := range 5 {
		if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
			t.Fatal(i, err)
		}
		pid := s.Stats().PID
		if pid == 0 || pid == before {
			t.Fatalf("pid %d after %d", pid, before)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		before = pid
	}
	// And in the midst of work.
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
					var f *fault.Fault
					if !errors.As(err, &f) || f.Code() != "E-CONV-PICTURE" { // killed twice for one picture
						t.Error(err)
					}
				}
			}
		}
	})
	killed := map[int]bool{}
	for made := s.Stats().Made; len(killed) < 6; {
		if st := s.Stats(); st.Made > made && st.PID != 0 && !killed[st.PID] {
			made, killed[st.PID] = st.Made, true
			_ = syscall.Kill(st.PID, syscall.SIGKILL)
		}
		runtime.Gosched()
	}
	close(stop)
	wg.Wait()
	s.Close()
	for pid := range killed {
		if _, err := os.Stat(fmt.Sprint("/proc/", pid)); err == nil {
			t.Errorf("%d is left", pid)
		}
	}
	if _, err := s.Still(t.Context(), u, tr, 0, 0); err == nil {
		t.Error("a still after the end")
	}
}

// A worker that hangs costs its picture, not the hub.
func TestWorkerThatIsStopped(t *testing.T) {
	s := stills(t, Options{})
	u, tr := shot(t, av.H264, "testsrc2=s=320x240")
	if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
		t.Fatal(err)
	}
	pid := s.Stats().PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err := s.Still(t.Context(), u, tr, 0, 0)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code() != "E-CONV-SLOW" || f.Hint() == "" {
		t.Fatalf("%v", err)
	}
	if _, err := os.Stat(fmt.Sprint("/proc/", pid)); err == nil {
		t.Error("the stopped one is left")
	}
	if _, err := s.Still(t.Context(), u, tr, 0, 0); err != nil {
		t.Errorf("after it: %v", err)
	}
}

func TestWithoutFFmpeg(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := stills(t, Options{})
	_, err := s.Still(t.Context(), &av.Unit{}, av.Track{Codec: av.H264}, 0, 0)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code() != "E-CONV-NO-FFMPEG" || !strings.Contains(f.Hint(), fault.Install) {
		t.Errorf("%v", err)
	}
	if err := s.Available(); !errors.As(err, &f) {
		t.Errorf("%v", err)
	}
}
