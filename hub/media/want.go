package media

import (
	"errors"
	"fmt"
	"slices"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Want says which tracks of a stream a reader gets; the zero value: all.
type Want struct {
	NoVideo, NoAudio bool
	// Audio: of several audio tracks only the first of this codec; empty: all.
	Audio av.Codec
}

// pick is the tracks of set that a reader gets.
func (w Want) pick(set *trackSet) (mask [4]uint64) {
	var audio bool
	for _, t := range set.tracks {
		switch {
		case t.Kind == av.Video && w.NoVideo, t.Kind == av.Sound && w.NoAudio:
			continue
		case t.Kind == av.Sound && w.Audio != "":
			if audio || t.Codec != w.Audio {
				continue
			}
			audio = true
		}
		mask[t.ID>>6] |= 1 << (t.ID & 63)
	}
	return mask
}

// ErrNotYet: the stream would have to be converted, which this hub cannot do yet. It is
// in the chain together with av.ErrNotYet.
var ErrNotYet = fmt.Errorf("conversion: %w", av.ErrNotYet)

// ErrNoTracks: it is not known yet what the stream consists of.
var ErrNoTracks = errors.New("the stream has not begun")

// Unfit says why a stream does not fit a rendition as it is.
type Unfit struct{ Why string }

func (e *Unfit) Error() string { return "rendition: " + e.Why + ", and converting is not there yet" }
func (e *Unfit) Unwrap() error { return ErrNotYet }

// Code and Hint are for people.
func (e *Unfit) Code() string { return "E-MEDIA-NOT-YET" }
func (e *Unfit) Hint() string {
	return "ask for the stream as it is, or for another stream of the camera"
}

// Fit reports how a rendition is made of tracks: which of them to read, when a copy
// will do, else an error that is an Unfit.
func Fit(tracks []av.Track, r av.Rendition) (Want, error) {
	w := Want{NoVideo: r.Video.None, NoAudio: r.Audio.None, Audio: r.Audio.Codec}
	if r == (av.Rendition{}) {
		return w, nil
	}
	if len(tracks) == 0 {
		return w, ErrNoTracks
	}
	for _, t := range tracks {
		if t.Kind != av.Video || r.Video.None {
			continue
		}
		if why := unfitVideo(t, r.Video); why != "" {
			return w, &Unfit{why}
		}
	}
	if r.Audio.None || r.Audio.Codec == "" && r.Audio.SampleRate == 0 && r.Audio.Channels == 0 {
		return w, nil
	}
	i := slices.IndexFunc(tracks, func(t av.Track) bool {
		return t.Kind == av.Sound && (r.Audio.Codec == "" || t.Codec == r.Audio.Codec)
	})
	if i < 0 {
		return w, &Unfit{fmt.Sprintf("there is no %s sound", r.Audio.Codec)}
	}
	w.Audio = tracks[i].Codec
	// Opus decodes at any rate and to any channels (RFC 7845 5.1).
	if t := tracks[i]; t.Codec != av.Opus &&
		(r.Audio.SampleRate != 0 && r.Audio.SampleRate != t.SampleRate || r.Audio.Channels != 0 && r.Audio.Channels != t.Channels) {
		return w, &Unfit{fmt.Sprintf("the %s sound has %d Hz and %d channels", t.Codec, t.SampleRate, t.Channels)}
	}
	return w, nil
}

// profiles of H.264 in rising order of what a decoder must know (annex A).
func profile(idc byte) (name string, rank int) {
	switch idc {
	case 66:
		return "baseline", 1
	case 77, 88:
		return "main", 2
	}
	return "high", 3
}

func unfitVideo(t av.Track, r av.VideoRendition) string {
	switch {
	case r.Codec != "" && t.Codec != r.Codec:
		return fmt.Sprintf("the picture is %s", t.Codec)
	case r.MaxWidth != 0 && t.Width > r.MaxWidth, r.MaxHeight != 0 && t.Height > r.MaxHeight:
		return fmt.Sprintf("the picture has %dx%d", t.Width, t.Height)
	// Half a frame is what rounding of the stream's own timing makes.
	case r.MaxFPS != 0 && t.FPS > r.MaxFPS+0.5:
		return fmt.Sprintf("the picture has %.3g frames a second", t.FPS)
	case r.InOrder && t.Reordered:
		return "the picture has B-frames"
	case t.Codec != av.H264 || len(t.SPS) < 4:
		return ""
	}
	name, rank := profile(t.SPS[1])
	limit := map[string]int{"baseline": 1, "main": 2, "high": 3}[r.Profile]
	switch {
	case limit != 0 && rank > limit:
		return "the picture is of " + name + " profile"
	case r.Level != 0 && levelOf(t) > r.Level:
		return fmt.Sprintf("the picture is of level %d.%d", levelOf(t)/10, levelOf(t)%10)
	}
	return ""
}

// levelOf is the level that a picture's size and rate need (H.264 table A-1), in
// tenths. Cameras that claim 5.1 for anything are common, so the claim counts only
// where size or rate is not known.
func levelOf(t av.Track) int {
	if t.Width == 0 || t.Height == 0 || t.FPS == 0 {
		return int(t.SPS[3])
	}
	size := ((t.Width + 15) / 16) * ((t.Height + 15) / 16)
	rate := int(float64(size) * (t.FPS - 0.5)) // as above: half a frame is the timing's rounding
	for _, l := range []struct{ level, rate, size int }{
		{10, 1485, 99}, {11, 3000, 396}, {12, 6000, 396}, {13, 11880, 396}, {20, 11880, 396}, {21, 19800, 792}, {22, 20250, 1620},
		{30, 40500, 1620}, {31, 108000, 3600}, {32, 216000, 5120}, {40, 245760, 8192}, {42, 522240, 8704}, {50, 589824, 22080}, {51, 983040, 36864},
	} {
		if rate <= l.rate && size <= l.size {
			return l.level
		}
	}
	return 52
}
