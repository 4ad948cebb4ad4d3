package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func picture(t testing.TB, w, h int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		img.Set(i%w, i/w, color.RGBA{uint8(i % w), uint8(i / w), 90, 255})
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func get(t *testing.T, s *Store, w Want) Image {
	t.Helper()
	img, err := s.Get(t.Context(), "door", w)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestOrderOfTheWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		var asked atomic.Int32
		var answer func() (media.Picture, error)
		s := New(Options{Core: core, Plugin: func(context.Context, string, int, int) (media.Picture, error) {
			asked.Add(1)
			return answer()
		}})
		answer = func() (media.Picture, error) { return media.Picture{}, ErrNone }

		_, err := s.Get(t.Context(), "door", Want{})
		var none *NoPicture
		if !errors.As(err, &none) || none.Code() != "E-SNAP-NOTHING-YET" || none.Hint() == "" || !errors.Is(err, ErrNone) {
			t.Fatalf("no way: %v", err)
		}
		if _, err := s.Get(t.Context(), "door", Want{}); asked.Load() != 1 || err == nil {
			t.Errorf("asked %d times at once", asked.Load())
		}

		// A picture that the camera pushed needs nobody to be asked.
		core.PutImage("door", &av.Unit{Track: av.ImageTrack, Data: picture(t, 64, 48), Wall: time.Now()})
		if img := get(t, s, Want{}); img.Width != 64 || asked.Load() != 1 {
			t.Errorf("%dx%d, asked %d", img.Width, img.Height, asked.Load())
		}
		// What is pushed and is no picture is not kept.
		time.Sleep(time.Millisecond)
		core.PutImage("door", &av.Unit{Track: av.ImageTrack, Data: []byte("GIF89a"), Wall: time.Now()})
		if img := get(t, s, Want{}); img.Width != 64 {
			t.Error("not the last good one")
		}
		// Too old: the plugin is asked.
		time.Sleep(2 * time.Second)
		answer = func() (media.Picture, error) { return media.Picture{JPEG: picture(t, 80, 60)}, nil }
		if img := get(t, s, Want{}); img.Width != 80 || asked.Load() != 2 || img.Age() != 0 || img.Taken.IsZero() {
			t.Errorf("%dx%d, asked %d", img.Width, img.Height, asked.Load())
		}
		if get(t, s, Want{MaxAge: time.Hour}); asked.Load() != 2 {
			t.Error("asked though there is one")
		}
		// It fails: the last one is answered, with its age.
		time.Sleep(time.Minute)
		for _, a := range []func() (media.Picture, error){
			func() (media.Picture, error) { return media.Picture{}, errors.New("the door is shut") },
			func() (media.Picture, error) { return media.Picture{JPEG: []byte("<html>")}, nil },
		} {
			answer = a
			if img := get(t, s, Want{}); img.Width != 80 || img.Age() < time.Minute {
				t.Errorf("%dx%d of %v", img.Width, img.Height, img.Age())
			}
			time.Sleep(time.Second)
		}
		if _, err := s.Get(t.Context(), "door", Want{Width: MaxSide + 1}); err == nil {
			t.Error("any size is taken")
		}
	})
}

func TestPictureOfAnMJPEGStream(t *testing.T) {
	core := media.New(media.Limits{})
	w, err := core.Stream("door", "main").Begin([]av.Track{av.MJPEGTrack(1, 32, 24, 5)})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Put(&av.Unit{Track: 1, Wall: time.Now(), Data: picture(t, 32, 24)}); err != nil {
		t.Fatal(err)
	}
	if img := get(t, New(Options{Core: core}), Want{}); img.Width != 32 {
		t.Errorf("%dx%d", img.Width, img.Height)
	}
}

func TestOneQuestionForAllWhoAsk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		s := New(Options{Core: media.New(media.Limits{}), Plugin: func(ctx context.Context, _ string, _, _ int) (media.Picture, error) {
			asked.Add(1)
			select {
			case <-time.After(time.Second):
				return media.Picture{JPEG: picture(t, 16, 16)}, nil
			case <-ctx.Done():
				return media.Picture{}, ctx.Err()
			}
		}})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i == 0 {
					time.AfterFunc(10*time.Millisecond, cancel) // the first goes, and costs nobody the picture
				}
				if _, err := s.Get(ctx, "door", Want{}); (err == nil) == (i == 0) {
					t.Errorf("%d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		wg.Wait()
		if asked.Load() != 1 {
			t.Errorf("asked %d times", asked.Load())
		}
	})
}

