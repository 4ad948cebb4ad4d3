package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxProblems ends a list that nobody would read to its end.
const maxProblems = 200

// Options is what the reader cannot know by itself.
type Options struct {
	// Builtins are the bundled plugins of this binary.
	Builtins []string
	// Schemas are the plugins' own JSON schemas, by entry or by bundled name. A
	// plugin that is missing here is not checked.
	Schemas map[string]PluginSchema
	// Overrides replace keys of the hub section, the later ones first in rank.
	Overrides []Override
}

// PluginSchema is what a plugin says of its settings. An empty one means that
// it takes none.
type PluginSchema struct {
	Config json.RawMessage // of plugins.<name>.config
	Device json.RawMessage // of cameras.<id>.source, and of a chime's own keys
}

// Override is one key of the hub section given by a flag or a variable.
type Override struct {
	Key   string // as "listen" or "log.level"; see HubKeys
	Value string // lists are separated by commas
	From  string // as "--listen" or "PORCHLIGHT_LISTEN", shown as the place
}

// HubKeys are the keys of the hub section that an Override may name.
func HubKeys() []string {
	return []string{
		"name", "listen", "insecure", "public_url", "timezone", "language", "data_dir", "plugin_path",
		"log.level", "log.format", "metrics.enabled", "metrics.allow",
	}
}

// Load reads and checks a file. The Config is nil if there is any error; all
// problems are told at once, in the order of the file.
func Load(path string, opts Options) (*Config, []Problem) {
	src, err := readFile(path)
	if err != nil {
		cause := err
		var pe *fs.PathError
		if errors.As(err, &pe) {
			cause = pe.Err
		}
		return nil, []Problem{{
			File: path, Severity: Error, Code: "E-CFG-READ", Message: fmt.Sprintf("the file cannot be read: %v", cause),
			Hint: "check the path and who may read it",
		}}
	}
	return Parse(path, src, opts)
}

// readFile reads at most one byte more than the limit.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// Parse checks the bytes of a file. name is shown in problems, and relative
// paths in the file start at its folder.
func Parse(name string, src []byte, opts Options) (*Config, []Problem) {
	own, err := compile("porchlight.yaml", Schema())
	if err != nil {
		panic("config: own schema: " + err.Error()) // cannot happen: every test compiles it
	}
	return parseWith(own, name, src, opts)
}

// loader is one run over one file.
type loader struct {
	opts   Options
	file   string
	own    *jsonschema.Schema
	root   *node
	faults []fault
	later  []string // paths of blocks that are ignored
	drop   []string // paths of entries that this version leaves out
}

func parseWith(own *jsonschema.Schema, name string, src []byte, opts Options) (*Config, []Problem) {
	l := &loader{opts: opts, file: name, own: own}
	normal, faults := text(name, src)
	lines := strings.Split(normal, "\n")
	if l.faults = faults; len(faults) > 0 {
		return nil, l.finish(lines)
	}
	if l.root, l.faults = read(name, normal); l.root == nil {
		return nil, l.finish(lines)
	}
	if l.root.kind != kindMap {
		l.errorAt(l.root.pos, 1, "", "E-CFG-TYPE", "the file must be a block of keys such as version: 1, not %s", l.root.kind)
		l.root.hide(true)
		return nil, l.finish(lines)
	}
	l.root.hideSecrets()
	l.override()
	l.checkSchema(own, l.root, "")
	l.checkMeaning()
	l.warnLater()
	problems := l.finish(lines)
	if n, _ := Count(problems); n > 0 {
		return nil, problems
	}
	c, err := l.decode()
	if err != nil {
		return nil, append(problems, Problem{File: name, Severity: Error, Code: "E-CFG-VALUE", Message: err.Error()})
	}
	c.source = slices.Clone(src)
	return c, problems
}

func (l *loader) errorAt(p Position, width int, path, code, format string, args ...any) {
	f := faultAt(p, width, code, format, args...)
	f.Path = path
	l.faults = append(l.faults, f)
}

func (l *loader) warnAt(e *entry, path, code, format string, args ...any) {
	l.errorAt(e.pos, len(e.key), path, code, format, args...)
	l.faults[len(l.faults)-1].Severity = Warning
}

