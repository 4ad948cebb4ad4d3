package editor

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
)

// TestSchemaIsAsStrictAsTheHub: what an editor is given takes what the hub takes
// and refuses what a plugin would.
func TestSchemaIsAsStrictAsTheHub(t *testing.T) {
	raw, err := Schema(testOptions())
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Compile("editor", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		src  string
		good bool
	}{
		{string(example(t)), true},
		{config.DemoYAML(), true},
		{"cameras: {a: {source: {url: \"rtsp://x/\"}}}", true},
		{"cameras: {a: {plugin: rtsp, source: {url: secret://x}}}", true},
		{"cameras: {a: {source: {url: \"rtsp://x/\", nme: 1}}}", false},
		{"cameras: {a: {plugin: rtsp, source: {url: \"gopher://x/\"}}}", false},
		{"cameras:\nchimes:\n", true},
		{"cameras:\n  a:\nhub:\n", true},
		{"cameras: {a: {plugin: mine, source: {anything: 1}}}", true},
		{"plugins: {demo: {config: {visitors: 0}}}", false},
		{"plugins: {demo: {path: ./x, config: {other: 0}}}", true},
		{"plugins: {mine: {builtin: demo, config: {other: 0}}}", false},
		{"plugins: {speaker: {config: {other: 0}}}", false},
		{"chimes: {a: {builtin: webhook, url: \"http://x/\", volume: 3}}", true},
		{"chimes: {a: {builtin: webhook, ur: \"http://x/\"}}", false},
		{"chimes: {a: {builtin: browser, url: \"http://x/\"}}", false},
		{"chimes: {a: {plugin: speaker, sound: westminster, name: A}}", true},
		{"chimes: {a: {plugin: speaker, sound: westminister}}", false},
		{"chimes: {a: {plugin: mine, sound: x, anything: y}}", true},
	} {
		root, faults := tree.Read("x", c.src)
		if root == nil {
			t.Fatal(c.src, faults)
		}
		if got := s.Check(root, ""); (len(got) == 0) != c.good {
			t.Errorf("%.60q: %v", c.src, got)
		}
	}
}

// A plugin's own references still lead to its own parts.
func TestSchemaEmbedsReferences(t *testing.T) {
	opts := config.Options{Builtins: []string{"x"}, Schemas: map[string]config.PluginSchema{"x": {
		Config: json.RawMessage(`{"$id": "https://x/", "$defs": {"n": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/n"}, "self": {"$ref": "#"}}, "additionalProperties": false}`),
	}}}
	raw, err := Schema(opts)
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Compile("editor", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	for src, good := range map[string]bool{
		"plugins: {x: {config: {a: 1, self: {a: 2}}}}": true,
		"plugins: {x: {config: {a: b}}}":               false,
		"plugins: {x: {config: {self: {b: 1}}}}":       false,
	} {
		root, _ := tree.Read("x", src)
		if got := s.Check(root, ""); (len(got) == 0) != good {
			t.Errorf("%q: %v", src, got)
		}
	}
	for _, bad := range []string{"{", "[]", "7"} {
		opts.Schemas["x"] = config.PluginSchema{Device: json.RawMessage(bad)}
		if _, err := Schema(opts); err == nil {
			t.Errorf("%q was merged", bad)
		}
	}
}

func example(t *testing.T) []byte {
	t.Helper()
	b, err := os.ReadFile("../example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// testOptions are those of a hub with plugins of each kind.
func testOptions() config.Options {
	return config.Options{
		Builtins: []string{"demo", "homekit", "rtsp", "speaker", "webhook"},
		Schemas: map[string]config.PluginSchema{
			"demo": {
				Offers: []string{"camera"},
				Config: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {"visitors": {"type": "integer", "minimum": 1}}}`),
				Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {"url": {"type": "string"}}}`),
			},
			"rtsp": {Offers: []string{"camera"}, Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
				"url": {"type": "string", "pattern": "^(rtsp|rtsps|http|https)://"}, "username": {"type": "string"}}}`)},
			"webhook": {Offers: []string{"chime"}, Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "required": ["url"], "properties": {
				"url": {"type": "string", "format": "uri"}}}`)},
			"speaker": {Offers: []string{"chime"}, Device: json.RawMessage(`{"type": "object", "additionalProperties": false, "properties": {
				"sound": {"enum": ["ding_dong", "westminster"]}, "device": {"type": "string"}}}`)},
		},
	}
}
