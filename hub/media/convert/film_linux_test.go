package convert

import (
	"errors"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// filmed is a second of H.265 with its key frame in front.
func filmed(t *testing.T) (av.Track, []*av.Unit) {
	t.Helper()
	needFFmpeg(t)
	raw, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=r=25:s=640x360", "-t", "1", "-pix_fmt", "yuv420p",
		"-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "bframes=0:keyint=25:log-level=none:aud=1", "-f", "hevc", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	var sets [3][]byte
	var units []*av.Unit
	for _, nal := range av.SplitAnnexB(raw) {
		kind := nal[0] >> 1 & 0x3f
		switch {
		case kind >= 32 && kind <= 34:
			sets[kind-32] = nal
		case kind < 32:
			units = append(units, &av.Unit{Track: 1, Key: kind >= 16, Data: av.JoinNALs([][]byte{nal})})
		}
	}
	tr, err := av.H265Track(1, sets[0], sets[1], sets[2])
	if err != nil {
		t.Fatal(err)
	}
	if len(units) != 25 {
		t.Fatalf("%d pictures", len(units))
	}
	return tr, units
}

// h265Door sends H.265 with PCMU, a key frame a second.
func h265Door(t *testing.T) (*door, func(frames int)) {
	t.Helper()
	tr, units := filmed(t)
	d := patientDoor(t, tr, av.PCMTrack(2, av.PCMU, 8000, 1))
	return d, func(n int) {
		for range n {
			u := *units[d.frame%25]
			u.PTS = int64(d.frame) * 3600
			u.DTS, u.Wall = u.PTS, time.Now()
			d.put(&u)
			d.tone(0)
			d.frame++
		}
	}
}

func smaller(width int) av.Rendition {
	return av.Rendition{Video: av.VideoRendition{Codec: av.H264, MaxWidth: width}, Audio: av.AudioRendition{Codec: av.Opus}}
}

func TestH265BecomesH264WithItsSound(t *testing.T) {
	d, send := h265Door(t)
	r := NewRenditions(RenditionOptions{Core: d.core, Films: 1})
	defer r.Close()
	send(100)
	p, err := r.Describe("door", "main", smaller(320))
	if err != nil || p.How != "converted: the picture is H.265 and H.264 was asked; the sound is PCMU and Opus was asked" ||
		len(p.Tracks) != 2 || p.Tracks[0].Width != 320 || p.Tracks[0].Codec != av.H264 {
		t.Errorf("%+v %v", p, err)
	}
	got := open(t, r, smaller(320), media.ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}})
	if got.How() != p.How {
		t.Error(got.How())
	}
	var pictures, sounds []*av.Unit
	for len(pictures) < 98 || len(sounds) < 180 {
		batch, err := got.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range batch {
			if u.Track == 1 {
				pictures = append(pictures, u)
				continue
			}
			if len(pictures) == 0 {
				t.Fatal("sound came before the first picture")
			}
			if s, v := av.Duration(u.DTS, 48000), av.Duration(pictures[len(pictures)-1].DTS, 90000); s > v+2*soundAhead {
				t.Fatalf("sound of %v with the picture of %v", s, v)
			}
			sounds = append(sounds, u)
		}
	}
	tr, _ := track(got.Tracks(), 1)
	if tr.Codec != av.H264 || tr.Width != 320 || tr.Height != 180 || len(tr.SPS) == 0 {
		t.Errorf("%+v", tr)
	}
	for i, u := range pictures {
		if u.PTS != int64(i)*3600 || u.Key != (i%50 == 0) || u.Wall.IsZero() {
			t.Fatalf("picture %d at %d, key %v", i, u.PTS, u.Key)
		}
	}
	oneFilmAtATime(t, r, got)
}

