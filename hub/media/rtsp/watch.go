package rtsp

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/dialog"
)

const (
	// answeredSilence is how many read timeouts a camera may send nothing while it answers.
	answeredSilence = 3
	// firstUnit is how long packets may come without one unit that can be begun with.
	firstUnit = 90 * time.Second
	// lookEvery is how often more than the next packet is looked at.
	lookEvery = 250 * time.Millisecond
	// reportEvery is the time between receiver reports (RFC 3550 6.2).
	reportEvery = 5 * time.Second
	// reporter and a track's number is who we are in RTCP.
	reporter = 0x504c0000
	// keepaliveLeast and keepaliveMost bound the time between signs of life.
	keepaliveLeast = 300 * time.Millisecond
	keepaliveMost  = 25 * time.Second
)

// start begins the playing. A Range is refused by some live sources, and missed by others:
// what works is remembered.
func (s *session) start() error {
	for _, p := range s.pairs {
		p.Punch()
	}
	s.readPairs()
	now := s.o.Now().UnixNano()
	s.play.media.Store(now)
	s.play.units.Store(now)
	s.began = s.o.Now()
	header := dialog.Header{"Range": {"npt=0.000-"}}
	if s.mem.NoRange {
		header = nil
	}
	m, err := s.conn.Do("PLAY", s.base, header)
	if err == nil && m.Status != 200 && m.Status != 401 && header != nil && !s.without("range") {
		m, err = s.conn.Do("PLAY", s.base, nil)
		switch {
		case err == nil && m.Status == 200:
			s.mem.NoRange = true
		case err == nil && m.Status >= 500 && m.Status != 551 && !s.mem.NoRange:
			// GStreamer's server with a back channel seeks because of the Range, cannot, and
			// plays nothing more in this session. What it is asked anew tells what is true.
			s.mem.NoRange = true
			return &again{"it played nothing after a Range"}
		}
	}
	if broke := s.play.failed(); broke != nil {
		return s.sunk(broke)
	}
	switch {
	case err != nil && silent(err) && s.play.heard.Load() && !s.without("play_answer"):
		// it plays and does not say so
	case err != nil:
		return s.cause("play", err)
	case m.Status != 200:
		return s.refused("play", m)
	}
	s.mem.Auth = s.conn.Way()
	s.tell()
	return nil
}

// tell reports how the pull stands.
func (s *session) tell() {
	if s.o.Progress == nil {
		return
	}
	s.o.Progress(s.progress())
}

func (s *session) progress() Progress {
	p := Progress{Address: s.at.url.Host, Transport: "tcp", Worked: s.mem.Worked()}
	if s.o.Talk {
		p.Talk = talkTracks(s.desc)
	}
	if s.udp() {
		p.Transport = "udp"
	}
	if s.conn != nil {
		p.Server, p.Auth = s.conn.Server, s.conn.Way()
	}
	return p
}

// readPairs reads UDP, each port in its goroutine, until closePairs.
func (s *session) readPairs() {
	for i, pair := range s.pairs {
		if i >= len(s.play.streams) {
			break
		}
		st := s.play.streams[i]
		s.readers.Go(func() {
			_ = pair.Read(false, func(b []byte) {
				s.play.guard(func() {
					st.reorder.Push(b, s.o.Now(), func(b []byte) { s.play.rtp(st, b) })
				})
			})
		})
		s.readers.Go(func() {
			_ = pair.Read(true, func(b []byte) {
				s.play.guard(func() { s.play.rtcp(st, b) })
			})
		})
	}
}

// watch reads until the stream ends.
func (s *session) watch(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	methods := s.methods()
	var life sync.WaitGroup
	life.Go(func() { s.keepAlive(ctx, methods) })
	defer life.Wait()
	defer cancel()
	if s.udp() { // what counts comes elsewhere; here is when to look at it
		s.conn.Idle(s.o.ReadTimeout / 4)
	}
	looked := time.Time{}
	for {
		m, err := s.conn.Next()
		if broke := s.play.failed(); broke != nil {
			return s.sunk(broke)
		}
		if err != nil && !(silent(err) && s.udp()) {
			if s.brokeByAsking(err) {
				return &again{"it does not bear to be asked for a key frame"}
			}
			s.learnFromEnd(err)
			return s.cause("read", err)
		}
		if m != nil && m.Method == "" {
			if err := s.answered(m); err != nil {
				return err
			}
		}
		if now := time.Now(); err != nil || m != nil || now.Sub(looked) > lookEvery {
			looked = now
			if f := s.silence(); f != nil {
				s.learnFromEnd(f)
				return f
			}
			s.remember()
		}
	}
}

// silence judges how long nothing has come.
func (s *session) silence() error {
	now := s.o.Now()
	quiet := now.Sub(time.Unix(0, s.play.media.Load()))
	limit := s.o.ReadTimeout
	if !s.udp() {
		limit *= answeredSilence // a dead connection is found by its reads, this one answers
	}
	if quiet > limit {
		if !s.play.heard.Load() {
			return s.fault(Timeout, "play", "the camera plays, but no packet came", nil)
		}
		return s.fault(Timeout, "read", "no packet for "+quiet.Round(time.Second).String(), nil)
	}
	if now.Sub(time.Unix(0, s.play.units.Load())) > firstUnit {
		return s.fault(NoMedia, "read", "packets come, but nothing that a decoder can begin with", nil)
	}
	return nil
}

