package frame

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	// Most is how much text one frame holds.
	Most = 1024
	// Around is what a frame adds to its text.
	Around = lengthSize + tagSize

	lengthSize = 2
	tagSize    = chacha20poly1305.Overhead
)

// ErrForged is a frame whose tag is not of its text, its counter and its key.
var ErrForged = errors.New("frame: open: does not authenticate")

// ErrTooLong is a frame that claims more text than the protocol has.
var ErrTooLong = errors.New("frame: open: longer than 1024 bytes")

// nonce counts the frames of one direction: four zero bytes, then the count, little endian.
type nonce struct {
	count uint64
	b     [chacha20poly1305.NonceSize]byte
}

func (n *nonce) next() []byte {
	binary.LittleEndian.PutUint64(n.b[4:], n.count)
	n.count++
	return n.b[:]
}

// Sealer makes frames of text. It is for one goroutine.
type Sealer struct {
	aead cipher.AEAD
	n    nonce
}

// NewSealer starts at counter 0 with the key of one direction.
func NewSealer(key [32]byte) (*Sealer, error) {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, fmt.Errorf("frame: key: %w", err)
	}
	return &Sealer{aead: aead}, nil
}

// Seal appends text to dst as frames.
func (s *Sealer) Seal(dst, text []byte) []byte {
	for len(text) > 0 {
		n := min(len(text), Most)
		var head [lengthSize]byte
		binary.LittleEndian.PutUint16(head[:], uint16(n))
		dst = append(dst, head[:]...)
		dst = s.aead.Seal(dst, s.n.next(), text[:n], head[:])
		text = text[n:]
	}
	return dst
}

// Reader reads the text of frames. It is for one goroutine.
type Reader struct {
	from io.Reader
	aead cipher.AEAD
	n    nonce
	buf  [Most + tagSize]byte
	text []byte // opened and not read yet; lies in buf
	err  error
}

// NewReader starts at counter 0 with the key of one direction. It asks from for no byte
// beyond the frame that it is in.
func NewReader(from io.Reader, key [32]byte) (*Reader, error) {
	aead, err := chacha20poly1305.New(key[:])
	if err != nil {
		return nil, fmt.Errorf("frame: key: %w", err)
	}
	return &Reader{from: from, aead: aead}, nil
}

// Read gives the text of at most one frame: what came is never held back for what may come.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(r.text) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.err = r.open(); r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.text)
	r.text = r.text[n:]
	return n, nil
}

func (r *Reader) open() error {
	var head [lengthSize]byte
	if _, err := io.ReadFull(r.from, head[:]); err != nil {
		return err // io.EOF between frames is an end
	}
	n := int(binary.LittleEndian.Uint16(head[:]))
	if n > Most {
		return ErrTooLong
	}
	sealed := r.buf[:n+tagSize]
	if _, err := io.ReadFull(r.from, sealed); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	text, err := r.aead.Open(sealed[:0], r.n.next(), sealed, head[:])
	if err != nil {
		return ErrForged
	}
	r.text = text
	return nil
}
