package restream

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// speechPause ends speech that goes on later as a new one: a recorder holds the back
	// channel open and rarely speaks, and must keep nobody else from the door.
	speechPause = 3 * time.Second
	// speechAgain is the pause after which somebody who was refused may begin.
	speechAgain = 2 * time.Second
	// maxSpeech is the longest packet: 200 ms.
	maxSpeech = 1600
	// heldSpeech is how many packets are kept while the door is asked, half a second of the
	// usual ones: what is older would only make the rest late.
	heldSpeech = 25
)

// speechFormats is what the back channel takes: the two that every program can make.
func speechFormats() []format.Format {
	return []format.Format{
		&format.G711{PayloadTyp: 0, MULaw: true, SampleRate: 8000, ChannelCount: 1},
		&format.G711{PayloadTyp: 8, SampleRate: 8000, ChannelCount: 1},
	}
}

// speech is a reader's back channel. It begins with the first packet.
type speech struct {
	s      *session
	index  int
	ctx    context.Context // until the reader has gone
	cancel context.CancelFunc

	mu      sync.Mutex
	pt      uint8
	asking  bool       // the door is asked whether it listens
	held    []*av.Unit // what was said meanwhile; at most heldSpeech
	put     func(*av.Unit) error
	stop    func(reason string)
	quiet   time.Time // when the last packet came
	retry   time.Time // not before
	refused string
	over    bool
	first   uint32 // time stamp that is 0
}

// listen makes the back channel; a response says no.
func (s *session) listen() *base.Response {
	t, who := s.c.s.o.Talk, s.who.Viewer
	camera := s.feed.Camera
	if t == nil || !who.MayTalk || !t.Takes(camera) {
		return refusal(base.StatusForbidden, noTalk{})
	}
	if err := t.Busy(camera, s.who.ID); err != nil {
		return refusal(base.StatusNotEnoughBandwidth, err)
	}
	if s.speech == nil { // else its sockets could not be had the last time
		p := &speech{s: s, index: len(s.feed.Packers())}
		p.ctx, p.cancel = context.WithCancel(s.c.s.ctx)
		s.speech = p
	}
	return nil
}

// take hands a packet on, and begins to speak if it is the first.
func (p *speech) take(b []byte) {
	var packet rtp.Packet
	if len(b) > maxSpeech || packet.Unmarshal(b) != nil || packet.PayloadType != 0 && packet.PayloadType != 8 || len(packet.Payload) == 0 {
		return
	}
	now := p.s.c.s.o.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.put != nil && (p.pt != packet.PayloadType || now.Sub(p.quiet) > speechPause) {
		p.hush("it paused")
	}
	if p.over || now.Before(p.retry) {
		return
	}
	if p.put == nil && !p.asking {
		p.ask(packet.PayloadType, packet.Timestamp)
	}
	if p.pt != packet.PayloadType {
		return // the door is asked for the other form
	}
	p.quiet = now
	at := int64(packet.Timestamp - p.first)
	p.say(&av.Unit{Track: 1, Key: true, PTS: at, DTS: at, Wall: now, Data: append([]byte(nil), packet.Payload...)})
}

// say hands a unit on, or keeps it for the door that is asked; p is locked.
func (p *speech) say(u *av.Unit) {
	if p.asking {
		if len(p.held) == heldSpeech {
			p.held = slices.Delete(p.held, 0, 1)
		}
		p.held = append(p.held, u)
		return
	}
	if err := p.put(u); err != nil {
		p.hush(err.Error())
		p.refused, p.retry = err.Error(), p.s.c.s.o.Now().Add(speechAgain)
	}
}

// ask begins to speak, beside the packets: a door may take seconds until it listens, and
// who looks after the readers, or at them, is not to wait for that. p is locked.
func (p *speech) ask(pt uint8, first uint32) {
	p.asking, p.pt, p.first = true, pt, first
	p.s.c.s.wg.Go(func() { p.open(pt) })
}

// open waits for the door, and says what was kept for it.
func (p *speech) open(pt uint8) {
	codec := av.PCMU
	if pt == 8 {
		codec = av.PCMA
	}
	c := p.s.c
	put, stop, err := c.s.o.Talk.Open(p.ctx, p.s.feed.Camera, p.s.who.Viewer.Name, p.s.who.ID, av.PCMTrack(1, codec, 8000, 1))
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held
	p.asking, p.held = false, nil
	switch {
	case p.over && err == nil:
		stop("the reader has gone")
	case p.over:
	case err != nil:
		p.refused, p.retry = err.Error(), c.s.o.Now().Add(speechAgain)
		c.s.log.Info("speech refused", "camera", p.s.feed.Camera, "who", p.s.who.Viewer.Name, "err", err)
	default:
		p.put, p.stop, p.refused = put, stop, ""
		for _, u := range held {
			if p.put != nil {
				p.say(u)
			}
		}
	}
}

func (p *speech) hush(reason string) {
	if p.put != nil {
		p.stop(reason)
		p.put, p.stop = nil, nil
	}
}

// silent ends speech that has paused.
func (p *speech) silent(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.quiet) > speechPause {
		p.hush("it paused")
	}
}

func (p *speech) end(reason string) {
	p.cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.hush(reason)
}

// state is whether it speaks, or why it may not.
func (p *speech) state() (speaks bool, refused string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.put != nil, p.refused
}

type noTalk struct{}

func (noTalk) Error() string { return "this password may not talk, or the camera takes no speech" }
func (noTalk) Code() string  { return "E-RESTREAM-TALK" }
func (noTalk) Hint() string {
	return "Make a stream password that may: porchlight streams new NAME --talk."
}
