package rtsp

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/badcam"
)

// asked tells whether b is a compound that wishes for a key frame of the film's source.
func asked(b []byte) bool {
	packets, err := rtcp.Unmarshal(b)
	if err != nil || len(packets) < 2 {
		return false
	}
	_, first := packets[0].(*rtcp.ReceiverReport)
	pli, ok := packets[1].(*rtcp.PictureLossIndication)
	return first && ok && pli.MediaSSRC == 0x4711
}

// midway is a camera in the middle of an endless group of pictures: it sends a key frame
// when it is asked, by the channel of the track's RTCP.
func midway(hangUp bool) badcam.Options {
	var wish, hung atomic.Bool
	film := badcam.H264()
	o := badcam.Options{}
	o.Heard = func(_ int, isRTCP bool, b []byte) {
		if isRTCP && asked(slices.Clone(b)) {
			wish.Store(true)
		}
	}
	o.Play = func(p *badcam.Player) {
		n := 0
		p.Packets(func(i int) [][]byte {
			n++
			if !wish.Load() && !(hangUp && hung.Load()) {
				return film.Pictures[1+i%3]
			}
			if hangUp && !hung.Swap(true) {
				p.Raw([]byte("TEARDOWN rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n"))
				return nil
			}
			return film.Pictures[i%4]
		}, nil)
	}
	return o
}

func TestAKeyFrameIsAskedFor(t *testing.T) {
	cam := start(t, midway(false))
	s := &screen{until: func(s *screen) bool { return len(s.units) > 0 && s.units[len(s.units)-1].Key }}
	if err := s.watch(within(t, 10*time.Second), Target{URL: cam.URL()}, Options{}); err != nil {
		t.Fatal(err)
	}
}

func TestACameraThatEndsAtThatWish(t *testing.T) {
	cam := start(t, midway(true))
	s := &screen{want: 5}
	var kept Memory
	if err := s.watch(within(t, 10*time.Second), Target{URL: cam.URL()}, Options{Remember: func(m Memory) { kept = m }}); err != nil {
		t.Fatal(err)
	}
	if !kept.NoKeyAsk || cam.Dialled() != 2 || !slices.Contains(kept.Worked(), "no_key_ask") {
		t.Errorf("%+v, %d connections", kept, cam.Dialled())
	}
	cam = start(t, midway(true))
	s = &screen{want: 5}
	if err := s.watch(within(t, 10*time.Second), Target{URL: cam.URL()}, Options{without: map[string]bool{"key_ask": true}}); err == nil {
		t.Error("it is survived without that")
	}
}

// Who sends a key frame first is asked for none.
func TestAKeyFrameThatComesIsNotAskedFor(t *testing.T) {
	var wishes atomic.Int32
	cam := start(t, badcam.Options{Heard: func(_ int, isRTCP bool, b []byte) {
		if isRTCP {
			wishes.Add(1)
		}
	}})
	s := &screen{want: 5}
	if err := s.watch(within(t, 10*time.Second), Target{URL: cam.URL()}, Options{}); err != nil {
		t.Fatal(err)
	}
	if wishes.Load() != 0 {
		t.Errorf("asked %d times", wishes.Load())
	}
}
