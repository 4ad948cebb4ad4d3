package unit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// ByteSize is a number of bytes that is written with its unit: 512KiB, 128MiB,
// 50GiB, or with the decimal units kB, MB, GB, TB.
type ByteSize int64

// Binary units, in bytes.
const (
	KiB = 1 << 10
	MiB = 1 << 20
	GiB = 1 << 30
	TiB = 1 << 40
)

// ParseByteSize reads a size with its unit.
func ParseByteSize(s string) (ByteSize, error) {
	n := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if n < 0 && s != "" {
		return 0, fmt.Errorf("needs a unit: write %sMiB, not %s", s, s)
	}
	if n <= 0 {
		return 0, fmt.Errorf("%q is not a size: write for example 128MiB or 5GB", s)
	}
	v, err := strconv.ParseFloat(s[:n], 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a size: write for example 128MiB or 5GB", s)
	}
	var unit float64
	switch s[n:] {
	case "B":
		unit = 1
	case "kB", "KB":
		unit = 1e3
	case "MB":
		unit = 1e6
	case "GB":
		unit = 1e9
	case "TB":
		unit = 1e12
	case "KiB":
		unit = KiB
	case "MiB":
		unit = MiB
	case "GiB":
		unit = GiB
	case "TiB":
		unit = TiB
	default:
		return 0, fmt.Errorf("%q is not a size: units are B, KiB, MiB, GiB, TiB, kB, MB, GB and TB", s)
	}
	if v*unit > 1024*TiB {
		return 0, fmt.Errorf("%q is more than 1024TiB", s)
	}
	return ByteSize(v * unit), nil
}

// String writes the largest unit that leaves no rest.
func (b ByteSize) String() string {
	for _, u := range []struct {
		unit int64
		name string
	}{{TiB, "TiB"}, {GiB, "GiB"}, {MiB, "MiB"}, {KiB, "KiB"}} {
		if int64(b) >= u.unit && int64(b)%u.unit == 0 {
			return strconv.FormatInt(int64(b)/u.unit, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}

// MarshalJSON writes the text form.
func (b ByteSize) MarshalJSON() ([]byte, error) { return json.Marshal(b.String()) }

// UnmarshalJSON reads the text form.
func (b *ByteSize) UnmarshalJSON(j []byte) error {
	var s string
	if err := json.Unmarshal(j, &s); err != nil {
		return err
	}
	v, err := ParseByteSize(s)
	if err == nil {
		*b = v
	}
	return err
}
