package rtpout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// shifted is a clock that a test can put forward.
type shifted struct{ by atomic.Int64 }

func (c *shifted) now() time.Time          { return time.Now().Add(time.Duration(c.by.Load())) }
func (c *shifted) forward(d time.Duration) { c.by.Add(int64(d)) }

func openAt(t testing.TB, v *viewer, c *shifted) *Session {
	t.Helper()
	a := netip.MustParseAddr("127.0.0.1")
	s, err := Open(Wish{Local: a, Peer: a, VideoPort: v.video.port(), AudioPort: v.audio.port(), Video: testKeys(1), Audio: testKeys(2), Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close("test") })
	return s
}

func ends(t *testing.T, s *Session, want error) {
	t.Helper()
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	if !errors.Is(s.Err(), want) {
		t.Errorf("ended with %v, wanted %v", s.Err(), want)
	}
}

// short is a film of a few pictures a key frame.
func short(t testing.TB) film { return makeFilm(t, "320x240", "4", "25", "300") }

// play starts s with a reel; opened counts.
func play(t testing.TB, s *Session, f film, more func(*Start)) *atomic.Int32 {
	t.Helper()
	var opened atomic.Int32
	src := newReel(time.Second, []av.Track{f.track}, f.units)
	st := Start{Video: video(), Open: func(context.Context) (Units, error) {
		opened.Add(1)
		return src.from(), nil
	}}
	if more != nil {
		more(&st)
	}
	if err := s.Start(st); err != nil {
		t.Fatal(err)
	}
	return &opened
}

func some(e *ear) bool { return len(e.packets) > 30 }

// TestUnused: who sets up and does not start loses the ports.
func TestUnused(t *testing.T) {
	var c shifted
	s := openAt(t, newViewer(t, "127.0.0.1"), &c)
	c.forward(unusedFor - time.Second)
	s.nudge()
	c.forward(2 * time.Second)
	s.nudge()
	ends(t, s, ErrUnused)
	if err := s.Start(Start{Open: func(context.Context) (Units, error) { return nil, errAway }}); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	rebound(t, s)
}

// rebound: nobody has the ports any more.
func rebound(t *testing.T, s *Session) {
	t.Helper()
	v, a := s.Ports()
	for _, p := range []uint16{v, a} {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(p)})
		if err != nil {
			t.Errorf("port %d: %v", p, err)
			continue
		}
		_ = c.Close()
	}
}

// TestSilentViewer: a viewer that says nothing for 10 s is gone; one that reports is not.
func TestSilentViewer(t *testing.T) {
	var c shifted
	v := newViewer(t, "127.0.0.1")
	s := openAt(t, v, &c)
	play(t, s, short(t), nil)
	v.video.until(t, "pictures", some)
	port, _ := s.Ports()
	ssrc, _ := s.SSRCs()
	for range 3 {
		c.forward(silentFor - time.Second)
		before := s.Stats().LastHeard
		v.video.receiver(t, port, ssrc, 0)
		await(t, "the report", func() bool { return s.Stats().LastHeard.After(before) })
		s.nudge()
	}
	select {
	case <-s.Done():
		t.Fatal("ended:", s.Err())
	default:
	}
	v.video.send(t, port, []byte("\x80\xc9 this is nobody that has the key, and it does not count"))
	await(t, "the refusal", func() bool { return s.Stats().Rejected == 1 })
	c.forward(silentFor)
	s.nudge()
	ends(t, s, ErrSilent)
	rebound(t, s)
}

func await(t testing.TB, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !f() {
		if time.Now().After(deadline) {
			t.Fatal("not seen:", what)
		}
		runtime.Gosched()
		wait(t.Context(), time.Millisecond)
	}
}

func wait(ctx context.Context, d time.Duration) { sleep(ctx, d) }

