package editor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config"
)

// object is a piece of a JSON schema.
type object = map[string]any

// Schema is the schema of the format with the plugins' own merged in, for
// editors: with it a YAML language server completes and checks a plugin's keys where
// the entry names the plugin. It is kept to words that such servers know.
func Schema(opts config.Options) (json.RawMessage, error) {
	doc, err := schemaObject(config.Schema())
	if err != nil {
		return nil, err
	}
	defs := doc["$defs"].(object)
	m := merger{defs: defs, own: chimeKeys(defs), named: object{}, offers: map[string][]any{}}
	for _, name := range slices.Sorted(slices.Values(opts.Builtins)) {
		if err := m.plugin(name, opts.Schemas[name]); err != nil {
			return nil, fmt.Errorf("schema of plugin %s: %w", name, err)
		}
	}
	m.finish(opts.Builtins)
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

func schemaObject(raw []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out object
	if err := d.Decode(&out); err != nil {
		return nil, err
	}
	return out, nil
}

func chimeKeys(defs object) object { return defs["Chime"].(object)["properties"].(object) }

// merger collects what the plugins add to the definitions.
type merger struct {
	defs                     object
	own                      object           // the keys of a chime that the format knows
	plugins, cameras, chimes []any            // if … then … of the entries
	named                    object           // entries of plugins by their own name
	offers                   map[string][]any // words for the key plugin, by definition
}

func (m *merger) offer(def, name string) { m.offers[def] = append(m.offers[def], name) }

func ref(def string) object { return object{"$ref": "#/$defs/" + def} }

// when is: if the key has this value, then the entry fits.
func when(key, value string, then object) object {
	return object{"if": object{"properties": object{key: object{"const": value}}, "required": []any{key}}, "then": then}
}

// plugin adds one plugin's schemas.
func (m *merger) plugin(name string, s config.PluginSchema) error {
	own, err := m.define("plugin_"+name+"_config", s.Config)
	if err != nil {
		return err
	}
	device, err := m.define("plugin_"+name+"_device", s.Device)
	if err != nil {
		return err
	}
	settings := object{"properties": object{"config": own}}
	m.plugins = append(m.plugins, when("builtin", name, settings))
	m.named[name] = object{"allOf": []any{ref("Plugin"), object{
		"if":   object{"anyOf": []any{object{"required": []any{"builtin"}}, object{"required": []any{"path"}}}},
		"else": settings,
	}}}
	source := object{"properties": object{"source": device}}
	if s.Serves("camera") {
		m.cameras = append(m.cameras, when("plugin", name, source))
		m.offer("Camera", name)
	}
	if name == config.RTSP {
		m.cameras = append(m.cameras, object{
			"if": object{"required": []any{"source"}, "not": object{"required": []any{"plugin"}}}, "then": source,
		})
	}
	chime := m.chime(name)
	if s.Serves("chime") {
		m.chimes = append(m.chimes, when("plugin", name, chime))
		m.offer("Chime", name)
	}
	if name == config.Webhook {
		m.chimes = append(m.chimes, when("builtin", name, chime))
	}
	return nil
}

// define keeps a plugin's schema as a definition of the whole, its own references
// turned to where it now stands.
func (m *merger) define(def string, raw json.RawMessage) (object, error) {
	s := object{"additionalProperties": false}
	if len(raw) > 0 {
		var err error
		if s, err = schemaObject(raw); err != nil {
			return nil, err
		}
	}
	delete(s, "$schema")
	delete(s, "$id")
	m.defs[def] = embed(s, "#/$defs/"+def)
	return ref(def), nil
}

// embed turns references and lets secret://, env:// and file:// stand where a text has
// to have a form.
func embed(v any, at string) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = embed(v[i], at)
		}
	case object:
		for k := range v {
			if to, ok := v[k].(string); ok && k == "$ref" && strings.HasPrefix(to, "#") {
				v[k] = at + strings.TrimPrefix(to, "#")
				continue
			}
			v[k] = embed(v[k], at)
		}
		_, pattern := v["pattern"].(string)
		_, format := v["format"].(string)
		if v["type"] == "string" && (pattern || format) {
			return referring(v)
		}
	}
	return v
}

func referring(s object) object {
	form := maps.Clone(s)
	out := object{}
	for _, word := range []string{"title", "description", "default", "examples"} {
		if v, ok := s[word]; ok {
			out[word] = v
			delete(form, word)
		}
	}
	out["anyOf"] = []any{form, object{"type": "string", "pattern": "^(secret|env|file)://"}}
	return out
}

// orEmpty lets a block be empty: "cameras:" and nothing below it is no mistake.
func orEmpty(s object) {
	if s["type"] == "object" {
		s["type"] = []any{"object", "null"}
	}
	properties, _ := s["properties"].(object)
	for _, sub := range properties {
		if s, ok := sub.(object); ok && s["type"] == "object" {
			s["type"] = []any{"object", "null"}
		}
	}
}

// chime is a plugin's device schema with the keys that every chime has.
func (m *merger) chime(name string) object {
	device, _ := m.defs["plugin_"+name+"_device"].(object)
	properties, ok := device["properties"].(object)
	if !ok && device["additionalProperties"] != false {
		return object{} // too clever to be merged; the hub itself checks it
	}
	all := maps.Clone(device)
	merged := maps.Clone(m.own)
	maps.Copy(merged, properties)
	all["properties"] = merged
	return all
}

func (m *merger) finish(builtins []string) {
	add := func(def string, all []any) {
		if len(all) > 0 {
			m.defs[def].(object)["allOf"] = all
		}
	}
	keys := object{}
	for key := range m.own {
		keys[key] = true
	}
	m.chimes = append(m.chimes, when("builtin", "browser", object{"properties": keys, "additionalProperties": false}))
	add("Plugin", m.plugins)
	add("Camera", m.cameras)
	add("Chime", m.chimes)
	if len(m.named) > 0 {
		m.defs["Config"].(object)["properties"].(object)["plugins"].(object)["properties"] = m.named
	}
	names := make([]any, 0, len(builtins))
	for _, name := range slices.Sorted(slices.Values(builtins)) {
		names = append(names, name)
	}
	for def, names := range m.offers {
		key := m.defs[def].(object)["properties"].(object)["plugin"].(object)
		key["anyOf"] = []any{object{"enum": names}, object{"type": "string", "minLength": 1}}
	}
	m.defs["Plugin"].(object)["properties"].(object)["builtin"].(object)["enum"] = names
	for def, s := range m.defs {
		if !strings.HasPrefix(def, "plugin_") {
			orEmpty(s.(object))
		}
	}
}
