package restream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"github.com/porchlight-hub/porchlight/hub/media/restream/ask"
	"github.com/porchlight-hub/porchlight/hub/media/restream/feed"
	"github.com/porchlight-hub/porchlight/hub/media/restream/outlet"
	"github.com/porchlight-hub/porchlight/hub/media/restream/wire"
)

// scratchKept is the most memory for own packets that a reader keeps.
const scratchKept = 64 << 10

// session is what a reader has set up. Its tracks are of the goroutine that serves its
// connection, and do not change while it plays.
type session struct {
	c     *conn
	id    string
	feed  *shared
	who   *Credential
	udp   bool
	since time.Time

	tracks        []setup
	speech        *speech // nil: no back channel
	plain         bool    // every track has the channel that is in the shared packets
	plays, played atomic.Bool
	lastHeard     atomic.Int64 // when the reader last sent something beside requests, by Now, in milliseconds
	rights        time.Time    // of look: when it last asked

	mu     sync.Mutex
	cursor *feed.Cursor
	done   chan struct{} // closed when the reader's goroutine has ended

	units, packets, bytes, skips atomic.Uint64
}

// setup is a track that the reader wants.
type setup struct {
	index   int // in the feed; len(packers) is the back channel
	channel int // of TCP
	ends    *outlet.Pair
}

func newSession(c *conn, f *shared, udp bool) *session {
	c.s.retain(f)
	return &session{c: c, id: nonce()[:16], feed: f, who: c.who, udp: udp, since: c.s.o.Now()}
}

// ok is the response of a session that is fine.
func (s *session) ok() *base.Response {
	timeout := uint(idleTime / time.Second)
	return &base.Response{StatusCode: base.StatusOK, Header: base.Header{
		"Session": headers.Session{Session: s.id, Timeout: &timeout}.Marshal(),
	}}
}

// add sets the index-th track up.
func (s *session) add(index int, tr ask.Transport) (*headers.Transport, *base.Response) {
	packers := s.feed.Packers()
	taken := slices.ContainsFunc(s.tracks, func(t setup) bool {
		return t.index == index || !s.udp && tr.Channel >= 0 && t.channel-tr.Channel <= 1 && tr.Channel-t.channel <= 1
	})
	if taken || index > len(packers) {
		return nil, &base.Response{StatusCode: base.StatusBadRequest}
	}
	t := setup{index: index, channel: tr.Channel}
	if index == len(packers) {
		if res := s.listen(); res != nil {
			return nil, res
		}
	}
	unicast := headers.TransportDeliveryUnicast
	th := &headers.Transport{Profile: headers.TransportProfileAVP, Delivery: &unicast}
	if index < len(packers) {
		ssrc := packers[index].SSRC()
		th.SSRC = &ssrc
	}
	if s.udp {
		ends, err := outlet.NewPair(s.c.nc.LocalAddr(), s.c.nc.RemoteAddr(), tr.Ports)
		if err != nil {
			return nil, refusal(base.StatusInternalServerError, err)
		}
		t.ends = ends
		ports := ends.Ports()
		th.Protocol = headers.TransportProtocolUDP
		th.ClientPorts, th.ServerPorts = &tr.Ports, &ports
		s.tracks = append(s.tracks, t)
		return th, nil
	}
	if t.channel < 0 {
		for t.channel = 0; slices.ContainsFunc(s.tracks, func(o setup) bool { return o.channel-t.channel <= 1 && t.channel-o.channel <= 1 }); t.channel += 2 {
		}
	}
	th.Protocol = headers.TransportProtocolTCP
	th.InterleavedIDs = &[2]int{t.channel, t.channel + 1}
	s.tracks = append(s.tracks, t)
	return th, nil
}

// play begins, at the newest key frame, when the response has been sent.
func (s *session) play(req *base.Request) (*base.Response, func()) {
	res := s.ok()
	if s.plays.Load() {
		return res, nil // some readers send it to say that they are there
	}
	wants, any := s.wants()
	if !any && s.speech == nil {
		return &base.Response{StatusCode: base.StatusMethodNotValidInThisState}, nil
	}
	cur := s.feed.Cursor(wants)
	res.Header["Range"] = base.HeaderValue{"npt=now-"}
	if info := s.info(req, cur, wants); info != "" {
		res.Header["RTP-Info"] = base.HeaderValue{info}
	}
	return res, func() { s.start(cur) }
}

// wants is which tracks of the feed go to the reader, and whether there is one.
func (s *session) wants() (wants []bool, any bool) {
	n := len(s.feed.Packers())
	wants, s.plain = make([]bool, n), true
	for _, t := range s.tracks {
		if t.index < n {
			wants[t.index], any = true, true
			s.plain = s.plain && t.channel == 2*t.index
		}
	}
	return wants, any
}

// info tells the first number and time stamp of each track (RFC 2326 12.33).
func (s *session) info(req *base.Request, cur *feed.Cursor, wants []bool) string {
	seqs, times := cur.Start()
	url := ""
	if req.URL != nil {
		a := ask.AddressOf(req.URL)
		url = "rtsp://" + req.URL.Host + "/" + a.Camera + "/" + a.Stream + "/"
	}
	var parts []string
	for i, want := range wants {
		if want {
			parts = append(parts, fmt.Sprintf("url=%s%s;seq=%d;rtptime=%d", url, feed.Control+strconv.Itoa(i), seqs[i], times[i]))
		}
	}
	return strings.Join(parts, ",")
}

