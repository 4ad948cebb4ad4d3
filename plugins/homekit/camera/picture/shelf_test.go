package picture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
)

// lens is a hub with one camera; what it answers changes.
type lens struct {
	mu    sync.Mutex
	asked []sdk.SnapshotRequest
	delay time.Duration
	taken func() time.Time // nil: when it was asked
	err   error
	bytes []byte // nil: a JPEG that names its turn
}

func (l *lens) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.Image, error) {
	l.mu.Lock()
	l.asked = append(l.asked, r)
	n, delay, err, b, taken := len(l.asked), l.delay, l.err, l.bytes, time.Now()
	if l.taken != nil {
		taken = l.taken()
	}
	l.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return sdk.Image{}, ctx.Err()
	}
	if b == nil {
		b = fmt.Appendf([]byte{0xff, 0xd8, 0xff}, "picture %d of %dx%d", n, r.Width, r.Height)
	}
	return sdk.Image{JPEG: b, Taken: taken}, err
}

func (l *lens) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.asked)
}

func (l *lens) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func shelf(t *testing.T, l *lens) *Shelf {
	s := New(Options{Hub: l, Camera: "porch"})
	t.Cleanup(s.Close)
	return s
}

func get(t *testing.T, s *Shelf, event bool) string {
	t.Helper()
	b, err := s.Get(t.Context(), 640, 360, event)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[min(3, len(b)):])
}

func TestYoungOnesAreGivenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{delay: time.Second}
		s := shelf(t, l)
		if got := get(t, s, false); got != "picture 1 of 640x360" {
			t.Errorf("got %q", got)
		}
		time.Sleep(8 * time.Second)
		began := time.Now()
		if got := get(t, s, false); got != "picture 1 of 640x360" || time.Since(began) != 0 {
			t.Errorf("got %q after %v", got, time.Since(began))
		}
		time.Sleep(3 * time.Second)
		if got := get(t, s, false); got != "picture 2 of 640x360" {
			t.Errorf("got %q of a camera that is there", got)
		}
		if r := l.asked[1]; r.Camera != "porch" || r.Reason != "periodic" || r.MaxAge != MaxAge {
			t.Errorf("asked %+v", r)
		}
	})
}

func TestOnceForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{delay: time.Second}
		s := shelf(t, l)
		var w sync.WaitGroup
		for range 20 {
			w.Go(func() { get(t, s, false) })
		}
		w.Wait()
		if n := l.count(); n != 1 {
			t.Errorf("the hub was asked %d times", n)
		}
	})
}

func TestAPressIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{delay: time.Second}
		s := shelf(t, l)
		get(t, s, false)
		time.Sleep(time.Second)
		s.Event()
		synctest.Wait()
		if n := l.count(); n != 2 {
			t.Fatalf("asked %d times: not at once", n)
		}
		if r := l.asked[1]; r.Reason != "event" || r.MaxAge > time.Millisecond {
			t.Errorf("asked %+v", r)
		}
		// Home's question joins what is fetched already.
		if got := get(t, s, true); got != "picture 2 of 640x360" || l.count() != 2 {
			t.Errorf("got %q, asked %d times", got, l.count())
		}
		// Another press while a picture of the one before is fetched: that is no picture of it.
		s.Event()
		time.Sleep(500 * time.Millisecond)
		s.Event()
		if got := get(t, s, true); got != "picture 4 of 640x360" {
			t.Errorf("got %q", got)
		}
		time.Sleep(5 * time.Second)
		if got := get(t, s, true); got != "picture 4 of 640x360" {
			t.Errorf("got %q, though that is of the press", got)
		}
		time.Sleep(2 * time.Minute)
		if got := get(t, s, true); got != "picture 5 of 640x360" {
			t.Errorf("got %q of an event long after the press", got)
		}
	})
}

func TestBeforeAnybodyAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{}
		s := shelf(t, l)
		s.Event()
		synctest.Wait()
		if len(l.asked) != 1 || l.asked[0].Width != 1280 {
			t.Errorf("asked %+v", l.asked)
		}
	})
}

func whole(t *testing.T) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 640, 360)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestAway: the last picture, and how old it is.
func TestAway(t *testing.T) {
	plain := whole(t)
	synctest.Test(t, func(t *testing.T) {
		l := &lens{bytes: plain}
		s := shelf(t, l)
		get(t, s, false)
		time.Sleep(30 * time.Minute)
		last := time.Now().Add(-20 * time.Minute)
		for what, away := range map[string]func(){
			"errors":           func() { l.err = errors.New("no way to a picture") },
			"hangs":            func() { l.err, l.delay = nil, time.Hour },
			"gives an old one": func() { l.err, l.delay, l.taken = nil, 0, func() time.Time { return last } },
			"gives no JPEG":    func() { l.taken, l.bytes = nil, []byte("<html>") },
		} {
			l.change(away)
			began := time.Now()
			b, err := s.Get(t.Context(), 640, 360, false)
			if err != nil || time.Since(began) > limit {
				t.Fatalf("a hub that %s: %v after %v", what, err, time.Since(began))
			}
			if !barred(t, b) {
				t.Errorf("a hub that %s: the age is not told", what)
			}
			// Another size, of which there is none: the one that there is.
			if b, err := s.Get(t.Context(), 1280, 720, false); err != nil || !barred(t, b) {
				t.Errorf("a hub that %s, another size: %v", what, err)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// TestNotOfTheEventButYoung: nothing is drawn into it.
func TestNotOfTheEventButYoung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{taken: func() time.Time { return time.Now().Add(-4 * time.Second) }}
		s := shelf(t, l)
		s.Event()
		synctest.Wait()
		if got := get(t, s, true); got != "picture 2 of 640x360" {
			t.Errorf("got %q", got)
		}
	})
}

// TestMotionFetchesNothing until somebody asks; then it is of after it.
func TestMotionFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{}
		s := shelf(t, l)
		get(t, s, false)
		time.Sleep(time.Second)
		s.Happened()
		synctest.Wait()
		if n := l.count(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		if got := get(t, s, true); got != "picture 2 of 640x360" {
			t.Errorf("got %q", got)
		}
	})
}

