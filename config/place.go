package config

import (
	"github.com/porchlight-hub/porchlight/config/tree"
	"github.com/porchlight-hub/porchlight/config/unit"
)

// Position is a place in a file, or a flag or variable where Line is 0.
type Position = tree.Position

// Values that are written with their unit.
type (
	Duration = unit.Duration
	ByteSize = unit.ByteSize
	Percent  = unit.Percent
)

// ParseDuration reads a length of time with its unit, as 1h30m or 30d.
func ParseDuration(s string) (Duration, error) { return unit.ParseDuration(s) }

// ParseByteSize reads a size with its unit, as 128MiB.
func ParseByteSize(s string) (ByteSize, error) { return unit.ParseByteSize(s) }