func (s *session) start(cur *feed.Cursor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cursor, s.done = cur, make(chan struct{})
	s.lastHeard.Store(s.c.s.o.Now().UnixMilli())
	s.plays.Store(true)
	s.played.Store(true)
	s.c.s.log.Info("reader begins", "camera", s.feed.Camera, "stream", s.feed.Stream, "who", s.who.Viewer.Name, "from", s.c.host, "udp", s.udp)
	if s.c.out.Tries() && s.plain && !s.udp {
		cur.Direct(s.write)
	}
	done := s.done
	s.c.s.wg.Go(func() {
		defer close(done)
		err := s.run(cur)
		switch {
		case errors.Is(err, feed.ErrStopped):
		case errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
			s.c.close("the connection ended")
		default:
			s.c.close(oneLine(err.Error()))
		}
	})
	for _, t := range s.tracks {
		if t.ends != nil {
			t.ends.Hear(func(report bool, b []byte) { s.heardOf(t.index, report, b) })
		}
	}
}

// run sends until the feed or the reader ends.
func (s *session) run(cur *feed.Cursor) error {
	if err := s.send(s.shape(cur.Reports())); err != nil {
		return err
	}
	var parts net.Buffers
	var scratch []byte
	for {
		taken, err := cur.Take()
		if err != nil {
			return err
		}
		clear(parts)
		parts, scratch = parts[:0], scratch[:0]
		if cap(scratch) > scratchKept {
			scratch = nil // that of the beginning
		}
		for i := range taken {
			var b []byte
			b, scratch = taken[i].Packed(scratch)
			parts = append(parts, b)
		}
		if err := s.sendAll(parts); err != nil {
			return err
		}
		s.count(taken)
	}
}

// count adds what has gone to the figures.
func (s *session) count(taken []feed.Entry) {
	for i := range taken {
		packets, counted := taken[i].Count()
		if !counted {
			s.units.Add(1)
			s.packets.Add(uint64(packets))
			s.bytes.Add(uint64(taken[i].Bytes()))
		}
	}
}

// write hands what has just come to a reader by TCP, as far as it takes it.
func (s *session) write(taken []feed.Entry) (left [][]byte) {
	s.count(taken)
	for i := range taken {
		b, _ := taken[i].Packed(nil)
		if left == nil {
			b = b[s.c.out.Try(b):]
		}
		if len(b) > 0 {
			left = append(left, b)
		}
	}
	return left
}

// sendAll sends parts in one call, if the reader is by TCP.
func (s *session) sendAll(parts net.Buffers) error {
	if s.udp {
		return s.sendUDP(parts)
	}
	if !s.plain {
		for i := range parts {
			parts[i] = s.shape(parts[i])
		}
	}
	return s.c.out.WriteAll(parts)
}

func (s *session) send(b []byte) error {
	if s.udp {
		return s.sendUDP(net.Buffers{b})
	}
	return s.c.out.Write(b)
}

// shape is b with the channels of this reader, which are mostly those of all.
func (s *session) shape(b []byte) []byte {
	if s.plain || s.udp {
		return b
	}
	b = slices.Clone(b)
	for at := 0; at+wire.FrameHeader <= len(b); {
		for _, t := range s.tracks {
			if t.index == int(b[at+1]/2) {
				b[at+1] = byte(t.channel) + b[at+1]&1
				break
			}
		}
		at += wire.FrameHeader + int(b[at+2])<<8 + int(b[at+3])
	}
	return b
}

// pause stops sending; play begins anew.
func (s *session) pause() {
	s.mu.Lock()
	cur, done := s.cursor, s.done
	s.cursor = nil
	s.mu.Unlock()
	s.plays.Store(false)
	if cur == nil {
		return
	}
	cur.Stop()
	<-done
	gops, _ := cur.Missed()
	s.skips.Add(gops)
}

// end lets go of everything; the connection's last words are kept.
func (s *session) end() {
	if s.played.Load() {
		st := s.stats()
		s.c.mu.Lock()
		st.Ended = s.c.reason
		s.c.mu.Unlock()
		s.c.s.note(st)
		s.c.s.log.Info("reader ends", "camera", st.Camera, "stream", st.Stream, "who", st.Name, "from", st.Address, "reason", st.Ended, "skipped_gops", st.SkippedGOPs)
	}
	for _, t := range s.tracks {
		if t.ends != nil {
			t.ends.Close()
		}
	}
	s.pause()
	for _, t := range s.tracks {
		if t.ends != nil {
			t.ends.Wait()
		}
	}
	if s.speech != nil {
		s.speech.end("the reader has gone")
	}
	s.c.s.release(s.feed)
}

// dueRights tells now and then that it is time to ask whether the reader may still read.
func (s *session) dueRights(now time.Time) bool {
	if now.Sub(s.rights) < rightsEvery {
		return false
	}
	s.rights = now
	return true
}

func (s *session) heardAt() time.Time { return time.UnixMilli(s.lastHeard.Load()) }

// heard takes what the reader sent on a channel.
func (s *session) heard(channel int, packet []byte) {
	for _, t := range s.tracks {
		if !s.udp && (channel == t.channel || channel == t.channel+1) {
			s.heardOf(t.index, channel != t.channel, packet)
		}
	}
}

// heardOf takes what came for a track: speech, or a report, which says that it is there.
func (s *session) heardOf(index int, report bool, packet []byte) {
	s.lastHeard.Store(s.c.s.o.Now().UnixMilli())
	if !report && s.speech != nil && index == s.speech.index {
		s.speech.take(packet)
	}
}
