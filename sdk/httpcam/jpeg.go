package httpcam

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"slices"
)

// Markers of a JPEG (ITU-T T.81, table B.1).
const (
	markSOI = 0xD8
	markEOI = 0xD9
	markSOS = 0xDA
	markDHT = 0xC4
	markTEM = 0x01
)

var errNotJPEG = errors.New("not a JPEG")

// scan walks through a JPEG that grows, from segment to segment, so that its end is
// known by itself: neither lengths nor boundaries of the stream around it are needed,
// and a thumbnail inside a segment ends nothing.
type scan struct {
	at            int
	coded         bool // inside entropy-coded data
	width, height int
	tables        bool // it brings Huffman tables
	first         int  // where the first SOS stands
}

// walk goes on in b, which begins as it did before and may be longer now. It returns
// the length of the picture, or 0 while its end has not come.
func (s *scan) walk(b []byte) (int, error) {
	if s.at == 0 {
		if len(b) < 2 {
			return 0, nil
		}
		if b[0] != 0xFF || b[1] != markSOI {
			return 0, errNotJPEG
		}
		s.at = 2
	}
	for s.at+1 < len(b) {
		if s.coded {
			i := bytes.IndexByte(b[s.at:], 0xFF)
			if i < 0 {
				s.at = len(b)
				return 0, nil
			}
			if s.at += i; s.at+1 >= len(b) {
				return 0, nil
			}
			if m := b[s.at+1]; m == 0 || m >= 0xD0 && m <= 0xD7 { // a stuffed byte, or a restart
				s.at += 2
				continue
			}
			s.coded = b[s.at+1] == 0xFF // fill bytes go on
			if s.coded {
				s.at++
			}
			continue
		}
		n, done, err := s.segment(b)
		if err != nil || n == 0 {
			return 0, err
		}
		s.at += n
		if done {
			return s.at, nil
		}
	}
	return 0, nil
}

// segment looks at the marker at s.at; n 0: more is needed.
func (s *scan) segment(b []byte) (n int, end bool, err error) {
	rest := b[s.at:]
	if rest[0] != 0xFF {
		return 0, false, errNotJPEG
	}
	m := rest[1]
	switch {
	case m == 0xFF:
		return 1, false, nil
	case m == markEOI:
		return 2, s.width > 0, s.must(s.width > 0)
	case m == markSOI, m == 0:
		return 0, false, errNotJPEG // a picture that was cut off, with the next behind it
	case m == markTEM, m >= 0xD0 && m <= 0xD7:
		return 2, false, nil
	}
	if len(rest) < 4 {
		return 0, false, nil
	}
	size := int(binary.BigEndian.Uint16(rest[2:]))
	if size < 2 {
		return 0, false, errNotJPEG
	}
	if len(rest) < 2+size {
		return 0, false, nil
	}
	switch {
	case m == markDHT:
		s.tables = true
	case m >= 0xC0 && m <= 0xCF && m != 0xC8 && m != 0xCC: // SOF
		if size < 7 {
			return 0, false, errNotJPEG
		}
		s.height, s.width = int(binary.BigEndian.Uint16(rest[5:])), int(binary.BigEndian.Uint16(rest[7:]))
	case m == markSOS:
		if s.width == 0 || s.height == 0 {
			return 0, false, errNotJPEG
		}
		if s.coded = true; s.first == 0 {
			s.first = s.at
		}
	}
	return 2 + size, false, nil
}

func (s *scan) must(ok bool) error {
	if !ok {
		return errNotJPEG
	}
	return nil
}

// picture looks at one whole JPEG. Where it lacks Huffman tables, as MJPEG may (the
// tables of T.81 K.3 are then meant), it gets them, for browsers want them.
func picture(b []byte) (whole []byte, width, height int, err error) {
	var s scan
	n, err := s.walk(b)
	if err != nil || n == 0 {
		return nil, 0, 0, errNotJPEG
	}
	b = b[:n]
	if !s.tables {
		b = slices.Insert(slices.Clone(b), s.first, usualTables()...)
	}
	return b, s.width, s.height, nil
}

// usualTables are the tables of T.81 K.3 as one DHT segment: those with which Go's
// encoder writes every coloured picture.
func usualTables() []byte {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, image.NewRGBA(image.Rect(0, 0, 8, 8)), nil); err != nil {
		return nil // into memory it does not fail
	}
	b := out.Bytes()
	for at := 2; at+4 <= len(b) && b[at+1] != markSOS; at += 2 + int(binary.BigEndian.Uint16(b[at+2:])) {
		if b[at+1] == markDHT {
			return b[at : at+2+int(binary.BigEndian.Uint16(b[at+2:]))]
		}
	}
	return nil
}
