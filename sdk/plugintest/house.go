package plugintest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Acted is what the plugin had a device of the house do.
type Acted struct {
	Device string
	Act    sdk.Act
}

// SetCameras replaces the cameras that the plugin is told of (at first the ones of its
// own devices), and tells it that they are others now.
func (h *Hub) SetCameras(list []sdk.CameraInfo) error {
	h.note(func() { h.cameras = append([]sdk.CameraInfo{}, list...) })
	return h.tell("system.cameras", event.TypeSystem, event.System{Kind: "cameras"})
}

// SetHouse replaces how the house is, and tells the plugin to ask again.
func (h *Hub) SetHouse(house sdk.House) error {
	h.note(func() { h.house = house })
	return h.tell("system.house", event.TypeSystem, event.System{Kind: "house"})
}

// furnish gives a house that nobody has set the chimes of the plugin's own devices.
func (h *Hub) furnish() {
	if h.house.Chimes != nil {
		return
	}
	for _, d := range h.o.Devices {
		if d.Kind == "chime" {
			h.house.Chimes = append(h.house.Chimes, sdk.ChimeInfo{ID: d.ID, Name: d.Name})
		}
	}
}

// listed are the cameras of the house. The lock is held.
func (h *Hub) listed() []sdk.CameraInfo {
	if h.cameras != nil {
		return h.cameras
	}
	var out []sdk.CameraInfo
	for _, d := range h.o.Devices {
		if d.Kind != "chime" {
			out = append(out, sdk.CameraInfo{ID: d.ID, Name: d.Name, Kind: d.Kind, Online: true})
		}
	}
	return out
}

// House is how the house is now, after what the plugin did to it.
func (h *Hub) House() sdk.House {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.house
	out.Chimes = slices.Clone(out.Chimes)
	return out
}

// Acts are what the plugin had devices do, in order.
func (h *Hub) Acts() []Acted {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.acts)
}

// DescribeDevice asks what one of the plugin's devices is and can do.
func (h *Hub) DescribeDevice(ctx context.Context, device string) (sdk.DeviceDescription, error) {
	r, err := h.ask(ctx, &pb.Command{C: &pb.Command_DeviceDescribe{DeviceDescribe: &pb.DeviceDescribe{Device: device}}})
	m := r.GetDevice()
	out := sdk.DeviceDescription{
		Manufacturer: m.GetManufacturer(), Model: m.GetModel(), Serial: m.GetSerial(), Firmware: m.GetFirmware(), Presses: m.GetPresses(),
		Buttons: choicesFrom(m.GetButtons()), Relays: choicesFrom(m.GetRelays()), Lights: choicesFrom(m.GetLights()),
		Presets: choicesFrom(m.GetPresets()), Modes: choicesFrom(m.GetModes()), Identify: m.GetIdentify(), Battery: m.GetBattery(),
	}
	for _, t := range m.GetEventTypes() {
		out.EventTypes = append(out.EventTypes, sdk.EventType(t))
	}
	return out, err
}

// Act has one of the plugin's devices do something.
func (h *Hub) Act(ctx context.Context, device string, a sdk.Act) error {
	_, err := h.ask(ctx, &pb.Command{C: &pb.Command_DeviceAct{DeviceAct: actToProto(device, a)}})
	return err
}

// tell delivers an event of the hub's own to a plugin that may hear of it.
func (h *Hub) tell(subject string, t sdk.EventType, d event.Data) error {
	h.mu.Lock()
	hears := event.MatchAny(h.setup.GetGrant().GetSubscribe(), subject)
	h.mu.Unlock()
	if !hears {
		return nil
	}
	now := time.Now()
	return h.deliver(sdk.Event{ID: event.NewID(), Type: t, Subject: subject, Observed: now, Received: now, Seq: h.nextSeq(), Data: d}, 0, false)
}

