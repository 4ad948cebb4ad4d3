package app

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestDataFolderThatIsInTheWay(t *testing.T) {
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, prepare := range map[string]func(dir string) error{
		"a file for the folder": func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"a file for run": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(filepath.Join(dir, "run"), nil, 0o600))
		},
		"a link for run": func(dir string) error {
			return errors.Join(os.Mkdir(dir, 0o700), os.Symlink(filepath.Dir(precious), filepath.Join(dir, "run")))
		},
		"a folder for the lock": func(dir string) error { return os.MkdirAll(filepath.Join(dir, "run", "hub.lock"), 0o700) },
		"a link for the lock": func(dir string) error {
			return errors.Join(os.MkdirAll(filepath.Join(dir, "run"), 0o700), os.Symlink(precious, filepath.Join(dir, "run", "hub.lock")))
		},
	} {
		dir := filepath.Join(t.TempDir(), "data")
		if err := prepare(dir); err != nil {
			t.Fatal(err)
		}
		f, err := lock(dir)
		var typed *DataError
		if !errors.As(err, &typed) || typed.Code() == "" || typed.Hint() == "" {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if b, err := os.ReadFile(precious); err != nil || string(b) != "precious" {
		t.Errorf("what a link led to was changed: %q, %v", b, err)
	}
}

func TestDataFolderIsClosedToOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	f, err := lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	var taken *TakenError
	if _, err := lock(dir); !errors.As(err, &taken) {
		t.Errorf("locked twice: %v", err)
	}
}
