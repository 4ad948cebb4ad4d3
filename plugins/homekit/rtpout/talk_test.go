package rtpout

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/frames"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// door is where speech goes.
type door struct {
	mu     sync.Mutex
	track  av.Track
	units  []*av.Unit
	opened int
	closed int
	fail   error // of Write
}

func (d *door) open(_ context.Context, t av.Track) (Speech, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.track = t
	d.opened++
	return d, nil
}

func (d *door) Write(_ context.Context, u *av.Unit) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.units = append(d.units, u)
	return d.fail
}

func (d *door) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed++
	return nil
}

func (d *door) count() (units, opened, closed int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.units), d.opened, d.closed
}

// speaker is the viewer's microphone.
type speaker struct {
	t    testing.TB
	e    *ear
	port uint16
	seq  uint16
	ts   uint32
}

// packet of the next number; step is what it lasts on the RTP clock.
func (m *speaker) packet(step uint32, payload []byte) []byte {
	b := m.e.out.sealRTP(rtpPacket(110, false, m.seq, m.ts, m.e.ssrc, payload), 0)
	m.seq++
	m.ts += step
	return b
}

func (m *speaker) say(step uint32, payload []byte) { m.e.send(m.t, m.port, m.packet(step, payload)) }

// talking is a session that plays, and its door.
func talking(t testing.TB, c *shifted, more func(*Start)) (*Session, *viewer, *door, *speaker) {
	t.Helper()
	v := newViewer(t, "127.0.0.1")
	s := openAt(t, v, c)
	d := &door{}
	play(t, s, short(t), func(st *Start) {
		st.Audio = audio()
		st.Talk = d.open
		if more != nil {
			more(st)
		}
	})
	_, port := s.Ports()
	return s, v, d, &speaker{t: t, e: v.audio, port: port, seq: 100, ts: 5000}
}

// As package speech has them.
const (
	quietFor   = 5 * time.Second
	whisperFor = 30 * time.Second
	againAfter = 3 * time.Second
	keepMost   = 20
)

// silence as an encoder says it with DTX.
func silence() []byte { return []byte{9 << 3} }

// TestSpeech: what the viewer says is at the door, in order, of one line of time and the same
// tone; nothing is opened before somebody speaks, and the reports tell that we hear.
func TestSpeech(t *testing.T) {
	for _, c := range []struct {
		name   string
		rate   int // RTP clock
		join   int // frames a packet
		mix    bool
		frames int
	}{
		{"24 kHz", 24000, 1, false, 100},
		{"16 kHz, remote", 16000, 3, false, 99},
		{"a clock of 48 kHz", 48000, 1, false, 100},
		{"out of order", 24000, 1, true, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var clock shifted
			asked := min(c.rate, 24000)
			s, v, d, m := talking(t, &clock, func(st *Start) { st.Audio.Rate = asked; st.Audio.RTCP = reportLeast })
			for range 5 {
				m.say(uint32(c.rate/50), silence())
			}
			await(t, "silence", func() bool { return s.Stats().Heard == 5 })
			if _, opened, _ := d.count(); opened != 0 {
				t.Error("silence has opened the door")
			}
			_, notes := tone(t, 700, asked, time.Duration(c.frames)*20*time.Millisecond)
			var packets [][]byte
			for i := 0; i < len(notes); i += c.join {
				var fs [][]byte
				var config byte
				for _, u := range notes[i : i+c.join] {
					p, err := frames.Split(u.Data, nil)
					if err != nil {
						t.Fatal(err)
					}
					config = p.Config
					fs = append(fs, p.Frames[0])
				}
				packets = append(packets, m.packet(uint32(c.rate/50*c.join), frames.Join(nil, config, fs)))
			}
			if c.mix {
				for i := 5; i+3 < len(packets); i += 6 { // each sixth comes after the two behind it
					packets[i], packets[i+1], packets[i+2] = packets[i+1], packets[i+2], packets[i]
				}
			}
			for i, b := range packets {
				m.e.send(t, m.port, b)
				if i%4 == 0 { // twice: it is heard once
					m.e.send(t, m.port, b)
				}
				if i == 0 {
					await(t, "the door", func() bool { return s.Stats().Talking })
				}
			}
			await(t, "all of it", func() bool { n, _, _ := d.count(); return n == c.frames })
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.opened != 1 || d.track.Codec != av.Opus || d.track.Channels != 1 || d.track.ClockRate != 48000 {
				t.Errorf("opened %d times, %+v", d.opened, d.track)
			}
			dec, err := sound.NewDecoder(d.track, 24000)
			if err != nil {
				t.Fatal(err)
			}
			var pcm []int16
			for i, u := range d.units {
				if i > 0 && u.PTS-d.units[i-1].PTS != 960 {
					t.Fatalf("unit %d is %d later", i, u.PTS-d.units[i-1].PTS)
				}
				if sound.OpusLength(u.Data) != 20*time.Millisecond || u.Discontinuity {
					t.Fatalf("unit %d: %v, %v", i, sound.OpusLength(u.Data), u.Discontinuity)
				}
				got, err := dec.Decode(u.Data)
				if err != nil {
					t.Fatal(err)
				}
				pcm = append(pcm, got...)
			}
			pcm = pcm[dec.Rate()/10:]
			if at, all := strength(pcm, dec.Rate(), 700); at < 0.125/2 || at > 0.125*2 || at < 0.9*all {
				t.Errorf("the tone has %.4f of %.4f", at, all)
			}
			st := s.Stats()
			if again := uint64((len(packets) + 3) / 4); st.Missed != 0 || st.Rejected != again {
				t.Errorf("%+v, of which %d came twice", st, again)
			}
			v.audio.until(t, "a report of what we hear", func(e *ear) bool { return len(e.blocks) > 0 })
		})
	}
}

