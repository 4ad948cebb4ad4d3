package host

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// calm is a house with one chime.
type calm struct {
	mu  sync.Mutex
	set []event.Quiet
}

func (c *calm) Quiet() event.Quiet {
	return event.Quiet{Active: true, Until: time.Unix(1e9, 0), By: "owner"}
}

func (c *calm) Chimes() []Chime {
	return []Chime{{ID: "hall", Name: "Hall", Quiet: event.Quiet{Active: true, Chime: "hall"}}}
}

func (c *calm) SetQuiet(_ context.Context, q event.Quiet) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if q.By == "plugin/bell" && len(c.set) > 3 {
		return errors.New("the disk is full")
	}
	c.set = append(c.set, q)
	return nil
}

func describeHouse() *pb.HubCall {
	return &pb.HubCall{C: &pb.HubCall_DescribeHouse{DescribeHouse: &pb.DescribeHouse{}}}
}

func setQuiet(m *pb.SetQuiet) *pb.HubCall { return &pb.HubCall{C: &pb.HubCall_SetQuiet{SetQuiet: m}} }

func TestTheHouseIsToldToThoseWhoMayHearOfIt(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Subscribe: []string{"system.quiet", "chime.*.quiet"}})
	if r := f.call(t, "bell", describeHouse()); r.GetError().GetCode() != pb.Code_CODE_NOT_YET {
		t.Errorf("without a house: %v", r)
	}
	f.House = &calm{}
	f.grant(t, "other", manifest.Permissions{Subscribe: []string{"camera.**", "system.mode", "chime.*.quiet"}, Commands: []string{"chime.quiet"}})
	if r := f.call(t, "other", describeHouse()); r.GetError().GetCode() != pb.Code_CODE_DENIED || r.GetDescribeHouse() != nil {
		t.Errorf("without a filter for it: %v", r)
	}
	for _, filter := range []string{"system.quiet", "system.*", "system.**", "**"} {
		f.grant(t, "other", manifest.Permissions{Subscribe: []string{filter}})
		r := f.call(t, "other", describeHouse()).GetDescribeHouse()
		if !r.GetQuiet().GetActive() || r.GetQuiet().GetBy() != "owner" || r.GetQuiet().GetUntil().GetSeconds() != 1e9 {
			t.Errorf("%s: quiet %v", filter, r.GetQuiet())
		}
		if c := r.GetChimes(); len(c) != 1 || c[0].GetName() != "Hall" || !c[0].GetQuiet().GetActive() || c[0].GetQuiet().GetUntil() != nil || r.GetMode() != "" {
			t.Errorf("%s: %v", filter, r)
		}
	}
}

func TestSetQuietIsHeldAgainstTheGrant(t *testing.T) {
	f := newHost(t)
	room := &calm{}
	f.House = room
	f.grant(t, "other", manifest.Permissions{Subscribe: []string{"**"}, Commands: []string{"chime.play", "device.act"}, Talk: true, Media: manifest.Media{Read: true}})
	f.grant(t, "bell", manifest.Permissions{Commands: []string{"chime.quiet"}})
	for _, c := range []struct {
		name, plugin string
		m            *pb.SetQuiet
		want         pb.Code
	}{
		{"without the grant", "other", &pb.SetQuiet{Active: true}, pb.Code_CODE_DENIED},
		{"for ever", "bell", &pb.SetQuiet{Active: true}, pb.Code_CODE_OK},
		{"an hour", "bell", &pb.SetQuiet{Active: true, For: durationpb.New(time.Hour)}, pb.Code_CODE_OK},
		{"one chime", "bell", &pb.SetQuiet{Active: true, Chime: "hall"}, pb.Code_CODE_OK},
		{"no such chime", "bell", &pb.SetQuiet{Active: true, Chime: "attic"}, pb.Code_CODE_NOT_FOUND},
		{"too long", "bell", &pb.SetQuiet{Active: true, For: durationpb.New(25 * time.Hour)}, pb.Code_CODE_INVALID},
		{"no time at all", "bell", &pb.SetQuiet{Active: true, For: durationpb.New(0)}, pb.Code_CODE_INVALID},
		{"back in time", "bell", &pb.SetQuiet{Active: true, For: durationpb.New(-time.Hour)}, pb.Code_CODE_INVALID},
		{"its end", "bell", &pb.SetQuiet{}, pb.Code_CODE_OK},
		{"that cannot be kept", "bell", &pb.SetQuiet{}, pb.Code_CODE_INTERNAL},
		{"nothing", "bell", nil, pb.Code_CODE_INTERNAL},
	} {
		if r := f.call(t, c.plugin, setQuiet(c.m)); r.GetError().GetCode() != c.want || c.want == pb.Code_CODE_OK && r.GetDone() == nil {
			t.Errorf("%s: %v", c.name, r)
		}
	}
	if len(room.set) != 4 {
		t.Fatalf("set %+v", room.set)
	}
	if q := room.set[0]; !q.Active || !q.Until.IsZero() || q.By != "plugin/bell" {
		t.Errorf("for ever: %+v", q)
	}
	if q := room.set[1]; !q.Until.Equal(f.Now().Add(time.Hour)) {
		t.Errorf("an hour: %+v", q)
	}
	if q := room.set[2]; q.Chime != "hall" || room.set[3].Active {
		t.Errorf("one chime: %+v, the end: %+v", q, room.set[3])
	}
}

