package config

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
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
	return io.ReadAll(io.LimitReader(f, tree.MaxFile+1))
}

// DataDir is hub.data_dir of a file that may be broken, as well as it can be
// told: the last good configuration lies there.
func DataDir(path string, opts Options) string {
	l := &loader{opts: opts, file: path, own: ownSchema(), root: &tree.Node{Kind: tree.Map}}
	if src, err := readFile(path); err == nil {
		normal, _ := tree.Normal(path, src)
		if root, _ := tree.Read(path, normal); root != nil && root.Kind == tree.Map {
			l.root = root
		} else if m := dataDirLine.FindStringSubmatch(normal); m != nil {
			l.root.Put([]string{"hub", "data_dir"}, &tree.Node{Kind: tree.Text, Text: m[1], Pos: Position{File: path, Line: 1}})
		}
	}
	l.override()
	if n := l.root.Get("hub", "data_dir"); n.IsText() && n.Text != "" {
		return l.resolve(n.Text, n)
	}
	return l.resolve(defaultHub().DataDir, nil)
}

// dataDirLine finds the key in text that is not YAML.
var dataDirLine = regexp.MustCompile(`(?m)^[ \t]+data_dir:[ \t]+["']?([^"'#\s]+)`)

// Parse checks the bytes of a file. name is shown in problems, and relative
// paths in the file start at its folder.
func Parse(name string, src []byte, opts Options) (*Config, []Problem) {
	return parseWith(ownSchema(), name, src, opts)
}

func ownSchema() *schema.Schema {
	own, err := schema.Compile("porchlight.yaml", Schema(), formats())
	if err != nil {
		panic("config: own schema: " + err.Error()) // cannot happen: every test compiles it
	}
	return own
}

// loader is one run over one file.
type loader struct {
	opts   Options
	file   string
	own    *schema.Schema
	root   *tree.Node
	faults []tree.Fault
	later  []string // paths of blocks that are ignored
	drop   []string // paths of entries that this version leaves out
}

func parseWith(own *schema.Schema, name string, src []byte, opts Options) (*Config, []Problem) {
	l := &loader{opts: opts, file: name, own: own}
	normal, faults := tree.Normal(name, src)
	if l.faults = faults; len(faults) > 0 {
		return nil, l.finish(normal)
	}
	if l.root, l.faults = tree.Read(name, normal); l.root == nil {
		return nil, l.finish(normal)
	}
	if l.root.Kind != tree.Map {
		l.errorAt(l.root.Pos, 1, "", "E-CFG-TYPE", "the file must be a block of keys such as version: 1, not %s", l.root.Kind)
		l.root.Hide(true)
		return nil, l.finish(normal)
	}
	l.root.HideSecrets()
	l.override()
	l.check(own, l.root, "")
	l.checkMeaning()
	l.warnLater()
	problems := l.finish(normal)
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
	f := tree.At(p, width, code, format, args...)
	f.Path = path
	l.faults = append(l.faults, f)
}

func (l *loader) warnAt(e *tree.Entry, path, code, format string, args ...any) {
	l.errorAt(e.Pos, len(e.Key), path, code, format, args...)
	l.faults[len(l.faults)-1].Warning = true
}

// check holds a part against a schema. base is where the part lies in the whole.
func (l *loader) check(s *schema.Schema, part *tree.Node, base string) {
	l.faults = append(l.faults, s.Check(part, base)...)
}

