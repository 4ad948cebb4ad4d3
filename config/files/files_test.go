package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/config/tree"
)

func disk(texts map[string]string) Kept {
	k := Kept{Files: map[string][]byte{}, Vars: map[string]string{}}
	for path, text := range texts {
		k.Files[path] = []byte(text)
	}
	return k
}

func read(texts map[string]string) *Set {
	return Read(disk(texts), "/h/main.yaml", []byte(texts["/h/main.yaml"]))
}

func codes(faults []tree.Fault) []string {
	var out []string
	for _, f := range faults {
		out = append(out, f.Code)
	}
	return out
}

// TestBoundsOfIncludes: what blows up ends in a fault, quickly.
func TestBoundsOfIncludes(t *testing.T) {
	many := map[string]string{"/h/main.yaml": "include: [many/*.yaml]\n"}
	for i := range maxFiles + 50 {
		many[fmt.Sprintf("/h/many/%d.yaml", i)] = "# nothing\n"
	}
	chain := map[string]string{"/h/main.yaml": "include: [0.yaml]\n"}
	for i := range 2 * maxDepth {
		chain[fmt.Sprintf("/h/%d.yaml", i)] = fmt.Sprintf("include: [%d.yaml]\n", i+1)
	}
	all := map[string]string{"/h/main.yaml": "include: [\"*.yaml\"]\n"}
	for i := range 30 { // each of them names all
		all[fmt.Sprintf("/h/%d.yaml", i)] = "include: [\"*.yaml\"]\n"
	}
	lines := map[string]string{"/h/main.yaml": "include:\n" + strings.Repeat("- \"no*thing\"\n", maxFiles+1)}
	for name, c := range map[string]struct {
		texts map[string]string
		want  string
		files int
	}{
		"many lines":      {lines, "E-CFG-INCLUDE", 2},
		"many":            {many, "E-CFG-INCLUDE", maxFiles},
		"a long chain":    {chain, "E-CFG-INCLUDE", maxDepth + 1},
		"everybody's all": {all, "", 31},
	} {
		s := read(c.texts)
		if got := codes(s.Faults); c.want != "" && !slices.Contains(got, c.want) || c.want == "" && slices.ContainsFunc(got, func(code string) bool { return code != "E-CFG-INCLUDE" }) {
			t.Errorf("%s: %v", name, got)
		}
		if len(s.Files) > c.files {
			t.Errorf("%s: %d files were read", name, len(s.Files))
		}
	}
}

func TestMergeKeepsPlaces(t *testing.T) {
	s := read(map[string]string{
		"/h/main.yaml":  "include: [a.yaml, b.yaml]\ncameras:\n  x: {plugin: demo}\n",
		"/h/a.yaml":     "cameras:\n  y:\n    plugin: demo\n",
		"/h/b.yaml":     "cameras:\n  y:\n    rotate: 90\n  x:\n",
		"/h/other.yaml": "cameras: {z: {}}\n",
	})
	if len(s.Faults) > 0 {
		t.Fatal(s.Faults)
	}
	for path, want := range map[string]string{"x.plugin": "/h/main.yaml:3:7", "y.plugin": "/h/a.yaml:3:5", "y.rotate": "/h/b.yaml:3:5"} {
		at := s.Root.Get("cameras")
		steps := strings.Split(path, ".")
		if got := at.Get(steps[0]).Entry(steps[1]).Pos.String(); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
	if s.Root.Get("cameras", "z") != nil {
		t.Error("a file that nobody includes was read")
	}
	want := []string{"/h/main.yaml", "/h/a.yaml", "/h/b.yaml", "/h/secrets.yaml"}
	if !slices.Equal(s.Watch, want) {
		t.Errorf("watched: %v, want %v", s.Watch, want)
	}
}

func TestWhatIsWatched(t *testing.T) {
	s := read(map[string]string{"/h/main.yaml": "include: [conf.d/*.yaml, missing.yaml]\ncameras: {a: {source: {password: \"file:///run/x\"}}}\n", "/h/conf.d/1.yaml": "hub:\n"})
	want := []string{"/h/main.yaml", "/h/conf.d/*.yaml", "/h/missing.yaml", "/h/secrets.yaml", "/run/x"}
	if !slices.Equal(s.Watch, want) {
		t.Errorf("%v, want %v", s.Watch, want)
	}
}

// TestValuesOfFiles: what file:// names is a small text, without its last line end.
func TestValuesOfFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "v")
	for name, c := range map[string]struct {
		text string
		want string // empty: refused
	}{
		"a line": {"pass word\n", "pass word"}, "Windows": {"x\r\n", "x"}, "two lines": {"a\nb\n\n", "a\nb\n"}, "no end": {"x", "x"},
		"not UTF-8": {"a\xff", ""}, "too long": {strings.Repeat("x", maxValue+1), ""},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := Read(OS{}, filepath.Join(dir, "m.yaml"), []byte("hub: {name: file://"+path+"}\n"))
		got := s.Root.Get("hub", "name")
		if c.want == "" && len(s.Refs) != 1 || c.want != "" && (len(s.Refs) > 0 || got.Text != c.want) || !got.Secret {
			t.Errorf("%s: %q %v", name, got.Text, s.Refs)
		}
	}
	for _, special := range []string{dir, "/dev/zero", "/dev/stdin", "/proc/self/environ", "/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"} {
		if s := Read(OS{}, "m.yaml", []byte("hub: {name: file://"+special+"}\n")); len(s.Refs) != 1 {
			t.Errorf("%s was read", special)
		}
	}
}

