package snapshot

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// claiming is a small JPEG whose header says another size.
func claiming(t *testing.T, w, h int) []byte {
	b := picture(t, 16, 16)
	for i := range b {
		if b[i] == 0xff && b[i+1] == 0xc0 { // SOF0 (ITU-T T.81 B.2.2)
			binary.BigEndian.PutUint16(b[i+5:], uint16(h))
			binary.BigEndian.PutUint16(b[i+7:], uint16(w))
			return b
		}
	}
	t.Fatal("no frame header")
	return nil
}

func TestPicturesThatClaimTooMuch(t *testing.T) {
	s := New(Options{Core: media.New(media.Limits{})})
	if _, err := s.Put("door", media.Picture{JPEG: claiming(t, 65535, 65535), Received: time.Now()}); err == nil {
		t.Error("a picture of 4 gigapixels was kept")
	}
	big := claiming(t, 7680, 4320)
	if _, err := s.Put("door", media.Picture{JPEG: big, Received: time.Now()}); err != nil {
		t.Fatal(err)
	}
	// Not taken apart: that would fail, its pixels are not there, after having taken 100 MB.
	if img := get(t, s, Want{Width: 320, MaxAge: time.Hour}); len(img.JPEG) != len(big) {
		t.Errorf("8K was made smaller: %d bytes", len(img.JPEG))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := scale(ctx, picture(t, 64, 64), 32, 32); !errors.Is(err, context.Canceled) {
		t.Errorf("a decoder that is to end: %v", err)
	}
}

// A camera whose clock is years ahead must not keep its old picture for ever.
func TestPictureOfAClockThatIsAhead(t *testing.T) {
	core := media.New(media.Limits{})
	w, err := core.Stream("door", "main").Begin([]av.Track{av.MJPEGTrack(1, 32, 24, 5)})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Core: core})
	for i, wall := range []time.Time{time.Now().AddDate(200, 0, 0), time.Now()} {
		if err := w.Put(&av.Unit{Track: 1, PTS: int64(i), DTS: int64(i), Wall: wall, Data: picture(t, 32, 24+i)}); err != nil {
			t.Fatal(err)
		}
		img := get(t, s, Want{MaxAge: time.Nanosecond})
		if img.Height != 24+i {
			t.Errorf("picture %d is not the newest", i)
		}
		if img.Received.After(time.Now()) {
			t.Errorf("it came at %v", img.Received)
		}
	}
}
