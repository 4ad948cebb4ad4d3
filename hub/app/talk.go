package app

import (
	"context"
	"errors"
	"time"

	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/media/socket"
	"github.com/porchlight-hub/porchlight/hub/media/talk"
	"github.com/porchlight-hub/porchlight/hub/sources"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// pluginListens: a plugin that took a talk is there to hear it within this time, a
// little longer than its token lives.
const pluginListens = 12 * time.Second

// mute is why nobody can speak at a camera.
type mute struct{ code, why, fix string }

func (m *mute) Error() string { return m.why }
func (m *mute) Code() string  { return m.code }
func (m *mute) Hint() string  { return m.fix }

func noSpeaker() error {
	return &mute{"E-TALK-NONE", "the camera has no speaker that the hub can reach", "a camera with a speaker offers it by its plugin, or by an ONVIF back channel over RTSP"}
}

// sink is who carries speech to a camera's door.
func (h *Hub) sink(camera string) (talk.Sink, error) {
	d, ok := h.registry.Device(camera)
	if ok && !d.Talk {
		return nil, &mute{"E-TALK-OFF", "talk is switched off for this camera", "set talk: true on the camera in the config"}
	}
	c, known := h.sources.Camera(camera)
	switch {
	case !ok || !known:
		return nil, &mute{"E-TALK-UNKNOWN", "it is not known yet whether the camera can be spoken to", "wait until its plugin has described it"}
	case c.Talk == sources.TalkByPlugin && len(c.TalkTracks) > 0:
		return pluginSink{h, d.Plugin, camera, c.TalkTracks}, nil
	case c.Talk == sources.TalkByRTSP:
		return h.backChannel(camera, c)
	}
	return nil, noSpeaker()
}

// canTalk tells why nobody can speak at a camera; nil: they can.
func (h *Hub) canTalk(camera string) error {
	_, err := h.sink(camera)
	return err
}

// pluginSink is a door that its plugin speaks to.
type pluginSink struct {
	h              *Hub
	plugin, camera string
	tracks         []av.Track
}

func (p pluginSink) Tracks() []av.Track { return p.tracks }

func (p pluginSink) Play(ctx context.Context, r talk.Request) error {
	listens := make(chan struct{}) // closed when the plugin has come
	ended := make(chan string, 1)  // why it went, once
	token, err := p.h.socket.TalkToken(p.plugin, p.camera, func() { close(listens) }, func(reason string) { ended <- reason })
	if err != nil {
		return err
	}
	reply, err := p.h.super.Command(ctx, p.plugin, &pb.Command{C: &pb.Command_CameraTalk{CameraTalk: &pb.CameraTalk{
		Camera: r.Camera, Talker: r.Talker, Token: token, Track: host.TracksToProto([]av.Track{r.Track})[0]}}})
	if err != nil {
		return err
	}
	if e := reply.GetError(); e != nil {
		return &actionError{plugin: p.plugin, action: "talk", err: e}
	}
	takes := r.Track
	if t := reply.GetTalk().GetTrack(); t.GetCodec() != "" {
		takes = host.TrackFromProto(t)
	}
	if err := r.Ready(takes); err != nil {
		return err
	}
	late := time.NewTimer(pluginListens)
	defer late.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case reason := <-ended:
			return errors.New(reason)
		case <-listens:
			listens = nil
			late.Stop()
		case <-late.C:
			return errors.New("its plugin took the talk and does not listen")
		}
	}
}

// backChannel is a door that the hub speaks to itself, over RTSP.
func (h *Hub) backChannel(camera string, c sources.Camera) (talk.Sink, error) {
	unseen := &mute{"E-TALK-UNKNOWN", "it is not known yet whether the camera can be spoken to", "wait until its picture has come once"}
	if len(c.Streams) == 0 {
		return nil, unseen
	}
	best := c.Streams[0] // the one that is asked what the camera takes
	st, ok := h.looker().Pulled(camera, best.Name)
	switch {
	case !ok || !st.TalkKnown:
		return nil, unseen
	case len(st.Talk) == 0:
		return nil, noSpeaker()
	}
	return rtspSink{h, camera, best.Name, target(best), st.Talk}, nil
}