// TestPatience: five intervals, but never less than 10 s, and longer while nothing is sent.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		s    state
		rtcp time.Duration
		want time.Duration
	}{
		{playing, 500 * time.Millisecond, 10 * time.Second},
		{playing, 5 * time.Second, 25 * time.Second},
		{suspended, 500 * time.Millisecond, time.Minute},
	} {
		if got := patience(c.s, c.rtcp); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if v := (VideoParams{RTCP: time.Hour}).fixed(); v.RTCP != reportMost {
		t.Error(v)
	}
	if v := (VideoParams{RTCP: 1}).fixed(); v.RTCP != reportLeast {
		t.Error(v)
	}
	if v := (VideoParams{}).fixed(); v.RTCP != videoReports {
		t.Error(v)
	}
	if a := (AudioParams{Packet: time.Second}).fixed(); a.Packet != 120*time.Millisecond || a.RTCP != audioReports {
		t.Error(a)
	}
}

// TestGoodbye: the viewer leaves.
func TestGoodbye(t *testing.T) {
	t.Parallel()
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	play(t, s, short(t), nil)
	v.video.until(t, "pictures", some)
	port, _ := s.Ports()
	v.video.control(t, port, append(rtcpPacket(201, 0, 1001), rtcpPacket(203, 1, 1001)...))
	ends(t, s, ErrGoodbye)
}

// TestNothingAfterTheEnd: what a viewer has after Done is all that it gets.
func TestNothingAfterTheEnd(t *testing.T) {
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	f := makeFilm(t, "640x360", "4", "100", "1500")
	src := newReel(3500*time.Millisecond, []av.Track{f.track}, f.units) // in the middle of its past
	if err := s.Start(Start{Video: video(), Open: func(context.Context) (Units, error) { return src.from(), nil }}); err != nil {
		t.Fatal(err)
	}
	v.video.until(t, "pictures", some)
	s.Close("the switch")
	v.video.until(t, "goodbye", func(e *ear) bool { return e.bye })
	st := s.Stats()
	v.video.until(t, "all", func(e *ear) bool { return uint64(len(e.packets)+len(e.reports)+1) == st.Video.Packets })
	if errs := st.Video.Errors; errs > 0 {
		t.Error(errs, "errors")
	}
	s.Suspend()
	s.Resume()
	if err := s.Reconfigure(video(), nil); !errors.Is(err, ErrState) {
		t.Error(err)
	}
	if s.Stats().Video.Packets != st.Video.Packets {
		t.Error("something left after the end")
	}
	rebound(t, s)
}

// TestPauseAndOn: while suspended nothing leaves and the source is given back; then a key
// frame comes first, with times and numbers that go on.
func TestPauseAndOn(t *testing.T) {
	t.Parallel()
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	var mu sync.Mutex
	var reels []*reel
	f := short(t)
	src := newReel(time.Second, []av.Track{f.track}, f.units)
	opened := play(t, s, f, func(st *Start) {
		st.Open = func(context.Context) (Units, error) {
			mu.Lock()
			defer mu.Unlock()
			r := src.from()
			reels = append(reels, r)
			return r, nil
		}
	})
	_ = opened
	v.video.until(t, "pictures", some)
	s.Suspend()
	mu.Lock()
	<-reels[0].closed
	mu.Unlock()
	n := len(v.video.all())
	s.Suspend()
	s.Resume()
	v.video.until(t, "pictures again", func(e *ear) bool { return len(e.packets) > n+10 })
	pics := pictures(t, v.video.all()) // checks the numbers
	keys := 0
	for i, p := range pics {
		if p.nals[0][0]&0x1f == 7 {
			keys++
		}
		if i > 0 && int32(p.ts-pics[i-1].ts) <= 0 {
			t.Error("times go back")
		}
	}
	if keys < 2 {
		t.Error("no key frame after the pause")
	}
	mu.Lock()
	if len(reels) != 2 {
		t.Errorf("opened %d times", len(reels))
	}
	mu.Unlock()
}

