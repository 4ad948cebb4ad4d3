package pages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// house is a made-up house in a state of one's choice: all rooms in one type.
type house struct {
	now     time.Time
	cameras []api.Camera
	events  []event.Event
	trace   api.Trace
	plugins []api.Plugin
	logs    []api.LogLine
	chimes  []api.Chime
	quiet   api.Quiet
	state   api.ConfigState
	yaml    string
	source  string
	files   []api.ConfigFile // those that the main one includes
	hook    api.Hook
	report  api.CameraReport
	checks  []api.Check
	tokens  []access.Token
	streams []access.StreamPassword
	rtsp    error // why nothing is handed on by RTSP
	broken  error // what the events room answers
	apple   *appleHome
	did     []string
}

func (h *house) rooms() api.Rooms {
	return api.Rooms{Cameras: h, Events: h, Ringer: h, Chimes: h, Plugins: pluginRoom{h}, Config: h, Explain: h,
		Hooks: hookRoom{h}, Sources: sourceRoom{h}, Doctor: doctorRoom{h}, Restream: relay{h}, MP4: films{}}
}

// noon of a day with events; all fixtures are relative to it.
func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

func (h *house) Cameras() []api.Camera { return h.cameras }

func (h *house) Camera(id string) (api.Camera, bool) {
	for _, c := range h.cameras {
		if c.ID == id {
			return c, true
		}
	}
	return api.Camera{}, false
}

func (h *house) Events(_ context.Context, q api.EventQuery) ([]event.Event, error) {
	if h.broken != nil {
		return nil, h.broken
	}
	var out []event.Event
	for _, e := range h.events {
		if (q.Camera == "" || q.Camera == e.Camera) && len(out) < q.Limit && (q.Before == 0 || e.Seq < q.Before) && e.Received.After(q.Since) {
			for _, t := range q.Types {
				if t == e.Type {
					out = append(out, e)
				}
			}
		}
	}
	return out, nil
}

func (h *house) Event(_ context.Context, id string) (event.Event, error) {
	for _, e := range h.events {
		if e.ID == id {
			return e, nil
		}
	}
	return event.Event{}, fmt.Errorf("event %q: %w", id, api.ErrNotFound)
}

func (h *house) Trace(ctx context.Context, id string) (api.Trace, error) {
	e, err := h.Event(ctx, id)
	if err != nil {
		return api.Trace{}, err
	}
	return api.Trace{Event: api.FromEvent(&e), Hops: h.trace.Hops}, nil
}

func (h *house) Ring(_ context.Context, camera string, _ bool) (string, error) {
	h.did = append(h.did, "ring "+camera)
	return event.NewID(), nil
}

func (h *house) Chimes() []api.Chime { return h.chimes }
func (h *house) Quiet() api.Quiet    { return h.quiet }

func (h *house) Mute(_ context.Context, id string, on bool) error {
	h.did = append(h.did, fmt.Sprintf("mute %s %t", id, on))
	return nil
}

func (h *house) Test(_ context.Context, id string) (api.Played, error) {
	h.did = append(h.did, "test "+id)
	return api.Played{Played: true}, nil
}

func (h *house) SetQuiet(_ context.Context, until time.Time) error {
	h.did = append(h.did, fmt.Sprintf("quiet %t", until.After(h.now)))
	return nil
}

func (h *house) State() api.ConfigState                               { return h.state }
func (h *house) Effective() []byte                                    { return []byte(h.yaml) }
func (h *house) Validate(context.Context, []byte) []api.ConfigProblem { return nil }

func (h *house) Files() []api.ConfigFile {
	if h.source == "" {
		return h.files
	}
	return append([]api.ConfigFile{{Name: "porchlight.yaml", Path: "/home/elm/porchlight.yaml", Main: true, Text: h.source}}, h.files...)
}

