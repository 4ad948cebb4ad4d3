package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustParse(t *testing.T, src string) *Config {
	t.Helper()
	c, problems := Parse("/house/porchlight.yaml", []byte(src), testOptions())
	if c == nil {
		t.Fatal(Text(problems, ""))
	}
	return c
}

const planBase = `version: 1
hub: {name: Elm}
plugins:
  mybell: {path: ./x, config: {token: one}}
cameras:
  a: {plugin: demo}
  b: {plugin: mybell, source: {password: one}}
chimes:
  hall: {plugin: speaker, volume: 70, repeat: 1}
  browser: {builtin: browser}
`

func TestCompareListsExactlyWhatDiffers(t *testing.T) {
	for name, c := range map[string]struct {
		edit [2]string
		want string // the plan's lines
	}{
		"nothing":                    {[2]string{"", ""}, ""},
		"lines moved":                {[2]string{"hub: {name: Elm}\n", "# a comment\n\nhub:\n  name: \"Elm\"\n"}, ""},
		"a default written out":      {[2]string{"a: {plugin: demo}", "a: {plugin: demo, name: A, ring: {debounce: 3000ms}}"}, ""},
		"a camera's name":            {[2]string{"a: {plugin: demo}", "a: {plugin: demo, name: Gate}"}, "change camera a (name)\n"},
		"a camera gone":              {[2]string{"  a: {plugin: demo}\n", ""}, "stop   plugin demo\nstop   camera a\n"},
		"a camera more":              {[2]string{"  a:", "  c: {plugin: demo}\n  a:"}, "start  camera c\n"},
		"an id changed":              {[2]string{"  a:", "  aa:"}, "start  camera aa\nstop   camera a\n"},
		"a masked password changed":  {[2]string{"password: one", "password: two"}, "change camera b (source.password)\n"},
		"a masked token changed":     {[2]string{"token: one", "token: two"}, "change plugin mybell (config.token)\n"},
		"a chime's volume":           {[2]string{"volume: 70", "volume: 71"}, "change chime hall (volume)\n"},
		"a chime's own key":          {[2]string{"repeat: 1", "repeat: 2"}, "change chime hall (repeat)\n"},
		"a plugin disabled":          {[2]string{"{path: ./x,", "{path: ./x, disabled: true,"}, "stop   plugin mybell\n"},
		"an entry for a bundled one": {[2]string{"plugins:\n", "plugins:\n  demo: {builtin: demo}\n"}, ""},
		"a bundled one's limits":     {[2]string{"plugins:\n", "plugins:\n  demo: {limits: {health: {misses: 9}}}\n"}, "change plugin demo (limits.health.misses)\n"},
		"a hub key":                  {[2]string{"{name: Elm}", "{name: Oak, log: {level: debug}}"}, "change hub log.level\nchange hub name\n"},
		"a hub list":                 {[2]string{"{name: Elm}", "{name: Elm, plugin_path: [/x]}"}, "change hub plugin_path\n"},
		"a hub key unset":            {[2]string{"{name: Elm}", "{name: Elm, timezone: Europe/Berlin}"}, "change hub timezone\n"},
	} {
		t.Run(name, func(t *testing.T) {
			old, edited := mustParse(t, planBase), mustParse(t, strings.Replace(planBase, c.edit[0], c.edit[1], 1))
			p := Compare(old, edited)
			if p.Lines() != c.want {
				t.Errorf("want:\n%sgot:\n%s", c.want, p.Lines())
			}
			if p.Empty() != (c.want == "") {
				t.Error("Empty is wrong")
			}
			touched := len(p.Start) + len(p.Change)
			n := len(edited.Cameras) + len(edited.Chimes) + len(pluginLeaves(edited)) + len(hubLeaves(edited.Hub))
			if kept := slices.ContainsFunc(p.Change, func(e Entry) bool { return e.ID == "timezone" }); len(p.Keep)+touched != n && !kept {
				t.Errorf("%d kept and %d touched of %d", len(p.Keep), touched, n)
			}
			back := Compare(edited, old)
			if len(back.Start) != len(p.Stop) || len(back.Stop) != len(p.Start) || len(back.Change) != len(p.Change) {
				t.Errorf("the way back differs:\n%s", back.Lines())
			}
		})
	}
	if p := Compare(nil, mustParse(t, planBase)); len(p.Start) != 7 || len(p.Stop)+len(p.Change)+len(p.Keep) > 0 {
		t.Errorf("from nothing:\n%s", p.Lines())
	}
}

