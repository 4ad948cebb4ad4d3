package rtpout

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/line"
	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout/speech"
)

// unusedFor is how long ports are kept for a viewer who set them up and asks for nothing.
const unusedFor = 30 * time.Second

// Crypto is a master key and salt of AES_CM_128_HMAC_SHA1_80 (RFC 3711), 16 and 14 bytes.
type Crypto struct{ Key, Salt []byte }

// LogValue keeps keys out of logs.
func (Crypto) LogValue() slog.Value { return slog.StringValue("***") }

// String keeps keys out of errors.
func (Crypto) String() string { return "***" }

// Wish is what a controller told of where and how it wants to be sent to.
type Wish struct {
	// Local is our address on the connection to the controller, Peer the controller's.
	Local, Peer          netip.Addr
	VideoPort, AudioPort uint16
	// Video and Audio are the controller's keys. Both directions use them, as most
	// accessories do, so that every controller knows what to do with the answer.
	Video, Audio Crypto
	Log          *slog.Logger     // nil: nothing is logged
	Now          func() time.Time // nil: time.Now
}

// Open binds both ports and chooses numbers. A session that is not started within 30 s ends
// by itself.
func Open(w Wish) (*Session, error) {
	if w.Log == nil {
		w.Log = slog.New(slog.DiscardHandler)
	}
	if w.Now == nil {
		w.Now = time.Now
	}
	w.Local, w.Peer = w.Local.Unmap(), w.Peer.Unmap()
	switch {
	case !w.Local.IsValid() || !w.Peer.IsValid():
		return nil, errors.New("rtp: open: an address is missing")
	case w.Local.Is4() != w.Peer.Is4():
		return nil, errors.New("rtp: open: addresses are of two versions of IP")
	case w.VideoPort == 0:
		return nil, errors.New("rtp: open: there is no port to send the picture to")
	case w.Peer.IsUnspecified() || w.Peer.IsMulticast():
		return nil, errors.New("rtp: open: the address to send to is nobody's")
	}
	// A link's own address means nothing without the link, which no controller can name.
	if w.Peer.IsLinkLocalUnicast() && w.Peer.Zone() == "" {
		w.Peer = w.Peer.WithZone(w.Local.Zone())
	}
	ssrcs, err := numbers()
	if err != nil {
		return nil, err
	}
	s := &Session{log: w.Log, now: w.Now, keys: [2]Crypto{w.Video, w.Audio},
		done: make(chan struct{}), wake: make(chan struct{}, 1), opened: w.Now()}
	if s.video, err = line.Open("video", w.Local, netip.AddrPortFrom(w.Peer, w.VideoPort), w.Video.Key, w.Video.Salt, ssrcs[0]); err != nil {
		return nil, err
	}
	if s.audio, err = line.Open("audio", w.Local, netip.AddrPortFrom(w.Peer, w.AudioPort), w.Audio.Key, w.Audio.Salt, ssrcs[1]); err != nil {
		s.video.Close(false)
		return nil, err
	}
	s.run()
	return s, nil
}

// numbers are two SSRCs that differ.
func numbers() ([2]uint32, error) {
	var b [8]byte
	for {
		if _, err := crand.Read(b[:]); err != nil {
			return [2]uint32{}, fmt.Errorf("rtp: open: %w", err)
		}
		v, a := binary.BigEndian.Uint32(b[:4]), binary.BigEndian.Uint32(b[4:])
		if v != a && v != 0 && a != 0 {
			return [2]uint32{v, a}, nil
		}
	}
}

// Ports that the session listens on, each for RTP and RTCP.
func (s *Session) Ports() (video, audio uint16) {
	return s.video.Port(), s.audio.Port()
}

// SSRCs that the session sends by.
func (s *Session) SSRCs() (video, audio uint32) { return s.video.SSRC(), s.audio.SSRC() }

// Keys that the session encrypts with.
func (s *Session) Keys() (video, audio Crypto) { return s.keys[0], s.keys[1] }

// run starts what belongs to the session; finish is the last of it.
func (s *Session) run() {
	ctx, cancel := context.WithCancelCause(context.Background())
	s.cancel = cancel
	s.feed = newFeed(ctx, s.log)
	s.talk = speech.New(ctx, speech.Options{Log: s.log, Now: s.now, Nudge: s.nudge, Heard: s.audio.Received})
	s.work.Go(func() { s.listen(ctx, s.video) })
	s.work.Go(func() { s.listen(ctx, s.audio) })
	s.work.Go(func() { s.tend(ctx) })
	go s.finish(ctx)
}

// finish takes the session down when ctx has ended. It is a goroutine, and the owner of all
// others.
func (s *Session) finish(ctx context.Context) {
	<-ctx.Done()
	s.mu.Lock()
	s.state = ended
	started := s.started
	s.mu.Unlock()
	s.video.Close(started)
	s.audio.Close(started && s.sound)
	s.feed.close()
	s.talk.Close()
	s.work.Wait()
	close(s.done)
}
