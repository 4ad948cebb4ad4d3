package rtpout

import (
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// BenchmarkPicture is all that one picture of 1080p at 4 Mbit/s and 25 a second costs one
// viewer, from the unit to the socket; nobody reads it.
func BenchmarkPicture(b *testing.B) {
	for _, plain := range []bool{false, true} {
		name := "segmented"
		if plain {
			name = "one by one"
		}
		b.Run(name, func(b *testing.B) {
			v := newViewer(b, "127.0.0.1")
			_ = v.video.conn.SetReadBuffer(1)
			s := open(b, v, "127.0.0.1")
			s.video.begin(99, av.ClockVideo, time.Second)
			s.video.plain = plain
			data := make([]byte, 20000)
			for i := range data {
				data[i] = byte(i * 7)
			}
			data[0] = 0x41
			u := &av.Unit{Track: 1, Data: av.JoinNALs([][]byte{data})}
			track := av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: av.ClockVideo, SPS: []byte{0x67, 77, 0, 40}, PPS: []byte{0x68, 1}}
			p := &player{s: s, ctx: b.Context()}
			b.ReportAllocs()
			ts := uint32(0)
			for b.Loop() {
				ts += 3600
				p.burst = 0
				p.send(track, u, ts)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)*25/1e7, "%core/viewer")
		})
	}
}
