package demo

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"strings"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

func modeIs(mode, value string) func(sdk.Event) bool {
	return func(e sdk.Event) bool {
		s, ok := e.Data.(sdk.DeviceStatus)
		return ok && e.Subject == "device.front_door.status" && s.Device == "front_door" && s.Values["mode."+mode] == value && len(s.Values) == 2
	}
}

func colours(t *testing.T, b []byte) (n int) {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	ycc := img.(*image.YCbCr)
	for i := range ycc.Cb {
		if max(ycc.Cb[i], 128)-min(ycc.Cb[i], 128) > 12 {
			n++
		}
	}
	return n
}

func TestModesAreSetShownAndTold(t *testing.T) {
	hub, ctx := start(t, plugintest.Options{})
	if _, err := hub.Await(ctx, modeIs(nightVision, "auto")); err != nil {
		t.Fatal(err)
	}
	day, err := hub.Snapshot(ctx, "front_door", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []sdk.ModeSet{{Mode: nightVision, Value: "on"}, {Mode: indicator, Value: "off"}} {
		if err := hub.Act(ctx, "front_door", c); err != nil {
			t.Fatal(err)
		}
		if _, err := hub.Await(ctx, modeIs(c.Mode, c.Value)); err != nil {
			t.Fatalf("%+v is not told: %v", c, err)
		}
	}
	night, err := hub.Snapshot(ctx, "front_door", 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d, n := colours(t, day.JPEG), colours(t, night.JPEG); d < 1000 || n > d/100 {
		t.Errorf("%d points have colour by day, %d with night vision", d, n)
	}
	for _, c := range []struct {
		device string
		act    sdk.Act
		want   string
	}{
		{"front_door", sdk.ModeSet{Mode: "privacy", Value: "on"}, "UNSUPPORTED"}, {"front_door", sdk.ModeSet{Mode: indicator, Value: "auto"}, "INVALID"},
		{"front_door", sdk.RelayPulse{Relay: "1"}, "UNSUPPORTED"}, {"cellar", sdk.ModeSet{Mode: indicator, Value: "on"}, "NOT_FOUND"},
	} {
		if err := hub.Act(ctx, c.device, c.act); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %+v: %v, want %s", c.device, c.act, err, c.want)
		}
	}
	d, err := hub.DescribeDevice(ctx, "front_door")
	if err != nil || d.Model != "Demo doorbell" || len(d.Modes) != 2 || d.Modes[0].ID != nightVision || len(d.Modes[0].Values) != 3 || len(d.EventTypes) == 0 {
		t.Errorf("described as %+v, %v", d, err)
	}
	if _, err := hub.DescribeDevice(ctx, "cellar"); err == nil {
		t.Error("a camera that is not there is described")
	}
}

// shelf is a hub that only keeps.
type shelf struct {
	mu   sync.Mutex
	kept map[string][]byte
	full bool
	told []sdk.DeviceStatus
}

func (s *shelf) KVGet(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.kept[key]; ok {
		return b, nil
	}
	return nil, sdk.ErrNotFound
}

func (s *shelf) KVPut(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return errors.New("it is full")
	}
	s.kept[key] = value
	return nil
}

func (s *shelf) Publish(_ context.Context, e sdk.Event) (sdk.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, e.Data.(sdk.DeviceStatus))
	return sdk.Result{}, nil
}

func TestModesOutliveThePlugin(t *testing.T) {
	s := &shelf{kept: map[string][]byte{}}
	warned := 0
	life := func() *camera {
		c := &camera{id: "porch"}
		c.restoreModes(t.Context(), s, func(error) { warned++ })
		return c
	}
	c := life()
	if c.modes.note() != "" || c.modes.value(nightVision) != "auto" || c.modes.value(indicator) != "on" || warned != 0 {
		t.Errorf("at first: %q, %d warnings", c.modes.note(), warned)
	}
	if err := c.setMode(t.Context(), s, nightVision, "off"); err != nil {
		t.Fatal(err)
	}
	s.full = true
	if err := c.setMode(t.Context(), s, indicator, "off"); err == nil || c.modes.value(indicator) != "on" {
		t.Errorf("what cannot be kept was set: %v", err)
	}
	c = life()
	if got := c.modes.note(); got != "night vision off, indicator on" {
		t.Errorf("after a restart: %q", got)
	}
	if last := s.told[len(s.told)-1]; len(s.told) != 3 || last.Values["mode.night_vision"] != "off" || last.Values["mode.indicator"] != "on" {
		t.Errorf("told %+v", s.told)
	}
	for _, damaged := range []string{`{"night_vision": "sometimes", "indicator": 3}`, `[`, `null`, `{"night_vision": "sometimes", "x": "y"}`} {
		s.kept["modes/porch"] = []byte(damaged)
		if c := life(); c.modes.value(nightVision) != "auto" || c.modes.value(indicator) != "on" {
			t.Errorf("after %s: %q", damaged, c.modes.note())
		}
	}
	if warned != 2 {
		t.Errorf("%d warnings", warned)
	}
}