type rtspSink struct {
	h              *Hub
	camera, stream string
	target         rtsp.Target
	tracks         []av.Track
}

func (s rtspSink) Tracks() []av.Track { return s.tracks }

func (s rtspSink) Play(ctx context.Context, r talk.Request) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	speech := talk.Speech(s.h.media, s.camera)
	defer speech.Close()
	var said []*av.Unit
	err := rtsp.Speak(ctx, s.target, rtsp.Speech{
		Track: r.Track,
		Next: func(ctx context.Context) (*av.Unit, error) {
			for len(said) == 0 {
				var err error
				if said, err = speech.Next(ctx); err != nil {
					return nil, err
				}
			}
			u := said[0]
			said = said[1:]
			return u, nil
		},
		Ready: func() {
			if err := r.Ready(r.Track); err != nil {
				cancel(err)
			}
		},
	}, rtsp.Options{Memory: s.remembered(), Remember: func(m rtsp.Memory) { memory{s.h}.Save(s.camera, "talk", m) }, Log: s.h.log.With("camera", s.camera, "part", "talk")})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// remembered is what worked for talk, or else for the pictures.
func (s rtspSink) remembered() rtsp.Memory {
	m := memory{s.h}.Load(s.camera, "talk")
	if m.Version == 0 {
		m = memory{s.h}.Load(s.camera, s.stream)
	}
	return m
}

// talked tells the house who speaks. A plugin tells it for its own cameras, since it
// knows better what was heard.
func (h *Hub) talked(camera string, t talk.Talking) {
	h.web.Changed()
	if c, ok := h.sources.Camera(camera); !ok || c.Talk != sources.TalkByRTSP {
		return
	}
	d, _ := h.registry.Device(camera)
	e := event.New(event.TypeTalk, camera, event.Talk{Active: t.Active, Talker: t.Talker.Name, HeardSeconds: t.Heard.Seconds()})
	e.Source, e.CameraName = "hub", d.Name
	e.Subject = "camera." + camera + ".talk.ended"
	if t.Active {
		e.Subject = "camera." + camera + ".talk.started"
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteTime)
	defer cancel()
	if _, err := h.bus.PublishWait(ctx, e); err != nil {
		h.log.Warn("talk is not in the timeline", "camera", camera, "err", err)
	}
}

// talkDesk lets plugins speak at a door.
type talkDesk struct{ h *Hub }

func (t talkDesk) Open(ctx context.Context, plugin, camera, talker string, track av.Track) (token string, take av.Track, busy string, err error) {
	s, err := t.h.talk.Open(ctx, camera, talk.Talker{Name: talker, Key: "plugin " + plugin}, track)
	if err != nil {
		if b := (*talk.Busy)(nil); errors.As(err, &b) {
			busy = b.Talker
		}
		return "", av.Track{}, busy, err
	}
	token, err = t.h.socket.Token(plugin, socket.Grant{Direction: av.Publish, Camera: camera, Stream: media.Talk,
		Put: s.Put, Track: track, Done: s.Done(), Ended: s.Close})
	if err != nil {
		s.Close(err.Error())
	}
	return token, track, "", err
}

func (t talkDesk) Takes(camera string) []av.Track {
	s, err := t.h.sink(camera)
	if err != nil {
		return nil
	}
	return s.Tracks()
}

// restreamTalk lets readers of the re-stream speak.
type restreamTalk struct{ h *Hub }

func (t restreamTalk) Takes(camera string) bool { return t.h.canTalk(camera) == nil }

func (t restreamTalk) Busy(camera, key string) error {
	if by, since, ok := t.h.talk.Who(camera); ok && by.Key != key {
		return &talk.Busy{Camera: camera, Talker: by.Name, Since: since}
	}
	return nil
}

func (t restreamTalk) Open(ctx context.Context, camera, name, key string, track av.Track) (put func(*av.Unit) error, end func(reason string), err error) {
	s, err := t.h.talk.Open(ctx, camera, talk.Talker{Name: name, Key: key}, track)
	if err != nil {
		return nil, nil, err
	}
	return s.Put, s.Close, nil
}
