package part

import (
	"bytes"
	"encoding/hex"
)

// Stamp is what a camera of the bench writes into each picture: when it was sent, and
// its number. It travels behind the last bits of the slice, since who passes pictures on
// may leave user data out and never looks there; nobody decodes them. It is in hex, so
// that it holds no start code.
type Stamp struct {
	At    int64 // of Now
	Count uint32
}

const (
	stampID    = "porchlight-bench"
	stampBytes = 2 * (8 + 4)
)

// Append puts the stamp behind b.
func (s Stamp) Append(b []byte) []byte {
	b = append(b, stampID...)
	var raw [12]byte
	for i := range 8 {
		raw[i] = byte(s.At >> (56 - 8*i))
	}
	for i := range 4 {
		raw[8+i] = byte(s.Count >> (24 - 8*i))
	}
	return hex.AppendEncode(b, raw[:])
}

// StampLen is the length of a stamp.
const StampLen = len(stampID) + stampBytes

// Stamps calls f with each stamp in b, in order, and gives where the last one ends.
func Stamps(b []byte, f func(Stamp)) (end int) {
	whole := len(b)
	for {
		i := bytes.Index(b, []byte(stampID))
		if i < 0 {
			return end
		}
		b = b[i+len(stampID):]
		var raw [12]byte
		if len(b) < stampBytes {
			return end
		}
		if _, err := hex.Decode(raw[:], b[:stampBytes]); err != nil {
			continue
		}
		var s Stamp
		for _, c := range raw[:8] {
			s.At = s.At<<8 | int64(c)
		}
		for _, c := range raw[8:] {
			s.Count = s.Count<<8 | uint32(c)
		}
		b = b[stampBytes:]
		end = whole - len(b)
		f(s)
	}
}