func (h *house) Explain(code string) (api.Explanation, bool) {
	title := map[string]string{"E-RTSP-UNREACHABLE": "The camera cannot be reached", "E-RTSP-LOGIN": "The camera refuses the login"}[code]
	if title != "" {
		return api.Explanation{Code: code, Title: title, What: title + ".", Mend: "Look at it."}, true
	}
	return api.Explanation{Code: code, Title: "A key that the config does not know", What: "The file has a key that has no meaning there.\n\nThe old config stays in force.", Mend: "Write the key that was meant."}, code != "E-NO"
}

// hookRoom, sourceRoom and doctorRoom are apart: their methods have the names of others.
type hookRoom struct{ h *house }

func (r hookRoom) Hook(_ context.Context, camera string) (api.Hook, error) {
	if r.h.broken != nil {
		return api.Hook{}, r.h.broken
	}
	hook := r.h.hook
	hook.Camera, hook.URL = camera, "/hooks/"+camera+"-0123456789abcdefghijklmnopqrstuv"
	return hook, nil
}

func (r hookRoom) Renew(ctx context.Context, camera string) (api.Hook, error) {
	r.h.did = append(r.h.did, "renew "+camera)
	return r.Hook(ctx, camera)
}

func (r hookRoom) Ring(context.Context, string) (string, error) { return "", api.ErrNotFound }

type sourceRoom struct{ h *house }

func (r sourceRoom) Test(_ context.Context, camera string) (api.CameraReport, error) {
	r.h.did = append(r.h.did, "look "+camera)
	return r.h.report, nil
}

func (r sourceRoom) Retry(_ context.Context, camera string) error {
	r.h.did = append(r.h.did, "retry "+camera)
	return nil
}

type doctorRoom struct{ h *house }

func (r doctorRoom) Check(context.Context, []string) []api.Check {
	r.h.did = append(r.h.did, "doctor")
	return r.h.checks
}

// pluginRoom is apart, for its Restart and the house's other methods share no names.
type pluginRoom struct{ h *house }

func (r pluginRoom) Plugins() []api.Plugin { return r.h.plugins }

func (r pluginRoom) Plugin(name string) (api.Plugin, bool) {
	for _, p := range r.h.plugins {
		if p.Name == name {
			return p, true
		}
	}
	return api.Plugin{}, false
}

func (r pluginRoom) Restart(_ context.Context, name string) error {
	if name == "gate" {
		return errors.New("the rooms' own words, not for the page")
	}
	r.h.did = append(r.h.did, "restart "+name)
	return nil
}

func (r pluginRoom) Logs(string, int) []api.LogLine { return r.h.logs }
func (r pluginRoom) Act(ctx context.Context, plugin, action string, in json.RawMessage) (json.RawMessage, error) {
	if r.h.apple == nil {
		return nil, nil
	}
	return r.h.apple.act(ctx, r.h, plugin, action, in)
}

func (r pluginRoom) Permissions(name string) (manifest.Permissions, bool) {
	switch name {
	case "gate":
		return manifest.Permissions{Network: []manifest.Network{{To: "camera", Ports: []int{80, 554}, Why: "talk to the cameras you configure"}, {To: "internet"}}, Publish: []string{"camera.*.ring", "camera.*.motion", "camera.*.online", "camera.*.offline"}, Secrets: "own", Storage: 50 << 20}, true
	case "mqtt":
		return manifest.Permissions{Network: []manifest.Network{{Listen: "lan"}, {To: "lan"}, {To: "192.168.1.0/24"}}, Discovery: []string{"mdns"}, Subscribe: []string{"camera.**"}, Media: manifest.Media{Read: true}, Talk: true}, true
	case "speaker":
		return manifest.Permissions{Devices: []string{"audio"}, Publish: []string{"chime.*.played", "chime.*.failed"}}, true
	case "odd":
		return manifest.Permissions{}, false
	}
	return manifest.Permissions{Publish: []string{"camera.*.ring", "camera.*.motion"}, Media: manifest.Media{Publish: true}}, true
}

// programs are the tokens of the made-up house.
type programs struct{ h *house }

func (p programs) StreamPasswords(context.Context) ([]access.StreamPassword, error) {
	return p.h.streams, p.h.broken
}