// answerHouse answers a call about the house; nil: it is another call. The lock is held.
func (h *Hub) answerHouse(c *pb.HubCall) *pb.HubReply {
	grant := h.setup.GetGrant()
	switch c := c.GetC().(type) {
	case *pb.HubCall_DescribeHouse:
		if !event.MatchAny(grant.GetSubscribe(), "system.quiet") {
			return refusal(pb.Code_CODE_DENIED, "the manifest has no subscribe filter that takes system.quiet")
		}
		return &pb.HubReply{R: &pb.HubReply_DescribeHouse{DescribeHouse: houseToProto(h.house)}}
	case *pb.HubCall_SetQuiet:
		if !slices.Contains(grant.GetCommands(), "chime.quiet") {
			return refusal(pb.Code_CODE_DENIED, "the manifest's commands lack chime.quiet")
		}
		return h.setQuiet(c.SetQuiet)
	case *pb.HubCall_ActOnDevice:
		if !slices.Contains(grant.GetCommands(), "device.act") {
			return refusal(pb.Code_CODE_DENIED, "the manifest's commands lack device.act")
		}
		m := c.ActOnDevice.GetAct()
		cameras := h.listed()
		i := slices.IndexFunc(cameras, func(c sdk.CameraInfo) bool { return c.ID == m.GetDevice() })
		a := actFrom(m)
		switch {
		case i < 0:
			return refusal(pb.Code_CODE_NOT_FOUND, fmt.Sprintf("device %q: there is none", m.GetDevice()))
		case a == nil:
			return refusal(pb.Code_CODE_INVALID, "act on device: it is empty, or of a newer protocol")
		case cameras[i].Device != nil && !has(cameras[i].Device, a):
			return refusal(pb.Code_CODE_UNSUPPORTED, "the device has no such part")
		}
		h.acts = append(h.acts, Acted{m.GetDevice(), a})
		return okay()
	case *pb.HubCall_ListCameras:
		out := &pb.ListCamerasReply{}
		for _, c := range h.listed() {
			out.Cameras = append(out.Cameras, cameraToProto(c))
		}
		return &pb.HubReply{R: &pb.HubReply_ListCameras{ListCameras: out}}
	}
	return nil
}

func (h *Hub) setQuiet(m *pb.SetQuiet) *pb.HubReply {
	q := sdk.Quiet{Active: m.GetActive(), Chime: m.GetChime(), By: "plugin/" + h.o.Entry}
	if d := m.GetFor().AsDuration(); q.Active && d > 0 {
		q.Until = time.Now().Add(d)
	}
	if q.Chime == "" {
		h.house.Quiet = q
		return okay()
	}
	i := slices.IndexFunc(h.house.Chimes, func(c sdk.ChimeInfo) bool { return c.ID == q.Chime })
	if i < 0 {
		return refusal(pb.Code_CODE_NOT_FOUND, fmt.Sprintf("chime %q: there is none", q.Chime))
	}
	h.house.Chimes = slices.Clone(h.house.Chimes)
	h.house.Chimes[i].Quiet = q
	return okay()
}

// quieted tells the plugin of what its own call did, as the hub tells all who may hear.
func (h *Hub) quieted(m *pb.SetQuiet) {
	house := h.House()
	q, subject := house.Quiet, "system.quiet"
	for _, c := range house.Chimes {
		if c.ID == m.GetChime() {
			q, subject = c.Quiet, "chime."+c.ID+".quiet"
		}
	}
	_ = h.tell(subject, event.TypeQuiet, q) // without a stream there is nobody to tell
}

func has(d *sdk.DeviceDescription, a sdk.Act) bool {
	among := func(list []sdk.Choice, id string) bool {
		return slices.ContainsFunc(list, func(c sdk.Choice) bool { return c.ID == id })
	}
	switch a := a.(type) {
	case sdk.RelayPulse:
		return among(d.Relays, a.Relay)
	case sdk.LightSet:
		return among(d.Lights, a.Light)
	case sdk.PTZPreset:
		return among(d.Presets, a.Preset)
	case sdk.ModeSet:
		return among(d.Modes, a.Mode)
	}
	return true
}

