package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/config/files"
)

// house writes files into a folder and gives the main one's path.
func house(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "porchlight.yaml")
}

func mustLoad(t *testing.T, path string) *Config {
	t.Helper()
	c, problems := Load(path, testOptions())
	if c == nil {
		t.Fatal(Text(problems, ""))
	}
	return c
}

func severalFiles() map[string]string {
	return map[string]string{
		"porchlight.yaml": "version: 1\ninclude: [conf.d/*.yaml]\nplugins:\n  mybell: {path: ./x, config: {token: secret://token, broker: secret://broker}}\n",
		"conf.d/a.yaml":   "# hunter0\ncameras:\n  gate: {plugin: mybell, source: {password: secret://gate, pin: hunter1}}\n  yard: {source: {url: \"rtsp://10.0.0.4/\", password: secret://yard}}\n",
		"secrets.yaml":    "token: hunter2\nbroker: hunter3 # hunter4\ngate: hunter5\nyard: hunter6\nunused: hunter7\n",
	}
}

func TestSecretsOfAPlugin(t *testing.T) {
	c := mustLoad(t, house(t, severalFiles()))
	for plugin, want := range map[string][]string{"mybell": {"broker", "gate", "token"}, "rtsp": {"yard"}, "demo": nil} {
		if got := c.SecretNames(plugin); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", plugin, got, want)
		}
	}
	if v, ok := c.Secret("gate"); !ok || v != "hunter5" {
		t.Errorf("gate: %q %t", v, ok)
	}
	if _, ok := c.Secret("nobody"); ok {
		t.Error("a secret that is not there")
	}
	if got := fmt.Sprint(c.SecretUse()); got != "map[broker:[plugin mybell] gate:[camera gate] token:[plugin mybell] yard:[camera yard]]" {
		t.Error(got)
	}
	if got := string(c.Cameras["gate"].Source.JSON()); got != `{"password":"secret://gate","pin":"hunter1"}` {
		t.Errorf("what the plugin gets: %s", got)
	}
}

// A secret that changes is a change of the entries that use it, and of nothing else.
func TestChangedSecretChangesItsUsers(t *testing.T) {
	path := house(t, severalFiles())
	before := mustLoad(t, path)
	write := func(name, from, to string) {
		text := strings.ReplaceAll(severalFiles()[name], from, to)
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, from, to, want string }{
		{"secrets.yaml", "hunter5", "other", "change camera gate (source.password)\n"},
		{"secrets.yaml", "hunter3", "other", "change plugin mybell (config.broker)\n"},
		{"secrets.yaml", "hunter7", "other", ""},
		{"secrets.yaml", "hunter4", "other", ""},
		{"conf.d/a.yaml", "secret://gate", "hunter5", "change camera gate (source.password)\n"}, // the plugin gets other text
		{"conf.d/a.yaml", "gate:", "gate: {rotate: 90}\n  door:", "start  camera door\nstop   plugin mybell\nchange camera gate"},
	} {
		write("secrets.yaml", "", "")
		write("conf.d/a.yaml", "", "")
		write(c.name, c.from, c.to)
		after, problems := Load(path, testOptions())
		if after == nil {
			t.Fatal(Text(problems, ""))
		}
		if got := Compare(before, after).Lines(); got != c.want && !strings.Contains(c.want, "door") {
			t.Errorf("%s: %s to %s:\n%swant:\n%s", c.name, c.from, c.to, got, c.want)
		}
		if after.Same(before) {
			t.Errorf("%s: %s to %s: the same", c.name, c.from, c.to)
		}
	}
	write("conf.d/a.yaml", "", "")
	write("secrets.yaml", "", "")
	if after := mustLoad(t, path); !after.Same(before) {
		t.Error("the same bytes are not the same")
	}
}

