package plugintest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// limit bounds what a test waits for; nothing depends on how fast it comes.
func limit(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// The walk of an author's own test: what the README's plugin would meet.
func TestSmallHub(t *testing.T) {
	ctx := limit(t)
	h := plugintest.Start(t, newGood, plugintest.Options{})
	if e, err := h.Await(ctx, func(e sdk.Event) bool { return e.Type == sdk.TypeRing }); err != nil || e.Camera != "front_door" {
		t.Fatalf("ring: %v, %v", e, err)
	}
	if us, tracks, err := h.AwaitUnits(ctx, "front_door", "main", 1); err != nil || !us[0].Key || tracks[0].Codec != av.MJPEG {
		t.Fatalf("units: %v, %v, %v", us, tracks, err)
	}
	if img, err := h.Snapshot(ctx, "front_door", 0, 0); err != nil || img.Width != 16 || len(img.JPEG) == 0 {
		t.Fatalf("snapshot: %v, %v", img, err)
	}
	if out, err := h.Action(ctx, "echo", []byte(`{"a":1}`)); err != nil || string(out) != `{"a":1}` {
		t.Fatalf("action: %s, %v", out, err)
	}
	if _, err := h.Action(ctx, "none", nil); err == nil || !strings.Contains(err.Error(), "NOT_FOUND") {
		t.Fatalf("unknown action: %v", err)
	}
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway", Sound: "ding"}, false); err != nil || !r.Played || r.Sound != "ding" {
		t.Fatalf("play: %v, %v", r, err)
	}
	if push, err := h.Source(ctx, "front_door"); err != nil || !push {
		t.Fatalf("source: %v, %v", push, err)
	}
	if err := h.Deliver(ctx, sdk.NewEvent(sdk.TypeMotion, "front_door", sdk.Motion{Active: true}), false); err != nil {
		t.Fatalf("deliver: %v", err)
	}
	if parts, err := h.Health(ctx); err != nil || len(parts) != 1 || parts[0].State != sdk.PartOK {
		t.Fatalf("health: %v, %v", parts, err)
	}
	if ps, err := h.Check(ctx, []byte(`{"level":99}`)); err != nil || len(ps) != 1 || ps[0].Path != "/level" {
		t.Fatalf("check: %v, %v", ps, err)
	}
	for config, restart := range map[string]bool{`{"level":3}`: false, `{"level":10}`: true} {
		if got, err := h.Reconfigure(ctx, []byte(config), nil); err != nil || got != restart {
			t.Fatalf("reconfigure %s: restart %v, %v", config, got, err)
		}
	}
	if err := h.Stop(ctx); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

func TestTalkReachesTheAuthor(t *testing.T) {
	ctx, g := limit(t), newGood().(*good)
	h := plugintest.Start(t, func() sdk.Plugin { return g }, plugintest.Options{})
	left := 3
	err := h.Talk(ctx, "front_door", av.Track{ID: 2, Kind: av.Sound, Codec: av.Opus, ClockRate: 48000, SampleRate: 48000, Channels: 1}, func() (*av.Unit, error) {
		if left--; left < 0 {
			return nil, io.EOF
		}
		return &av.Unit{Track: 2, PTS: int64(left), Data: []byte("speech")}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range sdk.Every(ctx, time.Millisecond) {
		g.mu.Lock()
		n := len(g.heard)
		g.mu.Unlock()
		if n == 3 {
			return
		}
	}
	t.Error("the speech did not arrive")
}

// A panic is reported with its stack and ends the process with code 70.
func TestPanicEndsWith70(t *testing.T) {
	f := plugintest.Check(t.Context(), binary("panic"), plugintest.Options{Only: []string{"signals"}}).Findings[0]
	for _, want := range []string{"code 70", "panic in Run: the author erred", "bad_test.go"} {
		if !strings.Contains(f.Detail, want) {
			t.Errorf("no %q in %s", want, f.Detail)
		}
	}
}

// In the test process a panic ends the plugin, not the test.
func TestPanicInProcess(t *testing.T) {
	ctx := limit(t)
	g := newGood().(*good)
	h := plugintest.Start(t, func() sdk.Plugin {
		return &bad{good: g, handle: func(context.Context, sdk.Delivery) error { panic("oh") }}
	}, plugintest.Options{})
	if err := h.Deliver(ctx, sdk.NewEvent(sdk.TypeMotion, "front_door", sdk.Motion{}), false); err == nil {
		t.Error("an event whose handler panicked was acknowledged")
	}
}

// An event handled before a restart is acknowledged unseen; a full or absent data
// folder costs memory only until the restart.
func TestHandledOnceAcrossRestart(t *testing.T) {
	ctx, data := limit(t), t.TempDir()
	e := sdk.NewEvent(sdk.TypeMotion, "front_door", sdk.Motion{Active: true})
	for i, replay := range []bool{false, true, true} {
		g := newGood().(*good)
		t.Run([]string{"first", "restart", "again"}[i], func(t *testing.T) {
			h := plugintest.Start(t, func() sdk.Plugin { return g }, plugintest.Options{DataDir: data})
			if err := h.Deliver(ctx, e, replay); err != nil {
				t.Fatal(err)
			}
			if n := g.handled[e.ID]; n != map[bool]int{false: 1, true: 0}[replay] {
				t.Errorf("handled %d times", n)
			}
		})
	}
}

func TestUnwritableDataFolder(t *testing.T) {
	ctx := limit(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g := newGood().(*good)
	h := plugintest.Start(t, func() sdk.Plugin { return g }, plugintest.Options{DataDir: filepath.Join(file, "no-folder")})
	e := sdk.NewEvent(sdk.TypeMotion, "front_door", sdk.Motion{})
	for _, replay := range []bool{false, true} {
		if err := h.Deliver(ctx, e, replay); err != nil {
			t.Fatal(err)
		}
	}
	if n := g.handled[e.ID]; n != 1 {
		t.Errorf("handled %d times", n)
	}
}

// A handler's error goes back to the hub, typed, and the event may come again.
func TestHandlerError(t *testing.T) {
	ctx, tries := limit(t), 0
	h := plugintest.Start(t, func() sdk.Plugin {
		return &bad{good: newGood().(*good), handle: func(context.Context, sdk.Delivery) error {
			if tries++; tries == 1 {
				return errors.Join(errors.New("the bridge is down"), sdk.ErrUnavailable)
			}
			return nil
		}}
	}, plugintest.Options{})
	e := sdk.NewEvent(sdk.TypeMotion, "front_door", sdk.Motion{})
	if err := h.Deliver(ctx, e, false); err == nil || !strings.Contains(err.Error(), "UNAVAILABLE") {
		t.Fatalf("first: %v", err)
	}
	if err := h.Deliver(ctx, e, true); err != nil {
		t.Fatalf("second: %v", err)
	}
	if tries != 2 {
		t.Errorf("handled %d times", tries)
	}
}
