package certs

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in a file's place must be an error, not a wait for its writer that keeps the
// whole hub from starting.
func TestPipesInPlaceOfFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), syscall.Mkfifo(filepath.Join(dir, caFile), 0o600)); err != nil {
		t.Fatal(err)
	}
	for what, o := range map[string]Options{
		"the owner's files": {Mode: ModeFiles, CertFile: pipe, KeyFile: pipe},
		"the authority's":   {Mode: ModeLocalCA},
	} {
		if err := open(t, dir, o).Trouble(); err == nil || !strings.Contains(err.Error(), "no file") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
