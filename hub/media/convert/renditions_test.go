package convert

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// door is a source of pictures that nobody decodes, and a tone of 1 kHz as PCMU.
type door struct {
	t     *testing.T
	core  *media.Core
	w     *media.Writer
	frame int
	enc   *sound.Encoder
	phase int
}

const (
	doorFPS = 25
	doorGOP = 50
)

func newDoor(t *testing.T, tracks ...av.Track) *door {
	t.Helper()
	return doorWith(t, media.Limits{}, tracks...)
}

// patientDoor keeps all, however slowly a test of real ffmpegs runs.
func patientDoor(t *testing.T, tracks ...av.Track) *door {
	t.Helper()
	return doorWith(t, media.Limits{RingTime: time.Hour}, tracks...)
}

func doorWith(t *testing.T, l media.Limits, tracks ...av.Track) *door {
	t.Helper()
	enc, err := sound.NewEncoder(2, av.AudioRendition{Codec: av.PCMU}, 8000)
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, core: media.New(l), enc: enc}
	d.begin(tracks...)
	return d
}

func (d *door) begin(tracks ...av.Track) {
	d.t.Helper()
	if len(tracks) == 0 {
		tracks = []av.Track{{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, Width: 640, Height: 360, FPS: doorFPS, SPS: []byte{0x67, 66, 0, 30}}, av.PCMTrack(2, av.PCMU, 8000, 1)}
	}
	w, err := d.core.Stream("door", "main").Begin(tracks)
	if err != nil {
		d.t.Fatal(err)
	}
	d.w = w
}

// run sends so many pictures and their sound, at their pace.
func (d *door) run(frames int) {
	d.t.Helper()
	for range frames {
		pts := int64(d.frame) * 90000 / doorFPS
		data := make([]byte, 4000)
		data[0] = byte(d.frame)
		d.put(&av.Unit{Track: 1, Key: d.frame%doorGOP == 0, PTS: pts, DTS: pts, Wall: time.Now(), Data: data})
		for range 2 { // 20 ms each
			b, err := d.enc.Encode(tone(d.phase, 160))
			if err != nil {
				d.t.Fatal(err)
			}
			d.put(&av.Unit{Track: 2, Key: true, PTS: int64(d.phase), DTS: int64(d.phase), Wall: time.Now(), Data: b})
			d.phase += 160
		}
		d.frame++
		time.Sleep(time.Second / doorFPS)
	}
}

// tone is n samples of 1 kHz at 8 kHz, from number at on.
func tone(at, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(10000 * math.Sin(2*math.Pi*1000*float64(at+i)/8000))
	}
	return pcm
}

func (d *door) put(u *av.Unit) {
	d.t.Helper()
	if err := d.w.Put(u); err != nil {
		d.t.Fatal(err)
	}
}

