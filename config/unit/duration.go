package unit

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time that is written with its unit: 500ms, 3s, 10m,
// 2h, 30d, 1w, or several as 1h30m.
type Duration time.Duration

// maxDuration keeps sums of two durations within an int64 of nanoseconds.
const maxDuration = 100 * 365 * 24 * time.Hour

// Std is the same length as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// ParseDuration reads a length of time with its unit.
func ParseDuration(s string) (Duration, error) {
	rest, sum := s, 0.0
	if s == "" {
		return 0, errors.New("a length of time is missing")
	}
	for rest != "" {
		n := strings.IndexFunc(rest, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		if n < 0 {
			return 0, fmt.Errorf("needs a unit: write %ss, not %s", rest, s)
		}
		v, err := strconv.ParseFloat(rest[:n], 64)
		if err != nil {
			return 0, fmt.Errorf("%q is not a length of time: write for example 3s, 10m or 30d", s)
		}
		rest = rest[n:]
		m := strings.IndexAny(rest, "0123456789.")
		if m < 0 {
			m = len(rest)
		}
		unit, ok := timeUnit(rest[:m])
		if !ok {
			return 0, fmt.Errorf("%q is not a length of time: units are ms, s, m, h, d and w", s)
		}
		rest = rest[m:]
		if sum += v * float64(unit); sum > float64(maxDuration) {
			return 0, fmt.Errorf("%q is longer than 100 years", s)
		}
	}
	return Duration(sum), nil
}

func timeUnit(s string) (time.Duration, bool) {
	switch s {
	case "ms":
		return time.Millisecond, true
	case "s":
		return time.Second, true
	case "m":
		return time.Minute, true
	case "h":
		return time.Hour, true
	case "d":
		return 24 * time.Hour, true
	case "w":
		return 7 * 24 * time.Hour, true
	}
	return 0, false
}

// String writes the largest unit that leaves no rest: 3s, 90s as 90s, 30d.
func (d Duration) String() string {
	t := time.Duration(d)
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if t >= u.unit && t%u.unit == 0 {
			return strconv.FormatInt(int64(t/u.unit), 10) + u.name
		}
	}
	if t == 0 {
		return "0s"
	}
	return strconv.FormatFloat(float64(t)/float64(time.Millisecond), 'f', -1, 64) + "ms"
}

// MarshalJSON writes the text form.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads the text form.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := ParseDuration(s)
	if err == nil {
		*d = v
	}
	return err
}

// Percent is a share of one core, written as 50%.
type Percent int

var (
	percent = regexp.MustCompile(`^[0-9]{1,4}%$`)
	digits  = regexp.MustCompile(`^[0-9]+$`)
)

// ParsePercent reads 1% to 6400%.
func ParsePercent(s string) (Percent, error) {
	if !percent.MatchString(s) {
		if digits.MatchString(s) {
			return 0, fmt.Errorf("needs a unit: write %s%%, not %s", s, s)
		}
		return 0, fmt.Errorf("%q is not a share: write for example 50%%", s)
	}
	v, _ := strconv.Atoi(strings.TrimSuffix(s, "%")) // four digits at most
	if v < 1 || v > 6400 {
		return 0, fmt.Errorf("%q is not within 1%% and 6400%%", s)
	}
	return Percent(v), nil
}

func (p Percent) String() string { return strconv.Itoa(int(p)) + "%" }

// MarshalJSON writes the text form.
func (p Percent) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }

// UnmarshalJSON reads the text form.
func (p *Percent) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := ParsePercent(s)
	if err == nil {
		*p = v
	}
	return err
}
