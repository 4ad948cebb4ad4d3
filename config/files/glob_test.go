package files

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestGlobIsTheLibrarys: the same files in the same order.
func TestGlobIsTheLibrarys(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.yaml", ".b.yaml", "c.d/x.yaml", "c.d/y.yml", "e/c.d/x.yaml", "e[1]/z.yaml", "f/g/h.yaml"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("e", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil { // waits for nobody
		t.Fatal(err)
	}
	for _, pattern := range []string{"*", "*.yaml", ".*", "*/*", "*/*.yaml", "*/c.d/*", "c.d/?.y*ml", "link/*/x.yaml", "e\\[1]/*", "[cf]*/*", "none/*", "*/none", "pipe/*", "[", "*/[", "a[/]b", "c.d/../*.yaml", "./*"} {
		full := dir + "/" + pattern
		want, wantErr := filepath.Glob(full)
		got, looked, err := OS{}.Glob(full, 1000)
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) || looked == 0 && err == nil {
			t.Errorf("%s: %v %v after %d names, want %v %v", pattern, got, err, looked, want, wantErr)
		}
	}
	t.Chdir(dir)
	want, _ := filepath.Glob("*/*.yaml")
	if got, _, err := (OS{}).Glob("*/*.yaml", 1000); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
}

// TestPatternsAreBounded: neither one pattern nor all of them go through a whole disk.
func TestPatternsAreBounded(t *testing.T) {
	dir := t.TempDir()
	for folder, n := range map[string]int{"b": maxLooked - 100, "c": 200} {
		in := filepath.Join(dir, "a", folder)
		if err := os.MkdirAll(in, 0o700); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if err := os.WriteFile(filepath.Join(in, fmt.Sprintf("%d.txt", i)), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	main := filepath.Join(dir, "main.yaml")
	for name, c := range map[string]struct {
		lines []string
		line  int // of the fault; 0 for none
	}{
		"as a house has it": {[]string{"*.yaml", "a/*.yaml", "a/b/*.yaml"}, 0},
		"one":               {[]string{"*/*/*.yaml"}, 2},
		"all":               {slices.Repeat([]string{"a/b/*.t"}, 1+maxLookedAll/maxLooked), 6},
	} {
		s := Read(OS{}, main, []byte("include:\n- '"+strings.Join(c.lines, "'\n- '")+"'\n"))
		if c.line == 0 && len(s.Faults) > 0 || c.line > 0 && (len(s.Faults) == 0 || s.Faults[0].Code != "E-CFG-INCLUDE" || s.Faults[0].Pos.Line != c.line || s.Faults[0].Pos.File != main || !s.Broken) {
			t.Errorf("%s: %v", name, s.Faults)
		}
		if s.looked > 2*maxLookedAll {
			t.Errorf("%s: %d names", name, s.looked)
		}
		if name == "one" && slices.Contains(s.Watch, filepath.Join(dir, c.lines[0])) {
			t.Errorf("%s: it is watched, which looks at as many", name)
		}
	}
}