// remember tells what was learned once it works.
func (s *session) remember() {
	if !s.play.begunNow() {
		return
	}
	s.notes()
	if s.mem.Version = memoryVersion; s.mem.equal(s.told) {
		return
	}
	first := s.told.Version == 0
	s.told = s.mem
	if s.o.Remember != nil && !s.mem.equal(s.o.Memory) {
		s.o.Remember(s.mem)
	}
	if !first {
		s.tell()
	}
}

// notes takes over what the readers have met.
func (s *session) notes() {
	s.play.mu.Lock()
	defer s.play.mu.Unlock()
	for _, st := range s.play.streams {
		n := st.reader.Notes()
		s.mem.AnnexB = s.mem.AnnexB || n.AnnexB
		s.mem.Slices = s.mem.Slices || n.Slices
	}
}

// ping is a sign of life that was sent.
type ping struct {
	cseq   int
	method string
	at     time.Time
}

// methods are the signs of life in turn. Some cameras count only GET_PARAMETER, some only
// OPTIONS, and what they say of themselves is often wrong: where both are known both are
// sent, often enough for each alone.
func (s *session) methods() []string {
	switch s.mem.Keepalive {
	case "options":
		return []string{"OPTIONS"}
	case "get_parameter":
		return []string{"GET_PARAMETER"}
	case "both":
		return []string{"GET_PARAMETER", "OPTIONS"}
	}
	if strings.Contains(s.public, "GET_PARAMETER") && !s.without("keepalive") {
		return []string{"GET_PARAMETER", "OPTIONS"}
	}
	return []string{"OPTIONS"}
}

// keepAlive sends signs of life and receiver reports until ctx ends.
func (s *session) keepAlive(ctx context.Context, methods []string) {
	every := min(max(s.timeout/3, keepaliveLeast), keepaliveMost)
	life := time.NewTicker(every)
	defer life.Stop()
	look := time.NewTicker(min(time.Second, s.o.ReadTimeout/4))
	defer look.Stop()
	turn, probed := 0, time.Time{}
	reported := s.o.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-life.C:
			s.ping(methods[turn%len(methods)])
			turn++
		case <-look.C:
			if heard := s.conn.Heard(); (s.speaks || !s.udp()) && time.Since(heard) > s.o.ReadTimeout/2 && heard != probed {
				probed = heard
				s.ping(methods[0])
			}
			if now := s.o.Now(); now.Sub(reported) >= reportEvery {
				reported = now
				s.reports(now)
			}
		}
	}
}

func (s *session) ping(method string) {
	cseq, err := s.conn.Send(method, s.base, nil)
	if err != nil {
		return // the reader sees it too
	}
	s.pings.Store(&ping{cseq: cseq, method: method, at: s.o.Now()})
}

// answered looks at the answer to a sign of life.
func (s *session) answered(m *dialog.Message) error {
	p := s.pings.Load()
	if p == nil || m.Header.Get("cseq") != strconv.Itoa(p.cseq) {
		return nil
	}
	s.pings.CompareAndSwap(p, nil)
	switch {
	case m.Status == 401:
		s.conn.Renew(m)
	case m.Status == 454:
		return s.fault(Ended, "read", "the camera has forgotten the session", nil)
	case m.Status >= 400 && p.method == "GET_PARAMETER":
		s.mem.Keepalive = "options" // from the next connection on
	case m.Status >= 400:
		s.mem.Keepalive = "get_parameter"
	}
	return nil
}

// learnFromEnd guesses from how a stream ended which sign of life the camera wants: one
// that ends the moment it is sent GET_PARAMETER does not know it, one that ends as its
// session runs out did not count OPTIONS.
func (s *session) learnFromEnd(err error) {
	if s.without("keepalive") || !s.play.begunNow() || errors.Is(err, dialog.ErrInterrupted) {
		return
	}
	now := s.o.Now()
	p := s.pings.Load()
	switch played := now.Sub(s.began); {
	case p != nil && p.method == "GET_PARAMETER" && ended(err) && now.Sub(p.at) < time.Second:
		s.mem.Keepalive = "options"
	case len(s.methods()) == 1 && s.mem.Keepalive != "get_parameter" && played > s.timeout*8/10 && played < s.timeout*5/2:
		s.mem.Keepalive = "both"
	}
	s.remember()
}

// reports sends a receiver report for each stream that comes by UDP: some cameras take
// their absence for ours.
func (s *session) reports(now time.Time) {
	if !s.udp() {
		return
	}
	s.play.mu.Lock()
	defer s.play.mu.Unlock()
	for i, st := range s.play.streams {
		if i >= len(s.pairs) || !st.heard {
			continue
		}
		highest := st.cycles + uint32(st.highest)
		block := rtcp.ReceptionReport{SSRC: st.ssrc, LastSequenceNumber: highest, LastSenderReport: uint32(st.report.NTP >> 16)}
		if expected := highest - st.first + 1; expected > st.received {
			block.TotalLost = min(expected-st.received, 1<<23-1)
		}
		if !st.reported.IsZero() {
			block.Delay = uint32(now.Sub(st.reported).Seconds() * 65536)
		}
		r := rtcp.ReceiverReport{SSRC: reporter + uint32(st.id), Reports: []rtcp.ReceptionReport{block}}
		if b, err := r.Marshal(); err == nil {
			s.pairs[i].Report(b)
		}
	}
}

// sunk is the fault of a sink that wants no more; a reader's own fault is what it is.
func (s *session) sunk(err error) error {
	var f *Fault
	if errors.As(err, &f) {
		f.Where = s.at.shown()
		return f
	}
	return s.fault(Sunk, "put", err.Error(), err)
}

// silent: nothing came for as long as one waits.
func silent(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
