package config

import (
	"log/slog"

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
