package media

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// Of tracks those that w wants.
func (w Want) Of(tracks []av.Track) []av.Track {
	mask := w.pick(&trackSet{tracks: tracks})
	return slices.DeleteFunc(slices.Clone(tracks), func(t av.Track) bool { return mask[t.ID>>6]&(1<<(t.ID&63)) == 0 })
}

// ErrNotYet: the stream would have to be converted, where nothing does that. It is
// in the chain together with av.ErrNotYet.
var ErrNotYet = fmt.Errorf("conversion: %w", av.ErrNotYet)

// ErrNoTracks: it is not known yet what the stream consists of.
var ErrNoTracks = errors.New("the stream has not begun")

// Unfit says why a stream does not fit a rendition as it is.
type Unfit struct{ Why string }

func (e *Unfit) Error() string { return "rendition: " + e.Why + ", and nothing converts here" }
func (e *Unfit) Unwrap() error { return ErrNotYet }

// Code and Hint are for people.
func (e *Unfit) Code() string { return "E-MEDIA-NOT-YET" }
func (e *Unfit) Hint() string {
	return "ask for the stream as it is, or for another stream of the camera"
}

// Difference says in people's words what of a stream is not as it was asked; empty: it is.
type Difference struct{ Video, Audio string }

// Any reports whether something is to be converted.
func (d Difference) Any() bool { return d != Difference{} }

func (d Difference) String() string {
	if d.Video != "" && d.Audio != "" {
		return d.Video + "; " + d.Audio
	}
	return d.Video + d.Audio
}

// Fit reports how a rendition is made of tracks: which of them to read, when a copy
// will do, else an error that is an Unfit.
func Fit(tracks []av.Track, r av.Rendition) (Want, error) {
	w, d, err := Compare(tracks, r)
	if err == nil && d.Any() {
		err = &Unfit{d.String()}
	}
	return w, err
}

// Compare is which tracks of a stream make a rendition, and what of them must be
// converted for it. A stream without sound fits whatever sound is asked.
func Compare(tracks []av.Track, r av.Rendition) (Want, Difference, error) {
	w := Want{NoVideo: r.Video.None, NoAudio: r.Audio.None, Audio: r.Audio.Codec}
	if r == (av.Rendition{}) {
		return w, Difference{}, nil
	}
	if len(tracks) == 0 {
		return w, Difference{}, ErrNoTracks
	}
	var d Difference
	for _, t := range tracks {
		if t.Kind == av.Video && !r.Video.None && d.Video == "" {
			d.Video = unfitVideo(t, r.Video)
		}
	}
	if r.Audio.None || r.Audio.Codec == "" && r.Audio.SampleRate == 0 && r.Audio.Channels == 0 {
		return w, d, nil
	}
	i := slices.IndexFunc(tracks, func(t av.Track) bool {
		return t.Kind == av.Sound && (r.Audio.Codec == "" || t.Codec == r.Audio.Codec)
	})
	if i < 0 {
		i = slices.IndexFunc(tracks, func(t av.Track) bool { return t.Kind == av.Sound })
	}
	if i < 0 {
		return w, d, nil
	}
	w.Audio = tracks[i].Codec
	d.Audio = unfitAudio(tracks[i], r.Audio)
	return w, d, nil
}

func unfitAudio(t av.Track, r av.AudioRendition) string {
	switch {
	case r.Codec != "" && t.Codec != r.Codec:
		return fmt.Sprintf("the sound is %s and %s was asked", Called(t.Codec), Called(r.Codec))
	case t.Codec == av.Opus: // decodes at any rate and to any channels (RFC 7845 5.1)
		return ""
	case r.SampleRate != 0 && r.SampleRate != t.SampleRate:
		return fmt.Sprintf("the %s sound has %d Hz and %d were asked", Called(t.Codec), t.SampleRate, r.SampleRate)
	case r.Channels != 0 && r.Channels != t.Channels:
		return fmt.Sprintf("the %s sound has %d channels and %d were asked", Called(t.Codec), t.Channels, r.Channels)
	}
	return ""
}

