package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Entry names one part of a configuration: a "plugin", a "camera" or a "chime"
// by its id, or a "hub" key such as listen or log.level.
type Entry struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

func (e Entry) String() string { return e.Kind + " " + e.ID }

// Plan is what an edit changes, and what it leaves alone. Moving lines and
// writing a default out changes nothing.
type Plan struct {
	Start  []Entry `json:"start"`
	Stop   []Entry `json:"stop"`
	Change []Entry `json:"change"`
	Keep   []Entry `json:"keep"`
}

// Empty tells that nothing has to be done.
func (p Plan) Empty() bool { return len(p.Start)+len(p.Stop)+len(p.Change) == 0 }

// Compare lists exactly the entries that differ. A disabled plugin counts as
// absent. old may be nil: then everything starts.
func Compare(old, new *Config) Plan {
	var p Plan
	if old == nil {
		old = &Config{}
	} else {
		p.hub(old.Hub, new.Hub)
	}
	p.section("plugin", pluginKeys(old), pluginKeys(new))
	p.section("camera", keysOf(old.Cameras), keysOf(new.Cameras))
	p.section("chime", keysOf(old.Chimes), keysOf(new.Chimes))
	return p
}

func (p *Plan) section(kind string, old, new map[string]string) {
	ids := append(IDs(old), IDs(new)...)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		e := Entry{kind, id}
		was, had := old[id]
		is, has := new[id]
		switch {
		case !had:
			p.Start = append(p.Start, e)
		case !has:
			p.Stop = append(p.Stop, e)
		case was != is:
			p.Change = append(p.Change, e)
		default:
			p.Keep = append(p.Keep, e)
		}
	}
}

func (p *Plan) hub(old, new Hub) {
	a, b := leavesOf(old), leavesOf(new)
	keys := append(IDs(a), IDs(b)...)
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if a[key] == b[key] {
			p.Keep = append(p.Keep, Entry{"hub", key})
		} else {
			p.Change = append(p.Change, Entry{"hub", key})
		}
	}
}

// leavesOf flattens the hub section: each key with its value, lists as one.
func leavesOf(h Hub) map[string]string {
	out := map[string]string{}
	n, err := tree.FromJSON(marshal(h))
	if err != nil {
		return out
	}
	for _, e := range n.Entries {
		if e.Value.Kind != tree.Map {
			out[e.Key] = string(marshal(e.Value.Plain()))
			continue
		}
		for _, sub := range e.Value.Entries {
			out[tree.Join(e.Key, sub.Key)] = string(marshal(sub.Value.Plain()))
		}
	}
	return out
}

func pluginKeys(c *Config) map[string]string {
	out := map[string]string{}
	for id, p := range c.Plugins {
		if !p.Disabled {
			out[id] = identity(p, p.Config, p.Permissions)
		}
	}
	return out
}

func keysOf[T any](section map[string]T) map[string]string {
	out := map[string]string{}
	for id, v := range section {
		switch v := any(v).(type) {
		case Camera:
			out[id] = identity(v, v.Source)
		case Chime:
			out[id] = identity(v, v.Extra)
		}
	}
	return out
}

// identity is equal for entries that say the same. The raw parts are added in
// clear, since their masked form hides a changed password.
func identity(v any, parts ...Raw) string {
	all := [][]byte{marshal(v)}
	for _, r := range parts {
		all = append(all, r.clear())
	}
	return string(bytes.Join(all, []byte("\n")))
}

// marshal is for values made of this package's types, which always marshal.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("config: own types do not marshal: " + err.Error())
	}
	return b
}

// Lines are the plan for people, one entry a line.
func (p Plan) Lines() string {
	var b strings.Builder
	for _, part := range []struct {
		act     string
		entries []Entry
	}{{"start ", p.Start}, {"stop  ", p.Stop}, {"change", p.Change}} {
		for _, e := range part.entries {
			b.WriteString(part.act + " " + e.String() + "\n")
		}
	}
	return b.String()
}
