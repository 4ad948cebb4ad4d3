package mse

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// pcmuFilm is a film's picture with silence as PCMU.
func pcmuFilm(t *testing.T, core *media.Core) {
	t.Helper()
	f := newFilm(t, "3", "320x180", "0")
	w, err := core.Stream("door", "main").Begin([]av.Track{f.video, av.PCMTrack(2, av.PCMU, 8000, 1)})
	if err != nil {
		t.Fatal(err)
	}
	said := time.Duration(0)
	for _, u := range f.units {
		if u.Track != f.video.ID {
			continue
		}
		for ; said <= f.video.Duration(u.DTS); said += 20 * time.Millisecond {
			pts := av.Ticks(said, 8000)
			if err := w.Put(&av.Unit{Track: 2, Key: true, PTS: pts, DTS: pts, Data: bytes.Repeat([]byte{0xff}, 160)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Put(u); err != nil {
			t.Fatal(err)
		}
	}
}

// take is so many bytes of the stream by HTTP.
func take(t *testing.T, m *Muxers, query string, size int) []byte {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := &filling{ResponseRecorder: httptest.NewRecorder(), until: size, full: cancel}
	m.ServeMP4(w, httptest.NewRequestWithContext(ctx, "GET", "/?"+query, nil), "door", "main")
	if w.Code != 200 {
		t.Fatal(w.Code, w.Body.String())
	}
	return w.Body.Bytes()
}

type filling struct {
	*httptest.ResponseRecorder
	until int
	full  func()
}

func (f *filling) Write(b []byte) (int, error) {
	n, err := f.ResponseRecorder.Write(b)
	if f.Body.Len() >= f.until {
		f.full()
	}
	return n, err
}

// Every page has sound, in the codec that it can play.
func TestSoundForEverybody(t *testing.T) {
	core := media.New(media.Limits{})
	pcmuFilm(t, core)
	r := convert.NewRenditions(convert.RenditionOptions{Core: core})
	defer r.Close()
	m := New(core, r, nil)
	defer m.Close()
	for query, codec := range map[string]string{"sound=opus": "opus", "sound=aac": "aac", "": "aac", "sound=none": ""} {
		file := filepath.Join(t.TempDir(), "a.mp4")
		if err := os.WriteFile(file, take(t, m, query, 20_000), 0o600); err != nil {
			t.Fatal(err)
		}
		var probed struct {
			Streams []struct {
				Name string `json:"codec_name"`
				Type string `json:"codec_type"`
				Rate string `json:"sample_rate"`
			}
		}
		if err := json.Unmarshal(output(t, "ffprobe", "-v", "error", "-show_streams", "-of", "json", file), &probed); err != nil {
			t.Fatal(err)
		}
		var sound string
		for _, s := range probed.Streams {
			if s.Type == "audio" {
				sound = s.Name
			}
		}
		if sound != codec || len(probed.Streams) == 0 {
			t.Errorf("%q: %+v", query, probed)
		}
		if text := output(t, "ffmpeg", "-v", "error", "-i", file, "-f", "null", "-"); len(text) > 0 {
			t.Errorf("%q: %s", query, text)
		}
	}
}

// without is renditions that make nothing.
type without struct{ core *media.Core }

type noFFmpeg struct{}

func (noFFmpeg) Error() string { return "convert: there is no ffmpeg to convert with" }
func (noFFmpeg) Hint() string  { return "install it" }

func (w without) Open(_ context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error) {
	s := w.core.Stream(camera, stream)
	fit, d, err := media.Compare(s.Tracks(), want)
	if err != nil || d.Any() {
		return nil, errors.Join(err, noFFmpeg{})
	}
	o.Want = fit
	return media.NewRendering(s.Open(o), want, media.Copy, nil), nil
}

// Where the sound cannot be had there is the picture, and the page knows why.
func TestWhyThereIsNoSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core := media.New(media.Limits{})
		tr := still(t)
		w, err := core.Stream("door", "main").Begin([]av.Track{tr, av.PCMTrack(2, av.PCMU, 8000, 1)})
		if err != nil {
			t.Fatal(err)
		}
		m := New(core, without{core}, nil)
		defer m.Close()
		v, leave, err := m.watch(asked(url.Values{}, "door", "main"))
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		put(t, w, 0, 30)
		p, err := v.next(t.Context())
		if err != nil || p.gen == nil || p.gen.sound {
			t.Fatalf("%+v %v", p, err)
		}
		msg := messages(p, key{})[0]
		if msg.SoundWhy != "there is no ffmpeg to convert with; install it" || msg.Rendition != media.Copy {
			t.Errorf("%+v", msg)
		}
	})
}

// Who keeps up shares the bytes, header and all; who catches up gets one message.
func TestMessagesAreShared(t *testing.T) {
	f := newFeed()
	g := &generation{id: 1}
	one, two := &viewer{f: f}, &viewer{f: f}
	for _, size := range []int{100, 1000, 100_000} {
		block := bytes.Repeat([]byte{byte(size)}, size)
		f.add(g, true, 0, size, func(b []byte) []byte { return append(b, block...) })
		a, _, _ := one.take()
		b, _, _ := two.take()
		if &a.message()[0] != &b.message()[0] {
			t.Error("two viewers have two messages")
		}
		want := append(messageHeader(nil, size), block...)
		if !bytes.Equal(a.message(), want) {
			t.Errorf("%d bytes: header %x", size, a.message()[:12])
		}
	}
	late := &viewer{f: f}
	for i := range 3 {
		f.add(g, i == 0, 0, 5, func(b []byte) []byte { return append(b, strings.Repeat(string(rune('a'+i)), 5)...) })
	}
	p, _, _ := late.take()
	if got := p.message(); !bytes.Equal(got, append(messageHeader(nil, 15), "aaaaabbbbbccccc"...)) {
		t.Errorf("%q", got)
	}
}
