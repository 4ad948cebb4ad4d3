package config

import (
	"strings"
	"time"
)

// Camera is a camera or a doorbell. One without a plugin is a bare button, rung by
// whoever knows its hook.
type Camera struct {
	Name   string `json:"name" jsonschema:"minLength=1,maxLength=64" jsonschema_description:"Shown to people; change it freely."`
	Kind   string `json:"kind" jsonschema:"enum=doorbell,enum=camera"`
	Plugin string `json:"plugin,omitempty" jsonschema:"minLength=1" jsonschema_description:"An entry of plugins, or a bundled plugin."`
	Source Raw    `json:"source,omitzero" jsonschema_description:"Where its pictures come from; the plugin says which keys."`

	Streams Streams `json:"streams" jsonschema_description:"Which of the source's streams are used."`
	Pull    string  `json:"pull" jsonschema:"enum=auto,enum=always,enum=on_demand,enum=battery" jsonschema_description:"When pictures are fetched; battery: only for an event or while somebody looks."`
	Rotate  int     `json:"rotate" jsonschema:"enum=0,enum=90,enum=180,enum=270" jsonschema_description:"Degrees clockwise by which the pages turn the picture."`

	Ring Ring `json:"ring"`
	Talk bool `json:"talk" jsonschema_description:"Two-way audio, if the device can."`
}

// Streams says which streams of a source are used: auto or off.
type Streams struct {
	Main string `json:"main" jsonschema:"enum=auto,enum=off" jsonschema_description:"The large picture."`
	Sub  string `json:"sub" jsonschema:"enum=auto,enum=off" jsonschema_description:"The small one, for grids and for browsers that cannot show the large one."`
}

// Bare tells that a camera is a button and nothing else.
func (c Camera) Bare() bool { return c.Plugin == "" }

// Ring says when a press counts: not within Debounce of the last one, and not
// when it is older than IgnoreOlderThan on arrival.
type Ring struct {
	Debounce        Duration `json:"debounce"`
	IgnoreOlderThan Duration `json:"ignore_older_than"`
}

func defaultCamera(id string, bare bool) Camera {
	c := Camera{
		Name: spoken(id), Kind: "camera", Talk: true, Pull: "auto", Streams: Streams{Main: "auto", Sub: "auto"},
		Ring: Ring{Debounce: Duration(3 * time.Second), IgnoreOlderThan: Duration(15 * time.Second)},
	}
	if bare {
		c.Kind = "doorbell"
	}
	return c
}

// spoken makes a name of an id: front_door becomes "Front door".
func spoken(id string) string {
	words := strings.ReplaceAll(id, "_", " ")
	if words == "" {
		return words
	}
	return strings.ToUpper(words[:1]) + words[1:]
}
