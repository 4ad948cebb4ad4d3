package config

import (
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// decode fills the types; defaults stand where nothing was written.
func (l *loader) decode() (*Config, error) {
	c := &Config{
		Version: FormatVersion, Hub: defaultHub(), file: l.file, set: l.set, places: map[string]Position{}, refs: map[string]string{},
		Plugins: map[string]Plugin{}, Cameras: map[string]Camera{}, Chimes: map[string]Chime{},
	}
	note(c.places, "", l.root)
	if n := l.root.Get("hub"); n.IsSet() {
		if err := n.Into(&c.Hub); err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
	}
	for id, n := range l.entries("plugins") {
		p := defaultPlugin()
		if err := n.Without(isRaw).Into(&p); err != nil {
			return nil, fmt.Errorf("plugins.%s: %w", id, err)
		}
		p.Permissions, p.Config = Raw{n.Get("permissions")}, Raw{n.Get("config")}
		if p.Builtin == "" && p.Path == "" && slices.Contains(l.opts.Builtins, id) {
			p.Builtin = id
		}
		if slices.Contains(l.drop, "plugins."+id) {
			p.Disabled = true
		}
		if p.Path != "" {
			p.Path = l.resolve(p.Path, n.Get("path"))
		}
		c.Plugins[id] = p
	}
	for id, n := range l.entries("cameras") {
		if slices.Contains(l.drop, "cameras."+id) {
			continue
		}
		plugin := l.cameraPlugin(n)
		cam := defaultCamera(id, plugin == "")
		if err := n.Without(isRaw).Into(&cam); err != nil {
			return nil, fmt.Errorf("cameras.%s: %w", id, err)
		}
		cam.Plugin, cam.Source = plugin, Raw{n.Get("source")}
		c.Cameras[id] = cam
		c.imply(cam.Plugin)
	}
	for id, n := range l.entries("chimes") {
		if slices.Contains(l.drop, "chimes."+id) {
			continue
		}
		ch := defaultChime(id)
		own := n.Without(func(key string) bool { return !l.ownChimeKey(key) })
		if err := own.Into(&ch); err != nil {
			return nil, fmt.Errorf("chimes.%s: %w", id, err)
		}
		if extra := n.Without(l.ownChimeKey); len(extra.Entries) > 0 {
			ch.Extra = Raw{extra}
		}
		if ch.Builtin == Webhook {
			ch.Builtin, ch.Plugin = "", Webhook
		}
		c.Chimes[id] = ch
		c.imply(ch.Plugin)
	}
	c.Hub.DataDir = l.resolve(c.Hub.DataDir, l.root.Get("hub", "data_dir"))
	for key, path := range map[string]*string{"cert": &c.Hub.TLS.Cert, "key": &c.Hub.TLS.Key} {
		if *path != "" {
			*path = l.resolve(*path, l.root.Get("hub", "tls", key))
		}
	}
	for i, p := range c.Hub.PluginPath {
		c.Hub.PluginPath[i] = l.resolve(p, l.root.Get("hub", "plugin_path"))
	}
	l.root.Each("", func(path string, n *tree.Node) {
		if n.Ref != "" {
			c.refs[path] = n.Ref
		}
	})
	return c, nil
}

// Bundled plugins that an entry need not name.
const (
	RTSP    = "rtsp"    // cameras whose source has an address
	Webhook = "webhook" // chimes with builtin: webhook
)

// cameraPlugin is the plugin of a camera: the one it names, or rtsp where its source
// has what only that one reads. Empty is a bare button.
func (l *loader) cameraPlugin(n *tree.Node) string {
	if p := n.Get("plugin"); p.IsSet() {
		return p.Text
	}
	if source := n.Get("source"); source.Get("url").IsSet() || source.Get("preset").IsSet() {
		return RTSP
	}
	return ""
}

// imply adds the entry of a bundled plugin that a device names.
func (c *Config) imply(plugin string) {
	if _, there := c.Plugins[plugin]; plugin == "" || there {
		return
	}
	p := defaultPlugin()
	p.Builtin = plugin
	c.Plugins[plugin] = p
}

func isRaw(key string) bool { return key == "config" || key == "permissions" || key == "source" }

func (l *loader) ownChimeKey(key string) bool {
	return slices.Contains(l.own.Keys("chimes", "x"), key)
}

// entries yields the entries of a section that are blocks or empty.
func (l *loader) entries(section string) map[string]*tree.Node {
	out := map[string]*tree.Node{}
	if s := l.root.Get(section); s != nil {
		for _, e := range s.Entries {
			n := e.Value
			if n.Kind == tree.Null {
				n = &tree.Node{Kind: tree.Map, Pos: e.Pos}
			}
			out[e.Key] = n
		}
	}
	return out
}

// resolve makes a path absolute: from the folder of the file that says it, or from
// the working folder if a flag or variable gave it.
func (l *loader) resolve(path string, from *tree.Node) string {
	switch {
	case filepath.IsAbs(path):
	case from == nil:
		path = filepath.Join(filepath.Dir(l.file), path)
	case from.Pos.Line > 0:
		path = filepath.Join(filepath.Dir(from.Pos.File), path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path // no working folder: the path stays as it is, and its use will tell
	}
	return abs
}

func note(places map[string]Position, path string, n *tree.Node) {
	for _, e := range n.Entries {
		if e.Value.Kind == tree.Null {
			continue
		}
		p := tree.Join(path, e.Key)
		places[p] = e.Pos
		note(places, p, e.Value)
	}
}

// LogValue gives what a log line needs of a configuration.
func (c *Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("file", c.file), slog.Int("plugins", len(c.Plugins)), slog.Int("cameras", len(c.Cameras)), slog.Int("chimes", len(c.Chimes)),
	)
}

// IDs lists the keys of a section in order.
func IDs[T any](section map[string]T) []string { return slices.Sorted(maps.Keys(section)) }