func TestSmaller(t *testing.T) {
	core := media.New(media.Limits{})
	s := New(Options{Core: core})
	if _, err := s.Put("door", media.Picture{JPEG: picture(t, 160, 90), Received: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ w, h, wantW, wantH int }{
		{0, 0, 160, 90}, {80, 0, 80, 45}, {0, 45, 80, 45}, {80, 10, 18, 10}, {1000, 1000, 160, 90}, {1, 1, 1, 1},
	} {
		img := get(t, s, Want{Width: c.w, Height: c.h, MaxAge: time.Hour})
		cfg, err := jpeg.DecodeConfig(bytes.NewReader(img.JPEG))
		if err != nil || img.Width != c.wantW || img.Height != c.wantH || cfg.Width != c.wantW || cfg.Height != c.wantH {
			t.Errorf("%dx%d: %dx%d (%dx%d) %v", c.w, c.h, img.Width, img.Height, cfg.Width, cfg.Height, err)
		}
	}
	a := get(t, s, Want{Width: 80, MaxAge: time.Hour})
	if b := get(t, s, Want{Width: 80, MaxAge: time.Hour}); &a.JPEG[0] != &b.JPEG[0] {
		t.Error("made smaller twice")
	}
}

func TestHTTP(t *testing.T) {
	core := media.New(media.Limits{})
	var n atomic.Int32
	s := New(Options{Core: core, Plugin: func(_ context.Context, camera string, _, _ int) (media.Picture, error) {
		if camera == "blind" {
			return media.Picture{}, ErrNone
		}
		return media.Picture{JPEG: picture(t, 32+int(n.Add(1))%8, 24)}, nil
	}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		camera, what, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if what == "mjpeg" {
			s.ServeMJPEG(w, r, camera)
			return
		}
		s.ServeJPEG(w, r, camera)
	}))
	defer srv.Close()

	res, err := http.Get(srv.URL + "/door/jpeg?width=16&max_age=5s")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	cfg, err := jpeg.DecodeConfig(res.Body)
	if err != nil || cfg.Width != 16 || res.Header.Get("Content-Type") != "image/jpeg" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v %v %v", cfg, err, res.Header)
	}
	for path, status := range map[string]int{"/blind/jpeg": 503, "/blind/mjpeg": 503, "/door/jpeg?width=x": 400, "/door/jpeg?height=99999": 400, "/door/mjpeg?fps=100": 400, "/door/jpeg?max_age=soon": 400} {
		res, err := http.Get(srv.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		var p struct{ Code, Hint string }
		err = json.NewDecoder(res.Body).Decode(&p)
		res.Body.Close()
		if res.StatusCode != status || err != nil || (status == 503) != (p.Code == "E-SNAP-NOTHING-YET") {
			t.Errorf("%s: %d %+v %v", path, res.StatusCode, p, err)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL+"/door/mjpeg?fps=15", nil)
	res, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	parts := multipart.NewReader(res.Body, params["boundary"])
	var last []byte
	for range 3 {
		p, err := parts.NextPart()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(p)
		if err != nil || bytes.Equal(b, last) {
			t.Errorf("the same picture twice, or %v", err)
		}
		if _, err := jpeg.Decode(bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
		last = b
	}
}

// FuzzCheck: what is not a picture is refused, and nothing panics or takes much memory.
func FuzzCheck(f *testing.F) {
	f.Add([]byte{0xff, 0xd8, 0xff, 0xd9})
	f.Add(picture(f, 8, 8))
	f.Fuzz(func(t *testing.T, b []byte) {
		img, err := Check(media.Picture{JPEG: b})
		if err == nil && (img.Width < 1 || img.Height < 1 || img.Width*img.Height > maxPixels) {
			t.Errorf("%dx%d", img.Width, img.Height)
		}
	})
}
