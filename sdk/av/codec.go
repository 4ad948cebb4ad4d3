package av

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/mpeg4audio"
)

// CodecString is the name by which browsers and MP4 know the codec (RFC 6381, and for
// H.265 ISO 14496-15 annex E); empty where there is none.
func (t Track) CodecString() string {
	switch t.Codec {
	case H264:
		if len(t.SPS) < 4 {
			return ""
		}
		return fmt.Sprintf("avc1.%02x%02x%02x", t.SPS[1], t.SPS[2], t.SPS[3])
	case H265:
		return t.hevcString()
	case AAC:
		if len(t.AudioConfig) == 0 {
			return ""
		}
		return fmt.Sprintf("mp4a.40.%d", t.AudioConfig[0]>>3)
	case Opus:
		return "opus"
	}
	return ""
}

func (t Track) hevcString() string {
	// profile_tier_level stands behind the two bytes of NAL header and one of ids (H.265 7.3.2.2).
	const at = 3
	raw := h264.EmulationPreventionRemove(t.SPS) // its zeros nearly always have some
	if len(raw) < at+12 {
		return ""
	}
	ptl := raw[at:]
	tier := "L"
	if ptl[0]>>5&1 == 1 {
		tier = "H"
	}
	s := fmt.Sprintf("hvc1.%d.%X.%s%d", ptl[0]&0x1f, bits.Reverse32(binary.BigEndian.Uint32(ptl[1:])), tier, ptl[11])
	constraints := ptl[5:11]
	last := len(constraints)
	for last > 0 && constraints[last-1] == 0 {
		last--
	}
	for _, c := range constraints[:last] {
		s += fmt.Sprintf(".%X", c)
	}
	return s
}

// H265Track describes H.265 by its parameter sets, without start codes.
func H265Track(id uint8, vps, sps, pps []byte) (Track, error) {
	var s h265.SPS
	if err := s.Unmarshal(sps); err != nil {
		return Track{}, fmt.Errorf("h265 sps: %w", err)
	}
	var reordered bool
	for _, n := range s.MaxNumReorderPics {
		reordered = reordered || n > 0
	}
	return Track{
		ID: id, Kind: Video, Codec: H265, ClockRate: ClockVideo,
		Width: s.Width(), Height: s.Height(), FPS: s.FPS(), Reordered: reordered,
		VPS: vps, SPS: sps, PPS: pps,
	}, nil
}

// AACTrack describes AAC by its AudioSpecificConfig. The clock is the sample rate.
func AACTrack(id uint8, config []byte) (Track, error) {
	var c mpeg4audio.AudioSpecificConfig
	if err := c.Unmarshal(config); err != nil {
		return Track{}, fmt.Errorf("aac config: %w", err)
	}
	return Track{
		ID: id, Kind: Sound, Codec: AAC, ClockRate: uint32(c.SampleRate),
		SampleRate: c.SampleRate, Channels: c.ChannelCount, AudioConfig: config,
	}, nil
}

// AACFrame is how many samples one unit of AAC-LC holds.
const AACFrame = 1024

// OpusTrack describes Opus, whose clock is 48 kHz whatever the sound (RFC 7587 4.1).
func OpusTrack(id uint8, channels int) Track {
	head := append([]byte("OpusHead"), 1, byte(channels), 0, 0)
	head = binary.LittleEndian.AppendUint32(head, 48000)
	return Track{
		ID: id, Kind: Sound, Codec: Opus, ClockRate: 48000,
		SampleRate: 48000, Channels: channels, AudioConfig: append(head, 0, 0, 0),
	}
}

// PCMTrack describes L16 or G.711, whose clock is its sample rate.
func PCMTrack(id uint8, c Codec, rate, channels int) Track {
	return Track{ID: id, Kind: Sound, Codec: c, ClockRate: uint32(rate), SampleRate: rate, Channels: channels}
}

// MJPEGTrack describes pictures that are a JPEG each.
func MJPEGTrack(id uint8, width, height int, fps float64) Track {
	return Track{ID: id, Kind: Video, Codec: MJPEG, ClockRate: ClockVideo, Width: width, Height: height, FPS: fps}
}

// ImageTrackOf describes the track of single JPEGs.
func ImageTrackOf(width, height int) Track {
	return Track{ID: ImageTrack, Kind: Image, Codec: JPEG, ClockRate: ClockVideo, Width: width, Height: height}
}

// Ticks is d on the track's clock.
func (t Track) Ticks(d time.Duration) int64 { return Ticks(d, t.ClockRate) }

// Duration is how long ticks of the track's clock take.
func (t Track) Duration(ticks int64) time.Duration { return Duration(ticks, t.ClockRate) }

// Ticks is d on a clock of rate ticks a second, without overflow for any d.
func Ticks(d time.Duration, rate uint32) int64 {
	s, ns := int64(d/time.Second), int64(d%time.Second)
	return s*int64(rate) + ns*int64(rate)/int64(time.Second)
}

// Duration of ticks on a clock of rate ticks a second. It wraps where time.Duration does.
func Duration(ticks int64, rate uint32) time.Duration {
	if rate == 0 {
		return 0
	}
	s, rest := ticks/int64(rate), ticks%int64(rate)
	return time.Duration(s)*time.Second + time.Duration(rest)*time.Second/time.Duration(rate)
}
