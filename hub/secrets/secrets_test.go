package secrets

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsAreTheirOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "secrets")
	s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, mode os.FileMode, text string) {
		t.Helper()
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(p, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("bell/token", 0o600, "swordfish\n")
	write("bell/open", 0o644, "herring")
	write("bell/big", 0o600, strings.Repeat("x", maxSecret+1))
	outside := filepath.Join(t.TempDir(), "passwd")
	if err := os.WriteFile(outside, []byte("root:x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "bell", "link")); err != nil {
		t.Fatal(err)
	}

	if v, err := s.Get("bell", "token"); err != nil || v != "swordfish" {
		t.Errorf("own secret: %q, %v", v, err)
	}
	if _, err := s.Get("other", "token"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another's secret: %v", err)
	}
	for _, name := range []string{"open", "big", "link", "../bell/token", "", "a/b", strings.Repeat("a", 65)} {
		if v, err := s.Get("bell", name); err == nil {
			t.Errorf("%q was read: %q", name, v)
		} else if strings.Contains(err.Error(), "herring") {
			t.Errorf("%q: the error holds the secret", name)
		}
	}
	if _, err := s.Get("../..", "token"); err == nil {
		t.Error("a name that climbs was taken")
	}
}

func TestRedactHidesWhatIsKnown(t *testing.T) {
	s, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.Know("sword")
	s.Know("swordfish")
	s.Know("abc") // too short to hide
	if got := s.Redact("login with swordfish, then sword, then abc"); got != "login with ***, then ***, then abc" {
		t.Errorf("redacted: %s", got)
	}
}