func (p programs) NewStreamPassword(_ context.Context, by access.Identity, spec access.StreamSpec) (access.StreamPassword, string, error) {
	if spec.Name == "" {
		return access.StreamPassword{}, "", &access.StreamError{Field: "name", Message: "is missing"}
	}
	p.h.did = append(p.h.did, fmt.Sprintf("stream password %s %v %v", spec.Name, spec.Talk, spec.Cameras))
	return access.StreamPassword{ID: "s9", User: by.User, StreamSpec: spec}, "shown-this-once", nil
}

func (p programs) RevokeStreamPassword(_ context.Context, id string) (bool, error) {
	p.h.did = append(p.h.did, "revoke stream "+id)
	return true, nil
}

// films are never asked: the pages only tell where they are.
type films struct{}

func (films) ServeMP4(http.ResponseWriter, *http.Request, string, string) {}

// relay stands for the re-stream.
type relay struct{ h *house }

func (r relay) Where() (int, bool, error) { return 8554, len(r.h.cameras) > 2, r.h.rtsp }
func (r relay) End(id string)             { r.h.did = append(r.h.did, "end "+id) }

func (p programs) Tokens(context.Context) ([]access.Token, error) { return p.h.tokens, p.h.broken }

func (p programs) NewToken(_ context.Context, _ access.Identity, spec access.TokenSpec) (access.Token, string, error) {
	if spec.Name == "" {
		return access.Token{}, "", &access.TokenError{Field: "name", Message: "want 1 to 64 characters, so that you know it again"}
	}
	p.h.did = append(p.h.did, fmt.Sprintf("token %s %v %v %t", spec.Name, spec.Scopes, spec.Cameras, spec.Expires.IsZero()))
	return access.Token{ID: "new", TokenSpec: spec, Created: p.h.now}, "plt_shown-this-once", nil
}

func (p programs) RevokeToken(_ context.Context, id string) (bool, error) {
	p.h.did = append(p.h.did, "revoke "+id)
	return true, nil
}

// door lets everybody in who knows the word.
type door struct{}

func (door) Login(_ http.ResponseWriter, _ *http.Request, _, password string) (access.Identity, error) {
	if password != "porch and lamp" {
		return access.Identity{}, access.ErrWrong
	}
	return access.Identity{}, nil
}

func (door) SetPassword(_ *http.Request, _, password string) error {
	if len(password) < 8 {
		return access.ErrWeak
	}
	return nil
}

func (door) Logout(http.ResponseWriter, *http.Request) error { return nil }

