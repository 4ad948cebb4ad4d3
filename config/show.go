package config

import (
	"strings"

	"github.com/porchlight-hub/porchlight/config/tree"
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

func (c *Config) yaml(comment func(string) string) []byte { return tree.Write(c.shown(), comment) }

// shown is the whole configuration as anybody may see it: secrets masked, references
// in the place of what they stand for.
func (c *Config) shown() *tree.Node {
	type bare Config
	n, err := tree.FromJSON(marshal((*bare)(c)))
	if err != nil {
		panic("config: own types do not read back: " + err.Error())
	}
	hideSecrets(n)
	for path, ref := range c.refs {
		if at := n.Get(strings.Split(path, ".")...); at != nil && !at.Branches() {
			at.Kind, at.Text, at.Ref = tree.Text, ref, ref
		}
	}
	return n.Masked()
}

// MarshalJSON gives what Effective shows.
func (c *Config) MarshalJSON() ([]byte, error) { return c.shown().MarshalJSON() }

// Defaults is every default of the format as YAML, with one entry a section.
func Defaults() []byte {
	p := defaultPlugin()
	p.Builtin = "id"
	cam, chime := defaultCamera("id", false), defaultChime("id")
	cam.Plugin, chime.Builtin = "id", "browser"
	c := &Config{
		Version: FormatVersion, Hub: defaultHub(), Plugins: map[string]Plugin{"id": p},
		Cameras: map[string]Camera{"id": cam}, Chimes: map[string]Chime{"id": chime},
	}
	return c.Effective()
}
