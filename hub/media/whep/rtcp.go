package whep

import (
	"context"
	"errors"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// errChanged: what the camera sends now is not what the answer promised.
var errChanged = errors.New("the stream has another form now")

// keyEvery is how often a browser may have the key frame again.
const keyEvery = 500 * time.Millisecond

// ntpEpoch is how many seconds 1970 is after 1900, where NTP counts from.
const ntpEpoch = 2208988800

// reading is the reader now, and a context that ends with the session, or when the browser
// asks for a key frame.
func (x *session) reading() (*media.Rendering, context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wait == nil {
		x.wait, x.stop = context.WithCancel(x.ctx)
	}
	return x.reader, x.wait
}

// rewinds reports whether a key frame was asked for, once.
func (x *session) rewinds() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	was := x.wanted
	if was {
		x.wanted, x.wait = false, nil
	}
	return was
}

// wantKey asks the sender to go back to the newest key frame. Browsers repeat the question
// until they have one, so it is heard only so often.
func (x *session) wantKey() {
	x.stat.keyAsked.Add(1)
	now := time.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if now.Sub(x.wantedAt) < keyEvery || x.wait == nil {
		return
	}
	x.wantedAt, x.wanted = now, true
	x.stop()
}

// listen takes what the browser says of one track, until the connection ends.
func (x *session) listen(o *outlet, s *webrtc.RTPSender) {
	for {
		packets, _, err := s.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.TransportLayerNack:
				x.nack(o, p)
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				x.wantKey()
			case *rtcp.ReceiverReport:
				x.reported(o, p)
			}
		}
	}
}

// nack repeats packets, many of them in chunks: what has overflowed a queue once does so
// again. What is no longer there costs a key frame, which the browser asks for.
func (x *session) nack(o *outlet, n *rtcp.TransportLayerNack) {
	if o == x.video {
		x.stat.lostAt.Store(time.Now().UnixNano())
	}
	// Who asks again before an answer can have come is not answered again.
	patience := min(max(againAfter, time.Duration(x.stat.roundTrip.Load())*3/4), keepFor/2)
	burst := 0
	done := x.together()
	defer func() { done() }()
	for _, pair := range n.Nacks {
		pair.Range(func(seq uint16) bool {
			x.stat.nacks.Add(1)
			size := o.repeat(seq, patience, time.Now())
			if size == 0 {
				return true
			}
			x.stat.repeated.Add(1)
			if burst += size; burst > chunk {
				burst = 0
				done()
				done = func() {}
				if !sleep(x.ctx, lossGap) {
					return false
				}
				done = x.together()
			}
			return true
		})
	}
}

func (x *session) reported(o *outlet, r *rtcp.ReceiverReport) {
	for _, b := range r.Reports {
		if o != x.video {
			continue
		}
		x.stat.lost.Store(uint32(b.FractionLost))
		if b.FractionLost > 0 {
			x.stat.lostAt.Store(time.Now().UnixNano())
		}
		if b.LastSenderReport == 0 {
			continue
		}
		// RFC 3550 6.4.1, in 1/65536 s.
		if rtt := uint32(ntp(time.Now())>>16) - b.LastSenderReport - b.Delay; rtt < 60<<16 {
			x.stat.roundTrip.Store(int64(rtt) * int64(time.Second) >> 16)
		}
	}
}

func ntp(t time.Time) uint64 {
	ns := uint64(t.Nanosecond())
	return uint64(t.Unix()+ntpEpoch)<<32 | ns<<32/uint64(time.Second)
}

// tell sends reports, when they are due: which RTP times of the tracks are the same moment.
func (s *sender) tell() {
	now := time.Now()
	if s.posAt.IsZero() || now.Sub(s.report) < reportEvery {
		return
	}
	s.report = now
	pos := s.pos + now.Sub(s.posAt)
	var out []rtcp.Packet
	for _, o := range []*outlet{s.x.video, s.x.sound} {
		if o == nil {
			continue
		}
		if r := o.senderReport(now, pos); r != nil {
			out = append(out, r, &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
				Source: r.SSRC, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: group}},
			}}})
		}
	}
	if len(out) > 0 {
		_ = s.x.pc.WriteRTCP(out) // the next one comes in time
	}
}

func (o *outlet) senderReport(now time.Time, pos time.Duration) *rtcp.SenderReport {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.w == nil || !o.sent {
		return nil
	}
	return &rtcp.SenderReport{SSRC: o.ssrc, NTPTime: ntp(now), RTPTime: o.base + uint32(av.Ticks(pos, o.clock)),
		PacketCount: o.packets, OctetCount: o.octets}
}
