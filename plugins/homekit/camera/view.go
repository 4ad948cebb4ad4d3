package camera

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/choose"
	"github.com/porchlight-hub/porchlight/plugins/homekit/camera/message"
	"github.com/porchlight-hub/porchlight/plugins/homekit/rtpout"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// view is one viewer, from its preparation to its end. What the stream's lock guards is set
// by the stream; mu guards what the session's goroutines use.
type view struct {
	cam     *Camera
	peer    *server.Peer
	id      message.Session
	session *rtpout.Session
	since   time.Time
	turns   *rate.Limiter // the stream's
	started bool          // guarded by the stream
	text    string        // of 117, guarded by the stream

	mu      sync.Mutex
	media   sdk.MediaDescription // of when choice was made
	video   message.Video
	audio   *message.Audio
	choice  choose.Choice
	how     string // "copy" or "converted: why"; empty: nothing came yet
	picture av.Track
	flow    flow
}

// open binds the ports of a viewer and says what it is told of them. s is locked.
func (s *stream) open(p *server.Peer, e message.Endpoints) (*view, string, error) {
	if !inTheHouse(e.Addr, p.Remote().Addr(), ownNetworks()) {
		return nil, "", errElsewhere
	}
	local, err := ourAddress(p, e.Addr)
	if err != nil {
		return nil, "", err
	}
	session, err := rtpout.Open(rtpout.Wish{
		Local: local, Peer: e.Addr, VideoPort: e.VideoPort, AudioPort: e.AudioPort,
		Video: secret(e.Video), Audio: secret(e.Audio),
		Log: s.cam.log, Now: s.cam.o.Now,
	})
	if err != nil {
		return nil, "", err
	}
	a := message.Answer{Session: e.Session, Addr: local, Video: e.Video, Audio: e.Audio}
	a.VideoPort, a.AudioPort = session.Ports()
	a.VideoSSRC, a.AudioSSRC = session.SSRCs()
	video, audio := session.Keys()
	copy(a.Video.Key[:], video.Key)
	copy(a.Video.Salt[:], video.Salt)
	copy(a.Audio.Key[:], audio.Key)
	copy(a.Audio.Salt[:], audio.Salt)
	return &view{cam: s.cam, peer: p, id: e.Session, session: session, since: s.cam.o.Now(), turns: s.turns}, a.Text(), nil
}

func secret(c message.Crypto) rtpout.Crypto { return rtpout.Crypto{Key: c.Key[:], Salt: c.Salt[:]} }

// ourAddress is the one that the controller's connection has here. Where the controller wants
// its stream by the other version of IP, it is the one that the way there begins at.
func ourAddress(p *server.Peer, to netip.Addr) (netip.Addr, error) {
	local := p.Local().Addr().Unmap()
	if to.IsLoopback() && !local.IsLoopback() {
		return netip.Addr{}, errors.New("the address to send to is this machine's own")
	}
	if local.Is4() == to.Is4() {
		return local, nil
	}
	if to.IsLinkLocalUnicast() && to.Zone() == "" {
		to = to.WithZone(local.Zone())
	}
	// Nothing is sent: connecting a UDP socket asks the routing table.
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("no way to the address to send to: %w", err)
	}
	defer conn.Close()
	addr, _ := conn.LocalAddr().(*net.UDPAddr)
	return addr.AddrPort().Addr().Unmap(), nil
}

// command does what was selected. The stream is locked.
func (v *view) command(sel message.Selected) error {
	switch sel.Command {
	case message.Start:
		return v.start(*sel.Video, sel.Audio)
	case message.Reconfigure:
		return v.reconfigure(*sel.Video)
	}
	if !v.started {
		return errNotStarted
	}
	if sel.Command == message.Suspend {
		v.session.Suspend()
	} else {
		v.session.Resume()
	}
	return nil
}

var errNotStarted = errors.New("it has not begun")

func (v *view) start(video message.Video, audio *message.Audio) error {
	v.mu.Lock()
	v.video, v.audio = video, audio
	v.mu.Unlock()
	st := rtpout.Start{Video: params(video), Open: v.openMedia, KeyFrame: v.keyFrame, Muted: v.muted}
	if audio != nil {
		st.Audio = &rtpout.AudioParams{PT: audio.PT, SSRC: audio.SSRC, Kbps: audio.Kbps, Rate: audio.Rate,
			Packet: audio.Packet, RTCP: audio.RTCP, ComfortPT: audio.ComfortPT}
	}
	if v.cam.speaker != nil {
		st.Talk = v.talk
	}
	if err := v.session.Start(st); err != nil {
		return err
	}
	v.started = true
	return nil
}

func params(v message.Video) rtpout.VideoParams {
	return rtpout.VideoParams{PT: v.PT, SSRC: v.SSRC, Kbps: v.Kbps, RTCP: v.RTCP, MTU: v.MTU,
		Width: v.Width, Height: v.Height, FPS: v.FPS, Level: uint8(v.Level)}
}

// reconfigure takes other rates or another size. Where another form of the camera's picture
// fits them, it is opened in place of the one that plays.
func (v *view) reconfigure(to message.Video) error {
	if !v.started {
		return errNotStarted
	}
	v.mu.Lock()
	was := v.video
	if to.Profile == "" {
		to.Profile, to.Level = was.Profile, was.Level
	}
	to.PT, to.SSRC, to.MTU = was.PT, was.SSRC, was.MTU
	v.video = to
	stays := ask(was) == ask(to) || v.fits(to)
	v.mu.Unlock()
	if stays {
		return v.session.Reconfigure(params(to), nil)
	}
	return v.session.Reconfigure(params(to), v.openMedia)
}

