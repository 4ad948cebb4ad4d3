package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// kinds pairs the protocol's codes with the author's sentinels.
func kinds() map[pb.Code]error {
	return map[pb.Code]error{
		pb.Code_CODE_NOT_YET: ErrNotYet, pb.Code_CODE_INVALID: ErrInvalid, pb.Code_CODE_DENIED: ErrDenied,
		pb.Code_CODE_NOT_FOUND: ErrNotFound, pb.Code_CODE_EXHAUSTED: ErrExhausted, pb.Code_CODE_UNAVAILABLE: ErrUnavailable,
		pb.Code_CODE_DEADLINE: ErrDeadline, pb.Code_CODE_BUSY: ErrBusy, pb.Code_CODE_UNSUPPORTED: ErrUnsupported,
	}
}

// errorFrom makes an *Error of the hub's; nil where there is none.
func errorFrom(call string, e *pb.Error) error {
	if e.GetCode() == pb.Code_CODE_OK {
		return nil
	}
	return &Error{Call: call, Kind: kinds()[e.GetCode()], Message: e.GetMessage(), Explain: e.GetExplain(), RetryAfter: e.GetRetryAfter().AsDuration()}
}

// errorToProto types an author's error by the sentinel in it.
func errorToProto(err error) *pb.Error {
	if err == nil {
		return nil
	}
	out := &pb.Error{Code: pb.Code_CODE_INTERNAL, Message: err.Error()}
	if errors.Is(err, context.DeadlineExceeded) {
		out.Code = pb.Code_CODE_DEADLINE
	}
	for code, kind := range kinds() {
		if errors.Is(err, kind) {
			out.Code = code
		}
	}
	var e *Error
	if errors.As(err, &e) {
		out.Explain = e.Explain
		if e.RetryAfter > 0 {
			out.RetryAfter = durationpb.New(e.RetryAfter)
		}
	}
	return out
}

func devicesFrom(in []*pb.DeviceEntry) []Device {
	out := make([]Device, len(in))
	for i, d := range in {
		out[i] = Device{ID: d.GetId(), Name: d.GetName(), Kind: d.GetKind(), JSON: json.RawMessage(d.GetConfig())}
	}
	return out
}

func problemsToProto(in []Problem) []*pb.Problem {
	var out []*pb.Problem
	for _, p := range in {
		out = append(out, &pb.Problem{Path: p.Path, Message: p.Message, Fix: p.Fix})
	}
	return out
}

func sourceToProto(s Source) *pb.SourceDescriptor {
	out := &pb.SourceDescriptor{
		Push: s.Push, Talk: s.Talk, SnapshotUrl: s.SnapshotURL, Snapshot: s.Snapshot, Pull: s.Pull, Quirks: s.Quirks,
		TalkTracks: tracksToProto(s.TalkTracks), SnapshotCredential: credentialToProto(s.SnapshotCredential), SnapshotFingerprint: s.SnapshotFingerprint,
		PullLimit: span(s.PullLimit),
	}
	for _, t := range s.Streams {
		out.Streams = append(out.Streams, &pb.StreamSource{
			Name: t.Name, Url: t.URL, Credential: credentialToProto(t.Credential), Transport: t.Transport, Fingerprint: t.Fingerprint,
		})
	}
	return out
}

func credentialToProto(c Credential) *pb.Credential {
	if c == (Credential{}) {
		return nil
	}
	return &pb.Credential{Username: c.Username, Secret: c.Secret, Password: c.Password.Reveal()}
}

func deviceToProto(d DeviceDescription) *pb.DeviceDescription {
	return &pb.DeviceDescription{
		Manufacturer: d.Manufacturer, Model: d.Model, Serial: d.Serial, Firmware: d.Firmware,
		EventTypes: typesToProto(d.EventTypes), Presses: d.Presses, Identify: d.Identify, Battery: d.Battery,
		Buttons: choicesToProto(d.Buttons), Relays: choicesToProto(d.Relays), Lights: choicesToProto(d.Lights),
		Presets: choicesToProto(d.Presets), Modes: choicesToProto(d.Modes),
	}
}

func typesToProto(in []EventType) []string {
	var out []string
	for _, t := range in {
		out = append(out, string(t))
	}
	return out
}

func choicesToProto(in []Choice) []*pb.Choice {
	var out []*pb.Choice
	for _, c := range in {
		out = append(out, &pb.Choice{Id: c.ID, Name: c.Name, Values: c.Values})
	}
	return out
}

// deviceFrom is nil where the camera's plugin tells nothing.
func deviceFrom(m *pb.DeviceDescription) *DeviceDescription {
	if m == nil {
		return nil
	}
	d := &DeviceDescription{
		Manufacturer: m.GetManufacturer(), Model: m.GetModel(), Serial: m.GetSerial(), Firmware: m.GetFirmware(),
		Presses: m.GetPresses(), Identify: m.GetIdentify(), Battery: m.GetBattery(),
		Buttons: choicesFrom(m.GetButtons()), Relays: choicesFrom(m.GetRelays()), Lights: choicesFrom(m.GetLights()),
		Presets: choicesFrom(m.GetPresets()), Modes: choicesFrom(m.GetModes()),
	}
	for _, t := range m.GetEventTypes() {
		d.EventTypes = append(d.EventTypes, EventType(t))
	}
	return d
}

