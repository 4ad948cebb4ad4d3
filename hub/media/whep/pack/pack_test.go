package pack

import (
	"bytes"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph264"
	"github.com/bluenviron/gortsplib/v5/pkg/format/rtph265"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

func unit(key bool, nals ...[]byte) *av.Unit {
	return &av.Unit{Track: 1, Key: key, Data: av.JoinNALs(nals)}
}

func long(head []byte, n int) []byte {
	b := append([]byte(nil), head...)
	for i := range n {
		b = append(b, byte(i*7))
	}
	return b
}

func h264() av.Track {
	return av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, SPS: []byte{0x67, 66, 0, 31, 9}, PPS: []byte{0x68, 1}}
}

func h265() av.Track {
	return av.Track{ID: 1, Kind: av.Video, Codec: av.H265, ClockRate: 90000,
		VPS: []byte{64, 1, 7}, SPS: []byte{66, 1, 8}, PPS: []byte{68, 1, 9}}
}

func packets(p Packed) (out []*rtp.Packet) {
	for i, b := range p.Payloads {
		out = append(out, &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Marker: i == len(p.Payloads)-1}, Payload: b})
	}
	return out
}

// TestOthersUnderstand: another's depacketizer gets the NAL units that went in, with the
// parameter sets in front of a key frame, whatever their size.
func TestOthersUnderstand(t *testing.T) {
	for _, size := range []int{1, 100, Payload - 2, Payload - 1, Payload, Payload + 1, 2*Payload - 3, 50000} {
		var d4 rtph264.Decoder
		if err := (&d4).Init(); err != nil {
			t.Fatal(err)
		}
		d4.PacketizationMode = 1
		nals := [][]byte{{0x06, 5, 1}, long([]byte{0x65}, size), long([]byte{0x65}, 30)}
		var got [][]byte
		for _, p := range packets(Picture(h264(), unit(true, nals...))) {
			if len(p.Payload) > Payload {
				t.Errorf("%d bytes", len(p.Payload))
			}
			b, err := d4.Decode(p)
			if err != nil && err != rtph264.ErrMorePacketsNeeded {
				t.Fatal(size, err)
			}
			got = append(got, b...)
		}
		same(t, got, append([][]byte{{0x67, 66, 0xc0, 31, 9}, h264().PPS}, nals...))

		var d5 rtph265.Decoder
		if err := (&d5).Init(); err != nil {
			t.Fatal(err)
		}
		nals = [][]byte{long([]byte{19 << 1, 1}, size), long([]byte{19 << 1, 1}, 30)}
		got = nil
		for _, p := range packets(Picture(h265(), unit(true, nals...))) {
			if len(p.Payload) > Payload {
				t.Errorf("%d bytes", len(p.Payload))
			}
			b, err := d5.Decode(p)
			if err != nil && err != rtph265.ErrMorePacketsNeeded {
				t.Fatal(size, err)
			}
			got = append(got, b...)
		}
		same(t, got, append([][]byte{h265().VPS, h265().SPS, h265().PPS}, nals...))
	}
}

func same(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d NAL units, wanted %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("NAL unit %d differs", i)
		}
	}
}

// TestEqualSizes: all fragments but the last are of one size, which is what lets the kernel
// cut a picture.
func TestEqualSizes(t *testing.T) {
	p := Picture(h264(), unit(false, long([]byte{0x41}, 20000)))
	for i, b := range p.Payloads[:len(p.Payloads)-1] {
		if len(b) != Payload {
			t.Errorf("payload %d has %d bytes", i, len(b))
		}
	}
}

// TestBigSets: parameter sets that do not fit together go one by one.
func TestBigSets(t *testing.T) {
	tr := h265()
	tr.SPS = long([]byte{66, 1}, Payload)
	p := Picture(tr, unit(true, []byte{19 << 1, 1, 1}))
	if len(p.Payloads) != 1+2+1+1 {
		t.Errorf("%d payloads", len(p.Payloads))
	}
}

// TestOncePacked: a unit is packed once for all, forgotten after a while, and a shelf never
// holds more than it may.
func TestOncePacked(t *testing.T) {
	now := time.Unix(1, 0)
	s := NewShelf(func() time.Time { return now })
	u := unit(false, long([]byte{0x41}, 3000))
	a, b := s.Pack(h264(), u), s.Pack(h264(), u)
	if &a.Payloads[0][0] != &b.Payloads[0][0] {
		t.Error("packed twice")
	}
	copied := *u
	copied.Discontinuity = true
	if c := s.Pack(h264(), &copied); &c.Payloads[0][0] != &a.Payloads[0][0] {
		t.Error("a reader's mark packs again")
	}
	now = now.Add(shelfTime + 1)
	s.Pack(h264(), unit(false, []byte{0x41, 1}))
	if s.Len() != 1 {
		t.Errorf("%d are kept", s.Len())
	}
	for range 3 * shelfBytes / (4 << 20) {
		s.Pack(h264(), unit(false, make([]byte, 4<<20)))
	}
	if n := s.Len(); n > shelfBytes/(4<<20)+2 {
		t.Errorf("%d big ones are kept", n)
	}
	if p := s.Pack(h264(), &av.Unit{}); len(p.Payloads) != 0 {
		t.Error("something of nothing")
	}
}

// FuzzPicture: whatever a camera has sent, payloads are bounded and there is no panic.
func FuzzPicture(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0x65, 1}, true, false)
	f.Add([]byte{0, 0, 0, 0}, false, true)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, true, true)
	f.Fuzz(func(t *testing.T, data []byte, key, h5 bool) {
		tr := h264()
		if h5 {
			tr = h265()
		}
		n := 0
		for _, b := range Picture(tr, &av.Unit{Key: key, Data: data}).Payloads {
			if len(b) == 0 || len(b) > Payload {
				t.Errorf("%d bytes", len(b))
			}
			n += len(b)
		}
		if n > 2*len(data)+64 {
			t.Errorf("%d bytes of %d", n, len(data))
		}
	})
}