// demoHouse is the first run: the demo, a few events, all well.
func demoHouse() *house {
	now := noon()
	h := &house{now: now,
		cameras: []api.Camera{{ID: "demo_porch", Name: "Demo porch", Kind: "doorbell", Plugin: "demo", Online: true, LastSeen: now, Streams: []string{"main"}, Snapshot: true}},
		plugins: []api.Plugin{
			{Name: "demo", ID: "org.porchlight.demo", Version: "0.1.0", State: "running", PID: 4711, Since: now.Add(-2 * time.Hour), Capabilities: []string{"camera"}, Sandbox: "partial: no-new-privileges, limits", CPUPercent: 1.3, MemoryBytes: 19 << 20},
			{Name: "speaker", ID: "org.porchlight.speaker", Version: "0.1.0", State: "running", PID: 4712, Since: now.Add(-2 * time.Hour), Capabilities: []string{"chime"}, CPUPercent: .1, MemoryBytes: 12 << 20},
		},
		chimes: []api.Chime{{ID: "browser", Name: "Browser", Builtin: "browser", Sound: "ding_dong", Volume: 70}, {ID: "hallway", Name: "Hallway", Plugin: "speaker", Sound: "westminster", Volume: 60}},
		state:  api.ConfigState{Valid: true, Demo: true, Loaded: now.Add(-2 * time.Hour)},
		yaml:   "version: 1\n\ncameras:\n  demo_porch: {name: Demo porch, kind: doorbell, plugin: demo}\n\nchimes:\n  browser: {builtin: browser, sound: ding_dong}\n",
	}
	h.events = []event.Event{
		h.at(1, 3*time.Minute, event.TypeRing, event.Ring{Test: true}),
		h.at(2, 14*time.Minute, event.TypePerson, event.Detection{Label: "person", Active: true, Score: .9, Zones: []string{"path"}}),
		h.at(3, 15*time.Minute, event.TypeMotion, event.Motion{Active: true}),
		h.at(4, 95*time.Minute, event.TypeParcel, event.Detection{Label: "parcel", Active: true}),
		h.at(5, 97*time.Minute, event.TypeMotion, event.Motion{Active: false}),
		h.at(6, 3*time.Hour, event.TypeRing, event.Ring{}),
		h.at(7, 26*time.Hour, event.TypeOnline, event.Online{Online: true}),
		h.at(8, 27*time.Hour, event.TypeOnline, event.Online{Reason: "the camera did not answer for 10 s"}),
		h.at(9, 28*time.Hour, event.TypeTalk, event.Talk{HeardSeconds: 12}),
	}
	t := h.events[0].Received
	h.trace = api.Trace{Hops: []api.Hop{
		{At: t, SincePressUS: 0, Who: "device", What: "saw the ring", Outcome: "ok"},
		{At: t, SincePressUS: 1900, Who: "plugin demo", What: "sent the ring", Outcome: "ok"},
		{At: t, SincePressUS: 2300, Who: "bus", What: "handed it to every taker", Outcome: "ok"},
		{At: t, SincePressUS: 2900, Who: "rule Ring every chime", What: "matched", Outcome: "ok", Detail: "chimes browser, hallway, upstairs"},
		{At: t, SincePressUS: 4100, Who: "timeline", What: "handled it", Outcome: "ok", TookUS: 400},
		{At: t, SincePressUS: 41000, Who: "chime hallway", What: "sounded westminster", Outcome: "ok", TookUS: 38000},
		{At: t, SincePressUS: 8000, Who: "chime upstairs", What: "did not sound", Outcome: "skipped", Detail: "muted", Fix: "unmute it on the chimes list"},
		{At: t, SincePressUS: 3010000, Who: "chime browser", What: "did not sound", Outcome: "failed", Detail: "no open page has its sound turned on", Fix: "click Turn on sound on an open page", TookUS: 3000000},
	}}
	h.logs = []api.LogLine{
		{Time: now.Add(-2 * time.Hour), Level: "info", Text: "the porch is open", Fields: "cameras=1 fps=25"},
		{Time: now.Add(-time.Hour), Level: "warn", Text: "the loop was late", Fields: "by=31ms"},
		{Time: now.Add(-time.Minute), Level: "debug", Text: "snapshot drawn", Fields: "width=1280"},
		{Time: now.Add(-time.Second), Level: "error", Text: "media socket closed", Fields: "err=\"broken pipe\""},
	}
	return h
}

