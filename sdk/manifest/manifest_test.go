package manifest

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	m, err := ParseFS(fstest.MapFS{
		"plugin.yaml": {Data: read(t, "plugin.yaml")},
		"schema.json": {Data: []byte(`{"type":"object"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := m.Permissions
	switch {
	case m.ID != "org.example.frontgate", m.Version != "1.4.2", !m.Has(Camera), m.Has(Chime), string(m.ConfigSchema) != `{"type":"object"}`:
		t.Errorf("manifest: %+v", m)
	case len(p.Network) != 3, p.Network[0].To != "camera", p.Network[0].Proto[0] != "tcp", len(p.Network[2].Proto) != 3, !p.Network[1].Optional:
		t.Errorf("network: %+v", p.Network)
	case p.Storage != 50<<20, !p.Media.Publish, p.Media.Read, p.Secrets != "own":
		t.Errorf("permissions: %+v", p)
	case m.Limits != Limits{Memory: 128 << 20, CPU: 50, Processes: 16, Files: 4096}:
		t.Errorf("limits: %+v", m.Limits)
	case m.Actions[0].Name != "gate.open", m.Run["any"].Interpreter != "python3":
		t.Errorf("actions %+v, run %+v", m.Actions, m.Run)
	}
	back, err := FromJSON(m.JSON())
	m.ConfigSchemaFile = "" // a file's name does not travel
	if err != nil || !reflect.DeepEqual(back, m) {
		t.Errorf("as JSON and back: %v\n%+v\n%+v", err, back, m)
	}
}

// All that is wrong is told at once, each with its place.
func TestParseTellsAll(t *testing.T) {
	_, err := Parse(read(t, "bad.yaml"))
	var ps Problems
	if !errors.As(err, &ps) {
		t.Fatalf("have %v", err)
	}
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	if *update {
		if err := os.WriteFile("testdata/bad.golden", []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := string(read(t, "bad.golden")); b.String() != want {
		t.Errorf("have\n%s\nwant\n%s", b.String(), want)
	}
}

func TestParseFSMissingSchema(t *testing.T) {
	_, err := ParseFS(fstest.MapFS{"plugin.yaml": {Data: read(t, "plugin.yaml")}})
	if err == nil || !strings.Contains(err.Error(), "schema.json") {
		t.Errorf("have %v", err)
	}
	if _, err := ParseFS(fstest.MapFS{}); err == nil {
		t.Error("no plugin.yaml, no error")
	}
}

func TestLimitsHaveDefaults(t *testing.T) {
	m := Manifest{Limits: Limits{Files: 4096}}.Complete()
	if m.Limits != (Limits{Memory: 128 << 20, CPU: 50, Processes: 16, Files: 4096}) || m.Manifest != 1 || m.Protocol[0] != 1 {
		t.Errorf("%+v", m)
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "17": 17, "64KiB": 64 << 10, "128 MiB": 128 << 20, "2GiB": 2 << 30, "5B": 5} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "-1", "1MB", "1e9", "99999999GiB", "MiB"} {
		if err := new(Size).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	for s, want := range map[Size]string{0: "0", 1536: "1536", 50 << 20: "50MiB", 1 << 30: "1GiB"} {
		if s.String() != want {
			t.Errorf("%d is %s, want %s", uint64(s), s, want)
		}
	}
}

func TestSchemaInCodeThatIsNoJSON(t *testing.T) {
	m := Manifest{ID: "a.b", Name: "n", Version: "1.0.0", Capabilities: []Capability{Chime}, ConfigSchema: json.RawMessage("{")}
	if err := m.Validate(); err == nil || !strings.Contains(err.Error(), "config_schema") {
		t.Errorf("have %v", err)
	}
	if !json.Valid(m.JSON()) {
		t.Error("its JSON is none")
	}
}

// What a stranger nests without end is turned away before it costs time.
func TestDeepNesting(t *testing.T) {
	for _, s := range []string{strings.Repeat("[", 16000), "run: " + strings.Repeat("{a: ", 16000), strings.Repeat("- ", 16000), strings.Repeat("x", maxYAML+1)} {
		if _, err := Parse([]byte(s)); err == nil || !strings.Contains(err.Error(), "nested deeper") && !strings.Contains(err.Error(), "at most") {
			t.Errorf("%.20s…: %v", s, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"plugin.yaml", "bad.yaml"} {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := Parse(b); err == nil {
			if err := m.Validate(); err != nil {
				t.Errorf("taken, and not valid: %v", err)
			}
		}
	})
}