// oneFilmAtATime: one that nobody reads gives way.
func oneFilmAtATime(t *testing.T, r *Renditions, first *media.Rendering) {
	t.Helper()
	var f *fault.Fault
	if _, err := r.Open(t.Context(), "door", "main", smaller(160), media.ReadOptions{}); !errors.As(err, &f) || f.Code() != "E-CONV-BUSY" {
		t.Errorf("%v", err)
	}
	pid := r.Stats()[0].PIDs[0]
	first.Close()
	second := open(t, r, smaller(160), media.ReadOptions{})
	if batch, err := second.Next(t.Context()); err != nil || !batch[0].Key {
		t.Error(err)
	}
	await(t, "the first ffmpeg is left", func() bool { return gone(pid) })
}

// Killed, it is started anew and goes on at a key frame.
func TestAKilledFilmComesBack(t *testing.T) {
	d, send := h265Door(t)
	r := NewRenditions(RenditionOptions{Core: d.core})
	defer r.Close()
	send(100)
	got := open(t, r, smaller(160), media.ReadOptions{})
	pids := r.Stats()[0].PIDs
	if err := syscall.Kill(pids[0], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	await(t, "nothing is said of it", func() bool { return r.Stats()[0].Trouble != nil })
	await(t, "it does not come back", func() bool { send(25); return len(r.Stats()[0].PIDs) == 1 })
	send(50)
	for {
		batch, err := got.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(batch, func(u *av.Unit) bool { return u.Track == 1 && u.Discontinuity }); i >= 0 {
			if !batch[i].Key {
				t.Error("it does not go on at a key frame")
			}
			return
		}
	}
}

// What cannot be made is said soon, and why.
func TestFilmsThatCannotBe(t *testing.T) {
	d, send := h265Door(t)
	send(50)
	for body, code := range map[string]string{
		"echo \"Unknown encoder 'libx264'\" >&2; exit 1": "E-CONV-NO-ENCODER",
		"exit 1":                "E-CONV-FFMPEG",
		"cat":                   "E-CONV-FFMPEG",
		"exec cat /dev/urandom": "E-CONV-FFMPEG",
	} {
		r := NewRenditions(RenditionOptions{Core: d.core, FFmpeg: script(t, body)})
		got, err := r.Open(t.Context(), "door", "main", smaller(160), media.ReadOptions{})
		if err == nil {
			err = endOf(t, got, func() { send(25) })
			got.Close()
		}
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code() != code {
			t.Errorf("%s: %v", body, err)
		}
		r.Close()
	}
}

// endOf reads until the end, while more is sent.
func endOf(t *testing.T, got *media.Rendering, send func()) (err error) {
	t.Helper()
	done := make(chan error, 1) // the one result
	go func() {
		for {
			if _, err := got.Next(t.Context()); err != nil {
				done <- err
				return
			}
		}
	}()
	await(t, "it never ends", func() bool {
		send()
		select {
		case err = <-done:
			return true
		default:
			return false
		}
	})
	return err
}

// A picture of more bits than were asked is made smaller.
func TestTooManyBits(t *testing.T) {
	d := newDoor(t)
	r := NewRenditions(RenditionOptions{Core: d.core})
	defer r.Close()
	d.run(10)
	if p, err := r.Describe("door", "main", av.Rendition{Video: av.VideoRendition{MaxKbps: 100}}); err == nil {
		t.Errorf("pictures without parameter sets can be made: %+v", p)
	}
	if p, err := r.Describe("door", "main", av.Rendition{Video: av.VideoRendition{MaxKbps: 5000}}); err != nil || p.How != media.Copy {
		t.Errorf("%+v %v", p, err)
	}
}

// One that takes nothing holds up neither who waits for it nor the end.
func TestAFilmThatHangs(t *testing.T) {
	d, send := h265Door(t)
	send(2000) // more than a pipe holds
	r := NewRenditions(RenditionOptions{Core: d.core, FFmpeg: script(t, "sleep 1000")})
	got := open(t, r, smaller(160), media.ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}})
	pid := r.Stats()[0].PIDs[0]
	done := make(chan error, 1) // the one result
	go func() {
		_, err := got.Next(t.Context())
		done <- err
	}()
	r.Close()
	if err := <-done; err == nil {
		t.Error("something came out")
	}
	if !gone(pid) {
		t.Error("it is left")
	}
}
