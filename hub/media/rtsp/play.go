package rtsp

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/sdp"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp/units"
)

// stream is one track that is being played.
type stream struct {
	id       uint8
	media    sdp.Media
	format   sdp.Format
	only     bool // the one format of its media: whatever number packets bear, they are its
	reader   units.Reader
	clock    *units.Unwrapper
	lane     *lane
	reorder  units.Reorder
	ssrc     uint32
	heard    bool   // a packet has come
	highest  uint16 // number of the newest packet, for receiver reports
	cycles   uint32
	received uint32
	first    uint32
	report   units.Report
	reported time.Time
}

// player turns packets into units for a sink. Packets of one camera come by several
// goroutines where they come by UDP: one at a time is served.
type player struct {
	sink Sink
	now  func() time.Time
	stop func() // ends the connection, when err is set
	// ask asks for a key frame of a stream, by the source of its packets.
	ask func(s *stream, ssrc uint32, now time.Time)

	mu      sync.Mutex
	streams []*stream
	line    line
	video   bool // one of the streams is
	begun   bool
	keyed   bool         // a key frame was given out
	err     error        // of the sink, or of a reader that broke
	media   atomic.Int64 // when a packet came last, in ns of Unix time
	units   atomic.Int64 // when a unit was given out last
	heard   atomic.Bool  // a packet has come
}

// add makes a stream of one format of a media.
func (p *player) add(m sdp.Media, f sdp.Format, o units.Options) error {
	s := &stream{id: uint8(len(p.streams) + 1), media: m, format: f, only: len(m.Formats) == 1}
	o.ID, o.Clock = s.id, f.Clock
	var err error
	if s.reader, err = units.NewReader(f.Format, o); err != nil {
		return err
	}
	s.clock = units.NewUnwrapper(f.Clock)
	p.streams = append(p.streams, s)
	p.video = p.video || m.Kind == "video"
	return nil
}

// reset makes ready for a new connection.
func (p *player) reset(now func() time.Time) {
	p.now, p.streams, p.line, p.video, p.begun, p.keyed, p.err = now, nil, line{}, false, false, false, nil
	p.heard.Store(false)
}

// begunNow reports whether units are given out.
func (p *player) begunNow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.begun
}

// guard serves one packet under the lock and turns a panic into the end of this pull: what
// breaks a reader is this camera's bytes.
func (p *player) guard(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			p.err = &Fault{Kind: Protocol, Act: "read", Why: fmt.Sprintf("a packet broke its reader: %v", r), err: errors.New(string(debug.Stack()))}
			p.stop()
		}
	}()
	if p.err != nil {
		return
	}
	if f(); p.err != nil && p.stop != nil {
		p.stop()
	}
}

// keyedNow reports whether a key frame was given out.
func (p *player) keyedNow() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keyed
}

// failed is the error that ended the playing, if one has.
func (p *player) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// rtp takes one packet of a stream, in order.
func (p *player) rtp(s *stream, b []byte) {
	pkt, err := units.ParsePacket(b)
	if err != nil {
		return
	}
	if pkt.Type >= 72 && pkt.Type <= 76 { // RTCP on RTP's channel (RFC 5761 4)
		p.rtcp(s, b)
		return
	}
	if !s.only && pkt.Type != s.format.Type {
		return
	}
	now := p.now()
	p.media.Store(now.UnixNano())
	p.heard.Store(true)
	s.count(&pkt)
	s.clock.Packet(pkt.Time)
	s.reader.Read(&pkt, func(u units.Unit) { p.unit(s, u, now) })
	if pkt.Marker && !p.keyed && p.err == nil && p.ask != nil && (s.format.Name == "H264" || s.format.Name == "H265") {
		p.ask(s, pkt.SSRC, now) // a picture is over, and it was none to begin with
	}
}

// count keeps what receiver reports say (RFC 3550 A.3).
func (s *stream) count(pkt *units.Packet) {
	s.received++
	if s.ssrc = pkt.SSRC; !s.heard {
		s.heard, s.highest, s.first = true, pkt.Seq, uint32(pkt.Seq)
		return
	}
	if pkt.Seq < s.highest && s.highest-pkt.Seq > 1<<15 {
		s.cycles += 1 << 16
	}
	if int16(pkt.Seq-s.highest) > 0 {
		s.highest = pkt.Seq
	}
}

// rtcp takes a packet of control.
func (p *player) rtcp(s *stream, b []byte) {
	for _, r := range units.ParseReports(b) {
		s.report, s.reported = r, p.now()
		if s.lane != nil && s.lane.begun {
			s.lane.report(r, s.clock.Near(r.Time, s.lane.track.ClockRate))
		}
	}
}

// unit hands one unit on. Nothing is given out before the pictures are described; sound
// that comes before is of no use to anybody.
func (p *player) unit(s *stream, u units.Unit, now time.Time) {
	if p.err != nil {
		return
	}
	before := p.begun
	if !before && !p.begin(s) || s.lane == nil {
		return
	}
	if u.Track != nil && before {
		s.lane.track = *u.Track
		if p.err = p.sink.SetTrack(*u.Track); p.err != nil {
			return
		}
	}
	p.keyed = p.keyed || u.Key && s.media.Kind == "video"
	out := &av.Unit{Track: s.id, Key: u.Key, Discontinuity: u.Lost, PTS: u.PTS, DTS: u.DTS, Data: u.Data}
	p.line.place(s.lane, out, now)
	p.units.Store(now.UnixNano())
	p.err = p.sink.Put(out)
}

// begin describes the tracks once all that matters is known; false: not yet.
func (p *player) begin(s *stream) bool {
	if p.video && s.media.Kind != "video" {
		return false
	}
	var tracks []av.Track
	for _, s := range p.streams {
		t, known := s.reader.Track()
		if known {
			tracks = append(tracks, t)
		}
		if known || s.media.Kind == "audio" {
			s.lane = p.line.lane(t, s.media.Kind == "video" || !p.video && p.line.ref == nil)
		}
	}
	p.begun = true
	p.err = p.sink.Begin(tracks)
	return p.err == nil
}
