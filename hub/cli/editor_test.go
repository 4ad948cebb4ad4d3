package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/config/editor"
)

// said is what a language server says of a file.
type said struct {
	Problems []string            `json:"problems"`
	Offers   map[string][]string `json:"offers"`
}

// inEditor opens text in a stock YAML language server, with the schema beside it.
func inEditor(t *testing.T, text string, places ...string) said {
	t.Helper()
	missing := func(what, how string) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: %s", what, how)
		}
		t.Skipf("%s is missing: %s", what, how)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		missing("node", "apt install nodejs npm")
	}
	server, err := filepath.Abs("../web/browser/node_modules/yaml-language-server/bin/yaml-language-server")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(server); err != nil {
		missing("yaml-language-server", "npm ci in hub/web/browser")
	}
	dir := t.TempDir()
	schema, err := editor.Schema(loadOptions())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "porchlight.yaml")
	if err := os.WriteFile(filepath.Join(dir, "porchlight.schema.json"), schema, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // of a server that never answers
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append([]string{"testdata/languageserver.mjs", server, file}, places...)...)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errOut.String())
	}
	var s said
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return s
}

const editorHead = "# yaml-language-server: $schema=./porchlight.schema.json\n"

// What is shipped is good in an editor too.
func TestEditorsTakeWhatIsShipped(t *testing.T) {
	example, err := os.ReadFile("../../config/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"example": editorHead + string(example), "demo": editorHead + config.DemoYAML(),
		"init": config.InitialYAML(false), "init --demo": config.InitialYAML(true),
	} {
		if got := inEditor(t, text); len(got.Problems) > 0 {
			t.Errorf("%s: %q", name, got.Problems)
		}
	}
}

// A stock language server completes and checks the file, a plugin's own keys too.
func TestEditorsCompleteAndCheck(t *testing.T) {
	text := editorHead + `version: 1
cameras:
  porch:
    plugin: rtsp
    source:
      url: rtsp://10.0.0.4/live
      
    pull: 
  yard:
    source:
      url: rtsp://10.0.0.4/live
      trnsport: tcp
chimes:
  up:
    builtin: webhook
    url: secret://x
    metod: POST
hub:
  lisen: 127.0.0.1:1
`
	got := inEditor(t, text, "8:7", "9:11")
	for _, place := range []string{"13:7", "18:5", "20:3"} {
		if !slices.ContainsFunc(got.Problems, func(p string) bool { return strings.HasPrefix(p, place+" ") }) {
			t.Errorf("nothing is told at %s: %q", place, got.Problems)
		}
	}
	if slices.ContainsFunc(got.Problems, func(p string) bool { return strings.HasPrefix(p, "17:") }) {
		t.Errorf("a reference is no mistake: %q", got.Problems)
	}
	for place, words := range map[string][]string{"8:7": {"username", "password", "transport"}, "9:11": {"auto", "on_demand"}} {
		for _, w := range words {
			if !slices.Contains(got.Offers[place], w) {
				t.Errorf("%s is not offered at %s: %q", w, place, got.Offers[place])
			}
		}
	}
}
