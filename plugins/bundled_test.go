package plugins

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEachBundledPluginIsDescribed(t *testing.T) {
	table, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range Bundled() {
		if seen[e.Name] {
			t.Errorf("%s is listed twice", e.Name)
		}
		seen[e.Name] = true
		if (e.New == nil) == (e.Binary == "") {
			t.Errorf("%s: is either in the hub's binary or in one of its own", e.Name)
		}
		if !strings.Contains(string(table), "["+e.Name+"]("+e.Name+"/README.md)") {
			t.Errorf("%s has no row in README.md", e.Name)
		}
		for _, f := range []string{"README.md", "doc.go", "plugin.go"} {
			if _, err := os.Stat(filepath.Join(e.Name, f)); err != nil {
				t.Error(err)
			}
		}
		m := e.Manifest()
		if !strings.HasSuffix(m.ID, "."+e.Name) || m.Complete().Validate() != nil {
			t.Errorf("%s: manifest of %q: %v", e.Name, m.ID, m.Complete().Validate())
		}
	}
}