// TestSpeechIsLost: what is missing is waited for 60 ms, then the rest goes on behind a gap
// with its own time; what comes later is dropped; noise of strangers changes nothing.
func TestSpeechIsLost(t *testing.T) {
	var clock shifted
	s, _, d, m := talking(t, &clock, nil)
	voice := []byte{31 << 3, 1, 2, 3, 4}
	m.say(480, voice)
	await(t, "the door", func() bool { n, _, _ := d.count(); return n == 1 })
	lost := m.packet(480, voice)
	m.say(480, voice)
	forged := m.packet(480, voice)
	forged[len(forged)-1] ^= 1
	m.seq--
	m.ts -= 480
	m.e.send(t, m.port, forged)
	m.e.send(t, m.port, []byte{0x80, 110})
	m.e.send(t, m.port, nil)
	_, own := s.SSRCs()
	m.e.send(t, m.port, m.e.out.sealRTP(rtpPacket(110, false, m.seq, m.ts, own, voice), 0)) // as if we had said it
	m.e.send(t, m.port, m.e.out.sealRTP(rtpPacket(13, false, m.seq, m.ts, m.e.ssrc, []byte{0}), 0))
	m.seq++
	m.ts += 480
	await(t, "what waits", func() bool { n, _, _ := d.count(); return n == 2 })
	m.e.send(t, m.port, lost)
	m.say(480, voice)
	m.say(480, nil)
	m.say(480, []byte{3})
	m.say(480, voice)
	await(t, "the rest", func() bool { n, _, _ := d.count(); return n == 4 })
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, want := range []struct {
		pts int64
		gap bool
	}{{0, false}, {2 * 960, true}, {4 * 960, true}, {7 * 960, false}} {
		u := d.units[i]
		if u.PTS != want.pts || i < 2 && u.Discontinuity != want.gap {
			t.Errorf("unit %d: %d, %v", i, u.PTS, u.Discontinuity)
		}
	}
	if st := s.Stats(); st.Rejected < 4 || st.Missed == 0 || st.Odd != 1 {
		t.Errorf("%+v", st)
	}
}

// TestSpeechEnds: the way to the door is given back when nobody speaks, and taken again when
// somebody does; after a pause of the viewer's times the line goes on by them.
func TestSpeechEnds(t *testing.T) {
	var clock shifted
	s, v, d, m := talking(t, &clock, nil)
	voice := []byte{31 << 3, 1, 2, 3, 4}
	m.say(480, voice)
	await(t, "the door", func() bool { n, _, _ := d.count(); return n == 1 })
	clock.forward(quietFor - time.Second)
	m.say(480, silence())
	await(t, "silence", func() bool { return s.Stats().Heard == 2 })
	s.nudge()
	if !s.Stats().Talking {
		t.Error("it has ended too early")
	}
	clock.forward(time.Second)
	s.nudge()
	await(t, "the end", func() bool { _, _, closed := d.count(); return closed == 1 })
	m.ts += 24000 * 5
	m.say(480, voice)
	await(t, "the door again", func() bool { _, opened, _ := d.count(); return opened == 2 && s.Stats().Talking })
	// Sound that is no voice keeps it open for longer, but not for ever.
	whisper := []byte{9 << 3, 0x00, 2, 3, 4}
	for range 6 {
		clock.forward(whisperFor/7 + 100*time.Millisecond)
		heard := s.Stats().Heard
		m.say(480, whisper)
		await(t, "the whisper", func() bool { return s.Stats().Heard == heard+1 })
		s.nudge()
	}
	if !s.Stats().Talking {
		t.Error("it has ended too early")
	}
	clock.forward(whisperFor / 7)
	m.say(480, whisper)
	s.nudge()
	await(t, "the second end", func() bool { _, _, closed := d.count(); return closed == 2 })
	m.say(480, voice)
	await(t, "the third", func() bool { _, opened, _ := d.count(); return opened == 3 && s.Stats().Talking })
	s.Suspend()
	await(t, "a pause ends it", func() bool { _, _, closed := d.count(); return closed == 3 })
	s.Resume()
	n := len(v.video.all())
	v.video.until(t, "pictures", func(e *ear) bool { return len(e.packets) > n })
	m.say(480, voice)
	await(t, "the fourth", func() bool { return s.Stats().Talking })
	s.Close("enough")
	if _, opened, closed := d.count(); opened != 4 || closed != 4 {
		t.Errorf("opened %d, closed %d", opened, closed)
	}
}

