package config

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/porchlight-hub/porchlight/config/files"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testOptions are those of a hub with two bundled plugins and what they say of
// their settings.
func testOptions() Options {
	return Options{
		Builtins: []string{"demo", "homekit", "rtsp", "speaker", "webhook"},
		Schemas: map[string]PluginSchema{
			"rtsp": {Offers: []string{"camera"}, Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
				"url": {"type": "string", "pattern": "^(rtsp|rtsps|http|https)://"}, "preset": {"enum": ["hikvision", "reolink"]}, "address": {"type": "string"},
				"username": {"type": "string"}, "password": {"type": "string"}, "port": {"type": "integer"}}}`)},
			"webhook": {Offers: []string{"chime"}, Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["url"], "properties": {
				"url": {"type": "string", "format": "uri"}, "headers": {"type": "object", "additionalProperties": {"type": "string"}}}}`)},
			"demo": {
				Config: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
					"motion_every": {"type": "string"}, "door_code": {"type": "string", "writeOnly": true}, "visitors": {"type": "integer", "minimum": 1},
					"mood": {"anyOf": [{"enum": ["sunny", "rainy"]}, {"type": "object", "required": ["clouds"]}]}}}`),
				Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
					"address": {"type": "string", "format": "ipv4"}, "username": {"type": "string"}, "password": {"type": "string"},
					"url": {"type": "string"}}}`),
			},
			"speaker": {Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
				"sound": {"enum": ["ding_dong", "westminster"]}, "device": {"type": "string"}, "repeat": {"type": "integer"}}}`)},
		},
	}
}

// TestGolden: each file in testdata holds the YAML and what must be said of it:
// the problems as a terminal shows them, and the effective configuration if
// there is no error.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(cases) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, file := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			in := map[string][]byte{}
			for _, f := range a.Files {
				in[f.Name] = f.Data
			}
			opts := testOptions()
			for line := range strings.SplitSeq(strings.TrimSpace(string(in["overrides"])), "\n") {
				if from, rest, ok := strings.Cut(line, " "); ok {
					key, value, _ := strings.Cut(rest, "=")
					opts.Overrides = append(opts.Overrides, Override{Key: key, Value: value, From: from})
				}
			}
			kept := files.Kept{Files: map[string][]byte{}, Vars: map[string]string{}}
			for name, text := range in {
				if !filepath.IsAbs(name) {
					name = "/house/" + name
				}
				kept.Files[name] = text
			}
			for line := range strings.Lines(string(in["env"])) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				kept.Vars[name] = value
			}
			opts.disk = kept
			c, problems := Load("/house/porchlight.yaml", opts)
			got := map[string]string{"problems": strings.ReplaceAll(Text(problems, ""), "/house/", "")}
			if c != nil {
				got["effective"] = string(c.Effective())
			}
			if *update {
				a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "problems" || f.Name == "effective" })
				for _, name := range []string{"problems", "effective"} {
					if got[name] != "" {
						a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(got[name])})
					}
				}
				if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			for _, name := range []string{"problems", "effective"} {
				if diff := cmp.Diff(string(in[name]), got[name]); diff != "" {
					t.Errorf("%s (-want +got); rewrite with -update if it is right:\n%s", name, diff)
				}
			}
		})
	}
}

// TestGoldenNeverShowsSecrets: every secret in the golden files has the word
// hunter in it.
func TestGoldenNeverShowsSecrets(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Files {
			if f.Name == "problems" || f.Name == "effective" {
				if i := strings.Index(string(f.Data), "hunter"); i >= 0 {
					t.Errorf("%s: %s shows %.20q", file, f.Name, f.Data[i:])
				}
			}
		}
	}
}

func example(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExampleIsValid(t *testing.T) {
	c, problems := Load("example.yaml", testOptions())
	if len(problems) > 0 {
		t.Fatal(Text(problems, ""))
	}
	if got := IDs(c.Plugins); !slices.Equal(got, []string{"demo", "mybell", "rtsp", "speaker", "webhook"}) {
		t.Errorf("plugins: %v", got)
	}
}

// TestExampleShowsEveryKey: what the format knows, the example shows, in use or
// as a comment.
func TestExampleShowsEveryKey(t *testing.T) {
	text := string(example(t))
	var walk func(n map[string]any, defs map[string]any)
	seen := map[string]bool{}
	walk = func(n map[string]any, defs map[string]any) {
		props, _ := n["properties"].(map[string]any)
		for key, sub := range props {
			if !regexp.MustCompile(`(?m)(^[ #]*|[{,] ?)`+key+`:`).MatchString(text) && !seen[key] {
				t.Errorf("example.yaml does not show %s", key)
			}
			seen[key] = true
			walk(sub.(map[string]any), defs)
		}
	}
	var doc map[string]any
	if err := json.Unmarshal(Schema(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, def := range doc["$defs"].(map[string]any) {
		walk(def.(map[string]any), nil)
	}
	if len(seen) < 50 {
		t.Errorf("only %d keys were found", len(seen))
	}
}

// TestExampleCommentsAreTheFormat: with its comment signs removed the example
// is read with warnings only.
func TestExampleCommentsAreTheFormat(t *testing.T) {
	lines := strings.Split(string(example(t)), "\n")
	head := slices.Index(lines, "version: 1 # of this file's format")
	var out []string
	for _, line := range lines[head:] {
		out = append(out, regexp.MustCompile(`^( *)# ((?: *[a-z_]+:( .*)?))$`).ReplaceAllString(line, "$1$2"))
	}
	opts := testOptions()
	opts.disk = files.Kept{Files: map[string][]byte{"secrets.yaml": []byte("front_door: x\n")}}
	c, problems := Parse("example.yaml", []byte(strings.Join(out, "\n")), opts)
	if c == nil {
		t.Fatal(Text(problems, "") + strings.Join(out, "\n"))
	}
	for _, p := range problems {
		if p.Code != "E-CFG-NOT-YET" {
			t.Error(p)
		}
	}
	for _, w := range laterWords() {
		if !slices.ContainsFunc(problems, func(p Problem) bool {
			return strings.HasSuffix(p.Path, w.key) && (w.path == nil || strings.HasPrefix(p.Path, w.path[0]))
		}) {
			t.Errorf("%v %s is not among the warnings", w.path, w.key)
		}
	}
}

func TestDemoIsWhatItsYAMLSays(t *testing.T) {
	c, problems := Parse("porchlight.yaml", []byte(DemoYAML()), testOptions())
	if len(problems) > 0 {
		t.Fatal(Text(problems, ""))
	}
	demo := Demo()
	if p := Compare(demo, c); len(p.Start)+len(p.Stop) > 0 || len(p.Change) != 1 || p.Change[0].String() != "hub data_dir" {
		t.Errorf("the demo and its YAML differ:\n%s", p.Lines())
	}
	if cam := demo.Cameras["demo_porch"]; cam.Kind != "doorbell" || cam.Plugin != "demo" || cam.Name != "Demo porch" {
		t.Errorf("demo_porch: %+v", cam)
	}
	if !demo.Plugins["speaker"].Optional || demo.Plugins["demo"].Builtin != "demo" || demo.Chimes["browser"].Builtin != "browser" {
		t.Errorf("demo: %s", demo.Effective())
	}
}

// TestEffectiveReadsBack: what config show prints is a configuration.
func TestEffectiveReadsBack(t *testing.T) {
	for name, src := range map[string]string{"example": string(example(t)), "demo": DemoYAML()} {
		c, _ := Parse("/house/x.yaml", []byte(src), testOptions())
		again, problems := Parse("/house/x.yaml", c.Effective(), testOptions())
		if again == nil {
			t.Fatalf("%s: %s\n%s", name, Text(problems, ""), c.Effective())
		}
		if p := Compare(c, again); !p.Empty() {
			t.Errorf("%s: reads back with changes:\n%s", name, p.Lines())
		}
		if diff := cmp.Diff(string(c.Effective()), string(again.Effective())); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if c, problems := Parse("d", Defaults(), Options{Builtins: []string{"id"}}); c == nil {
		t.Errorf("the defaults do not read back: %s", Text(problems, ""))
	}
}

func TestShowSourcesNamesPlaces(t *testing.T) {
	opts := testOptions()
	opts.Overrides = []Override{{Key: "log.level", Value: "debug", From: "PORCHLIGHT_LOG_LEVEL"}}
	c, problems := Parse("/h/p.yaml", []byte("version: 1\nhub:\n  name: Elm\n"), opts)
	if c == nil {
		t.Fatal(Text(problems, ""))
	}
	got := string(c.Show(ViewSources))
	for _, want := range []string{`name: Elm +# /h/p.yaml:3:3`, `level: debug +# PORCHLIGHT_LOG_LEVEL\n`, `listen: .* # default`} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("lacks %s:\n%s", want, got)
		}
	}
}
