package config

import (
	"encoding/json"
	"maps"
	"slices"
)

// Chime is a thing that sounds: a built-in one or a plugin's.
type Chime struct {
	Builtin string `json:"builtin,omitempty" jsonschema:"enum=browser,enum=webhook"`
	Plugin  string `json:"plugin,omitempty" jsonschema:"minLength=1" jsonschema_description:"An entry of plugins, or a bundled plugin."`
	Name    string `json:"name" jsonschema:"minLength=1,maxLength=64"`
	Sound   string `json:"sound" jsonschema:"minLength=1" jsonschema_description:"The sound's name, or for a plugin that takes one a file."`
	Device  string `json:"device,omitempty" jsonschema:"minLength=1" jsonschema_description:"Which output, as the plugin names them."`
	Volume  *int   `json:"volume,omitempty" jsonschema:"minimum=0,maximum=100" jsonschema_description:"0 to 100; the chime's own if not set."`

	// Extra holds the keys that only the plugin knows.
	Extra Raw `json:"-"`
}

func defaultChime(id string) Chime {
	return Chime{Name: spoken(id), Sound: "ding_dong"}
}

// ownKeys are the keys of an entry that never reach the plugin.
func (Chime) ownKeys() []string { return []string{"builtin", "plugin", "name"} }

// Settings are the keys that the plugin gets: sound, device, volume and its own,
// in clear.
func (c Chime) Settings() json.RawMessage {
	m := map[string]any{"sound": c.Sound}
	if c.Device != "" {
		m["device"] = c.Device
	}
	if c.Volume != nil {
		m["volume"] = *c.Volume
	}
	if !c.Extra.IsZero() {
		if extra, ok := c.Extra.node.Referring().Plain().(map[string]any); ok {
			maps.Copy(m, extra)
		}
	}
	b, _ := json.Marshal(m) // only strings, numbers and trees made from JSON
	return b
}

// MarshalJSON puts the plugin's own keys, masked, beside the others.
func (c Chime) MarshalJSON() ([]byte, error) {
	type bare Chime
	b, err := json.Marshal(bare(c))
	if err != nil || c.Extra.IsZero() || len(c.Extra.node.Entries) == 0 {
		return b, err
	}
	extra, err := json.Marshal(c.Extra)
	if err != nil {
		return nil, err
	}
	return slices.Concat(b[:len(b)-1], []byte(","), extra[1:]), nil
}
