package choose

import (
	"errors"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// one is an H.264 picture of 1080p, changed.
func one(change func(*sdk.TrackDescription)) sdk.TrackDescription {
	t := sdk.TrackDescription{Track: av.Track{Kind: av.Video, Codec: av.H264, Width: 1920, Height: 1080, FPS: 25,
		SPS: []byte{0x67, 77, 0, 40}}, Bitrate: 4e6}
	if change != nil {
		change(&t)
	}
	return t
}

func camera(main, sub *sdk.TrackDescription) (d sdk.MediaDescription) {
	sound := sdk.TrackDescription{Track: av.Track{Kind: av.Sound, Codec: av.AAC}}
	for name, t := range map[string]*sdk.TrackDescription{"main": main, "sub": sub} {
		if t != nil {
			d.Streams = append(d.Streams, sdk.StreamDescription{Name: name, Tracks: []sdk.TrackDescription{sound, *t}})
		}
	}
	return d
}

func TestOf(t *testing.T) {
	ask := Ask{Profile: "high", Level: 40, Width: 1920, Height: 1080, FPS: 30, Kbps: 2500}
	small := one(func(t *sdk.TrackDescription) { t.Width, t.Height, t.Bitrate = 640, 360, 4e5 })
	for _, c := range []struct {
		what   string
		ask    Ask
		main   func(*sdk.TrackDescription)
		copied bool
		why    string
	}{
		{"as it is", ask, nil, true, ""},
		{"4.0 Mbit/s where 2.5 were selected", ask, func(t *sdk.TrackDescription) { t.Bitrate = 4e6 }, true, ""},
		{"twice the bits", ask, func(t *sdk.TrackDescription) { t.Bitrate = 5e6 }, true, ""},
		{"more than twice", ask, func(t *sdk.TrackDescription) { t.Bitrate = 5.1e6 }, false, "5100 kbit/s"},
		{"bits not known", ask, func(t *sdk.TrackDescription) { t.Bitrate = 0 }, true, ""},
		{"H.265", ask, func(t *sdk.TrackDescription) { t.Codec = av.H265 }, false, "H.265"},
		{"MJPEG", ask, func(t *sdk.TrackDescription) { t.Codec = av.MJPEG }, false, "MJPEG"},
		{"B-frames", ask, func(t *sdk.TrackDescription) { t.Reordered = true }, false, "B-frames"},
		{"too big", ask, func(t *sdk.TrackDescription) { t.Width, t.Height = 2560, 1440 }, false, "2560x1440"},
		{"too high", ask, func(t *sdk.TrackDescription) { t.Width, t.Height = 1440, 1920 }, false, "1440x1920"},
		{"too fast", ask, func(t *sdk.TrackDescription) { t.FPS = 60 }, false, "60 frames"},
		{"as fast, rounded", ask, func(t *sdk.TrackDescription) { t.FPS = 30.2 }, true, ""},
		{"rate not known", ask, func(t *sdk.TrackDescription) { t.FPS = 0 }, true, ""},
		{"level lying upwards", ask, func(t *sdk.TrackDescription) { t.SPS = []byte{0x67, 77, 0, 51} }, true, ""},
		{"high where main was selected", Ask{"main", 40, 1920, 1080, 30, 2500}, func(t *sdk.TrackDescription) { t.SPS = []byte{0x67, 100, 0, 40} }, false, "high profile"},
		{"main where baseline was selected", Ask{"baseline", 40, 1920, 1080, 30, 2500}, nil, false, "main profile"},
		{"a size beyond the level that was selected with it", Ask{"high", 31, 1920, 1080, 30, 2500}, nil, true, ""},
		{"level 3.1 for its own size", Ask{"high", 31, 1280, 720, 30, 2500}, func(t *sdk.TrackDescription) { t.Width, t.Height = 1280, 720 }, true, ""},
		{"1440p that was selected", Ask{"high", 40, 2560, 1440, 30, 2500}, func(t *sdk.TrackDescription) { t.Width, t.Height = 2560, 1440 }, true, ""},
		{"no parameter sets yet", ask, func(t *sdk.TrackDescription) { t.SPS = nil }, true, ""},
	} {
		main := one(c.main)
		got := Of(camera(&main, nil), c.ask)
		if got.Stream != "main" || got.Copy != c.copied || !strings.Contains(strings.Join(got.Why, ";"), c.why) || c.copied != (len(got.Why) == 0) {
			t.Errorf("%s: %+v", c.what, got)
		}
		if v := got.Video; v.Codec != av.H264 || !v.InOrder || v.MaxWidth != c.ask.Width || v.Profile != c.ask.Profile || (v.MaxKbps != 0) == c.copied || (v.Level != 0) == c.copied {
			t.Errorf("%s: asked %+v", c.what, v)
		}
		got = Of(camera(&main, &small), c.ask)
		if fits := c.ask.Profile != "baseline"; !c.copied && fits && (got.Stream != "sub" || !got.Copy || len(got.Why) != 1) {
			t.Errorf("%s, with a small one beside it: %+v", c.what, got)
		}
	}
}

func TestOfWhatIsNotKnown(t *testing.T) {
	ask := Ask{Profile: "high", Level: 40, Width: 1920, Height: 1080, FPS: 30, Kbps: 2500}
	if got := Of(sdk.MediaDescription{}, ask); got.Stream != "main" || got.Copy || got.Video.Level != 40 {
		t.Errorf("of nothing: %+v", got)
	}
	asleep := sdk.MediaDescription{Streams: []sdk.StreamDescription{{Name: "main"}}}
	if got := Of(asleep, ask); got.Stream != "main" || got.Copy || len(got.Why) != 1 {
		t.Errorf("of one that never ran: %+v", got)
	}
	big := one(func(t *sdk.TrackDescription) { t.Codec = av.H265 })
	if got := Of(camera(nil, &big), ask); got.Stream != "sub" || got.Copy {
		t.Errorf("of a camera without a main stream: %+v", got)
	}
	c := Choice{Stream: "sub", Copy: true, Why: []string{"main: x"}}
	if got := c.Instead(ask, errors.New("it has gone")); got.Stream != "main" || len(got.Why) != 2 || len(c.Why) != 1 || got.Video.MaxKbps != 2500 {
		t.Errorf("instead: %+v", got)
	}
}