func open(t *testing.T, r *Renditions, want av.Rendition, o media.ReadOptions) *media.Rendering {
	t.Helper()
	got, err := r.Open(t.Context(), "door", "main", want, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(got.Close)
	return got
}

// all that r gives until its end, by track.
func all(t *testing.T, r *media.Rendering) map[uint8][]*av.Unit {
	t.Helper()
	out := make(map[uint8][]*av.Unit)
	for {
		batch, err := r.Next(t.Context())
		if err != nil {
			return out
		}
		for _, u := range batch {
			out[u.Track] = append(out[u.Track], u)
		}
	}
}

var opus = av.Rendition{Audio: av.AudioRendition{Codec: av.Opus}}

func TestSoundIsConvertedOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		r := NewRenditions(RenditionOptions{Core: d.core})
		defer r.Close()
		d.run(10 * doorFPS)
		alone := d.core.Used()

		p, err := r.Describe("door", "main", opus)
		if err != nil || p.How != "converted: the sound is PCMU and Opus was asked" || len(p.Tracks) != 2 || p.Tracks[1].Codec != av.Opus || p.Prebuffer < 9*time.Second {
			t.Errorf("%+v %v", p, err)
		}
		if len(r.Stats()) != 0 {
			t.Error("a description began something")
		}

		back := media.ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: 5 * time.Second}, Until: media.RingEnd}
		one := open(t, r, opus, back)
		if one.How() != p.How {
			t.Errorf("how: %q", one.How())
		}
		got := all(t, one)
		first, last := got[1][0], got[1][len(got[1])-1]
		if !first.Key || first.Data[0] != 150-50 { // the key frame at least 5 s back
			t.Errorf("begins at picture %d", first.Data[0])
		}
		from := time.Duration(first.PTS) * time.Second / 90000
		until := time.Duration(last.PTS) * time.Second / 90000
		tr, _ := track(one.Tracks(), 2)
		heard, silent := tr.Duration(got[2][0].PTS), tr.Duration(got[2][len(got[2])-1].PTS)
		if tr.Codec != av.Opus || (heard-from).Abs() > 50*time.Millisecond || (silent-until).Abs() > 60*time.Millisecond {
			t.Errorf("%s from %v to %v, pictures from %v to %v", tr.Codec, heard, silent, from, until)
		}
		for i, u := range got[2][1:] {
			if u.PTS != got[2][i].PTS+960 || u.Discontinuity {
				t.Fatalf("packet %d at %d after %d", i, u.PTS, got[2][i].PTS)
			}
		}
		if more := d.core.Used() - alone; more > 250*300+500*(300+160) {
			t.Errorf("the copy costs %d bytes beside %d", more, alone)
		}

		// Pictures wanted otherwise share the sound; a source's bytes are shared.
		two := open(t, r, av.Rendition{Video: av.VideoRendition{MaxWidth: 1920, InOrder: true}, Audio: av.AudioRendition{Codec: av.Opus, SampleRate: 24000}}, back)
		if u := all(t, two)[1][0]; &u.Data[0] != &first.Data[0] {
			t.Error("pictures were copied")
		}
		if st := r.Stats(); len(st) != 1 || st[0].Readers != 2 || d.core.Streams()[0].Stats().Readers != 1 || len(d.core.Streams()) != 1 {
			t.Errorf("%+v", st)
		}
		if n := d.core.Stream("door", "main").Demand(); n != 2 {
			t.Errorf("wanted by %d", n)
		}

		one.Close()
		two.Close()
		two.Close()
		if n := d.core.Stream("door", "main").Demand(); n != 0 {
			t.Errorf("wanted by %d after the last has gone", n)
		}
		time.Sleep(lingerTime / 2)
		three := open(t, r, opus, media.ReadOptions{})
		if len(r.Stats()) != 1 {
			t.Error("it did not linger")
		}
		three.Close()
		time.Sleep(lingerTime + time.Second)
		synctest.Wait()
		if st := r.Stats(); len(st) != 0 || d.core.Used() != alone {
			t.Errorf("%d conversions and %d bytes are left", len(st), d.core.Used()-alone)
		}
	})
}

func track(tracks []av.Track, id uint8) (av.Track, bool) {
	for _, t := range tracks {
		if t.ID == id {
			return t, true
		}
	}
	return av.Track{}, false
}

// A reader follows what the source does: it goes, returns, and changes.
func TestAConversionFollowsItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		r := NewRenditions(RenditionOptions{Core: d.core})
		defer r.Close()
		live := open(t, r, opus, media.ReadOptions{})
		bound := open(t, r, opus, media.ReadOptions{Until: media.WriterEnd})
		type seen struct{ units, jumps, generations int }
		got, ended := make(map[uint8]*seen), make(chan int, 1)
		go func() { ended <- len(all(t, bound)[1]) }()
		go func() {
			gen := uint32(0)
			for {
				batch, err := live.Next(t.Context())
				if err != nil {
					return
				}
				for _, u := range batch {
					s := got[u.Track]
					if s == nil {
						s = &seen{}
						got[u.Track] = s
					}
					s.units++
					if u.Discontinuity {
						s.jumps++
					}
					if u.Generation != gen {
						gen = u.Generation
						s.generations++
					}
				}
			}
		}()
		d.run(100)
		d.w.End("unplugged")
		synctest.Wait()
		if n := <-ended; n != 100 {
			t.Errorf("who read until the end got %d pictures", n)
		}
		time.Sleep(3 * time.Second)
		d.begin()
		d.run(100)
		if err := d.w.SetTrack(av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, Width: 1280, Height: 720, FPS: doorFPS}); err != nil {
			t.Fatal(err)
		}
		d.run(50)
		synctest.Wait()
		if v := got[1]; v.units != 250 || v.jumps != 1 || v.generations != 3 {
			t.Errorf("pictures: %+v", *v)
		}
		if s := got[2]; s.units < 480 || s.units > 500 || s.jumps == 0 || s.jumps > 2 {
			t.Errorf("sound: %+v", *s)
		}
		if st := r.Stats(); len(st) != 1 {
			t.Errorf("%+v", st)
		}
	})
}

