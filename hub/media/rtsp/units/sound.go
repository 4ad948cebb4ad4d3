package units

import (
	"errors"

	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpfragmented"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtpmpeg4audio"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// maxSound is the most bytes that a unit of sound may have.
const maxSound = 1 << 20

// sound is what readers of sound have in common.
type sound struct {
	track av.Track
	known bool
	seq   sequence
	time  unwrap
	lost  bool
	notes Notes
}

func newSound(t av.Track, o Options) sound {
	return sound{track: t, known: t.ClockRate > 0, time: unwrap{from: o.Clock, to: t.ClockRate}}
}

func (s *sound) Track() (av.Track, bool) { return s.track, s.known }
func (s *sound) Notes() Notes            { return s.notes }

func (s *sound) arrived(p *Packet) (pts int64) {
	if n, gap := s.seq.gap(p); gap {
		s.notes.Lost += n
		s.lost = true
	}
	return s.time.ticks(p.Time)
}

func (s *sound) give(pts int64, data []byte, emit func(Unit)) {
	if len(data) == 0 || len(data) > maxSound {
		return
	}
	emit(Unit{PTS: pts, DTS: pts, Data: data, Lost: s.lost})
	s.lost = false
}

func (s *sound) damaged() {
	s.notes.Damaged++
	s.lost = true
}

// plain is sound whose packets are units: Opus (RFC 7587), G.711 and L16 (RFC 3551 4.5).
type plain struct {
	sound
	align int // bytes of one sample of all channels
}

func newPlain(t av.Track, o Options) *plain {
	align := 1
	switch t.Codec {
	case av.PCMA, av.PCMU:
		align = max(1, t.Channels)
	case av.L16:
		align = 2 * max(1, t.Channels)
	}
	return &plain{sound: newSound(t, o), align: align}
}

func (r *plain) Read(p *Packet, emit func(Unit)) {
	pts := r.arrived(p)
	n := len(p.Payload) / r.align * r.align
	r.give(pts, append([]byte(nil), p.Payload[:n]...), emit)
}

// aac reads mpeg4-generic (RFC 3640), of which a packet may hold several units.
type aac struct {
	sound
	dec *rtpmpeg4audio.Decoder
}

func newAAC(f *format.MPEG4Audio, o Options) (Reader, error) {
	config, err := f.Config.Marshal()
	if err != nil {
		return nil, err
	}
	t, err := av.AACTrack(o.ID, config)
	if err != nil {
		return nil, err
	}
	dec, err := f.CreateDecoder()
	if err != nil {
		return nil, err
	}
	return &aac{sound: newSound(t, o), dec: dec}, nil
}

func (r *aac) Read(p *Packet, emit func(Unit)) {
	pts := r.arrived(p)
	units, err := r.dec.Decode(p.pion())
	if errors.Is(err, rtpmpeg4audio.ErrMorePacketsNeeded) {
		return
	}
	if err != nil {
		r.damaged()
		return
	}
	for i, u := range units {
		r.give(pts+int64(i)*av.AACFrame, u, emit)
	}
}

// latm reads MP4A-LATM (RFC 6416 7.3), whose configuration may come with the sound.
type latm struct {
	sound
	id       uint8
	clock    int
	dec      *rtpfragmented.Decoder
	config   *mpeg4audio.StreamMuxConfig
	cpresent bool
}

func newLATM(f *format.MPEG4AudioLATM, o Options) (Reader, error) {
	dec, err := f.CreateDecoder()
	if err != nil {
		return nil, err
	}
	r := &latm{id: o.ID, clock: o.Clock, dec: dec, config: f.StreamMuxConfig, cpresent: f.CPresent}
	r.describe()
	return r, nil
}

// describe makes the track of the newest configuration.
func (r *latm) describe() {
	if r.config == nil || len(r.config.Programs) != 1 || len(r.config.Programs[0].Layers) != 1 {
		return
	}
	c := r.config.Programs[0].Layers[0].AudioSpecificConfig
	if c == nil {
		return
	}
	b, err := c.Marshal()
	if err != nil {
		return
	}
	t, err := av.AACTrack(r.id, b)
	if err != nil || t.ClockRate == 0 {
		return
	}
	r.track, r.known = t, true
	r.time.from, r.time.to = r.clock, t.ClockRate
}

func (r *latm) Read(p *Packet, emit func(Unit)) {
	pts := r.arrived(p)
	b, err := r.dec.Decode(p.pion())
	if errors.Is(err, rtpfragmented.ErrMorePacketsNeeded) {
		return
	}
	e := mpeg4audio.AudioMuxElement{MuxConfigPresent: r.cpresent, StreamMuxConfig: r.config}
	if err != nil || len(b) == 0 || e.Unmarshal(b) != nil {
		r.damaged()
		return
	}
	var anew *av.Track
	if r.cpresent && !e.UseSameStreamMux {
		before, had := r.track, r.known
		r.config = e.StreamMuxConfig
		if r.describe(); !r.known {
			return
		}
		if !had || string(before.AudioConfig) != string(r.track.AudioConfig) {
			t := r.track
			anew, pts = &t, r.time.scaled(r.time.total)
		}
	}
	if !r.known {
		return
	}
	for i, sub := range e.Payloads {
		if len(sub) != 1 || len(sub[0]) != 1 {
			continue
		}
		at := pts + int64(i)*av.AACFrame
		r.give(at, sub[0][0], func(u Unit) {
			u.Track, anew = anew, nil
			emit(u)
		})
	}
}

// pion is p for the decoders of gortsplib, which keep the payload: it is copied.
func (p *Packet) pion() *rtp.Packet {
	return &rtp.Packet{
		Header:  rtp.Header{Version: 2, Marker: p.Marker, PayloadType: p.Type, SequenceNumber: p.Seq, Timestamp: p.Time, SSRC: p.SSRC},
		Payload: append([]byte(nil), p.Payload...),
	}
}