// finish orders the problems by place and adds their excerpts.
func (l *loader) finish(normal string) []Problem {
	page := tree.NewPage(normal, l.root, l.known)
	slices.SortStableFunc(l.faults, func(a, b tree.Fault) int {
		return cmp.Or(a.Pos.Line-b.Pos.Line, a.Pos.Column-b.Pos.Column, cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Message, b.Message))
	})
	var out []Problem
	for _, f := range l.faults {
		if len(out) == maxProblems {
			break
		}
		p := Problem{
			File: f.Pos.File, Line: f.Pos.Line, Column: f.Pos.Column, Severity: Error, Code: f.Code, Message: tree.Visible(f.Message),
			Suggestion: tree.Visible(f.Suggestion), Hint: tree.Visible(f.Hint), Path: tree.Visible(f.Path),
		}
		if f.Warning {
			p.Severity = Warning
		}
		if p.File == l.file {
			p.Excerpt = page.Excerpt(f.Pos, f.Width)
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// known tells whether the format has such a key anywhere.
func (l *loader) known(key string) bool {
	for _, path := range [][]string{
		nil, {"hub"}, {"hub", "log"}, {"hub", "metrics"}, {"cameras", "x"}, {"cameras", "x", "ring"}, {"chimes", "x"},
		{"plugins", "x"}, {"plugins", "x", "limits"}, {"plugins", "x", "limits", "restart"}, {"plugins", "x", "limits", "health"},
	} {
		if slices.Contains(l.own.Keys(path...), key) {
			return true
		}
	}
	return false
}

// override lays flags and variables over the hub section, so that every later
// check sees and names them.
func (l *loader) override() {
	for _, o := range l.opts.Overrides {
		pos := Position{File: o.From}
		if !slices.Contains(HubKeys(), o.Key) {
			l.errorAt(pos, 1, "hub."+o.Key, "E-CFG-UNKNOWN-KEY", "hub.%s cannot be set here", tree.Clip(o.Key))
			l.faults[len(l.faults)-1].Suggestion = schema.Nearest(o.Key, HubKeys())
			continue
		}
		path := append([]string{"hub"}, strings.Split(o.Key, ".")...)
		value := &tree.Node{Kind: tree.Text, Text: o.Value, Pos: pos}
		switch {
		case l.own.Allows("boolean", path...) && (o.Value == "true" || o.Value == "false"):
			value.Kind = tree.Bool
		case l.own.Allows("array", path...):
			value.Kind, value.Text = tree.List, ""
			for v := range strings.SplitSeq(o.Value, ",") {
				if v = strings.TrimSpace(v); v != "" {
					value.Items = append(value.Items, &tree.Node{Kind: tree.Text, Text: v, Pos: pos})
				}
			}
		}
		l.root.Put(path, value)
	}
}

// decode fills the types; defaults stand where nothing was written.
func (l *loader) decode() (*Config, error) {
	c := &Config{
		Version: FormatVersion, Hub: defaultHub(), file: l.file, places: map[string]Position{},
		Plugins: map[string]Plugin{}, Cameras: map[string]Camera{}, Chimes: map[string]Chime{},
	}
	note(c.places, "", l.root)
	if n := l.root.Get("hub"); n.IsSet() {
		if err := n.Into(&c.Hub); err != nil {
			return nil, fmt.Errorf("hub: %w", err)
		}
	}
	for id, n := range l.entries("plugins") {
		p := defaultPlugin()
		if err := n.Without(isRaw).Into(&p); err != nil {
			return nil, fmt.Errorf("plugins.%s: %w", id, err)
		}
		p.Permissions, p.Config = Raw{n.Get("permissions")}, Raw{n.Get("config")}
		if p.Builtin == "" && p.Path == "" && slices.Contains(l.opts.Builtins, id) {
			p.Builtin = id
		}
		if slices.Contains(l.drop, "plugins."+id) {
			p.Disabled = true
		}
		if p.Path != "" {
			p.Path = l.resolve(p.Path, n.Get("path"))
		}
		c.Plugins[id] = p
	}
	for id, n := range l.entries("cameras") {
		if slices.Contains(l.drop, "cameras."+id) {
			continue
		}
		cam := defaultCamera(id, !n.Get("plugin").IsSet())
		if err := n.Without(isRaw).Into(&cam); err != nil {
			return nil, fmt.Errorf("cameras.%s: %w", id, err)
		}
		cam.Source = Raw{n.Get("source")}
		c.Cameras[id] = cam
		c.imply(cam.Plugin)
	}
	for id, n := range l.entries("chimes") {
		if slices.Contains(l.drop, "chimes."+id) {
			continue
		}
		ch := defaultChime(id)
		if err := n.Into(&ch); err != nil {
			return nil, fmt.Errorf("chimes.%s: %w", id, err)
		}
		if extra := n.Without(l.ownChimeKey); len(extra.Entries) > 0 {
			ch.Extra = Raw{extra}
		}
		c.Chimes[id] = ch
		c.imply(ch.Plugin)
	}
	c.Hub.DataDir = l.resolve(c.Hub.DataDir, l.root.Get("hub", "data_dir"))
	for i, p := range c.Hub.PluginPath {
		c.Hub.PluginPath[i] = l.resolve(p, l.root.Get("hub", "plugin_path"))
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
	return slices.Contains(l.own.Keys("chimes", "x"), key)
}

// entries yields the entries of a section that are blocks or empty.
func (l *loader) entries(section string) map[string]*tree.Node {
	out := map[string]*tree.Node{}
	if s := l.root.Get(section); s != nil {
		for _, e := range s.Entries {
			n := e.Value
			if n.Kind == tree.Null {
				n = &tree.Node{Kind: tree.Map, Pos: e.Pos}
			}
			out[e.Key] = n
		}
	}
	return out
}

// resolve makes a path absolute: from the file's folder, or from the working
// folder if a flag or variable gave it.
func (l *loader) resolve(path string, from *tree.Node) string {
	if !filepath.IsAbs(path) && (from == nil || from.Pos.Line > 0) {
		path = filepath.Join(filepath.Dir(l.file), path)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path // no working folder: the path stays as it is, and its use will tell
	}
	return abs
}

func note(places map[string]Position, path string, n *tree.Node) {
	for _, e := range n.Entries {
		if e.Value.Kind == tree.Null {
			continue
		}
		p := tree.Join(path, e.Key)
		places[p] = e.Pos
		note(places, p, e.Value)
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
