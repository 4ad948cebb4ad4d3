package whep

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// reorderFor is how long a packet that is missing is waited for.
	reorderFor = 60 * time.Millisecond
	// reorderMost packets wait behind one that is missing; they have 20 ms each.
	reorderMost = 16
)

// errSpeech: what the caller asked for is not there.
var errSpeech = errors.New("webrtc: this session has no sound from the page")

// speech is the sound from one page. Nobody listens to it until it is asked for.
type speech struct {
	x *session

	mu    sync.Mutex
	codec av.Codec // of the first packets; empty: none has come
	put   func(*av.Unit) error
	round uint64 // counts who listens
	ended bool
	line  reorder
}

func newSpeech(x *session) *speech { return &speech{x: x} }

// speechTrack is what comes from the page.
func speechTrack(c av.Codec) av.Track {
	if c == av.PCMU {
		return av.PCMTrack(1, av.PCMU, 8000, 1)
	}
	return av.OpusTrack(1, 1)
}

// hear takes the page's packets until the connection ends. It is a goroutine of pion's.
func (s *speech) hear(t *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
	codec := av.Opus
	if strings.EqualFold(t.Codec().MimeType, webrtc.MimeTypePCMU) {
		codec = av.PCMU
	}
	s.mu.Lock()
	s.codec = codec
	s.mu.Unlock()
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		s.take(p, time.Now())
	}
}

// take hands over what is in order now.
func (s *speech) take(p *rtp.Packet, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.put == nil || s.ended {
		return
	}
	for _, u := range s.line.push(p, now) {
		if err := s.put(u); err != nil {
			s.put = nil
			return
		}
	}
}

// to begins handing over.
func (s *speech) to(put func(*av.Unit) error) (stop func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, errSpeech
	}
	s.round++
	round := s.round
	s.put, s.line = put, reorder{}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.round == round {
			s.put = nil
		}
	}, nil
}

func (s *speech) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put, s.ended = nil, true
}

// reorder puts packets in order: one that is missing is waited for 60 ms, and one that
// comes later than that is dropped.
type reorder struct {
	begun  bool
	next   uint16        // number of the next packet to go
	wait   []*rtp.Packet // behind a gap, rising
	since  time.Time     // when the gap was seen
	lastTS uint32
	pts    int64
	gap    bool // the next unit follows a gap
}

func (r *reorder) push(p *rtp.Packet, now time.Time) (out []*av.Unit) {
	if len(p.Payload) == 0 {
		return nil // comfort of some stacks: nothing is said
	}
	if !r.begun {
		r.begun, r.next, r.lastTS = true, p.SequenceNumber, p.Timestamp
	}
	if int16(p.SequenceNumber-r.next) < 0 {
		return nil // too late, or twice
	}
	i := len(r.wait)
	for i > 0 && int16(p.SequenceNumber-r.wait[i-1].SequenceNumber) < 0 {
		i--
	}
	if i > 0 && r.wait[i-1].SequenceNumber == p.SequenceNumber {
		return nil
	}
	if len(r.wait) == 0 {
		r.since = now
	}
	r.wait = append(r.wait, nil)
	copy(r.wait[i+1:], r.wait[i:])
	r.wait[i] = p
	for len(r.wait) > 0 {
		first := r.wait[0]
		if first.SequenceNumber != r.next {
			if now.Sub(r.since) < reorderFor && len(r.wait) < reorderMost {
				break
			}
			r.gap = true
		}
		out = append(out, r.unit(first))
		r.next = first.SequenceNumber + 1
		r.wait[0] = nil
		r.wait = r.wait[1:]
		r.since = now
	}
	return out
}

func (r *reorder) unit(p *rtp.Packet) *av.Unit {
	r.pts += int64(int32(p.Timestamp - r.lastTS))
	r.lastTS = p.Timestamp
	u := &av.Unit{Track: 1, PTS: r.pts, DTS: r.pts, Data: p.Payload, Discontinuity: r.gap}
	r.gap = false
	return u
}

// Speech hands the sound of the page of session id to put, from now until stop is called,
// put fails, or the session ends. Only who has the session's key gets it, and only if the
// viewer may talk. put is called by one goroutine and must return soon.
func (s *Server) Speech(id, key string, put func(*av.Unit) error) (av.Track, func(), error) {
	x := s.session(id)
	if x == nil || x.viewer.Key != key {
		return av.Track{}, nil, sessionFault()
	}
	if x.speech == nil {
		return av.Track{}, nil, speechFault()
	}
	stop, err := x.speech.to(put)
	if err != nil {
		return av.Track{}, nil, sessionFault()
	}
	return speechTrack(x.speechCodec()), stop, nil
}

// speechCodec is what the page sends, or will send: the first in the answer.
func (x *session) speechCodec() av.Codec {
	x.speech.mu.Lock()
	defer x.speech.mu.Unlock()
	if x.speech.codec != "" {
		return x.speech.codec
	}
	if strings.EqualFold(x.choice.Speech[0].MimeType, webrtc.MimeTypePCMU) {
		return av.PCMU
	}
	return av.Opus
}