func actFrom(m *pb.DeviceAct) sdk.Act {
	switch a := m.GetAct().(type) {
	case *pb.DeviceAct_RelayPulse:
		return sdk.RelayPulse{Relay: a.RelayPulse.GetRelay(), For: a.RelayPulse.GetFor().AsDuration()}
	case *pb.DeviceAct_LightSet:
		l := sdk.LightSet{Light: a.LightSet.GetLight(), On: a.LightSet.GetOn()}
		if a.LightSet.Brightness != nil {
			b := int(a.LightSet.GetBrightness())
			l.Brightness = &b
		}
		return l
	case *pb.DeviceAct_PtzPreset:
		return sdk.PTZPreset{Preset: a.PtzPreset.GetPreset()}
	case *pb.DeviceAct_ModeSet:
		return sdk.ModeSet{Mode: a.ModeSet.GetMode(), Value: a.ModeSet.GetValue()}
	case *pb.DeviceAct_HangUp:
		return sdk.HangUp{}
	}
	return nil
}

func actToProto(device string, a sdk.Act) *pb.DeviceAct {
	out := &pb.DeviceAct{Device: device}
	switch a := a.(type) {
	case sdk.RelayPulse:
		out.Act = &pb.DeviceAct_RelayPulse{RelayPulse: &pb.RelayPulse{Relay: a.Relay, For: durationpb.New(a.For)}}
	case sdk.LightSet:
		l := &pb.LightSet{Light: a.Light, On: a.On}
		if a.Brightness != nil {
			b := uint32(max(0, *a.Brightness))
			l.Brightness = &b
		}
		out.Act = &pb.DeviceAct_LightSet{LightSet: l}
	case sdk.PTZPreset:
		out.Act = &pb.DeviceAct_PtzPreset{PtzPreset: &pb.PtzPreset{Preset: a.Preset}}
	case sdk.ModeSet:
		out.Act = &pb.DeviceAct_ModeSet{ModeSet: &pb.ModeSet{Mode: a.Mode, Value: a.Value}}
	case sdk.HangUp:
		out.Act = &pb.DeviceAct_HangUp{HangUp: &pb.HangUp{}}
	}
	return out
}

func quietToProto(q sdk.Quiet) *pb.Quiet { return event.ToProto(&event.Event{Data: q}).GetQuiet() }

func houseToProto(h sdk.House) *pb.DescribeHouseReply {
	out := &pb.DescribeHouseReply{Mode: h.Mode, Modes: h.Modes, Quiet: quietToProto(h.Quiet)}
	for _, c := range h.Chimes {
		out.Chimes = append(out.Chimes, &pb.ChimeInfo{Id: c.ID, Name: c.Name, Quiet: quietToProto(c.Quiet)})
	}
	for _, s := range h.Schedules {
		out.Schedules = append(out.Schedules, &pb.Schedule{Schedule: s.Schedule, Active: s.Active})
	}
	return out
}

func cameraToProto(c sdk.CameraInfo) *pb.CameraInfo {
	out := &pb.CameraInfo{Id: c.ID, Name: c.Name, Kind: c.Kind, Online: c.Online, OfflineReason: c.OfflineReason,
		Talk: c.Talk, Snapshot: c.Snapshot, Hub: c.Hub, Status: maps.Clone(c.Status)}
	if d := c.Device; d != nil {
		out.Device = &pb.DeviceDescription{
			Manufacturer: d.Manufacturer, Model: d.Model, Serial: d.Serial, Firmware: d.Firmware, Presses: d.Presses,
			Buttons: choicesToProto(d.Buttons), Relays: choicesToProto(d.Relays), Lights: choicesToProto(d.Lights),
			Presets: choicesToProto(d.Presets), Modes: choicesToProto(d.Modes), Identify: d.Identify, Battery: d.Battery,
		}
		for _, t := range d.EventTypes {
			out.Device.EventTypes = append(out.Device.EventTypes, string(t))
		}
	}
	return out
}

func choicesFrom(in []*pb.Choice) (out []sdk.Choice) {
	for _, c := range in {
		out = append(out, sdk.Choice{ID: c.GetId(), Name: c.GetName(), Values: c.GetValues()})
	}
	return out
}

func choicesToProto(in []sdk.Choice) (out []*pb.Choice) {
	for _, c := range in {
		out = append(out, &pb.Choice{Id: c.ID, Name: c.Name, Values: c.Values})
	}
	return out
}
