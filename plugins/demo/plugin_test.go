package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"image/jpeg"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// patience bounds every wait: far longer than anything takes, so that only what hangs fails.
const patience = 30 * time.Second

func start(t *testing.T, o plugintest.Options) (*plugintest.Hub, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return plugintest.Start(t, New, o), ctx
}

func doorbells(ids ...string) (out []sdk.Device) {
	for _, id := range ids {
		out = append(out, sdk.Device{ID: id, Name: "The " + id, Kind: "doorbell"})
	}
	return out
}

func TestContract(t *testing.T) {
	plugintest.InProcess(t, New, plugintest.Options{BadConfig: json.RawMessage(`{"motion": "sometimes"}`)})
}

func TestThePictureComesAtOnceAndWithBothSounds(t *testing.T) {
	hub, ctx := start(t, plugintest.Options{})
	units, tracks, err := hub.AwaitUnits(ctx, "front_door", "main", 3)
	if err != nil {
		t.Fatal(err)
	}
	codecs := map[uint8]av.Codec{}
	for _, tr := range tracks {
		codecs[tr.ID] = tr.Codec
	}
	seen, last := map[av.Codec]int{}, map[uint8]int64{}
	for i, u := range units {
		c := codecs[u.Track]
		if seen[c] == 0 && c == av.H264 && !u.Key {
			t.Error("the first picture is no key frame")
		}
		if p, ok := last[u.Track]; ok && u.PTS <= p {
			t.Errorf("unit %d: %s PTS %d after %d", i, c, u.PTS, p)
		}
		last[u.Track] = u.PTS
		seen[c]++
	}
	for _, c := range []av.Codec{av.H264, av.AAC, av.Opus} {
		if seen[c] == 0 {
			t.Errorf("no unit of %s in %v", c, seen)
		}
	}
	if push, err := hub.Source(ctx, "front_door"); err != nil || !push {
		t.Errorf("source: push %v, %v", push, err)
	}
}

func TestItRingsWhenAskedAndOnlyThen(t *testing.T) {
	hub, ctx := start(t, plugintest.Options{Devices: doorbells("front", "back")})
	if _, _, err := hub.AwaitUnits(ctx, "back", "main", 5); err != nil {
		t.Fatal(err)
	}
	if got := happened(hub); len(got) != 0 {
		t.Fatalf("events by itself: %v", got)
	}
	out, err := hub.Action(ctx, "ring", json.RawMessage(`{"camera": "back", "test": true}`))
	if err != nil {
		t.Fatal(err)
	}
	e, err := hub.Await(ctx, func(e sdk.Event) bool { return e.Type == sdk.TypeRing })
	if err != nil {
		t.Fatal(err)
	}
	if r, ok := e.Data.(sdk.Ring); !ok || !r.Test || e.Camera != "back" || !strings.Contains(string(out), e.ID) {
		t.Errorf("rang as %+v, answered %s", e, out)
	}
	for _, c := range []struct{ name, input string }{{"ring", `{}`}, {"ring", `{"camera": "side"}`}, {"ring", `{"camera": 3}`}, {"motion", `{"camera": "back", "seconds": 0}`}, {"motion", `{"camera": "back", "seconds": 1e9}`}, {"dance", `{"camera": "back"}`}} {
		if _, err := hub.Action(ctx, c.name, json.RawMessage(c.input)); err == nil {
			t.Errorf("%s %s was done", c.name, c.input)
		}
	}
	if n := len(happened(hub)); n != 1 {
		t.Errorf("%d events, want the one ring", n)
	}
}

// happened leaves out how the devices are, which is told at each start.
func happened(hub *plugintest.Hub) []sdk.Event {
	return slices.DeleteFunc(hub.Events(), func(e sdk.Event) bool { return e.Type == sdk.TypeStatus })
}

