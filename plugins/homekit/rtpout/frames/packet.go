package frames

import (
	"errors"
	"time"
)

const (
	// mostFrames and mostTime are what one packet may hold, mostBytes what one frame may
	// (RFC 6716 3.4, R5 and R2).
	mostFrames = 48
	mostTime   = 120 * time.Millisecond
	mostBytes  = 1275

	// codeMask picks the count of frames out of the first byte, stereoBit the channels.
	codeMask  = 0x03
	stereoBit = 0x04
)

// ErrMalformed is what is no packet of Opus.
var ErrMalformed = errors.New("opus packet: malformed")

// Packet is a packet taken apart.
type Packet struct {
	// Config is the first byte without the count of frames: how they were made, how long
	// they are, and how many channels they have. Only frames of one Config go together.
	Config byte
	// Frame is how long each of them sounds.
	Frame  time.Duration
	Frames [][]byte // slices of the packet; an empty one was not sent (DTX)
}

// Duration of all of it.
func (p Packet) Duration() time.Duration { return p.Frame * time.Duration(len(p.Frames)) }

// Split takes b apart, and puts the frames behind room[:0].
func Split(b []byte, room [][]byte) (Packet, error) {
	if len(b) == 0 {
		return Packet{}, ErrMalformed
	}
	p := Packet{Config: b[0] &^ codeMask, Frame: length(b[0]), Frames: room[:0]}
	rest := b[1:]
	var err error
	switch b[0] & codeMask {
	case 0:
		p.Frames = append(p.Frames, rest)
	case 1:
		if len(rest)%2 != 0 {
			return Packet{}, ErrMalformed
		}
		p.Frames = append(p.Frames, rest[:len(rest)/2], rest[len(rest)/2:])
	case 2:
		n, after, ok := size(rest)
		if !ok || n > len(after) {
			return Packet{}, ErrMalformed
		}
		p.Frames = append(p.Frames, after[:n], after[n:])
	default:
		p.Frames, err = many(rest, p.Frames, p.Frame)
	}
	if err != nil {
		return Packet{}, err
	}
	for _, f := range p.Frames {
		if len(f) > mostBytes {
			return Packet{}, ErrMalformed
		}
	}
	return p, nil
}

// many takes the frames of a packet of code 3 (RFC 6716 3.2.5).
func many(b []byte, frames [][]byte, frame time.Duration) ([][]byte, error) {
	if len(b) == 0 {
		return nil, ErrMalformed
	}
	head, rest := b[0], b[1:]
	n := int(head & 0x3f)
	if n == 0 || n > mostFrames || frame*time.Duration(n) > mostTime {
		return nil, ErrMalformed
	}
	if head&0x40 != 0 { // padding: its length in bytes, of which 255 stand for 254 and more
		pad := 0
		for {
			if len(rest) == 0 {
				return nil, ErrMalformed
			}
			v := int(rest[0])
			rest = rest[1:]
			if v != 255 {
				pad += v
				break
			}
			pad += 254
		}
		if pad > len(rest) {
			return nil, ErrMalformed
		}
		rest = rest[:len(rest)-pad]
	}
	if head&0x80 == 0 { // all of one size
		if len(rest)%n != 0 {
			return nil, ErrMalformed
		}
		for size := len(rest) / n; n > 0; n-- {
			frames = append(frames, rest[:size])
			rest = rest[size:]
		}
		return frames, nil
	}
	var sizes [mostFrames]int
	for i := range n - 1 {
		v, after, ok := size(rest)
		if !ok {
			return nil, ErrMalformed
		}
		sizes[i], rest = v, after
	}
	for i := range n - 1 {
		if sizes[i] > len(rest) {
			return nil, ErrMalformed
		}
		frames = append(frames, rest[:sizes[i]])
		rest = rest[sizes[i]:]
	}
	return append(frames, rest), nil
}

// size reads the length of a frame (RFC 6716 3.2.1).
func size(b []byte) (n int, rest []byte, ok bool) {
	switch {
	case len(b) == 0:
		return 0, nil, false
	case b[0] < 252:
		return int(b[0]), b[1:], true
	case len(b) == 1:
		return 0, nil, false
	}
	return int(b[1])*4 + int(b[0]), b[2:], true
}

func appendSize(b []byte, n int) []byte {
	if n < 252 {
		return append(b, byte(n))
	}
	first := 252 + n&3
	return append(b, byte(first), byte((n-first)/4))
}

// length of a frame by the first byte (RFC 6716 table 2).
func length(toc byte) time.Duration {
	switch c := toc >> 3; {
	case c < 12: // SILK
		return [4]time.Duration{10, 20, 40, 60}[c&3] * time.Millisecond
	case c < 16: // hybrid
		return [2]time.Duration{10, 20}[c&1] * time.Millisecond
	default: // CELT
		return [4]time.Duration{2500, 5000, 10000, 20000}[c&3] * time.Microsecond
	}
}

// Join appends to dst one packet of frames of one config, at most as many as fit 120 ms. One
// frame is a packet of code 0, more are one of code 3.
func Join(dst []byte, config byte, frames [][]byte) []byte {
	if len(frames) == 1 {
		return append(append(dst, config), frames[0]...)
	}
	even := true
	for _, f := range frames[1:] {
		even = even && len(f) == len(frames[0])
	}
	head := byte(len(frames))
	if !even {
		head |= 0x80
	}
	dst = append(dst, config|3, head)
	if !even {
		for _, f := range frames[:len(frames)-1] {
			dst = appendSize(dst, len(f))
		}
	}
	for _, f := range frames {
		dst = append(dst, f...)
	}
	return dst
}

// Silent reports whether the packet certainly holds nothing to be heard: frames that were
// not sent, or that say themselves that they are silence.
func (p Packet) Silent() bool {
	for _, f := range p.Frames {
		if len(f) > 2 && (p.silk() || !celtSilence(f)) {
			return false
		}
	}
	return true
}

// Voice reports whether somebody speaks, as far as the packet tells: SILK marks each frame
// (RFC 6716 4.2.3), CELT marks only silence (4.3), so that all else of it counts.
func (p Packet) Voice() bool {
	if p.Silent() {
		return false
	}
	if !p.silk() {
		return true
	}
	// One flag for each 20 ms, first bits of the frame since they are equally likely.
	flags := byte(0x80)
	switch p.Frame {
	case 40 * time.Millisecond:
		flags = 0xc0
	case 60 * time.Millisecond:
		flags = 0xe0
	}
	for _, f := range p.Frames {
		if len(f) > 2 && f[0]&flags != 0 {
			return true
		}
	}
	return false
}

// silk reports whether SILK made a part of it.
func (p Packet) silk() bool { return p.Config>>3 < 16 }

// celtSilence is the first symbol of a CELT frame: set once in 32768, so that 15 ones begin
// what the range decoder reads (RFC 6716 4.3, table 56).
func celtSilence(f []byte) bool { return f[0] == 0xff && f[1]&0xfe == 0xfe }

// Mostly is how many frames of that length fit into want, at least one.
func Mostly(frame, want time.Duration) int {
	return max(1, min(mostFrames, int(min(want, mostTime)/frame)))
}
