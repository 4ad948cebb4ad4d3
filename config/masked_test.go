package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMaskedKeepsLinesAndHidesSecrets(t *testing.T) {
	const text = `version: 1 # do not show: hunter2
cameras:
  porch:
    plugin: demo
    source: {address: 192.0.2.4, password: hunter2}
    pasword: hunter2
`
	for name, src := range map[string]string{"readable": text, "broken": text + "  [\n", "not UTF-8": text + "\xff\xfe\n"} {
		file := filepath.Join(t.TempDir(), "porchlight.yaml")
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Masked(file, Options{Builtins: []string{"demo"}})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: a secret is shown:\n%s", name, got)
		}
		if name == "readable" && (strings.Count(got, "\n") != strings.Count(src, "\n") || !strings.Contains(got, "192.0.2.4") || !strings.Contains(got, "pasword:")) {
			t.Errorf("%s: want the same lines:\n%s", name, got)
		}
	}
	if _, err := Masked(filepath.Join(t.TempDir(), "nothing.yaml"), Options{}); err == nil {
		t.Error("a file that is not there was shown")
	}
}
