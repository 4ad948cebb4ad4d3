package convert

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/hub/media/convert/film"
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
	voice    *voice   // nil: sound is copied
	film     *line    // nil: the picture is copied
	filmed   av.Track // what it is made of
}

// maker is with what parts are made.
type maker struct {
	path    func() (string, error)             // of ffmpeg
	emit    func(*av.Unit, time.Time)          // sound that was made
	show    func(machine, *av.Unit, time.Time) // pictures that were made
	now     func() time.Time
	log     *slog.Logger
	threads int    // of an encoder of pictures
	before  *parts // what of it goes on, if it is of the same
}

// partsOf picks of a source's tracks what makes want, of which they differ by d.
func partsOf(tracks []av.Track, want av.Rendition, d media.Difference, m maker) (parts, error) {
	var p parts
	for _, t := range tracks {
		switch {
		case t.Kind == av.Video && !p.hasVideo && !want.Video.None:
			p.hasVideo, p.video = true, t.ID
			if d.Video != "" {
				var err error
				if t, err = m.film(&p, t, want.Video); err != nil {
					p.end()
					return parts{}, err
				}
			}
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

// film makes the line of a picture, or goes on with the one that there is, and the track
// that comes out.
func (m maker) film(p *parts, t av.Track, want av.VideoRendition) (av.Track, error) {
	made, err := film.Made(t, want)
	if err != nil {
		return t, fault.NoCodec(err)
	}
	p.filmed = t
	if m.before != nil && m.before.film != nil && samePicture(m.before.filmed, t) {
		p.film = m.before.film
		return made, nil
	}
	old := false // this ffmpeg is one from before 5.1
	p.film = newLine(func(said string) (machine, error) {
		path, err := m.path()
		if err != nil {
			return nil, err
		}
		old = old || strings.Contains(said, "fps_mode")
		return film.Open(film.Options{Path: path, From: t, Want: want, Threads: m.threads, Old: old})
	}, m.show, m.now, m.log)
	return made, nil
}

func samePicture(a, b av.Track) bool {
	return a.ID == b.ID && a.Codec == b.Codec && a.ClockRate == b.ClockRate && a.Width == b.Width && a.Height == b.Height && a.Reordered == b.Reordered &&
		slices.Equal(a.VPS, b.VPS) && slices.Equal(a.SPS, b.SPS) && slices.Equal(a.PPS, b.PPS)
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
