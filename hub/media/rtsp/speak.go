package rtsp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp/dialog"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp/sdp"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp/units"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// backChannel is what a client names that knows of it (ONVIF Streaming Specification 5.3).
const backChannel = "www.onvif.org/ver20/backchannel"

// Speech is what is said to a camera.
type Speech struct {
	Track av.Track // one of those that the camera's description offers for talk
	// Next waits for the next unit; io.EOF ends the talk. It is called by one goroutine.
	Next func(ctx context.Context) (*av.Unit, error)
	// Ready, if set, is called once, when the camera listens.
	Ready func()
}

// Speak brings speech to the loudspeaker of a camera, over a connection of its own, so
// that its pictures are not touched. It returns nil when the speech is at its end, ctx's
// error if ctx is done, else a *Fault: Busy where the camera talks with somebody else,
// NoTalk where it has no back channel.
func Speak(ctx context.Context, t Target, sp Speech, o Options) error {
	o.Talk = true
	o.Memory.NoTalk = false // what it refused once it may know by now
	s, fault := newSession(t, o)
	if fault != nil {
		return fault
	}
	s.speaks = true
	m := &mouth{s: s, sp: sp}
	s.play.sink = m
	err := s.attempt(ctx, m.once)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// mouth speaks on a session.
type mouth struct {
	s      *session
	sp     Speech
	media  sdp.Media
	format sdp.Format
	pair   *dialog.Pair // nil: interleaved, on ch
	ch     int
}

// Begin, SetTrack and Put make it a Sink that is given nothing.
func (*mouth) Begin([]av.Track) error  { return nil }
func (*mouth) SetTrack(av.Track) error { return nil }
func (*mouth) Put(*av.Unit) error      { return nil }

// once speaks over one connection.
func (m *mouth) once(ctx context.Context) (err error) {
	s := m.s
	if err := s.dial(ctx); err != nil {
		return err
	}
	conn := s.conn
	stop := context.AfterFunc(ctx, conn.Interrupt)
	defer stop()
	defer conn.Close()
	for _, step := range []func() error{s.options, s.describe, m.choose} {
		if err := step(); err != nil {
			return err
		}
	}
	defer s.closePairs()
	defer func() { s.leave(err) }()
	if err := m.setup(); err != nil {
		return err
	}
	if err := m.start(); err != nil {
		return err
	}
	if s.mem.Version = memoryVersion; s.o.Remember != nil && !s.mem.equal(s.o.Memory) {
		s.o.Remember(s.mem)
	}
	if m.sp.Ready != nil {
		m.sp.Ready()
	}
	return m.speak(ctx)
}

// choose finds the section of the back channel, and in it the format of the speech.
func (m *mouth) choose() error {
	s := m.s
	var offers []string
	for _, md := range s.desc.Medias {
		if !md.Talk || md.Kind != "audio" {
			continue
		}
		for _, f := range md.Formats {
			t, ok := talkTrack(f)
			if ok && !md.Secure && t.Codec == m.sp.Track.Codec && t.ClockRate == m.sp.Track.ClockRate {
				m.media, m.format = md, f
				return nil
			}
			offers = append(offers, f.Name)
		}
	}
	if len(offers) > 0 {
		return s.fault(NoTalk, "describe", fmt.Sprintf("the camera does not take %s any more, it takes %v", m.sp.Track.Codec, offers), nil)
	}
	return s.fault(NoTalk, "describe", "the camera offers no back channel for speech", nil)
}

// setup asks for the back channel alone; cameras that want all that they send played beside
// it are given that. GStreamer's server is one, and does not say so: it takes the speech, and
// whether it is heard is a matter of luck.
func (m *mouth) setup() error {
	s := m.s
	if strings.Contains(strings.ToLower(s.conn.Server), "gstreamer") && !s.without("talk_video") {
		s.mem.TalkVideo = true
	}
	n := 0
	for _, md := range s.desc.Medias {
		if !s.mem.TalkVideo || md.Talk || md.Secure {
			continue
		}
		if _, _, err := m.setupOne(md, n, nil); err != nil {
			return err
		}
		n++
	}
	ids, pair, err := m.setupOne(m.media, n, dialog.Header{"Require": {backChannel}})
	if err != nil {
		return m.otherwise(err)
	}
	m.ch, m.pair = ids, pair
	return nil
}

// otherwise tries with all that it sends where the back channel alone is refused.
func (m *mouth) otherwise(err error) error {
	s := m.s
	var f *Fault
	if !asFault(err, &f) || f.Status < 400 || slices.Contains([]int{401, 403, 453, 461}, f.Status) || s.without("talk_video") {
		return err
	}
	if !s.mem.TalkVideo {
		s.mem.TalkVideo = true
		return &again{"it wants what it sends played beside the speech"}
	}
	s.mem.TalkVideo = s.o.Memory.TalkVideo // that was not it
	f.Kind, f.Why = Busy, fmt.Sprintf("the camera lets nobody talk now (%d)", f.Status)
	return err
}

// setupOne asks for one section and answers where it is to be sent.
func (m *mouth) setupOne(md sdp.Media, n int, more dialog.Header) (channel int, pair *dialog.Pair, err error) {
	s := m.s
	asked, pair, err := s.transport(n)
	if err != nil {
		return 0, nil, s.fault(Protocol, "setup", err.Error(), err)
	}
	answer, err := s.ask(md.Control, asked, more)
	if err != nil {
		return 0, nil, s.cause("setup", err)
	}
	if answer.Status == 461 && !s.udp() && s.t.Transport == "" && !s.without("transport_udp") {
		s.mem.Transport = "udp"
		return 0, nil, &again{"it takes UDP only"}
	}
	if answer.Status != 200 {
		return 0, nil, m.refused("setup", answer)
	}
	got, err := dialog.TransportAnswer(answer.Header["transport"], asked, s.without)
	if err != nil {
		return 0, nil, s.fault(Protocol, "setup", err.Error(), err)
	}
	s.timeout = dialog.SessionTimeout(answer)
	if pair == nil {
		return got.InterleavedIDs[0], nil, nil
	}
	return 0, pair, m.aim(pair, got)
}

// aim points UDP at the camera, which has to say where it listens.
func (m *mouth) aim(pair *dialog.Pair, got headers.Transport) error {
	peer, ok := m.s.conn.Peer().(*net.TCPAddr)
	if !ok || got.ServerPorts == nil || got.ServerPorts[0] == 0 {
		return m.s.fault(Protocol, "setup", "the camera does not say at which port it listens", nil)
	}
	pair.Aim(peer.AddrPort().Addr(), *got.ServerPorts)
	return nil
}

// refused is a refusal, in the words of talk.
func (m *mouth) refused(act string, a *dialog.Message) error {
	err := m.s.refused(act, a)
	var f *Fault
	if asFault(err, &f) {
		switch f.Kind {
		case Busy:
			f.Why = fmt.Sprintf("the camera lets nobody talk now (%d): somebody may be talking to it by its own app", a.Status)
			f.hint = "close the camera's own app on other phones, and try again"
		case Login:
			if a.Status == 403 {
				f.Why = "this user may not talk by the camera (403)"
				f.hint = "give the camera's user the right to talk (often called audio or operator), or write another user into the source"
			}
		}
	}
	return err
}

// start opens the channel. Speech is of now: a Range makes some servers seek in it, which
// breaks what they play for good. It is named to those who will not play without one.
func (m *mouth) start() error {
	s := m.s
	asked := dialog.Header{"Require": {backChannel}}
	a, err := s.conn.Do("PLAY", s.base, asked)
	if err == nil && (a.Status == 400 || a.Status == 457) && !s.without("talk_range") {
		asked["Range"] = []string{"npt=0.000-"}
		a, err = s.conn.Do("PLAY", s.base, asked)
	}
	switch {
	case err != nil:
		return s.cause("play", err)
	case a.Status != 200:
		return m.otherwise(m.refused("play", a))
	}
	s.mem.Auth = s.conn.Way()
	s.tell()
	return nil
}

// speak sends until the speech or the connection ends. This goroutine reads; another one
// sends, and a third gives signs of life.
func (m *mouth) speak(ctx context.Context) error {
	s := m.s
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	var said error
	over := make(chan struct{}) // closed when said is set
	parts.Go(func() {
		defer close(over)
		defer s.conn.Interrupt()
		said = m.send(ctx)
	})
	parts.Go(func() { s.keepAlive(ctx, s.methods()) })
	for {
		a, err := s.conn.Next()
		if err == nil && a != nil && a.Method == "" {
			err = s.answered(a)
		}
		if err == nil {
			continue
		}
		if !errors.Is(err, dialog.ErrInterrupted) {
			return s.cause("read", err)
		}
		cancel()
		<-over
		if errors.Is(said, io.EOF) {
			return nil
		}
		return said
	}
}

// talkTrack is the track of a format of the back channel; false: it is not carried.
func talkTrack(f sdp.Format) (av.Track, bool) {
	r, err := units.NewReader(f.Format, units.Options{ID: 1, Clock: f.Clock})
	if err != nil {
		return av.Track{}, false
	}
	t, known := r.Track()
	return t, known && t.Kind == av.Sound
}

// talkTracks is what a camera takes by its back channel, in its own order.
func talkTracks(d *sdp.Description) []av.Track {
	var out []av.Track
	if d == nil {
		return nil
	}
	for _, m := range d.Medias {
		if !m.Talk || m.Secure || m.Kind != "audio" {
			continue
		}
		for _, f := range m.Formats {
			if t, ok := talkTrack(f); ok {
				out = append(out, t)
			}
		}
	}
	return out
}