// TestSecretsMode: others may not read the file.
func TestSecretsMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SecretsName)
	if err := os.WriteFile(path, []byte("a: b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		s := Read(OS{}, filepath.Join(dir, "m.yaml"), []byte("version: 1\n"))
		told := slices.ContainsFunc(s.Faults, func(f tree.Fault) bool { return f.Warning && f.Hint == "chmod 600 "+path })
		if told != want || s.Broken {
			t.Errorf("mode %o: %v", mode, s.Faults)
		}
	}
}

// TestEditSecrets: comments, order and other values stay.
func TestEditSecrets(t *testing.T) {
	const before = "# of the house\nfront: one # note\n\n# the yard\nyard: >-\n  two\n  lines\nlast: 'three'\n"
	for name, c := range map[string]struct{ name, value, want string }{
		"new":          {"gate", "p@:/#", before + "gate: \"p@:/#\"\n"},
		"the first":    {"front", "x", "# of the house\nfront: x\n\n# the yard\nyard: >-\n  two\n  lines\nlast: 'three'\n"},
		"of two lines": {"yard", "1", "# of the house\nfront: one # note\n\n# the yard\nyard: \"1\"\nlast: 'three'\n"},
		"the last":     {"last", "a\nb", "# of the house\nfront: one # note\n\n# the yard\nyard: >-\n  two\n  lines\nlast: \"a\\nb\"\n"},
	} {
		got, err := SetSecret([]byte(before), c.name, c.value)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	got, err := RemoveSecret([]byte(before), "yard")
	if want := "# of the house\nfront: one # note\n\n# the yard\nlast: 'three'\n"; err != nil || string(got) != want {
		t.Errorf("removed: %v\n%s", err, got)
	}
	got, err = RemoveSecret([]byte(before), "nobody")
	if err != nil || string(got) != before {
		t.Errorf("nobody removed: %v\n%s", err, got)
	}
	for src, want := range map[string]error{"a: [\n": ErrSecrets, "a: {b: c}\n": ErrSecrets, "- a\n": ErrSecrets} {
		if got, err := SetSecret([]byte(src), "x", "y"); !errors.Is(err, want) {
			t.Errorf("%q: %v %s", src, err, got)
		}
	}
	if _, err := SetSecret(nil, "a b", "x"); !errors.Is(err, ErrSecretName) {
		t.Error(err)
	}
}

// FuzzEditSecrets: whatever the file and the value, the value is read back and no other
// secret changes.
func FuzzEditSecrets(f *testing.F) {
	f.Add("a: b\n", "a", "c")
	f.Add("{a: b, c: d}\n", "e", "p@:/#'\"")
	f.Add("a: |\n  x\n  y\n# c\nb: 'q'\n", "b", "\n\t é\x7f")
	f.Add("", "n", "null")
	f.Add("? a\n: b\n", "a", "1_000")
	f.Fuzz(func(t *testing.T, src, name, value string) {
		next, err := SetSecret([]byte(src), name, value)
		if err != nil {
			return
		}
		before, _, _ := ReadSecrets(SecretsName, []byte(src))
		after, _, faults := ReadSecrets(SecretsName, next)
		if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r == '\ufffd' }) {
			return // refused by who asks, or not text
		}
		if len(faults) > 0 {
			t.Fatalf("%q: %v", next, faults)
		}
		have := map[string]string{}
		for _, e := range after {
			have[e.Key] = e.Value.Text
		}
		if have[name] != value {
			t.Errorf("%q is read back as %q of\n%s", value, have[name], next)
		}
		for _, e := range before {
			if e.Key != name && have[e.Key] != e.Value.Text {
				t.Errorf("%s was %q and is %q in\n%s", e.Key, e.Value.Text, have[e.Key], next)
			}
		}
		gone, err := RemoveSecret(next, name)
		left, _, faults := ReadSecrets(SecretsName, gone)
		if err != nil || len(faults) > 0 || slices.ContainsFunc(left, func(e tree.Entry) bool { return e.Key == name }) {
			t.Errorf("%v %v: %s is still in\n%s", err, faults, name, gone)
		}
	})
}
