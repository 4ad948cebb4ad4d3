package house

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/doctor"
	"github.com/porchlight-hub/porchlight/hub/hooks"
	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/pull"
	"github.com/porchlight-hub/porchlight/hub/registry"
	"github.com/porchlight-hub/porchlight/hub/sources"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Puller is what the web asks of it.
type Puller interface {
	Status() []pull.Status
	Retry(camera string)
}

// Described tells what the plugins say of where pictures come from.
type Described interface {
	State(camera string) sources.State
}

// Devices shows the registry, with the streams that the media core has live and where
// they come from. Puller, Described, Rotate, Snapshot and Order may be nil.
type Devices struct {
	Registry  *registry.Registry
	Media     *media.Core
	Puller    Puller
	Described Described
	// Rotate is how far a camera's picture is turned clockwise for people, in degrees.
	Rotate func(camera string) int
	// Snapshot tells whether a JPEG of the camera can be had.
	Snapshot func(camera string) bool
	// Order compares two cameras by their place on the pages; nil: by id.
	Order func(a, b string) int
	// CanTalk tells why nobody can speak at a camera, nil: they can; Talker, who does. Both
	// may be nil: nobody can.
	CanTalk func(camera string) error
	Talker  func(camera string) (name string, since time.Time, ok bool)
}

// Cameras lists them in their order on the pages.
func (c Devices) Cameras() []api.Camera {
	devices := c.Registry.Devices()
	if c.Order != nil {
		slices.SortStableFunc(devices, func(a, b registry.Device) int { return c.Order(a.ID, b.ID) })
	}
	pulled := c.pulled()
	out := make([]api.Camera, 0, len(devices))
	for _, d := range devices {
		out = append(out, c.camera(d, pulled[d.ID]))
	}
	return out
}

// Camera by id.
func (c Devices) Camera(id string) (api.Camera, bool) {
	d, ok := c.Registry.Device(id)
	if !ok {
		return api.Camera{}, false
	}
	return c.camera(d, c.pulled()[id]), true
}

func (c Devices) pulled() map[string][]pull.Status {
	out := map[string][]pull.Status{}
	if c.Puller != nil {
		for _, st := range c.Puller.Status() {
			out[st.Camera] = append(out[st.Camera], st)
		}
	}
	return out
}

func (c Devices) camera(d registry.Device, pulled []pull.Status) api.Camera {
	out := api.Camera{
		ID: d.ID, Name: d.Name, Kind: d.Kind, Plugin: d.Plugin, Online: d.Online, Known: d.Known, OfflineReason: d.OfflineReason,
		LastSeen: d.LastSeen, LastEvent: d.LastEvent, Streams: []string{}, Button: d.Plugin == "", Sources: []api.Source{},
	}
	for _, name := range []string{"main", "sub"} {
		stream, ok := c.Media.Lookup(d.ID, name)
		if ok && stream.Live() {
			out.Streams = append(out.Streams, name)
		}
		i := slices.IndexFunc(pulled, func(st pull.Status) bool { return st.Stream == name })
		switch {
		case i >= 0:
			out.Sources = append(out.Sources, source(pulled[i], stream))
		case ok && !out.Button && len(pulled) == 0 && (name == "main" || len(stream.Tracks()) > 0):
			out.Sources = append(out.Sources, source(pushed(d, name, stream.Live()), stream))
		}
	}
	if out.Button {
		out.Online, out.Known = true, true // there is nothing of it that could be away
	} else {
		out.Sources = c.explained(d, out.Sources)
	}
	out.Talk = c.talk(d)
	if c.Rotate != nil {
		out.Rotate = c.Rotate(d.ID)
	}
	picture, _ := c.Media.Image(d.ID)
	out.Snapshot = len(picture.JPEG) > 0 || c.Snapshot != nil && c.Snapshot(d.ID)
	return out
}

