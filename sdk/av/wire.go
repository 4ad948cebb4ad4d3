package av

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A frame on the media socket is a header of 40 bytes, little endian, and its payload:
//
//	offset  size  field
//	     0     4  length of the payload, at most 8 MiB
//	     4     1  version, 1
//	     5     1  track
//	     6     2  flags: 1 key, 2 config, 4 discontinuity, 8 end
//	     8     8  pts, signed ticks of the track's clock
//	    16     8  dts, signed ticks
//	    24     8  wall clock, ns since 1970
//	    32     4  generation
//	    36     4  reserved, written as 0, ignored when read
//
// The payload of a config frame is the Track as JSON; of an end frame, the reason as
// UTF-8 text; of any other, the unit's data.
//
// Against the stream of frames run credits, each a u32: so many bytes (headers
// included) have been taken. The value 0xffffffff says that the taker closes the
// connection, and is followed by a u16 length and the reason, UTF-8 of at most 1 KiB.
//
// So both ends can say why they end: the sender by its end frame, the taker by its
// closing. An end frame without a reason is the end as planned (io.EOF for a Reader);
// with one, or after a closing, the other end gets a ClosedByPeer.
//
// Talk is the same with the directions turned: who speaks publishes, the camera's
// plugin reads, and what is read ends when who speaks has ended. Its stream has the
// name "talk" and one track of sound.
const (
	FrameVersion = 1
	HeaderSize   = 40

	// Window is how many bytes may be on their way without credit.
	Window = 8 << 20
	// CreditStep: a taker returns its credit when it owes this much. A unit too big for
	// the rest of the window goes once less than this is outstanding, so nobody waits
	// for a credit that is not due yet.
	CreditStep = 256 << 10

	maxConfig = 64 << 10 // parameter sets are some hundred bytes
	maxReason = 1 << 10

	creditClosing = ^uint32(0)
)

// Flags of a frame.
type Flags uint16

// The flags; others are ignored.
const (
	FlagKey Flags = 1 << iota
	FlagConfig
	FlagDiscontinuity
	FlagEnd
)

// What may be wrong with a frame.
var (
	ErrTooBig   = errors.New("media frame: larger than allowed")
	ErrVersion  = errors.New("media frame: unknown version")
	ErrNoConfig = errors.New("media frame: unit of a track that was not described")
	ErrConfig   = errors.New("media frame: bad track description")
)

// Header of a frame.
type Header struct {
	Length     uint32
	Track      uint8
	Flags      Flags
	PTS, DTS   int64
	Wall       int64
	Generation uint32
}

// Append adds the 40 bytes of h to b.
func (h Header) Append(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, h.Length)
	b = append(b, FrameVersion, h.Track)
	b = binary.LittleEndian.AppendUint16(b, uint16(h.Flags))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.PTS))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.DTS))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.Wall))
	b = binary.LittleEndian.AppendUint32(b, h.Generation)
	return append(b, 0, 0, 0, 0)
}

// ParseHeader reads the first 40 bytes of b and checks version and length.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderSize {
		return Header{}, fmt.Errorf("media frame: header of %d bytes", len(b))
	}
	if b[4] != FrameVersion {
		return Header{}, fmt.Errorf("%w: %d", ErrVersion, b[4])
	}
	h := Header{
		Length:     binary.LittleEndian.Uint32(b),
		Track:      b[5],
		Flags:      Flags(binary.LittleEndian.Uint16(b[6:])),
		PTS:        int64(binary.LittleEndian.Uint64(b[8:])),
		DTS:        int64(binary.LittleEndian.Uint64(b[16:])),
		Wall:       int64(binary.LittleEndian.Uint64(b[24:])),
		Generation: binary.LittleEndian.Uint32(b[32:]),
	}
	limit := uint32(MaxUnit)
	switch {
	case h.Flags&FlagEnd != 0:
		limit = maxReason
	case h.Flags&FlagConfig != 0:
		limit = maxConfig
	}
	if h.Length > limit {
		return Header{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooBig, h.Length, limit)
	}
	return h, nil
}
