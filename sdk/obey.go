package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// commands lists what the author's type answers.
func (d *dressed) commands() []string {
	p := d.plugin
	var out []string
	add := func(ok bool, name string) {
		if ok {
			out = append(out, name)
		}
	}
	_, ok := p.(Camera)
	add(ok, "camera.source")
	_, ok = p.(Snapshotter)
	add(ok, "camera.snapshot")
	_, ok = p.(Talker)
	add(ok, "camera.talk")
	_, ok = p.(KeyFramer)
	add(ok, "camera.key_frame")
	_, ok = p.(Demander)
	add(ok, "camera.demand")
	_, ok = p.(DeviceDescriber)
	add(ok, "device.describe")
	_, ok = p.(Chime)
	add(ok, "chime.play")
	_, ok = p.(ChimeStopper)
	add(ok, "chime.stop")
	_, ok = p.(Notifier)
	add(ok, "notify.send")
	_, ok = p.(Identifier)
	add(ok, "device.identify")
	_, ok = p.(Actuator)
	add(ok, "device.act")
	_, ok = p.(SelfChecker)
	add(ok, "test.selfcheck")
	_, ok = p.(ActionHandler)
	add(ok, "action")
	return out
}

// eventTypes are the types of which the publish filters take some subject.
func eventTypes(filters []string) []string {
	subjects := map[EventType]string{
		TypeTalk: "camera.*.talk.*", TypeChime: "chime.*.*", TypeStatus: "device.*.status", TypeRule: "rule.*.fired",
		TypeMode: "system.mode", TypeQuiet: "system.quiet", TypeSchedule: "system.schedule.*",
		TypePlugin: "plugin.*.state", TypeAlert: "neighborhood.alert", TypeSystem: "system.**",
	}
	var out []string
	for _, t := range event.Types() {
		subject, ok := subjects[t]
		if !ok {
			subject = "camera.*." + string(t)
		}
		if slices.ContainsFunc(filters, func(f string) bool { _, ok := event.Intersect(f, subject); return ok }) {
			out = append(out, string(t))
		}
	}
	return out
}

// cannot answers a command for which the author's type has no method.
func cannot(what string) error {
	return &Error{Call: what, Kind: ErrUnsupported, Message: "this plugin does not answer it"}
}

// obey translates one command into the author's method and back.
func (d *dressed) obey(ctx context.Context, c *pb.Command, arrived time.Time) (*pb.Reply, error) {
	p := d.plugin
	switch m := c.GetC().(type) {
	case *pb.Command_ChimePlay:
		return d.play(ctx, m.ChimePlay, c.GetIdempotencyKey(), arrived)
	case *pb.Command_ChimeStop:
		if x, ok := p.(ChimeStopper); ok {
			return done(), x.StopPlaying(ctx, m.ChimeStop.GetChime())
		}
		return nil, cannot("chime.stop")
	case *pb.Command_CameraSource:
		x, ok := p.(Camera)
		if !ok {
			return nil, cannot("camera.source")
		}
		s, err := x.Source(ctx, m.CameraSource.GetCamera())
		return &pb.Reply{R: &pb.Reply_Source{Source: sourceToProto(s)}}, err
	case *pb.Command_CameraSnapshot:
		return d.snapshot(ctx, m.CameraSnapshot)
	case *pb.Command_CameraTalk:
		return d.talk(ctx, m.CameraTalk)
	case *pb.Command_CameraKeyFrame:
		if x, ok := p.(KeyFramer); ok {
			return done(), x.RequestKeyFrame(ctx, m.CameraKeyFrame.GetCamera(), m.CameraKeyFrame.GetStream())
		}
		return nil, cannot("camera.key_frame")
	case *pb.Command_CameraDemand:
		if x, ok := p.(Demander); ok {
			m := m.CameraDemand
			return done(), x.Demand(ctx, Demand{Camera: m.GetCamera(), Stream: m.GetStream(), Wanted: m.GetWanted(), Reason: m.GetReason()})
		}
		return nil, cannot("camera.demand")
	case *pb.Command_DeviceDescribe:
		x, ok := p.(DeviceDescriber)
		if !ok {
			return nil, cannot("device.describe")
		}
		out, err := x.DescribeDevice(ctx, m.DeviceDescribe.GetDevice())
		return &pb.Reply{R: &pb.Reply_Device{Device: deviceToProto(out)}}, err
	case *pb.Command_NotifySend:
		return d.notify(ctx, m.NotifySend)
	case *pb.Command_DeviceIdentify:
		if x, ok := p.(Identifier); ok {
			return done(), x.Identify(ctx, m.DeviceIdentify.GetDevice())
		}
		return nil, cannot("device.identify")
	case *pb.Command_DeviceAct:
		a := actFrom(m.DeviceAct)
		if x, ok := p.(Actuator); ok && a != nil {
			return done(), x.Act(ctx, m.DeviceAct.GetDevice(), a)
		}
		return nil, cannot("device.act")
	case *pb.Command_Selfcheck:
		return d.selfCheck(ctx, m.Selfcheck)
	case *pb.Command_Action:
		return d.action(ctx, m.Action)
	}
	return nil, &Error{Call: "command", Kind: ErrUnsupported, Message: "this plugin's sdk does not know it"}
}