// Called is what people call a codec.
func Called(c av.Codec) string {
	switch c {
	case av.H264:
		return "H.264"
	case av.H265:
		return "H.265"
	case av.Opus:
		return "Opus"
	}
	return strings.ToUpper(string(c))
}

// AwaitFit waits until it is known of what the stream consists and compares, as long as
// ctx lasts. The stream is wanted meanwhile, so that one that is pulled on demand begins.
func (s *Stream) AwaitFit(ctx context.Context, r av.Rendition) (Want, Difference, error) {
	if w, d, err := Compare(s.Tracks(), r); !errors.Is(err, ErrNoTracks) {
		return w, d, err
	}
	defer s.Ask("reader")()
	for {
		_, changed := s.State()
		w, d, err := Compare(s.Tracks(), r)
		if !errors.Is(err, ErrNoTracks) {
			return w, d, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Want{}, Difference{}, err
		}
	}
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
		return fmt.Sprintf("the picture is %s and %s was asked", Called(t.Codec), Called(r.Codec))
	case r.MaxWidth != 0 && t.Width > r.MaxWidth, r.MaxHeight != 0 && t.Height > r.MaxHeight:
		return fmt.Sprintf("the picture has %dx%d and %s was asked", t.Width, t.Height, bounds(r))
	// Half a frame is what rounding of the stream's own timing makes.
	case r.MaxFPS != 0 && t.FPS > r.MaxFPS+0.5:
		return fmt.Sprintf("the picture has %.3g frames a second and at most %.3g were asked", t.FPS, r.MaxFPS)
	case r.InOrder && t.Reordered:
		return "the picture has B-frames"
	case t.Codec != av.H264 || len(t.SPS) < 4:
		return ""
	}
	name, rank := profile(t.SPS[1])
	limit := map[string]int{"baseline": 1, "main": 2, "high": 3}[r.Profile]
	switch {
	case limit != 0 && rank > limit:
		return "the picture is of " + name + " profile and " + r.Profile + " was asked"
	case r.Level != 0 && levelOf(t) > r.Level:
		return fmt.Sprintf("the picture is of level %d.%d and %d.%d was asked", levelOf(t)/10, levelOf(t)%10, r.Level/10, r.Level%10)
	}
	return ""
}

// bounds of the size, of which one may be open.
func bounds(r av.VideoRendition) string {
	switch {
	case r.MaxHeight == 0:
		return fmt.Sprintf("a width of at most %d", r.MaxWidth)
	case r.MaxWidth == 0:
		return fmt.Sprintf("a height of at most %d", r.MaxHeight)
	}
	return fmt.Sprintf("at most %dx%d", r.MaxWidth, r.MaxHeight)
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
	for _, l := range levels() {
		if rate <= l.rate && size <= l.size {
			return l.level
		}
	}
	return 52
}

// LevelLimits are how many blocks of 16x16 pixels a picture of an H.264 level has at most,
// and how many a second. A level that is not known allows what the one below does.
func LevelLimits(level int) (size, rate int) {
	all := levels()
	size, rate = all[0].size, all[0].rate
	for _, l := range all {
		if l.level <= level {
			size, rate = l.size, l.rate
		}
	}
	return size, rate
}

type levelLimits struct{ level, rate, size int }

// levels of H.264 (table A-1), rising.
func levels() []levelLimits {
	return []levelLimits{
		{10, 1485, 99}, {11, 3000, 396}, {12, 6000, 396}, {13, 11880, 396}, {20, 11880, 396}, {21, 19800, 792}, {22, 20250, 1620},
		{30, 40500, 1620}, {31, 108000, 3600}, {32, 216000, 5120}, {40, 245760, 8192}, {42, 522240, 8704}, {50, 589824, 22080}, {51, 983040, 36864},
	}
}
