package socket

import (
	"errors"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// A plugin reads a form that the stream has not, and is told how it came about.
func TestConvertedRendition(t *testing.T) {
	core := media.New(media.Limits{})
	r := convert.NewRenditions(convert.RenditionOptions{Core: core, FFmpeg: "/nowhere/ffmpeg"})
	defer r.Close()
	h := houseOf(t, core, New(core, r, nil))
	p := h.publish("main", video, av.PCMTrack(2, av.PCMU, 8000, 1))
	for i := range 50 {
		write(t, p, av.Unit{Track: 1, Key: i%10 == 0, PTS: int64(i) * 1800, Data: []byte{byte(i)}})
		write(t, p, av.Unit{Track: 2, Key: true, PTS: int64(i) * 160, Data: make([]byte, 160)})
	}
	await(t, "the stream", func() bool { return core.Stream("door", "main").Stats().Units == 100 })
	opus := av.Rendition{Audio: av.AudioRendition{Codec: av.Opus}}
	preview, err := h.s.Preview(Grant{Camera: "door", Stream: "main", Rendition: opus})
	if err != nil || preview.How != "converted: the sound is PCMU and Opus was asked" {
		t.Errorf("%+v %v", preview, err)
	}
	in := h.read(Grant{Stream: "main", Rendition: opus, Start: av.Start{From: av.FromSecondsBack, Back: time.Minute}})
	if in.Rendition() != preview.How {
		t.Errorf("rendition %q", in.Rendition())
	}
	got := map[uint8]int{}
	for got[1] < 50 || got[2] < 49 {
		got[next(t, in).Track]++
	}
	if tr, ok := in.Track(2); !ok || tr.Codec != av.Opus {
		t.Errorf("%+v", tr)
	}
	var f *fault.Fault
	if _, err := h.s.Token("demo", Grant{Direction: av.Read, Camera: "door", Stream: "main", Rendition: av.Rendition{Audio: av.AudioRendition{Codec: av.AAC}}}); !errors.As(err, &f) ||
		f.Code() != "E-CONV-NO-FFMPEG" || !errors.Is(err, av.ErrNotYet) {
		t.Errorf("%v", err)
	}
}