// troubledHouse has everything wrong at once that a page can tell of.
func troubledHouse() *house {
	h := demoHouse()
	now := h.now
	h.cameras = []api.Camera{
		{ID: "front_door", Name: "Front door", Kind: "doorbell", Plugin: "frontgate", OfflineReason: "192.168.1.40 does not answer", LastSeen: now.Add(-9 * time.Minute)},
		{ID: "garden", Name: "Garden", Kind: "camera", Plugin: "demo", Online: true, LastSeen: now},
		{ID: "cellar", Name: "Cellar", Kind: "camera", Plugin: "demo"},
	}
	h.plugins = append(h.plugins,
		api.Plugin{Name: "frontgate", Version: "1.4.2", State: "failed", Code: "E-PLUG-CRASHED", Reason: "stopped, because it crashed 5 times in 10 minutes: exit status 2", Fix: "see its log, then try again", Since: now.Add(-4 * time.Minute), Restarts: 5, NextTry: now.Add(11 * time.Minute), LastLog: []string{"connecting to 192.168.1.40", "panic: assignment to entry in nil map"}, Capabilities: []string{"camera"}},
		api.Plugin{Name: "gate", State: "backoff", Code: "E-PLUG-HANDSHAKE", Reason: "it wrote \"hello\" where the handshake was expected", Fix: "log to stderr", NextTry: now.Add(5 * time.Second), Restarts: 2, Since: now},
		api.Plugin{Name: "mqtt", State: "blocked", Code: "E-PLUG-PROTOCOL", Reason: "it speaks protocol 9, the hub 1", Fix: "update the hub", Capabilities: []string{"bridge"}},
		api.Plugin{Name: "push", State: "degraded", Reason: "one part does not work", Capabilities: []string{"notifier"}, Since: now, Parts: []api.Part{{Name: "ntfy", State: "failed", Reason: "401 unauthorized", Fix: "run `porchlight secrets set ntfy`"}}},
		api.Plugin{Name: "later", State: "disabled", Capabilities: []string{"bridge"}}, api.Plugin{Name: "new", State: "starting"}, api.Plugin{Name: "odd"})
	h.chimes[1].Muted = true
	h.quiet = api.Quiet{On: true, Until: now.Add(time.Hour)}
	h.state = api.ConfigState{File: "/home/elm/porchlight.yaml", Loaded: now.Add(-3 * time.Hour), Problems: []api.ConfigProblem{
		{File: "/home/elm/porchlight.yaml", Line: 8, Column: 7, Severity: "error", Code: "E-CFG-UNKNOWN-KEY", Message: "unknown key \"pasword\" in cameras.front_door.source", Suggestion: "password", Excerpt: "    8 |       pasword: ******\n      |       ^^^^^^^"},
		{File: "/home/elm/porchlight.yaml", Line: 12, Column: 15, Severity: "error", Code: "E-CFG-UNIT", Message: "cameras.front_door.ring.debounce needs a unit", Hint: "Write 3s, not 3."},
		{File: "/home/elm/porchlight.yaml", Line: 14, Column: 3, Severity: "error", Code: "E-CFG-TYPE", Message: "chimes.hallway.volume is a number from 0 to 100"},
		{File: "/home/elm/porchlight.yaml", Line: 15, Column: 1, Severity: "warning", Code: "E-CFG-NOT-YET", Message: "recording is for a later version; it is ignored"},
	}}
	h.source = "version: 1\n\ncameras:\n  front_door:\n    name: Front door\n    source:\n      address: 192.168.1.40\n      pasword: ******\n    plugin: frontgate\n    ring:\n      # the button bounces\n      debounce: 3\nchimes:\n  hallway: {plugin: speaker, volume: loud}\nrecording: {mode: events}\n"
	return h
}

// twoBadFiles has errors in an included file too.
func twoBadFiles() *house {
	h := troubledHouse()
	h.state.Problems = append(h.state.Problems, api.ConfigProblem{File: "/home/elm/conf.d/garden.yaml", Line: 4, Column: 5, Severity: "error", Code: "E-CFG-VALUE", Message: `cameras.garden.rotate: "45" is not one of: 0, 90, 180, 270`})
	return h
}

