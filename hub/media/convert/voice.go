package convert

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/convert/aac"
	"github.com/porchlight-hub/porchlight/hub/media/convert/fault"
	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// voice converts one track of sound: in Go, or where AAC is one side of it by ffmpeg with
// Go before or behind.
type voice struct {
	from, track av.Track
	first, last *sound.Transcoder // nil: AAC is there
	line        *line             // nil: all in Go
	emit        func(u *av.Unit, recv time.Time)
	log         *slog.Logger
}

// voiceOptions of a voice.
type voiceOptions struct {
	from av.Track
	to   av.AudioRendition
	path func() (string, error) // of ffmpeg
	emit func(u *av.Unit, recv time.Time)
	now  func() time.Time
	log  *slog.Logger
}

// newVoice starts nothing before the first unit.
func newVoice(o voiceOptions) (*voice, error) {
	v := &voice{from: o.from, emit: o.emit, log: o.log}
	if o.to.Codec == "" {
		o.to.Codec = o.from.Codec
	}
	var err error
	switch {
	case o.from.Codec != av.AAC && o.to.Codec != av.AAC:
		if v.first, err = sound.New(o.from, o.to); err != nil {
			return nil, fault.NoCodec(err)
		}
		v.track = v.first.Track()
		return v, nil
	case o.from.Codec != av.AAC:
		rate := aac.Rate(cmp.Or(o.to.SampleRate, o.from.SampleRate))
		if v.first, err = sound.New(o.from, av.AudioRendition{Codec: av.L16, SampleRate: rate}); err != nil {
			return nil, fault.NoCodec(err)
		}
		o.from = v.first.Track()
	case o.to.Codec != av.AAC:
		plain, err := aac.Made(o.from, av.AudioRendition{Codec: av.L16})
		if err != nil {
			return nil, fault.NoCodec(err)
		}
		if v.last, err = sound.New(plain, o.to); err != nil {
			return nil, fault.NoCodec(err)
		}
	}
	if v.track, err = aac.Made(o.from, o.to); err != nil {
		v.end()
		return nil, fault.NoCodec(err)
	}
	if v.last != nil {
		v.track = v.last.Track()
	}
	v.line = newLine(func(string) (machine, error) {
		path, err := o.path()
		if err != nil {
			return nil, err
		}
		return aac.Open(path, o.from, o.to)
	}, v.made, o.now, o.log)
	return v, nil
}

// put takes the next unit; what is made of it is emitted, at once or a little later.
func (v *voice) put(u *av.Unit, recv time.Time) {
	units := []*av.Unit{u}
	if v.first != nil {
		var err error
		if units, err = v.first.Convert(u); err != nil {
			v.log.Debug("sound", "err", err) // costs this unit alone
		}
	}
	for _, u := range units {
		if v.line != nil {
			v.line.put(u, recv)
		} else {
			v.emit(u, recv)
		}
	}
}

// made takes what ffmpeg has made.
func (v *voice) made(_ machine, u *av.Unit, recv time.Time) {
	if v.last == nil {
		v.emit(u, recv)
		return
	}
	units, err := v.last.Convert(u)
	if err != nil {
		v.log.Debug("sound", "err", err)
	}
	for _, u := range units {
		v.emit(u, recv)
	}
}

func (v *voice) settle(done <-chan struct{}) {
	if v.line != nil {
		v.line.settle(done)
	}
}

func (v *voice) end() {
	if v.line != nil {
		v.line.end()
	}
}

// explain makes a fault of how ffmpeg ended.
func explain(err error, said string) error {
	var f *fault.Fault
	if errors.As(err, &f) {
		return f
	}
	if fault.Missing(said) {
		return fault.NoEncoder(errors.New(said))
	}
	if said != "" {
		err = fmt.Errorf("%w; it said: %s", err, said)
	}
	return fault.BadFFmpeg(err)
}
