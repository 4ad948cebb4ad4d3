package film

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Elements of Matroska that are written (RFC 9559 5.1), and of EBML (RFC 8794 11.2).
const (
	idHeader         = 0x1a45dfa3
	idDocType        = 0x4282
	idDocVersion     = 0x4287
	idDocReadVersion = 0x4285
	idSegment        = 0x18538067
	idInfo           = 0x1549a966
	idTimestampScale = 0x2ad7b1
	idTracks         = 0x1654ae6b
	idTrackEntry     = 0xae
	idTrackNumber    = 0xd7
	idTrackUID       = 0x73c5
	idTrackType      = 0x83
	idCodecID        = 0x86
	idCodecPrivate   = 0x63a2
	idVideo          = 0xe0
	idPixelWidth     = 0xb0
	idPixelHeight    = 0xba
	idCluster        = 0x1f43b675
	idTimestamp      = 0xe7
	idSimpleBlock    = 0xa3
)

// element adds an element of bytes; its size takes eight bytes always.
func element(b []byte, id uint32, body ...[]byte) []byte {
	n := 0
	for _, p := range body {
		n += len(p)
	}
	b = size(name(b, id), uint64(n))
	for _, p := range body {
		b = append(b, p...)
	}
	return b
}

func name(b []byte, id uint32) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if id>>shift != 0 {
			b = append(b, byte(id>>shift))
		}
	}
	return b
}

// unknown size: the element goes on until the end.
const unknown = 1<<56 - 1

func size(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, 1<<56|n) }

func number(id uint32, n uint64) []byte {
	return element(nil, id, binary.BigEndian.AppendUint64(nil, n))
}

// opening is what stands in front of the first picture.
func opening(t av.Track) ([]byte, error) {
	codec, private, err := codecOf(t)
	if err != nil {
		return nil, err
	}
	entry := [][]byte{number(idTrackNumber, 1), number(idTrackUID, 1), number(idTrackType, 1), element(nil, idCodecID, []byte(codec))}
	if len(private) > 0 {
		entry = append(entry, element(nil, idCodecPrivate, private))
	}
	if t.Width > 0 && t.Height > 0 {
		entry = append(entry, element(nil, idVideo, number(idPixelWidth, uint64(t.Width)), number(idPixelHeight, uint64(t.Height))))
	}
	b := element(nil, idHeader, element(nil, idDocType, []byte("matroska")), number(idDocVersion, 4), number(idDocReadVersion, 2))
	b = size(name(b, idSegment), unknown)
	b = element(b, idInfo, number(idTimestampScale, 1000)) // microseconds
	return element(b, idTracks, element(nil, idTrackEntry, entry...)), nil
}

// block adds what stands in front of a picture of n bytes, which is shown at us.
func block(b []byte, us uint64, key bool, n int) []byte {
	const track, keyframe = 0x81, 0x80
	stamp := number(idTimestamp, us)
	head := []byte{track, 0, 0, 0}
	if key {
		head[3] = keyframe
	}
	inner := size(name(nil, idSimpleBlock), uint64(len(head)+n))
	b = size(name(b, idCluster), uint64(len(stamp)+len(inner)+len(head)+n))
	return append(append(append(b, stamp...), inner...), head...)
}

// codecOf is a track's name in Matroska and its private data (RFC 9559 5.1.4.1.21, and
// the codec mappings).
func codecOf(t av.Track) (id string, private []byte, err error) {
	switch t.Codec {
	case av.H264:
		private, err = avcRecord(t)
		return "V_MPEG4/ISO/AVC", private, err
	case av.H265:
		private, err = hevcRecord(t)
		return "V_MPEGH/ISO/HEVC", private, err
	case av.MJPEG:
		return "V_MJPEG", nil, nil
	}
	return "", nil, fmt.Errorf("%w: %s", ErrUnsupported, t.Codec)
}

var errSets = errors.New("its parameter sets are missing")

// avcRecord is an AVCDecoderConfigurationRecord (ISO 14496-15 5.3.3.1).
func avcRecord(t av.Track) ([]byte, error) {
	if len(t.SPS) < 4 || len(t.PPS) == 0 || len(t.SPS) > 1<<16-1 || len(t.PPS) > 1<<16-1 {
		return nil, errSets
	}
	b := []byte{1, t.SPS[1], t.SPS[2], t.SPS[3], 0xff, 0xe1}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(t.SPS))), t.SPS...)
	return append(binary.BigEndian.AppendUint16(append(b, 1), uint16(len(t.PPS))), t.PPS...), nil
}

// hevcRecord is an HEVCDecoderConfigurationRecord (ISO 14496-15 8.3.3.1) whose general part
// says nothing: a decoder reads the sets.
func hevcRecord(t av.Track) ([]byte, error) {
	b := make([]byte, 22)
	b[0], b[21] = 1, 3 // version, and lengths of four bytes
	b = append(b, 3)
	for i, set := range [][]byte{t.VPS, t.SPS, t.PPS} {
		const vps = 32
		if len(set) == 0 || len(set) > 1<<16-1 {
			return nil, errSets
		}
		b = append(b, byte(vps+i), 0, 1)
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(set))), set...)
	}
	return b, nil
}
