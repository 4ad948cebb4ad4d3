package line

import (
	"time"

	"github.com/pion/rtcp"
)

// ntpEpoch is how many seconds 1970 is after 1900, where NTP counts from.
const ntpEpoch = 2208988800

// cname is the name under which a viewer finds that picture and sound belong together
// (RFC 3550 6.5.1). It tells nobody who we are.
const cname = "porchlight"

// NTP is t as reports write it (RFC 3550 4).
func NTP(t time.Time) uint64 {
	return uint64(t.Unix()+ntpEpoch)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}

func (l *Line) name() *rtcp.SourceDescription {
	return &rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{
		Source: l.ssrc, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: cname}},
	}}}
}

// Tell sends a report if one is due, and says when the next one is. pos is now on the line of
// time, the same for both lines: that is what keeps them in step.
func (l *Line) Tell(now time.Time, pos time.Duration) (next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.begun {
		return time.Time{}
	}
	if !l.due.IsZero() && now.Before(l.due) {
		return l.due
	}
	if !l.sent && l.reception == nil {
		return time.Time{} // with the first packet
	}
	l.due = now.Add(l.every)
	var blocks []rtcp.ReceptionReport
	if l.reception != nil {
		blocks = append(blocks, l.reception.block(now))
	}
	var report rtcp.Packet = &rtcp.ReceiverReport{SSRC: l.ssrc, Reports: blocks}
	if l.sent {
		report = &rtcp.SenderReport{SSRC: l.ssrc, NTPTime: NTP(now), RTPTime: l.At(pos),
			PacketCount: l.packets, OctetCount: l.octets, Reports: blocks}
	}
	_ = l.control([]rtcp.Packet{report, l.name()}) // the next one comes in time
	return l.due
}

// Fresh reports whether nothing was told yet.
func (l *Line) Fresh() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.due.IsZero()
}
