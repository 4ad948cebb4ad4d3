package rtpout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/line"
	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/speech"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Why a session ended; Err has one of them in its chain.
var (
	ErrClosed  = errors.New("ended here")
	ErrUnused  = errors.New("set up and not used")
	ErrGoodbye = errors.New("the viewer has left")
	ErrSilent  = errors.New("nothing is heard of the viewer")
	ErrSource  = errors.New("the camera's stream has ended")
	// ErrState is what Start and the others return when it is not their turn.
	ErrState = errors.New("rtp: not in this state")
)

// Units is where picture and sound come from; *av.Reader is one.
type Units interface {
	Next(ctx context.Context) (*av.Unit, error)
	Track(id uint8) (av.Track, bool)
	Rendition() string
	Close() error
}

// Speech is where the viewer's speech goes; *av.Publisher is one. Write does not wait.
type Speech = speech.Door

// VideoParams are what the controller selected for the picture.
type VideoParams struct {
	PT   uint8
	SSRC uint32 // the controller's own
	Kbps int
	// RTCP is how often reports are sent; 0: each 0.5 s.
	RTCP time.Duration
	// MTU bounds datagrams, together with what HomeKit's networks carry; 0: no wish.
	MTU                int
	Width, Height, FPS int
	// Level is the highest level_idc that parameter sets may name; 0: any. One that is
	// higher there, because the camera writes always the same, is replaced.
	Level uint8
}

// AudioParams are what the controller selected for the sound, which is Opus.
type AudioParams struct {
	PT   uint8
	SSRC uint32 // the controller's own
	Kbps int
	// Rate is the RTP clock, the one asked for and not Opus's 48000: 16000 or 24000.
	Rate      int
	Packet    time.Duration // of sound in each packet; 0: 20 ms
	RTCP      time.Duration // 0: 5 s
	ComfortPT uint8         // of packets that say: silence; 0: none
}

// Start is what a stream is made of. Its functions are called by the session's goroutines
// and have to return soon after their ctx has ended.
type Start struct {
	Video VideoParams
	Audio *AudioParams // nil: no sound
	// Open is asked for picture and sound from the newest key frame on, at the beginning, after
	// a pause, when a stream ended, and when the viewer needs a key frame and none comes.
	Open func(ctx context.Context) (Units, error)
	// KeyFrame asks the camera for one. nil or an error: it cannot.
	KeyFrame func(ctx context.Context) error
	// Talk opens the way to the door; it is called with the first speech that is heard, and
	// again after a silence. nil: nobody listens.
	Talk func(ctx context.Context, t av.Track) (Speech, error)
	// Muted tells what of the sound does not pass now; nil: all does.
	Muted func() (mic, speaker bool)
}

func (s Start) speakerMuted() bool {
	if s.Muted == nil {
		return false
	}
	_, speaker := s.Muted()
	return speaker
}

// state of a session.
type state uint8

const (
	waiting state = iota
	playing
	suspended
	ended
)

// Session is one viewer. Its methods may be called at once by many; none of them may be
// called from a function of Start.
type Session struct {
	log          *slog.Logger
	now          func() time.Time
	keys         [2]Crypto
	video, audio *line.Line
	opened       time.Time

	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	wake   chan struct{} // size 1: "look at when the next report is due"
	done   chan struct{} // closed when nothing is left
	feed   *feed
	talk   *speech.Talker
	clock  timeline
	keyAsk asked

	mu      sync.Mutex
	state   state
	started bool
	sound   bool
	start   Start
	err     error

	heard atomic.Int64 // when the viewer was heard last, Unix nanoseconds
	count counts
}

// Start begins to send. It returns at once; what goes wrong later ends the session.
func (s *Session) Start(st Start) error {
	if st.Open == nil {
		return errors.New("rtp: start: there is nothing to open")
	}
	if st.Video.SSRC != 0 && (st.Video.SSRC == s.video.SSRC() || st.Audio != nil && st.Audio.SSRC == s.audio.SSRC()) {
		// Two senders of one number and one key would show what both have said.
		return errors.New("rtp: start: the viewer has chosen our number")
	}
	if st.Audio != nil {
		a := st.Audio.fixed()
		st.Audio = &a
		if a.Rate < 8000 || a.Rate > 48000 {
			return fmt.Errorf("rtp: start: a clock of %d", a.Rate)
		}
	}
	st.Video = st.Video.fixed()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != waiting {
		return fmt.Errorf("%w: start", ErrState)
	}
	s.video.Begin(st.Video.PT, av.ClockVideo, st.Video.RTCP)
	s.video.Limit(st.Video.MTU)
	if st.Audio != nil && s.audio.Used() {
		s.sound = true
		s.audio.Begin(st.Audio.PT, uint32(st.Audio.Rate), st.Audio.RTCP)
		s.audio.Limit(st.Video.MTU)
		s.talk.Begin(speech.Start{PT: st.Audio.PT, ComfortPT: st.Audio.ComfortPT, Rate: st.Audio.Rate, Open: st.Talk, Muted: st.speakerMuted})
	}
	s.heard.Store(s.now().UnixNano())
	s.state, s.started, s.start = playing, true, st
	s.count.since = s.now()
	s.work.Go(s.play)
	s.feed.open(st.Open, first)
	s.nudge()
	return nil
}

// Reconfigure takes other parameters for the picture, of which 0 means: as before. open, if
// it is not nil, replaces Open; what plays goes on until the new one is there.
func (s *Session) Reconfigure(v VideoParams, open func(ctx context.Context) (Units, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != playing && s.state != suspended {
		return fmt.Errorf("%w: reconfigure", ErrState)
	}
	s.start.Video = s.start.Video.merged(v)
	s.video.Every(s.start.Video.RTCP)
	s.video.Limit(s.start.Video.MTU)
	s.audio.Limit(s.start.Video.MTU)
	if open != nil {
		s.start.Open = open
		if s.state == playing {
			s.feed.open(open, other)
		}
	}
	s.nudge()
	return nil
}

// Suspend stops sending and gives the source back; the ports stay.
func (s *Session) Suspend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != playing {
		return
	}
	s.state = suspended
	s.feed.stop()
	s.nudge()
}

// Resume begins again, with a key frame.
func (s *Session) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != suspended {
		return
	}
	s.state = playing
	s.heard.Store(s.now().UnixNano())
	s.feed.open(s.start.Open, first)
	s.nudge()
}

// Close ends the session for a reason of ours, says goodbye to the viewer, and returns when
// nothing is left; only a door that does not take the end of a speech makes it wait, for 2 s.
func (s *Session) Close(reason string) {
	s.end(fmt.Errorf("%w: %s", ErrClosed, reason))
	<-s.done
}

// Done is closed when the session has ended and nothing of it is left.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is why it ended; nil while it lasts.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// end begins the end. The first reason counts.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
		s.state = ended
	}
	s.mu.Unlock()
	s.cancel(err)
}

func (s *Session) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// now playing, and what.
func (s *Session) playing() (Start, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start, s.state == playing
}
