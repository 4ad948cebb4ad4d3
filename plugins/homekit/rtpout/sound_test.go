package rtpout

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/frames"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestPacketTimes: packets last as long as is asked on the clock that is asked, and decode to
// the tone; by our decoder and by ffmpeg.
func TestPacketTimes(t *testing.T) {
	for _, c := range []struct {
		rate   int
		packet time.Duration
	}{
		{16000, 20 * time.Millisecond}, {24000, 20 * time.Millisecond}, {24000, 40 * time.Millisecond},
		{16000, 60 * time.Millisecond}, {24000, 60 * time.Millisecond}, {24000, 30 * time.Millisecond},
	} {
		t.Run(c.packet.String(), func(t *testing.T) {
			t.Parallel()
			f := short(t)
			track, notes := tone(t, 1000, c.rate, 4*time.Second)
			v := newViewer(t, "127.0.0.1")
			s := open(t, v, "127.0.0.1")
			src := newReel(time.Second, []av.Track{f.track, track}, f.units, notes)
			a := audio()
			a.Rate, a.Packet = c.rate, c.packet
			if err := s.Start(Start{Video: video(), Audio: a, Open: func(context.Context) (Units, error) { return src.from(), nil }}); err != nil {
				t.Fatal(err)
			}
			want := 20 * time.Millisecond * time.Duration(max(1, c.packet/(20*time.Millisecond)))
			n := int(1500 * time.Millisecond / want)
			v.audio.until(t, "sound", func(e *ear) bool { return len(e.packets) >= n })
			packets := v.audio.all()[:n]
			for _, p := range packets {
				if d := sound.OpusLength(p.payload); d != want {
					t.Fatalf("a packet of %v", d)
				}
			}
			hears(t, packets, 1000, c.rate)
			ffmpegHears(t, packets)
		})
	}
}

// ffmpegHears decodes packets by ffmpeg, out of a container that it knows.
func ffmpegHears(t *testing.T, packets []got) {
	t.Helper()
	bin, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("no ffmpeg")
	}
	file := filepath.Join(t.TempDir(), "sound.ogg")
	if err := os.WriteFile(file, ogg(packets), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), bin, "-v", "info", "-xerror", "-i", file, "-af", "atrim=start=0.2,volumedetect", "-f", "null", "-").CombinedOutput()
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	// A sine of half the full scale: -6 dB at its top, -9 dB in the mean.
	_, after, ok := strings.Cut(string(out), "mean_volume: ")
	if !ok || !(strings.HasPrefix(after, "-9.") || strings.HasPrefix(after, "-8.") || strings.HasPrefix(after, "-10.")) {
		t.Errorf("ffmpeg hears %.20q", after)
	}
}

// ogg puts packets of Opus into pages (RFC 3533, RFC 7845).
func ogg(packets []got) []byte {
	var table [256]uint32
	for i := range table {
		r := uint32(i) << 24
		for range 8 {
			if r&0x80000000 != 0 {
				r = r<<1 ^ 0x04c11db7
			} else {
				r <<= 1
			}
		}
		table[i] = r
	}
	var out []byte
	seq, granule := uint32(0), uint64(0)
	page := func(flags byte, b []byte) {
		p := append([]byte("OggS\x00"), flags)
		for i := range 8 {
			p = append(p, byte(granule>>(8*i)))
		}
		p = append(p, 1, 0, 0, 0, byte(seq), byte(seq>>8), byte(seq>>16), byte(seq>>24), 0, 0, 0, 0, byte(len(b)/255+1))
		for n := len(b); ; n -= 255 {
			p = append(p, byte(min(n, 255)))
			if n < 255 {
				break
			}
		}
		p = append(p, b...)
		crc := uint32(0)
		for _, x := range p {
			crc = crc<<8 ^ table[byte(crc>>24)^x]
		}
		p[22], p[23], p[24], p[25] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
		out = append(out, p...)
		seq++
	}
	page(2, av.OpusTrack(1, 1).AudioConfig)
	page(0, append([]byte("OpusTags\x01\x00\x00\x00x"), 0, 0, 0, 0))
	for _, p := range packets {
		granule += uint64(av.Ticks(sound.OpusLength(p.payload), 48000))
		page(0, p.payload)
	}
	return out
}

