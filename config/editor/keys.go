package editor

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/config/schema"
)

// Key is what the format, or a plugin, says of one key.
type Key struct {
	Path        string   `json:"path"` // as cameras.<id>.pull
	Kind        string   `json:"kind"` // what stands behind it: text, a list, …
	Description string   `json:"description,omitempty"`
	Values      []string `json:"values,omitempty"`
	Default     string   `json:"default,omitempty"`
	Examples    []string `json:"examples,omitempty"`
	Plugin      string   `json:"plugin,omitempty"` // whose key it is; empty: the format's own
	Keys        []string `json:"keys,omitempty"`   // of a block
}

// String is for a terminal.
func (k Key) String() string {
	var b strings.Builder
	b.WriteString(k.Path + ": " + k.Kind)
	if k.Plugin != "" {
		b.WriteString(", of the plugin " + k.Plugin)
	}
	b.WriteString("\n")
	if k.Description != "" {
		b.WriteString("  " + k.Description + "\n")
	}
	for _, line := range []struct {
		name string
		said []string
	}{{"one of", k.Values}, {"default", []string{k.Default}}, {"for example", k.Examples}, {"keys", k.Keys}} {
		if len(line.said) > 0 && line.said[0] != "" {
			fmt.Fprintf(&b, "  %s: %s\n", line.name, strings.Join(line.said, ", "))
		}
	}
	return b.String()
}

// maxKeyDepth ends the walk through schemas that refer to themselves.
const maxKeyDepth = 8

// Explain finds what a path such as cameras.porch.pull, or a key alone such as
// pull, may mean; ids in it may be any. Without any it gives a likely word.
func Explain(path string, opts config.Options) (found []Key, suggestion string, err error) {
	raw, err := Schema(opts)
	if err != nil {
		return nil, "", err
	}
	doc, err := schemaObject(raw)
	if err != nil {
		return nil, "", err
	}
	w := keyWalk{defs: doc["$defs"].(object), names: map[string]bool{}}
	w.visit(doc, "", "", 0)
	want := strings.Split(path, ".")
	for _, k := range w.found {
		if fits(strings.Split(k.Path, "."), want) {
			found = append(found, k)
		}
	}
	if len(found) == 0 {
		suggestion = schema.Nearest(want[len(want)-1], slices.Sorted(maps.Keys(w.names)))
	}
	slices.SortFunc(found, func(a, b Key) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Plugin, b.Plugin)) })
	return slices.CompactFunc(found, func(a, b Key) bool { return a.Path == b.Path && a.Plugin == b.Plugin }), suggestion, nil
}

// fits tells whether a path of the format is the one that is wanted, or ends with it.
func fits(path, want []string) bool {
	top := len(path) == len(want)
	if len(want) > len(path) || len(want) > 1 && !top && path[0] == want[0] {
		return false
	}
	for i, step := range path[len(path)-len(want):] {
		if step != want[i] && !strings.HasPrefix(step, "<") {
			return false
		}
	}
	return !strings.HasPrefix(path[len(path)-1], "<") || top
}

// keyWalk goes through the merged schema and notes every key.
type keyWalk struct {
	defs  object
	found []Key
	names map[string]bool
}

// visit goes into what may stand at path.
func (w *keyWalk) visit(v any, path, plugin string, depth int) {
	s, ok := v.(object)
	if !ok || depth > maxKeyDepth {
		return
	}
	if to, ok := s["$ref"].(string); ok {
		w.visit(w.target(to), path, owner(to, plugin), depth+1)
	}
	for _, word := range []string{"allOf", "anyOf", "oneOf"} {
		all, _ := s[word].([]any)
		for _, sub := range all {
			w.visit(sub, path, plugin, depth)
		}
	}
	for _, word := range []string{"then", "else"} {
		w.visit(s[word], path, plugin, depth)
	}
	properties, _ := s["properties"].(object)
	for name, sub := range properties {
		w.note(sub, join(path, name), owner(refOf(sub), plugin), depth)
	}
	if more, ok := s["additionalProperties"].(object); ok {
		w.note(more, join(path, "<id>"), owner(refOf(more), plugin), depth)
	}
	w.visit(s["items"], path, plugin, depth+1)
}

func join(path, key string) string { return strings.TrimPrefix(path+"."+key, ".") }

// note keeps a key and goes on below it.
func (w *keyWalk) note(v any, path, plugin string, depth int) {
	s, ok := v.(object)
	if !ok {
		return
	}
	last := path[strings.LastIndex(path, ".")+1:]
	if last != "<id>" {
		w.names[last] = true
	}
	merged := maps.Clone(s)
	if to := refOf(s); to != "" {
		if target, ok := w.target(to).(object); ok {
			for k, v := range target {
				if _, there := merged[k]; !there {
					merged[k] = v
				}
			}
		}
	}
	k := Key{Path: path, Kind: kindOf(merged), Plugin: plugin, Values: values(merged)}
	k.Description, _ = merged["description"].(string)
	if d, ok := merged["default"]; ok {
		k.Default = written(d)
	}
	examples, _ := merged["examples"].([]any)
	for _, e := range examples {
		k.Examples = append(k.Examples, written(e))
	}
	properties, _ := merged["properties"].(object)
	k.Keys = slices.Sorted(maps.Keys(properties))
	w.found = append(w.found, k)
	w.visit(v, path, plugin, depth+1)
}

func refOf(v any) string {
	s, _ := v.(object)
	to, _ := s["$ref"].(string)
	return to
}

// target is the definition that a reference leads to, which may be within one.
func (w *keyWalk) target(to string) any {
	var at any = object{"$defs": w.defs}
	for _, step := range strings.Split(strings.TrimPrefix(to, "#/"), "/") {
		s, ok := at.(object)
		if !ok {
			return nil
		}
		at = s[step]
	}
	return at
}

// owner is the plugin whose definition a reference leads into.
func owner(to, plugin string) string {
	rest, ok := strings.CutPrefix(to, "#/$defs/plugin_")
	if !ok {
		return plugin
	}
	name, _, _ := strings.Cut(rest, "/")
	for _, part := range []string{"_config", "_device"} {
		name = strings.TrimSuffix(name, part)
	}
	return name
}

func values(s object) []string {
	var out []string
	all, _ := s["enum"].([]any)
	for _, v := range all {
		out = append(out, written(v))
	}
	return out
}

func kindOf(s object) string {
	if form, ok := s["anyOf"].([]any); ok && s["type"] == nil && len(form) > 0 {
		if first, ok := form[0].(object); ok {
			return kindOf(first)
		}
	}
	format, _ := s["format"].(string)
	switch format {
	case "duration-with-unit":
		return "a length of time"
	case "size-with-unit":
		return "a size"
	case "percent":
		return "a share"
	}
	name, _ := s["type"].(string)
	if several, ok := s["type"].([]any); ok && len(several) > 0 {
		name, _ = several[0].(string)
	}
	switch name {
	case "string":
		return "text"
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "boolean":
		return "true or false"
	case "array":
		return "a list"
	case "object":
		return "a block of keys"
	}
	return "a value"
}

// written is a value as YAML has it: a JSON text is one, and plain words need no quotes.
func written(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}
