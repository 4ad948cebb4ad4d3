package editor

import (
	"slices"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		path  string
		paths string   // what is found
		says  []string // all together
	}{
		{"pull", "cameras.<id>.pull", []string{"one of: auto, always, on_demand, battery", "default: auto"}},
		{"cameras.porch.pull", "cameras.<id>.pull", []string{"text"}},
		{"cameras.porch.ring.debounce", "cameras.<id>.ring.debounce", []string{"a length of time", "default: 3s"}},
		{"ring.debounce", "cameras.<id>.ring.debounce", nil},
		{"hub", "hub", []string{"keys: data_dir, insecure, language, listen"}},
		{"hub.log", "hub.log", []string{"keys: format, level"}},
		{"cameras.porch.source.url", "cameras.<id>.source.url", []string{"of the plugin rtsp", "of the plugin demo"}},
		{"plugins.demo.config.visitors", "plugins.<id>.config.visitors plugins.demo.config.visitors", []string{"a whole number, of the plugin demo"}},
		{"cameras.porch.name", "cameras.<id>.name", nil},
		{"include", "include", []string{"a list"}},
		{"nothing.at.all", "", nil},
	} {
		found, _, err := Explain(c.path, testOptions())
		if err != nil {
			t.Fatal(err)
		}
		var paths, text []string
		for _, k := range found {
			paths, text = append(paths, k.Path), append(text, k.String())
		}
		if got := strings.Join(slices.Compact(paths), " "); got != c.paths {
			t.Errorf("%s: found %s, want %s", c.path, got, c.paths)
		}
		for _, want := range c.says {
			if !strings.Contains(strings.Join(text, ""), want) {
				t.Errorf("%s: lacks %q:\n%s", c.path, want, strings.Join(text, ""))
			}
		}
	}
	if _, near, _ := Explain("cameras.porch.rotat", testOptions()); near != "rotate" {
		t.Errorf("did you mean %q", near)
	}
}
