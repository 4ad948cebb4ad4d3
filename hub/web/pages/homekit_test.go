package pages

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/homekit"
)

// appleHome answers for the homekit plugin.
type appleHome struct {
	status homekit.Status
	codes  []homekit.Code
	err    error
}

func (a *appleHome) act(_ context.Context, h *house, plugin, action string, in json.RawMessage) (json.RawMessage, error) {
	if a.err != nil {
		return nil, a.err
	}
	switch action {
	case "status":
		return json.Marshal(a.status)
	case "qr":
		return json.Marshal(map[string]any{"accessories": a.codes})
	}
	h.did = append(h.did, plugin+" "+action+" "+string(in))
	return json.RawMessage(`{}`), nil
}

func applePlugin(state string) api.Plugin {
	return api.Plugin{Name: "homekit", ID: homekit.PluginID, Title: "Apple Home", Version: "0.1.0", State: state, PID: 4713, Since: noon().Add(-2 * time.Hour), Capabilities: []string{"bridge"}}
}

// freshAppleHouse has two cameras that wait for their codes to be scanned.
func freshAppleHouse() *house {
	h := demoHouse()
	h.plugins = append(h.plugins, applePlugin("running"))
	h.apple = &appleHome{status: homekit.Status{
		Accessories: []homekit.Accessory{
			{Camera: "demo_porch", ID: "demo_porch", Name: "Demo porch", Kind: "doorbell", Category: 18, Port: 51826, Device: "AA:BB:CC:DD:EE:FF", Announced: "Demo porch", ConfigNumber: 1, Active: true},
			{Camera: "drive", ID: "drive", Name: "Drive", Kind: "camera", Category: 17, Port: 51827, Announced: "Drive", ConfigNumber: 1, Active: true},
		},
		Interfaces: []homekit.Interface{
			{Name: "eth0", Addresses: []string{"192.168.1.10", "fe80::d250:99ff:fe3a:1"}, Used: true},
			{Name: "docker0", Addresses: []string{"172.17.0.1"}, Why: "it belongs to containers"},
		},
	}, codes: []homekit.Code{
		{Camera: "demo_porch", Name: "Demo porch", Kind: "doorbell", Code: "314-15-926", URI: "X-HM://00HVRPEPUPRCH"},
		{Camera: "drive", Name: "Drive", Kind: "camera", Code: "271-82-818", URI: "X-HM://00HVRPEPUDRVE"},
	}}
	return h
}

