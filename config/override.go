package config

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config/files"
	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
)

// Options is what the reader cannot know by itself.
type Options struct {
	// Builtins are the bundled plugins of this binary.
	Builtins []string
	// Schemas are the plugins' own JSON schemas, by entry or by bundled name. A
	// plugin that is missing here is not checked.
	Schemas map[string]PluginSchema
	// Overrides replace keys of the hub section, the later ones first in rank.
	Overrides []Override

	disk files.Disk // nil: the machine's own
}

func (o Options) files() files.Disk {
	if o.disk != nil {
		return o.disk
	}
	return files.OS{}
}

// PluginSchema is what a plugin says of its settings. An empty one means that
// it takes none.
type PluginSchema struct {
	Config json.RawMessage // of plugins.<name>.config
	Device json.RawMessage // of cameras.<id>.source, and of a chime's own keys
	Offers []string        // "camera", "chime" and others; empty: not known
}

// Serves tells whether devices of a kind may name the plugin.
func (s PluginSchema) Serves(kind string) bool {
	return len(s.Offers) == 0 || slices.Contains(s.Offers, kind)
}

// Override is one key of the hub section given by a flag or a variable.
type Override struct {
	Key   string // as "listen" or "log.level"; see HubKeys
	Value string // lists are separated by commas
	From  string // as "--listen" or "PORCHLIGHT_LISTEN", shown as the place
}

// HubKeys are the keys of the hub section that an Override may name.
func HubKeys() []string {
	return []string{
		"name", "listen", "insecure", "public_url", "timezone", "language", "data_dir", "plugin_path",
		"log.level", "log.format", "metrics.enabled", "metrics.allow",
		"tls.mode", "tls.cert", "tls.key", "webrtc.enabled", "webrtc.port", "webrtc.tcp", "webrtc.interfaces", "webrtc.stun", "rtsp.port", "rtsp.lan",
	}
}

// override lays flags and variables over the hub section, so that every later
// check sees and names them.
func (l *loader) override() {
	for _, o := range l.opts.Overrides {
		pos := Position{File: o.From}
		if !slices.Contains(HubKeys(), o.Key) {
			l.errorAt(pos, 1, "hub."+o.Key, "E-CFG-UNKNOWN-KEY", "hub.%s cannot be set here", tree.Clip(o.Key))
			l.faults[len(l.faults)-1].Suggestion = schema.Nearest(o.Key, HubKeys())
			continue
		}
		path := append([]string{"hub"}, strings.Split(o.Key, ".")...)
		value := &tree.Node{Kind: tree.Text, Text: o.Value, Pos: pos}
		switch {
		case l.own.Allows("boolean", path...) && (o.Value == "true" || o.Value == "false"):
			value.Kind = tree.Bool
		case l.own.Allows("integer", path...) && isWhole(o.Value):
			value.Kind = tree.Number
		case l.own.Allows("array", path...):
			value.Kind, value.Text = tree.List, ""
			for v := range strings.SplitSeq(o.Value, ",") {
				if v = strings.TrimSpace(v); v != "" {
					value.Items = append(value.Items, &tree.Node{Kind: tree.Text, Text: v, Pos: pos})
				}
			}
		}
		l.root.Put(path, value)
	}
}
