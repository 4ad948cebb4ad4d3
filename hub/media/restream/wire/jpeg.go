package wire

import "encoding/binary"

// jpeg is what RFC 2435 sends of a picture, beside its data.
type jpeg struct {
	kind          byte // 0: 4:2:2, 1: 4:2:0 (4.1)
	width, height int
	restart       uint16 // interval; 0: none
	tables        []byte // of luminance and chrominance, 64 bytes each
	data          []byte
}

// Markers of JPEG (ITU-T T.81 table B.1).
const (
	markerSOF0 = 0xc0
	markerSOI  = 0xd8
	markerSOS  = 0xda
	markerDQT  = 0xdb
	markerDRI  = 0xdd
)

// readJPEG takes a picture apart; false: it is broken, or RFC 2435 cannot describe it.
func readJPEG(b []byte) (j jpeg, ok bool) {
	if len(b) < 2 || b[0] != 0xff || b[1] != markerSOI {
		return j, false
	}
	var tables [4][]byte
	var of [2]byte // which table a component has
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker, n := b[1], 2+int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return j, false
		}
		part := b[4:n]
		b = b[n:]
		switch marker {
		case markerDQT:
			for ; len(part) >= 65 && part[0] < 4; part = part[65:] { // 8 bits each
				tables[part[0]] = part[1:65]
			}
		case markerDRI:
			if len(part) >= 2 {
				j.restart = binary.BigEndian.Uint16(part)
			}
		case markerSOF0:
			if !j.frame(part, &of) {
				return j, false
			}
		case markerSOS:
			j.tables = append(append(j.tables, tables[of[0]&3]...), tables[of[1]&3]...)
			j.data = b
			return j, j.width > 0 && len(b) > 0 && len(j.tables) == 128
		}
	}
	return j, false
}

// frame reads the header of a baseline picture with three components (T.81 B.2.2).
func (j *jpeg) frame(b []byte, of *[2]byte) bool {
	if len(b) < 15 || b[5] != 3 {
		return false
	}
	j.height, j.width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	*of = [2]byte{b[8], b[11]}
	switch b[7] {
	case 0x21:
		j.kind = 0
	case 0x22:
		j.kind = 1
	default:
		return false
	}
	const most = 255 * 8 // the header counts blocks in one byte
	return j.width > 0 && j.height > 0 && j.width <= most && j.height <= most && b[10] == 0x11 && b[13] == 0x11
}

// mjpeg leaves a picture that RFC 2435 cannot describe out.
func (s *sheet) mjpeg(b []byte) {
	j, ok := readJPEG(b)
	if !ok {
		return
	}
	for at := 0; at < len(j.data); {
		head := []byte{0, byte(at >> 16), byte(at >> 8), byte(at), j.kind, 255, byte((j.width + 7) / 8), byte((j.height + 7) / 8)}
		if j.restart > 0 {
			head[4] += 64
			head = append(head, byte(j.restart>>8), byte(j.restart), 0xff, 0xff)
		}
		if at == 0 {
			head = append(append(head, 0, 0, 0, byte(len(j.tables))), j.tables...)
		}
		n := min(len(j.data)-at, maxPayload-len(head))
		s.packet(at+n == len(j.data), head, j.data[at:at+n])
		at += n
	}
}
