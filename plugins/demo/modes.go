package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/porchlight-hub/porchlight/sdk"
)

// Modes of a demo camera.
const (
	nightVision = "night_vision"
	indicator   = "indicator"
)

// knownModes are what can be set, each with its values, the first of which holds until
// somebody sets another.
func knownModes() []sdk.Choice {
	return []sdk.Choice{
		{ID: nightVision, Name: "Night vision", Values: []string{"auto", "on", "off"}},
		{ID: indicator, Name: "Indicator light", Values: []string{"on", "off"}},
	}
}

// modes of one camera, kept in the hub's store over restarts.
type modes struct {
	acting sync.Mutex // held from a change until it is kept and told

	mu  sync.Mutex
	set map[string]string // nil: nobody has changed anything
}

func (m *modes) value(mode string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.set[mode]; ok {
		return v
	}
	for _, k := range knownModes() {
		if k.ID == mode {
			return k.Values[0]
		}
	}
	return ""
}

// note is the line in the pictures; empty: all is as it always was.
func (m *modes) note() string {
	m.mu.Lock()
	changed := m.set != nil
	m.mu.Unlock()
	if !changed {
		return ""
	}
	return "night vision " + m.value(nightVision) + ", indicator " + m.value(indicator)
}

// keeper is the hub as the modes see it.
type keeper interface {
	KVGet(ctx context.Context, key string) ([]byte, error)
	KVPut(ctx context.Context, key string, value []byte) error
	Publish(ctx context.Context, e sdk.Event) (sdk.Result, error)
}

func modesKey(camera string) string { return "modes/" + camera }

// restoreModes takes what was set in an earlier life, and tells the house how it is.
func (c *camera) restoreModes(ctx context.Context, hub keeper, warn func(error)) {
	c.modes.acting.Lock()
	defer c.modes.acting.Unlock()
	b, err := hub.KVGet(ctx, modesKey(c.id))
	if err == nil {
		var set map[string]string
		if err = json.Unmarshal(b, &set); err == nil {
			c.modes.take(set)
		}
	}
	if err != nil && !errors.Is(err, sdk.ErrNotFound) && ctx.Err() == nil {
		warn(fmt.Errorf("camera %s: its modes are not restored: %w", c.id, err))
	}
	if err := c.tellStatus(ctx, hub); err != nil && ctx.Err() == nil {
		warn(err)
	}
}

// take keeps of set what there is.
func (m *modes) take(set map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set = map[string]string{}
	for _, k := range knownModes() {
		if v := set[k.ID]; slices.Contains(k.Values, v) {
			m.set[k.ID] = v
		}
	}
}

// setMode changes one, keeps it, and tells the house.
func (c *camera) setMode(ctx context.Context, hub keeper, mode, value string) error {
	known := knownModes()
	i := slices.IndexFunc(known, func(k sdk.Choice) bool { return k.ID == mode })
	if i < 0 {
		return fmt.Errorf("mode %q: %w", mode, sdk.ErrUnsupported)
	}
	if !slices.Contains(known[i].Values, value) {
		return fmt.Errorf("mode %s: %q: %w", mode, value, sdk.ErrInvalid)
	}
	m := &c.modes
	m.acting.Lock()
	defer m.acting.Unlock()
	m.mu.Lock()
	next := maps.Clone(m.set)
	m.mu.Unlock()
	if next == nil {
		next = map[string]string{}
	}
	next[mode] = value
	b, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := hub.KVPut(ctx, modesKey(c.id), b); err != nil {
		return fmt.Errorf("camera %s: mode %s: %w", c.id, mode, err)
	}
	m.take(next)
	return c.tellStatus(ctx, hub)
}

func (c *camera) tellStatus(ctx context.Context, hub keeper) error {
	e := sdk.NewEvent(sdk.TypeStatus, c.id, sdk.DeviceStatus{Device: c.id, Values: map[string]string{
		"mode." + nightVision: c.modes.value(nightVision), "mode." + indicator: c.modes.value(indicator)}})
	e.Subject = "device." + c.id + ".status"
	if _, err := hub.Publish(ctx, e); err != nil {
		return fmt.Errorf("camera %s: status: %w", c.id, err)
	}
	return nil
}

// Act sets a mode; the demo has nothing else to switch.
func (p *plugin) Act(ctx context.Context, device string, a sdk.Act) error {
	c, hub, err := p.camera(ctx, device)
	if err != nil {
		return err
	}
	m, ok := a.(sdk.ModeSet)
	if !ok {
		return fmt.Errorf("demo: it has modes and nothing else to switch: %w", sdk.ErrUnsupported)
	}
	return c.setMode(ctx, hub, m.Mode, m.Value)
}

// DescribeDevice says what a demo camera is and can do.
func (p *plugin) DescribeDevice(ctx context.Context, device string) (sdk.DeviceDescription, error) {
	c, _, err := p.camera(ctx, device)
	if err != nil {
		return sdk.DeviceDescription{}, err
	}
	model := "Demo camera"
	if c.kind == "doorbell" {
		model = "Demo doorbell"
	}
	return sdk.DeviceDescription{Manufacturer: "Porchlight", Model: model, Serial: c.id, Firmware: version,
		EventTypes: []sdk.EventType{sdk.TypeRing, sdk.TypeMotion, sdk.TypeParcel, sdk.TypeTalk}, Modes: knownModes()}, nil
}
