package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Entry names one part of a configuration: a "plugin", a "camera" or a "chime"
// by its id, or a "hub" key such as listen or log.level.
type Entry struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// Keys are those that differ in an entry that changes, as source.password, in order.
	Keys []string `json:"keys,omitempty"`
}

func (e Entry) String() string { return e.Kind + " " + e.ID }

// OnlyName tells that people see another name and nothing else differs.
func (e Entry) OnlyName() bool { return len(e.Keys) == 1 && e.Keys[0] == "name" }

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
	p.section("plugin", pluginLeaves(old), pluginLeaves(new))
	p.section("camera", cameraLeaves(old), cameraLeaves(new))
	p.section("chime", chimeLeaves(old), chimeLeaves(new))
	return p
}

// leaves are the values of an entry by the path of their key, in clear: only for
// being compared.
type leaves map[string]string

func (p *Plan) section(kind string, old, new map[string]leaves) {
	for _, id := range bothKeys(old, new) {
		e := Entry{Kind: kind, ID: id}
		was, had := old[id]
		is, has := new[id]
		switch {
		case !had:
			p.Start = append(p.Start, e)
		case !has:
			p.Stop = append(p.Stop, e)
		default:
			if e.Keys = differing(was, is); len(e.Keys) > 0 {
				p.Change = append(p.Change, e)
			} else {
				p.Keep = append(p.Keep, e)
			}
		}
	}
}

func (p *Plan) hub(old, new Hub) {
	was, is := leaves{}, leaves{}
	was.typed(old)
	is.typed(new)
	changed := differing(was, is)
	for _, key := range bothKeys(was, is) {
		if e := (Entry{Kind: "hub", ID: key}); slices.Contains(changed, key) {
			p.Change = append(p.Change, e)
		} else {
			p.Keep = append(p.Keep, e)
		}
	}
}

func bothKeys[T any](a, b map[string]T) []string {
	keys := append(IDs(a), IDs(b)...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

func differing(a, b leaves) []string {
	return slices.DeleteFunc(bothKeys(a, b), func(key string) bool {
		x, had := a[key]
		y, has := b[key]
		return had == has && x == y
	})
}

// typed adds the values of one of this package's types.
func (l leaves) typed(v any) {
	n, err := tree.FromJSON(marshal(v))
	if err != nil {
		panic("config: own types do not read back: " + err.Error())
	}
	l.add("", n)
}

// raw adds a plugin's part: what is written and, where that is a reference, what it
// stands for.
func (l leaves) raw(path string, r Raw) {
	if !r.IsZero() {
		l.add(path, r.node)
	}
}

func (l leaves) add(path string, n *tree.Node) {
	for _, e := range n.Entries {
		l.add(tree.Join(path, e.Key), e.Value)
	}
	if n.Kind != tree.Map || len(n.Entries) == 0 && path != "" {
		l[path] = string(marshal(n.Referring().Plain())) + "\n" + string(marshal(n.Plain()))
	}
}

func pluginLeaves(c *Config) map[string]leaves {
	out := map[string]leaves{}
	for id, p := range c.Plugins {
		if p.Disabled {
			continue
		}
		l := leaves{}
		l.raw("config", p.Config)
		l.raw("permissions", p.Permissions)
		p.Config, p.Permissions = Raw{}, Raw{}
		l.typed(p)
		out[id] = l
	}
	return out
}

func cameraLeaves(c *Config) map[string]leaves {
	out := map[string]leaves{}
	for id, cam := range c.Cameras {
		l := leaves{}
		l.raw("source", cam.Source)
		cam.Source = Raw{}
		l.typed(cam)
		out[id] = l
	}
	return out
}

func chimeLeaves(c *Config) map[string]leaves {
	out := map[string]leaves{}
	for id, ch := range c.Chimes {
		l := leaves{}
		l.raw("", ch.Extra)
		ch.Extra = Raw{}
		l.typed(ch)
		out[id] = l
	}
	return out
}

// marshal is for values made of this package's types, which always marshal.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("config: own types do not marshal: " + err.Error())
	}
	return b
}

// maxTold bounds the keys that a line of the plan names.
const maxTold = 6

// Lines are the plan for people, one entry a line.
func (p Plan) Lines() string {
	var b strings.Builder
	for _, part := range []struct {
		act     string
		entries []Entry
	}{{"start ", p.Start}, {"stop  ", p.Stop}, {"change", p.Change}} {
		for _, e := range part.entries {
			b.WriteString(part.act + " " + e.String())
			if n := len(e.Keys); n > maxTold {
				fmt.Fprintf(&b, " (%s and %d more)", strings.Join(e.Keys[:maxTold], ", "), n-maxTold)
			} else if n > 0 {
				fmt.Fprintf(&b, " (%s)", strings.Join(e.Keys, ", "))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}
