package snapshot

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// reader makes "pictures" that say of which units they are.
type reader struct {
	fail error
	jpeg []byte
	runs [][]byte // the first byte of each unit, a run each time
}

func (*reader) Available() error { return nil }

func (r *reader) Still(context.Context, *av.Unit, av.Track, int, int) ([]byte, error) {
	return r.jpeg, nil
}

func (r *reader) Newest(_ context.Context, units []*av.Unit, _ av.Track, _, _ int) ([]byte, error) {
	var run []byte
	for _, u := range units {
		run = append(run, u.Data[len(u.Data)-1])
	}
	r.runs = append(r.runs, run)
	return r.jpeg, r.fail
}

// What is asked for now is made of a picture that came after it was asked.
func TestNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		d := &reader{jpeg: picture(t, 64, 48)}
		s := New(Options{Core: core, Stills: d})
		defer s.Close()
		w, err := core.Stream("door", "main").Begin([]av.Track{{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000}})
		if err != nil {
			t.Fatal(err)
		}
		n := byte(0)
		put := func(key bool) {
			t.Helper()
			at := int64(n) * 9000
			n++
			if err := w.Put(&av.Unit{Track: 1, Key: key, PTS: at, DTS: at, Wall: time.Now(), Data: av.JoinNALs([][]byte{{0x65, n}})}); err != nil {
				t.Fatal(err)
			}
		}
		put(true)
		put(false)
		put(true)
		put(false)
		time.Sleep(3 * time.Second)
		began := time.Now()
		go func() {
			time.Sleep(100 * time.Millisecond)
			put(false)
		}()
		img := get(t, s, Want{Now: true})
		if img.Way != FromNewest || !img.Taken.After(began) || !img.Received.After(began) {
			t.Errorf("%s, taken %v after it was asked", img.Way, img.Taken.Sub(began))
		}
		if len(d.runs) != 1 || !bytes.Equal(d.runs[0], []byte{3, 4, 5}) {
			t.Errorf("made of %v", d.runs)
		}
		if img := get(t, s, Want{}); img.Way != FromNewest {
			t.Errorf("then %s, which is older", img.Way)
		}
		// None comes any more: the newest there is.
		if img = get(t, s, Want{Now: true}); img.Way != FromNewest || len(d.runs) != 2 {
			t.Errorf("%s, %v", img.Way, d.runs)
		}
		// What goes wrong leaves the key frame.
		put(true)
		d.fail = errors.New("broken")
		if img = get(t, s, Want{Now: true}); img.Way != FromKey {
			t.Errorf("of what is broken: %s", img.Way)
		}
	})
}