func done() *pb.Reply { return &pb.Reply{R: &pb.Reply_Done{Done: &pb.Done{}}} }

// play sounds at most once for a key, also across a crash inside Play: the key is
// noted before the sound. A replay, or a ring past its age, never sounds.
func (d *dressed) play(ctx context.Context, m *pb.ChimePlay, key string, arrived time.Time) (*pb.Reply, error) {
	x, ok := d.plugin.(Chime)
	if !ok {
		return nil, cannot("chime.play")
	}
	limit, reason := m.GetIgnoreOlderThan().AsDuration(), ""
	age := m.GetAge().AsDuration() + time.Since(arrived)
	switch {
	case m.GetReplay():
		reason = "not played: replay"
	case limit > 0 && age > limit:
		reason = fmt.Sprintf("not played: too old (%s, at most %s)", age.Round(time.Millisecond), limit)
	case key != "" && d.in.Known("play/"+key):
		reason = "not played: it was already begun before this plugin started anew"
	}
	if reason != "" {
		return played(PlayResult{Reason: reason, Sound: m.GetSound()}), nil
	}
	if key != "" {
		d.in.Note("play/" + key)
	}
	r := PlayRequest{
		Chime: m.GetChime(), Sound: m.GetSound(), EventID: m.GetEventId(), Camera: m.GetCamera(), CameraName: m.GetCameraName(),
		Age: age, Test: m.GetTest(), Repeat: int(m.GetRepeat()),
	}
	if m.Volume != nil {
		v := int(m.GetVolume())
		r.Volume = &v
	}
	out, err := x.Play(ctx, r)
	return played(out), err
}

func played(r PlayResult) *pb.Reply {
	return &pb.Reply{R: &pb.Reply_ChimePlayed{ChimePlayed: &pb.ChimePlayed{
		Played: r.Played, Reason: r.Reason, Sound: r.Sound, Took: durationpb.New(r.Took),
	}}}
}

// snapshot sends the JPEG over the media socket, and then the answer.
func (d *dressed) snapshot(ctx context.Context, m *pb.CameraSnapshot) (*pb.Reply, error) {
	x, ok := d.plugin.(Snapshotter)
	if !ok {
		return nil, cannot("camera.snapshot")
	}
	img, err := x.Snapshot(ctx, SnapshotRequest{
		Camera: m.GetCamera(), Width: int(m.GetWidth()), Height: int(m.GetHeight()), MaxAge: m.GetMaxAge().AsDuration(), Reason: m.GetReason(),
	})
	if err != nil {
		return nil, err
	}
	if img.Taken.IsZero() {
		img.Taken = time.Now()
	}
	if err := av.SendImage(ctx, d.hub.mediaPath(), m.GetToken(), img.JPEG, img.Taken); err != nil {
		return nil, mediaError("snapshot", err)
	}
	return &pb.Reply{R: &pb.Reply_Snapshot{Snapshot: &pb.SnapshotTaken{
		Taken: timestamppb.New(img.Taken), Width: uint32(img.Width), Height: uint32(img.Height),
	}}}, nil
}