// TestDoorRefuses: a door that cannot be reached is not asked at each word; one that fails
// while it listens is closed.
func TestDoorRefuses(t *testing.T) {
	var clock shifted
	var asked atomic.Int32
	var refuse atomic.Bool
	refuse.Store(true)
	s, _, d, m := talking(t, &clock, func(st *Start) {
		inner := st.Talk
		st.Talk = func(ctx context.Context, tr av.Track) (Speech, error) {
			asked.Add(1)
			if refuse.Load() {
				return nil, errAway
			}
			return inner(ctx, tr)
		}
	})
	voice := []byte{31 << 3, 1, 2, 3, 4}
	m.say(480, voice)
	await(t, "asked", func() bool { return asked.Load() == 1 })
	for range 10 {
		m.say(480, voice)
	}
	await(t, "heard", func() bool { return s.Stats().Heard == 11 })
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	refuse.Store(false)
	clock.forward(againAfter)
	m.say(480, voice)
	await(t, "the door", func() bool { return s.Stats().Talking })
	d.mu.Lock()
	d.fail = errAway
	d.mu.Unlock()
	m.say(480, voice)
	await(t, "closed", func() bool { _, _, closed := d.count(); return closed == 1 && !s.Stats().Talking })
}

// TestWordsWhileOpening: what is said while the door is called is kept, but not for long.
func TestWordsWhileOpening(t *testing.T) {
	var clock shifted
	let := make(chan struct{})
	s, _, d, m := talking(t, &clock, func(st *Start) {
		inner := st.Talk
		st.Talk = func(ctx context.Context, tr av.Track) (Speech, error) {
			select {
			case <-let:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			return inner(ctx, tr)
		}
	})
	for i := range 3 * keepMost {
		m.say(480, []byte{31 << 3, 1, 2, byte(i)})
	}
	await(t, "heard", func() bool { return s.Stats().Heard == 3*keepMost })
	close(let)
	await(t, "the door", func() bool { n, _, _ := d.count(); return n == keepMost })
	d.mu.Lock()
	for i, u := range d.units {
		if u.Data[3] != byte(2*keepMost+i) {
			t.Errorf("unit %d is word %d", i, u.Data[3])
		}
	}
	d.mu.Unlock()

	// A session that ends while the door is called does not wait for it.
	s, _, d, m = talking(t, &clock, func(st *Start) {
		st.Talk = func(ctx context.Context, tr av.Track) (Speech, error) {
			<-ctx.Done()
			return d.open(ctx, tr)
		}
	})
	m.say(480, []byte{31 << 3, 1, 2, 3})
	await(t, "heard", func() bool { return s.Stats().Heard == 1 })
	s.Close("gone")
	if _, opened, closed := d.count(); opened != closed {
		t.Errorf("opened %d, closed %d", opened, closed)
	}
}

// TestSpeakerMuted: what the switch holds back opens nothing and does not pass.
func TestSpeakerMuted(t *testing.T) {
	var clock shifted
	var muted atomic.Bool
	muted.Store(true)
	s, _, d, m := talking(t, &clock, func(st *Start) { st.Muted = func() (bool, bool) { return false, muted.Load() } })
	voice := []byte{31 << 3, 1, 2, 3, 4}
	m.say(480, voice)
	await(t, "heard", func() bool { return s.Stats().Heard == 1 })
	if _, opened, _ := d.count(); opened != 0 {
		t.Error("the door was opened")
	}
	muted.Store(false)
	m.say(480, voice)
	await(t, "the door", func() bool { n, _, _ := d.count(); return n == 1 })
	muted.Store(true)
	m.say(480, voice)
	await(t, "heard", func() bool { return s.Stats().Heard == 3 })
	if n, _, _ := d.count(); n != 1 {
		t.Error("it passes")
	}
	clock.forward(quietFor)
	s.nudge()
	await(t, "the end", func() bool { _, _, closed := d.count(); return closed == 1 })
}
