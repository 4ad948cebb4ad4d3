package mse

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/Eyevinn/mp4ff/avc"
	"github.com/Eyevinn/mp4ff/hevc"
	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h265"
	"github.com/bluenviron/mediacommon/v2/pkg/codecs/opus"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// videoEntry is the sample entry of a picture track and the picture's size. Parameter
// sets come from strangers: they are read by a parser that bounds its counts, and the
// boxes are filled in here, since the MP4 library's own reading of them allocates
// whatever a set asks for.
func videoEntry(t av.Track) (entry *mp4.VisualSampleEntryBox, width, height uint16, err error) {
	var w, h int
	var name string
	var config mp4.Box
	switch t.Codec {
	case av.H264:
		name = "avc1"
		config, w, h, err = avcConfig(t)
	case av.H265:
		name = "hvc1"
		config, w, h, err = hevcConfig(t)
	default:
		err = fmt.Errorf("%s has no place in it", t.Codec)
	}
	if err != nil {
		return nil, 0, 0, err
	}
	if w < 1 || h < 1 || w > largestSide || h > largestSide {
		return nil, 0, 0, fmt.Errorf("a picture of %dx%d", w, h)
	}
	width, height = uint16(w), uint16(h)
	return mp4.CreateVisualSampleEntryBox(name, width, height, config), width, height, nil
}

// avcConfig is an AVCDecoderConfigurationRecord (ISO 14496-15 5.3.3.1).
func avcConfig(t av.Track) (mp4.Box, int, int, error) {
	if len(t.SPS) < 4 || len(t.PPS) == 0 {
		return nil, 0, 0, errors.New("h264 without parameter sets")
	}
	var s h264.SPS
	if err := s.Unmarshal(t.SPS); err != nil {
		return nil, 0, 0, fmt.Errorf("h264 sps: %w", err)
	}
	return &mp4.AvcCBox{DecConfRec: avc.DecConfRec{
		AVCProfileIndication: t.SPS[1], ProfileCompatibility: t.SPS[2], AVCLevelIndication: t.SPS[3],
		SPSnalus: [][]byte{t.SPS}, PPSnalus: [][]byte{t.PPS}, ChromaFormat: 1,
	}}, s.Width(), s.Height(), nil
}

// hevcConfig is an HEVCDecoderConfigurationRecord (ISO 14496-15 8.3.3.1).
func hevcConfig(t av.Track) (mp4.Box, int, int, error) {
	if len(t.VPS) == 0 || len(t.SPS) == 0 || len(t.PPS) == 0 {
		return nil, 0, 0, errors.New("h265 without parameter sets")
	}
	var s h265.SPS
	if err := s.Unmarshal(t.SPS); err != nil {
		return nil, 0, 0, fmt.Errorf("h265 sps: %w", err)
	}
	// profile_tier_level stands behind the two bytes of NAL header and one of ids (H.265 7.3.2.2).
	raw := h264.EmulationPreventionRemove(t.SPS)
	if len(raw) < 3+12 {
		return nil, 0, 0, errors.New("h265 sps: too short")
	}
	ptl := raw[3:]
	constraints := uint64(binary.BigEndian.Uint32(ptl[5:]))<<16 | uint64(binary.BigEndian.Uint16(ptl[9:]))
	array := func(kind hevc.NaluType, nal []byte) hevc.NaluArray {
		return hevc.NewNaluArray(true, kind, [][]byte{nal})
	}
	return &mp4.HvcCBox{DecConfRec: hevc.DecConfRec{
		ConfigurationVersion: 1, GeneralProfileSpace: ptl[0] >> 6, GeneralTierFlag: ptl[0]>>5&1 == 1, GeneralProfileIDC: ptl[0] & 0x1f,
		GeneralProfileCompatibilityFlags: binary.BigEndian.Uint32(ptl[1:]), GeneralConstraintIndicatorFlags: constraints, GeneralLevelIDC: ptl[11],
		ChromaFormatIDC: byte(s.ChromaFormatIdc), BitDepthLumaMinus8: byte(s.BitDepthLumaMinus8), BitDepthChromaMinus8: byte(s.BitDepthChromaMinus8),
		LengthSizeMinusOne: 3,
		NaluArrays:         []hevc.NaluArray{array(hevc.NALU_VPS, t.VPS), array(hevc.NALU_SPS, t.SPS), array(hevc.NALU_PPS, t.PPS)},
	}}, s.Width(), s.Height(), nil
}

// soundEntry is the sample entry of AAC or Opus.
func soundEntry(t av.Track) mp4.Box {
	if t.Codec == av.AAC {
		return mp4.CreateAudioSampleEntryBox("mp4a", uint16(t.Channels), 16, uint16(t.SampleRate), mp4.CreateEsdsBox(t.AudioConfig))
	}
	// The MP4 library has no box for Opus: an AudioSampleEntry (ISO 14496-12 12.2.3) with
	// an OpusSpecificBox, which is the OpusHead in network byte order (Opus in ISOBMFF 4.3.2).
	skip, rate := uint16(0), uint32(opusClock)
	if h := t.AudioConfig; len(h) >= opusHead {
		skip, rate = binary.LittleEndian.Uint16(h[10:]), binary.LittleEndian.Uint32(h[12:])
	}
	be := binary.BigEndian
	b := be.AppendUint16(make([]byte, 6), 1) // data reference
	b = be.AppendUint16(append(b, make([]byte, 8)...), uint16(t.Channels))
	b = be.AppendUint16(b, 16)
	b = be.AppendUint32(append(b, make([]byte, 4)...), opusClock<<16)
	dops := append([]byte{0}, byte(t.Channels))
	dops = be.AppendUint32(be.AppendUint16(dops, skip), rate)
	dops = append(dops, 0, 0, 0) // no gain, and channels in their usual order
	b = be.AppendUint32(b, uint32(boxHeader+len(dops)))
	b = append(append(b, "dOps"...), dops...)
	return mp4.CreateUnknownBox("Opus", uint64(boxHeader+len(b)), b)
}

const (
	opusClock = 48000
	opusHead  = 19 // bytes of an OpusHead without a table of channels (RFC 7845 5.1)
	// opusPacket and longestPacket: 20 and 120 ms, what is usual and what there is (RFC 6716 2.1.4).
	opusPacket    = 960
	longestPacket = 5760
)

// carries reports whether t has a place in the MP4.
func carries(t av.Track) bool {
	switch t.Codec {
	case av.AAC:
		return len(t.AudioConfig) > 0
	case av.Opus:
		return t.ClockRate == opusClock && (t.Channels == 1 || t.Channels == 2)
	}
	return false
}

// lasts is how long a packet of sound lasts, in its track's ticks.
func lasts(t *av.Track, u *av.Unit) int64 {
	if t.Codec == av.AAC {
		return av.AACFrame
	}
	if d := opus.PacketDuration2(u.Data); d > 0 && d <= longestPacket {
		return d
	}
	return opusPacket
}