// appleHouse is in use: who is paired, who watches, one that was switched off, a bridge.
func appleHouse() *house {
	h := freshAppleHouse()
	now, s := h.now, &h.apple.status
	ipad := "7D1C5E20-0C1D-4B63-9C1C-7C3B1A2F9E01"
	s.Accessories[0].Paired, s.Accessories[0].Announced = true, "Demo porch (2)"
	s.Accessories[0].Controllers = []homekit.Controller{
		{ID: "C4B1F2A0-5E61-4A3B-8E10-3E9B3D6F0A11", Admin: true, Connections: 2, Addresses: []string{"192.168.1.23", "fe80::1c2d:3eff:fe4f:5a6b"}, Subscribed: 4, LastSeen: now.Add(-3 * time.Second)},
		{ID: ipad, Addresses: []string{"192.168.1.31"}, LastSeen: now.Add(-5 * time.Hour), LastError: "it did not take an event within 5 s", LastErrorAt: now.Add(-5 * time.Hour)},
	}
	s.Accessories[0].Watching = []homekit.Watch{
		{Controller: s.Accessories[0].Controllers[0].ID, Since: now.Add(-40 * time.Second), Stream: "main", How: "copy", Codec: "h264", Width: 1280, Height: 720, FPS: 25, Kbps: 1480, Sound: true, Talking: true},
		{Controller: ipad, Since: now.Add(-9 * time.Second), Stream: "main", How: "converted: it asked for 320 × 240 and the camera has no small stream", Codec: "h264", Width: 320, Height: 240, FPS: 15, Kbps: 180},
	}
	s.Accessories[0].LastRing = &homekit.Ring{At: now.Add(-3 * time.Minute), Told: 2}
	s.Accessories[0].Choices = []string{"main, as the camera sends it: 1280 × 720 High 3.1 fits in what was asked for", "converted: it asked for 320 × 240 and the camera has no small stream"}
	s.Accessories[1].Paired, s.Accessories[1].Active = true, false
	s.Accessories[1].Controllers = []homekit.Controller{{ID: ipad, Admin: true, LastSeen: now.Add(-26 * time.Hour)}}
	s.Bridge = &homekit.Accessory{ID: "_bridge", Name: "Mute chimes", Kind: "bridge", Category: 2, Port: 51828, Announced: "Mute chimes", Active: true}
	h.apple.codes[0].Paired, h.apple.codes[1].Paired = true, true
	h.apple.codes = append(h.apple.codes, homekit.Code{Camera: "bridge", Name: "Mute chimes", Kind: "bridge", Code: "161-80-339", URI: "X-HM://0023ISYWYBRDG"})
	h.checks = []api.Check{
		{Area: "homekit", State: "ok", What: "network interfaces", Why: "found on eth0"},
		{Area: "homekit", State: "ok", What: "demo_porch: mDNS", Why: "its record is heard back on eth0"},
		{Area: "homekit", State: "fail", What: "drive: mDNS", Why: "its record is not heard back: phones do not find it", Fix: "let UDP port 5353 through: `ufw allow 5353/udp`"},
		{Area: "homekit", State: "warn", What: "demo_porch: name", Why: "another device calls itself “Demo porch”", Fix: "switch the other one off"},
		{Area: "homekit", State: "ok", What: "demo_porch: port", Why: "TCP port 51826 answers"},
		{Area: "homekit", State: "ok", What: "demo_porch: picture", Why: "the page has it from the status"},
		{Area: "homekit", State: "skip", What: "something", Why: "that the page has no step for"},
		{Area: "clock", State: "ok", What: "the clock is kept by the system, 2 ms off"},
	}
	return h
}

// sickAppleHouse runs, with an accessory that needs its owner, on no network.
func sickAppleHouse() *house {
	h := appleHouse()
	s := &h.apple.status
	s.Accessories[0].Problem = &homekit.Problem{Code: "E-HOMEKIT-STORE", Message: "homekit/demo_porch/keypair does not parse", Fix: "put it back from a backup, or start over"}
	s.Accessories[0].Controllers, s.Accessories[0].Watching, s.Accessories[0].Announced, s.Accessories[0].Choices = nil, nil, "", nil
	s.Accessories[1].Announced = ""
	s.Interfaces = s.Interfaces[1:]
	// One that could not be made at all.
	s.Accessories = append(s.Accessories, homekit.Accessory{Camera: "gate", Name: "gate", Problem: &homekit.Problem{Code: "E-HOMEKIT-CODE", Message: "its code is the sample of every document", Fix: "write other digits"}})
	return h
}

func downAppleHouse() *house {
	h := appleHouse()
	i := len(h.plugins) - 1
	h.plugins[i] = applePlugin("failed")
	h.plugins[i].Code, h.plugins[i].Reason, h.plugins[i].Fix, h.plugins[i].Restarts = "E-PLUG-CRASHED", "stopped, because it crashed 5 times in 10 minutes: exit status 2", "see its log, then try again", 5
	return h
}

// silentAppleHouse has a plugin that does not answer.
func silentAppleHouse() *house {
	h := appleHouse()
	h.apple.err = api.NewProblem(http.StatusGatewayTimeout, "E-PLUG-SLOW", "plugin homekit: no answer in time", "See its log.")
	return h
}

func nothingInAppleHouse() *house {
	h := freshAppleHouse()
	h.apple.status.Accessories, h.apple.codes = nil, nil
	return h
}

func member() *access.Identity {
	return &access.Identity{User: "anna", Role: access.RoleMember, Via: access.ViaSession}
}

