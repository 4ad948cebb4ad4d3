package host

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// House is what bridges show beside the cameras.
type House interface {
	// Quiet of the whole house.
	Quiet() event.Quiet
	// Chimes of the house, by id.
	Chimes() []Chime
	// SetQuiet silences the house (or the one chime that q names), until then where q
	// names a time, or ends that.
	SetQuiet(ctx context.Context, q event.Quiet) error
}

// Chime is what plugins may know of one.
type Chime struct {
	ID, Name string
	Quiet    event.Quiet // of it alone
}

// Detail is more of a camera than the way of an event needs.
type Detail struct {
	OfflineReason string
	Talk          bool // the owner allows it and the device can
	Snapshot      bool // there are JPEGs of it
	// Device is what its plugin says of it; nil: nothing. It is not changed.
	Device *pb.DeviceDescription
	// Status is that of the device's last DeviceStatus.
	Status map[string]string
}

// What a grant calls the right to have others do something.
const (
	mayAct   = "device.act"
	mayQuiet = "chime.quiet"
)

// longestQuiet that a plugin may ask for; what shall last longer has no end of its own.
const longestQuiet = 24 * time.Hour

func (h *Host) describeHouse(n *entry, reply *pb.HubReply) error {
	if h.House == nil {
		return ErrNotYet
	}
	if !event.MatchAny(n.granted().GetSubscribe(), "system.quiet") {
		return denied("hearing of system.quiet, and so describing the house")
	}
	r := &pb.DescribeHouseReply{Quiet: quietToProto(h.House.Quiet())}
	for _, c := range h.House.Chimes() {
		r.Chimes = append(r.Chimes, &pb.ChimeInfo{Id: c.ID, Name: c.Name, Quiet: quietToProto(c.Quiet)})
	}
	reply.R = &pb.HubReply_DescribeHouse{DescribeHouse: r}
	return nil
}

func quietToProto(q event.Quiet) *pb.Quiet {
	return event.ToProto(&event.Event{Data: q}).GetQuiet()
}

func (h *Host) setQuiet(ctx context.Context, n *entry, m *pb.SetQuiet, reply *pb.HubReply) error {
	if h.House == nil {
		return ErrNotYet
	}
	if !slices.Contains(n.granted().GetCommands(), mayQuiet) {
		return denied(mayQuiet)
	}
	if err := h.mayDo(n); err != nil {
		return err
	}
	d := m.GetFor().AsDuration()
	if d < 0 || d > longestQuiet || m.GetFor() != nil && d == 0 && m.GetActive() {
		return refusal{pb.Code_CODE_INVALID, fmt.Sprintf("set quiet: want a time of at most %s, or none", longestQuiet)}
	}
	if id := m.GetChime(); id != "" && !slices.ContainsFunc(h.House.Chimes(), func(c Chime) bool { return c.ID == id }) {
		return refusal{pb.Code_CODE_NOT_FOUND, fmt.Sprintf("chime %q: there is none", clip(id, 64))}
	}
	q := event.Quiet{Active: m.GetActive(), Chime: m.GetChime(), By: "plugin/" + n.Name}
	if q.Active && d > 0 {
		q.Until = h.Now().Add(d)
	}
	if err := h.House.SetQuiet(ctx, q); err != nil {
		return err
	}
	reply.R = done()
	return nil
}

// mayDo refuses what comes too often: a plugin's events have rates, and what others are told
// by it must be no way around them.
func (h *Host) mayDo(n *entry) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.doing.AllowN(h.Now(), 1) {
		return nil
	}
	return refusal{pb.Code_CODE_EXHAUSTED, fmt.Sprintf("too much is switched: %d a second", doingPerSecond)}
}