// finish orders the problems by place and adds their excerpts.
func (l *loader) finish(lines []string) []Problem {
	var words []span
	if l.root != nil {
		words = spans(l.root)
	}
	known := map[string]bool{}
	for _, path := range [][]string{nil, {"hub"}, {"hub", "log"}, {"hub", "metrics"}, {"plugins", "x"}, {"cameras", "x"}, {"cameras", "x", "ring"}, {"chimes", "x"}} {
		for _, k := range keysAt(l.own, path) {
			known[k] = true
		}
	}
	slices.SortStableFunc(l.faults, func(a, b fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	out := make([]Problem, 0, min(len(l.faults), maxProblems))
	for i := range l.faults {
		if len(out) == maxProblems {
			break
		}
		f := &l.faults[i]
		if f.File == l.file {
			f.excerpt(lines, words, known)
		}
		if !slices.Contains(out, f.Problem) {
			out = append(out, f.Problem)
		}
	}
	return out
}

// override lays flags and variables over the hub section, so that every later
// check sees and names them.
func (l *loader) override() {
	for _, o := range l.opts.Overrides {
		pos := Position{File: o.From}
		if !slices.Contains(HubKeys(), o.Key) {
			l.errorAt(pos, 1, "hub."+o.Key, "E-CFG-UNKNOWN-KEY", "hub.%s cannot be set here", clip(o.Key))
			l.faults[len(l.faults)-1].Suggestion = nearest(o.Key, HubKeys())
			continue
		}
		path := append([]string{"hub"}, strings.Split(o.Key, ".")...)
		value := &node{kind: kindText, text: o.Value, pos: pos}
		for _, s := range schemasAt(l.own, path, 0) {
			if s.Types == nil {
				continue
			}
			switch types := s.Types.ToStrings(); {
			case slices.Contains(types, "boolean") && (o.Value == "true" || o.Value == "false"):
				value.kind = kindBool
			case slices.Contains(types, "array"):
				value.kind, value.text = kindList, ""
				for v := range strings.SplitSeq(o.Value, ",") {
					if v = strings.TrimSpace(v); v != "" {
						value.items = append(value.items, &node{kind: kindText, text: v, pos: pos})
					}
				}
			}
		}
		l.root.put(path, value)
	}
}

// put sets a value, making blocks on the way.
func (n *node) put(path []string, value *node) {
	e := n.entry(path[0])
	if e == nil || e.value.kind == kindNull {
		fresh := entry{key: path[0], pos: value.pos, value: &node{kind: kindMap, pos: value.pos}}
		if e == nil {
			n.entries = append(n.entries, fresh)
			e = &n.entries[len(n.entries)-1]
		} else {
			*e = fresh
		}
	}
	if len(path) == 1 {
		e.pos, e.value = value.pos, value
		return
	}
	if e.value.kind == kindMap {
		e.value.put(path[1:], value)
	}
}

// decode fills the types; defaults stand where nothing was written.
func (l *loader) decode() (*Config, error) {
	c := &Config{
		Version: FormatVersion, Hub: defaultHub(), file: l.file, places: map[string]Position{},
		Plugins: map[string]Plugin{}, Cameras: map[string]Camera{}, Chimes: map[string]Chime{},
	}
	note(c.places, "", l.root)
	if n := l.root.get("hub"); n.isSet() {
		if err := n.into(&c.Hub); err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
	}
	for id, n := range l.entries("plugins") {
		p := defaultPlugin()
		if err := n.without(isRaw).into(&p); err != nil {
			return nil, fmt.Errorf("plugins.%s: %w", id, err)
		}
		p.Permissions, p.Config = Raw{n.get("permissions")}, Raw{n.get("config")}
		if p.Builtin == "" && p.Path == "" && slices.Contains(l.opts.Builtins, id) {
			p.Builtin = id
		}
		if slices.Contains(l.drop, "plugins."+id) {
			p.Disabled = true
		}
		if p.Path != "" {
			p.Path = l.resolve(p.Path, n.get("path"))
		}
		c.Plugins[id] = p
	}
	for id, n := range l.entries("cameras") {
		if slices.Contains(l.drop, "cameras."+id) {
			continue
		}
		cam := defaultCamera(id, !n.get("plugin").isSet())
		if err := n.without(isRaw).into(&cam); err != nil {
			return nil, fmt.Errorf("cameras.%s: %w", id, err)
		}
		cam.Source = Raw{n.get("source")}
		c.Cameras[id] = cam
		c.imply(cam.Plugin)
	}
	for id, n := range l.entries("chimes") {
		if slices.Contains(l.drop, "chimes."+id) {
			continue
		}
		ch := defaultChime(id)
		if err := n.into(&ch); err != nil {
			return nil, fmt.Errorf("chimes.%s: %w", id, err)
		}
		ch.Extra = Raw{n.without(l.ownChimeKey)}
		c.Chimes[id] = ch
		c.imply(ch.Plugin)
	}
	c.Hub.DataDir = l.resolve(c.Hub.DataDir, l.root.get("hub", "data_dir"))
	for i, p := range c.Hub.PluginPath {
		c.Hub.PluginPath[i] = l.resolve(p, l.root.get("hub", "plugin_path"))
	}
	return c, nil
}

// imply adds the entry of a bundled plugin that a device names.
func (c *Config) imply(plugin string) {
	if _, there := c.Plugins[plugin]; plugin == "" || there {
		return
	}
	p := defaultPlugin()
	p.Builtin = plugin
	c.Plugins[plugin] = p
}

func isRaw(key string) bool { return key == "config" || key == "permissions" || key == "source" }

func (l *loader) ownChimeKey(key string) bool {
	return slices.Contains(keysAt(l.own, []string{"chimes", "x"}), key)
}

// entries yields the entries of a section that are blocks or empty.
func (l *loader) entries(section string) map[string]*node {
	out := map[string]*node{}
	if s := l.root.get(section); s != nil {
		for _, e := range s.entries {
			n := e.value
			if n.kind == kindNull {
				n = &node{kind: kindMap, pos: e.pos}
			}
			out[e.key] = n
		}
	}
	return out
}

// into decodes a checked tree over the defaults in v.
func (n *node) into(v any) error {
	b, err := json.Marshal(n.plain())
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}

// resolve makes a path absolute in meaning: from the file's folder, or from the
// working folder if a flag or variable gave it.
func (l *loader) resolve(path string, from *node) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	if from != nil && from.pos.Line == 0 && from.pos.File != "" {
		return filepath.Clean(path)
	}
	return filepath.Join(filepath.Dir(l.file), path)
}

func note(places map[string]Position, path string, n *node) {
	for _, e := range n.entries {
		if e.value.kind == kindNull {
			continue
		}
		p := join(path, e.key)
		places[p] = e.pos
		note(places, p, e.value)
	}
}

// LogValue gives what a log line needs of a configuration.
func (c *Config) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("file", c.file), slog.Int("plugins", len(c.Plugins)), slog.Int("cameras", len(c.Cameras)), slog.Int("chimes", len(c.Chimes)),
	)
}

// IDs lists the keys of a section in order.
func IDs[T any](section map[string]T) []string { return slices.Sorted(maps.Keys(section)) }