func appleScenes() []scene {
	codes := []string{"314-15-926", "X-HM", "161-80-339", "hk-digits"}
	return []scene{
		{name: "homekit", house: appleHouse(), path: "/homekit", has: []string{"Demo porch", "in the network as “Demo porch (2)”", "2 viewers", "1280 × 720", "as the camera sends it", "Converted, because it asked for 320 × 240", "talking", "C4B1F2A0", "It did not take an event within 5 s.", "told 2 controllers", "Switched off in Home", "161-80-339", "Make a new code", "/homekit/codes"},
			not: []string{"314-15-926", "271-82-818"}},
		{name: "homekit-fresh", house: freshAppleHouse(), path: "/homekit", has: []string{"Waits to be added", "314-15-926", "271-82-818", `class="qr"`, "the code of now is worthless"}, not: []string{"X-HM", "out of every home"}},
		{name: "homekit-member", house: freshAppleHouse(), who: member(), path: "/homekit", has: []string{"The owner of the house sees its code"}, not: append(codes, "/homekit/codes", "Make a new code")},
		{name: "homekit-none", house: demoHouse(), path: "/homekit", has: []string{"homekit: {builtin: homekit}", "Ring in Apple Home too"}, not: []string{"/homekit/no-response"}},
		{name: "homekit-nothing", house: nothingInAppleHouse(), path: "/homekit", has: []string{"Nothing to add yet"}},
		{name: "homekit-down", house: downAppleHouse(), path: "/homekit", has: []string{"Stopped, because it crashed", "Its pairings are kept", "Try again"}, not: codes},
		{name: "homekit-silent", house: silentAppleHouse(), path: "/homekit", has: []string{"E-PLUG-SLOW", "Plugin homekit: no answer in time."}, not: []string{"Nothing to add yet"}},
		{name: "homekit-sick", house: sickAppleHouse(), path: "/homekit", has: []string{"E-HOMEKIT-STORE", "does not parse", "Needs you", "Who is paired is not known"}},
		{name: "homekit-part", house: freshAppleHouse(), path: "/homekit?part=accessories", has: []string{"314-15-926"}, not: []string{"<html"}},
		{name: "codes", house: appleHouse(), path: "/homekit/codes", has: []string{"314-15-926", "271-82-818", "161-80-339", "It is in a home", "Not added yet", "The setup code of Demo porch for the Home app"}, not: []string{"X-HM"}},
		{name: "codes-member", house: appleHouse(), who: member(), path: "/homekit/codes", status: 403, not: codes},
		{name: "codes-down", house: downAppleHouse(), path: "/homekit/codes", has: []string{"the codes are kept until it does"}, not: codes},
		{name: "noresponse", house: appleHouse(), path: "/homekit/no-response", has: []string{"The plugin homekit runs, since 2 h", "Announced on eth0 (192.168.1.10, fe80::d250:99ff:fe3a:1)", "Not announced on docker0: it belongs to containers", "ufw allow 51826,51827,51828/tcp", "tcp dport { 51826, 51827, 51828 }", "Demo porch: 1 of 2 controllers connected now", "Drive: nobody is connected; the last one was here 26 h ago", "On eth0 the accessories answer by IPv4 and by IPv6", "it did not take an event within 5 s, 5 h ago", "data-at-once", "switched off in Apple Home"},
			not: append(codes, "mdns:")},
		{name: "noresponse-member", house: appleHouse(), who: member(), path: "/homekit/no-response", has: []string{"The owner of the house can."}, not: append(codes, "Look now")},
		{name: "noresponse-none", house: demoHouse(), path: "/homekit/no-response", has: []string{"Apple Home is not part of this house"}},
		{name: "noresponse-down", house: downAppleHouse(), path: "/homekit/no-response", has: []string{"The plugin homekit is failed: stopped, because", "E-PLUG-CRASHED"}},
		{name: "noresponse-silent", house: silentAppleHouse(), path: "/homekit/no-response", has: []string{"E-PLUG-SLOW"}},
		{name: "noresponse-sick", house: sickAppleHouse(), path: "/homekit/no-response", has: []string{"It is announced on no network at all", "Drive is not announced"}},
	}
}

