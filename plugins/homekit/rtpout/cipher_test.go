package rtpout

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"
)

// vault is SRTP by the book (RFC 3711) and nothing of what the package uses.
type vault struct {
	block, cblock cipher.Block
	auth, cauth   []byte
	salt, csalt   []byte
	roc           uint32
	seq           uint16
	begun         bool
	index         uint32 // of RTCP that goes out
}

var errVault = errors.New("does not authenticate")

func derive(key, salt []byte, label byte, n int) []byte {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	iv := make([]byte, 16)
	copy(iv, salt)
	iv[7] ^= label
	out := make([]byte, n)
	cipher.NewCTR(block, iv).XORKeyStream(out, out)
	return out
}

func newVault(c Crypto) *vault {
	block := func(label byte) cipher.Block {
		b, err := aes.NewCipher(derive(c.Key, c.Salt, label, 16))
		if err != nil {
			panic(err)
		}
		return b
	}
	return &vault{
		block: block(0), auth: derive(c.Key, c.Salt, 1, 20), salt: derive(c.Key, c.Salt, 2, 14),
		cblock: block(3), cauth: derive(c.Key, c.Salt, 4, 20), csalt: derive(c.Key, c.Salt, 5, 14),
	}
}

func stream(b cipher.Block, salt []byte, ssrc uint32, index uint64, data []byte) {
	iv := make([]byte, 16)
	copy(iv, salt)
	var x [16]byte
	binary.BigEndian.PutUint32(x[4:], ssrc)
	binary.BigEndian.PutUint64(x[8:], index<<16)
	for i := 4; i < 8; i++ {
		iv[i] ^= x[i]
	}
	for i := 8; i < 14; i++ {
		iv[i] ^= x[i]
	}
	cipher.NewCTR(b, iv).XORKeyStream(data, data)
}

func sum(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha1.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)[:10]
}

// openRTP returns the packet in plain, of a header without extensions.
func (v *vault) openRTP(b []byte) ([]byte, error) {
	if len(b) < 22 {
		return nil, errVault
	}
	seq := binary.BigEndian.Uint16(b[2:])
	roc := v.roc
	if v.begun && v.seq > 0xc000 && seq < 0x4000 {
		roc++
	}
	body, tag := b[:len(b)-10], b[len(b)-10:]
	if !hmac.Equal(tag, sum(v.auth, body, binary.BigEndian.AppendUint32(nil, roc))) {
		return nil, errVault
	}
	v.roc, v.seq, v.begun = roc, seq, true
	out := append([]byte(nil), body...)
	stream(v.block, v.salt, binary.BigEndian.Uint32(out[8:]), uint64(roc)<<16|uint64(seq), out[12:])
	return out, nil
}

// sealRTP encrypts a packet whose round of numbers is roc.
func (v *vault) sealRTP(b []byte, roc uint32) []byte {
	out := append([]byte(nil), b...)
	stream(v.block, v.salt, binary.BigEndian.Uint32(out[8:]), uint64(roc)<<16|uint64(binary.BigEndian.Uint16(out[2:])), out[12:])
	return append(out, sum(v.auth, out, binary.BigEndian.AppendUint32(nil, roc))...)
}

func (v *vault) openRTCP(b []byte) ([]byte, error) {
	if len(b) < 8+4+10 {
		return nil, errVault
	}
	body, tag := b[:len(b)-10], b[len(b)-10:]
	if !hmac.Equal(tag, sum(v.cauth, body)) {
		return nil, errVault
	}
	index := binary.BigEndian.Uint32(body[len(body)-4:])
	out := append([]byte(nil), body[:len(body)-4]...)
	if index&(1<<31) != 0 {
		stream(v.cblock, v.csalt, binary.BigEndian.Uint32(out[4:]), uint64(index&^(1<<31)), out[8:])
	}
	return out, nil
}

func (v *vault) sealRTCP(b []byte) []byte {
	v.index++
	out := append([]byte(nil), b...)
	stream(v.cblock, v.csalt, binary.BigEndian.Uint32(out[4:]), uint64(v.index), out[8:])
	out = binary.BigEndian.AppendUint32(out, v.index|1<<31)
	return append(out, sum(v.cauth, out)...)
}

// TestVault: the measure itself is right, by RFC 3711 B.3.
func TestVault(t *testing.T) {
	unhex := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	key, salt := unhex("E1F97A0D3E018BE0D64FA32C06DE4139"), unhex("0EC675AD498AFEEBB6960B3AABE6")
	for _, c := range []struct {
		label byte
		want  string
	}{
		{0, "C61E7A93744F39EE10734AFE3FF7A087"},
		{1, "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"},
		{2, "30CBBC08863D8C85D49DB34A9AE1"},
	} {
		want := unhex(c.want)
		if got := derive(key, salt, c.label, len(want)); !hmac.Equal(got, want) {
			t.Errorf("label %d: %x", c.label, got)
		}
	}
}