// actOnDevice has the plugin that speaks for a device do something with it.
func (h *Host) actOnDevice(ctx context.Context, n *entry, m *pb.DeviceAct, reply *pb.HubReply) error {
	if !slices.Contains(n.granted().GetCommands(), mayAct) {
		return denied(mayAct)
	}
	if err := h.mayDo(n); err != nil {
		return err
	}
	if m.GetAct() == nil {
		return refusal{pb.Code_CODE_INVALID, "act on device: it is empty, or of a newer protocol"}
	}
	c, ok := h.Cameras.Camera(m.GetDevice())
	if !ok {
		return refusal{pb.Code_CODE_NOT_FOUND, fmt.Sprintf("device %q: there is none", clip(m.GetDevice(), 64))}
	}
	if c.Plugin == "" {
		return refusal{pb.Code_CODE_UNSUPPORTED, "device " + c.ID + " has no plugin, so nothing of it can be switched"}
	}
	if err := has(h.Cameras.Detail(c.ID).Device, m); err != nil {
		return fmt.Errorf("device %s: %w", c.ID, err)
	}
	r, err := h.Commander.Command(ctx, c.Plugin, &pb.Command{C: &pb.Command_DeviceAct{DeviceAct: m}})
	if err != nil {
		return err
	}
	if e := r.GetError(); e.GetCode() != pb.Code_CODE_OK {
		return refusal{e.GetCode(), clip(e.GetMessage(), 300)}
	}
	reply.R = done()
	return nil
}

// has tells whether a device has the part that is to be switched. One that is not
// described is asked: its plugin knows.
func has(d *pb.DeviceDescription, m *pb.DeviceAct) error {
	if d == nil {
		return nil
	}
	missing := func(kind, id string) error {
		return refusal{pb.Code_CODE_UNSUPPORTED, fmt.Sprintf("it has no %s %q", kind, clip(id, 64))}
	}
	among := func(list []*pb.Choice, id string) int {
		return slices.IndexFunc(list, func(c *pb.Choice) bool { return c.GetId() == id })
	}
	switch a := m.GetAct().(type) {
	case *pb.DeviceAct_RelayPulse:
		if among(d.GetRelays(), a.RelayPulse.GetRelay()) < 0 {
			return missing("relay", a.RelayPulse.GetRelay())
		}
	case *pb.DeviceAct_LightSet:
		if among(d.GetLights(), a.LightSet.GetLight()) < 0 {
			return missing("light", a.LightSet.GetLight())
		}
		if a.LightSet.GetBrightness() > 100 {
			return refusal{pb.Code_CODE_INVALID, "brightness: want 0 to 100"}
		}
	case *pb.DeviceAct_PtzPreset:
		if among(d.GetPresets(), a.PtzPreset.GetPreset()) < 0 {
			return missing("preset", a.PtzPreset.GetPreset())
		}
	case *pb.DeviceAct_ModeSet:
		i := among(d.GetModes(), a.ModeSet.GetMode())
		if i < 0 {
			return missing("mode", a.ModeSet.GetMode())
		}
		if v := d.GetModes()[i].GetValues(); len(v) > 0 && !slices.Contains(v, a.ModeSet.GetValue()) {
			return refusal{pb.Code_CODE_INVALID, fmt.Sprintf("mode %s does not take %q", a.ModeSet.GetMode(), clip(a.ModeSet.GetValue(), 64))}
		}
	}
	return nil
}

// listCameras tells of the cameras of which the plugin may read or hear. How a device
// is stands in its status, which is for those who may hear of that, or read all.
func (h *Host) listCameras(n *entry) *pb.ListCamerasReply {
	r := &pb.ListCamerasReply{}
	hears := n.granted().GetSubscribe()
	for _, c := range h.Cameras.Cameras() {
		reads := h.mayRead(n, c.ID) == nil
		if !reads && !event.MatchAny(hears, "camera."+c.ID+".ring") {
			continue
		}
		d := h.Cameras.Detail(c.ID)
		info := &pb.CameraInfo{Id: c.ID, Name: c.Name, Kind: c.Kind, Online: c.Online, OfflineReason: d.OfflineReason,
			Talk: d.Talk, Snapshot: d.Snapshot, Device: d.Device}
		if reads || event.MatchAny(hears, "device."+c.ID+".status") {
			info.Status = d.Status
		}
		r.Cameras = append(r.Cameras, info)
	}
	return r
}
