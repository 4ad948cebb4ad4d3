package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// TestVector is RFC 8439, section 2.8.2.
func TestVector(t *testing.T) {
	var key [32]byte
	for i := range key {
		key[i] = byte(0x80 + i)
	}
	nonce := [12]byte{7, 0, 0, 0, 0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47}
	extra, _ := hex.DecodeString("50515253c0c1c2c3c4c5c6c7")
	plain := []byte("Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.")
	got := Seal(key, nonce, plain, extra)
	if tag := hex.EncodeToString(got[len(plain):]); tag != "1ae10b594f09e26a7e902ecbd0600691" {
		t.Errorf("tag %s", tag)
	}
	if back, err := Open(key, nonce, got, extra); err != nil || !bytes.Equal(back, plain) {
		t.Errorf("%q %v", back, err)
	}
	for i := range got {
		got[i] ^= 1
		if _, err := Open(key, nonce, got, extra); !errors.Is(err, ErrForged) {
			t.Fatalf("a flipped bit in byte %d is taken", i)
		}
		got[i] ^= 1
	}
}

// TestAgainstAnother holds lengths around each block's end against another's cipher.
func TestAgainstAnother(t *testing.T) {
	for n := range 300 {
		var key [32]byte
		var nonce [12]byte
		plain, extra := make([]byte, n), make([]byte, n%20)
		for _, b := range [][]byte{key[:], nonce[:], plain, extra} {
			_, _ = rand.Read(b) // it cannot fail
		}
		if n%7 == 0 { // numbers near the modulus
			for i := range plain {
				plain[i] = 0xff
			}
		}
		other, err := chacha20poly1305.New(key[:])
		if err != nil {
			t.Fatal(err)
		}
		if got, want := Seal(key, nonce, plain, extra), other.Seal(nil, nonce[:], plain, extra); !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
}

// TestEdges are vectors 7 to 9 of RFC 8439, A.3: sums that random texts do not meet.
func TestEdges(t *testing.T) {
	ff := bytes.Repeat([]byte{0xff}, 16)
	for _, c := range []struct {
		r      byte
		s      []byte
		text   []byte
		expect byte
	}{
		{2, make([]byte, 16), ff, 3},
		{2, ff, append([]byte{2}, make([]byte, 15)...), 3},
		{1, make([]byte, 16), slices.Concat(ff, []byte{0xf0}, ff[:15], []byte{0x11}, make([]byte, 15)), 5},
	} {
		key := [32]byte{c.r}
		copy(key[16:], c.s)
		if got := poly1305(key, c.text); got != [16]byte{c.expect} {
			t.Errorf("%x, want %02x", got, c.expect)
		}
	}
}
