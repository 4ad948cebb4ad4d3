package hubtest_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/sdk"
)

// bridged is a hub with the demo, a camera by RTSP and a bridge.
type bridged struct {
	*hubtest.Hub
	t *testing.T
}

// bridgeYAML of a house whose bridge may do that.
func bridgeYAML(bridge, permissions, more string) string {
	return hubtest.Config(fmt.Sprintf("plugins:\n  demo: {}\n  bridge:\n    path: %s\n    permissions: {%s}\nchimes:\n  hall: {builtin: browser, name: Hall}\ncameras:\n  porch: {kind: doorbell, plugin: demo, name: Porch}\n%s", bridge, permissions, more))
}

const bridgeMay = `network: [{listen: lan}], subscribe: ["camera.**", "device.*.status", "system.*", "chime.*.quiet"], commands: [device.act, chime.quiet], media: {read: true}`

func (b *bridged) save(yaml string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.Dir, "porchlight.yaml"), []byte(yaml), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bridged) running(name string) {
	b.t.Helper()
	hubtest.Eventually(b.t, name+" is running", func() bool {
		p, err := b.Client.Plugin(b.t.Context(), name)
		return err == nil && p.State == "running"
	})
}

// ask calls an action of the bridge.
func (b *bridged) ask(action, input string, out any) error {
	b.t.Helper()
	reply, err := b.Client.Act(b.t.Context(), "bridge", action, json.RawMessage(input))
	if err == nil && out != nil {
		err = json.Unmarshal(reply, out)
	}
	return err
}

func (b *bridged) camera(id string) (found sdk.CameraInfo, ok bool) {
	b.t.Helper()
	var list []sdk.CameraInfo
	if err := b.ask("cameras", "{}", &list); err != nil {
		b.t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(c sdk.CameraInfo) bool { return c.ID == id })
	if i < 0 {
		return found, false
	}
	return list[i], true
}

// hears waits until the bridge has heard an event of that subject with that in its data.
func (b *bridged) hears(subject, what string) {
	b.t.Helper()
	hubtest.Eventually(b.t, subject+" with "+what, func() bool {
		var list []struct {
			Subject string          `json:"subject"`
			Data    json.RawMessage `json:"data"`
		}
		if err := b.ask("heard", "{}", &list); err != nil {
			b.t.Fatal(err)
		}
		for _, e := range list {
			if e.Subject == subject && strings.Contains(string(e.Data), what) {
				return true
			}
		}
		return false
	})
}