// TestOtherParameters: another stream takes over without a gap in numbers, and datagrams are
// as small as is asked now.
func TestOtherParameters(t *testing.T) {
	t.Parallel()
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	play(t, s, makeFilm(t, "640x360", "4", "100", "1500"), nil)
	v.video.until(t, "pictures", some)
	f := short(t)
	// The other stream counts from another moment.
	var shifted []*av.Unit
	for _, u := range f.units {
		c := *u
		c.PTS += 90000 * 1000
		shifted = append(shifted, &c)
	}
	other := newReel(1000*time.Second+time.Second, []av.Track{f.track}, shifted)
	if err := s.Reconfigure(VideoParams{Kbps: 300, MTU: 600, Width: 320, Height: 240, FPS: 25}, func(context.Context) (Units, error) { return other.from(), nil }); err != nil {
		t.Fatal(err)
	}
	isOther := func(p picture) bool {
		return p.nals[0][0]&0x1f == 7 && string(p.nals[0]) == string(f.track.SPS)
	}
	var pics []picture
	v.video.until(t, "the other stream", func(e *ear) bool {
		pics = pictures(t, e.packets)
		for i, p := range pics {
			if isOther(p) {
				return len(pics) > i+40
			}
		}
		return false
	})
	begun := false
	var last uint32
	for i, p := range pics {
		if i > 0 && int32(p.ts-last) <= 0 {
			t.Errorf("picture %d: times go back", i)
		}
		if i > 0 && p.ts-last > 90000 {
			t.Errorf("picture %d: times jump by %d", i, p.ts-last)
		}
		last = p.ts
		begun = begun || isOther(p)
	}
	if !begun {
		t.Error("no other stream")
	}
	for _, p := range v.video.all()[len(v.video.all())-30:] {
		if p.size > 600 {
			t.Errorf("a datagram of %d bytes", p.size)
		}
	}
	if s.Stats().Rendition != "copy" {
		t.Error(s.Stats().Rendition)
	}
	// One that cannot be opened leaves all as it is.
	if err := s.Reconfigure(VideoParams{}, func(context.Context) (Units, error) { return nil, errAway }); err != nil {
		t.Fatal(err)
	}
	n := len(v.video.all())
	v.video.until(t, "more", func(e *ear) bool { return len(e.packets) > n+10 })
}

// TestSourceEnds: a stream that ends is opened again; one that does not come back ends the session.
func TestSourceEnds(t *testing.T) {
	t.Parallel()
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	f := short(t)
	var opened atomic.Int32
	src := newReel(2*time.Second, []av.Track{f.track}, f.units[:51])
	src.end = errAway
	again := newReel(2*time.Second, []av.Track{f.track}, f.units)
	if err := s.Start(Start{Video: video(), Open: func(context.Context) (Units, error) {
		switch opened.Add(1) {
		case 1:
			return src.from(), nil
		case 2:
			return nil, errAway
		}
		return again.from(), nil
	}}); err != nil {
		t.Fatal(err)
	}
	v.video.until(t, "the second stream", func(e *ear) bool { return len(pictures(t, e.packets)) > 40 })
	if n := opened.Load(); n != 3 {
		t.Errorf("opened %d times", n)
	}
	s.Close("enough")

	s = open(t, v, "127.0.0.1")
	if err := s.Start(Start{Video: video(), Open: func(context.Context) (Units, error) { return nil, errAway }}); err != nil {
		t.Fatal(err)
	}
	ends(t, s, ErrSource)
	if !errors.Is(s.Err(), errAway) {
		t.Error(s.Err())
	}
}

// TestCameraGone: a source that ends at once each time is given up, and not before.
func TestCameraGone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := newFeed(ctx, discard())
	defer f.close()
	defer cancel()
	u := &reel{closed: make(chan struct{})}
	f.from = func(ctx context.Context) (Units, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for i := range againTries {
		f.mu.Lock()
		f.units, f.round = u, f.round+1
		f.opening = false
		f.mu.Unlock()
		f.lost(u, errAway)
		f.mu.Lock()
		if f.err != nil || f.tries != i+1 {
			t.Errorf("try %d: %v, %d", i, f.err, f.tries)
		}
		f.mu.Unlock()
	}
	f.mu.Lock()
	f.units, f.opening = u, false
	f.round++
	f.mu.Unlock()
	f.lost(u, errAway)
	if _, _, err := f.next(); !errors.Is(err, ErrSource) {
		t.Error(err)
	}
}

// TestCloseWhileOpening: whatever Open does, the end does not wait longer than it.
func TestCloseWhileOpening(t *testing.T) {
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	in := make(chan struct{})
	late := newReel(0, nil)
	if err := s.Start(Start{Video: video(), Open: func(ctx context.Context) (Units, error) {
		close(in)
		<-ctx.Done()
		return late, nil
	}}); err != nil {
		t.Fatal(err)
	}
	<-in
	s.Close("gone")
	<-late.closed
	ends(t, s, ErrClosed)
}