// manyHouse has several cameras, each in another state.
func manyHouse() *house {
	h := demoHouse()
	now := h.now
	h.state = api.ConfigState{Valid: true, File: "/home/elm/porchlight.yaml", Loaded: now.Add(-18 * time.Minute), Problems: []api.ConfigProblem{
		{File: "/home/elm/conf.d/garden.yaml", Line: 6, Column: 5, Severity: "warning", Code: "E-CFG-NOT-YET", Message: "recording is for a later version; it is ignored"},
	}, Plan: &api.ConfigPlan{At: now.Add(-18 * time.Minute), Start: []string{"camera garden"}, Stop: []string{"camera shed"}, Change: []string{"camera front_door", "plugin rtsp"}, Keep: []string{"camera drive", "camera demo_porch", "plugin demo", "chime browser"}}}
	live := func(stream, codec string, w, high int) api.Source {
		return api.Source{Stream: stream, State: "live", Since: now.Add(-2 * time.Hour), Pull: "always", Address: "192.168.1.40:554", Transport: "tcp", Server: "Gate 2000", Codec: codec, CodecName: "avc1.4d401f",
			Sound: []string{"aac"}, Width: w, Height: high, Worked: []string{"no Range header"}, FPS: 25, BitrateKbps: 2140, GOPMS: 2000, LastFrameMS: 41, RingMS: 4100, RingBytes: 1 << 20, Readers: 2, Reconnects: 1}
	}
	rest := api.Source{Stream: "sub", State: "off", Pull: "on_demand", Address: "192.168.1.40:554", Sound: []string{}}
	heavy := live("main", "h265", 3840, 2160)
	heavy.CodecName, heavy.GOPMS, heavy.BitrateKbps, heavy.NoPrebuffer, heavy.Repairs, heavy.SkippedGOPs = "hvc1.1.6.L153.B0", 10000, 8200, true, 2, 4
	h.cameras = []api.Camera{
		{ID: "front_door", Name: "Front door", Kind: "doorbell", Plugin: "rtsp", Online: true, Known: true, LastSeen: now, Snapshot: true, Talk: api.Talking{Can: true}, Sources: []api.Source{live("main", "h264", 1280, 720), rest}},
		{ID: "drive", Name: "Drive", Kind: "camera", Plugin: "rtsp", Online: true, Known: true, LastSeen: now, Snapshot: true, Rotate: 90, Sources: []api.Source{live("main", "h264", 1280, 960)}},
		{ID: "garden", Name: "Garden", Kind: "camera", Plugin: "rtsp", Online: true, Known: true, LastSeen: now, Sources: []api.Source{heavy}},
		{ID: "cellar", Name: "Cellar", Kind: "camera", Plugin: "rtsp", Known: true, LastSeen: now.Add(-9 * time.Minute), OfflineReason: "rtsp rtsp://192.168.1.43/1: dial: no route to host", Sources: []api.Source{
			{Stream: "main", State: "waiting", Code: "E-RTSP-UNREACHABLE", Reason: "rtsp rtsp://192.168.1.43/1: dial: no route to host", Fix: "check that the camera has power and that its address is still the same", NextTry: now.Add(14 * time.Second), Pull: "always", Address: "192.168.1.43:554", Reconnects: 12}}},
		{ID: "gate", Name: "Gate", Kind: "camera", Plugin: "rtsp", Known: true, OfflineReason: "it refuses the password", Sources: []api.Source{
			{Stream: "main", State: "locked", Code: "E-RTSP-LOGIN", Reason: "rtsp rtsp://192.168.1.44/1: describe: 401 Unauthorized", Fix: "correct `password:` in the config; the hub tries again in 5 min, so that the camera does not lock the account", NextTry: now.Add(4 * time.Minute), Pull: "always", Address: "192.168.1.44:554"}}},
		{ID: "shed", Name: "Shed", Kind: "camera", Plugin: "rtsp", Online: true, Known: true, LastSeen: now, Snapshot: true, Sources: []api.Source{{Stream: "main", State: "off", Pull: "battery", Address: "192.168.1.45:554"}}},
		{ID: "side_bell", Name: "Side bell", Kind: "doorbell", Button: true},
	}
	h.tokens = []access.Token{
		{ID: "a1", TokenSpec: access.TokenSpec{Name: "kitchen tablet", Scopes: []access.Scope{access.ScopeView, access.ScopeControl}, Cameras: []string{"front_door", "gone"}, Expires: now.Add(240 * time.Hour)}, Created: now.Add(-72 * time.Hour), LastUsed: now.Add(-9 * time.Minute)},
		{ID: "b2", TokenSpec: access.TokenSpec{Name: "old script", Scopes: []access.Scope{access.ScopeAdmin}, Expires: now.Add(-time.Hour)}, Created: now.Add(-900 * time.Hour)},
	}
	h.streams = []access.StreamPassword{
		{ID: "s1", User: "owner", StreamSpec: access.StreamSpec{Name: "VLC in the hall", Talk: true}, Created: now.Add(-72 * time.Hour), LastUsed: now.Add(-4 * time.Minute)},
		{ID: "s2", User: "owner", StreamSpec: access.StreamSpec{Name: "recorder", Cameras: []string{"drive"}}, Created: now.Add(-time.Hour)},
	}
	h.hook = api.Hook{Created: now.Add(-time.Hour)}
	h.checks = []api.Check{
		{Area: "network", State: "ok", What: "port 8480 is the hub's own"},
		{Area: "clock", State: "ok", What: "the clock is kept by the system, 2 ms off"},
		{Area: "tools", State: "warn", What: "ffmpeg is not installed", Why: "snapshots of H.265 cameras and pictures for browsers without it are made by ffmpeg", Fix: "`sudo apt install ffmpeg`", Code: "E-CONV-NO-FFMPEG"},
		{Area: "cameras", State: "fail", What: "gate: the camera refuses the password", Why: "after some tries it locks the account", Fix: "correct `cameras.gate.source.password`", Code: "E-RTSP-LOGIN"},
		{Area: "audio", State: "skip", What: "no sound card is wanted"},
	}
	h.report = api.CameraReport{OK: true, Checks: []api.Check{
		{Area: "cameras", State: "ok", What: "login by Digest (SHA-256)"}, {Area: "cameras", State: "ok", What: "H.264, 1280 × 720, 25 pictures a second"},
		{Area: "cameras", State: "warn", What: "a key frame every 10 s", Why: "the live picture starts with one", Fix: "set the I-frame interval to 2 s"}}}
	h.source = "version: 1\ninclude: [conf.d/*.yaml]\n\ncameras:\n  # the one with the lamp\n  front_door:\n    name: Front door\n    kind: doorbell\n    source:\n      url: rtsp://192.168.1.40/stream1\n      username: viewer\n      password: ******\n\n  drive: {name: Drive, source: {url: rtsp://192.168.1.42/1}, rotate: 90}\n  side_bell: {name: Side bell}\n"
	h.files = []api.ConfigFile{{Name: "conf.d/garden.yaml", Path: "/home/elm/conf.d/garden.yaml", Text: "cameras:\n  garden:\n    name: Garden\n    source:\n      url: rtsp://192.168.1.41/main\n    recording: {mode: events}\n"}}
	return h
}