// talk accepts, and then reads: the hub sends speech once it knows the form that the device takes.
func (d *dressed) talk(ctx context.Context, m *pb.CameraTalk) (*pb.Reply, error) {
	x, ok := d.plugin.(Talker)
	if !ok {
		return nil, cannot("camera.talk")
	}
	r := TalkRequest{Camera: m.GetCamera(), Talker: m.GetTalker(), Track: trackFrom(m.GetTrack())}
	if c, ok := x.(TalkChooser); ok {
		t, err := c.TalkTrack(ctx, r)
		if err != nil {
			return nil, err
		}
		r.Track = t
	}
	if !d.in.Begin(func() { d.speak(x, r, m.GetToken()) }) {
		return nil, &Error{Call: "camera.talk", Kind: ErrUnavailable, Message: "the plugin is stopping"}
	}
	return &pb.Reply{R: &pb.Reply_Talk{Talk: &pb.TalkAccepted{Track: trackToProto(r.Track)}}}, nil
}

func (d *dressed) speak(x Talker, r TalkRequest, token string) {
	ctx := d.in.Context()
	speech, err := d.hub.openReader(ctx, "talk", token)
	if err == nil {
		defer speech.Close()
		d.in.Guard("Talk", func() { err = x.Talk(ctx, r, speech) })
	}
	if err != nil && ctx.Err() == nil {
		d.in.Log().Warn("talk ended early", "camera", r.Camera, "error", err.Error())
	}
}

func (d *dressed) notify(ctx context.Context, m *pb.NotifySend) (*pb.Reply, error) {
	x, ok := d.plugin.(Notifier)
	if !ok {
		return nil, cannot("notify.send")
	}
	n, err := x.Notify(ctx, Notification{
		Channel: m.GetChannel(), Title: m.GetTitle(), Body: m.GetBody(), Priority: m.GetPriority(),
		Link: m.GetLink(), Snapshot: m.GetSnapshot(), EventID: m.GetEventId(),
		Camera: m.GetCamera(), CameraName: m.GetCameraName(), Thread: m.GetThread(),
	})
	return &pb.Reply{R: &pb.Reply_Notified{Notified: &pb.Notified{Reached: uint32(n.Reached), Of: uint32(n.Of), Detail: n.Detail}}}, err
}

func (d *dressed) selfCheck(ctx context.Context, m *pb.SelfCheck) (*pb.Reply, error) {
	x, ok := d.plugin.(SelfChecker)
	if !ok {
		return nil, cannot("test.selfcheck")
	}
	out := &pb.SelfCheckResult{}
	for _, l := range x.SelfCheck(ctx, m.GetThorough()) {
		out.Lines = append(out.Lines, &pb.CheckLine{State: l.State, What: l.What, Why: l.Why, Fix: l.Fix})
	}
	return &pb.Reply{R: &pb.Reply_Selfcheck{Selfcheck: out}}, nil
}

func (d *dressed) action(ctx context.Context, m *pb.Action) (*pb.Reply, error) {
	x, ok := d.plugin.(ActionHandler)
	if !ok {
		return nil, cannot("action")
	}
	out, err := x.Action(ctx, ActionCall{Name: m.GetName(), Input: json.RawMessage(m.GetInput()), Caller: m.GetCaller(), Role: m.GetRole()})
	return &pb.Reply{R: &pb.Reply_Action{Action: &pb.ActionResult{Output: string(out)}}}, err
}
