package app_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/app"
	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
	"github.com/porchlight-hub/porchlight/plugins"
)

// inProcess runs a hub in this process, where the race detector watches it, with
// real plugin children of the real binary.
func inProcess(t *testing.T, yaml string) (dir string, c *client.Client) {
	t.Helper()
	dir = hubtest.Dir(t, hubtest.Config(yaml))
	o := app.Options{File: filepath.Join(dir, "porchlight.yaml"), DataDir: filepath.Join(dir, "data"), Loaded: time.Now(),
		Exe: hubtest.Binary(t), Version: "test", Log: slog.New(slog.DiscardHandler)}
	o.LoadOptions.Schemas = map[string]config.PluginSchema{}
	for _, e := range plugins.Bundled() {
		m := e.Manifest()
		o.Bundled = append(o.Bundled, app.Bundled{Name: e.Name, Binary: e.Binary, Manifest: m})
		o.LoadOptions.Builtins = append(o.LoadOptions.Builtins, e.Name)
		o.LoadOptions.Schemas[e.Name] = config.PluginSchema{Config: m.ConfigSchema, Device: m.DeviceSchema}
	}
	o.Config, o.Problems = config.Load(o.File, o.LoadOptions)
	if o.Config == nil {
		t.Fatal(config.Text(o.Problems, ""))
	}
	hub, err := app.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1) // one result
	go func() { ended <- hub.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("hub ended: %v", err)
		}
	})
	hubtest.Eventually(t, "admin socket", func() bool {
		c, err = client.Dial(t.Context(), o.DataDir)
		return err == nil
	})
	t.Cleanup(c.Close)
	return dir, c
}

func state(t *testing.T, c *client.Client, name string) api.Plugin {
	t.Helper()
	p, err := c.Plugin(t.Context(), name)
	if err != nil {
		return api.Plugin{}
	}
	return p
}