// talk tells whether people can speak there. What the config says goes before all else.
func (c Devices) talk(d registry.Device) api.Talking {
	switch {
	case d.Plugin == "":
		return api.Talking{Why: "a bare button has no speaker"}
	case !d.Talk:
		return api.Talking{Code: "E-TALK-OFF", Why: "talk is switched off for this camera", Fix: "Set `talk: true` on the camera in the config."}
	case c.CanTalk == nil:
		return api.Talking{Why: "this hub cannot talk to cameras"}
	}
	var out api.Talking
	if err := c.CanTalk(d.ID); err != nil {
		out.Code, out.Why, out.Fix = said(err)
	} else {
		out.Can = true
	}
	if c.Talker != nil {
		if name, since, ok := c.Talker(d.ID); ok {
			out.By, out.Since = name, since
		}
	}
	return out
}

// pushed is the state of a stream that nobody pulls, so its plugin sends it, or will.
func pushed(d registry.Device, stream string, live bool) pull.Status {
	st := pull.Status{Stream: stream, State: "pushed"}
	switch {
	case live:
	case d.Online:
		st.State = "off" // its plugin is there, and nobody wants it
	default:
		st.State, st.Reason = "waiting", d.OfflineReason
	}
	return st
}

// explained adds why a plugin's word on where the pictures come from is missing, or is
// not followed.
func (c Devices) explained(d registry.Device, list []api.Source) []api.Source {
	if c.Described == nil {
		return list
	}
	st := c.Described.State(d.ID)
	switch {
	case st.Err != nil && len(list) == 0:
		s := api.Source{Stream: "main", State: "unknown", Sound: []string{}, Worked: []string{}}
		s.Code, s.Reason, s.Fix = said(st.Err)
		return append(list, s)
	case st.Err != nil:
		for i := range list {
			if list[i].Code == "" && list[i].State != "live" {
				list[i].Code, list[i].Reason, list[i].Fix = said(st.Err)
			}
		}
	case len(list) == 0 && st.Push:
		return append(list, source(pushed(d, "main", false), nil))
	}
	return list
}

// said is what an error says to people: its code, its text, how to mend it.
func said(err error) (code, reason, fix string) {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		code = coded.Code()
	}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		fix = hint.Hint()
	}
	return code, err.Error(), fix
}

// source joins what the puller and the media core know of one stream, which may be nil.
func source(st pull.Status, stream *media.Stream) api.Source {
	out := api.Source{
		Stream: st.Stream, State: st.State, Code: st.Code, Reason: st.Reason, Fix: st.Fix, Since: st.Since, NextTry: st.NextTry,
		Pull: st.Policy, Address: st.Address, Transport: st.Transport, Server: st.Server,
		Worked: append([]string{}, st.Worked...), Sound: []string{}, Reconnects: st.Reconnects,
	}
	if stream == nil {
		return out
	}
	x := stream.Stats()
	tracks(&out, x.Tracks)
	out.FPS, out.BitrateKbps, out.GOPMS = tenths(x.FPS), int(x.Bitrate/1000), x.GOP.Milliseconds()
	if x.LastUnit > 0 {
		out.LastFrameMS = max(1, x.LastUnit.Milliseconds())
	}
	out.RingMS, out.RingBytes, out.NoPrebuffer = x.RingSpan.Milliseconds(), x.RingSize, x.NoPrebuffer
	out.Readers, out.SkippedGOPs, out.Repairs = x.Readers, x.SkippedGOPs, x.Repairs
	return out
}

func tracks(out *api.Source, all []av.Track) {
	for _, t := range all {
		switch t.Kind {
		case av.Video:
			out.Codec, out.CodecName, out.Width, out.Height = string(t.Codec), t.CodecString(), t.Width, t.Height
		case av.Sound:
			out.Sound = append(out.Sound, cmp.Or(string(t.Codec), "unknown"))
		}
	}
}

// tenths keeps a figure for people short.
func tenths(f float64) float64 { return float64(int(f*10+0.5)) / 10 }

