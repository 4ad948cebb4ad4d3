package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func code(err error) string {
	var c interface{ Code() string }
	if errors.As(err, &c) {
		return c.Code()
	}
	return ""
}

func TestMigrateStepsOnceAndKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder with ? and %41 #", "hub.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	steps := []string{`CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)`}
	d, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(t.Context(), "access", steps); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("want a file of mode 0600 at the very path, got %v, %v", st, err)
	}

	steps = append(steps, `INSERT INTO a VALUES (2)`)
	d, err = Open(t.Context(), path, Room{"access", steps})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var n int
	if err := d.SQL().QueryRow(`SELECT sum(x) FROM a`).Scan(&n); err != nil || n != 3 {
		t.Fatalf("sum %d, %v; want 3: each step once", n, err)
	}
	if err := d.Migrate(t.Context(), "access", append(steps, `INSERT INTO a VALUES (4)`, `not sql`)); err == nil {
		t.Fatal("a broken step went through")
	}
	if err := d.SQL().QueryRow(`SELECT sum(x) FROM a`).Scan(&n); err != nil || n != 3 {
		t.Fatalf("sum %d, %v; want 3: a broken step takes the others back", n, err)
	}
}

func TestNewerIsRefusedUntouched(t *testing.T) {
	for _, name := range []string{"closed", "killed"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "hub.db")
			d, err := Open(t.Context(), path, Room{"rules", []string{`CREATE TABLE r (x)`}}, Room{"access", []string{`CREATE TABLE a (x)`, `CREATE TABLE b (x)`}})
			if err != nil {
				t.Fatal(err)
			}
			if name == "killed" { // the -wal still holds what the file does not: as after SIGKILL
				there := filepath.Join(t.TempDir(), "hub.db")
				for _, suffix := range []string{"", "-wal"} {
					if err := os.WriteFile(there+suffix, read(t, path+suffix), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				path = there
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			before, wal := read(t, path), read(t, path+"-wal")
			if name == "killed" && len(wal) == 0 {
				t.Fatal("no -wal to test with")
			}

			// "rules" would have a step to do, which must not happen either.
			_, err = Open(t.Context(), path, Room{"rules", []string{`CREATE TABLE r (x)`, `CREATE TABLE r2 (x)`}}, Room{"access", []string{`CREATE TABLE a (x)`}})
			if code(err) != CodeNewer || !strings.Contains(err.Error(), `"access" has version 2`) {
				t.Fatalf("got %v (code %s), want %s with the room and its version", err, code(err), CodeNewer)
			}
			d, err = Open(t.Context(), path)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Migrate(t.Context(), "access", []string{`CREATE TABLE a (x)`}); code(err) != CodeNewer {
				t.Fatalf("got %v, want %s", err, CodeNewer)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before, read(t, path)) || !bytes.Equal(wal, read(t, path+"-wal")) {
				t.Fatal("the refused file was changed")
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return b
}

func TestDamagedIsNamed(t *testing.T) {
	whole := filepath.Join(t.TempDir(), "hub.db")
	d, err := Open(t.Context(), whole, Room{"access", []string{`CREATE TABLE a (x)`}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	good := read(t, whole)
	torn := bytes.Clone(good)
	for i := 100; i < len(torn); i++ {
		torn[i] = 0xA5
	}
	for name, b := range map[string][]byte{
		"text": []byte("hello, I am a text file\n"), "short": good[:60], "torn pages": torn, "zeros": make([]byte, 8192),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hub.db")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(t.Context(), path, Room{"access", []string{`CREATE TABLE a (x)`}})
			if code(err) != CodeDamaged {
				t.Fatalf("got %v (code %q), want %s", err, code(err), CodeDamaged)
			}
			var h interface{ Hint() string }
			if !errors.As(err, &h) || h.Hint() == "" {
				t.Fatal("no hint")
			}
			if !bytes.Equal(b, read(t, path)) {
				t.Fatal("the damaged file was changed")
			}
		})
	}
}

func TestUnusablePlaceIsNamed(t *testing.T) {
	_, err := Open(t.Context(), filepath.Join(t.TempDir(), "no such folder", "hub.db"))
	if code(err) != CodeOpen {
		t.Fatalf("got %v (code %q), want %s", err, code(err), CodeOpen)
	}
	dir := t.TempDir() // a folder where the file should be
	if _, err := OpenSQLite(t.Context(), dir); code(err) != CodeOpen {
		t.Fatalf("got %v (code %q), want %s", err, code(err), CodeOpen)
	}
}

// A pipe in the file's place must be an error, not a wait for its writer.
func TestPipeInTheFilesPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hub.db")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no pipes here:", err)
	}
	if _, err := Open(t.Context(), path); code(err) != CodeOpen {
		t.Errorf("got %v (code %q), want %s", err, code(err), CodeOpen)
	}
	if _, err := OpenSQLite(t.Context(), path); code(err) != CodeOpen {
		t.Errorf("got %v (code %q), want %s", err, code(err), CodeOpen)
	}
}