// TestBridge is what a bridge shows of a house, and does to it.
func TestBridge(t *testing.T) {
	bridge := hubtest.Build(t, "./hub/hubtest/testdata/bridge")
	b := &bridged{t: t}
	b.Hub = hubtest.Start(t, hubtest.Binary(t), hubtest.Dir(t, bridgeYAML(bridge, bridgeMay, "")))
	b.running("bridge")
	b.running("demo")
	hubtest.Eventually(t, "the demo's doorbell is described", func() bool {
		c, ok := b.camera("porch")
		return ok && c.Device != nil && c.Online && c.Talk && c.Snapshot && c.Status["mode.night_vision"] == "auto"
	})
	if c, _ := b.camera("porch"); c.Name != "Porch" || c.Kind != "doorbell" || c.Device.Model != "Demo doorbell" || len(c.Device.Modes) != 2 || !slices.Contains(c.Device.EventTypes, sdk.TypeRing) {
		t.Errorf("told as %+v, %+v", c, c.Device)
	}

	if err := b.ask("act", `{"device": "porch", "mode": "night_vision", "value": "on"}`, nil); err != nil {
		t.Fatal(err)
	}
	b.hears("device.porch.status", `"mode.night_vision":"on"`)
	if err := b.ask("act", `{"device": "porch", "mode": "privacy", "value": "on"}`, nil); err == nil {
		t.Error("a mode that there is not was set")
	}
	if err := b.ask("key", `{"device": "porch"}`, nil); err == nil {
		t.Error("a film was asked for a key frame")
	}

	var house sdk.House
	if err := b.ask("house", "{}", &house); err != nil || house.Quiet.Active || len(house.Chimes) != 1 || house.Chimes[0].Name != "Hall" {
		t.Errorf("house %+v, %v", house, err)
	}
	if err := b.ask("quiet", `{"chime": "hall", "active": true}`, nil); err != nil {
		t.Fatal(err)
	}
	b.hears("chime.hall.quiet", `"active":true`)
	if list, _, err := b.Client.Chimes(t.Context()); err != nil || !list[0].Muted {
		t.Errorf("the page says %+v, %v", list, err)
	}
	if err := b.ask("quiet", `{"active": true, "seconds": 2}`, nil); err != nil {
		t.Fatal(err)
	}
	b.hears("system.quiet", `"active":true`)
	b.hears("system.quiet", `"active":false`) // by its own end
	if _, err := b.Client.SetQuiet(t.Context(), time.Hour); err != nil {
		t.Fatal(err)
	}
	b.hears("system.quiet", `"by":"owner"`)

	b.save(bridgeYAML(bridge, bridgeMay, "  yard: {plugin: demo}\n"))
	b.hears("system.cameras", `"kind":"cameras"`)
	hubtest.Eventually(t, "the other camera is told", func() bool { c, ok := b.camera("yard"); return ok && c.Device != nil })

	var heard map[string]any
	if err := b.ask("listen", "{}", &heard); err != nil {
		t.Errorf("in the LAN: %v", err)
	}
	for _, kind := range []string{"tcp", "udp"} {
		if a, _ := heard[kind].(string); !strings.HasPrefix(a, "[::]:") {
			t.Errorf("it listens by %s on %s alone", kind, a)
		}
	}

	// After a start of the hub at which the doorbell's plugin does not come up, it is still
	// the device that it was: a bridge need not show another one.
	b.Stop()
	b.Hub.Save(strings.Replace(bridgeYAML(bridge, bridgeMay, ""), "demo: {}", "demo: {disabled: true}", 1))
	b.Hub = hubtest.Start(t, hubtest.Binary(t), b.Dir)
	b.running("bridge")
	if c, ok := b.camera("porch"); !ok || c.Device == nil || c.Device.Model != "Demo doorbell" || !c.Talk || !c.Snapshot || c.Status["mode.night_vision"] != "on" {
		t.Errorf("before its plugin has spoken it is %+v, %+v", c, c.Device)
	}
	hubtest.Eventually(t, "it is offline, with a reason", func() bool {
		c, _ := b.camera("porch")
		return !c.Online && strings.Contains(c.OfflineReason, "demo")
	})
	if err := b.ask("act", `{"device": "porch", "mode": "night_vision", "value": "off"}`, nil); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("an act on what is not there: %v", err)
	}
	if err := b.ask("house", "{}", &house); err != nil || !house.Chimes[0].Quiet.Active || !house.Quiet.Active {
		t.Errorf("after the start the house is %+v, %v", house, err)
	}

	// With nothing granted it can do and know nothing, whatever its manifest asks.
	b.save(bridgeYAML(bridge, "", ""))
	hubtest.Eventually(t, "the bridge has lost its rights", func() bool { return b.ask("house", "{}", nil) != nil })
	b.running("bridge")
	for action, input := range map[string]string{"house": "{}", "quiet": `{"active": true}`, "act": `{"device": "porch", "mode": "indicator", "value": "off"}`, "snapshot": `{"device": "porch", "times": 1}`} {
		if err := b.ask(action, input, nil); err == nil || !strings.Contains(err.Error(), "grant") {
			t.Errorf("%s without a grant: %v", action, err)
		}
	}
	if c, ok := b.camera("porch"); ok {
		t.Errorf("without a grant it knows of %+v", c)
	}
}
