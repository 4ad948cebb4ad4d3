package line

import (
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

// reception counts what comes of a viewer's speech, for our reports (RFC 3550 A.3, A.8). The
// line's lock guards it.
type reception struct {
	ssrc, clock    uint32
	base, newest   uint32 // numbers with their rounds above
	received       uint32
	expectedBefore uint32
	receivedBefore uint32
	transit        int64
	transitSet     bool
	jitter         float64
	lastReport     uint32 // middle of the NTP time of the viewer's last report
	lastReportAt   time.Time
}

// Received counts a packet, the first of its sender or another.
func (l *Line) Received(h *rtp.Header, now time.Time) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.reception
	if r == nil || r.ssrc != h.SSRC {
		first = true
		r = &reception{ssrc: h.SSRC, clock: l.clock, base: uint32(h.SequenceNumber), newest: uint32(h.SequenceNumber)}
		l.reception = r
	}
	if d := int16(h.SequenceNumber - uint16(r.newest)); d > 0 {
		r.newest += uint32(d)
	}
	r.received++
	transit := now.UnixNano()/1000*int64(r.clock)/1e6 - int64(h.Timestamp)
	if r.transitSet {
		d := int64(int32(transit - r.transit))
		r.jitter += (float64(max(d, -d)) - r.jitter) / 16
	}
	r.transit, r.transitSet = transit, true
	return first
}

// Spoken notes the viewer's own report, which ours answers.
func (l *Line) Spoken(p *rtcp.SenderReport, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r := l.reception; r != nil && r.ssrc == p.SSRC {
		r.lastReport, r.lastReportAt = uint32(p.NTPTime>>16), now
	}
}

// block is what a report says of it.
func (r *reception) block(now time.Time) rtcp.ReceptionReport {
	expected := r.newest - r.base + 1
	out := rtcp.ReceptionReport{SSRC: r.ssrc, LastSequenceNumber: r.newest, Jitter: uint32(r.jitter), LastSenderReport: r.lastReport}
	if expected > r.received {
		out.TotalLost = min(expected-r.received, 1<<23-1)
	}
	if more, got := expected-r.expectedBefore, r.received-r.receivedBefore; more > got && more > 0 {
		out.FractionLost = uint8(min((more-got)*256/more, 255))
	}
	r.expectedBefore, r.receivedBefore = expected, r.received
	if !r.lastReportAt.IsZero() {
		out.Delay = uint32(now.Sub(r.lastReportAt) * 65536 / time.Second)
	}
	return out
}
