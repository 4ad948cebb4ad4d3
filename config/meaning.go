package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
	"github.com/porchlight-hub/porchlight/config/unit"
)

// checkMeaning holds the parts against each other and against what this binary
// can do. It works on the tree, so that it also speaks about a file whose form
// has errors elsewhere.
func (l *loader) checkMeaning() {
	if n := l.root.Get("version"); n != nil && n.Kind == tree.Number && n.Text != "1" {
		l.unknownVersion(n, FormatVersion)
	}
	l.checkHub(l.root.Get("hub"))
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

func (l *loader) hint(text string) { l.faults[len(l.faults)-1].Hint = text }

// owner is the entry of a device, for faults about the device as a whole.
func (l *loader) owner(section, id string) *tree.Entry { return l.root.Get(section).Entry(id) }

func (l *loader) checkPlugin(id string, n *tree.Node) {
	if n.Kind != tree.Map {
		return
	}
	path := "plugins." + id
	builtin, file := n.Get("builtin"), n.Get("path")
	later := n.Get("source").IsSet() || n.Get("version").IsSet()
	switch {
	case builtin.IsSet() && file.IsSet():
		l.errorAt(n.Entry("path").Pos, 4, path, "E-CFG-CONFLICT", "%s has both builtin and path; keep one", path)
	case !builtin.IsSet() && !file.IsSet() && later:
		l.drop = append(l.drop, path) // warned about by its key
	case !builtin.IsSet() && !file.IsSet() && slices.Contains(laterPlugins(), id) && !slices.Contains(l.opts.Builtins, id):
		l.laterPlugin(l.owner("plugins", id).Pos, utf8.RuneCountInString(id), path, id)
	case !builtin.IsSet() && !file.IsSet() && !slices.Contains(l.opts.Builtins, id):
		e := l.owner("plugins", id)
		l.errorAt(e.Pos, utf8.RuneCountInString(id), path, "E-CFG-MISSING", "%s says neither builtin nor path", path)
		l.faults[len(l.faults)-1].Suggestion = schema.Nearest(id, l.opts.Builtins)
	case builtin.IsText() && !slices.Contains(l.opts.Builtins, builtin.Text):
		if slices.Contains(laterPlugins(), builtin.Text) {
			l.laterPlugin(builtin.Pos, builtin.Width(), path, builtin.Text)
			break
		}
		l.unknownName(builtin, tree.Join(path, "builtin"), fmt.Sprintf("%s.builtin: no bundled plugin is called", path), l.opts.Builtins)
	}
	l.checkLimits(path, n)
	name := id
	if builtin.IsText() {
		name = builtin.Text
	}
	if own, ok := l.schemaOf(id, name); ok {
		l.checkRaw(n.Entry("config"), tree.Join(path, "config"), own.Config, id)
	}
}

func (l *loader) laterPlugin(p Position, width int, path, name string) {
	l.errorAt(p, width, path, "E-CFG-NOT-YET", "%s: the plugin %s is not part of this version yet; the entry is ignored", path, name)
	l.faults[len(l.faults)-1].Warning = true
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
func (l *loader) checkRaw(e *tree.Entry, path string, raw []byte, plugin string) {
	if e == nil || e.Value.Kind != tree.Map {
		return // the form is checked elsewhere
	}
	l.checkTree(e.Value, path, raw, plugin, e.Pos)
}

// compile makes a checker of a plugin's schema once for all entries that it is for.
func (l *loader) compile(plugin string, raw []byte) (*schema.Schema, error) {
	key := plugin + "\n" + string(raw)
	if c, done := l.compiled[key]; done {
		return c.schema, c.err
	}
	s, err := schema.Compile(plugin, raw, formats())
	if l.compiled == nil {
		l.compiled = map[string]compiled{}
	}
	l.compiled[key] = compiled{s, err}
	return s, err
}

func (l *loader) checkTree(n *tree.Node, path string, raw []byte, plugin string, at Position) {
	if len(raw) == 0 {
		raw = []byte(`{"additionalProperties": false}`)
	}
	s, err := l.compile(plugin, raw)
	if err != nil {
		l.errorAt(at, 1, path, "E-CFG-PLUGIN-SCHEMA", "%s cannot be checked: the schema of plugin %s is broken", path, plugin)
		l.faults[len(l.faults)-1].Warning = true
		return
	}
	l.check(s, n, path)
}

// bounds of durations, by the place in an entry.
type bound struct {
	path     []string
	min, max time.Duration
}

func (l *loader) checkBounds(base string, n *tree.Node, bounds []bound) {
	for _, b := range bounds {
		v := n.Get(b.path...)
		if !v.IsText() {
			continue
		}
		path := tree.Join(base, strings.Join(b.path, "."))
		if d, err := unit.ParseDuration(v.Text); err == nil && (d.Std() < b.min || d.Std() > b.max) {
			l.errorAt(v.Pos, v.Width(), path, "E-CFG-VALUE", "%s: %s is not within %s and %s", path, tree.Clip(v.Text), unit.Duration(b.min), unit.Duration(b.max))
		}
	}
}

func (l *loader) checkLimits(base string, n *tree.Node) {
	const day = 24 * time.Hour
	l.checkBounds(base, n, []bound{
		{[]string{"limits", "restart", "per"}, time.Second, 7 * day},
		{[]string{"limits", "restart", "first"}, time.Millisecond, time.Hour},
		{[]string{"limits", "restart", "longest"}, time.Millisecond, day},
		{[]string{"limits", "health", "every"}, 10 * time.Millisecond, time.Hour},
	})
	if m := n.Get("limits", "memory"); m.IsText() {
		if size, err := unit.ParseByteSize(m.Text); err == nil && size < 8*unit.MiB {
			l.errorAt(m.Pos, m.Width(), base+".limits.memory", "E-CFG-VALUE", "%s.limits.memory: %s is below 8MiB, and nothing would start", base, tree.Clip(m.Text))
		}
	}
	first, longest := n.Get("limits", "restart", "first"), n.Get("limits", "restart", "longest")
	if first.IsText() && longest.IsText() {
		a, errA := unit.ParseDuration(first.Text)
		b, errB := unit.ParseDuration(longest.Text)
		if errA == nil && errB == nil && a > b {
			l.errorAt(longest.Pos, longest.Width(), base+".limits.restart.longest", "E-CFG-VALUE",
				"%s.limits.restart.longest: %s is shorter than first (%s)", base, tree.Clip(longest.Text), a)
		}
	}
}

func (l *loader) checkCamera(id string, n *tree.Node, plugins map[string]*tree.Node) {
	if n.Kind != tree.Map {
		return
	}
	path := "cameras." + id
	l.checkBounds(path, n, []bound{
		{[]string{"ring", "debounce"}, 0, time.Hour},
		{[]string{"ring", "ignore_older_than"}, time.Second, time.Hour},
	})
	if main, sub := n.Get("streams", "main"), n.Get("streams", "sub"); main.IsText() && sub.IsText() && main.Text == "off" && sub.Text == "off" {
		l.errorAt(sub.Pos, sub.Width(), path+".streams", "E-CFG-CONFLICT", "%s.streams: with main and sub both off there is no picture", path)
	}
	plugin, source := n.Get("plugin"), n.Entry("source")
	name := l.cameraPlugin(n)
	switch {
	case plugin.IsText():
		if !l.checkPluginName(plugin, path, plugins) {
			return
		}
	case plugin.IsSet():
		return // the schema tells that it is no text
	case name != "" && source != nil:
		if _, there := plugins[name]; !there && !slices.Contains(l.opts.Builtins, name) {
			l.noPlugin(source, path)
			return
		}
	case source != nil && source.Value.IsSet():
		l.noPlugin(source, path)
		return
	}
	own, ok := l.schemaOf(name, builtinOf(plugins[name], name))
	if ok && plugin.IsSet() && !own.Serves("camera") {
		l.errorAt(plugin.Pos, plugin.Width(), path+".plugin", "E-CFG-VALUE", "%s: the plugin %s has no cameras", path, name)
		return
	}
	if ok && source != nil && name != "" {
		l.checkRaw(source, tree.Join(path, "source"), own.Device, name)
	}
}

func (l *loader) noPlugin(source *tree.Entry, path string) {
	l.errorAt(source.Pos, len("source"), path, "E-CFG-MISSING", "%s has a source and no plugin to read it", path)
	l.hint("write plugin: and the name of an entry of plugins, or in source the url of an RTSP stream")
}

// builtinOf is the bundled plugin that an entry runs, by default its own name.
func builtinOf(entry *tree.Node, name string) string {
	if b := entry.Get("builtin"); b.IsText() {
		return b.Text
	}
	return name
}

func (l *loader) checkPluginName(name *tree.Node, path string, plugins map[string]*tree.Node) bool {
	if _, there := plugins[name.Text]; there || slices.Contains(l.opts.Builtins, name.Text) {
		return true
	}
	if slices.Contains(laterPlugins(), name.Text) {
		l.laterPlugin(name.Pos, name.Width(), path, name.Text)
		return false
	}
	have := append(IDs(plugins), l.opts.Builtins...)
	l.unknownName(name, tree.Join(path, "plugin"), path+": unknown plugin", have)
	return false
}

func (l *loader) unknownName(n *tree.Node, path, says string, have []string) {
	slices.Sort(have)
	have = slices.Compact(have)
	l.errorAt(n.Pos, n.Width(), path, "E-CFG-UNKNOWN-PLUGIN", "%s %q (have: %s)", says, tree.Clip(n.Text), strings.Join(have, ", "))
	l.faults[len(l.faults)-1].Suggestion = schema.Nearest(n.Text, have)
}

func (l *loader) checkChime(id string, n *tree.Node, plugins map[string]*tree.Node) {
	if n.Kind != tree.Map {
		return
	}
	path := "chimes." + id
	builtin, plugin := n.Get("builtin"), n.Get("plugin")
	switch {
	case builtin.IsSet() && plugin.IsSet():
		l.errorAt(n.Entry("plugin").Pos, len("plugin"), path, "E-CFG-CONFLICT", "%s has both builtin and plugin; keep one", path)
	case builtin.IsText() && builtin.Text == Webhook:
		l.checkPluginChime(builtin, n, path, plugins)
	case builtin.IsSet():
		l.refuseExtra(n, path)
	case plugin.IsText():
		l.checkPluginChime(plugin, n, path, plugins)
	case !plugin.IsSet():
		e := l.owner("chimes", id)
		l.errorAt(e.Pos, utf8.RuneCountInString(id), path, "E-CFG-MISSING", "%s says neither builtin nor plugin", path)
		l.hint("write builtin: browser, or plugin: and a plugin's name")
		l.refuseNear(n, path)
	}
}

// checkPluginChime holds a chime against the plugin that name names.
func (l *loader) checkPluginChime(name, n *tree.Node, path string, plugins map[string]*tree.Node) {
	if l.checkPluginName(name, path, plugins) {
		own, ok := l.schemaOf(name.Text, builtinOf(plugins[name.Text], name.Text))
		if ok && !own.Serves("chime") {
			l.errorAt(name.Pos, name.Width(), path+".plugin", "E-CFG-VALUE", "%s: the plugin %s has no chimes", path, name.Text)
			return
		}
		if ok {
			l.checkChimeKeys(n, path, own.Device, name.Text)
			return
		}
	}
	l.refuseNear(n, path)
}

// refuseExtra: a built-in chime has no keys of its own.
func (l *loader) refuseExtra(n *tree.Node, path string) {
	for i := range n.Entries {
		if !l.ownChimeKey(n.Entries[i].Key) {
			l.faults = append(l.faults, schema.Unknown(&n.Entries[i], path, l.own.Keys("chimes", "x")))
		}
	}
}

// refuseNear: where nobody says which keys a plugin takes, only a likely typing
// error is refused.
func (l *loader) refuseNear(n *tree.Node, path string) {
	known := l.own.Keys("chimes", "x")
	for i := range n.Entries {
		if key := n.Entries[i].Key; !l.ownChimeKey(key) && schema.Nearest(key, known) != "" {
			l.faults = append(l.faults, schema.Unknown(&n.Entries[i], path, known))
		}
	}
}

// checkChimeKeys holds a chime's keys against its plugin's device schema: the
// plugin's own, and of sound, device and volume those that the schema names.
func (l *loader) checkChimeKeys(n *tree.Node, path string, raw []byte, plugin string) {
	if len(raw) == 0 {
		l.refuseExtra(n, path)
		return
	}
	s, err := l.compile(plugin, raw)
	if err != nil {
		l.checkTree(n, path, raw, plugin, n.Pos)
		return
	}
	named := s.Keys()
	known := append(l.own.Keys("chimes", "x"), named...)
	part := n.Without(func(key string) bool {
		return l.ownChimeKey(key) && (slices.Contains(Chime{}.ownKeys(), key) || !slices.Contains(named, key))
	})
	before := len(l.faults)
	l.check(s, part, path)
	for i := before; i < len(l.faults); i++ {
		if f := &l.faults[i]; f.Code == "E-CFG-UNKNOWN-KEY" {
			key := f.Path[strings.LastIndex(f.Path, ".")+1:]
			if f.Suggestion = schema.Nearest(key, known); f.Suggestion != "" {
				f.Hint = ""
			}
		}
	}
}