func choicesFrom(in []*pb.Choice) []Choice {
	var out []Choice
	for _, c := range in {
		out = append(out, Choice{ID: c.GetId(), Name: c.GetName(), Values: c.GetValues()})
	}
	return out
}

func trackToProto(t av.Track) *pb.Track {
	return &pb.Track{
		Id: uint32(t.ID), Kind: string(t.Kind), Codec: string(t.Codec), ClockRate: t.ClockRate, Generation: t.Generation,
		Width: uint32(t.Width), Height: uint32(t.Height), Fps: t.FPS, Reordered: t.Reordered,
		Vps: t.VPS, Sps: t.SPS, Pps: t.PPS,
		SampleRate: uint32(t.SampleRate), Channels: uint32(t.Channels), AudioConfig: t.AudioConfig,
	}
}

func tracksToProto(in []av.Track) []*pb.Track {
	var out []*pb.Track
	for _, t := range in {
		out = append(out, trackToProto(t))
	}
	return out
}

func trackFrom(t *pb.Track) av.Track {
	return av.Track{
		ID: uint8(t.GetId()), Kind: av.Kind(t.GetKind()), Codec: av.Codec(t.GetCodec()), ClockRate: t.GetClockRate(), Generation: t.GetGeneration(),
		Width: int(t.GetWidth()), Height: int(t.GetHeight()), FPS: t.GetFps(), Reordered: t.GetReordered(),
		VPS: t.GetVps(), SPS: t.GetSps(), PPS: t.GetPps(),
		SampleRate: int(t.GetSampleRate()), Channels: int(t.GetChannels()), AudioConfig: t.GetAudioConfig(),
	}
}

func videoToProto(v av.VideoRendition) *pb.VideoRendition {
	return &pb.VideoRendition{
		Codec: string(v.Codec), Profile: v.Profile, Level: uint32(v.Level), MaxWidth: uint32(v.MaxWidth), MaxHeight: uint32(v.MaxHeight),
		MaxFps: v.MaxFPS, MaxKbps: uint32(v.MaxKbps), KeyIntervalSeconds: v.KeyInterval.Seconds(), None: v.None,
		InOrder: v.InOrder,
	}
}

func audioToProto(a av.AudioRendition) *pb.AudioRendition {
	codec := string(a.Codec)
	if a.Codec == av.L16 {
		codec = "pcm16" // the protocol's name of mono PCM of 16 bits
	}
	return &pb.AudioRendition{Codec: codec, SampleRate: uint32(a.SampleRate), Channels: uint32(a.Channels), Kbps: uint32(a.Kbps), None: a.None}
}

func actToProto(device string, a Act) *pb.DeviceAct {
	out := &pb.DeviceAct{Device: device}
	switch a := a.(type) {
	case RelayPulse:
		out.Act = &pb.DeviceAct_RelayPulse{RelayPulse: &pb.RelayPulse{Relay: a.Relay, For: span(a.For)}}
	case LightSet:
		l := &pb.LightSet{Light: a.Light, On: a.On}
		if a.Brightness != nil {
			l.Brightness = new(uint32)
			*l.Brightness = uint32(*a.Brightness)
		}
		out.Act = &pb.DeviceAct_LightSet{LightSet: l}
	case PTZPreset:
		out.Act = &pb.DeviceAct_PtzPreset{PtzPreset: &pb.PtzPreset{Preset: a.Preset}}
	case ModeSet:
		out.Act = &pb.DeviceAct_ModeSet{ModeSet: &pb.ModeSet{Mode: a.Mode, Value: a.Value}}
	case HangUp:
		out.Act = &pb.DeviceAct_HangUp{HangUp: &pb.HangUp{}}
	}
	return out
}

// actFrom is nil for an act that this sdk does not know.
func actFrom(m *pb.DeviceAct) Act {
	switch a := m.GetAct().(type) {
	case *pb.DeviceAct_RelayPulse:
		return RelayPulse{Relay: a.RelayPulse.GetRelay(), For: a.RelayPulse.GetFor().AsDuration()}
	case *pb.DeviceAct_LightSet:
		l := LightSet{Light: a.LightSet.GetLight(), On: a.LightSet.GetOn()}
		if a.LightSet.Brightness != nil {
			b := int(a.LightSet.GetBrightness())
			l.Brightness = &b
		}
		return l
	case *pb.DeviceAct_PtzPreset:
		return PTZPreset{Preset: a.PtzPreset.GetPreset()}
	case *pb.DeviceAct_ModeSet:
		return ModeSet{Mode: a.ModeSet.GetMode(), Value: a.ModeSet.GetValue()}
	case *pb.DeviceAct_HangUp:
		return HangUp{}
	}
	return nil
}

// span is absent where d is zero.
func span(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// moment is zero for a time that is absent.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
