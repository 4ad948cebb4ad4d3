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