// TestMicMuted: what the switch holds back does not leave, and what comes after begins anew.
func TestMicMuted(t *testing.T) {
	t.Parallel()
	f := short(t)
	track, notes := tone(t, 1000, 24000, 4*time.Second)
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	var muted atomic.Bool
	src := newReel(time.Second, []av.Track{f.track, track}, f.units, notes)
	if err := s.Start(Start{Video: video(), Audio: audio(), Open: func(context.Context) (Units, error) { return src.from(), nil },
		Muted: func() (bool, bool) { return muted.Load(), false }}); err != nil {
		t.Fatal(err)
	}
	v.audio.until(t, "sound", func(e *ear) bool { return len(e.packets) >= 10 })
	muted.Store(true)
	n := len(v.video.all())
	v.video.until(t, "pictures", func(e *ear) bool { return len(e.packets) >= n+20 })
	held := len(v.audio.all())
	muted.Store(false)
	v.audio.until(t, "sound again", func(e *ear) bool { return len(e.packets) >= held+5 })
	var gaps int
	packets := v.audio.all()
	for i := 1; i < len(packets); i++ {
		if packets[i].marker {
			gaps++
			if d := packets[i].ts - packets[i-1].ts; d < 24000/5 {
				t.Errorf("the pause has %d ticks", d)
			}
		}
	}
	if gaps != 1 {
		t.Errorf("%d pauses in %d packets", gaps, len(packets))
	}
}

// TestOddSound: what is no Opus is counted; frames of two kinds do not go into one packet.
func TestOddSound(t *testing.T) {
	v := newViewer(t, "127.0.0.1")
	s := open(t, v, "127.0.0.1")
	a := audio().fixed()
	a.Packet = 60 * time.Millisecond
	s.start.Audio, s.sound = &a, true
	s.audio.Begin(110, 24000, time.Hour)
	now := time.Now()
	s.clock.begin(0, now, now, 0)
	p := &player{s: s, ctx: t.Context(), begun: true}
	track := av.OpusTrack(2, 1)
	pts := int64(0)
	say := func(ticks int64, b ...byte) {
		p.say(track, &av.Unit{Track: 2, PTS: pts, Data: b})
		pts += ticks
	}
	const celt20, silk20, celt10 = 31 << 3, 9 << 3, 30 << 3
	pts = 48
	say(960)
	say(960, celt20|3, 0)
	say(960, celt20, 1, 2, 3)
	say(960, silk20, 4, 5, 6)
	say(480, celt10, 7, 8, 9)
	say(480, celt10, 7, 8, 9)
	say(960, celt10|1, 7, 8, 9, 7, 8, 9)
	say(960, celt10|1, 7, 8, 9, 7, 8, 9)
	if n := s.count.odd.Load(); n != 2 {
		t.Errorf("%d are odd", n)
	}
	v.audio.until(t, "packets", func(e *ear) bool { return len(e.packets) == 3 })
	for i, want := range [][]byte{{celt20, 1, 2, 3}, {silk20, 4, 5, 6}, append([]byte{celt10 | 3, 6}, bytes.Repeat([]byte{7, 8, 9}, 6)...)} {
		if got := v.audio.all()[i].payload; !bytes.Equal(got, want) {
			t.Errorf("packet %d: %x, wanted %x", i, got, want)
		}
	}
	// A packet that no datagram holds.
	s.audio.Limit(256)
	p.bundle.drop()
	say(960, append([]byte{celt20}, make([]byte, 400)...)...)
	say(960, append([]byte{celt20}, make([]byte, 400)...)...)
	if n := s.count.odd.Load(); n != 3 { // the second still waits for its packet
		t.Errorf("%d are odd", n)
	}
	if frames.Mostly(20*time.Millisecond, 30*time.Millisecond) != 1 || frames.Mostly(60*time.Millisecond, 20*time.Millisecond) != 1 {
		t.Error("counts")
	}
}