func online(t *testing.T, c *client.Client) []string {
	t.Helper()
	list, err := c.Cameras(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, cam := range list {
		if cam.Online && len(cam.Streams) > 0 {
			out = append(out, cam.ID)
		}
	}
	return out
}

const porch = `
cameras:
  porch: {name: Porch, kind: doorbell, plugin: demo}
chimes:
  tabs: {builtin: browser}
`

// TestHouse walks through a day of a house, in one process.
func TestHouse(t *testing.T) {
	dir, c := inProcess(t, porch)
	hubtest.Eventually(t, "the porch is online", func() bool { return slices.Equal(online(t, c), []string{"porch"}) })

	id, err := c.Ring(t.Context(), "porch", true)
	if err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the trace is whole", func() bool {
		tr, err := c.Trace(t.Context(), id)
		if err != nil {
			return false
		}
		var who []string
		for _, h := range tr.Hops {
			who = append(who, h.Who)
		}
		return slices.Contains(who, "plugin demo") && slices.Contains(who, "bus") && slices.Contains(who, "rule Ring the house") &&
			slices.Contains(who, "chime tabs") && slices.Contains(who, "journal")
	})

	// A killed plugin comes back with its picture, and nothing rings by itself.
	old := state(t, c, "demo").PID
	if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the demo is back with its picture", func() bool {
		p := state(t, c, "demo")
		return p.PID != old && p.State == "running" && len(online(t, c)) == 1
	})
	rings, err := c.Events(t.Context(), client.Query{Kinds: []string{"ring"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(rings.Events) != 1 {
		t.Errorf("%d rings, want the one that was rung", len(rings.Events))
	}

	// A typo changes nothing and is told with its place; the mended file starts what differs.
	pid := state(t, c, "demo").PID
	save(t, dir, hubtest.Config(strings.Replace(porch, "kind: doorbell", "knid: doorbell", 1)))
	hubtest.Eventually(t, "the typo is told", func() bool {
		cfg, err := c.Config(t.Context())
		return err == nil && !cfg.Valid && slices.ContainsFunc(cfg.Problems, func(p api.ConfigProblem) bool {
			return p.Line == 5 && p.Suggestion == "kind"
		})
	})
	if p := state(t, c, "demo"); p.PID != pid || len(online(t, c)) != 1 {
		t.Errorf("a bad save touched the demo: %+v", p)
	}
	save(t, dir, hubtest.Config(porch+"plugins:\n  second: {builtin: demo}\n")+"")
	hubtest.Eventually(t, "the second plugin runs", func() bool {
		cfg, err := c.Config(t.Context())
		return err == nil && cfg.Valid && state(t, c, "second").State == "running"
	})
	if p := state(t, c, "demo"); p.PID != pid {
		t.Errorf("the demo was restarted by an edit that did not concern it")
	}
	save(t, dir, hubtest.Config("chimes:\n  tabs: {builtin: browser}\n"))
	hubtest.Eventually(t, "the house is empty", func() bool {
		list, err := c.Plugins(t.Context())
		return err == nil && len(list) == 0
	})
	hubtest.Eventually(t, "the demo's process is gone", func() bool { return syscall.Kill(pid, 0) != nil })
}

// TestPathPluginIsCheckedByItsOwnSchema: an executable is asked who it is, then its
// part of the file is checked as that of a bundled plugin is.
func TestPathPluginIsCheckedByItsOwnSchema(t *testing.T) {
	touchbell := hubtest.Build(t, "./examples/touchbell")
	yaml := func(key string) string {
		return "plugins:\n  bell: {path: " + touchbell + "}\ncameras:\n  gate: {kind: doorbell, plugin: bell, source: {" + key + ": " + t.TempDir() + "/press}}\n"
	}
	dir, c := inProcess(t, yaml("flie"))
	hubtest.Eventually(t, "the wrong key is told", func() bool {
		cfg, err := c.Config(t.Context())
		return err == nil && !cfg.Valid && state(t, c, "bell").State == "blocked" && slices.ContainsFunc(cfg.Problems, func(p api.ConfigProblem) bool {
			return p.Line == 6 && p.Suggestion == "file"
		})
	})
	save(t, dir, hubtest.Config(yaml("file")))
	hubtest.Eventually(t, "it runs with the right one", func() bool {
		cfg, err := c.Config(t.Context())
		return err == nil && cfg.Valid && state(t, c, "bell").State == "running"
	})
	// From now on a wrong key is a bad save: nothing is touched.
	pid := state(t, c, "bell").PID
	save(t, dir, hubtest.Config(yaml("flie")))
	hubtest.Eventually(t, "the bad save is told", func() bool {
		cfg, err := c.Config(t.Context())
		return err == nil && !cfg.Valid
	})
	if p := state(t, c, "bell"); p.PID != pid || p.State != "running" {
		t.Errorf("a bad save touched the plugin: %+v", p)
	}
}

// TestFaultsOfOnePathPluginAreItsOwn: the settings of one executable keep no other
// from running.
func TestFaultsOfOnePathPluginAreItsOwn(t *testing.T) {
	touchbell := hubtest.Build(t, "./examples/touchbell")
	_, c := inProcess(t, "plugins:\n  bad: {path: "+touchbell+"}\n  good: {path: "+touchbell+"}\ncameras:\n"+
		"  gate: {kind: doorbell, plugin: bad, source: {flie: /nowhere}}\n  shed: {kind: doorbell, plugin: good, source: {file: "+t.TempDir()+"/press}}\n")
	hubtest.Eventually(t, "bad is blocked and good runs", func() bool {
		return state(t, c, "bad").State == "blocked" && state(t, c, "good").State == "running"
	})
	// Asked again when both schemas are known, it still runs.
	pid := state(t, c, "good").PID
	if err := c.Restart(t.Context(), "good"); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "good runs again", func() bool {
		p := state(t, c, "good")
		return p.State == "running" && p.PID != pid
	})
}

func save(t *testing.T, dir, yaml string) {
	t.Helper()
	file := filepath.Join(dir, "porchlight.yaml")
	if err := os.WriteFile(file+".new", []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
}

// TestHookNeedsNoPlugin: the button on the wall rings while the camera's plugin is
// away; a second press within the debounce is the first.
func TestHookNeedsNoPlugin(t *testing.T) {
	_, c := inProcess(t, porch)
	hubtest.Eventually(t, "the porch is online", func() bool { return slices.Equal(online(t, c), []string{"porch"}) })
	hook, err := c.Hook(t.Context(), "porch")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(state(t, c, "demo").PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	press := func() (out struct {
		Event string `json:"event"`
	}) {
		t.Helper()
		res, err := http.Post(hook.URL, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusAccepted {
			t.Errorf("a press: %s", res.Status)
		}
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Error(err)
		}
		return out
	}
	first, second := press(), press()
	if first.Event == "" || first != second {
		t.Errorf("two presses at once are %q and %q", first.Event, second.Event)
	}
	rings, err := c.Events(t.Context(), client.Query{Kinds: []string{"ring"}})
	if err != nil || len(rings.Events) != 1 || rings.Events[0].ID != first.Event || rings.Events[0].Source != "hook" {
		t.Errorf("rings %+v, %v", rings, err)
	}
}

// TestOneBadCameraCostsOnlyItself: a plugin does not accept one camera's settings; its
// other cameras are pulled, and the fault is told at its line.
func TestOneBadCameraCostsOnlyItself(t *testing.T) {
	_, c := inProcess(t, `
cameras:
  bad: {plugin: rtsp, source: {url: "rtsp://127.0.0.1:1/a", every: 99h}}
  good: {plugin: rtsp, source: {url: "rtsp://127.0.0.1:1/b"}}
`)
	source := func(id string) api.Source {
		cam, err := c.Camera(t.Context(), id)
		if err != nil || len(cam.Sources) == 0 || id == "bad" && cam.Online {
			return api.Source{}
		}
		return cam.Sources[0]
	}
	hubtest.Eventually(t, "the good one is dialled", func() bool { return source("good").Code == "E-RTSP-REFUSED" })
	hubtest.Eventually(t, "the bad one says why not", func() bool { return source("bad").Code == "E-CFG-DEVICE" })
	got, err := c.Config(t.Context())
	if err != nil || !got.Valid || !slices.ContainsFunc(got.Problems, func(p api.ConfigProblem) bool {
		return p.Code == "E-CFG-DEVICE" && p.Path == "cameras.bad.source.every" && p.Line > 0
	}) {
		t.Errorf("%v %+v", err, got.Problems)
	}
}

// TestEffectiveIsWhatRuns: the terminal and the API say the same of a config in several
// files, and neither says a secret.
func TestEffectiveIsWhatRuns(t *testing.T) {
	dir, c := inProcess(t, porch)
	for name, text := range map[string]string{
		"more.yaml":    "cameras:\n  yard: {rotate: 90, source: {url: \"rtsp://127.0.0.1:1/a\", username: v, password: secret://yard}}\n",
		"secrets.yaml": "yard: swordfish\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(t, dir, hubtest.Config("include: [more.yaml]\n"+porch))
	var running api.Config
	hubtest.Eventually(t, "the second file is in force", func() bool {
		var err error
		running, err = c.Config(t.Context())
		return err == nil && running.Valid && strings.Contains(running.YAML, "yard")
	})
	shown, err := exec.Command(hubtest.Binary(t), "config", "show", "--effective", filepath.Join(dir, "porchlight.yaml")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if string(shown) != running.YAML {
		t.Errorf("the terminal:\n%s\nthe API:\n%s", shown, running.YAML)
	}
	if strings.Contains(running.YAML, "swordfish") || !strings.Contains(running.YAML, "rotate: 90") {
		t.Errorf("effective:\n%s", running.YAML)
	}
}
