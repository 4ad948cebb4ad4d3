package snapshot

import (
	"bytes"
	"context"
	"errors"
	"image/jpeg"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	faults "github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/hub/media/convert/still"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// video gives key frames of a real encoder.
func video(t testing.TB, codec av.Codec, frames int) ([]*av.Unit, av.Track) {
	t.Helper()
	path, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("SKIPPED: ffmpeg is not installed, and making pictures of video is not tested without it")
	}
	var units []*av.Unit
	var track av.Track
	for i := range frames {
		args := []string{"-v", "error", "-ss", time.Duration(i * int(time.Second)).String()[:1], "-f", "lavfi", "-i", "testsrc2=s=640x360:r=5", "-frames:v", "1", "-pix_fmt", "yuv420p"}
		if codec == av.H265 {
			args = append(args, "-c:v", "libx265", "-x265-params", "log-level=error:info=0", "-f", "hevc", "-")
		} else {
			args = append(args, "-c:v", "libx264", "-f", "h264", "-")
		}
		b, err := exec.CommandContext(t.Context(), path, args...).Output()
		if err != nil {
			t.Fatal(err)
		}
		u := &av.Unit{Track: 1, Key: true, PTS: int64(i) * 90000, DTS: int64(i) * 90000, Wall: time.Now()}
		if codec == av.H264 {
			p := av.H264FromAnnexB(b)
			track, err = av.H264Track(1, p.SPS, p.PPS)
			u.Data = p.Data
		} else {
			var sets [3][]byte
			var rest [][]byte
			for _, nal := range av.SplitAnnexB(b) {
				if k := nal[0] >> 1 & 0x3f; k >= 32 && k <= 34 {
					sets[k-32] = nal
				} else {
					rest = append(rest, nal)
				}
			}
			track, err = av.H265Track(1, sets[0], sets[1], sets[2])
			u.Data = av.JoinNALs(rest)
		}
		if err != nil {
			t.Fatal(err)
		}
		units = append(units, u)
	}
	return units, track
}

func decoder(t testing.TB) *still.Stills {
	s := still.New(still.Options{})
	t.Cleanup(s.Close)
	return s
}

func TestWaysInTheirOrder(t *testing.T) {
	units, track := video(t, av.H264, 2)
	core := media.New(media.Limits{})
	d := newDoor(t)
	var url URL
	var fromPlugin error = ErrNone
	dir := t.TempDir()
	open := func() *Store {
		return New(Options{Core: core, Dir: dir, Stills: decoder(t),
			URL: func(string) (URL, bool) { return url, url.URL != "" },
			Plugin: func(context.Context, string, int, int) (media.Picture, error) {
				return media.Picture{JPEG: picture(t, 80, 60)}, fromPlugin
			}})
	}
	s := open()
	w, err := core.Stream("door", "main").Begin([]av.Track{track})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Put(units[0]); err != nil {
		t.Fatal(err)
	}
	want := func(way Way) {
		t.Helper()
		s.later(10 * time.Second)
		img := get(t, s, Want{MaxAge: time.Nanosecond})
		if img.Way != way {
			t.Errorf("%s, not %s", img.Way, way)
		}
		if _, err := jpeg.Decode(bytes.NewReader(img.JPEG)); err != nil {
			t.Error(err)
		}
	}
	want(FromKey)
	made := s.o.Stills.(*still.Stills).Stats().Made
	want(FromKey)
	if s.o.Stills.(*still.Stills).Stats().Made != made {
		t.Error("the same key frame was made into a picture twice")
	}
	fromPlugin = nil
	want(FromPlugin)
	url.URL = d.URL
	want(FromURL)
	url.URL, fromPlugin = "http://127.0.0.1:1/", ErrNone
	if err := w.Put(units[1]); err != nil {
		t.Fatal(err)
	}
	want(FromKey)
	w.End("gone")
	want(FromKey) // the last one there was, from memory
	s.Close()

	s = open()
	core = media.New(media.Limits{})
	s.o.Core = core
	img := get(t, s, Want{})
	if img.Way != FromDisk || img.Width != 640 {
		t.Errorf("after a restart: %s, %d", img.Way, img.Width)
	}
	url.URL = d.URL
	if img := get(t, s, Want{MaxAge: time.Hour}); img.Way != FromURL {
		t.Errorf("one from before the start counts as new: %s", img.Way)
	}
	s.Forget("door")
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 0 {
		t.Errorf("left of a camera that was removed: %v", left)
	}
	s.Close()
}

func TestDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "last")
	core := media.New(media.Limits{})
	put := func(camera string, w int, at time.Time) {
		t.Helper()
		s := New(Options{Core: core, Dir: dir})
		if _, err := s.Put(camera, media.Picture{JPEG: picture(t, w, 24), Received: at}); err != nil {
			t.Fatal(err)
		}
		// No Close: what is new is on the disk though the hub is killed.
	}
	last := func(camera string) (Image, bool) { return New(Options{Core: core, Dir: dir}).Latest(camera) }
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	put("door", 32, at)
	if img, ok := last("door"); !ok || !img.Received.Equal(at) || img.Way != FromDisk || img.Age() < time.Hour {
		t.Errorf("%v %v", ok, img.Received)
	}
	// A clock that was wrong does not keep it for ever, or make it new.
	put("door", 40, time.Now().AddDate(50, 0, 0))
	s := New(Options{Core: core, Dir: dir})
	if img, _ := s.Latest("door"); img.fresh(time.Hour) {
		t.Error("it counts as new")
	}
	if _, err := s.Put("door", media.Picture{JPEG: picture(t, 48, 24), Received: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if img, _ := s.Latest("door"); img.Width != 48 {
		t.Error("an old picture won against a new one")
	}
	for _, camera := range []string{"../out", "a/b", ".hidden", "", strings.Repeat("x", 500), "..", "nul\x00"} {
		put(camera, 32, at)
		if _, ok := last(camera); ok {
			t.Errorf("%q is a file", camera)
		}
	}
	if out, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "*")); len(out) != 1 {
		t.Errorf("outside of the folder: %v", out)
	}
	info, err := os.Stat(filepath.Join(dir, "door.jpg"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	// What is broken is thrown away, what is no file left alone.
	if err := os.WriteFile(filepath.Join(dir, "half.jpg"), picture(t, 99, 99)[:40], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link.jpg")); err != nil {
		t.Fatal(err)
	}
	for _, camera := range []string{"half", "link"} {
		if _, ok := last(camera); ok {
			t.Errorf("%s is a picture", camera)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "half.jpg")); err == nil {
		t.Error("the broken one is left")
	}
}

// A stream that nobody pulls is woken for a picture, unless the camera sleeps.
func TestStreamThatIsWoken(t *testing.T) {
	units, track := video(t, av.H265, 1)
	core := media.New(media.Limits{})
	var woken atomic.Int32
	st := core.Stream("door", "main")
	var wg sync.WaitGroup
	defer wg.Wait()
	defer core.OnDemand(func(d media.Demand) {
		if d.N == 0 || woken.Add(1) > 1 {
			return
		}
		wg.Go(func() { // as a puller does
			w, err := st.Begin([]av.Track{track})
			if err == nil {
				err = w.Put(units[0])
			}
			if err != nil {
				t.Error(err)
			}
		})
	})()
	var sleeps atomic.Bool
	sleeps.Store(true)
	s := New(Options{Core: core, Stills: decoder(t), Sleeps: func(string) bool { return sleeps.Load() }})
	var none *NoPicture
	if _, err := s.Get(t.Context(), "door", Want{}); !errors.As(err, &none) || none.Code() != "E-SNAP-NOTHING-YET" || woken.Load() != 0 {
		t.Errorf("%v, woken %d times", err, woken.Load())
	}
	sleeps.Store(false)
	if img := get(t, s, Want{}); img.Way != FromKey || img.Width != 640 {
		t.Errorf("%s %d", img.Way, img.Width)
	}
	if n := st.Demand(); n != 0 {
		t.Errorf("still wanted %d times", n)
	}
}

// locked is why a stream does not come.
type locked struct{ error }

func (locked) Code() string { return "E-RTSP-LOGIN" }
func (locked) Hint() string { return "check the password" }

func TestStreamThatCannotCome(t *testing.T) {
	core := media.New(media.Limits{})
	st := core.Stream("door", "main")
	stop := core.OnDemand(func(media.Demand) { t.Error("it was waited for") })
	s := New(Options{Core: core, Trouble: func(string) error { return locked{errors.New("the camera refused the login")} }})
	var none *NoPicture
	if _, err := s.Get(t.Context(), "door", Want{}); !errors.As(err, &none) || none.Code() != "E-RTSP-LOGIN" || none.Hint() != "check the password" {
		t.Error(err)
	}
	stop()
	rec := httptest.NewRecorder()
	s.ServeMJPEG(rec, httptest.NewRequest(http.MethodGet, "/", nil), "door")
	if rec.Code != 503 || !strings.Contains(rec.Body.String(), "E-RTSP-LOGIN") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	if st.Demand() != 0 {
		t.Error("still wanted")
	}
}

func TestWithoutDecoder(t *testing.T) {
	units, track := video(t, av.H265, 1)
	t.Setenv("PATH", t.TempDir())
	for _, stills := range []Stills{nil, decoder(t)} {
		core := media.New(media.Limits{})
		w, err := core.Stream("door", "main").Begin([]av.Track{track})
		if err == nil {
			err = w.Put(units[0])
		}
		if err != nil {
			t.Fatal(err)
		}
		s := New(Options{Core: core, Stills: stills})
		rec := httptest.NewRecorder()
		s.ServeJPEG(rec, httptest.NewRequest(http.MethodGet, "/", nil), "door")
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "E-SNAP-NO-DECODER") || !strings.Contains(rec.Body.String(), faults.Install) {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		rec = httptest.NewRecorder()
		s.ServeMJPEG(rec, httptest.NewRequest(http.MethodGet, "/", nil), "door")
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "E-SNAP-NO-DECODER") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
		rec = httptest.NewRecorder()
		s.ServeJPEG(rec, httptest.NewRequest(http.MethodGet, "/?placeholder=1&width=320", nil), "door")
		if h := rec.Header(); rec.Code != 200 || h.Get("X-Porchlight-Placeholder") != "E-SNAP-NO-DECODER" || h.Get("Content-Type") != "image/svg+xml" ||
			!strings.Contains(rec.Body.String(), `width="320" height="180"`) {
			t.Errorf("%d %v %s", rec.Code, h, rec.Body)
		}
		// With a last picture it is that which is shown.
		if _, err := s.Put("door", media.Picture{JPEG: picture(t, 32, 24), Received: time.Now().Add(-time.Minute)}); err != nil {
			t.Fatal(err)
		}
		rec = httptest.NewRecorder()
		s.ServeJPEG(rec, httptest.NewRequest(http.MethodGet, "/?placeholder=1", nil), "door")
		if h := rec.Header(); rec.Code != 200 || h.Get("Content-Type") != "image/jpeg" || h.Get("Age") != "60" {
			t.Errorf("%d %v", rec.Code, h)
		}
		// But not as what is now.
		rec = httptest.NewRecorder()
		s.ServeMJPEG(rec, httptest.NewRequest(http.MethodGet, "/", nil), "door")
		if rec.Code != 503 || !strings.Contains(rec.Body.String(), "E-SNAP-NO-DECODER") {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
}

// A camera of H.265 as moving pictures, one a key frame, made once for all who look.
func TestMovingPicturesOfKeyFrames(t *testing.T) {
	units, track := video(t, av.H265, 4)
	core := media.New(media.Limits{})
	w, err := core.Stream("door", "sub").Begin([]av.Track{track})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Put(units[0]); err != nil {
		t.Fatal(err)
	}
	stills := decoder(t)
	s := New(Options{Core: core, Stills: stills})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeMJPEG(w, r, "door") }))
	defer srv.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var viewers []*multipart.Reader
	for range 3 {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/?stream=sub&width=320&fps=15", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
		if err != nil || res.Header.Get("X-Porchlight-Way") != "key" {
			t.Fatal(err, res.Header)
		}
		viewers = append(viewers, multipart.NewReader(res.Body, params["boundary"]))
	}
	var before []byte
	for i := range units {
		if i > 0 {
			if err := w.Put(units[i]); err != nil {
				t.Fatal(err)
			}
		}
		var first []byte
		for _, v := range viewers {
			part, err := v.NextPart()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(part)
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := jpeg.DecodeConfig(bytes.NewReader(b))
			if err != nil || cfg.Width != 320 || cfg.Height != 180 {
				t.Fatal(cfg, err)
			}
			if first == nil {
				first = b
			}
			if !bytes.Equal(b, first) || bytes.Equal(b, before) {
				t.Error("not the same for all, or the same again")
			}
		}
		before = first
	}
	if made := stills.Stats().Made; made != uint64(len(units)) {
		t.Errorf("%d pictures were made of %d key frames", made, len(units))
	}
	if st, _ := core.Lookup("door", "sub"); st.Demand() != 3 {
		t.Errorf("wanted by %d", st.Demand())
	}
	if _, ok := s.Latest("door"); ok {
		t.Error("small pictures of the sub stream count as snapshots")
	}
}

// What is being asked for ends with the store, and costs its end no time.
func TestClose(t *testing.T) {
	asked := make(chan struct{})
	s := New(Options{Core: media.New(media.Limits{}), Plugin: func(ctx context.Context, _ string, _, _ int) (media.Picture, error) {
		close(asked)
		<-ctx.Done()
		return media.Picture{}, ctx.Err()
	}})
	done := make(chan error, 1)
	go func() {
		_, err := s.Get(t.Context(), "door", Want{})
		done <- err
	}()
	<-asked
	s.Close()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
