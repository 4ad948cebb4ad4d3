package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// checkMeaning holds the parts against each other and against what this binary
// can do. It works on the tree, so that it also speaks about a file whose form
// has errors elsewhere.
func (l *loader) checkMeaning() {
	if n := l.root.get("version"); n != nil && n.kind == kindNumber && n.text != "1" {
		l.errorAt(n.pos, n.width(), "version", "E-CFG-VERSION", "version %s is not known; this hub reads version %d", clip(n.written), FormatVersion)
	}
	l.checkHub(l.root.get("hub"))
	plugins, cameras, chimes := l.entries("plugins"), l.entries("cameras"), l.entries("chimes")
	for _, id := range IDs(plugins) {
		l.checkPlugin(id, plugins[id])
	}
	for _, id := range IDs(cameras) {
		l.checkCamera(id, cameras[id], plugins)
	}
	for _, id := range IDs(chimes) {
		l.checkChime(id, chimes[id], plugins)
	}
}

func (l *loader) checkHub(hub *node) {
	if n := hub.get("listen"); n.isText() {
		if _, err := listenHost(n.text); err == nil && !Loopback(n.text) && !hub.get("insecure").isTrue() {
			l.errorAt(n.pos, n.width(), "hub.listen", "E-CFG-INSECURE",
				"hub.listen %s can be reached from other machines, and without TLS everything would be readable on the way", clip(n.text))
			l.hint("write hub.insecure: true if you accept that")
		}
	}
	if allow := hub.get("metrics", "allow"); allow != nil {
		for i, n := range allow.items {
			if _, err := netip.ParsePrefix(n.text); n.kind == kindText && err != nil {
				l.errorAt(n.pos, n.width(), fmt.Sprintf("hub.metrics.allow[%d]", i), "E-CFG-VALUE",
					"hub.metrics.allow: %q is not a network: write for example 192.168.1.0/24", clip(n.text))
			}
		}
	}
}

func (l *loader) hint(text string) { l.faults[len(l.faults)-1].Hint = text }

// owner is the entry of a device, for faults about the device as a whole.
func (l *loader) owner(section, id string) *entry { return l.root.get(section).entry(id) }

func (l *loader) checkPlugin(id string, n *node) {
	if n.kind != kindMap {
		return
	}
	path := "plugins." + id
	builtin, file := n.get("builtin"), n.get("path")
	later := n.get("source").isSet() || n.get("version").isSet()
	switch {
	case builtin.isSet() && file.isSet():
		l.errorAt(n.entry("path").pos, 4, path, "E-CFG-CONFLICT", "%s has both builtin and path; keep one", path)
	case !builtin.isSet() && !file.isSet() && later:
		l.drop = append(l.drop, path) // warned about by its key
	case !builtin.isSet() && !file.isSet() && slices.Contains(laterPlugins(), id) && !slices.Contains(l.opts.Builtins, id):
		l.laterPlugin(l.owner("plugins", id).pos, utf8.RuneCountInString(id), path, id)
	case !builtin.isSet() && !file.isSet() && !slices.Contains(l.opts.Builtins, id):
		e := l.owner("plugins", id)
		l.errorAt(e.pos, utf8.RuneCountInString(id), path, "E-CFG-MISSING", "%s says neither builtin nor path", path)
		l.faults[len(l.faults)-1].Suggestion = nearest(id, l.opts.Builtins)
	case builtin.isText() && !slices.Contains(l.opts.Builtins, builtin.text):
		if slices.Contains(laterPlugins(), builtin.text) {
			l.laterPlugin(builtin.pos, builtin.width(), path, builtin.text)
			break
		}
		l.unknownName(builtin, join(path, "builtin"), fmt.Sprintf("%s.builtin: no bundled plugin is called", path), l.opts.Builtins)
	}
	l.checkLimits(path, n)
	name := id
	if builtin.isText() {
		name = builtin.text
	}
	if schema, ok := l.schemaOf(id, name); ok {
		l.checkRaw(n.entry("config"), join(path, "config"), schema.Config, id)
	}
}

func (l *loader) laterPlugin(p Position, width int, path, name string) {
	l.errorAt(p, width, path, "E-CFG-NOT-YET", "%s: the plugin %s is not part of this version yet; the entry is ignored", path, name)
	l.faults[len(l.faults)-1].Severity = Warning
	l.drop, l.later = append(l.drop, path), append(l.later, path)
}