// doer keeps what it was told to do, and answers as it is told to.
type doer struct {
	plugin string
	got    *pb.DeviceAct
	key    *pb.CameraKeyFrame
	reply  *pb.Reply
	err    error
}

func (d *doer) Command(_ context.Context, plugin string, c *pb.Command) (*pb.Reply, error) {
	d.plugin, d.got, d.key = plugin, c.GetDeviceAct(), c.GetCameraKeyFrame()
	return d.reply, d.err
}

type away struct{}

func (away) Error() string { return "plugin other: it is backoff" }
func (away) Code() string  { return "E-PLUGIN-NOT-RUNNING" }

func TestActOnDevice(t *testing.T) {
	f := newHost(t)
	d := &doer{reply: &pb.Reply{R: &pb.Reply_Done{Done: &pb.Done{}}}}
	f.Commander = d
	f.Cameras.(house)["button"] = Camera{ID: "button"}
	act := func(plugin string, a *pb.DeviceAct) *pb.HubReply {
		d.plugin, d.got = "", nil
		return f.call(t, plugin, &pb.HubCall{C: &pb.HubCall_ActOnDevice{ActOnDevice: &pb.ActOnDevice{Act: a}}})
	}
	mode := func(device, mode, value string) *pb.DeviceAct {
		return &pb.DeviceAct{Device: device, Act: &pb.DeviceAct_ModeSet{ModeSet: &pb.ModeSet{Mode: mode, Value: value}}}
	}
	relay := func(id string) *pb.DeviceAct {
		return &pb.DeviceAct{Device: "yard", Act: &pb.DeviceAct_RelayPulse{RelayPulse: &pb.RelayPulse{Relay: id}}}
	}
	bright := uint32(101)
	// No other right opens a door: neither those for all cameras nor the device's own events.
	f.grant(t, "bell", manifest.Permissions{Subscribe: []string{"**"}, Commands: []string{"chime.quiet"}, Talk: true, Media: manifest.Media{Read: true, Publish: true}})
	for name, a := range map[string]*pb.DeviceAct{"another's": relay("gate"), "its own": mode("porch", "indicator", "on"), "nothing": nil} {
		if r := act("bell", a); r.GetError().GetCode() != pb.Code_CODE_DENIED || d.got != nil {
			t.Errorf("%s without the grant: %v", name, r)
		}
	}
	f.grant(t, "bell", manifest.Permissions{Commands: []string{"device.act"}})
	for _, c := range []struct {
		name string
		act  *pb.DeviceAct
		want pb.Code
	}{
		{"a relay", relay("gate"), pb.Code_CODE_OK},
		{"a mode", mode("yard", "night_vision", "off"), pb.Code_CODE_OK},
		{"a light", &pb.DeviceAct{Device: "yard", Act: &pb.DeviceAct_LightSet{LightSet: &pb.LightSet{Light: "lamp", On: true}}}, pb.Code_CODE_OK},
		{"a preset", &pb.DeviceAct{Device: "yard", Act: &pb.DeviceAct_PtzPreset{PtzPreset: &pb.PtzPreset{Preset: "street"}}}, pb.Code_CODE_OK},
		{"hang up", &pb.DeviceAct{Device: "yard", Act: &pb.DeviceAct_HangUp{HangUp: &pb.HangUp{}}}, pb.Code_CODE_OK},
		{"one that is not described", mode("porch", "anything", "goes"), pb.Code_CODE_OK},
		{"no such relay", relay("garage"), pb.Code_CODE_UNSUPPORTED},
		{"no such light", &pb.DeviceAct{Device: "yard", Act: &pb.DeviceAct_LightSet{LightSet: &pb.LightSet{Light: "sun"}}}, pb.Code_CODE_UNSUPPORTED},
		{"too bright", &pb.DeviceAct{Device: "yard", Act: &pb.DeviceAct_LightSet{LightSet: &pb.LightSet{Light: "lamp", Brightness: &bright}}}, pb.Code_CODE_INVALID},
		{"no such preset", &pb.DeviceAct{Device: "yard", Act: &pb.DeviceAct_PtzPreset{PtzPreset: &pb.PtzPreset{}}}, pb.Code_CODE_UNSUPPORTED},
		{"no such mode", mode("yard", "privacy", "on"), pb.Code_CODE_UNSUPPORTED},
		{"no such value", mode("yard", "night_vision", "sometimes"), pb.Code_CODE_INVALID},
		{"no such device", mode("cellar", "night_vision", "on"), pb.Code_CODE_NOT_FOUND},
		{"a bare button", mode("button", "indicator", "on"), pb.Code_CODE_UNSUPPORTED},
		{"no act", &pb.DeviceAct{Device: "yard"}, pb.Code_CODE_INVALID},
		{"nothing", nil, pb.Code_CODE_INVALID},
	} {
		r := act("bell", c.act)
		if r.GetError().GetCode() != c.want || (d.got != nil) != (c.want == pb.Code_CODE_OK) {
			t.Errorf("%s: %v, and the plugin was told %v", c.name, r, d.got)
		}
		if c.want == pb.Code_CODE_OK && (r.GetDone() == nil || !proto.Equal(d.got, c.act)) {
			t.Errorf("%s: %v, and the plugin was told %v", c.name, r, d.got)
		}
	}
	if act("bell", relay("gate")); d.plugin != "other" {
		t.Errorf("plugin %q was told", d.plugin)
	}
	d.reply = &pb.Reply{Error: &pb.Error{Code: pb.Code_CODE_UNAVAILABLE, Message: "the gate is stuck"}}
	if r := act("bell", relay("gate")); r.GetError().GetCode() != pb.Code_CODE_UNAVAILABLE || r.GetError().GetMessage() != "the gate is stuck" {
		t.Errorf("what the device said: %v", r)
	}
	d.reply, d.err = nil, away{}
	if r := act("bell", relay("gate")); r.GetError().GetCode() != pb.Code_CODE_UNAVAILABLE || r.GetError().GetExplain() != "E-PLUGIN-NOT-RUNNING" {
		t.Errorf("its plugin is away: %v", r)
	}
}

