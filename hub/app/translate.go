package app

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/chimes"
	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/registry"
	"github.com/porchlight-hub/porchlight/hub/supervisor"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Bundled is a plugin that ships with the hub.
type Bundled struct {
	Name     string
	Binary   string // file name of its own binary; empty: this one
	Manifest manifest.Manifest
}

// defaultVolume of a chime that names none, of 100.
const defaultVolume = 70

// specs says what shall run.
func specs(c *config.Config, bundled map[string]Bundled) []supervisor.Spec {
	out := make([]supervisor.Spec, 0, len(c.Plugins))
	for _, name := range slices.Sorted(maps.Keys(c.Plugins)) {
		p := c.Plugins[name]
		s := supervisor.Spec{
			Name: name, Builtin: p.Builtin, Disabled: p.Disabled, Optional: p.Optional, Sandbox: p.Sandbox,
			Config: p.Config.JSON(), Permissions: p.Permissions.JSON(), Devices: devices(c, name),
			Health: supervisor.Health{Every: p.Limits.Health.Every.Std(), Misses: p.Limits.Health.Misses},
			Restart: supervisor.Restart{Max: p.Limits.Restart.Max, Per: p.Limits.Restart.Per.Std(),
				First: p.Limits.Restart.First.Std(), Longest: p.Limits.Restart.Longest.Std()},
			Limits: supervisor.Limits{Memory: int64(p.Limits.Memory), CPU: int(p.Limits.CPU), Processes: p.Limits.Processes, Files: p.Limits.Files},
		}
		if p.Path != "" {
			s.Builtin, s.Path = "", p.Path
		} else if b, ok := bundled[p.Builtin]; ok {
			s.Binary = b.Binary
			s.Reach = b.Manifest.Permissions.Devices
			l := b.Manifest.Complete().Limits
			s.Limits.Memory = cmp.Or(s.Limits.Memory, int64(l.Memory))
			s.Limits.Files = cmp.Or(s.Limits.Files, l.Files)
		}
		out = append(out, s)
	}
	return out
}

// devices are the cameras and chimes that name a plugin, by kind and id.
func devices(c *config.Config, plugin string) []*pb.DeviceEntry {
	var out []*pb.DeviceEntry
	for _, id := range slices.Sorted(maps.Keys(c.Cameras)) {
		if cam := c.Cameras[id]; cam.Plugin == plugin {
			out = append(out, &pb.DeviceEntry{Id: id, Name: cam.Name, Kind: cam.Kind, Config: string(orEmpty(cam.Source.JSON()))})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Chimes)) {
		if ch := c.Chimes[id]; ch.Plugin == plugin {
			out = append(out, &pb.DeviceEntry{Id: id, Name: ch.Name, Kind: "chime", Config: string(ch.Settings())})
		}
	}
	return out
}

func orEmpty(j json.RawMessage) json.RawMessage {
	if len(j) == 0 {
		return json.RawMessage("{}")
	}
	return j
}

// entries is what the host must know of each plugin.
func entries(c *config.Config) []host.Entry {
	var out []host.Entry
	for _, name := range slices.Sorted(maps.Keys(c.Plugins)) {
		r := c.Plugins[name].Limits.Rates
		e := host.Entry{Name: name, Rates: host.Rates{Critical: rate(r.Critical), Normal: rate(r.Normal), State: rate(r.State), Debug: rate(r.Debug)}}
		for id, ch := range c.Chimes {
			if ch.Plugin == name {
				e.Chimes = append(e.Chimes, id)
			}
		}
		out = append(out, e)
	}
	return out
}

func rate(r config.Rate) host.Rate { return host.Rate{PerSecond: r.PerSecond, Burst: r.Burst} }

// cameras of the house, for the registry.
func cameras(c *config.Config) []registry.Device {
	var out []registry.Device
	for id, cam := range c.Cameras {
		out = append(out, registry.Device{ID: id, Name: cam.Name, Kind: cam.Kind, Plugin: cam.Plugin, Talk: cam.Talk,
			IgnoreOlderThan: cam.Ring.IgnoreOlderThan.Std()})
	}
	return out
}

// chimeList of the house. A plugin chime whose plugin is optional and absent still
// stands in it: its failure is told, not hidden.
func chimeList(c *config.Config) []chimes.Chime {
	var out []chimes.Chime
	for id, ch := range c.Chimes {
		if ch.Builtin != "" && ch.Builtin != "browser" {
			continue // known words that this version cannot do; the config warned
		}
		volume := defaultVolume
		if ch.Volume != nil {
			volume = *ch.Volume
		}
		out = append(out, chimes.Chime{ID: id, Name: ch.Name, Builtin: ch.Builtin, Plugin: ch.Plugin, Sound: ch.Sound, Volume: volume})
	}
	return out
}

// debounce of a camera's rings.
func debounce(c *config.Config, camera string) time.Duration {
	if cam, ok := c.Cameras[camera]; ok {
		return cam.Ring.Debounce.Std()
	}
	return 0
}
