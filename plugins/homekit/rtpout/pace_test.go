package rtpout

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestThePastIsSqueezed: pictures of the past leave within 200 ms, with times that go as they
// leave and end where now begins; what is live leaves at once with its own.
func TestThePastIsSqueezed(t *testing.T) {
	now := time.Unix(1000, 0)
	var l timeline
	l.begin(7*time.Second, now.Add(-4*time.Second), now, catchUp)
	if pos, ok := l.now(now); !ok || pos != 11*time.Second {
		t.Errorf("now is %v", pos)
	}
	var last, lastLeave time.Duration
	for pos := 7 * time.Second; pos < 11*time.Second; pos += 40 * time.Millisecond {
		stamp, leave, past := l.place(pos, moment{at: now}, true)
		if !past {
			t.Fatal(pos, "is not past")
		}
		out := leave.Sub(now)
		if want := 11*time.Second - catchUp + out; stamp < want-time.Microsecond || stamp > want+time.Microsecond {
			t.Errorf("%v gets %v, wanted %v", pos, stamp, want)
		}
		if pos > 7*time.Second && (stamp <= last || out <= lastLeave) {
			t.Errorf("%v: %v after %v, leaves %v after %v", pos, stamp, last, out, lastLeave)
		}
		if out < 0 || out > catchUp {
			t.Errorf("%v leaves after %v", pos, out)
		}
		last, lastLeave = stamp, out
	}
	for i := range 50 {
		at := now.Add(time.Duration(i) * 40 * time.Millisecond)
		pos := 11*time.Second + time.Duration(i)*40*time.Millisecond
		if stamp, leave, past := l.place(pos, moment{at: at}, true); past || stamp != pos || leave != at {
			t.Errorf("live: %v %v %v", stamp, leave, past)
		}
	}
	// Nothing of the past: no delay.
	l = timeline{}
	l.begin(0, now, now, catchUp)
	if _, leave, past := l.place(0, moment{at: now}, true); past || leave != now {
		t.Error("the first live picture waits")
	}
	// A clock that is wrong is not believed.
	l = timeline{}
	l.begin(0, now.Add(time.Hour), now, catchUp)
	if pos, _ := l.now(now); pos != 0 {
		t.Error(pos)
	}
	l = timeline{}
	l.begin(0, now.Add(-time.Hour), now, catchUp)
	if pos, _ := l.now(now); pos != oldest {
		t.Error(pos)
	}
}

// TestSlowlyMade: what a converter makes comes seconds after it was captured, but not all at
// once: its times are its own from the second picture on, and now is where they end.
func TestSlowlyMade(t *testing.T) {
	now := time.Unix(1000, 0)
	const late = 2 * time.Second
	var l timeline
	l.begin(0, now.Add(-late), now, catchUp)
	last, _, _ := l.place(0, moment{now, now.Add(-late), time.Second}, true)
	for i := range 100 {
		pos := time.Duration(i+1) * 40 * time.Millisecond
		at := now.Add(pos)
		stamp, leave, past := l.place(pos, moment{at, at.Add(-late), 39 * time.Millisecond}, true)
		if past || leave != at || i > 0 && stamp-last != 40*time.Millisecond || stamp <= last {
			t.Errorf("picture %d: %v after %v, past %v", i, stamp, last, past)
		}
		last = stamp
		if sound, _, past := l.place(pos, moment{at: at}, false); past || sound != stamp {
			t.Errorf("sound %d: %v beside %v, past %v", i, sound, stamp, past)
		}
	}
	if pos, _ := l.captured(now.Add(4*time.Second - late)); pos != last {
		t.Errorf("the reports have %v, and the newest picture is of %v", pos, last)
	}
	if pos, _ := l.now(now.Add(4 * time.Second)); last-pos > joint || pos-last > joint {
		t.Errorf("now is %v, and the newest picture of %v", pos, last)
	}
}