func TestMotionAndParcelOnRequest(t *testing.T) {
	hub, ctx := start(t, plugintest.Options{})
	if _, err := hub.Action(ctx, "motion", json.RawMessage(`{"seconds": 0.2}`)); err != nil {
		t.Fatal(err)
	}
	for _, active := range []bool{true, false} {
		if _, err := hub.Await(ctx, func(e sdk.Event) bool { m, ok := e.Data.(sdk.Motion); return ok && m.Active == active }); err != nil {
			t.Fatalf("motion %v: %v", active, err)
		}
	}
	if _, err := hub.Action(ctx, "parcel", json.RawMessage(`{"present": false}`)); err != nil {
		t.Fatal(err)
	}
	if _, err := hub.Await(ctx, func(e sdk.Event) bool {
		d, ok := e.Data.(sdk.Detection)
		return ok && e.Type == sdk.TypeParcel && d.Label == "parcel" && !d.Active
	}); err != nil {
		t.Fatal(err)
	}
}

func TestSnapshotIsAJPEGOfTheSizeAskedFor(t *testing.T) {
	hub, ctx := start(t, plugintest.Options{})
	img, err := hub.Snapshot(ctx, "front_door", 320, 0)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := jpeg.DecodeConfig(bytes.NewReader(img.JPEG)); err != nil || c.Width != 320 || c.Height != 180 || img.Width != 320 {
		t.Errorf("%v, %v, told as %d wide", c, err, img.Width)
	}
	if _, err := hub.Snapshot(ctx, "attic", 0, 0); err == nil {
		t.Error("a picture of a camera that is not there")
	}
}

func TestTalkIsMeasured(t *testing.T) {
	hub, ctx := start(t, plugintest.Options{})
	second, sent := sine(16000), 0
	track := av.Track{ID: 1, Kind: av.Sound, Codec: av.L16, ClockRate: 16000, SampleRate: 16000, Channels: 1}
	err := hub.Talk(ctx, "front_door", track, func() (*av.Unit, error) {
		const part = 640 // 20 ms
		if sent+part > len(second) {
			return nil, io.EOF
		}
		u := &av.Unit{Track: 1, Key: true, PTS: int64(sent / 2), Wall: time.Now(), Generation: 1, Data: second[sent : sent+part]}
		sent += part
		return u, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := hub.Await(ctx, func(e sdk.Event) bool { return strings.HasSuffix(e.Subject, ".talk.ended") })
	if err != nil {
		t.Fatal(err)
	}
	if d := e.Data.(sdk.Talk); d.HeardSeconds != 1 || d.LevelDBFS > -8.5 || d.LevelDBFS < -9.5 || d.Active {
		t.Errorf("talk ended as %+v", d)
	}
	out, err := hub.Action(ctx, "talk_status", nil)
	if err != nil {
		t.Fatal(err)
	}
	var s talkStatus
	if err := json.Unmarshal(out, &s); err != nil || s.HeardSeconds != 1 || !s.LevelKnown || s.Talking || s.Talker != "test" || math.Abs(s.ToneHz-300) > 1 {
		t.Errorf("status %s, %v", out, err)
	}
}

func TestOnlyCamerasThatDifferAreStartedAnew(t *testing.T) {
	p := New().(*plugin)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hub := plugintest.Start(t, func() sdk.Plugin { return p }, plugintest.Options{Devices: doorbells("a", "b")})
	if _, _, err := hub.AwaitUnits(ctx, "b", "main", 5); err != nil {
		t.Fatal(err)
	}
	kept, _, err := p.camera(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	next := append(doorbells("a"), sdk.Device{ID: "c", JSON: json.RawMessage(`{"caption": "Gate"}`)})
	if restart, err := hub.Reconfigure(ctx, nil, next); err != nil || restart {
		t.Fatalf("restart %v, %v", restart, err)
	}
	if c, _, err := p.camera(ctx, "a"); err != nil || c != kept {
		t.Errorf("camera a was started anew, %v", err)
	}
	if _, _, err := p.camera(ctx, "b"); err == nil {
		t.Error("camera b still runs")
	}
	if c, _, err := p.camera(ctx, "c"); err != nil || c.scene(time.Now()).caption != "Gate" || c.shift == kept.shift {
		t.Errorf("camera c: %+v, %v", c, err)
	}
	if _, _, err := hub.AwaitUnits(ctx, "c", "main", 5); err != nil {
		t.Fatal(err)
	}
	parts, err := hub.Health(ctx)
	if err != nil || len(parts) != 2 {
		t.Errorf("health: %+v, %v", parts, err)
	}
}
