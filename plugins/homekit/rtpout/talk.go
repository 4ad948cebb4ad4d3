package rtpout

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/frames"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// talkClock is the clock of Opus on the media socket.
	talkClock = 48000
	// quietFor is after how long without any sound the way to the door is closed, so that
	// somebody else can talk; whisperFor the same while sound comes that is no voice.
	quietFor   = 5 * time.Second
	whisperFor = 30 * time.Second
	// againAfter is how long a door that could not be reached is left alone.
	againAfter = 3 * time.Second
	// keepMost units of speech are kept while the way to the door opens: what is older than
	// that would make all that follows late. They have 20 ms or a little more.
	keepMost = 20
	// lookEvery is how often a talk is looked at while it lasts.
	lookEvery = time.Second
)

var errMuted = errors.New("muted")

// talker takes the viewer's speech to the door. The way there is opened by the first voice.
type talker struct {
	ctx context.Context
	s   *Session

	mu      sync.Mutex
	work    sync.WaitGroup
	line    reorder
	room    [][]byte
	speech  Speech // nil: not open
	opening bool
	closed  bool
	kept    []*av.Unit // while opening
	sound   time.Time  // when the last sound came
	voice   time.Time  // when the last voice came
	blocked time.Time  // not to be tried before
	missed  uint64
}

func newTalker(ctx context.Context, s *Session) *talker { return &talker{ctx: ctx, s: s} }

// take is one packet of the viewer; payload is not kept.
func (t *talker) take(h *rtp.Header, payload []byte, now time.Time) {
	st, ok := t.s.playing()
	if !ok || st.Audio == nil {
		return
	}
	if st.Audio.ComfortPT != 0 && h.PayloadType == st.Audio.ComfortPT || h.PayloadType != st.Audio.PT || len(payload) == 0 {
		return // silence, or nothing that was agreed
	}
	t.s.count.heard.Add(1)
	if t.s.audio.received(h, now) {
		t.s.nudge() // who speaks is told how it is heard
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return
	}
	if t.line.rate == 0 {
		t.line.rate = st.Audio.Rate
	}
	t.line.push(h, payload, now)
	t.drain(st, now)
	if len(t.line.wait) == 1 {
		t.s.nudge() // to look when its time is over
	}
}

// drain says what is in order now; the lock is held.
func (t *talker) drain(st Start, now time.Time) {
	for {
		p, ok := t.line.pop(now)
		if !ok {
			return
		}
		t.say(st, p, now)
	}
}

// say hands on one packet, in pieces of one frame; the lock is held.
func (t *talker) say(st Start, p spoken, now time.Time) {
	packet, err := frames.Split(p.payload, t.room)
	t.room = packet.Frames
	if err != nil {
		t.s.count.odd.Add(1)
		return
	}
	if p.gap {
		t.missed++
	}
	muted := false
	if st.Muted != nil {
		_, muted = st.Muted()
	}
	if muted || st.Talk == nil {
		return
	}
	if !packet.Silent() {
		t.sound = now
	}
	if packet.Voice() {
		t.voice = now
		t.begin(st, now)
	}
	if t.speech == nil && !t.opening {
		return
	}
	pts := t.line.pts(p, packet.Duration())
	for i, f := range packet.Frames {
		at := pts + av.Ticks(time.Duration(i)*packet.Frame, talkClock)
		t.unit(&av.Unit{Track: 1, PTS: at, DTS: at, Wall: now, Discontinuity: p.gap && i == 0,
			Data: frames.Join(nil, packet.Config, [][]byte{f})})
	}
}

func (t *talker) unit(u *av.Unit) {
	if t.speech == nil {
		if len(t.kept) == keepMost {
			t.kept[0] = nil
			t.kept = t.kept[1:]
		}
		t.kept = append(t.kept, u)
		return
	}
	if err := t.speech.Write(t.ctx, u); err != nil {
		t.s.log.Info("the door takes no more speech", "error", err)
		t.blocked = u.Wall.Add(againAfter)
		t.hang()
	}
}

// begin opens the way to the door; the lock is held.
func (t *talker) begin(st Start, now time.Time) {
	if t.speech != nil || t.opening || now.Before(t.blocked) || t.ctx.Err() != nil {
		return
	}
	t.opening, t.kept = true, nil
	t.work.Go(func() {
		w, err := st.Talk(t.ctx, av.OpusTrack(1, 1))
		if err == nil && w == nil {
			err = errMuted
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.opening = false
		kept := t.kept
		t.kept = nil
		switch {
		case err != nil:
			t.blocked = t.s.now().Add(againAfter)
			if t.ctx.Err() == nil {
				t.s.log.Warn("the viewer speaks and the door does not listen", "error", err)
			}
			return
		case t.closed:
			t.speech = w
			t.hang()
			return
		}
		t.speech = w
		for _, u := range kept {
			if t.speech != nil {
				t.unit(u)
			}
		}
		t.s.nudge()
	})
}

// hang closes the way to the door; the lock is held. Closing may take a while.
func (t *talker) hang() {
	w := t.speech
	t.speech = nil
	if w != nil {
		t.work.Go(func() { _ = w.Close() })
	}
}

// look closes the way to the door after a silence, says what waits behind packets that do not
// come, and tells when to look again; 0: when speech comes.
func (t *talker) look(now time.Time) time.Duration {
	st, playing := t.s.playing()
	t.mu.Lock()
	defer t.mu.Unlock()
	if playing && !t.closed {
		t.drain(st, now)
	}
	behind := t.line.left(now)
	if t.speech == nil {
		return behind
	}
	if !playing || now.Sub(t.sound) >= quietFor || now.Sub(t.voice) >= whisperFor {
		t.hang()
		return behind
	}
	if behind > 0 {
		return behind
	}
	return lookEvery
}

func (t *talker) stats() (missed uint64, talking bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.missed, t.speech != nil
}

// close ends speech, and returns when the door has been told.
func (t *talker) close() {
	t.mu.Lock()
	t.closed = true
	t.hang()
	t.mu.Unlock()
	t.work.Wait()
}