func TestNothingOfAppleHomeIsDoneForOthers(t *testing.T) {
	forms := map[string]struct {
		form url.Values
		did  string
	}{
		"/homekit/unpair": {url.Values{"camera": {"drive"}, "controller": {"A1"}}, `homekit unpair {"camera":"drive","controller":"A1"}`},
		"/homekit/reset":  {url.Values{"camera": {"drive"}, "sure": {"yes"}}, `homekit reset {"camera":"drive"}`},
	}
	for path, c := range forms {
		h := appleHouse()
		w := post(h, owner(), path, c.form)
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/homekit" || !slices.Equal(h.did, []string{c.did}) {
			t.Errorf("%s: %d to %q, did %q", path, w.Code, w.Header().Get("Location"), h.did)
		}
		for _, who := range []*access.Identity{nil, member(), {User: "guest", Role: access.RoleGuest}} {
			h := appleHouse()
			if w := post(h, who, path, c.form); w.Code < 400 || len(h.did) > 0 {
				t.Errorf("%s as %v: %d, did %q", path, who, w.Code, h.did)
			}
		}
		// An empty camera would mean all of them, and an unticked box that nobody is sure.
		for _, form := range []url.Values{nil, {"camera": {"drive"}}, {"controller": {"A1"}}, {"sure": {"yes"}}, {"camera": {""}, "controller": {"A1"}, "sure": {"yes"}}} {
			h := appleHouse()
			if w := post(h, owner(), path, form); w.Code != http.StatusUnprocessableEntity || len(h.did) > 0 {
				t.Errorf("%s %v: %d, did %q", path, form, w.Code, h.did)
			}
		}
		if w := post(demoHouse(), owner(), path, c.form); !strings.Contains(w.Body.String(), "E-HOMEKIT-NONE") {
			t.Errorf("%s without the plugin: %d\n%s", path, w.Code, w.Body)
		}
	}
}

// What the hub heard for itself stands beside the step that it answers.
func TestLookingForHome(t *testing.T) {
	h := appleHouse()
	w := post(h, owner(), "/homekit/no-response?part=answers", nil)
	body := w.Body.String()
	if w.Code != 200 || !slices.Equal(h.did, []string{"doctor"}) || strings.Contains(body, "<html") {
		t.Fatalf("%d, did %q\n%s", w.Code, h.did, body)
	}
	lawful(t, body)
	steps := strings.Split(body, `<li class="card">`)
	for step, want := range map[int][]string{
		3:  {"Demo porch: its record is heard back on eth0.", "Drive: its record is not heard back: phones do not find it.", "<span>let UDP port 5353 through"},
		4:  {"Demo porch: TCP port 51826 answers."},
		6:  {"Demo porch is announced as “Demo porch (2)”: another device has that name.", "the other one off"},
		8:  {"2 ms off."},
		10: {"Something: that the page has no step for."},
	} {
		for _, text := range want {
			if !strings.Contains(steps[step], text) {
				t.Errorf("step %d lacks %q:\n%s", step, text, steps[step])
			}
		}
	}
	for _, who := range []*access.Identity{nil, member()} {
		h := appleHouse()
		if w := post(h, who, "/homekit/no-response", nil); w.Code < 400 || len(h.did) > 0 {
			t.Errorf("as %v: %d, did %q", who, w.Code, h.did)
		}
	}
}

// The code is in no address of the page.
func TestNoCodeInAnAddress(t *testing.T) {
	for _, path := range []string{"/homekit", "/homekit/codes"} {
		w := httptest.NewRecorder()
		serveAs(freshAppleHouse(), owner()).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		for piece := range strings.SplitSeq(w.Body.String(), `"`) {
			if strings.HasPrefix(piece, "/") && (strings.Contains(piece, "314") || strings.Contains(piece, "00HVR")) {
				t.Errorf("%s: %s", path, piece)
			}
		}
		if c := w.Header().Get("Cache-Control"); c != "no-store" {
			t.Errorf("%s may be kept: %q", path, c)
		}
	}
}