// TestClocks that are ahead, behind, or set back.
func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{taken: func() time.Time { return time.Now().Add(time.Hour) }}
		now := time.Now()
		var mu sync.Mutex
		s := New(Options{Hub: l, Camera: "porch", Now: func() time.Time { mu.Lock(); defer mu.Unlock(); return now }})
		defer s.Close()
		step := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
		get(t, s, false)
		step(11 * time.Second)
		if got := get(t, s, false); got != "picture 2 of 640x360" {
			t.Errorf("got %q of a clock that is ahead", got)
		}
		step(-time.Hour)
		l.change(func() { l.taken = func() time.Time { return time.Now().Add(-time.Hour) } })
		if got := get(t, s, false); got != "picture 3 of 640x360" {
			t.Errorf("got %q after the clock was set back", got)
		}
	})
}

// TestTheLastPictureIsKept whatever sizes are asked that there is none of.
func TestTheLastPictureIsKept(t *testing.T) {
	l := &lens{bytes: whole(t)}
	s := shelf(t, l)
	get(t, s, false)
	l.change(func() { l.err = errors.New("away") })
	for i := range 50 {
		if _, err := s.Get(t.Context(), 200+i, 200, false); err != nil {
			t.Fatal(err)
		}
	}
}

// barred says whether there is a bar with light letters at the lower edge of a black picture.
func barred(t *testing.T, b []byte) bool {
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	light := 0
	r := img.Bounds()
	for y := r.Max.Y - r.Dy()/14; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if g, _, _, _ := img.At(x, y).RGBA(); g > 0xa000 {
				light++
			}
		}
	}
	return light > 100
}

func TestNeverAny(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{delay: time.Hour}
		s := shelf(t, l)
		began := time.Now()
		if _, err := s.Get(t.Context(), 640, 360, false); !errors.Is(err, ErrNone) || time.Since(began) != limit {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Get(ctx, 640, 360, false); !errors.Is(err, ErrNone) || time.Since(began) != limit {
			t.Errorf("of one that has gone: %v after %v", err, time.Since(began))
		}
		s.Close()
		if _, err := s.Get(t.Context(), 640, 360, true); !errors.Is(err, ErrNone) {
			t.Errorf("of a shelf that is closed: %v", err)
		}
		s.Event()
	})
}

func TestSizesAreBounded(t *testing.T) {
	l := &lens{}
	s := shelf(t, l)
	for _, c := range []struct{ w, h, toW, toH int }{
		{1e9, 1e9, 1920, 1080}, {0, 0, 1920, 1080}, {-5, 3, 1920, 1080}, {1, 1, 64, 48}, {1 << 62, 16, 1920, 48}, {640, 480, 640, 480},
	} {
		if _, err := s.Get(t.Context(), c.w, c.h, false); err != nil {
			t.Fatal(err)
		}
		if r := l.asked[len(l.asked)-1]; c.w > 0 && (r.Width != c.toW || r.Height != c.toH) {
			t.Errorf("%dx%d: asked %dx%d", c.w, c.h, r.Width, r.Height)
		}
	}
	for i := range 1000 {
		if _, err := s.Get(t.Context(), 100+i, 100, false); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.kept) > maxSizes {
		t.Errorf("%d sizes are kept", len(s.kept))
	}
	small := New(Options{Hub: l, Camera: "porch"})
	defer small.Close()
	small.Resize(320, 240)
	small.Resize(0, 0) // not known just now
	if _, err := small.Get(t.Context(), 1280, 720, false); err != nil || l.asked[len(l.asked)-1].Width != 320 {
		t.Errorf("%v: a small camera's picture is blown up", err)
	}
}

func TestTooManyWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lens{delay: time.Hour}
		s := shelf(t, l)
		var w sync.WaitGroup
		for range maxWaiting {
			w.Go(func() { _, _ = s.Get(t.Context(), 640, 360, false) })
		}
		synctest.Wait()
		began := time.Now()
		if _, err := s.Get(t.Context(), 640, 360, false); !errors.Is(err, ErrNone) || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		w.Wait()
	})
}

func TestWithText(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("no JPEG"), whole(t)[:200]} {
		if got := withText(b, "x"); !bytes.Equal(got, b) {
			t.Errorf("%d bytes were changed", len(b))
		}
	}
	var small bytes.Buffer
	if err := jpeg.Encode(&small, image.NewGray(image.Rect(0, 0, 3, 2)), nil); err != nil {
		t.Fatal(err)
	}
	withText(small.Bytes(), "Last picture, 3 days ago")
}

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "1 second ago", 0: "1 second ago", 12 * time.Second: "12 seconds ago", 90 * time.Second: "1 minute ago",
		59 * time.Minute: "59 minutes ago", 25 * time.Hour: "25 hours ago", 49 * time.Hour: "2 days ago",
	} {
		if got := ago(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

func FuzzWithText(f *testing.F) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(_ *testing.T, b []byte) { withText(b, "Last picture, 3 days ago") })
}