// TestFiftyTimes: fifty viewers come and go in five ways, and nothing of them is left.
func TestFiftyTimes(t *testing.T) {
	f := short(t)
	v := newViewer(t, "127.0.0.1")
	fds := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(list)
	}
	var c shifted
	files, goroutines := fds(), runtime.NumGoroutine()
	for i := range 50 {
		s := openAt(t, v, &c)
		track, notes := tone(t, 440, 24000, time.Second)
		src := newReel(900*time.Millisecond, []av.Track{f.track, track}, f.units, notes)
		before := len(v.video.all())
		if i%5 != 0 {
			if err := s.Start(Start{Video: video(), Audio: audio(), Open: func(context.Context) (Units, error) { return src.from(), nil }}); err != nil {
				t.Fatal(err)
			}
			if i%10 > 5 {
				// A new session is a new sender: the viewer's vault counts its rounds anew.
				v.video.until(t, "pictures", func(e *ear) bool { return len(e.packets)+e.bad > before })
			}
		}
		port, _ := s.Ports()
		switch i % 5 {
		case 0:
			c.forward(unusedFor + time.Second)
			s.nudge()
		case 1:
			s.Close("asked")
		case 2:
			s.Suspend()
			s.Close("while it pauses")
		case 3:
			c.forward(time.Minute)
			s.nudge()
		case 4:
			v.video.control(t, port, append(rtcpPacket(201, 0, 1001), rtcpPacket(203, 1, 1001)...))
		}
		select {
		case <-s.Done():
		case <-time.After(20 * time.Second):
			t.Fatalf("number %d does not end", i)
		}
		rebound(t, s)
	}
	await(t, fmt.Sprintf("%d files and %d goroutines, as before", files, goroutines), func() bool {
		return fds() <= files && runtime.NumGoroutine() <= goroutines
	})
}

// TestOpenRefuses what cannot be sent to.
func TestOpenRefuses(t *testing.T) {
	l := netip.MustParseAddr("127.0.0.1")
	good := Wish{Local: l, Peer: l, VideoPort: 1, AudioPort: 2, Video: testKeys(1), Audio: testKeys(2)}
	for name, f := range map[string]func(*Wish){
		"no address":      func(w *Wish) { w.Peer = netip.Addr{} },
		"no local":        func(w *Wish) { w.Local = netip.Addr{} },
		"two versions":    func(w *Wish) { w.Peer = netip.IPv6Loopback() },
		"no port":         func(w *Wish) { w.VideoPort = 0 },
		"everybody":       func(w *Wish) { w.Peer = netip.MustParseAddr("224.0.0.1") },
		"nobody":          func(w *Wish) { w.Peer = netip.IPv4Unspecified() },
		"a short key":     func(w *Wish) { w.Video.Key = w.Video.Key[:8] },
		"a short salt":    func(w *Wish) { w.Audio.Salt = nil },
		"not our address": func(w *Wish) { w.Local, w.Peer = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2") },
	} {
		w := good
		f(&w)
		if s, err := Open(w); err == nil {
			t.Errorf("%s was taken", name)
			s.Close("test")
		}
	}
	// An address of IPv4 in IPv6's clothes is one of IPv4.
	w := good
	w.Local, w.Peer = netip.MustParseAddr("::ffff:127.0.0.1"), netip.MustParseAddr("::ffff:127.0.0.1")
	s, err := Open(w)
	if err != nil {
		t.Fatal(err)
	}
	video, _ := s.SSRCs()
	if err := s.Start(Start{Video: VideoParams{SSRC: video}, Open: func(context.Context) (Units, error) { return nil, errAway }}); err == nil {
		t.Error("a viewer with our number was taken")
	}
	if err := s.Start(Start{}); err == nil {
		t.Error("a start without a source was taken")
	}
	if err := s.Start(Start{Audio: &AudioParams{Rate: 1}, Open: func(context.Context) (Units, error) { return nil, errAway }}); err == nil {
		t.Error("a clock of 1 was taken")
	}
	s.Close("test")
	if got := fmt.Sprint(s.Keys()); got != "*** ***" {
		t.Error(got)
	}
}
