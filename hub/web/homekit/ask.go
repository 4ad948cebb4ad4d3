package homekit

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// The plugin that is asked: by its id, or before it has told that by its usual entry.
const (
	PluginID = "dev.porchlight.homekit"
	Entry    = "homekit"
)

// Lines that add it to a porchlight.yaml.
const Lines = "plugins:\n  homekit: {builtin: homekit}\n"

// Actor lets a plugin do something that it declared.
type Actor interface {
	Act(ctx context.Context, plugin, action string, input json.RawMessage) (json.RawMessage, error)
}

// NotSetUp: no entry of the config is the homekit plugin.
type NotSetUp struct{}

func (NotSetUp) Error() string { return "homekit: Apple Home is not part of this house" }

// Code names the error.
func (NotSetUp) Code() string { return "E-HOMEKIT-NONE" }

// Hint says how to mend it.
func (NotSetUp) Hint() string {
	return "write these lines into porchlight.yaml: plugins: {homekit: {builtin: homekit}}"
}

// Find the plugin among all.
func Find(all []api.Plugin) (api.Plugin, bool) {
	i := slices.IndexFunc(all, func(p api.Plugin) bool { return p.ID == PluginID })
	if i < 0 {
		i = slices.IndexFunc(all, Is)
	}
	if i < 0 {
		return api.Plugin{}, false
	}
	return all[i], true
}

// Is tells whether a plugin is the one.
func Is(p api.Plugin) bool { return p.ID == PluginID || p.ID == "" && p.Name == Entry }

// AskStatus asks how each accessory is.
func AskStatus(ctx context.Context, a Actor, plugin string) (Status, error) {
	var out Status
	err := ask(ctx, a, plugin, "status", nil, &out)
	return out, err
}

// AskCodes asks for the setup codes; camera empty: of all.
func AskCodes(ctx context.Context, a Actor, plugin, camera string) ([]Code, error) {
	var out struct {
		Accessories []Code `json:"accessories"`
	}
	err := ask(ctx, a, plugin, "qr", target{Camera: camera}, &out)
	return out.Accessories, err
}

// Unpair takes a controller out of one accessory, camera empty: of all, and tells of how many.
func Unpair(ctx context.Context, a Actor, plugin, camera, controller string) (int, error) {
	var out struct {
		Removed int `json:"removed"`
	}
	err := ask(ctx, a, plugin, "unpair", target{camera, controller}, &out)
	return out.Removed, err
}

// Reset gives an accessory, camera empty: all, a new identity and a new code, and tells which.
func Reset(ctx context.Context, a Actor, plugin, camera string) ([]string, error) {
	var out struct {
		Reset []string `json:"reset"`
	}
	err := ask(ctx, a, plugin, "reset", target{Camera: camera}, &out)
	return out.Reset, err
}

// target is what the actions take.
type target struct {
	Camera     string `json:"camera,omitempty"`
	Controller string `json:"controller,omitempty"`
}

func ask(ctx context.Context, a Actor, plugin, action string, in, out any) error {
	input := json.RawMessage("{}")
	if in != nil {
		var err error
		if input, err = json.Marshal(in); err != nil {
			return fmt.Errorf("homekit: %s: encode: %w", action, err)
		}
	}
	b, err := a.Act(ctx, plugin, action, input)
	if err != nil {
		return err // it names plugin and action
	}
	if json.Unmarshal(b, out) != nil { // its text may quote a code
		return fmt.Errorf("homekit: %s: the plugin's answer is not what this hub expects", action)
	}
	return nil
}