// TestOneLine: streams with other clocks, and cameras whose clock jumps, stay on one line;
// a late packet does not move it by much.
func TestOneLine(t *testing.T) {
	now := time.Unix(1000, 0)
	var l timeline
	l.begin(0, now, now, catchUp)
	at := now.Add(10 * time.Second)
	l.begin(500*time.Hour, at.Add(-time.Second), at, catchUp)
	if stamp, _, _ := l.place(500*time.Hour+time.Second, moment{at: at}, true); stamp != 10*time.Second {
		t.Errorf("another clock: %v", stamp)
	}
	at = at.Add(time.Second)
	if stamp, _, _ := l.place(3*time.Second, moment{at: at}, true); stamp != 11*time.Second {
		t.Errorf("a jump: %v", stamp)
	}
	if stamp, _, _ := l.place(3*time.Second+40*time.Millisecond, moment{at: at.Add(40 * time.Millisecond)}, true); stamp != 11*time.Second+40*time.Millisecond {
		t.Errorf("after the jump: %v", stamp)
	}
	// 160 ms late: the line gives way by a sixteenth.
	stamp, _, _ := l.place(3*time.Second+80*time.Millisecond, moment{at: at.Add(240 * time.Millisecond)}, true)
	if pos, _ := l.now(at.Add(240 * time.Millisecond)); stamp != 11*time.Second+80*time.Millisecond || pos != 11*time.Second+230*time.Millisecond {
		t.Errorf("late: %v, now %v", stamp, pos)
	}
	// The same stream again is where it was.
	l = timeline{}
	l.begin(0, now, now, catchUp)
	l.begin(time.Second, now.Add(time.Second+10*time.Millisecond), now.Add(3*time.Second), catchUp)
	if stamp, _, _ := l.place(4*time.Second, moment{at: now.Add(4 * time.Second)}, true); stamp != 4*time.Second {
		t.Errorf("again: %v", stamp)
	}
}

// sink is a socket that nobody reads.
func sink(t testing.TB, ip string) (*viewer, *net.UDPConn) {
	t.Helper()
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(ip)})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	e := &ear{conn: c}
	return &viewer{video: e, audio: e}, c
}

func bigUnit(n int) (av.Track, *av.Unit) {
	nal := append([]byte{0x65}, bytes.Repeat([]byte{0x5a}, n-1)...)
	return av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: av.ClockVideo, SPS: []byte{0x67, 77, 0, 51, 9}, PPS: []byte{0x68, 1}},
		&av.Unit{Track: 1, Key: true, Data: av.JoinNALs([][]byte{nal})}
}

