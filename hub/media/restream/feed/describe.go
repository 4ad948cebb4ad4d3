package feed

import (
	"strconv"

	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"

	"github.com/porchlight-hub/porchlight/hub/media/restream/wire"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Control is how the tracks are named, before their number: some readers know no other form.
const Control = "trackID="

// Describe is the SDP of the feed; with speech, of a section that takes it in these
// formats too.
func (f *Feed) Describe(speech []format.Format) ([]byte, error) {
	packers := f.Packers()
	d := description.Session{Title: f.Camera + " " + f.Stream}
	for i, p := range packers {
		m := &description.Media{Type: description.MediaTypeAudio, Control: Control + strconv.Itoa(i)}
		if p.Track().Kind == av.Video {
			m.Type = description.MediaTypeVideo
		}
		m.Formats = []format.Format{formatOf(p)}
		d.Medias = append(d.Medias, m)
	}
	if speech != nil {
		d.Medias = append(d.Medias, &description.Media{
			Type: description.MediaTypeAudio, IsBackChannel: true, Control: Control + strconv.Itoa(len(packers)), Formats: speech,
		})
	}
	return d.Marshal()
}

// formatOf is a track in the words of SDP.
func formatOf(p *wire.Packer) format.Format {
	t := p.Track()
	switch t.Codec {
	case av.H264:
		return &format.H264{PayloadTyp: p.PayloadType(), SPS: t.SPS, PPS: t.PPS, PacketizationMode: 1}
	case av.H265:
		return &format.H265{PayloadTyp: p.PayloadType(), VPS: t.VPS, SPS: t.SPS, PPS: t.PPS}
	case av.MJPEG:
		return &format.MJPEG{}
	case av.Opus:
		return &format.Opus{PayloadTyp: p.PayloadType(), ChannelCount: min(2, max(1, t.Channels))}
	case av.PCMU, av.PCMA:
		return &format.G711{PayloadTyp: p.PayloadType(), MULaw: t.Codec == av.PCMU, SampleRate: t.SampleRate, ChannelCount: max(1, t.Channels)}
	case av.L16:
		return &format.LPCM{PayloadTyp: p.PayloadType(), BitDepth: 16, SampleRate: t.SampleRate, ChannelCount: max(1, t.Channels)}
	}
	c := &mpeg4audio.AudioSpecificConfig{}
	if c.Unmarshal(t.AudioConfig) != nil {
		c = &mpeg4audio.AudioSpecificConfig{Type: mpeg4audio.ObjectTypeAACLC, SampleRate: t.SampleRate, ChannelCount: max(1, t.Channels)}
	}
	return &format.MPEG4Audio{PayloadTyp: p.PayloadType(), ProfileLevelID: 1, Config: c, SizeLength: 13, IndexLength: 3, IndexDeltaLength: 3}
}
