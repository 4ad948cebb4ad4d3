package receive

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	other "github.com/pion/srtp/v3"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/srtp"
)

// sender packs and seals by another's hand.
type sender struct {
	t    *testing.T
	ctx  *other.Context
	pay  codecs.H264Payloader
	seq  uint16
	side *Side
}

func newSender(t *testing.T) *sender {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s := &sender{t: t, side: New(conn, Video), seq: 65530}
	k := srtp.Key{Key: [16]byte{1}, Salt: [14]byte{2}}
	if s.ctx, err = other.CreateContext(k.Key[:], k.Salt[:], other.ProtectionProfileAes128CmHmacSha1_80); err != nil {
		t.Fatal(err)
	}
	s.side.Join(netip.MustParseAddr("127.0.0.1"), 9, 7, k)
	return s
}

// frame sends units as one picture, without the packet of that number.
func (s *sender) frame(at uint32, lose int, annexB []byte) {
	s.t.Helper()
	payloads := s.pay.Payload(600, annexB)
	for i, b := range payloads {
		p := rtp.Packet{Header: rtp.Header{Version: 2, PayloadType: Video, SequenceNumber: s.seq, Timestamp: at, SSRC: 7, Marker: i == len(payloads)-1}, Payload: b}
		s.seq++
		raw, err := p.Marshal()
		if err != nil {
			s.t.Fatal(err)
		}
		if raw, err = s.ctx.EncryptRTP(nil, raw, nil); err != nil {
			s.t.Fatal(err)
		}
		if i != lose {
			s.side.take(raw, time.Now(), true)
		}
	}
}

func TestPictures(t *testing.T) {
	s := newSender(t)
	idr := bytes.Repeat([]byte{0x65, 1, 2, 3}, 500)
	file := bytes.Join([][]byte{nil, {0x67, 1}, {0x68, 2}, idr}, []byte{0, 0, 0, 1})
	s.frame(0, -1, file)
	s.frame(3000, -1, append([]byte{0, 0, 0, 1}, 0x41, 9))
	s.frame(6000, 1, file)
	s.frame(9000, -1, append([]byte{0, 0, 0, 1}, 0x41, 9))
	s.side.take([]byte("nothing that is sealed"), time.Now(), true)
	got := s.side.Received()
	if got.Lost != 1 || got.Late != 0 || got.Forged != 1 || len(got.Frames) != 4 {
		t.Fatalf("%+v", got)
	}
	if f := got.Frames[0]; !f.Whole || !f.Key() || len(f.NALs) != 3 || !bytes.Equal(f.NAL(5), idr) || !bytes.Equal(AnnexB(got.Frames[:1]), file) {
		t.Errorf("%+v", f)
	}
	if !got.Frames[1].Whole || got.Frames[1].Key() || got.Frames[2].Whole || !got.Frames[3].Whole {
		t.Errorf("%+v", got.Frames)
	}
}

func TestGarbageIsCounted(t *testing.T) {
	s := newSender(t)
	for n := range 200 {
		s.side.take(bytes.Repeat([]byte{0x80, 200}, n), time.Now(), true)
		s.side.take(bytes.Repeat([]byte{0xff}, n), time.Now(), true)
	}
	if got := s.side.Received(); got.Packets != 0 || got.Datagrams != 400 {
		t.Errorf("%+v", got)
	}
}
