package seal

import (
	"encoding/binary"
	"errors"
	"math/bits"
)

// Overhead is the length of the tag behind each ciphertext.
const Overhead = 16

// ErrForged is the answer to a text whose tag is not right.
var ErrForged = errors.New("seal: the tag does not fit")

// Counter is the nonce of HAP's frames: four zeros and the number, little endian.
func Counter(n uint64) (nonce [12]byte) {
	binary.LittleEndian.PutUint64(nonce[4:], n)
	return nonce
}

// Word is the nonce of HAP's pairing messages: four zeros and eight letters.
func Word(s string) (nonce [12]byte) {
	copy(nonce[4:], s)
	return nonce
}

// Seal gives the ciphertext with its tag.
func Seal(key [32]byte, nonce [12]byte, plain, extra []byte) []byte {
	out := make([]byte, len(plain), len(plain)+Overhead)
	stream(key, nonce, 1, out, plain)
	tag := authenticate(key, nonce, out, extra)
	return append(out, tag[:]...)
}

// Open checks the tag and gives the plain text.
func Open(key [32]byte, nonce [12]byte, sealed, extra []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrForged
	}
	text, tag := sealed[:len(sealed)-Overhead], sealed[len(sealed)-Overhead:]
	if want := authenticate(key, nonce, text, extra); string(want[:]) != string(tag) {
		return nil, ErrForged
	}
	out := make([]byte, len(text))
	stream(key, nonce, 1, out, text)
	return out, nil
}

// authenticate is section 2.8: the key of one message is the first block, the tag
// covers both texts, filled up to 16 bytes, and their lengths.
func authenticate(key [32]byte, nonce [12]byte, text, extra []byte) [16]byte {
	var once [64]byte
	stream(key, nonce, 0, once[:], once[:])
	b := make([]byte, 0, len(extra)+len(text)+48)
	for _, part := range [][]byte{extra, text} {
		b = append(b, part...)
		b = append(b, make([]byte, (16-len(part)%16)%16)...)
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(len(extra)))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(text)))
	return poly1305([32]byte(once[:32]), b)
}

// stream is ChaCha20 from a block on (section 2.4).
func stream(key [32]byte, nonce [12]byte, block uint32, out, in []byte) {
	s := [16]uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
	for i := range 8 {
		s[4+i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	s[12] = block
	for i := range 3 {
		s[13+i] = binary.LittleEndian.Uint32(nonce[4*i:])
	}
	var pad [64]byte
	for len(in) > 0 {
		w := s
		for range 10 {
			for i := range 4 {
				quarter(&w, i, 4+i, 8+i, 12+i)
			}
			for i := range 4 {
				quarter(&w, i, 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4)
			}
		}
		for i := range w {
			binary.LittleEndian.PutUint32(pad[4*i:], w[i]+s[i])
		}
		n := min(len(in), len(pad))
		for i := range n {
			out[i] = in[i] ^ pad[i]
		}
		in, out = in[n:], out[n:]
		s[12]++
	}
}

func quarter(w *[16]uint32, a, b, c, d int) {
	w[a] += w[b]
	w[d] = bits.RotateLeft32(w[d]^w[a], 16)
	w[c] += w[d]
	w[b] = bits.RotateLeft32(w[b]^w[c], 12)
	w[a] += w[b]
	w[d] = bits.RotateLeft32(w[d]^w[a], 8)
	w[c] += w[d]
	w[b] = bits.RotateLeft32(w[b]^w[c], 7)
}

// limb is 26 bits of a number modulo 2^130-5.
const limb = 1<<26 - 1

// poly1305 is section 2.5, in five limbs of 26 bits.
func poly1305(key [32]byte, b []byte) (tag [16]byte) {
	low, high := binary.LittleEndian.Uint64(key[:]), binary.LittleEndian.Uint64(key[8:])
	low &= 0x0ffffffc0fffffff
	high &= 0x0ffffffc0ffffffc
	r := split(low, high, 0)
	var h [5]uint64
	for len(b) > 0 {
		var block [17]byte
		n := copy(block[:16], b)
		block[n] = 1
		b = b[n:]
		m := split(binary.LittleEndian.Uint64(block[:]), binary.LittleEndian.Uint64(block[8:]), uint64(block[16]))
		for i := range h {
			h[i] += m[i]
		}
		h = multiply(h, r)
	}
	low, high = canonical(h)
	low, carry := bits.Add64(low, binary.LittleEndian.Uint64(key[16:]), 0)
	high, _ = bits.Add64(high, binary.LittleEndian.Uint64(key[24:]), carry)
	binary.LittleEndian.PutUint64(tag[:], low)
	binary.LittleEndian.PutUint64(tag[8:], high)
	return tag
}

// split parts low + high·2^64 + top·2^128.
func split(low, high, top uint64) [5]uint64 {
	return [5]uint64{low & limb, low >> 26 & limb, (low>>52 | high<<12) & limb, high >> 14 & limb, high>>40 | top<<24}
}

// multiply is h·r modulo 2^130-5: what leaves the top comes back times five.
func multiply(h, r [5]uint64) (p [5]uint64) {
	for i := range h {
		for j := range r {
			if k := i + j; k < 5 {
				p[k] += h[i] * r[j]
			} else {
				p[k-5] += 5 * h[i] * r[j]
			}
		}
	}
	return carried(carried(p))
}

func carried(p [5]uint64) [5]uint64 {
	for i := range 4 {
		p[i+1] += p[i] >> 26
		p[i] &= limb
	}
	p[0] += 5 * (p[4] >> 26)
	p[4] &= limb
	return p
}

// canonical is h modulo 2^130-5, its low 128 bits.
func canonical(h [5]uint64) (low, high uint64) {
	h = carried(carried(h))
	g := h
	g[0] += 5
	for i := range 4 {
		g[i+1] += g[i] >> 26
		g[i] &= limb
	}
	if g[4]>>26 != 0 { // h was 2^130-5 or more
		g[4] &= limb
		h = g
	}
	return h[0] | h[1]<<26 | h[2]<<52, h[2]>>12 | h[3]<<14 | h[4]<<40
}
