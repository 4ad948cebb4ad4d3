package av

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Frame is what came off the socket: exactly one of a unit, a track's description, or the end.
type Frame struct {
	Unit   *Unit
	Track  *Track
	End    bool
	Reason string // with End; empty: as planned
}

// FrameReader reads frames and checks them: sizes, and that a track was described
// before its first unit. It survives a read that was cut short by a deadline: the next
// call goes on where it stopped. It is for one goroutine.
type FrameReader struct {
	r      *bufio.Reader
	credit io.Writer // where credits go; nil: none are given
	owed   int

	tracks [256]bool
	head   [HeaderSize]byte
	headN  int
	h      Header
	body   []byte // nil until the header was read
	bodyN  int
}

// NewFrameReader reads from r and returns credits to credit, which may be nil.
func NewFrameReader(r io.Reader, credit io.Writer) *FrameReader {
	// Small: headers and sound come through the buffer, pictures go past it without a copy.
	f := &FrameReader{r: bufio.NewReaderSize(r, 4<<10), credit: credit}
	f.tracks[ImageTrack] = true // what travels there is JPEG by definition
	return f
}

// Next returns the next frame. After an error that is not a timeout the reader is of no more use.
func (f *FrameReader) Next() (Frame, error) {
	f.giveCredit()
	for f.headN < HeaderSize {
		n, err := f.r.Read(f.head[f.headN:])
		f.headN += n
		if err != nil {
			return Frame{}, f.cut(err, f.headN > 0)
		}
	}
	if f.body == nil {
		h, err := ParseHeader(f.head[:])
		if err != nil {
			return Frame{}, err
		}
		if h.Flags&(FlagConfig|FlagEnd) == 0 && !f.tracks[h.Track] {
			return Frame{}, fmt.Errorf("%w: track %d", ErrNoConfig, h.Track)
		}
		f.h, f.body, f.bodyN = h, make([]byte, h.Length), 0
	}
	for f.bodyN < len(f.body) {
		n, err := f.r.Read(f.body[f.bodyN:])
		f.bodyN += n
		if err != nil {
			return Frame{}, f.cut(err, true)
		}
	}
	h, body := f.h, f.body
	f.headN, f.body = 0, nil
	f.owed += HeaderSize + len(body)
	return f.frame(h, body)
}

func (f *FrameReader) frame(h Header, body []byte) (Frame, error) {
	switch {
	case h.Flags&FlagEnd != 0:
		return Frame{End: true, Reason: string(body)}, nil
	case h.Flags&FlagConfig != 0:
		var t Track
		if err := json.Unmarshal(body, &t); err != nil {
			return Frame{}, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		if t.ID != h.Track || t.ClockRate == 0 || t.Kind == "" || t.Codec == "" {
			return Frame{}, fmt.Errorf("%w: id, kind, codec and clock_rate are needed", ErrConfig)
		}
		t.Generation = h.Generation
		f.tracks[t.ID] = true
		return Frame{Track: &t}, nil
	}
	return Frame{Unit: &Unit{
		Track:         h.Track,
		Key:           h.Flags&FlagKey != 0,
		Discontinuity: h.Flags&FlagDiscontinuity != 0,
		PTS:           h.PTS,
		DTS:           h.DTS,
		Wall:          time.Unix(0, h.Wall),
		Generation:    h.Generation,
		Data:          body,
	}}, nil
}

// giveCredit tells the other end what was taken, in steps, so that small units do not
// cost a system call each. Where that fails the sender has gone, and what it left is
// still to be read.
func (f *FrameReader) giveCredit() {
	if f.owed < CreditStep || f.credit == nil {
		return
	}
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(f.owed))
	f.owed = 0
	if _, err := f.credit.Write(b[:]); err != nil {
		f.credit = nil
	}
}

// cut makes an end of the bytes inside a frame an unexpected one.
func (f *FrameReader) cut(err error, inside bool) error {
	if inside && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// SayClosing tells a sender why its connection is being closed. The caller closes it then.
func SayClosing(w io.Writer, reason string) error {
	reason = reason[:min(len(reason), maxReason)]
	b := binary.LittleEndian.AppendUint32(nil, creditClosing)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(reason)))
	_, err := w.Write(append(b, reason...))
	return err
}
