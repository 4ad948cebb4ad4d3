package snapshot

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// slow is a decoder that takes its time, and counts.
type slow struct {
	jpeg []byte
	took time.Duration

	mu   sync.Mutex
	made int
}

func (*slow) Available() error { return nil }

func (d *slow) Still(ctx context.Context, _ *av.Unit, _ av.Track, _, _ int) ([]byte, error) {
	select {
	case <-time.After(d.took):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.made++
	return d.jpeg, nil
}

func (d *slow) Newest(ctx context.Context, _ []*av.Unit, t av.Track, w, h int) ([]byte, error) {
	return d.Still(ctx, nil, t, w, h)
}

func (d *slow) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.made
}

// slowDoor is a camera with a key frame each 4 s, of which a picture takes 2 s to make.
func slowDoor(t *testing.T, o Options) (*Store, *slow, func()) {
	core := media.New(media.Limits{})
	d := &slow{jpeg: picture(t, 64, 48), took: 2 * time.Second}
	o.Core, o.Stills = core, d
	w, err := core.Stream("door", "main").Begin([]av.Track{{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		for n := int64(0); ctx.Err() == nil; n++ {
			u := &av.Unit{Track: 1, Key: n%4 == 0, PTS: n * 90000, DTS: n * 90000, Wall: time.Now(), Data: av.JoinNALs([][]byte{{0x65, byte(n)}})}
			if w.Put(u) != nil {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	}()
	synctest.Wait()
	return New(o), d, stop
}

// Who asks again and again has each picture at once, and it is not too old; for a while
// after the last time pictures are made ahead, and then no more.
func TestPicturesAreMadeAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, stop := slowDoor(t, Options{})
		defer stop()
		defer s.Close()
		ask := func(maxAge time.Duration) (time.Duration, Image) {
			t.Helper()
			began := time.Now()
			img := get(t, s, Want{Width: 32, MaxAge: maxAge})
			return time.Since(began), img
		}
		if took, _ := ask(10 * time.Second); took != 2*time.Second {
			t.Errorf("the first took %s", took)
		}
		for range 12 {
			time.Sleep(11 * time.Second)
			took, img := ask(10 * time.Second)
			if took != 0 || img.Age() > 10*time.Second || img.Width != 32 {
				t.Fatalf("took %s, %s old, %d wide", took, img.Age(), img.Width)
			}
		}
		if n := d.count(); n > 132/4+2 {
			t.Errorf("%d pictures were made in 132 s", n)
		}
		time.Sleep(warmTime + 15*time.Second)
		n := d.count()
		time.Sleep(time.Minute)
		if d.count() != n {
			t.Errorf("%d more are made for nobody", d.count()-n)
		}
		if took, _ := ask(10 * time.Second); took != 2*time.Second {
			t.Errorf("after a long while it took %s", took)
		}
	})
}

// What would wake a camera, or is asked for as new as can be, is not made ahead.
func TestNothingIsMadeAheadOfThoseWhoDoNotAskForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			o Options
			r Want
		}{
			"a new one":            {Options{}, Want{}},
			"one of a press":       {Options{}, Want{Now: true, MaxAge: 10 * time.Second}},
			"one of a sleeper":     {Options{Sleeps: func(string) bool { return true }}, Want{MaxAge: 10 * time.Second}},
			"one of a lost source": {Options{}, Want{MaxAge: 10 * time.Second}},
		} {
			s, d, stop := slowDoor(t, c.o)
			get(t, s, c.r)
			if name == "one of a lost source" {
				stop() // no key frame comes any more
				time.Sleep(4 * time.Second)
			}
			n := d.count()
			time.Sleep(30 * time.Second)
			if more := d.count() - n; more > 1 {
				t.Errorf("%s: %d more were made", name, more)
			}
			stop()
			s.Close()
			synctest.Wait()
		}
	})
}

// The store's end and the camera's end it too.
func TestMakingAheadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d, stop := slowDoor(t, Options{})
		defer stop()
		get(t, s, Want{MaxAge: 10 * time.Second})
		s.Forget("door")
		time.Sleep(6 * time.Second)
		n := d.count()
		time.Sleep(20 * time.Second)
		if d.count() != n {
			t.Error("pictures of a camera that is gone are made")
		}
		get(t, s, Want{MaxAge: 10 * time.Second})
		s.Close()
		n = d.count()
		time.Sleep(20 * time.Second)
		if d.count() != n {
			t.Error("a closed store makes pictures")
		}
	})
}
