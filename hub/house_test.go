package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/doctor"
)

const module = "github.com/porchlight-hub/porchlight/"

// arrow is one line of the law: rooms that match from may import, of ours, only
// what matches to.
type arrow struct {
	from string // path.Match pattern, or a prefix ending in /...
	to   []string
	why  string
}

// ground is the floor that every room may stand on.
func ground() []string {
	return []string{"hub/bus", "hub/media", "hub/store", "hub/secrets", "sdk/...", "config"}
}

// arrows, most particular first; the first that matches counts.
func arrows() []arrow {
	return []arrow{
		{"config/...", []string{"config/..."}, "the format runs nothing and knows nobody"},
		{"sdk/event", []string{"sdk/proto/pluginv1"}, "the words of the house carry no gRPC"},
		{"sdk/av", []string{"sdk/event"}, "media carries no gRPC"},
		{"sdk/...", []string{"sdk/..."}, "an sdk that imports its host cannot stand alone"},
		{"plugins", []string{"sdk", "sdk/manifest", "plugins/*", "plugins/*/about"}, "the list of what ships"},
		{"plugins/...", []string{"sdk/...", "SAME"}, "plugins know the sdk and themselves, never another plugin"},
		{"examples/...", []string{"sdk/...", "SAME"}, "examples are written as strangers would"},
		{"hub", []string{"hub/cli"}, "main hands over"},
		{"hub/bus/...", []string{"sdk/...", "config", "hub/store", "hub/bus/..."}, "the ground floor imports no other room; the journal opens its file as hub.db is opened"},
		{"hub/media", []string{"sdk/...", "config"}, "the ground floor imports no other room"},
		{"hub/store", []string{"sdk/...", "config"}, "the ground floor imports no other room"},
		{"hub/secrets", []string{"sdk/...", "config"}, "the ground floor imports no other room"},
		{"hub/watch", nil, "it watches a folder and knows nobody"},
		{"hub/media/pull", append(ground(), "hub/media/rtsp"), "it decides when to pull, rtsp how"},
		{"hub/media/rtsp/...", append(ground(), "hub/media/rtsp/..."), "one matter"},
		{"hub/media/sound", []string{"sdk/av"}, "samples in, samples out"},
		{"hub/media/convert/...", append(ground(), "hub/media/sound", "hub/media/convert/..."), "one matter; what Go can do of sound is done in its own room"},
		{"hub/media/talk", append(ground(), "hub/media/sound"), "speech is turned into what the door takes"},
		{"hub/media/whep/...", append(ground(), "hub/media/whep/..."), "one matter"},
		{"hub/media/restream/...", append(ground(), "hub/media/restream/..."), "one matter"},
		{"hub/media/*", ground(), "media's ways in and out know the ring, not each other"},
		{"hub/supervisor/...", append(ground(), "hub/supervisor/..."), "processes are one matter, permissions another"},
		{"hub/doctor", []string{"hub/*", "hub/media/*", "sdk/...", "config"}, "it reads what rooms export"},
		{"hub/app", []string{"..."}, "it knows everybody and decides nothing"},
		{"hub/hubtest/...", []string{"..."}, "a whole hub for tests, and who stands around it"},
		{"hub/cli", []string{"..."}, "it presents, and holds the list of what ships"},
		{"hub/web/...", []string{"hub/*", "hub/web/...", "hub/media/*", "sdk/...", "config"}, "pages read what rooms export"},
		{"hub/*", append(ground(), "SAME"), "rooms meet by interfaces declared where they are used"},
	}
}

// onlyBy says who alone may import a package.
func onlyBy() map[string][]string {
	return map[string][]string{
		"sdk/wire": {"sdk", "sdk/internal/...", "sdk/plugintest", "sdk/plugintest/...", "hub/supervisor", "hub/supervisor/..."},
		"plugins":  {"hub/cli"},
		"hub/app":  {"hub/cli", "hub/hubtest"},
		"hub/cli":  {"hub"},
	}
}

func matches(pattern, pkg string) bool {
	if pattern == "..." {
		return true
	}
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	ok, err := path.Match(pattern, pkg)
	return err == nil && ok
}

