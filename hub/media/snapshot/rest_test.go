package snapshot

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// convFault is as that of hub/media/convert.
type convFault string

func (f convFault) Error() string { return "convert: " + string(f) }
func (f convFault) Code() string  { return string(f) }
func (f convFault) Hint() string  { return "choose H.264" }

// oneDecoder makes one picture at a time as hub/media/convert does: a good one in 50 ms, and
// a frame that begins with a 1 holds it up for 2 s.
type oneDecoder struct {
	good []byte
	why  error
	turn chan struct{} // 1: who has put one in has the turn
	bad  []time.Time   // when it was given a bad one
}

func (d *oneDecoder) Available() error { return nil }

func (d *oneDecoder) Still(_ context.Context, u *av.Unit, _ av.Track, _, _ int) ([]byte, error) {
	d.turn <- struct{}{}
	defer func() { <-d.turn }()
	if u.Data[0] == 1 {
		d.bad = append(d.bad, time.Now())
		time.Sleep(2 * time.Second)
		return nil, d.why
	}
	time.Sleep(50 * time.Millisecond)
	return d.good, nil
}

func (d *oneDecoder) Newest(ctx context.Context, units []*av.Unit, t av.Track, w, h int) ([]byte, error) {
	return d.Still(ctx, units[len(units)-1], t, w, h)
}

// sender gives key frames to a stream, a second from each other.
type sender struct {
	t   *testing.T
	w   *media.Writer
	pts int64
}

func newSender(t *testing.T, core *media.Core, camera, stream string) *sender {
	t.Helper()
	w, err := core.Stream(camera, stream).Begin([]av.Track{{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, Width: 640, Height: 360}})
	if err != nil {
		t.Fatal(err)
	}
	return &sender{t: t, w: w}
}

func (s *sender) send(first byte) {
	s.t.Helper()
	s.pts += 90000
	if err := s.w.Put(&av.Unit{Track: 1, Key: true, PTS: s.pts, DTS: s.pts, Wall: time.Now(), Data: []byte{first, 0, 0, 1, 0x65}}); err != nil {
		s.t.Fatal(err)
	}
}

// A camera whose key frames are bad is left out for longer and longer, by all who look at
// it together, and is there again with its first good one.
func TestBadKeyFramesRest(t *testing.T) {
	for _, code := range []convFault{"E-CONV-SLOW", "E-CONV-PICTURE"} {
		synctest.Test(t, func(t *testing.T) {
			core := media.New(media.Limits{})
			d := &oneDecoder{turn: make(chan struct{}, 1), good: picture(t, 64, 48), why: code}
			s := New(Options{Core: core, Stills: d})
			gate, sub := newSender(t, core, "gate", "main"), newSender(t, core, "gate", "sub")
			look := func() error {
				_, err := s.Get(t.Context(), "gate", Want{})
				for _, width := range []int{320, 640} {
					_, ferr := s.frame(t.Context(), "gate", filmKey{"main", width, 0})
					if (ferr == nil) != (err == nil) {
						t.Errorf("%v, %v", err, ferr)
					}
				}
				return err
			}
			var none *NoPicture
			for range 200 {
				gate.send(1)
				if err := look(); !errors.As(err, &none) || none.Code() != string(code) || none.Hint() != "choose H.264" {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
			}
			for i, least := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
				// Behind the end of the 2 s that it took, and with the next look that comes.
				rested := d.bad[i+1].Sub(d.bad[i]) - 2*time.Second
				if rested < least*time.Second || rested > least*time.Second+time.Second {
					t.Errorf("%s: rest %d was %v, not %v", code, i, rested, least*time.Second)
				}
			}
			// Another stream of the same camera does not rest with it.
			sub.send(2)
			if _, err := s.still(t.Context(), "gate", "sub", &av.Unit{Data: []byte{2}}, av.Track{}, 0, 0); err != nil {
				t.Error(err)
			}
			// After a rest one tries, however many look.
			time.Sleep(longestRest)
			n := len(d.bad)
			gate.send(1)
			var wg sync.WaitGroup
			for width := range 4 {
				wg.Go(func() { _, _ = s.frame(t.Context(), "gate", filmKey{"main", 100 + width, 0}) })
			}
			wg.Wait()
			if len(d.bad) != n+1 {
				t.Errorf("%d tried at once", len(d.bad)-n)
			}
			// It is mended: the frame that came in the rest is its picture when that is over.
			n = len(d.bad)
			gate.send(2)
			if err := look(); err == nil {
				t.Error("it does not rest")
			}
			time.Sleep(longestRest)
			if err := look(); err != nil || len(d.bad) != n {
				t.Errorf("mended: %v", err)
			}
			// All is forgotten: the next bad one is tried at once, and rests for 2 s only.
			for range 2 {
				gate.send(1)
				time.Sleep(firstRest + time.Second)
				_, _ = s.frame(t.Context(), "gate", filmKey{"main", 0, 0})
			}
			if got := d.bad[n:]; len(got) != 2 {
				t.Errorf("after a good one %d were tried", len(got))
			}
			s.Close()
		})
	}
}

// The pictures of a good camera come at once though another's are bad.
func TestBadCameraDoesNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		d := &oneDecoder{turn: make(chan struct{}, 1), good: picture(t, 64, 48), why: convFault("E-CONV-SLOW")}
		s := New(Options{Core: core, Stills: d})
		gate, door := newSender(t, core, "gate", "main"), newSender(t, core, "door", "main")
		var wg sync.WaitGroup
		late := 0
		const n = 300
		for range n {
			gate.send(1)
			door.send(2)
			wg.Go(func() { _, _ = s.Get(t.Context(), "gate", Want{MaxAge: time.Millisecond}) })
			synctest.Wait() // the bad one is first
			began := time.Now()
			if img := get(t, s, Want{MaxAge: time.Millisecond}); img.Way != FromKey {
				t.Error(img.Way)
			}
			if time.Since(began) > 300*time.Millisecond {
				late++
			}
			time.Sleep(time.Second)
		}
		wg.Wait()
		// Rests of 2, 4, 8, 16, 32 and then 60 s leave 10 tries in 300 s, each of which makes one late.
		if late > 12 {
			t.Errorf("%d of %d pictures of a good camera were late", late, n)
		}
		s.Close()
	})
}

// An error that says nothing of the picture rests nobody.
func TestOtherFaultsDoNotRest(t *testing.T) {
	for _, code := range []convFault{"E-CONV-BUSY", "E-CONV-FFMPEG", "E-CONV-NO-FFMPEG"} {
		synctest.Test(t, func(t *testing.T) {
			core := media.New(media.Limits{})
			d := &oneDecoder{turn: make(chan struct{}, 1), why: code}
			s := New(Options{Core: core, Stills: d})
			newSender(t, core, "door", "main").send(1)
			for range 3 {
				rec := httptest.NewRecorder()
				s.ServeJPEG(rec, httptest.NewRequest(http.MethodGet, "/", nil), "door")
				if rec.Code != http.StatusServiceUnavailable || strings.Contains(rec.Body.String(), "left out") {
					t.Errorf("%d %s", rec.Code, rec.Body)
				}
			}
			if len(d.bad) != 3 {
				t.Errorf("%s: tried %d times", code, len(d.bad))
			}
			s.Close()
		})
	}
}
