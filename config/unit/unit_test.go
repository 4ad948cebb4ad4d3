package unit

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/quick"
	"time"
)

func TestDuration(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"0s": 0, "500ms": 500 * time.Millisecond, "3s": 3 * time.Second, "1.5s": 1500 * time.Millisecond, "10m": 10 * time.Minute,
		"1h30m": 90 * time.Minute, "30d": 720 * time.Hour, "1w": 168 * time.Hour,
	} {
		if got, err := ParseDuration(in); err != nil || got.Std() != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for in, says := range map[string]string{
		"": "missing", "3": "needs a unit: write 3s, not 3", "1h30": "needs a unit", "s": "not a length", "3 s": "not a length", "-3s": "not a length",
		"3sec": "units are", "1.2.3s": "not a length", "101000d": "longer", "9999999999999999999999w": "longer", "1e3s": "units are",
	} {
		if got, err := ParseDuration(in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v %v, want %q", in, got, err, says)
		}
	}
}

func TestByteSize(t *testing.T) {
	for in, want := range map[string]ByteSize{
		"0B": 0, "1kB": 1000, "1KiB": 1024, "128MiB": 128 << 20, "1.5GiB": 3 << 29, "5GB": 5e9, "1TiB": 1 << 40, "2TB": 2e12,
	} {
		if got, err := ParseByteSize(in); err != nil || got != want {
			t.Errorf("%s: %v %v", in, got, err)
		}
	}
	for in, says := range map[string]string{
		"": "not a size", "128": "needs a unit: write 128MiB, not 128", "MiB": "not a size", "128 MiB": "units are", "128mib": "units are",
		"9999TiB": "more than", "1.2.3B": "not a size", "-1B": "not a size",
	} {
		if got, err := ParseByteSize(in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v %v, want %q", in, got, err, says)
		}
	}
}

func TestPercent(t *testing.T) {
	if got, err := ParsePercent("50%"); err != nil || got != 50 {
		t.Error(got, err)
	}
	for in, says := range map[string]string{"50": "needs a unit: write 50%, not 50", "": "not a share", "0%": "within", "9999%": "within", "5.5%": "not a share"} {
		if got, err := ParsePercent(in); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v %v, want %q", in, got, err, says)
		}
	}
}

// TestTextReadsBack: what is written is read as the same value.
func TestTextReadsBack(t *testing.T) {
	err := quick.Check(func(ms uint32, bytes uint32, share uint8) bool {
		type all struct {
			D Duration
			B ByteSize
			P Percent
		}
		in := all{Duration(time.Duration(ms) * time.Millisecond), ByteSize(bytes), Percent(share%100 + 1)}
		b, err := json.Marshal(in)
		var out all
		return err == nil && json.Unmarshal(b, &out) == nil && out == in
	}, nil)
	if err != nil {
		t.Error(err)
	}
}