// A copy that stops to be what was asked says so, and is there when it is opened again.
func TestACopyThatDoesNotFitAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000}, av.OpusTrack(2, 1))
		r := NewRenditions(RenditionOptions{Core: d.core})
		defer r.Close()
		d.run(10)
		got := open(t, r, opus, media.ReadOptions{})
		if _, err := got.Next(t.Context()); err != nil || got.How() != media.Copy {
			t.Fatal(err)
		}
		if err := d.w.SetTrack(av.PCMTrack(2, av.PCMU, 8000, 1)); err != nil {
			t.Fatal(err)
		}
		d.run(60)
		if _, err := got.Next(t.Context()); !errors.Is(err, media.ErrChanged) {
			t.Errorf("%v", err)
		}
		if again := open(t, r, opus, media.ReadOptions{}); !strings.HasPrefix(again.How(), "converted: the sound is PCMU") {
			t.Error(again.How())
		}
	})
}

func TestHoldOfARendition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t)
		r := NewRenditions(RenditionOptions{Core: d.core})
		defer r.Close()
		d.run(doorFPS)
		kept, release, err := r.Hold(t.Context(), "door", "main", opus, 20*time.Second)
		if err != nil || kept != 20*time.Second {
			t.Fatal(kept, err)
		}
		d.run(30 * doorFPS)
		if n := d.core.Stream("door", "main").Demand(); n != 1 {
			t.Errorf("wanted by %d", n)
		}
		back := open(t, r, opus, media.ReadOptions{Start: av.Start{From: av.FromSecondsBack, Back: 20 * time.Second}, Until: media.RingEnd})
		got := all(t, back)
		back.Close()
		if n := len(got[1]); n < 20*doorFPS || n > 22*doorFPS+doorGOP {
			t.Errorf("%d pictures", n)
		}
		if n := len(got[2]); n < 20*50-2 {
			t.Errorf("%d packets", n)
		}
		release()
		release()
		time.Sleep(lingerTime + time.Second)
		synctest.Wait()
		d.run(12 * doorFPS)
		if n := len(r.Stats()); n != 0 {
			t.Errorf("%d conversions", n)
		}
		if st := d.core.Stream("door", "main").Stats(); st.RingSpan > 13*time.Second {
			t.Errorf("the ring still keeps %v", st.RingSpan)
		}
	})
}

func TestRenditionsThatCannotBe(t *testing.T) {
	d := newDoor(t)
	r := NewRenditions(RenditionOptions{Core: d.core, FFmpeg: "/nowhere/ffmpeg"})
	defer r.Close()
	for _, c := range []struct {
		want av.Rendition
		code string
	}{
		{av.Rendition{Audio: av.AudioRendition{Codec: av.AAC}}, "E-CONV-NO-FFMPEG"},
		{av.Rendition{Audio: av.AudioRendition{Codec: av.MP4}}, "E-CONV-CODEC"},
		{av.Rendition{Video: av.VideoRendition{Codec: av.H265}}, "E-CONV-CODEC"},
	} {
		_, err := r.Open(t.Context(), "door", "main", c.want, media.ReadOptions{})
		var f *fault.Fault
		if !errors.As(err, &f) || f.Code() != c.code {
			t.Errorf("%+v: %v", c.want, err)
		}
		if _, err := r.Describe("door", "main", c.want); !errors.As(err, &f) || f.Code() != c.code {
			t.Errorf("%+v described: %v", c.want, err)
		}
	}
	r.Close()
	if _, err := r.Open(t.Context(), "door", "main", opus, media.ReadOptions{}); err == nil {
		t.Error("opened after the close")
	}
	if n := d.core.Stream("door", "main").Demand(); n != 0 {
		t.Errorf("wanted by %d", n)
	}
}

// However many forms of its sound are asked for, only so many are made; one that nobody
// reads gives way.
func TestVoicesAreBounded(t *testing.T) {
	d := newDoor(t, av.PCMTrack(2, av.PCMU, 8000, 1))
	r := NewRenditions(RenditionOptions{Core: d.core})
	t.Cleanup(r.Close)
	open := func(i int) (*media.Rendering, error) {
		return r.Open(t.Context(), "door", "main", av.Rendition{Audio: av.AudioRendition{Codec: av.Opus, Kbps: 16 + i}}, media.ReadOptions{})
	}
	var first *media.Rendering
	for i := range maxVoices {
		got, err := open(i)
		if err != nil {
			t.Fatal(i, err)
		}
		if i == 0 {
			first = got
		} else {
			defer got.Close()
		}
	}
	_, err := open(maxVoices)
	var f *fault.Fault
	if !errors.As(err, &f) || f.Code() != "E-CONV-BUSY" {
		t.Errorf("one more: %v", err)
	}
	first.Close()
	got, err := open(maxVoices)
	if err != nil {
		t.Fatalf("after one was left: %v", err)
	}
	got.Close()
	if n := len(r.Stats()); n > maxVoices {
		t.Errorf("%d run", n)
	}
}
