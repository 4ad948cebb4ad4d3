package rtpout

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// FuzzDatagram: whatever comes to the ports, with and without the right key, nothing panics,
// nothing is sent in anger, and what does not authenticate is refused.
func FuzzDatagram(f *testing.F) {
	f.Add([]byte{0x80, 201, 0, 1, 0, 0, 3, 233}, byte(1))
	f.Add(append(rtcpPacket(201, 1, 1001, 1, 2, 3, 4, 5, 6), pli(1001, 7)...), byte(1))
	f.Add(append(rtcpPacket(200, 1, 1001, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6), fir(1001, 7, 1)...), byte(3))
	f.Add(rtpPacket(110, false, 1, 2, 1002, []byte{31<<3 | 3, 0x82, 1, 9, 8}), byte(2))
	f.Add(rtpPacket(110, false, 1, 2, 1002, []byte{31 << 3, 1, 2, 3}), byte(0))
	f.Add([]byte{0xb0, 110, 0, 1, 0, 0, 0, 1, 0, 0, 3, 234, 0xbe, 0xde, 0, 1, 1, 2, 3, 4, 9, 9, 9, 3}, byte(2))
	v, _ := sink(f, "127.0.0.1")
	f.Fuzz(func(t *testing.T, b []byte, how byte) {
		s := open(t, v, "127.0.0.1")
		if err := s.Start(Start{Video: video(), Audio: audio(),
			Open:     func(ctx context.Context) (Units, error) { <-ctx.Done(); return nil, ctx.Err() },
			KeyFrame: func(context.Context) error { return nil },
			Talk:     func(context.Context, av.Track) (Speech, error) { return &door{}, nil }}); err != nil {
			t.Fatal(err)
		}
		l, key := s.video, testKeys(1)
		if how&2 != 0 {
			l, key = s.audio, testKeys(2)
		}
		vault := newVault(key)
		sealed := b
		if how&1 == 0 && how&4 == 0 {
			if len(b) >= 12 && b[0]>>6 == 2 {
				sealed = vault.sealRTP(b, 0)
			}
		} else if how&4 == 0 && len(b) >= 8 {
			sealed = vault.sealRTCP(b)
		}
		// The listening goroutine of that line is asleep: nobody sends to the port.
		var plain []byte
		before := s.Stats()
		for range 2 {
			plain = s.take(l, sealed, plain)
		}
		if after := s.Stats(); after.Rejected == before.Rejected {
			t.Error("the same was taken twice")
		}
		if how&4 != 0 && len(b) > 0 {
			if s.Stats().Heard != 0 {
				t.Error("a stranger is heard")
			}
		}
		s.Close("fuzz")
	})
}

// FuzzTold: reports that authenticate, whatever they say.
func FuzzTold(f *testing.F) {
	f.Add(append(rtcpPacket(201, 1, 1001, 1, 2, 3, 4, 5, 6), pli(1001, 7)...))
	f.Add(rtcpPacket(200, 1, 1001, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6))
	f.Add(rtcpPacket(203, 1, 1001))
	f.Add(rtcpPacket(202, 1, 1001, 0x01056162, 0x63646500))
	f.Add(rtcpPacket(205, 15, 1001, 1, 0x00010002, 0x12345678))
	v, _ := sink(f, "127.0.0.1")
	s := open(f, v, "127.0.0.1")
	f.Fuzz(func(_ *testing.T, b []byte) {
		s.told(s.audio, b, time.Now())
		s.reported(s.video, nil, time.Now())
	})
}

// FuzzPicture: whatever a camera has sent, datagrams are bounded and nothing panics.
func FuzzPicture(f *testing.F) {
	f.Add([]byte{0, 0, 0, 2, 0x65, 1}, true, uint16(0))
	f.Add([]byte{0, 0, 0, 0}, false, uint16(300))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1}, true, uint16(1))
	v, _ := sink(f, "127.0.0.1")
	s := open(f, v, "127.0.0.1")
	s.video.Begin(99, av.ClockVideo, time.Hour)
	var ts atomic.Uint32
	f.Fuzz(func(t *testing.T, data []byte, key bool, mtu uint16) {
		s.video.Limit(int(mtu))
		before := s.video.Counts().Bytes
		p := &player{s: s, ctx: t.Context()}
		p.send(av.Track{Kind: av.Video, Codec: av.H264, SPS: data[:min(len(data), 5)], PPS: []byte{0x68}}, &av.Unit{Key: key, Data: data}, ts.Add(1))
		n := s.video.Counts().Bytes - before
		if s.video.Counts().Errors == 0 && n > uint64(3*len(data)+200) {
			t.Errorf("%d bytes of %d", n, len(data))
		}
	})
}
