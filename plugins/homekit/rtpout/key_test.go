package rtpout

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// pli and fir as viewers send them (RFC 4585 6.3.1, RFC 5104 4.3.1).
func pli(own, media uint32) []byte { return rtcpPacket(206, 1, own, media) }
func fir(own, media uint32, n byte) []byte {
	return rtcpPacket(206, 4, own, 0, media, uint32(n)<<24)
}

// TestKeyFrameAsked: the camera is asked first; a viewer that asks on, because none came,
// gets the cached one, and questions in quick succession are one.
func TestKeyFrameAsked(t *testing.T) {
	t.Parallel()
	var c shifted
	v := newViewer(t, "127.0.0.1")
	s := openAt(t, v, &c)
	f := makeFilm(t, "320x240", "10", "250", "300") // one key frame in ten seconds
	var asked atomic.Int32
	opened := play(t, s, f, func(st *Start) {
		src := newReel(time.Second, []av.Track{f.track}, f.units)
		inner := st.Open
		st.Open = func(ctx context.Context) (Units, error) {
			_, _ = inner(ctx)
			return src.from(), nil
		}
		st.KeyFrame = func(context.Context) error {
			asked.Add(1)
			return nil
		}
	})
	v.video.until(t, "pictures", some)
	port, _ := s.Ports()
	ssrc, _ := s.SSRCs()
	ask := func(b []byte) {
		n := s.Stats().KeyAsked
		v.video.control(t, port, append(rtcpPacket(201, 1, 1001, ssrc, 0, 1, 0, 0, 0), b...))
		await(t, "the question", func() bool { return s.Stats().KeyAsked == n+1 })
	}
	ask(pli(1001, ssrc))
	await(t, "the camera asked", func() bool { return asked.Load() == 1 })
	ask(pli(1001, ssrc))
	c.forward(keyEvery)
	ask(fir(1001, ssrc, 1)) // the camera has time yet
	if asked.Load() != 1 || opened.Load() != 1 {
		t.Errorf("asked %d times, opened %d", asked.Load(), opened.Load())
	}
	c.forward(keyWithin)
	ask(pli(1001, ssrc))
	v.video.until(t, "the cached key frame", func(e *ear) bool { return keys(pictures(t, e.packets)) == 2 })
	if asked.Load() != 1 || opened.Load() != 2 || s.Stats().Rewound != 1 {
		t.Errorf("asked %d times, opened %d, %+v", asked.Load(), opened.Load(), s.Stats())
	}
	// On the sound's line it is no question.
	_, sound := s.Ports()
	v.audio.control(t, sound, append(rtcpPacket(201, 0, 1002), pli(1002, ssrc)...))
	pics := pictures(t, v.video.all())
	for i := 1; i < len(pics); i++ {
		if int32(pics[i].ts-pics[i-1].ts) <= 0 {
			t.Fatal("times go back")
		}
	}
}

func keys(pics []picture) (n int) {
	for _, p := range pics {
		if p.nals[0][0]&0x1f == 7 {
			n++
		}
	}
	return n
}

// TestNoKeyFrameFromCamera: a camera that cannot be asked costs no question, and the cached
// one is not sent more often than each two seconds.
func TestNoKeyFrameFromCamera(t *testing.T) {
	t.Parallel()
	for _, cannot := range []func(context.Context) error{nil, func(context.Context) error { return errAway }} {
		var c shifted
		v := newViewer(t, "127.0.0.1")
		s := openAt(t, v, &c)
		opened := play(t, s, short(t), func(st *Start) { st.KeyFrame = cannot })
		v.video.until(t, "pictures", some)
		port, _ := s.Ports()
		ssrc, _ := s.SSRCs()
		for i := range 2 {
			c.forward(rewindEvery + keyWithin)
			v.video.control(t, port, append(rtcpPacket(201, 1, 1001, ssrc, 0, 1, 0, 0, 0), pli(1001, ssrc)...))
			await(t, "opened again", func() bool { return opened.Load() == int32(i+2) })
			await(t, "it plays", func() bool {
				s.feed.mu.Lock()
				defer s.feed.mu.Unlock()
				return !s.feed.opening
			})
		}
		c.forward(keyEvery)
		v.video.control(t, port, append(rtcpPacket(201, 1, 1001, ssrc, 0, 1, 0, 0, 0), pli(1001, ssrc)...))
		await(t, "the question", func() bool { return s.Stats().KeyAsked == 3 })
		if n := opened.Load(); n != 3 {
			t.Errorf("opened %d times", n)
		}
		s.Close("enough")
	}
}

// TestFirstPicturesLost: a viewer that has lost some of the first packets, or was not there
// yet, gets them again; one that has them all does not.
func TestFirstPicturesLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		block, lost uint32
		reports     int
		again       bool
	}{
		{"has all", 1, 0, 3, false},
		{"has lost some", 1, 7, 1, true},
		{"was not there", 0, 0, 2, true},
		{"comes to it", 0, 0, 1, false},
	} {
		v := newViewer(t, "127.0.0.1")
		s := open(t, v, "127.0.0.1")
		opened := play(t, s, short(t), nil)
		v.video.until(t, "pictures", some)
		port, _ := s.Ports()
		ssrc, _ := s.SSRCs()
		for range c.reports {
			heard := s.Stats().LastHeard
			v.video.receiver(t, port, ssrc*c.block, c.lost)
			await(t, "heard", func() bool { return s.Stats().LastHeard.After(heard) })
		}
		if c.again {
			await(t, c.name, func() bool { return opened.Load() == 2 })
		} else {
			v.video.receiver(t, port, ssrc, 0)
			n := len(v.video.all())
			v.video.until(t, "more", func(e *ear) bool { return len(e.packets) > n+5 })
			if opened.Load() != 1 {
				t.Errorf("%s: opened %d times", c.name, opened.Load())
			}
		}
		if st := s.Stats(); c.block == 1 && st.Video.Lost != c.lost {
			t.Errorf("%s: %+v", c.name, st.Video)
		}
		s.Close("enough")
	}
}

// TestRoundTrip: by the viewer's answer to our report.
func TestRoundTrip(t *testing.T) {
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	play(t, s, short(t), nil)
	v.video.until(t, "a report", func(e *ear) bool { return len(e.reports) > 0 })
	port, _ := s.Ports()
	ssrc, _ := s.SSRCs()
	v.video.mu.Lock()
	r := v.video.reports[0]
	v.video.mu.Unlock()
	held := uint32(time.Since(r.at).Seconds() * 65536)
	v.video.control(t, port, rtcpPacket(201, 1, 1001, ssrc, 64<<24|3, 1, 900, uint32(r.ntp>>16), held))
	await(t, "the report", func() bool { return s.Stats().Video.Lost == 3 })
	st := s.Stats()
	if st.RoundTrip < 0 || st.RoundTrip > 2*time.Second || st.Video.Fraction != 0.25 || st.Video.Jitter != 10*time.Millisecond {
		t.Errorf("%+v", st)
	}
}
