package message

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// maxText is the longest base64 text taken. What homes send has some 300 bytes.
const maxText = 8 << 10

// ErrMalformed is in the chain of every error of this package.
var ErrMalformed = errors.New("malformed")

// malformed says what of a message does not hold.
func malformed(format string, a ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, a...))
}

// items are one TLV; a tag that comes twice counts once, as the first.
type items struct{ tlv.Items }

// decodeText is the TLV in a characteristic's base64.
func decodeText(text string) (items, error) {
	if len(text) > maxText {
		return items{}, malformed("%d characters, at most %d", len(text), maxText)
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return items{}, malformed("not base64")
	}
	return decode(b)
}

func decode(b []byte) (items, error) {
	in, err := tlv.Parse(b)
	if err != nil {
		return items{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return items{in}, nil
}

// inner is the TLV that stands in a value; ok is false where there is no such item.
func (m items) inner(tag byte) (in items, ok bool, err error) {
	b, ok := m.Bytes(tag)
	if !ok {
		return items{}, false, nil
	}
	in, err = decode(b)
	return in, true, err
}

// need is inner of an item without which the message means nothing.
func (m items) need(tag byte, what string) (items, error) {
	in, ok, err := m.inner(tag)
	if err == nil && !ok {
		err = malformed("without %s", what)
	}
	return in, err
}

// number is an unsigned value of 1, 2, 4 or 8 bytes, little endian; otherwise where it is absent.
func (m items) number(tag byte, otherwise uint64) (uint64, error) {
	b, ok := m.Bytes(tag)
	if !ok {
		return otherwise, nil
	}
	switch len(b) {
	case 1:
		return uint64(b[0]), nil
	case 2:
		return uint64(binary.LittleEndian.Uint16(b)), nil
	case 4:
		return uint64(binary.LittleEndian.Uint32(b)), nil
	case 8:
		return binary.LittleEndian.Uint64(b), nil
	}
	return 0, malformed("item %d: a number of %d bytes", tag, len(b))
}

// within is number, refused outside of lo to hi.
func (m items) within(tag byte, what string, lo, hi uint64) (int, error) {
	if _, ok := m.Bytes(tag); !ok {
		return 0, malformed("without %s", what)
	}
	n, err := m.number(tag, 0)
	if err == nil && (n < lo || n > hi) {
		err = malformed("%s %d, want %d to %d", what, n, lo, hi)
	}
	return int(n), err
}

func text(w *tlv.Writer) string { return base64.StdEncoding.EncodeToString(w.Out()) }
