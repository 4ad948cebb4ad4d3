package config

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe in a file's place must be an error, not a wait for its writer.
func TestPipesInPlaceOfFiles(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(syscall.Mkfifo(filepath.Join(dir, lastGoodName), 0o600), syscall.Mkfifo(filepath.Join(dir, "house.yaml"), 0o600)); err != nil {
		t.Skip("no pipes here:", err)
	}
	if _, _, err := LoadLastGood(dir, Options{}); err == nil {
		t.Error("a pipe was kept as the last good config")
	}
	if c, problems := Load(filepath.Join(dir, "house.yaml"), Options{}); c != nil || len(problems) == 0 {
		t.Error("a pipe was taken for a config")
	}
}
