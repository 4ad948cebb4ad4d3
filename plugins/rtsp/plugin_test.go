package rtsp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// patience bounds every wait: far longer than anything takes, so that only what hangs fails.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func device(id, source string) sdk.Device {
	return sdk.Device{ID: id, Name: "The " + id, Kind: "doorbell", JSON: json.RawMessage(source)}
}

func TestContract(t *testing.T) {
	c := newDevice(t)
	for name, source := range map[string]string{
		"RTSP": `{"url": "rtsp://127.0.0.1:1/x"}`,
		"HTTP": `{"url": "` + c.URL + `/mjpeg", "sub": "/jpeg", "every": "100ms", "username": "viewer", "password": "p@:/#"}`,
	} {
		t.Run(name, func(t *testing.T) {
			plugintest.InProcess(t, New, plugintest.Options{Devices: []sdk.Device{device("front_door", source)}, BadConfig: json.RawMessage(`[1]`)})
		})
	}
	t.Run("a bad camera", func(t *testing.T) {
		plugintest.InProcess(t, New, plugintest.Options{Devices: []sdk.Device{device("front_door", `{"url": 7}`), device("back", `{}`)}, Only: []string{"configure", "health", "commands", "bad-config", "stop"}})
	})
}

// httpDevice is a camera's web server: /mjpeg, /jpeg, /frozen, /short, /grows. It asks for
// Basic, and counts what it is asked.
type httpDevice struct {
	*httptest.Server
	frames  [][]byte
	served  atomic.Int64 // pictures
	refused atomic.Int64 // logins that were wrong
	mu      sync.Mutex
	passes  string
}