// source is one parsed file of ours.
type source struct {
	file, pkg string // relative to the root, with /
	ast       *ast.File
	generated bool
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	set := token.NewFileSet()
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(p, ".."+string(filepath.Separator)))
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && p != ".." || slices.Contains([]string{"testdata", "node_modules", "bin", "dist", "bench"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		f, err := parser.ParseFile(set, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		out = append(out, source{file: rel, pkg: path.Dir(rel), ast: f, generated: ast.IsGenerated(f)})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

func TestHouseArrows(t *testing.T) {
	for _, s := range sources(t) {
		for _, imp := range s.ast.Imports {
			to, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), module)
			if !ours || to == s.pkg {
				continue
			}
			for target, by := range onlyBy() {
				if to == target && !isTest(s.file) && !slices.ContainsFunc(by, func(p string) bool { return matches(p, s.pkg) }) {
					t.Errorf("%s imports %s, which only %s may", s.file, to, strings.Join(by, ", "))
				}
			}
			if isTest(s.file) { // a test may bring in what it tests against
				continue
			}
			i := slices.IndexFunc(arrows(), func(a arrow) bool { return matches(a.from, s.pkg) })
			if i < 0 {
				t.Errorf("%s: no law for this room; add a line to arrows", s.pkg)
				continue
			}
			a := arrows()[i]
			if !slices.ContainsFunc(a.to, func(p string) bool {
				if p == "SAME" {
					first := strings.Join(strings.SplitN(s.pkg, "/", 3)[:2], "/")
					return matches(first+"/...", to)
				}
				return matches(p, to)
			}) {
				t.Errorf("%s imports %s: %s", s.file, to, a.why)
			}
		}
	}
}

func TestHousePackageDocs(t *testing.T) {
	has := map[string]bool{}
	for _, s := range sources(t) {
		if isTest(s.file) {
			continue
		}
		has[s.pkg] = has[s.pkg] || s.generated || s.ast.Doc != nil && len(s.ast.Doc.List) > 0
	}
	for _, pkg := range slices.Sorted(maps.Keys(has)) {
		if !has[pkg] {
			t.Errorf("%s has no package doc: say what it promises, what it never does, which file to read first", pkg)
		}
	}
}

func TestHouseNames(t *testing.T) {
	banned := []string{"util", "utils", "helper", "helpers", "common", "misc", "types", "manager"}
	for _, s := range sources(t) {
		for part := range strings.SplitSeq(strings.TrimSuffix(s.file, ".go"), "/") {
			for word := range strings.SplitSeq(part, "_") {
				if slices.Contains(banned, word) {
					t.Errorf("%s: %q says nothing; name it after what it does", s.file, word)
				}
			}
		}
	}
}

// TestHouseNoGlobals: nothing happens at import, and no package holds state.
func TestHouseNoGlobals(t *testing.T) {
	for _, s := range sources(t) {
		if s.generated || isTest(s.file) || strings.HasPrefix(s.file, "examples/") || strings.HasPrefix(s.file, "plugins/demo/loop/draw/") {
			continue
		}
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init", s.file)
			}
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			for _, spec := range g.Specs {
				v := spec.(*ast.ValueSpec)
				if !isConstant(v) && !embedded(g, v) {
					t.Errorf("%s: package variable %s can change; make it a field, a constant or a function", s.file, v.Names[0].Name)
				}
			}
		}
	}
}

// isConstant: sentinels, patterns and other values that nothing changes.
func isConstant(v *ast.ValueSpec) bool {
	if name := v.Names[0].Name; name == "_" || name == "version" || strings.HasPrefix(name, "Err") {
		return true
	}
	if len(v.Values) == 0 {
		return false
	}
	for _, val := range v.Values {
		call, ok := val.(*ast.CallExpr)
		if !ok {
			return false
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		pkg, ok := sel.X.(*ast.Ident)
		if !ok || !slices.Contains([]string{"errors.New", "regexp.MustCompile"}, pkg.Name+"."+sel.Sel.Name) {
			return false
		}
	}
	return true
}

func embedded(g *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{g.Doc, v.Doc} {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if strings.HasPrefix(c.Text, "//go:embed ") {
				return true
			}
		}
	}
	return false
}

func TestHouseErrorCodesHaveTexts(t *testing.T) {
	code := regexp.MustCompile(`"(E-[A-Z]+(?:-[A-Z0-9]+)+)"`)
	for _, s := range sources(t) {
		if isTest(s.file) || strings.HasPrefix(s.file, "hub/doctor/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join("..", s.file))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range code.FindAllStringSubmatch(string(b), -1) {
			if _, ok := doctor.Explain(m[1]); !ok {
				t.Errorf("%s: %s has no text in hub/doctor", s.file, m[1])
			}
		}
	}
}

// TestHouseLinks: every relative link and every file named in the docs is there.
func TestHouseLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)
	named := regexp.MustCompile("`((?:hub|sdk|plugins|config|docs|examples|\\.ci)/[A-Za-z0-9_./-]*[A-Za-z0-9_-])`")
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(p, ".md") {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), m[1])); err != nil {
				t.Errorf("%s: link to %s leads nowhere", p, m[1])
			}
		}
		for _, m := range named.FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat(filepath.Join("..", m[1])); err != nil {
				t.Errorf("%s: names %s, which is not there", p, m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestHouseSpeaksOfItselfAlone: no path of a builder's machine, no registry's host.
func TestHouseSpeaksOfItselfAlone(t *testing.T) {
	banned := regexp.MustCompile(`/work/|proxy\.golang\.org|registry\.npmjs|deb\.debian\.org`)
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{"node_modules", ".git", "bin", "dist"}, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(p, "house_test.go") || strings.HasSuffix(p, ".test") || !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		if m := banned.Find(b); m != nil {
			t.Errorf("%s: holds %q", p, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
