package config

import (
	"strings"
	"time"
)

// Camera is a camera or a doorbell. One without a plugin is a bare button,
// which nothing can press yet.
type Camera struct {
	Name   string `json:"name" jsonschema:"minLength=1,maxLength=64" jsonschema_description:"Shown to people; change it freely."`
	Kind   string `json:"kind" jsonschema:"enum=doorbell,enum=camera"`
	Plugin string `json:"plugin,omitempty" jsonschema:"minLength=1" jsonschema_description:"An entry of plugins, or a bundled plugin."`
	Source Raw    `json:"source,omitzero" jsonschema_description:"Where its pictures come from; the plugin says which keys."`
	Ring   Ring   `json:"ring"`
	Talk   bool   `json:"talk" jsonschema_description:"Two-way audio, if the device can."`
}

// Ring says when a press counts: not within Debounce of the last one, and not
// when it is older than IgnoreOlderThan on arrival.
type Ring struct {
	Debounce        Duration `json:"debounce"`
	IgnoreOlderThan Duration `json:"ignore_older_than"`
}

func defaultCamera(id string, bare bool) Camera {
	c := Camera{
		Name: spoken(id), Kind: "camera", Talk: true,
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