func (h *house) at(n int, before time.Duration, t event.Type, d event.Data) event.Event {
	when := h.now.Add(-before)
	return event.Event{ID: fmt.Sprintf("019ab000-0000-7000-8000-%012d", n), Type: t, Subject: "camera.demo_porch." + string(t), Source: "demo",
		Camera: "demo_porch", CameraName: "Demo porch", Time: when, Observed: when.Add(2 * time.Millisecond), Received: when.Add(3 * time.Millisecond), Seq: uint64(1000 - n), Data: d}
}

// serveAs puts a person, or nobody, behind each request.
func serveAs(h *house, who *access.Identity) http.Handler {
	next := New(Deps{Rooms: h.rooms(), Door: door{}, Tokens: programs{h}, Version: "0.1.0-test", Zone: time.UTC, Now: func() time.Time { return h.now }})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who != nil {
			r = r.WithContext(access.With(r.Context(), *who))
		}
		next.ServeHTTP(w, r)
	})
}

func owner() *access.Identity {
	return &access.Identity{User: "owner", Role: access.RoleOwner, Via: access.ViaSession}
}

// picture draws something porch-like for the fixtures' snapshots.
func picture(w http.ResponseWriter) {
	img := image.NewRGBA(image.Rect(0, 0, 640, 360))
	for y := range 360 {
		for x := range 640 {
			dx, dy := x-320, y-120
			glow := uint8(max(0, 120-(dx*dx+dy*dy)/250))
			img.Set(x, y, color.RGBA{30 + glow, 34 + glow*3/4, 52 + glow/4, 255})
		}
	}
	w.Header().Set("Content-Type", "image/jpeg")
	_ = jpeg.Encode(w, img, nil)
}

// serveBody is a page as the owner sees it.
func serveBody(h *house, path string) string {
	w := httptest.NewRecorder()
	serveAs(h, owner()).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
	return w.Body.String()
}
