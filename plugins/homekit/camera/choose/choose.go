package choose

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Ask is what was selected of what was offered.
type Ask struct {
	Profile            string // baseline, main, high
	Level              int    // in tenths
	Width, Height, FPS int
	Kbps               int
}

// Choice is what to open.
type Choice struct {
	Stream string // main or sub
	Copy   bool   // as far as can be known before it is opened
	Video  av.VideoRendition
	// Why each stream that was looked at before is not taken as it is, or Stream where it is
	// converted: "main: the picture has B-frames".
	Why []string
}

// Of a camera's streams the one for a.
func Of(d sdk.MediaDescription, a Ask) Choice {
	var c Choice
	for _, name := range []string{"main", "sub"} {
		i := slices.IndexFunc(d.Streams, func(s sdk.StreamDescription) bool { return s.Name == name })
		if i < 0 {
			continue
		}
		t, known := picture(d.Streams[i])
		if !known {
			c.Why = append(c.Why, name+": it is not known yet what it has")
			continue
		}
		why := unfit(t, a)
		if why == "" {
			c.Stream, c.Copy, c.Video = name, true, a.copied()
			return c
		}
		c.Why = append(c.Why, name+": "+why)
	}
	c.Stream, c.Video = "main", a.converted()
	if len(d.Streams) > 0 && !slices.ContainsFunc(d.Streams, func(s sdk.StreamDescription) bool { return s.Name == "main" }) {
		c.Stream = d.Streams[0].Name
	}
	return c
}

// picture is the video track of a stream.
func picture(s sdk.StreamDescription) (sdk.TrackDescription, bool) {
	i := slices.IndexFunc(s.Tracks, func(t sdk.TrackDescription) bool { return t.Kind == av.Video })
	if i < 0 {
		return sdk.TrackDescription{}, false
	}
	return s.Tracks[i], true
}

// copied is what must go on being true of a stream that is copied, so that one that changes
// is chosen anew. Level and bits are judged here, where the hub would convert for them.
func (a Ask) copied() av.VideoRendition {
	return av.VideoRendition{Codec: av.H264, Profile: a.Profile, MaxWidth: a.Width, MaxHeight: a.Height, MaxFPS: float64(a.FPS), InOrder: true}
}

// keyInterval of a converted picture: who lost one waits no longer, and pays for no more.
const keyInterval = 2 * time.Second

func (a Ask) converted() av.VideoRendition {
	v := a.copied()
	v.Level, v.MaxKbps, v.KeyInterval = a.Level, a.Kbps, keyInterval
	return v
}

// slack: a picture of up to twice the bits that were selected is copied. Homes select little,
// and a copy looks better and costs a hundredth.
const slack = 2

// unfit says why a picture is not taken as it is; empty: it is.
func unfit(t sdk.TrackDescription, a Ask) string {
	switch {
	case t.Codec != av.H264:
		return "the picture is " + called(t.Codec) + ", and Home takes H.264"
	case t.Width > a.Width || t.Height > a.Height:
		return fmt.Sprintf("the picture has %dx%d, and %dx%d was selected", t.Width, t.Height, a.Width, a.Height)
	case t.Reordered:
		return "the picture has B-frames"
	case t.FPS > float64(a.FPS)+0.5: // half a frame: the rounding of the stream's own timing
		return fmt.Sprintf("the picture has %.3g frames a second, and %d were selected", t.FPS, a.FPS)
	}
	if len(t.SPS) >= 4 {
		if name, rank := profileOf(t.SPS[1]); rank > rankOf(a.Profile) {
			return "the picture is of " + name + " profile, and " + a.Profile + " was selected"
		}
	}
	if why := tooMuch(t, a); why != "" {
		return why
	}
	if kbps := int(t.Bitrate / 1000); kbps > slack*a.Kbps {
		return fmt.Sprintf("the picture has %d kbit/s, and %d were selected", kbps, a.Kbps)
	}
	return ""
}

// tooMuch judges the level by the macroblocks of a picture and a second (H.264 table A-1):
// cameras that write level 5.1 into anything are common. Who selects a size that is beyond
// the level selected with it, since no higher one can be said, has asked for that size.
func tooMuch(t sdk.TrackDescription, a Ask) string {
	size, rate := limits(a.Level)
	size, rate = max(size, blocks(a.Width, a.Height)), max(rate, blocks(a.Width, a.Height)*a.FPS)
	n := blocks(t.Width, t.Height)
	if n > size || t.FPS > 0 && int(float64(n)*(t.FPS-0.5)) > rate {
		return fmt.Sprintf("the picture needs more than level %d.%d", a.Level/10, a.Level%10)
	}
	return ""
}

func blocks(w, h int) int { return (w + 15) / 16 * ((h + 15) / 16) }

// limits are the most macroblocks of a picture, and a second.
func limits(level int) (size, rate int) {
	switch {
	case level >= 40:
		return 8192, 245760
	case level >= 32:
		return 5120, 216000
	}
	return 3600, 108000
}

// profileOf names profile_idc, with what a decoder must know (H.264 annex A), as the hub does.
func profileOf(idc byte) (name string, rank int) {
	switch idc {
	case 66:
		return "baseline", 1
	case 77, 88:
		return "main", 2
	}
	return "high", 3
}

func rankOf(profile string) int {
	return 1 + max(0, slices.Index([]string{"baseline", "main", "high"}, profile))
}

func called(c av.Codec) string {
	switch c {
	case av.H265:
		return "H.265"
	case av.H264:
		return "H.264"
	}
	return strings.ToUpper(string(c))
}

// Instead is what to open where c cannot be: the main stream, converted.
func (c Choice) Instead(a Ask, err error) Choice {
	return Choice{Stream: "main", Video: a.converted(), Why: append(slices.Clone(c.Why), c.Stream+": "+err.Error())}
}
