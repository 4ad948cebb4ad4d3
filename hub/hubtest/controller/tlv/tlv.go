package tlv

import (
	"encoding/binary"
	"errors"
	"math"
)

// Item is one value and its type.
type Item struct {
	Type  byte
	Value []byte
}

// Items are a whole TLV8, in order. An item of type 0 and no bytes parts repeated ones.
type Items []Item

// ErrShort says that an item is longer than the bytes there are.
var ErrShort = errors.New("tlv: an item is cut off")

// Bytes are the items on the wire.
func (t Items) Bytes() []byte {
	var b []byte
	for _, item := range t {
		v := item.Value
		for len(v) > 255 {
			b = append(append(b, item.Type, 255), v[:255]...)
			v = v[255:]
		}
		b = append(append(b, item.Type, byte(len(v))), v...)
	}
	return b
}

// Parse reads items. An item that follows a full one of its type continues it.
func Parse(b []byte) (Items, error) {
	var t Items
	full := false // the last part had 255 bytes
	for len(b) > 0 {
		if len(b) < 2 || len(b) < 2+int(b[1]) {
			return nil, ErrShort
		}
		kind, value := b[0], b[2:2+int(b[1])]
		b = b[2+len(value):]
		if last := len(t) - 1; full && t[last].Type == kind {
			t[last].Value = append(t[last].Value, value...)
		} else {
			t = append(t, Item{kind, append([]byte{}, value...)})
		}
		full = len(value) == 255
	}
	return t, nil
}

// Has is whether there is an item of that type.
func (t Items) Has(kind byte) bool {
	for _, item := range t {
		if item.Type == kind {
			return true
		}
	}
	return false
}

// Get is the first value of that type; nil: there is none.
func (t Items) Get(kind byte) []byte {
	for _, item := range t {
		if item.Type == kind {
			return item.Value
		}
	}
	return nil
}

// All are the values of that type.
func (t Items) All(kind byte) (all [][]byte) {
	for _, item := range t {
		if item.Type == kind {
			all = append(all, item.Value)
		}
	}
	return all
}

// Uint is the first value of that type as a number, little endian in up to 8 bytes.
func (t Items) Uint(kind byte) uint64 {
	var b [8]byte
	copy(b[:], t.Get(kind))
	return binary.LittleEndian.Uint64(b[:])
}

// In are the items inside the first value of that type; nil when there is none or it
// does not parse.
func (t Items) In(kind byte) Items {
	in, err := Parse(t.Get(kind))
	if err != nil {
		return nil
	}
	return in
}

// Raw makes an item of bytes.
func Raw(kind byte, b []byte) Item { return Item{kind, b} }

// Text makes an item of a text.
func Text(kind byte, s string) Item { return Item{kind, []byte(s)} }

// U8 makes an item of one byte.
func U8(kind, n byte) Item { return Item{kind, []byte{n}} }

// U16 makes an item of two bytes.
func U16(kind byte, n uint16) Item { return Item{kind, binary.LittleEndian.AppendUint16(nil, n)} }

// U32 makes an item of four bytes.
func U32(kind byte, n uint32) Item { return Item{kind, binary.LittleEndian.AppendUint32(nil, n)} }

// F32 makes an item of a float.
func F32(kind byte, f float32) Item { return U32(kind, math.Float32bits(f)) }

// Of makes an item of items.
func Of(kind byte, items ...Item) Item { return Item{kind, Items(items).Bytes()} }
