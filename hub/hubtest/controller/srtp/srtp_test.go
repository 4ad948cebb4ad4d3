package srtp

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/pion/rtcp"
	other "github.com/pion/srtp/v3"
)

// TestKeys is RFC 3711, appendix B.3.
func TestKeys(t *testing.T) {
	var k Key
	_, _ = hex.Decode(k.Key[:], []byte("E1F97A0D3E018BE0D64FA32C06DE4139")) // constants
	_, _ = hex.Decode(k.Salt[:], []byte("0EC675AD498AFEEBB6960B3AABE6"))
	h := k.derive(0)
	if got := hex.EncodeToString(h.salt[:]); got != "30cbbc08863d8c85d49db34a9ae1" {
		t.Errorf("salt %s", got)
	}
	if got := hex.EncodeToString(h.auth[:]); got != "cebe321f6ff7716b6fd4ab49af256a156d38baa4" {
		t.Errorf("auth %s", got)
	}
}

func newKey(t *testing.T) (Key, *other.Context) {
	t.Helper()
	var k Key
	_, _ = rand.Read(k.Key[:]) // it cannot fail
	_, _ = rand.Read(k.Salt[:])
	ctx, err := other.CreateContext(k.Key[:], k.Salt[:], other.ProtectionProfileAes128CmHmacSha1_80)
	if err != nil {
		t.Fatal(err)
	}
	return k, ctx
}

// TestAgainstAnother seals and opens around a roll-over of the sequence number.
func TestAgainstAnother(t *testing.T) {
	k, ctx := newKey(t)
	seal := New(k)
	k2, ctx2 := newKey(t)
	open := New(k2)
	for i := range 200 {
		p := Packet{Type: 99, Marker: i%3 == 0, Seq: uint16(65436 + i), Timestamp: uint32(i) * 3000, SSRC: 7, Payload: bytes.Repeat([]byte{byte(i)}, 1+i)}
		back, err := ctx.DecryptRTP(nil, seal.Seal(p.Bytes()), nil)
		if err != nil || !bytes.Equal(back, p.Bytes()) {
			t.Fatalf("packet %d: the other does not open it: %v", i, err)
		}
		sealed, err := ctx2.EncryptRTP(nil, p.Bytes(), nil)
		if err != nil {
			t.Fatal(err)
		}
		plain, index, err := open.Open(sealed)
		if err != nil || !bytes.Equal(plain, p.Bytes()) || index != uint64(65436+i) {
			t.Fatalf("packet %d: index %d %v", i, index, err)
		}
		if got, err := Parse(plain); err != nil || got.Seq != p.Seq || got.Marker != p.Marker || !bytes.Equal(got.Payload, p.Payload) {
			t.Fatalf("%+v %v", got, err)
		}
		sealed[len(sealed)-1]++
		if _, _, err := open.Open(sealed); !errors.Is(err, ErrForged) {
			t.Fatal("a forged packet is opened")
		}
	}
}

func TestRTCPAgainstAnother(t *testing.T) {
	k, ctx := newKey(t)
	seal := New(k)
	for _, p := range [][]byte{Report(1, Received{SSRC: 2, Highest: 3}), PictureLoss(1, 2), FullIntra(1, 2, 3), Goodbye(1)} {
		back, err := ctx.DecryptRTCP(nil, seal.SealRTCP(p), nil)
		if err != nil || !bytes.Equal(back, p) {
			t.Fatalf("the other does not open it: %v", err)
		}
		if _, err := rtcp.Unmarshal(back); err != nil {
			t.Fatalf("the other does not read %x: %v", back, err)
		}
	}
	k2, ctx2 := newKey(t)
	open := New(k2)
	sr, err := rtcp.Marshal([]rtcp.Packet{&rtcp.SenderReport{SSRC: 5, NTPTime: 1 << 32, RTPTime: 6, PacketCount: 7, OctetCount: 8}, &rtcp.Goodbye{Sources: []uint32{5}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		sealed, err := ctx2.EncryptRTCP(nil, sr, nil)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := open.OpenRTCP(sealed)
		if err != nil {
			t.Fatal(err)
		}
		list, err := ParseRTCP(plain)
		if err != nil || len(list) != 2 || list[0] != (Control{Type: SenderReport, SSRC: 5, NTP: 1 << 32, Timestamp: 6, Packets: 7, Octets: 8}) || list[1].Type != Bye {
			t.Fatalf("%+v %v", list, err)
		}
	}
}
