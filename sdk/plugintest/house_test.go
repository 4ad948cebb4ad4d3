package plugintest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// bridge shows the house elsewhere.
type bridge struct {
	commands []string
	hub      *sdk.Hub
	started  chan struct{} // closed when hub is set
	heard    chan sdk.Event
}

func newBridge(commands ...string) *bridge {
	return &bridge{commands: commands, started: make(chan struct{}), heard: make(chan sdk.Event, 8)} // of a test's few events
}

func (b *bridge) Manifest() manifest.Manifest {
	return manifest.Manifest{ID: "org.example.bridge", Name: "Bridge", Version: "1.0.0", Capabilities: []manifest.Capability{manifest.Bridge},
		Permissions: manifest.Permissions{Subscribe: []string{"system.*", "chime.*.quiet"}, Commands: b.commands}}
}

func (b *bridge) Run(ctx context.Context, hub *sdk.Hub) error {
	b.hub = hub
	close(b.started)
	<-ctx.Done()
	return nil
}

func (b *bridge) HandleEvent(_ context.Context, d sdk.Delivery) error {
	b.heard <- d.Event
	return nil
}

func (b *bridge) next(t *testing.T) sdk.Event {
	t.Helper()
	select {
	case e := <-b.heard:
		return e
	case <-limit(t).Done():
		t.Fatal("nothing was heard")
	}
	return sdk.Event{}
}

func TestABridgeShowsTheHouse(t *testing.T) {
	ctx := limit(t)
	b := newBridge("chime.quiet", "device.act")
	hub := plugintest.Start(t, func() sdk.Plugin { return b }, plugintest.Options{Devices: []sdk.Device{}})
	<-b.started
	if err := hub.SetHouse(sdk.House{Chimes: []sdk.ChimeInfo{{ID: "hall", Name: "Hall"}}}); err != nil {
		t.Fatal(err)
	}
	gate := sdk.CameraInfo{ID: "gate", Name: "Gate", Kind: "doorbell", Online: true, Talk: true, Snapshot: true, Status: map[string]string{"mode.indicator": "on"},
		Device: &sdk.DeviceDescription{Model: "G1", EventTypes: []sdk.EventType{sdk.TypeRing}, Presses: []string{"long"},
			Modes: []sdk.Choice{{ID: "indicator", Name: "Light", Values: []string{"on", "off"}}}}}
	if err := hub.SetCameras([]sdk.CameraInfo{gate}); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"house", "cameras"} {
		if e := b.next(t); e.Subject != "system."+kind || e.Data.(sdk.System).Kind != kind {
			t.Errorf("heard %+v, want %s", e, kind)
		}
	}
	list, err := b.hub.Cameras(ctx)
	if err != nil || len(list) != 1 || list[0].Device.Model != "G1" || list[0].Status["mode.indicator"] != "on" || len(list[0].Device.Modes[0].Values) != 2 {
		t.Errorf("cameras %+v, %v", list, err)
	}
	if err := b.hub.Act(ctx, "gate", sdk.ModeSet{Mode: "indicator", Value: "off"}); err != nil {
		t.Error(err)
	}
	if err := b.hub.Act(ctx, "gate", sdk.ModeSet{Mode: "privacy", Value: "on"}); !errors.Is(err, sdk.ErrUnsupported) {
		t.Errorf("a mode that it has not: %v", err)
	}
	if err := b.hub.Act(ctx, "cellar", sdk.HangUp{}); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("a device that is not there: %v", err)
	}
	if got := hub.Acts(); len(got) != 1 || got[0] != (plugintest.Acted{Device: "gate", Act: sdk.ModeSet{Mode: "indicator", Value: "off"}}) {
		t.Errorf("acts %+v", got)
	}
	if err := b.hub.SetQuiet(ctx, "hall", true, 0); err != nil {
		t.Fatal(err)
	}
	if e := b.next(t); e.Subject != "chime.hall.quiet" || !e.Data.(sdk.Quiet).Active {
		t.Errorf("heard %+v", e)
	}
	if err := b.hub.SetQuiet(ctx, "", true, time.Hour); err != nil {
		t.Fatal(err)
	}
	if e := b.next(t); e.Subject != "system.quiet" || e.Data.(sdk.Quiet).Until.IsZero() {
		t.Errorf("heard %+v", e)
	}
	if err := b.hub.SetQuiet(ctx, "attic", true, 0); !errors.Is(err, sdk.ErrNotFound) {
		t.Errorf("a chime that is not there: %v", err)
	}
	house, err := b.hub.House(ctx)
	if err != nil || !house.Quiet.Active || len(house.Chimes) != 1 || !house.Chimes[0].Quiet.Active || !house.Chimes[0].Quiet.Until.IsZero() {
		t.Errorf("house %+v, %v", house, err)
	}
	if h := hub.House(); !h.Quiet.Active || h.Chimes[0].Quiet.By != "plugin/bridge" {
		t.Errorf("house %+v", h)
	}
}

func TestABridgeMayOnlyWhatItAsksFor(t *testing.T) {
	ctx := limit(t)
	b := newBridge()
	plugintest.Start(t, func() sdk.Plugin { return b }, plugintest.Options{})
	<-b.started
	if err := b.hub.SetQuiet(ctx, "", true, 0); !errors.Is(err, sdk.ErrDenied) {
		t.Errorf("quiet without the grant: %v", err)
	}
	if err := b.hub.Act(ctx, "gate", sdk.HangUp{}); !errors.Is(err, sdk.ErrDenied) {
		t.Errorf("an act without the grant: %v", err)
	}
	if _, err := b.hub.House(ctx); err != nil {
		t.Error(err)
	}
}