// TestBigPictureIsPaced: a key frame of 400 KB leaves in chunks of 32 KB, a millisecond apart.
func TestBigPictureIsPaced(t *testing.T) {
	v, _ := sink(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	s.video.Begin(99, av.ClockVideo, time.Hour)
	track, u := bigUnit(400_000)
	p := &player{s: s, ctx: t.Context()}
	began := time.Now()
	p.send(track, u, 1)
	chunks := 400_000 / chunk
	if took := time.Since(began); took < time.Duration(chunks)*gap {
		t.Errorf("it has taken %v", took)
	}
	if calls := s.video.Counts().Calls; runtime.GOOS == "linux" && (calls < uint64(chunks) || calls > uint64(chunks)+5) {
		t.Errorf("%d calls", calls)
	}
	// A session that ends does not wait for the rest of it.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = &player{s: s, ctx: ctx}
	n := s.video.Counts().Bytes
	p.send(track, u, 2)
	if more := s.video.Counts().Bytes - n; more > chunk+2*1378 {
		t.Errorf("%d bytes after the end", more)
	}
}

// TestDatagrams: whatever the viewer wishes, datagrams are as big as they may be and not
// bigger, all but a picture's last are of one size, and NAL units come out as they went in.
func TestDatagrams(t *testing.T) {
	for _, c := range []struct {
		ip        string
		mtu, most int
	}{
		{"127.0.0.1", 0, 1378}, {"127.0.0.1", 1378, 1378}, {"127.0.0.1", 65535, 1378}, {"127.0.0.1", 1200, 1200},
		{"127.0.0.1", 1, 256}, {"127.0.0.1", -5, 1378}, {"::1", 0, 1228}, {"::1", 1378, 1228}, {"::1", 1000, 1000},
	} {
		t.Run(fmt.Sprint(c.ip, " ", c.mtu), func(t *testing.T) {
			v := newViewer(t, c.ip)
			s := open(t, v, c.ip)
			s.video.Begin(99, av.ClockVideo, time.Hour)
			s.video.Limit(c.mtu)
			p := &player{s: s, ctx: t.Context()}
			want := 0
			room := s.video.Room()
			for i, n := range []int{2, room - 1, room, room + 1, 2*room - 4, 2*room - 3, 2*room - 2, 20_000} {
				track, u := bigUnit(n)
				p.send(track, u, uint32(i+1))
				want++
			}
			var pics []picture
			v.video.until(t, "pictures", func(e *ear) bool { pics = pictures(t, e.packets); return len(pics) == want })
			biggest := 0
			for _, g := range v.video.all() {
				biggest = max(biggest, g.size)
			}
			if biggest != c.most {
				t.Errorf("the biggest datagram has %d bytes, not %d", biggest, c.most)
			}
			for i, n := range []int{2, room - 1, room, room + 1, 2*room - 4, 2*room - 3, 2*room - 2, 20_000} {
				_, u := bigUnit(n)
				if nal := pics[i].nals; len(nal) != 3 || !bytes.Equal(nal[2], u.Data[4:]) {
					t.Errorf("%d bytes came otherwise", n)
				}
			}
		})
	}
}

// TestParameterSets: a level above what was selected is replaced, a baseline is called
// constrained, sets within the picture give way to the track's, and the track is not touched.
func TestParameterSets(t *testing.T) {
	v, _ := sink(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	s.video.Begin(99, av.ClockVideo, time.Hour)
	s.start.Video.Level = 40
	p := &player{s: s, ctx: t.Context()}
	track, u := bigUnit(10)
	u.Data = append(av.JoinNALs([][]byte{{9, 0xf0}, {0x67, 1, 2, 3}, {0x68, 9}, {0x06, 1, 2}, {12, 0}}), u.Data...)
	p.gather(track, u)
	if len(p.nals) != 4 || p.nals[0][3] != 40 || track.SPS[3] != 51 || p.nals[2][0] != 6 || p.nals[3][0] != 0x65 {
		t.Errorf("%x", p.nals)
	}
	track.SPS = []byte{0x67, 66, 0, 31, 9}
	p.gather(track, u)
	if !bytes.Equal(p.nals[0], []byte{0x67, 66, 0x40, 31, 9}) {
		t.Errorf("%x", p.nals[0])
	}
	track.SPS, track.PPS = nil, nil // a source that describes nothing: what is in the picture goes
	p.gather(track, u)
	if len(p.nals) != 6 {
		t.Errorf("%x", p.nals)
	}
	u.Key = false
	if p.gather(track, u); len(p.nals) != 6 {
		t.Errorf("%x", p.nals)
	}
}

// TestNoMemoryAPacket: sending a picture of 17 packets makes no more garbage than one of 2.
func TestNoMemoryAPacket(t *testing.T) {
	v, _ := sink(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	s.video.Begin(99, av.ClockVideo, time.Hour)
	s.video.Tell(time.Now(), 0)
	p := &player{s: s, ctx: t.Context()}
	track, u := bigUnit(20_000)
	u.Key = false
	ts := uint32(0)
	got := testing.AllocsPerRun(200, func() {
		ts++
		p.burst = 0
		p.send(track, u, ts)
	})
	// The race detector makes pools forget, the cipher's among them: less than one a packet.
	if got > 14 {
		t.Errorf("%.1f allocations a picture", got)
	}
	t.Logf("%.1f allocations a picture", got)
}

// TestRetriesSlowDown: openings of a source that is away, in fake time.
func TestRetriesSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFeed(ctx, discard())
		var tries []time.Duration
		began := time.Now()
		u := &reel{closed: make(chan struct{})}
		f.open(func(context.Context) (Units, error) {
			tries = append(tries, time.Since(began))
			if len(tries) == 1 {
				return u, nil
			}
			return nil, errAway
		}, first)
		if got, _, err := f.next(); got != Units(u) || err != nil {
			t.Fatal(got, err)
		}
		f.lost(u, errAway)
		if _, _, err := f.next(); err == nil {
			t.Error("a source that is away plays")
		}
		if d := tries[len(tries)-1]; len(tries) != againTries+1 || d != 7750*time.Millisecond {
			t.Errorf("tried at %v", tries)
		}
		cancel()
		f.close()
	})
}

// TestRewindsDoNotAddUp: what is made slowly and repeated often stays where it was.
func TestRewindsDoNotAddUp(t *testing.T) {
	now := time.Unix(1000, 0)
	const late = 400 * time.Millisecond
	var l timeline
	var ahead []time.Duration
	for round := range 10 {
		at := now.Add(time.Duration(round) * 4 * time.Second)
		pos := at.Sub(now) - late // the newest picture is of then
		if round > 0 {
			pos -= time.Second // and the key frame a second older
		}
		first := pos
		l.begin(pos, at.Add(pos-at.Sub(now)), at, catchUpAgain)
		for at.Sub(now) < time.Duration(round+1)*4*time.Second {
			var waited time.Duration
			if pos+late > at.Sub(now) {
				at = now.Add(pos + late)
				waited = 40 * time.Millisecond
			}
			stamp, _, past := l.place(pos, moment{at, now.Add(pos), waited}, true)
			if !past && pos > first+3*time.Second {
				ahead = append(ahead, stamp-at.Sub(now))
			}
			pos += 40 * time.Millisecond
		}
	}
	if d := ahead[len(ahead)-1] - ahead[0]; d > 50*time.Millisecond || d < -50*time.Millisecond {
		t.Errorf("after ten times it is %v from where it was", d)
	}
}
