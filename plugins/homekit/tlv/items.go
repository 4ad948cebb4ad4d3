package tlv

import (
	"encoding/binary"
	"fmt"
)

// Limits of what is read: a request's body is at most 64 KiB, and no message of the
// protocol comes near 4096 items.
const (
	MaxBytes = 64 << 10
	MaxItems = 4096
)

// fragment is the longest value of one item; a longer one goes on in the next item of
// the same tag (HAP 14.1.1).
const fragment = 255

// Malformed says that bytes are no TLV8, or lack what the message must have.
type Malformed struct {
	Tag byte   // the item it is about, if it is about one
	Why string // in small letters, without bytes of the message
}

func (m *Malformed) Error() string { return fmt.Sprintf("tlv8: item %d: %s", m.Tag, m.Why) }

// Item is one tag with its whole value, its fragments joined.
type Item struct {
	Tag   byte
	Value []byte
}

// separates: an empty item 0 parts repeated items in a camera's settings, an empty item
// 255 parts the pairings of a list (HAP 5.12).
func (i Item) separates() bool { return len(i.Value) == 0 && (i.Tag == 0 || i.Tag == 255) }

// Items is a message in the order of its items, separators included.
type Items []Item

// Parse cuts b into items. Values may share b's memory.
func Parse(b []byte) (Items, error) {
	if len(b) > MaxBytes {
		return nil, &Malformed{Why: fmt.Sprintf("%d bytes are more than %d", len(b), MaxBytes)}
	}
	var out Items
	goesOn := false // the last item was full, the same tag goes on with it
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, &Malformed{Tag: b[0], Why: "the length is missing"}
		}
		tag, n := b[0], int(b[1])
		if len(b) < 2+n {
			return nil, &Malformed{Tag: tag, Why: fmt.Sprintf("%d bytes are announced, %d are there", n, len(b)-2)}
		}
		value := b[2 : 2+n : 2+n]
		b = b[2+n:]
		if last := len(out) - 1; goesOn && out[last].Tag == tag {
			out[last].Value = append(out[last].Value, value...)
		} else if len(out) == MaxItems {
			return nil, &Malformed{Tag: tag, Why: fmt.Sprintf("more than %d items", MaxItems)}
		} else {
			out = append(out, Item{tag, value})
		}
		goesOn = n == fragment
	}
	return out, nil
}

// Bytes is the value of the first item with the tag.
func (s Items) Bytes(tag byte) ([]byte, bool) {
	for _, i := range s {
		if i.Tag == tag && !i.separates() {
			return i.Value, true
		}
	}
	return nil, false
}

// Byte is the number of the first item with the tag, which must be of one byte.
func (s Items) Byte(tag byte) (byte, bool) {
	v, ok := s.Bytes(tag)
	if !ok || len(v) != 1 {
		return 0, false
	}
	return v[0], true
}

// Split parts the items at their separators; empty parts are left out.
func (s Items) Split() []Items {
	var out []Items
	from := 0
	for i := range s {
		if s[i].separates() {
			if i > from {
				out = append(out, s[from:i])
			}
			from = i + 1
		}
	}
	if from < len(s) {
		out = append(out, s[from:])
	}
	return out
}

// Writer puts items one behind the other, in the order they are given. The zero value
// is ready.
type Writer struct{ b []byte }

// Out is what was written.
func (w *Writer) Out() []byte { return w.b }

// Bytes writes a value, in fragments if it is long; an empty one is an empty item.
func (w *Writer) Bytes(tag byte, v []byte) *Writer {
	for {
		n := min(len(v), fragment)
		w.b = append(w.b, tag, byte(n))
		w.b = append(w.b, v[:n]...)
		v = v[n:]
		if len(v) == 0 {
			return w
		}
	}
}

// String writes text.
func (w *Writer) String(tag byte, v string) *Writer { return w.Bytes(tag, []byte(v)) }

// Byte writes a number of one byte.
func (w *Writer) Byte(tag, v byte) *Writer { return w.Bytes(tag, []byte{v}) }

// Uint writes a number of size bytes (1, 2, 4 or 8), the least first.
func (w *Writer) Uint(tag byte, v uint64, size int) *Writer {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return w.Bytes(tag, b[:min(max(size, 1), 8)])
}

// Separate parts repeated items of a camera's settings: 00 00.
func (w *Writer) Separate() *Writer { return w.Bytes(0, nil) }

// SeparatePairings parts the pairings of a list: FF 00.
func (w *Writer) SeparatePairings() *Writer { return w.Bytes(255, nil) }

// Raw puts items that are written already.
func (w *Writer) Raw(b []byte) *Writer {
	w.b = append(w.b, b...)
	return w
}
