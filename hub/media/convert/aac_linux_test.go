package convert

import (
	"errors"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func needFFmpeg(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("needs ffmpeg: apt install ffmpeg")
	}
}

// burst sends so many pictures and their sound at once, as the past of a ring.
func (d *door) burst(frames int, sounds func(pts int64)) {
	d.t.Helper()
	for range frames {
		pts := int64(d.frame) * 90000 / doorFPS
		d.put(&av.Unit{Track: 1, Key: d.frame%doorGOP == 0, PTS: pts, DTS: pts, Wall: time.Now(), Data: []byte{byte(d.frame)}})
		sounds(pts)
		d.frame++
	}
}

// aacDoor sends AAC that this house makes of a tone.
func aacDoor(t *testing.T) (*door, func(frames int)) {
	t.Helper()
	needFFmpeg(t)
	pcmu := patientDoor(t)
	r := NewRenditions(RenditionOptions{Core: pcmu.core})
	t.Cleanup(r.Close)
	pcmu.burst(30*doorFPS, pcmu.tone)
	got := open(t, r, av.Rendition{Video: av.VideoRendition{None: true}, Audio: av.AudioRendition{Codec: av.AAC}},
		media.ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}})
	var frames []*av.Unit
	for len(frames) < 29*16000/1024 {
		batch, err := got.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, batch...)
	}
	d := patientDoor(t, av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, FPS: doorFPS}, got.Tracks()[0])
	sent := 0
	return d, func(n int) {
		d.burst(n, func(pts int64) {
			for ; sent < len(frames) && frames[sent].PTS*90000/16000 <= pts; sent++ {
				u := *frames[sent]
				d.put(&u)
			}
		})
	}
}

// tone is two packets of PCMU.
func (d *door) tone(int64) {
	for range 2 {
		b, err := d.enc.Encode(tone(d.phase, 160))
		if err != nil {
			d.t.Fatal(err)
		}
		d.put(&av.Unit{Track: 2, Key: true, PTS: int64(d.phase), DTS: int64(d.phase), Data: b})
		d.phase += 160
	}
}

// pitch is how often a second the sound of units of L16 crosses zero upwards.
func pitch(units []*av.Unit, rate int) float64 {
	n, samples, before := 0, 0, int16(0)
	for _, u := range units {
		for i := 0; i+1 < len(u.Data); i += 2 {
			v := int16(u.Data[i])<<8 | int16(u.Data[i+1])
			if before < 0 && v >= 0 {
				n++
			}
			before = v
			samples++
		}
	}
	return float64(n) * float64(rate) / float64(samples)
}

func TestAACBecomesOpusForOneWhoLooksBack(t *testing.T) {
	d, send := aacDoor(t)
	r := NewRenditions(RenditionOptions{Core: d.core})
	defer r.Close()
	send(10 * doorFPS)
	for _, want := range []av.Codec{av.Opus, av.PCMU, av.L16} {
		got := open(t, r, av.Rendition{Audio: av.AudioRendition{Codec: want, SampleRate: map[av.Codec]int{av.L16: 16000}[want]}},
			media.ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}})
		if !strings.HasPrefix(got.How(), "converted: the sound is AAC and ") {
			t.Error(got.How())
		}
		units := make(map[uint8][]*av.Unit)
		tr, _ := track(got.Tracks(), 2)
		for n := 0; n == 0 || tr.Duration(units[2][n-1].PTS) < 9500*time.Millisecond; n = len(units[2]) {
			batch, err := got.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range batch {
				units[u.Track] = append(units[u.Track], u)
			}
		}
		if n := len(units[1]); n != 10*doorFPS {
			t.Errorf("%s: %d pictures", want, n)
		}
		if n := len(units[2]); n < 450 {
			t.Fatalf("%s: %d packets", want, n)
		}
		last := units[2][len(units[2])-1]
		if tr.Codec != want || tr.Duration(units[2][0].PTS) > 100*time.Millisecond || (tr.Duration(last.PTS)-10*time.Second).Abs() > 500*time.Millisecond {
			t.Errorf("%s from %v to %v", tr.Codec, tr.Duration(units[2][0].PTS), tr.Duration(last.PTS))
		}
		l16, err := sound.New(tr, av.AudioRendition{Codec: av.L16, SampleRate: 16000})
		if err != nil {
			t.Fatal(err)
		}
		var plain []*av.Unit
		for _, u := range units[2][50:] {
			out, err := l16.Convert(u)
			if err != nil {
				t.Fatal(err)
			}
			plain = append(plain, out...)
		}
		if hz := pitch(plain, 16000); hz < 990 || hz > 1010 {
			t.Errorf("%s has %.0f Hz", want, hz)
		}
	}
}

// An ffmpeg that is killed is started anew; the picture does not feel it.
func TestAKilledFFmpegComesBack(t *testing.T) {
	d, send := aacDoor(t)
	r := NewRenditions(RenditionOptions{Core: d.core})
	defer r.Close()
	send(2 * doorFPS)
	got := open(t, r, opus, media.ReadOptions{})
	heard := func() {
		t.Helper()
		for {
			batch, err := got.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(batch, func(u *av.Unit) bool { return u.Track == 2 }) {
				return
			}
		}
	}
	heard()
	pids := r.Stats()[0].PIDs
	if len(pids) != 1 {
		t.Fatalf("%+v", r.Stats())
	}
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "nothing is said of it", func() bool { return r.Stats()[0].Trouble != nil })
	var f *fault.Fault
	if err := r.Stats()[0].Trouble; !errors.As(err, &f) || f.Code() != "E-CONV-FFMPEG" {
		t.Errorf("%v", err)
	}
	await(t, "it does not come back", func() bool { send(1); return len(r.Stats()[0].PIDs) == 1 })
	if r.Stats()[0].PIDs[0] == pids[0] {
		t.Error("it is the dead one")
	}
	send(doorFPS)
	heard()
	pid := r.Stats()[0].PIDs[0]
	r.Close()
	if !gone(pid) {
		t.Error("ffmpeg is left")
	}
}

// What ffmpeg is fed with and what answers may be anything: the pictures go on.
func TestSoundOfHostilePrograms(t *testing.T) {
	d, send := aacDoor(t)
	send(2 * doorFPS)
	for _, body := range []string{"exit 3", "cat >/dev/null", "sleep 1000", "cat /dev/zero", "cat", "exec cat /dev/urandom"} {
		r := NewRenditions(RenditionOptions{Core: d.core, FFmpeg: script(t, body)})
		got := open(t, r, opus, media.ReadOptions{})
		if batch, err := got.Next(t.Context()); err != nil || batch[0].Track != 1 {
			t.Errorf("%s: %v", body, err)
		}
		got.Close()
		r.Close()
	}
}