func TestCamerasAreToldAsFarAsThePluginMayKnow(t *testing.T) {
	f := newHost(t)
	list := func(p manifest.Permissions) map[string]*pb.CameraInfo {
		f.grant(t, "bell", p)
		out := map[string]*pb.CameraInfo{}
		for _, c := range f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_ListCameras{}}).GetListCameras().GetCameras() {
			out[c.GetId()] = c
		}
		return out
	}
	if got := list(manifest.Permissions{}); len(got) != 1 || got["porch"] == nil {
		t.Errorf("without a grant it knows %v", got)
	}
	got := list(manifest.Permissions{Subscribe: []string{"camera.yard.ring"}})
	if y := got["yard"]; y.GetDevice().GetModel() != "Y2" || !y.GetTalk() || !y.GetSnapshot() || y.GetOfflineReason() != "it rains" || y.GetStatus() != nil {
		t.Errorf("one that it may hear: %v", y)
	}
	if p := got["porch"]; p.GetDevice() != nil || p.GetStatus()["battery"] != "80" {
		t.Errorf("its own: %v", p)
	}
	for name, p := range map[string]manifest.Permissions{
		"media.read": {Media: manifest.Media{Read: true}}, "its status": {Subscribe: []string{"camera.**", "device.*.status"}},
	} {
		if y := list(p)["yard"]; y.GetStatus()["battery"] != "80" {
			t.Errorf("with %s: %v", name, y)
		}
	}
}