// fits says whether what plays is a copy that would be chosen for to as well: opening it
// again would show its last seconds twice. mu is held.
func (v *view) fits(to message.Video) bool {
	c := choose.Of(v.media, ask(to))
	return v.asItIs() && c.Copy && c.Stream == v.choice.Stream
}

// asItIs says whether the picture is a copy; the sound beside it may be converted, and is
// nearly always. The hub names both in its reason. mu is held.
func (v *view) asItIs() bool {
	return v.how == copied || v.choice.Copy && !strings.Contains(v.how, "the picture")
}

func ask(v message.Video) choose.Ask {
	return choose.Ask{Profile: v.Profile, Level: v.Level, Width: v.Width, Height: v.Height, FPS: v.FPS, Kbps: v.Kbps}
}

// Limits of what is asked of the hub for a viewer who waits. A picture that must be converted
// takes some seconds to begin.
const (
	opensPerSecond, opensAtOnce = 10, 20 // of one stream, one viewer after the other

	describeLimit = 2 * time.Second
	openLimit     = 10 * time.Second
)

// openMedia is asked by the session for picture and sound.
func (v *view) openMedia(session context.Context) (rtpout.Units, error) {
	if err := v.turns.Wait(session); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(session, openLimit)
	defer cancel()
	v.mu.Lock()
	a, audio := ask(v.video), v.audio
	v.mu.Unlock()
	media := v.cam.describe(ctx)
	choice := choose.Of(media, a)
	r, err := v.openChoice(ctx, choice, audio)
	if err != nil && choice.Stream != "main" && ctx.Err() == nil {
		choice = choice.Instead(a, err)
		r, err = v.openChoice(ctx, choice, audio)
	}
	if err != nil {
		if session.Err() == nil && v.cam.choices.add(v.cam.o.Now(), v.peer.Controller(), choice, "", err) {
			v.cam.log.Warn("a viewer of Home gets no picture", "stream", choice.Stream, "err", err)
		}
		return nil, err
	}
	how := r.Rendition()
	if v.cam.choices.add(v.cam.o.Now(), v.peer.Controller(), choice, how, nil) {
		v.cam.log.Info("a viewer of Home watches", "controller", v.peer.Controller(), "stream", choice.Stream, "how", how)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.media, v.choice, v.how, v.picture = media, choice, how, av.Track{}
	return &units{Reader: r, v: v}, nil
}

func (v *view) openChoice(ctx context.Context, c choose.Choice, a *message.Audio) (*av.Reader, error) {
	r := av.Rendition{Video: c.Video, Audio: av.AudioRendition{None: true}}
	if a != nil {
		r.Audio = av.AudioRendition{Codec: av.Opus, SampleRate: a.Rate, Channels: 1, Kbps: a.Kbps}
	}
	return v.cam.o.Hub.OpenMedia(ctx, sdk.MediaRequest{Camera: v.cam.o.Camera, Stream: c.Stream,
		Start: av.Start{From: av.FromKeyFrame}, Rendition: r})
}

// describe is what the camera has now; nothing where the hub does not say it in time.
func (c *Camera) describe(ctx context.Context) sdk.MediaDescription {
	ctx, cancel := context.WithTimeout(ctx, describeLimit)
	defer cancel()
	d, err := c.o.Hub.DescribeMedia(ctx, c.o.Camera)
	if err != nil {
		c.log.Debug("what the camera has is not known", "err", err)
	}
	return d
}

// units are a reader's, of which is noted what picture they are.
type units struct {
	*av.Reader
	v     *view
	noted bool // of picture
	id    uint8
	of    uint32 // generation
}

// Next unit.
func (u *units) Next(ctx context.Context) (*av.Unit, error) {
	unit, err := u.Reader.Next(ctx)
	if err != nil || u.noted && (unit.Track != u.id || unit.Generation == u.of) {
		return unit, err
	}
	if t, ok := u.Track(unit.Track); ok && t.Kind == av.Video {
		u.noted, u.id, u.of = true, unit.Track, unit.Generation
		u.v.mu.Lock()
		u.v.picture = t
		u.v.mu.Unlock()
	}
	return unit, nil
}

var errConverted = errors.New("a converted picture has its own key frames")

// keyFrame asks the camera for one.
func (v *view) keyFrame(ctx context.Context) error {
	v.mu.Lock()
	stream, asItIs := v.choice.Stream, v.asItIs()
	v.mu.Unlock()
	if !asItIs {
		return errConverted
	}
	return v.cam.o.Hub.RequestKeyFrame(ctx, v.cam.o.Camera, stream)
}

// copied is the hub's word for a stream as it is.
const copied = "copy"

// talker is what others at the door are told of who talks.
const talker = "Apple Home"

// talk opens the way to the door.
func (v *view) talk(ctx context.Context, t av.Track) (rtpout.Speech, error) {
	p, takes, err := v.cam.o.Hub.OpenTalk(ctx, v.cam.o.Camera, talker, t)
	if err != nil {
		v.cam.log.Warn("a viewer of Home cannot talk", "controller", v.peer.Controller(), "err", err)
		return nil, err
	}
	if takes.Codec != t.Codec {
		_ = p.Close()
		return nil, fmt.Errorf("talk: the door takes %s, and %s was asked", takes.Codec, t.Codec)
	}
	return p, nil
}

// muted is asked for each packet.
func (v *view) muted() (mic, speaker bool) {
	return v.cam.mic.on(), v.cam.speaker != nil && v.cam.speaker.on()
}
