package homekit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// New makes the plugin.
func New() sdk.Plugin { return &plugin{now: time.Now, ready: make(chan struct{})} }

type plugin struct {
	now   func() time.Time
	ready chan struct{} // closed when the house is there

	mu    sync.Mutex
	house *house
}

// Manifest says what Apple Home needs of the house.
func (p *plugin) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "dev.porchlight.homekit", Name: "Apple Home", Version: "1.0.0", License: "Apache-2.0",
		Capabilities: []manifest.Capability{manifest.Bridge},
		ConfigSchema: json.RawMessage(configSchema),
		Permissions: manifest.Permissions{
			Network: []manifest.Network{{Listen: "lan", Proto: manifest.Protos{"tcp", "udp", "mdns"}, Why: "Apple Home finds the doorbell and reaches it"}},
			Subscribe: []string{"camera.*.ring", "camera.*.motion", "camera.*.person", "camera.*.vehicle", "camera.*.animal", "camera.*.online",
				"device.*.status", "system.quiet", "system.cameras", "system.house"},
			Publish:  []string{"plugin.*.hop"},
			Commands: []string{"device.act", "chime.quiet"},
			Media:    manifest.Media{Read: true},
			Talk:     true,
			Secrets:  "own",
		},
		Limits:  manifest.Limits{Files: 4096, Memory: 256 << 20},
		Actions: actions(),
	}
}

// Check finds what the schema cannot.
func (p *plugin) Check(_ context.Context, c sdk.Config) []sdk.Problem {
	var s settings
	if err := c.Decode(&s); err != nil {
		path := "/"
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			path += kind.Field
		}
		return []sdk.Problem{{Path: path, Message: "is of the wrong kind", Fix: "expose is a list of camera ids, accessories a block by camera id"}}
	}
	return s.check()
}

// Run shows the house to Apple Home until ctx ends.
func (p *plugin) Run(ctx context.Context, hub *sdk.Hub) error {
	var s settings
	if err := hub.Config(&s); err != nil {
		return err
	}
	h, err := newHouse(hub, s, p.now)
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.house = h
	p.mu.Unlock()
	close(p.ready)
	h.run(ctx)
	return ctx.Err()
}

// Reconfigure takes other settings; other interfaces need another start.
func (p *plugin) Reconfigure(_ context.Context, c sdk.Config) error {
	var s settings
	if err := c.Decode(&s); err != nil {
		return err
	}
	p.mu.Lock()
	h := p.house
	p.mu.Unlock()
	if h == nil || !slices.Equal(s.Interfaces, h.configured().Interfaces) {
		return sdk.ErrRestart
	}
	h.apply(s)
	return nil
}

// HandleEvent passes rings and motion on.
func (p *plugin) HandleEvent(ctx context.Context, d sdk.Delivery) error {
	h, err := p.await(ctx)
	if err != nil {
		return err
	}
	return h.handle(ctx, d)
}

// await is the house, as soon as it is there.
func (p *plugin) await(ctx context.Context) (*house, error) {
	select {
	case <-p.ready:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.house, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the plugin is starting: %w", ctx.Err())
	}
}

// Health tells of each accessory that cannot be reached.
func (p *plugin) Health(context.Context) []sdk.Part {
	p.mu.Lock()
	h := p.house
	p.mu.Unlock()
	if h == nil {
		return nil
	}
	return h.health()
}

// SelfCheck looks at what Apple Home needs of this machine and its network.
func (p *plugin) SelfCheck(ctx context.Context, thorough bool) []sdk.CheckLine {
	h, err := p.await(ctx)
	if err != nil {
		return []sdk.CheckLine{{State: "warn", What: "Apple Home", Why: err.Error(), Fix: "ask again in a moment"}}
	}
	return h.selfCheck(ctx, thorough)
}
