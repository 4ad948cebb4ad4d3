package srtp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"errors"
)

const (
	tagLength = 10
	// KeyLength and SaltLength of a master key.
	KeyLength, SaltLength = 16, 14
)

// Errors of what comes in.
var (
	ErrForged = errors.New("srtp: the tag does not fit")
	ErrShort  = errors.New("srtp: too short for a packet")
)

// Key is a master key with its salt.
type Key struct {
	Key  [KeyLength]byte
	Salt [SaltLength]byte
}

// half is what seals RTP, or RTCP.
type half struct {
	block cipher.Block
	salt  [SaltLength]byte
	auth  [20]byte
}

// derive makes session keys (RFC 3711 4.3, with a key derivation rate of 0).
func (k Key) derive(label byte) half {
	block, err := aes.NewCipher(k.Key[:])
	if err != nil {
		panic("srtp: " + err.Error()) // 16 bytes are a key
	}
	fill := func(label byte, out []byte) {
		var iv [16]byte
		copy(iv[:], k.Salt[:])
		iv[7] ^= label // 48 bits of index stand behind it
		cipher.NewCTR(block, iv[:]).XORKeyStream(out, out)
	}
	var h half
	var key [KeyLength]byte
	fill(label, key[:])
	fill(label+1, h.auth[:])
	fill(label+2, h.salt[:])
	if h.block, err = aes.NewCipher(key[:]); err != nil {
		panic("srtp: " + err.Error()) // 16 bytes are a key
	}
	return h
}

// xor is AES in counter mode (RFC 3711 4.1.1).
func (h *half) xor(b []byte, ssrc uint32, index uint64) {
	var iv [16]byte
	copy(iv[:], h.salt[:])
	for i := range 4 {
		iv[4+i] ^= byte(ssrc >> (24 - 8*i))
	}
	for i := range 6 {
		iv[8+i] ^= byte(index >> (40 - 8*i))
	}
	cipher.NewCTR(h.block, iv[:]).XORKeyStream(b, b)
}

func (h *half) tag(parts ...[]byte) []byte {
	m := hmac.New(sha1.New, h.auth[:])
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(nil)[:tagLength]
}

// Box seals, or opens, one direction of one stream.
type Box struct {
	rtp, rtcp half

	begun bool
	top   uint64 // the highest index of RTP so far: roll-overs and sequence number
	next  uint32 // the next index of RTCP
}

// New makes a box of a master key.
func New(k Key) *Box { return &Box{rtp: k.derive(0), rtcp: k.derive(3)} }

// index of a sequence number (RFC 3711 3.3.1 and appendix A).
func (b *Box) index(seq uint16) uint64 {
	if !b.begun {
		return uint64(seq)
	}
	roc := int64(b.top >> 16)
	switch d := int64(seq) - int64(b.top&0xffff); {
	case d > 1<<15 && roc > 0:
		roc--
	case d < -1<<15:
		roc++
	}
	return uint64(roc)<<16 | uint64(seq)
}

// Seal makes SRTP of a packet of RTP.
func (b *Box) Seal(p []byte) []byte {
	index := b.index(binary.BigEndian.Uint16(p[2:]))
	b.begun, b.top = true, max(b.top, index)
	out := append([]byte{}, p...)
	b.rtp.xor(out[headerLength(p):], binary.BigEndian.Uint32(p[8:]), index)
	return append(out, b.rtp.tag(out, binary.BigEndian.AppendUint32(nil, uint32(index>>16)))...)
}

// Open checks a packet of SRTP and gives it as RTP with the index that it has.
func (b *Box) Open(p []byte) ([]byte, uint64, error) {
	if len(p) < 12+tagLength {
		return nil, 0, ErrShort
	}
	text, tag := p[:len(p)-tagLength], p[len(p)-tagLength:]
	n := headerLength(text)
	if n > len(text) {
		return nil, 0, ErrShort
	}
	index := b.index(binary.BigEndian.Uint16(p[2:]))
	if !hmac.Equal(tag, b.rtp.tag(text, binary.BigEndian.AppendUint32(nil, uint32(index>>16)))) {
		return nil, 0, ErrForged
	}
	b.top = max(b.top, index)
	if !b.begun {
		b.begun, b.top = true, index
	}
	out := append([]byte{}, text...)
	b.rtp.xor(out[n:], binary.BigEndian.Uint32(p[8:]), index)
	return out, index, nil
}

// SealRTCP makes SRTCP of a compound packet (RFC 3711 3.4).
func (b *Box) SealRTCP(p []byte) []byte {
	out := append([]byte{}, p...)
	b.rtcp.xor(out[8:], binary.BigEndian.Uint32(p[4:]), uint64(b.next))
	out = binary.BigEndian.AppendUint32(out, 1<<31|b.next)
	b.next++
	return append(out, b.rtcp.tag(out)...)
}

// OpenRTCP checks a packet of SRTCP.
func (b *Box) OpenRTCP(p []byte) ([]byte, error) {
	if len(p) < 8+4+tagLength {
		return nil, ErrShort
	}
	text, tag := p[:len(p)-tagLength], p[len(p)-tagLength:]
	if !hmac.Equal(tag, b.rtcp.tag(text)) {
		return nil, ErrForged
	}
	index := binary.BigEndian.Uint32(text[len(text)-4:])
	out := append([]byte{}, text[:len(text)-4]...)
	if index>>31 == 1 { // it is encrypted
		b.rtcp.xor(out[8:], binary.BigEndian.Uint32(p[4:]), uint64(index&(1<<31-1)))
	}
	return out, nil
}

// headerLength of an RTP packet, with its sources and extension (RFC 3550 5.1).
func headerLength(p []byte) int {
	n := 12 + 4*int(p[0]&15)
	if p[0]&0x10 != 0 {
		if len(p) < n+4 {
			return n + 4
		}
		n += 4 + 4*int(binary.BigEndian.Uint16(p[n+2:]))
	}
	return n
}