func hubLeaves(h Hub) leaves {
	l := leaves{}
	l.typed(h)
	return l
}

func TestLastGood(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "last-good")
	if _, _, err := LoadLastGood(dir, testOptions()); !errors.Is(err, ErrNoLastGood) {
		t.Fatalf("from nothing: %v", err)
	}
	for _, src := range []string{planBase, planBase + "# no newline", "version: 1\nhub:\n  name: |-\n    Elm\n", "version: 1\r\n"} {
		c := mustParse(t, src)
		if err := SaveLastGood(dir, c); err != nil {
			t.Fatal(err)
		}
		again, at, err := LoadLastGood(dir, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		if string(again.Source()) != src || again.File() != c.File() || !Compare(c, again).Empty() {
			t.Errorf("%q came back as %q of %s", src, again.Source(), again.File())
		}
		if age := time.Since(at); age < -time.Second || age > time.Hour {
			t.Errorf("kept %s ago", age)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("left behind: %v %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
}

func TestLastGoodThatIsNoLongerGood(t *testing.T) {
	dir := t.TempDir()
	if err := SaveLastGood(dir, mustParse(t, planBase)); err != nil {
		t.Fatal(err)
	}
	_, _, err := LoadLastGood(dir, Options{Builtins: []string{"demo"}}) // a binary without the speaker
	var invalid *Invalid
	if !errors.As(err, &invalid) || invalid.Code() != "E-CFG-UNKNOWN-PLUGIN" || invalid.Hint() == "" {
		t.Errorf("a missing plugin: %v", err)
	}
	path := filepath.Join(dir, lastGoodName)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadLastGood(dir, testOptions()); err == nil {
		t.Error("a cut file was taken")
	}
}

func TestLoadSaysWhyAFileCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "none.yaml"), dir} {
		c, problems := Load(path, testOptions())
		if c != nil || len(problems) != 1 || problems[0].Code != "E-CFG-READ" || AsError(problems) == nil {
			t.Errorf("%s: %v", path, problems)
		}
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "porchlight.yaml")
	src := "version: 1\nhub: {data_dir: d, plugin_path: [p, /abs]}\nplugins:\n  mine: {path: bin/mine}\n"
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(path, testOptions())
	if c == nil {
		t.Fatal(Text(problems, ""))
	}
	got := []string{c.Hub.DataDir, c.Hub.PluginPath[0], c.Hub.PluginPath[1], c.Plugins["mine"].Path}
	if want := []string{dir + "/d", dir + "/p", "/abs", dir + "/bin/mine"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestDataDirOfABrokenFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "porchlight.yaml")
	for _, c := range []struct{ src, want string }{
		{"version: 1\nhub: {data_dir: d}\n", dir + "/d"},
		{"version: 1\nhub: {data_dir: d, nme: x}\n", dir + "/d"},
		{"version: 1\nhub:\n  data_dir: /abs/d # here\n  name: \"x\n", "/abs/d"},
		{"version: 1\nhub:\n\tname: x\n", dir + "/data"},
		{"", dir + "/data"},
	} {
		if err := os.WriteFile(path, []byte(c.src), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := DataDir(path, testOptions()); got != c.want {
			t.Errorf("%q: %s, want %s", c.src, got, c.want)
		}
	}
	opts := testOptions()
	opts.Overrides = []Override{{Key: "data_dir", Value: "/elsewhere", From: "--data-dir"}}
	if got := DataDir(path, opts); got != "/elsewhere" {
		t.Errorf("overridden: %s", got)
	}
}

func TestEveryHubKeyCanBeOverridden(t *testing.T) {
	values := map[string]string{
		"name": "Oak", "listen": "[::1]:1", "insecure": "true", "public_url": "http://x", "timezone": "UTC", "language": "de",
		"data_dir": "/d", "plugin_path": "/a,/b", "log.level": "warn", "log.format": "json", "metrics.enabled": "false", "metrics.allow": "10.0.0.0/8",
		"tls.mode": "files", "tls.cert": "/c.pem", "tls.key": "/k.pem", "webrtc.enabled": "false", "webrtc.port": "0", "webrtc.tcp": "false",
		"webrtc.interfaces": "eth0,wlan0", "webrtc.stun": "stun:s.example:3478", "rtsp.port": "0", "rtsp.lan": "true",
	}
	opts := testOptions()
	for _, key := range HubKeys() {
		opts.Overrides = append(opts.Overrides, Override{Key: key, Value: values[key], From: "test"})
	}
	c, problems := Parse("x", []byte("version: 1\nhub: {name: Elm, log: {level: info}}\n"), opts)
	if c == nil {
		t.Fatal(Text(problems, ""))
	}
	before := mustParse(t, "version: 1\n")
	if p := Compare(before, c); len(p.Change) != len(HubKeys()) {
		t.Errorf("%d keys, and changed are\n%s", len(HubKeys()), p.Lines())
	}
	var known []string
	for key := range hubLeaves(c.Hub) {
		known = append(known, key)
	}
	for _, key := range known {
		if !slices.Contains(HubKeys(), key) && key != "telemetry" {
			t.Errorf("hub.%s cannot be overridden", key)
		}
	}
}

func TestRawAndSecretsDoNotLeak(t *testing.T) {
	c := mustParse(t, planBase)
	raw := c.Cameras["b"].Source
	type holder struct {
		S Secret
		R Raw
		C *Config
	}
	h := holder{Secret("hunter2"), raw, c}
	asJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", h.S, "r", h.R, "c", c)
	for _, got := range []string{fmt.Sprint(h.S, h.R), fmt.Sprintf("%v %+v %#v", h.S, h.R, h.S), string(asJSON), log.String(), string(c.Effective())} {
		if strings.Contains(got, "hunter2") || strings.Contains(got, `"one"`) || strings.Contains(got, ":one") {
			t.Errorf("leaks: %s", got)
		}
	}
	if h.S.Reveal() != "hunter2" || string(raw.JSON()) != `{"password":"one"}` {
		t.Errorf("in clear: %s %s", h.S.Reveal(), raw.JSON())
	}
	if p := raw.Position("/password"); p.Line != 7 || p.Column != 42 {
		t.Errorf("place: %v", p)
	}
	if p := raw.Position("/password/x/0"); p.Line != 7 {
		t.Errorf("nearest place: %v", p)
	}
	other, err := RawJSON([]byte(` { "password" : "one" } `))
	if err != nil || !other.Equal(raw) || other.IsZero() || !(Raw{}).IsZero() {
		t.Errorf("equal: %v %v", other, err)
	}
	if _, err := RawJSON([]byte(strings.Repeat("[", 1000))); err == nil {
		t.Error("endless nesting was taken")
	}
	if got := string(c.Chimes["hall"].Settings()); got != `{"repeat":1,"sound":"ding_dong","volume":70}` {
		t.Errorf("settings: %s", got)
	}
}

func TestProblemsAsJSON(t *testing.T) {
	_, problems := Parse("porchlight.yaml", []byte("version: 1\nhub: {nme: x}\n"), testOptions())
	b, err := json.Marshal(problems)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"file":"porchlight.yaml","line":2,"column":7,"severity":"error","code":"E-CFG-UNKNOWN-KEY","message":"unknown key \"nme\" in hub",` +
		`"excerpt":"    2 | hub: {nme: ******}\n      |       ^^^","suggestion":"name","path":"hub.nme"}]`
	if string(b) != want {
		t.Errorf("\n got %s\nwant %s", b, want)
	}
	err = AsError(problems)
	if err == nil || err.Error() != `config: porchlight.yaml:2:7: unknown key "nme" in hub (1 error)` {
		t.Errorf("as error: %v", err)
	}
}

func TestLoopback(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "localhost:1": true, "[::ffff:127.0.0.1]:1": true,
		":1": false, "0.0.0.0:1": false, "[::]:1": false, "192.168.1.2:1": false, "porch.local:1": false, "": false, "127.0.0.1": false,
	} {
		if Loopback(listen) != want {
			t.Errorf("%q: %t", listen, !want)
		}
	}
}