// Look is a fresh look at a camera, over connections of its own; nothing where only its
// plugin knows.
type Look func(ctx context.Context, camera string) []doctor.Stream

// Sources lets people try a camera: p, which may be nil, at once; look, over a connection
// of its own.
func Sources(p Puller, look Look) api.Sources { return reach{p, look} }

type reach struct {
	puller Puller
	look   Look
}

func (r reach) Retry(_ context.Context, camera string) error {
	if r.puller != nil {
		r.puller.Retry(camera)
	}
	return nil
}

func (r reach) Test(ctx context.Context, camera string) (api.CameraReport, error) {
	streams := r.look(ctx, camera)
	if err := ctx.Err(); err != nil && len(streams) == 0 {
		return api.CameraReport{}, err
	}
	out := api.CameraReport{Camera: camera, OK: true, Checks: checks(doctor.CameraFindings(camera, streams))}
	for i := range streams {
		out.Sources = append(out.Sources, found(&streams[i]))
	}
	out.OK = !slices.ContainsFunc(out.Checks, func(c api.Check) bool { return c.State == string(doctor.Fail) })
	return out, nil
}

// found is a look as a source.
func found(s *doctor.Stream) api.Source {
	out := api.Source{
		Stream: s.Stream, State: "live", Address: s.Address, Transport: s.Transport, Server: s.Server,
		Worked: append([]string{}, s.Worked...), Sound: []string{}, FPS: tenths(s.FPS), BitrateKbps: s.Kbps, GOPMS: s.GOP.Milliseconds(),
	}
	switch {
	case s.Err != nil:
		out.State = "waiting"
		out.Code, out.Reason, out.Fix = said(s.Err)
	case s.Off:
		out.State = "off"
	case s.Pushed:
		out.State = "pushed"
	}
	tracks(&out, s.Tracks)
	return out
}

// Doctor shows what doctor.Check finds.
func Doctor(check func(ctx context.Context, areas []string) []doctor.Finding) api.Doctor {
	return doctorOf{check}
}

type doctorOf struct {
	check func(ctx context.Context, areas []string) []doctor.Finding
}

func (d doctorOf) Check(ctx context.Context, areas []string) []api.Check {
	return checks(d.check(ctx, areas))
}

func checks(findings []doctor.Finding) []api.Check {
	out := make([]api.Check, 0, len(findings))
	for _, f := range findings {
		out = append(out, api.Check{Area: f.Area, State: string(f.State), What: f.What, Why: f.Why, Fix: f.Fix, Code: f.Code})
	}
	return out
}

// Hooks lets tokens ring. A token of a camera that the house does not have now is
// nobody's.
func Hooks(h *hooks.Hooks, c api.Cameras, r api.Ringer) api.Hooks { return hooksOf{h, c, r} }

type hooksOf struct {
	room    *hooks.Hooks
	cameras api.Cameras
	ringer  api.Ringer
}

func (h hooksOf) Hook(ctx context.Context, camera string) (api.Hook, error) {
	e, err := h.room.Token(ctx, camera)
	return hook(e), err
}

func (h hooksOf) Renew(ctx context.Context, camera string) (api.Hook, error) {
	e, err := h.room.Renew(ctx, camera)
	return hook(e), err
}

func (h hooksOf) Ring(ctx context.Context, token string) (string, error) {
	camera, ok, err := h.room.Find(ctx, token)
	if err != nil {
		return "", err
	}
	if ok {
		_, ok = h.cameras.Camera(camera)
	}
	if !ok {
		return "", api.ErrNotFound
	}
	id, err := h.ringer.Ring(ctx, camera, false)
	if err == nil {
		_ = h.room.Used(ctx, camera) // it has rung; when is only shown
	}
	return id, err
}

func hook(e hooks.Entry) api.Hook {
	return api.Hook{Camera: e.Camera, URL: api.HookPath + e.Token, Created: e.Created, LastUsed: e.LastUsed}
}
