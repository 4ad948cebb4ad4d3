package restream

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"
)

// A client that others wrote reads the stream and speaks to the door at once.
// PORCHLIGHT_TALK_URL lets it do so with a hub that runs.
func TestClientOfOthers(t *testing.T) {
	for _, transport := range []gortsplib.Protocol{gortsplib.ProtocolTCP, gortsplib.ProtocolUDP} {
		t.Run(transport.String(), func(t *testing.T) {
			d := &desk{}
			h, w := still(t, func(o *Options) { o.Talk = d })
			address := os.Getenv("PORCHLIGHT_TALK_URL")
			if address == "" {
				address = h.url("front/main")
			}
			u, err := base.ParseURL(address)
			if err != nil {
				t.Fatal(err)
			}
			c := &gortsplib.Client{Scheme: u.Scheme, Host: u.Host, Protocol: &transport, RequestBackChannels: true}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			all, _, err := c.Describe(u)
			if err != nil {
				t.Fatal(err)
			}
			var door *description.Media
			for _, m := range all.Medias {
				if m.IsBackChannel {
					door = m
				}
				if _, err := c.Setup(all.BaseURL, m, 0, 0); err != nil {
					t.Fatal(err)
				}
			}
			if door == nil {
				t.Fatal("no back channel")
			}
			var packets atomic.Int64
			c.OnPacketRTPAny(func(*description.Media, format.Format, *rtp.Packet) { packets.Add(1) })
			if _, err := c.Play(nil); err != nil {
				t.Fatal(err)
			}
			tick := time.NewTicker(20 * time.Millisecond) // a packet holds so much
			defer tick.Stop()
			for i := range 50 {
				if i%2 == 0 {
					put(t, w, i%10 == 0, int64(i+1)*1800)
				}
				err := c.WritePacketRTP(door, &rtp.Packet{Header: rtp.Header{Version: 2, SequenceNumber: uint16(i), Timestamp: uint32(i * 160), SSRC: 9}, Payload: tone(i * 160)})
				if err != nil {
					t.Fatal(err)
				}
				<-tick.C
			}
			if packets.Load() == 0 {
				t.Error("no picture")
			}
			if os.Getenv("PORCHLIGHT_TALK_URL") == "" {
				await(t, "speech", func() bool { n, _, _ := d.said(); return n >= 45 })
			}
		})
	}
}

// tone is 20 ms of a square wave of 1 kHz in G.711 of µ-law: samples of +-8031.
func tone(at int) []byte {
	b := make([]byte, 160)
	for i := range b {
		b[i] = 0x8f
		if (at+i)/4%2 == 1 {
			b[i] = 0x0f
		}
	}
	return b
}