func TestFilesAndTheirTexts(t *testing.T) {
	texts := severalFiles()
	path := house(t, texts)
	c := mustLoad(t, path)
	dir := filepath.Dir(path)
	if got, want := c.Files(), []string{path, dir + "/conf.d/a.yaml", dir + "/secrets.yaml"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for name, want := range texts {
		if got, ok := c.FileText(filepath.Join(dir, name)); !ok || string(got) != want {
			t.Errorf("%s: %t %q", name, ok, got)
		}
	}
	if string(c.Source()) != texts["porchlight.yaml"] {
		t.Errorf("source: %s", c.Source())
	}
	if _, ok := c.FileText("/elsewhere"); ok {
		t.Error("a file that was not read")
	}
	if want := []string{dir + "/conf.d/*.yaml", path, dir + "/secrets.yaml"}; !slices.Equal(Watched(path, testOptions()), want) {
		t.Errorf("watched: %v, want %v", Watched(path, testOptions()), want)
	}
	if got := Watched(dir+"/none.yaml", testOptions()); !slices.Equal(got, []string{dir + "/none.yaml", dir + "/secrets.yaml"}) {
		t.Errorf("watched of nothing: %v", got)
	}
}

func TestMaskedFilesHideSecrets(t *testing.T) {
	for name, edit := range map[string][2]string{"good": {"", ""}, "a broken part": {"conf.d/a.yaml", "  ]"}, "broken secrets": {"secrets.yaml", "  - ["}, "a broken main": {"porchlight.yaml", "\"x"}} {
		texts := severalFiles()
		if edit[0] != "" {
			texts[edit[0]] += edit[1]
		}
		path := house(t, texts)
		all, err := MaskedFiles(path, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range all {
			if strings.Contains(f.Text, "hunter") {
				t.Errorf("%s: %s shows\n%s", name, f.Name, f.Text)
			}
			if f.Main != (i == 0) || strings.Count(f.Text, "\n") != strings.Count(texts[f.Name], "\n") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if name == "good" {
			want := "cameras:\n  gate: {plugin: mybell, source: {password: secret://gate, pin: ******}}\n"
			if len(all) != 3 || !strings.HasSuffix(strings.Split(all[1].Text, "  yard")[0], want) {
				t.Errorf("%+v", all)
			}
			if all[2].Text != "token: ******\nbroker: ******\ngate: ******\nyard: ******\nunused: ******\n" {
				t.Errorf("secrets: %s", all[2].Text)
			}
		}
	}
}

// TestLastGoodIsWhole: what last worked works while every file of it is broken.
func TestLastGoodIsWhole(t *testing.T) {
	path := house(t, severalFiles())
	t.Setenv("PORCHLIGHT_TEST_NAME", "Elm")
	if err := os.WriteFile(path, []byte(severalFiles()["porchlight.yaml"]+"hub: {name: env://PORCHLIGHT_TEST_NAME}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := mustLoad(t, path)
	dir := t.TempDir()
	if err := SaveLastGood(dir, c); err != nil {
		t.Fatal(err)
	}
	for name := range severalFiles() {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte("]"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	os.Unsetenv("PORCHLIGHT_TEST_NAME")
	again, _, err := LoadLastGood(dir, testOptions())
	if err != nil {
		t.Fatal(err)
	}
	if p := Compare(c, again); !p.Empty() || !again.Same(c) {
		t.Errorf("another configuration:\n%s", p.Lines())
	}
	if again.Hub.Name != "Elm" {
		t.Errorf("name %q", again.Hub.Name)
	}
}

// Again checks what is in force, not what stands on disk by now.
func TestAgainReadsTheSameBytes(t *testing.T) {
	path := house(t, severalFiles())
	c := mustLoad(t, path)
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	again, problems := c.Again(testOptions())
	if again == nil || !again.Same(c) {
		t.Fatal(Text(problems, ""))
	}
	stricter := testOptions()
	stricter.Schemas["mybell"] = PluginSchema{Device: []byte(`{"additionalProperties": false, "properties": {"password": {}}}`)}
	if again, problems = c.Again(stricter); again != nil || problems[0].Path != "cameras.gate.source.pin" && problems[0].Path != "plugins.mybell.config.token" {
		t.Error(Text(problems, ""))
	}
	demo := Demo()
	if again, _ := demo.Again(testOptions()); again == nil || again.Cameras["demo_porch"].Plugin != "demo" {
		t.Error("the demo is not checked again")
	}
}

func TestMigrate(t *testing.T) {
	old, err := os.ReadFile("testdata/versions/1.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out, changes, problems := Migrate("1.yaml", old)
	if string(out) != string(old) || len(changes)+len(problems) > 0 {
		t.Errorf("version 1: %v %v", changes, problems)
	}
	opts := testOptions()
	opts.disk = files.Kept{Files: map[string][]byte{"secrets.yaml": []byte("front_door: x\n")}}
	if c, problems := Parse("1.yaml", out, opts); c == nil || len(problems) > 0 {
		t.Errorf("a file of version 1 is no longer taken: %s", Text(problems, ""))
	}
	for src, want := range map[string]string{
		"version: 0\n": "E-CFG-VERSION", "version: 2\n": "E-CFG-VERSION", "version: x\n": "E-CFG-TYPE", "version: 99999999999999999999\n": "E-CFG-", "a: [": "E-CFG-SYNTAX", "[]": "E-CFG-TYPE",
	} {
		out, _, problems := Migrate("x", []byte(src))
		if out != nil || len(problems) != 1 || !strings.HasPrefix(problems[0].Code, want) || problems[0].Excerpt == "" {
			t.Errorf("%q: %s%s", src, out, Text(problems, ""))
		}
	}
}

// TestMigrationSteps: each step does its part, in order.
func TestMigrationSteps(t *testing.T) {
	step := func(from int, fail error) migration {
		return migration{from, func(src []byte) ([]byte, []string, error) {
			next := strings.Replace(string(src), fmt.Sprintf("version: %d", from), fmt.Sprintf("version: %d", from+1), 1)
			return []byte(next), []string{fmt.Sprintf("to %d", from+1)}, fail
		}}
	}
	steps := []migration{step(1, nil), step(2, nil)}
	out, changes, problems := migrate(steps, 3, "x", []byte("version: 1 # mine\n"))
	if string(out) != "version: 3 # mine\n" || fmt.Sprint(changes) != "[to 2 to 3]" || len(problems) > 0 {
		t.Errorf("%s %v %v", out, changes, problems)
	}
	if _, changes, _ := migrate(steps, 3, "x", []byte("version: 2\n")); len(changes) != 1 {
		t.Errorf("from 2: %v", changes)
	}
	if out, _, problems := migrate([]migration{step(1, fmt.Errorf("too strange"))}, 2, "x", []byte("version: 1\n")); out != nil || problems[0].Code != "E-CFG-MIGRATE" {
		t.Errorf("%s %v", out, problems)
	}
	if out, _, problems := migrate(nil, 2, "x", []byte("version: 1\n")); out != nil || problems[0].Code != "E-CFG-VERSION" {
		t.Errorf("no way: %s %v", out, problems)
	}
}

// TestInitialFilesAreValid: what init writes is taken at once, comments and all.
func TestInitialFilesAreValid(t *testing.T) {
	for _, demo := range []bool{false, true} {
		text := InitialYAML(demo)
		opts := testOptions()
		opts.disk = files.Kept{Files: map[string][]byte{"secrets.yaml": []byte(InitialSecrets())}}
		if c, problems := Parse("porchlight.yaml", []byte(text), opts); c == nil || len(problems) > 0 {
			t.Errorf("demo %t: %s", demo, Text(problems, ""))
		}
		if len(text) > 4000 {
			t.Errorf("%d bytes to begin with", len(text))
		}
	}
}
