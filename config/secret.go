package config

import (
	"log/slog"
	"slices"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Secret is text that no log, error or page shows. Reveal gives it in clear.
type Secret string

// Reveal gives the text in clear.
func (s Secret) Reveal() string { return string(s) }

func (Secret) String() string               { return tree.Mask }
func (Secret) GoString() string             { return tree.Mask }
func (Secret) LogValue() slog.Value         { return slog.StringValue(tree.Mask) }
func (Secret) MarshalText() ([]byte, error) { return []byte(tree.Mask), nil }

// Secrets lists the values that must be shown nowhere, for who masks what others say:
// a plugin is given its own in clear, and may log them.
func (c *Config) Secrets() []string {
	var out []string
	take := func(r Raw) {
		if r.node != nil {
			out = append(out, r.node.Secrets()...)
		}
	}
	for _, p := range c.Plugins {
		take(p.Config)
	}
	for _, x := range c.Cameras {
		take(x.Source)
	}
	for _, x := range c.Chimes {
		take(x.Extra)
	}
	if c.set != nil {
		out = append(out, c.set.SecretValues()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
