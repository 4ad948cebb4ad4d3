package convert

import (
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// parts are the tracks of one generation of a source and what is done to them. They do
// not change.
type parts struct {
	tracks   []av.Track // that come out
	hasVideo bool
	hasSound bool
	video    uint8 // ids in the source
	sound    uint8
	voice    *voice // nil: sound is copied
	film     *line  // nil: the picture is copied
}

// maker is with what parts are made.
type maker struct {
	path   func() (string, error) // of ffmpeg
	emit   func(*av.Unit, time.Time)
	now    func() time.Time
	log    *slog.Logger
	before *parts // whose voice goes on, if it is of the same sound
}

// partsOf picks of a source's tracks what makes want, of which they differ by d.
func partsOf(tracks []av.Track, want av.Rendition, d media.Difference, m maker) (parts, error) {
	var p parts
	if d.Video != "" {
		return p, noCodec(errors.New(d.Video))
	}
	for _, t := range tracks {
		switch {
		case t.Kind == av.Video && !p.hasVideo && !want.Video.None:
			p.hasVideo, p.video = true, t.ID
			p.tracks = append(p.tracks, t)
		case t.Kind == av.Sound && !p.hasSound && !want.Audio.None && chosen(t, tracks, want.Audio.Codec):
			p.hasSound, p.sound = true, t.ID
			if d.Audio != "" {
				v, err := m.voice(t, want.Audio)
				if err != nil {
					p.end()
					return parts{}, err
				}
				p.voice, t = v, v.track
			}
			p.tracks = append(p.tracks, t)
		}
	}
	return p, nil
}

// chosen reports whether t is the sound to take: the first of the codec that is asked, or
// else any.
func chosen(t av.Track, all []av.Track, c av.Codec) bool {
	i := slices.IndexFunc(all, func(o av.Track) bool { return o.Kind == av.Sound && o.Codec == c })
	return i < 0 || all[i].ID == t.ID
}

// voice goes on with the one that there is, if it is of the same sound.
func (m maker) voice(t av.Track, to av.AudioRendition) (*voice, error) {
	if m.before != nil && m.before.voice != nil && sameSound(m.before.voice.from, t) {
		return m.before.voice, nil
	}
	return newVoice(voiceOptions{from: t, to: to, path: m.path, emit: m.emit, now: m.now, log: m.log})
}

func sameSound(a, b av.Track) bool {
	return a.ID == b.ID && a.Codec == b.Codec && a.ClockRate == b.ClockRate && a.SampleRate == b.SampleRate &&
		a.Channels == b.Channels && slices.Equal(a.AudioConfig, b.AudioConfig)
}

// lines of them that run ffmpegs.
func (p parts) lines() []*line {
	var out []*line
	if p.voice != nil && p.voice.line != nil {
		out = append(out, p.voice.line)
	}
	if p.film != nil {
		out = append(out, p.film)
	}
	return out
}

// end ends what runs.
func (p parts) end() { p.endBut(parts{}) }

// endBut ends what does not run on in next.
func (p parts) endBut(next parts) {
	if p.voice != nil && p.voice != next.voice {
		p.voice.end()
	}
	if p.film != nil && p.film != next.film {
		p.film.end()
	}
}