func newDevice(t testing.TB) *httpDevice {
	t.Helper()
	d := &httpDevice{passes: "p@:/#", frames: [][]byte{drawn(t, 64, 48), drawn(t, 64, 48), drawn(t, 48, 64)}}
	mux := http.NewServeMux()
	mux.HandleFunc("/jpeg", func(w http.ResponseWriter, _ *http.Request) { d.one(w, 0) })
	mux.HandleFunc("/mjpeg", func(w http.ResponseWriter, r *http.Request) { d.many(w, r, 1<<30, false) })
	mux.HandleFunc("/grows", func(w http.ResponseWriter, r *http.Request) { d.many(w, r, 1<<30, true) })
	mux.HandleFunc("/short", func(w http.ResponseWriter, r *http.Request) { d.many(w, r, 2, false) })
	mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, pass, ok := r.BasicAuth()
		d.mu.Lock()
		right := pass == d.passes
		d.mu.Unlock()
		if !ok || !right {
			if ok {
				d.refused.Add(1)
			}
			w.Header().Set("WWW-Authenticate", `Basic realm="camera"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *httpDevice) one(w http.ResponseWriter, i int) {
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(d.frames[i])
	d.served.Add(1)
}

// many sends n pictures as fast as a camera does; grows: now and then of another size.
func (d *httpDevice) many(w http.ResponseWriter, r *http.Request, n int, grows bool) {
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=cam")
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for i := range n {
		b := d.frames[0]
		if grows && i/10%2 == 1 {
			b = d.frames[2]
		}
		if _, err := fmt.Fprintf(w, "--cam\r\nContent-Type: image/jpeg\r\n\r\n%s\r\n", b); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		d.served.Add(1)
		select {
		case <-pace.C:
		case <-r.Context().Done():
			return
		}
	}
}

func (d *httpDevice) source(path, more string) string {
	return `{"url": "` + d.URL + path + `", "username": "viewer", "password": "p@:/#"` + more + `}`
}

func TestPicturesArePushed(t *testing.T) {
	d := newDevice(t)
	for _, path := range []string{"/mjpeg", "/jpeg"} {
		ctx := within(t)
		hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{device("gate", d.source(path, `, "sub": "/mjpeg", "every": "100ms"`))}})
		for _, stream := range []string{"main", "sub"} {
			units, tracks, err := hub.AwaitUnits(ctx, "gate", stream, 4)
			if err != nil {
				t.Fatal(path, stream, err)
			}
			if tr := tracks[0]; tr.Codec != av.MJPEG || tr.Width != 64 || tr.Height != 48 {
				t.Errorf("%s: track %+v", path, tr)
			}
			for i, u := range units {
				if !u.Key || u.Track != tracks[0].ID || string(u.Data) != string(d.frames[0]) || i > 0 && u.PTS <= units[i-1].PTS {
					t.Errorf("%s: unit %d: key %v, pts %d, %d bytes", path, i, u.Key, u.PTS, len(u.Data))
				}
			}
		}
		if push, err := hub.Source(ctx, "gate"); err != nil || !push {
			t.Errorf("push %v, %v", push, err)
		}
		if err := awaitPart(ctx, hub, func(p sdk.Part) bool { return p.Name == "camera gate" && p.State == sdk.PartOK }); err != nil {
			t.Error(err)
		}
	}
}

// awaitPart asks for the health until a part is as wanted.
func awaitPart(ctx context.Context, hub *plugintest.Hub, want func(sdk.Part) bool) error {
	var last []sdk.Part
	for range sdk.Every(ctx, 10*time.Millisecond) {
		parts, err := hub.Health(ctx)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if want(p) {
				return nil
			}
		}
		last = parts
	}
	return fmt.Errorf("the health stays %+v", last)
}

func TestANewSizeIsANewGeneration(t *testing.T) {
	d := newDevice(t)
	ctx := within(t)
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{device("gate", d.source("/grows", ""))}})
	for n := 1; ; n++ {
		_, tracks, err := hub.AwaitUnits(ctx, "gate", "main", n)
		if err != nil {
			t.Fatal(err)
		}
		if len(tracks) < 3 {
			continue
		}
		for i, tr := range tracks[:3] {
			if tr.Generation != uint32(i+1) || tr.Width != []int{64, 48, 64}[i] {
				t.Errorf("track %d: %+v", i, tr)
			}
		}
		return
	}
}

func TestAStreamThatEndsComesBack(t *testing.T) {
	d := newDevice(t)
	ctx := within(t)
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{device("gate", d.source("/short", ""))}})
	gap := false
	for n := 1; !gap; n++ {
		units, _, err := hub.AwaitUnits(ctx, "gate", "main", n)
		if err != nil {
			t.Fatal(err)
		}
		for i, u := range units {
			gap = gap || u.Discontinuity
			if i > 0 && u.PTS <= units[i-1].PTS {
				t.Fatalf("pts %d after %d", u.PTS, units[i-1].PTS)
			}
		}
	}
}

func TestAWrongPasswordIsToldAndNotTriedAgain(t *testing.T) {
	d := newDevice(t)
	ctx := within(t)
	p := New().(*plugin)
	wrong := strings.ReplaceAll(d.source("/mjpeg", ""), "p@:/#", "geheim")
	hub := plugintest.Start(t, func() sdk.Plugin { return p }, plugintest.Options{Devices: []sdk.Device{device("gate", wrong)}})
	refused := func(p sdk.Part) bool {
		return p.State == sdk.PartFailed && strings.Contains(p.Reason, "user name or password is wrong") && p.Fix != ""
	}
	if err := awaitPart(ctx, hub, refused); err != nil {
		t.Fatal(err)
	}
	// Told to look again, as with each new config, it does not try the same again.
	for range 3 {
		if restart, err := hub.Reconfigure(ctx, nil, []sdk.Device{device("gate", wrong)}); err != nil || restart {
			t.Fatal(restart, err)
		}
	}
	if restart, err := hub.Reconfigure(ctx, nil, []sdk.Device{device("gate", wrong), device("drive", d.source("/mjpeg", ""))}); err != nil || restart {
		t.Fatal(restart, err)
	}
	if _, _, err := hub.AwaitUnits(ctx, "drive", "main", 3); err != nil {
		t.Fatal(err)
	}
	if n := d.refused.Load(); n != 1 {
		t.Errorf("tried %d times", n)
	}
	// The right one is tried at once.
	if _, err := hub.Reconfigure(ctx, nil, []sdk.Device{device("gate", d.source("/mjpeg", ""))}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := hub.AwaitUnits(ctx, "gate", "main", 1); err != nil {
		t.Fatal(err)
	}
	for _, l := range hub.Logs() {
		if strings.Contains(l, "geheim") || strings.Contains(l, "p@:/#") {
			t.Errorf("a password in the log: %s", l)
		}
	}
}

func TestOnlyWhatDiffersIsTouched(t *testing.T) {
	d := newDevice(t)
	ctx := within(t)
	p := New().(*plugin)
	a, b := device("a", d.source("/mjpeg", "")), device("b", d.source("/mjpeg", ""))
	hub := plugintest.Start(t, func() sdk.Plugin { return p }, plugintest.Options{Devices: []sdk.Device{a, b}})
	for _, id := range []string{"a", "b"} {
		if _, _, err := hub.AwaitUnits(ctx, id, "main", 2); err != nil {
			t.Fatal(err)
		}
	}
	kept, _, err := p.camera(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	a.Name = "Renamed"
	if restart, err := hub.Reconfigure(ctx, nil, []sdk.Device{a, device("b", `{"url": "rtsp://h.lan/"}`), device("c", d.source("/jpeg", ""))}); err != nil || restart {
		t.Fatal(restart, err)
	}
	if now, _, err := p.camera(ctx, "a"); err != nil || now != kept {
		t.Errorf("camera a was started anew, %v", err)
	}
	if push, err := hub.Source(ctx, "b"); err != nil || push {
		t.Errorf("b: push %v, %v", push, err)
	}
	if _, _, err := hub.AwaitUnits(ctx, "c", "main", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Source(ctx, "d"); err == nil {
		t.Error("there is no camera d")
	}
}

func TestOneBadCameraCostsOnlyItself(t *testing.T) {
	d := newDevice(t)
	ctx := within(t)
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{
		device("good", d.source("/mjpeg", "")), device("none", `{}`), device("odd", `{"url": {"a": 1}}`), device("page", d.source("/page", "")), device("gone", `{"url": "http://127.0.0.1:1/"}`)}})
	if _, _, err := hub.AwaitUnits(ctx, "good", "main", 3); err != nil {
		t.Fatal(err)
	}
	for name, reason := range map[string]string{"camera none": "url: is missing", "camera odd": "is a object", "camera page": "not with JPEGs", "camera gone": "nothing listens there"} {
		if err := awaitPart(ctx, hub, func(p sdk.Part) bool {
			return p.Name == name && p.State != sdk.PartOK && strings.Contains(p.Reason, reason) && (p.Fix != "" || name == "camera odd")
		}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPushingFollowsTheDemand(t *testing.T) {
	d := newDevice(t)
	ctx := within(t)
	p := New().(*plugin)
	hub := plugintest.Start(t, func() sdk.Plugin { return p }, plugintest.Options{Devices: []sdk.Device{device("gate", d.source("/mjpeg", `, "pull": "battery"`))}})
	idle := func(p sdk.Part) bool { return p.Reason == "nobody looks" && p.State == sdk.PartOK }
	if err := awaitPart(ctx, hub, idle); err != nil || d.served.Load() > 0 {
		t.Fatalf("%v, %d pictures before anybody looked", err, d.served.Load())
	}
	demand := func(wanted bool) {
		t.Helper()
		if err := p.Demand(ctx, sdk.Demand{Camera: "gate", Stream: "main", Wanted: wanted, Reason: "viewer"}); err != nil {
			t.Fatal(err)
		}
	}
	demand(true)
	if _, _, err := hub.AwaitUnits(ctx, "gate", "main", 3); err != nil {
		t.Fatal(err)
	}
	demand(false)
	if err := awaitPart(ctx, hub, idle); err != nil {
		t.Fatal(err)
	}
	if err := p.Demand(ctx, sdk.Demand{Camera: "gate", Stream: "sub", Wanted: true}); err == nil {
		t.Error("there is no sub")
	}
}

func TestPresetsAreListed(t *testing.T) {
	ctx := within(t)
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{device("gate", `{"url": "rtsp://h.lan/"}`)}})
	out, err := hub.Action(ctx, "presets", nil)
	var list []map[string]string
	if err != nil || json.Unmarshal(out, &list) != nil || len(list) != len(presets()) || list[0]["main"] == "" || strings.Contains(string(out), "{") && strings.Contains(string(out), "{channel") {
		t.Errorf("%s, %v", out, err)
	}
}

func TestSelfCheckNamesEachCamera(t *testing.T) {
	ctx := within(t)
	p := New().(*plugin)
	hub := plugintest.Start(t, func() sdk.Plugin { return p }, plugintest.Options{Devices: []sdk.Device{device("a", `{"url": "rtsp://h.lan/"}`), device("b", `{}`)}})
	if _, err := hub.Source(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	lines := p.SelfCheck(ctx, true)
	if len(lines) != 2 || lines[0].State != "fail" || lines[0].Fix == "" || lines[1].State != "ok" {
		t.Errorf("%+v", lines)
	}
}

// ffmpeg's multipart as a whole camera, with what it makes of a frozen one.
func TestFFmpegAsACamera(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("SKIPPED: there is no ffmpeg here, and no stranger's MJPEG is pushed")
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary=ffmpeg")
		cmd := exec.CommandContext(r.Context(), ffmpeg, "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-f", "mpjpeg", "-")
		cmd.Stdout = w
		_ = cmd.Run() // it is ended by the request
	}))
	t.Cleanup(s.Close) // after the plugin has ended, which holds it open
	ctx := within(t)
	hub := plugintest.Start(t, New, plugintest.Options{Devices: []sdk.Device{device("gate", `{"url": "`+s.URL+`"}`)}})
	_, tracks, err := hub.AwaitUnits(ctx, "gate", "main", 20)
	if err != nil || tracks[0].Width != 320 {
		t.Errorf("%+v, %v", tracks, err)
	}
}