func (l *loader) schemaOf(entry, builtin string) (PluginSchema, bool) {
	if s, ok := l.opts.Schemas[entry]; ok {
		return s, true
	}
	s, ok := l.opts.Schemas[builtin]
	return s, ok
}

// checkRaw holds a plugin's own block against the plugin's own schema.
func (l *loader) checkRaw(e *entry, path string, schema []byte, plugin string) {
	if e == nil || e.value.kind != kindMap {
		return // the form is checked elsewhere
	}
	l.checkTree(e.value, path, schema, plugin, e.pos)
}

func (l *loader) checkTree(n *node, path string, schema []byte, plugin string, at Position) {
	if len(schema) == 0 {
		schema = []byte(`{"additionalProperties": false}`)
	}
	s, err := compile(plugin, schema)
	if err != nil {
		l.errorAt(at, 1, path, "E-CFG-PLUGIN-SCHEMA", "%s cannot be checked: the schema of plugin %s is broken", path, plugin)
		l.faults[len(l.faults)-1].Severity = Warning
		return
	}
	l.checkSchema(s, n, path)
}

// bounds of durations, by the place in an entry.
type bound struct {
	path     []string
	min, max time.Duration
}

func (l *loader) checkBounds(base string, n *node, bounds []bound) {
	for _, b := range bounds {
		v := n.get(b.path...)
		if !v.isText() {
			continue
		}
		path := join(base, strings.Join(b.path, "."))
		if d, err := ParseDuration(v.text); err == nil && (d.Std() < b.min || d.Std() > b.max) {
			l.errorAt(v.pos, v.width(), path, "E-CFG-VALUE", "%s: %s is not within %s and %s", path, clip(v.text), Duration(b.min), Duration(b.max))
		}
	}
}

func (l *loader) checkLimits(base string, n *node) {
	const day = 24 * time.Hour
	l.checkBounds(base, n, []bound{
		{[]string{"limits", "restart", "per"}, time.Second, 7 * day},
		{[]string{"limits", "restart", "first"}, time.Millisecond, time.Hour},
		{[]string{"limits", "restart", "longest"}, time.Millisecond, day},
		{[]string{"limits", "health", "every"}, 10 * time.Millisecond, time.Hour},
	})
	if m := n.get("limits", "memory"); m.isText() {
		if size, err := ParseByteSize(m.text); err == nil && size < 8*mib {
			l.errorAt(m.pos, m.width(), base+".limits.memory", "E-CFG-VALUE", "%s.limits.memory: %s is below 8MiB, and nothing would start", base, clip(m.text))
		}
	}
	first, longest := n.get("limits", "restart", "first"), n.get("limits", "restart", "longest")
	if first.isText() && longest.isText() {
		a, errA := ParseDuration(first.text)
		b, errB := ParseDuration(longest.text)
		if errA == nil && errB == nil && a > b {
			l.errorAt(longest.pos, longest.width(), base+".limits.restart.longest", "E-CFG-VALUE",
				"%s.limits.restart.longest: %s is shorter than first (%s)", base, clip(longest.text), a)
		}
	}
}

func (l *loader) checkCamera(id string, n *node, plugins map[string]*node) {
	if n.kind != kindMap {
		return
	}
	path := "cameras." + id
	l.checkBounds(path, n, []bound{
		{[]string{"ring", "debounce"}, 0, time.Hour},
		{[]string{"ring", "ignore_older_than"}, time.Second, time.Hour},
	})
	plugin, source := n.get("plugin"), n.entry("source")
	switch {
	case !plugin.isSet() && source != nil && source.value.isSet():
		l.errorAt(source.pos, len("source"), path, "E-CFG-MISSING", "%s has a source and no plugin to read it", path)
		l.hint("write plugin: and the name of an entry of plugins")
	case !plugin.isSet():
		e := l.owner("cameras", id)
		l.warnAt(e, path, "E-CFG-NOT-YET", "%s has neither plugin nor source: a bare button, which nothing can press in this version yet", path)
	case plugin.isText():
		if l.checkPluginName(plugin, path, plugins) && source != nil {
			if schema, ok := l.schemaOf(plugin.text, builtinOf(plugins[plugin.text], plugin.text)); ok {
				l.checkRaw(source, join(path, "source"), schema.Device, plugin.text)
			}
		}
	}
}

// builtinOf is the bundled plugin that an entry runs, by default its own name.
func builtinOf(entry *node, name string) string {
	if b := entry.get("builtin"); b.isText() {
		return b.text
	}
	return name
}

