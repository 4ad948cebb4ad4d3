package rtsp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/badcam"
)

var errEnough = errors.New("enough")

// screen is a sink that ends the pull after so many units of the first track.
type screen struct {
	want   int
	tracks []av.Track
	sets   []av.Track
	units  []*av.Unit // of the first track
	others int
	until  func(s *screen) bool
}

func (s *screen) Begin(t []av.Track) error  { s.tracks = slices.Clone(t); return nil }
func (s *screen) SetTrack(t av.Track) error { s.sets = append(s.sets, t); return nil }

func (s *screen) Put(u *av.Unit) error {
	if u.Track == s.tracks[0].ID {
		s.units = append(s.units, u)
	} else {
		s.others++
	}
	if s.until != nil {
		if s.until(s) {
			return errEnough
		}
		return nil
	}
	if len(s.units) >= s.want {
		return errEnough
	}
	return nil
}

// watch pulls until the screen has what it wants, or ctx or the pull ends; nil: it has.
func (s *screen) watch(ctx context.Context, t Target, o Options) error {
	err := Pull(ctx, t, s, o)
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// same compares what was seen with what the film shows.
func (s *screen) same(pictures [][][]byte) error {
	if len(s.units) == 0 {
		return errors.New("nothing was seen")
	}
	at := -1 // the film may begin anywhere
	for i, p := range pictures {
		if bytes.Equal(s.units[0].Data, av.JoinNALs(p)) {
			at = i
		}
	}
	if at < 0 {
		return fmt.Errorf("the first unit is none of the film: %d bytes %x…", len(s.units[0].Data), s.units[0].Data[:min(16, len(s.units[0].Data))])
	}
	for i, u := range s.units {
		if want := av.JoinNALs(pictures[(at+i)%len(pictures)]); !bytes.Equal(u.Data, want) {
			return fmt.Errorf("unit %d is %d bytes, the film has %d", i, len(u.Data), len(want))
		}
		if u.Discontinuity {
			return fmt.Errorf("unit %d says that something is missing", i)
		}
	}
	return nil
}

func start(t *testing.T, o badcam.Options) *badcam.Camera {
	t.Helper()
	c, err := badcam.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
