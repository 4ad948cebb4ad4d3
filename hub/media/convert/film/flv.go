package film

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// FLV (Adobe Flash Video File Format 10.1, annex E).
const (
	flvHeader  = 9
	tagHeader  = 11
	tagTrailer = 4
	tagVideo   = 9
	videoHead  = 5 // of a tag of H.264: kind, packet, time until it is shown
	codecAVC   = 7
)

var errFLV = errors.New("no FLV where some should be")

// tags reads what ffmpeg puts out.
type tags struct {
	r     *bufio.Reader
	begun bool
}

// tag is one picture, or new parameter sets.
type tag struct {
	sps, pps []byte
	data     []byte // NAL units behind their lengths
	key      bool
	ms       int64 // when it is shown
}

// next is the next one of video.
func (t *tags) next() (tag, error) {
	if !t.begun {
		h, err := t.r.Peek(flvHeader)
		if err != nil {
			return tag{}, err
		}
		if string(h[:3]) != "FLV" || binary.BigEndian.Uint32(h[5:]) != flvHeader {
			return tag{}, errFLV
		}
		if _, err := t.r.Discard(flvHeader + tagTrailer); err != nil {
			return tag{}, err
		}
		t.begun = true
	}
	for {
		h, err := t.r.Peek(tagHeader)
		if err != nil {
			return tag{}, err
		}
		kind, n := h[0]&0x1f, int(h[1])<<16|int(h[2])<<8|int(h[3])
		ms := int64(h[7])<<24 | int64(h[4])<<16 | int64(h[5])<<8 | int64(h[6])
		if n > av.MaxUnit {
			return tag{}, fmt.Errorf("a tag of %d bytes", n)
		}
		if _, err := t.r.Discard(tagHeader); err != nil {
			return tag{}, err
		}
		if kind != tagVideo || n < videoHead {
			if _, err := t.r.Discard(n + tagTrailer); err != nil {
				return tag{}, err
			}
			continue
		}
		body := make([]byte, n)
		if _, err := io.ReadFull(t.r, body); err != nil {
			return tag{}, err
		}
		if _, err := t.r.Discard(tagTrailer); err != nil {
			return tag{}, err
		}
		if g, ok, err := videoTag(body, ms); err != nil || ok {
			return g, err
		}
	}
}

// videoTag reads one tag; false: there is nothing in it for us.
func videoTag(b []byte, ms int64) (tag, bool, error) {
	if b[0]&0xf != codecAVC {
		return tag{}, false, fmt.Errorf("a picture of codec %d", b[0]&0xf)
	}
	later := int64(int32(b[2])<<24>>8 | int32(b[3])<<8 | int32(b[4]))
	body := b[videoHead:]
	switch b[1] {
	case 0:
		g, err := readRecord(body)
		return g, err == nil, err
	case 1:
		return tag{data: body, key: b[0]>>4 == 1, ms: ms + later}, len(body) > 0, nil
	}
	return tag{}, false, nil
}

// readRecord takes the first sets of an AVCDecoderConfigurationRecord (ISO 14496-15 5.3.3.1).
func readRecord(b []byte) (tag, error) {
	const fixed = 5 // up to the count of SPS
	if len(b) < fixed || b[0] != 1 || b[4]&3 != 3 {
		return tag{}, errFLV
	}
	b = b[fixed:]
	var g tag
	for _, set := range []*[]byte{&g.sps, &g.pps} {
		if len(b) < 3 || b[0]&0x1f != 1 {
			return tag{}, errFLV
		}
		n := int(binary.BigEndian.Uint16(b[1:]))
		if len(b) < 3+n || n == 0 {
			return tag{}, errFLV
		}
		*set, b = b[3:3+n:3+n], b[3+n:]
	}
	return g, nil
}
