package speech

import (
	"context"
	"errors"
	"log/slog"
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

var errNoDoor = errors.New("no door")

// Door is where speech goes; *av.Publisher is one. Write does not wait.
type Door interface {
	Write(ctx context.Context, u *av.Unit) error
	Close() error
}

// Options of New.
type Options struct {
	Log *slog.Logger
	Now func() time.Time
	// Nudge asks for a Look soon.
	Nudge func()
	// Heard is told of each packet of speech, for reports; true: of somebody new.
	Heard func(h *rtp.Header, now time.Time) bool
}

// Start is what speech looks like, and where it goes.
type Start struct {
	PT, ComfortPT uint8 // ComfortPT: of packets that say: silence; 0: none
	Rate          int   // RTP clock
	// Open opens the way to the door. nil: nobody listens.
	Open func(ctx context.Context, t av.Track) (Door, error)
	// Muted reports whether speech does not pass now.
	Muted func() bool
}

// Stats of a Talker: packets of speech, those that did not come, those that are no Opus.
type Stats struct {
	Heard, Missed, Odd uint64
	Talking            bool
}

// Talker takes the viewer's speech to the door. The way there is opened by the first voice.
type Talker struct {
	ctx context.Context
	o   Options

	mu      sync.Mutex
	work    sync.WaitGroup
	start   Start
	begun   bool // there is a start
	line    reorder
	room    [][]byte
	door    Door // nil: not open
	opening bool
	closed  bool
	paused  bool
	kept    []*av.Unit // while opening
	sound   time.Time  // when the last sound came
	voice   time.Time  // when the last voice came
	blocked time.Time  // not to be tried before
	stats   Stats
}

// New makes a talker that lasts as long as ctx, and until Close.
func New(ctx context.Context, o Options) *Talker { return &Talker{ctx: ctx, o: o} }

// Begin lets the viewer speak.
func (t *Talker) Begin(st Start) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.start, t.begun = st, true
	t.line.rate = st.Rate
}

// Take is one packet of the viewer; payload is not kept.
func (t *Talker) Take(h *rtp.Header, payload []byte, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.begun || t.closed || t.paused || h.PayloadType != t.start.PT || len(payload) == 0 ||
		t.start.ComfortPT != 0 && h.PayloadType == t.start.ComfortPT {
		return // silence, or nothing that was agreed
	}
	t.stats.Heard++
	if t.o.Heard(h, now) {
		t.o.Nudge() // who speaks is told how it is heard
	}
	t.line.push(h, payload, now)
	t.drain(now)
	if len(t.line.wait) == 1 {
		t.o.Nudge() // to look when its time is over
	}
}

// drain says what is in order now; the lock is held.
func (t *Talker) drain(now time.Time) {
	for {
		p, ok := t.line.pop(now)
		if !ok {
			return
		}
		t.say(p, now)
	}
}

// say hands on one packet, in pieces of one frame; the lock is held.
func (t *Talker) say(p spoken, now time.Time) {
	packet, err := frames.Split(p.payload, t.room)
	t.room = packet.Frames
	if err != nil {
		t.stats.Odd++
		return
	}
	if p.gap {
		t.stats.Missed++
	}
	if t.start.Open == nil || t.start.Muted != nil && t.start.Muted() {
		return
	}
	if !packet.Silent() {
		t.sound = now
	}
	if packet.Voice() {
		t.voice = now
		t.begin(now)
	}
	if t.door == nil && !t.opening {
		return
	}
	pts := t.line.pts(p, packet.Duration())
	for i, f := range packet.Frames {
		at := pts + av.Ticks(time.Duration(i)*packet.Frame, talkClock)
		t.unit(&av.Unit{Track: 1, PTS: at, DTS: at, Wall: now, Discontinuity: p.gap && i == 0,
			Data: frames.Join(nil, packet.Config, [][]byte{f})})
	}
}

func (t *Talker) unit(u *av.Unit) {
	if t.door == nil {
		if len(t.kept) == keepMost {
			t.kept[0] = nil
			t.kept = t.kept[1:]
		}
		t.kept = append(t.kept, u)
		return
	}
	if err := t.door.Write(t.ctx, u); err != nil {
		t.o.Log.Info("the door takes no more speech", "error", err)
		t.blocked = u.Wall.Add(againAfter)
		t.hang()
	}
}

// begin opens the way to the door; the lock is held.
func (t *Talker) begin(now time.Time) {
	if t.door != nil || t.opening || now.Before(t.blocked) || t.ctx.Err() != nil {
		return
	}
	t.opening, t.kept = true, nil
	open := t.start.Open
	t.work.Go(func() {
		w, err := open(t.ctx, av.OpusTrack(1, 1))
		if err == nil && w == nil {
			err = errNoDoor
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.opening = false
		kept := t.kept
		t.kept = nil
		switch {
		case err != nil:
			t.blocked = t.o.Now().Add(againAfter)
			if t.ctx.Err() == nil {
				t.o.Log.Warn("the viewer speaks and the door does not listen", "error", err)
			}
			return
		case t.closed:
			t.door = w
			t.hang()
			return
		}
		t.door = w
		for _, u := range kept {
			if t.door != nil {
				t.unit(u)
			}
		}
		t.o.Nudge()
	})
}

// hang closes the way to the door; the lock is held. Closing may take a while.
func (t *Talker) hang() {
	w := t.door
	t.door = nil
	if w != nil {
		t.work.Go(func() { _ = w.Close() })
	}
}

// Look closes the way to the door after a silence, or while nothing plays, says what waits
// behind packets that do not come, and tells when to look again; 0: when speech comes.
func (t *Talker) Look(now time.Time, plays bool) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.paused = !plays
	if plays && t.begun && !t.closed {
		t.drain(now)
	}
	behind := t.line.left(now)
	switch {
	case t.door == nil:
		return behind
	case !plays || now.Sub(t.sound) >= quietFor || now.Sub(t.voice) >= whisperFor:
		t.hang()
		return behind
	case behind > 0:
		return behind
	}
	return lookEvery
}

// Stats so far.
func (t *Talker) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := t.stats
	out.Talking = t.door != nil
	return out
}

// Close ends speech, and returns when the door has been told.
func (t *Talker) Close() {
	t.mu.Lock()
	t.closed = true
	t.hang()
	t.mu.Unlock()
	t.work.Wait()
}
