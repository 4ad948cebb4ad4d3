// Command bridge is a plugin for tests: what a bridge to another house system asks of
// the hub, each by an action of that name, and what it heard. Its action listen does
// what such a bridge does in the LAN.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func main() { sdk.Serve(func() sdk.Plugin { return &bridge{ready: make(chan struct{})} }) }

type bridge struct {
	ready chan struct{} // closed when hub is set
	hub   *sdk.Hub

	mu    sync.Mutex
	heard []heard
}

// heard is one event as the tests read it.
type heard struct {
	Subject string `json:"subject"`
	Data    any    `json:"data"`
}

func (*bridge) Manifest() manifest.Manifest {
	m := manifest.Manifest{
		ID: "org.example.bridge", Name: "Bridge", Version: "1.0.0", Capabilities: []manifest.Capability{manifest.Bridge},
		Permissions: manifest.Permissions{
			Network:   []manifest.Network{{Listen: "lan", Proto: manifest.Protos{"tcp", "udp", "mdns"}, Why: "a bridge is found and reached"}},
			Subscribe: []string{"camera.**", "device.*.status", "system.*", "chime.*.quiet"},
			Commands:  []string{"device.act", "chime.quiet"}, Media: manifest.Media{Read: true},
		},
	}
	for _, name := range []string{"house", "cameras", "act", "quiet", "snapshot", "key", "heard", "listen"} {
		m.Actions = append(m.Actions, manifest.Action{Name: name, Title: name, Role: "admin"})
	}
	return m
}

func (b *bridge) Run(ctx context.Context, hub *sdk.Hub) error {
	b.hub = hub
	close(b.ready)
	<-ctx.Done()
	return nil
}

func (b *bridge) HandleEvent(_ context.Context, d sdk.Delivery) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heard = append(b.heard, heard{d.Event.Subject, d.Event.Data})
	return nil
}

type input struct {
	Device  string `json:"device"`
	Mode    string `json:"mode"`
	Value   string `json:"value"`
	Chime   string `json:"chime"`
	Active  bool   `json:"active"`
	Seconds int    `json:"seconds"`
	Width   int    `json:"width"`
	Times   int    `json:"times"`
	Pause   int    `json:"pause_ms"`
}

func (b *bridge) Action(ctx context.Context, c sdk.ActionCall) (json.RawMessage, error) {
	select {
	case <-b.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var in input
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	var out any
	var err error
	switch c.Name {
	case "house":
		out, err = b.hub.House(ctx)
	case "cameras":
		out, err = b.hub.Cameras(ctx)
	case "act":
		err = b.hub.Act(ctx, in.Device, sdk.ModeSet{Mode: in.Mode, Value: in.Value})
	case "quiet":
		err = b.hub.SetQuiet(ctx, in.Chime, in.Active, time.Duration(in.Seconds)*time.Second)
	case "key":
		err = b.hub.RequestKeyFrame(ctx, in.Device, "main")
	case "snapshot":
		out, err = b.snapshots(ctx, in)
	case "listen":
		out, err = listen(ctx)
	case "heard":
		b.mu.Lock()
		defer b.mu.Unlock()
		out = slices.Clone(b.heard)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// taken is how one snapshot went.
type taken struct {
	Took  time.Duration `json:"took_ns"`
	Age   time.Duration `json:"age_ns"`
	Bytes int           `json:"bytes"`
	Width int           `json:"width"`
}

func (b *bridge) snapshots(ctx context.Context, in input) ([]taken, error) {
	var out []taken
	for range in.Times {
		began := time.Now()
		img, err := b.hub.Snapshot(ctx, sdk.SnapshotRequest{Camera: in.Device, Width: in.Width, MaxAge: time.Duration(in.Seconds) * time.Second, Reason: "periodic"})
		if err != nil {
			return nil, err
		}
		out = append(out, taken{time.Since(began), time.Since(img.Taken), len(img.JPEG), img.Width})
		time.Sleep(time.Duration(in.Pause) * time.Millisecond)
	}
	return out, nil
}

// listen does what mDNS and an accessory server do.
func listen(ctx context.Context) (map[string]any, error) {
	var lc net.ListenConfig
	out := map[string]any{}
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("interfaces: %w", err)
	}
	var names []string
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("addresses of %s: %w", i.Name, err)
		}
		names = append(names, fmt.Sprint(i.Name, " ", addrs))
	}
	out["interfaces"] = names
	t, err := lc.Listen(ctx, "tcp", ":0")
	if err != nil {
		return nil, err
	}
	defer t.Close()
	out["tcp"] = t.Addr().String()
	u, err := lc.ListenPacket(ctx, "udp", ":0")
	if err != nil {
		return nil, err
	}
	defer u.Close()
	out["udp"] = u.LocalAddr().String()
	m, err := net.ListenMulticastUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(224, 0, 0, 251), Port: 5353})
	if err != nil {
		return nil, fmt.Errorf("multicast: %w", err)
	}
	defer m.Close()
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(t.Addr().(*net.TCPAddr).Port)))
	if err != nil {
		return nil, err
	}
	return out, c.Close()
}