func TestKeyFrames(t *testing.T) {
	f := newHost(t)
	d := &doer{reply: &pb.Reply{R: &pb.Reply_Done{Done: &pb.Done{}}}}
	f.Commander = d
	f.Cameras.(house)["button"] = Camera{ID: "button"}
	ask := func(camera, stream string) pb.Code {
		d.key = nil
		return f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_RequestKeyFrame{RequestKeyFrame: &pb.RequestKeyFrame{Camera: camera, Stream: stream}}}).GetError().GetCode()
	}
	f.grant(t, "bell", manifest.Permissions{Subscribe: []string{"**"}})
	if c := ask("yard", ""); c != pb.Code_CODE_DENIED || d.key != nil {
		t.Errorf("another's camera: %v", c)
	}
	f.grant(t, "bell", manifest.Permissions{Media: manifest.Media{Read: true}})
	if c := ask("yard", ""); c != pb.Code_CODE_OK || d.plugin != "other" || d.key.GetStream() != "main" {
		t.Errorf("it was asked: %v, %s %v", c, d.plugin, d.key)
	}
	if c := ask("yard", "attic"); c != pb.Code_CODE_INVALID || d.key != nil {
		t.Errorf("a stream that there is not: %v", c)
	}
	if c := ask("button", ""); c != pb.Code_CODE_UNSUPPORTED {
		t.Errorf("a camera without a plugin: %v", c)
	}
	d.reply = &pb.Reply{Error: &pb.Error{Code: pb.Code_CODE_UNSUPPORTED, Message: "this plugin does not answer it"}}
	if c := ask("yard", "sub"); c != pb.Code_CODE_UNSUPPORTED || d.key.GetStream() != "sub" {
		t.Errorf("one that cannot: %v", c)
	}
}

// TestSwitchingIsNoStorm: what the house is told by a plugin's calls goes around the rates of
// its events.
func TestSwitchingIsNoStorm(t *testing.T) {
	f := newHost(t)
	room := &calm{}
	f.House = room
	f.grant(t, "other", manifest.Permissions{Commands: []string{"chime.quiet", "device.act"}})
	set, refused := 0, 0
	for i := range 3 * doingBurst {
		switch code := f.call(t, "other", setQuiet(&pb.SetQuiet{Active: i%2 == 0})).GetError().GetCode(); code {
		case pb.Code_CODE_OK:
			set++
		case pb.Code_CODE_EXHAUSTED:
			refused++
		default:
			t.Fatal(code)
		}
	}
	if set < doingBurst || refused < doingBurst || len(room.set) != set {
		t.Errorf("%d set, %d refused", set, refused)
	}
	act := &pb.HubCall{C: &pb.HubCall_ActOnDevice{ActOnDevice: &pb.ActOnDevice{Act: &pb.DeviceAct{Device: "front_door",
		Act: &pb.DeviceAct_ModeSet{ModeSet: &pb.ModeSet{Mode: "indicator", Value: "on"}}}}}}
	if code := f.call(t, "other", act).GetError().GetCode(); code != pb.Code_CODE_EXHAUSTED {
		t.Errorf("a device beside it: %v", code)
	}
}