func (l *loader) checkPluginName(name *node, path string, plugins map[string]*node) bool {
	if _, there := plugins[name.text]; there || slices.Contains(l.opts.Builtins, name.text) {
		return true
	}
	if slices.Contains(laterPlugins(), name.text) {
		l.laterPlugin(name.pos, name.width(), path, name.text)
		return false
	}
	have := append(IDs(plugins), l.opts.Builtins...)
	l.unknownName(name, join(path, "plugin"), path+": unknown plugin", have)
	return false
}

func (l *loader) unknownName(n *node, path, says string, have []string) {
	slices.Sort(have)
	have = slices.Compact(have)
	l.errorAt(n.pos, n.width(), path, "E-CFG-UNKNOWN-PLUGIN", "%s %q (have: %s)", says, clip(n.text), strings.Join(have, ", "))
	l.faults[len(l.faults)-1].Suggestion = nearest(n.text, have)
}

func (l *loader) checkChime(id string, n *node, plugins map[string]*node) {
	if n.kind != kindMap {
		return
	}
	path := "chimes." + id
	builtin, plugin := n.get("builtin"), n.get("plugin")
	switch {
	case builtin.isSet() && plugin.isSet():
		l.errorAt(n.entry("plugin").pos, len("plugin"), path, "E-CFG-CONFLICT", "%s has both builtin and plugin; keep one", path)
	case builtin.isText() && builtin.text == "webhook":
		l.errorAt(builtin.pos, builtin.width(), path, "E-CFG-NOT-YET", "%s: the built-in chime webhook is not part of this version yet; the entry is ignored", path)
		l.faults[len(l.faults)-1].Severity = Warning
		l.drop, l.later = append(l.drop, path), append(l.later, path)
	case builtin.isSet():
		l.refuseExtra(n, path)
	case plugin.isText():
		if !l.checkPluginName(plugin, path, plugins) {
			l.refuseNear(n, path)
			break
		}
		if schema, ok := l.schemaOf(plugin.text, builtinOf(plugins[plugin.text], plugin.text)); ok {
			l.checkChimeKeys(n, path, schema.Device, plugin.text)
		} else {
			l.refuseNear(n, path)
		}
	case !plugin.isSet():
		e := l.owner("chimes", id)
		l.errorAt(e.pos, utf8.RuneCountInString(id), path, "E-CFG-MISSING", "%s says neither builtin nor plugin", path)
		l.hint("write builtin: browser, or plugin: and a plugin's name")
		l.refuseNear(n, path)
	}
}

// refuseExtra: a built-in chime has no keys of its own.
func (l *loader) refuseExtra(n *node, path string) {
	for i := range n.entries {
		if !l.ownChimeKey(n.entries[i].key) {
			l.unknownKey(&n.entries[i], path, keysAt(l.own, []string{"chimes", "x"}))
		}
	}
}

// refuseNear: where nobody says which keys a plugin takes, only a likely typing
// error is refused.
func (l *loader) refuseNear(n *node, path string) {
	known := keysAt(l.own, []string{"chimes", "x"})
	for i := range n.entries {
		if key := n.entries[i].key; !l.ownChimeKey(key) && nearest(key, known) != "" {
			l.unknownKey(&n.entries[i], path, known)
		}
	}
}

// checkChimeKeys holds a chime's keys against its plugin's device schema: the
// plugin's own, and of sound, device and volume those that the schema names.
func (l *loader) checkChimeKeys(n *node, path string, schema []byte, plugin string) {
	if len(schema) == 0 {
		l.refuseExtra(n, path)
		return
	}
	s, err := compile(plugin, schema)
	if err != nil {
		l.checkTree(n, path, schema, plugin, n.pos)
		return
	}
	named := keysAt(s, nil)
	known := append(keysAt(l.own, []string{"chimes", "x"}), named...)
	part := n.without(func(key string) bool {
		return l.ownChimeKey(key) && (slices.Contains(Chime{}.ownKeys(), key) || !slices.Contains(named, key))
	})
	before := len(l.faults)
	l.checkSchema(s, part, path)
	for i := before; i < len(l.faults); i++ {
		if f := &l.faults[i]; f.Code == "E-CFG-UNKNOWN-KEY" {
			key := f.Path[strings.LastIndex(f.Path, ".")+1:]
			if f.Suggestion = nearest(key, known); f.Suggestion != "" {
				f.Hint = ""
			}
		}
	}
}
