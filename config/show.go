package config

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// View is a way to show a configuration.
type View string

const (
	ViewEffective View = "effective" // everything, with defaults
	ViewDefaults  View = "defaults"  // every default of the format
	ViewSources   View = "sources"   // everything, and where each key was written
)

// Effective is the configuration in force as YAML: defaults filled in, bundled
// plugins that are only named elsewhere written out, secrets masked.
func (c *Config) Effective() []byte { return c.Show(ViewEffective) }

// Show gives the configuration as YAML in one of its views.
func (c *Config) Show(v View) []byte {
	switch v {
	case ViewDefaults:
		return Defaults()
	case ViewSources:
		return c.yaml(func(path string) string {
			if p := c.Place(path); p.File != "" {
				return p.String()
			}
			return "default"
		})
	}
	return c.yaml(nil)
}

func (c *Config) yaml(comment func(string) string) []byte {
	n, err := nodeFromJSON(marshal(c))
	if err != nil {
		panic("config: own types do not read back: " + err.Error())
	}
	n.hideSecrets()
	return writeYAML(n.masked(), comment)
}

// Defaults is every default of the format as YAML, with one entry a section.
func Defaults() []byte {
	p := defaultPlugin()
	p.Builtin = "id"
	c := &Config{
		Version: FormatVersion, Hub: defaultHub(),
		Plugins: map[string]Plugin{"id": p},
		Cameras: map[string]Camera{"id": defaultCamera("id", false)},
		Chimes:  map[string]Chime{"id": defaultChime("id")},
	}
	return c.Effective()
}

// writeYAML writes a tree in block form. comment, if given, ends each line that
// has a value of its own.
func writeYAML(n *node, comment func(path string) string) []byte {
	w := &yamlWriter{comment: comment}
	w.block(n, "", 0)
	return []byte(w.out.String())
}

type yamlWriter struct {
	out     strings.Builder
	comment func(path string) string
}

func (w *yamlWriter) block(n *node, path string, indent int) {
	for _, e := range n.entries {
		below := join(path, e.key)
		line := strings.Repeat("  ", indent) + scalar(e.key) + ":"
		switch {
		case e.value.kind == kindMap && len(e.value.entries) > 0:
			w.out.WriteString(line + "\n")
			w.block(e.value, below, indent+1)
			continue
		case e.value.kind == kindList && slices.ContainsFunc(e.value.items, (*node).branches):
			w.out.WriteString(line + "\n")
			w.list(e.value, below, indent+1)
			continue
		}
		w.line(line+" "+inline(e.value), below)
	}
}

func (n *node) branches() bool { return n.kind == kindMap || n.kind == kindList }

func (w *yamlWriter) list(n *node, path string, indent int) {
	for _, item := range n.items {
		lead := strings.Repeat("  ", indent) + "- "
		w.line(lead+inline(item), path)
	}
}

func (w *yamlWriter) line(s, path string) {
	w.out.WriteString(s)
	if w.comment != nil {
		fmt.Fprintf(&w.out, "%s# %s", strings.Repeat(" ", max(2, 48-utf8.RuneCountInString(s))), w.comment(path))
	}
	w.out.WriteString("\n")
}

// inline writes a value within one line; a JSON text is YAML too.
func inline(n *node) string {
	switch n.kind {
	case kindNull:
		return "null"
	case kindText:
		return scalar(n.text)
	case kindList:
		parts := make([]string, len(n.items))
		for i, item := range n.items {
			parts[i] = inline(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case kindMap:
		parts := make([]string, len(n.entries))
		for i, e := range n.entries {
			parts[i] = scalar(e.key) + ": " + inline(e.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return n.text
}

// scalar quotes text unless every YAML reader takes it as text.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
	default:
		if regexp.MustCompile(`^([A-Za-z]|\./)([A-Za-z0-9_./ +-]*[A-Za-z0-9_/])?$|^[0-9]+(ms|s|m|h|d|[KMGT]i?B|B|%)$|^[0-9]+(\.[0-9]+){3}([:/][0-9]+)?$`).MatchString(s) {
			return s
		}
	}
	b, _ := json.Marshal(s) // a string always marshals
	return string(b)
}
