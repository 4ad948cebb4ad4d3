package talk

import (
	"errors"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// way is how what is said becomes what the door takes.
type way struct {
	track av.Track
	tr    *sound.Transcoder // nil: as it is
}

// choose takes the first of tracks that can be made of from.
func choose(camera string, from av.Track, tracks []av.Track) (*way, error) {
	var why error
	for _, t := range tracks {
		if t.ID == 0 {
			t.ID = 1
		}
		// Of Opus any receiver takes any form (RFC 7587 7).
		if t.Codec == av.Opus && from.Codec == av.Opus && from.Channels <= 2 {
			from.ID, from.Kind, from.Generation = t.ID, av.Sound, 0
			return &way{track: from}, nil
		}
		from := from
		from.ID = t.ID
		to := av.AudioRendition{Codec: t.Codec, SampleRate: t.SampleRate}
		if t.Codec == av.Opus {
			to.SampleRate = 0
		}
		tr, err := sound.New(from, to)
		if err == nil {
			return &way{track: tr.Track(), tr: tr}, nil
		}
		why = errors.Join(why, err)
	}
	return nil, unmade(camera, from, tracks, why)
}

// convert makes what the door takes of u, which is not changed.
func (w *way) convert(u *av.Unit) ([]*av.Unit, error) {
	if w.tr != nil {
		return w.tr.Convert(u)
	}
	if d := sound.OpusLength(u.Data); d == 0 {
		return nil, errors.New("not a packet of opus")
	}
	out := *u
	out.Track, out.Key, out.Data = w.track.ID, true, slices.Clone(u.Data)
	return []*av.Unit{&out}, nil
}

// length of a unit that convert made.
func (w *way) length(u *av.Unit) time.Duration {
	switch w.track.Codec {
	case av.Opus:
		return sound.OpusLength(u.Data)
	case av.L16:
		return av.Duration(int64(len(u.Data)/2), w.track.ClockRate)
	}
	return av.Duration(int64(len(u.Data)), w.track.ClockRate)
}
