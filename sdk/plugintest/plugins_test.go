package plugintest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// childEnv names the plugin that this test binary is to be.
const childEnv = "PLUGINTEST_CHILD"

// TestMain lets the test binary be one of its own plugins: a child is started by
// running it again.
func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(child(name))
	}
	os.Exit(m.Run())
}

// binary makes the command that starts a plugin of this file as a child.
func binary(name string) func() *exec.Cmd {
	return func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = []string{childEnv + "=" + name}
		return cmd
	}
}

// good is a plugin with every ability, which keeps all rules.
type good struct {
	mu      sync.Mutex
	handled map[string]int
	hub     *sdk.Hub
	started chan struct{} // closed when Run has the hub
	heard   []*av.Unit
}

func newGood() sdk.Plugin {
	return &good{handled: map[string]int{}, started: make(chan struct{})}
}

func (*good) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "org.example.good", Name: "Good", Version: "1.0.0",
		Capabilities: []manifest.Capability{manifest.Camera, manifest.Chime, manifest.Bridge, manifest.Notifier},
		ConfigSchema: json.RawMessage(`{"type":"object","properties":{"level":{"title":"Level","type":"integer"}},"additionalProperties":false}`),
		Permissions: manifest.Permissions{
			Publish: []string{"camera.*.ring", "camera.*.motion", "camera.*.hop"}, Subscribe: []string{"camera.**", "system.*"}, Commands: []string{"chime.quiet", "device.act"},
			Media: manifest.Media{Publish: true},
		},
		Actions: []manifest.Action{{Name: "echo", Title: "Say it again", Role: "view", ReadOnly: true}},
	}
}

func (p *good) Run(ctx context.Context, hub *sdk.Hub) error {
	p.hub = hub
	close(p.started)
	if pub, err := hub.PublishMedia(ctx, "front_door", "main", av.Track{ID: 1, Kind: av.Video, Codec: av.MJPEG, ClockRate: 90000}); err == nil {
		defer pub.Close()
		_ = pub.Write(ctx, &av.Unit{Track: 1, Key: true, Data: picture()})
	}
	if _, err := hub.Ring(ctx, "front_door"); err != nil {
		hub.Log().Warn("ring", "error", err)
	}
	<-ctx.Done()
	return nil
}

func picture() []byte {
	var b bytes.Buffer
	_ = jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 16, 16)), nil)
	return b.Bytes()
}

func (p *good) HandleEvent(ctx context.Context, d sdk.Delivery) error {
	p.mu.Lock()
	p.handled[d.Event.ID]++
	p.mu.Unlock()
	<-p.started
	e := sdk.NewEvent(sdk.TypeHop, "front_door", sdk.Hop{EventID: d.Event.ID, Taker: "good", Outcome: "ok"})
	e.Correlation = d.Event.ID
	_, err := p.hub.Publish(ctx, e)
	if err != nil && ctx.Err() == nil {
		p.hub.Log().Debug("hop", "error", err)
	}
	return ctx.Err()
}

func (p *good) Check(_ context.Context, c sdk.Config) []sdk.Problem {
	var s struct{ Level int }
	if err := c.Decode(&s); err != nil {
		return []sdk.Problem{{Path: "/level", Message: err.Error()}}
	}
	if s.Level > 10 {
		return []sdk.Problem{{Path: "/level", Message: "is over 10", Fix: "take a smaller one"}}
	}
	return nil
}

func (*good) Reconfigure(_ context.Context, c sdk.Config) error {
	var s struct{ Level int }
	if err := c.Decode(&s); err != nil {
		return err
	}
	if s.Level == 10 {
		return sdk.ErrRestart
	}
	return nil
}

func (*good) Source(context.Context, string) (sdk.Source, error) {
	return sdk.Source{Push: true, Talk: "plugin", Snapshot: "plugin"}, nil
}

func (*good) Snapshot(context.Context, sdk.SnapshotRequest) (sdk.Image, error) {
	return sdk.Image{JPEG: picture(), Width: 16, Height: 16}, nil
}

func (p *good) Talk(ctx context.Context, _ sdk.TalkRequest, speech *av.Reader) error {
	for {
		u, err := speech.Next(ctx)
		if err != nil {
			return nil
		}
		p.mu.Lock()
		p.heard = append(p.heard, u)
		p.mu.Unlock()
	}
}

func (*good) Play(_ context.Context, r sdk.PlayRequest) (sdk.PlayResult, error) {
	return sdk.PlayResult{Played: true, Sound: r.Sound}, nil
}

func (*good) Notify(context.Context, sdk.Notification) (sdk.Notified, error) {
	return sdk.Notified{Reached: 1, Of: 1}, nil
}

func (*good) Identify(context.Context, string) error { return nil }

func (*good) Action(_ context.Context, c sdk.ActionCall) (json.RawMessage, error) {
	if c.Name != "echo" {
		return nil, fmt.Errorf("action %s: %w", c.Name, sdk.ErrNotFound)
	}
	return c.Input, nil
}

func (*good) Health(context.Context) []sdk.Part {
	return []sdk.Part{{Name: "all", State: sdk.PartOK}}
}

func (*good) SelfCheck(context.Context, bool) []sdk.CheckLine {
	return []sdk.CheckLine{{State: "ok", What: "all"}}
}
