package config

import (
	"cmp"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config/files"
	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
)

// maxProblems ends a list that nobody would read to its end.
const maxProblems = 200

// Load reads and checks a file, what it includes and its secrets. The Config is nil
// if there is any error; all problems of all files are told at once.
func Load(path string, opts Options) (*Config, []Problem) {
	src, err := opts.files().Read(path)
	if err != nil {
		return nil, []Problem{{
			File: path, Severity: Error, Code: "E-CFG-READ", Message: "the file cannot be read: " + files.Cause(err),
			Hint: "check the path and who may read it",
		}}
	}
	return Parse(path, src, opts)
}

// Parse checks the bytes of a main file. name is shown in problems; relative paths
// and includes in the file, and secrets.yaml, start at its folder.
func Parse(name string, src []byte, opts Options) (*Config, []Problem) {
	return parseWith(ownSchema(), name, src, opts)
}

func ownSchema() *schema.Schema {
	own, err := schema.Compile("porchlight.yaml", Schema(), formats())
	if err != nil {
		panic("config: own schema: " + err.Error()) // cannot happen: every test compiles it
	}
	return own
}

// loader is one run over one configuration.
type loader struct {
	opts   Options
	file   string
	own    *schema.Schema
	set    *files.Set
	root   *tree.Node
	faults []tree.Fault
	later  []string // paths of blocks that are ignored
	drop   []string // paths of entries that this version leaves out
	pages  map[string]*tree.Page

	compiled map[string]compiled // plugins' schemas by their text
}

type compiled struct {
	schema *schema.Schema
	err    error
}

func parseWith(own *schema.Schema, name string, src []byte, opts Options) (*Config, []Problem) {
	l := &loader{opts: opts, file: name, own: own}
	return l.run(src)
}

func (l *loader) run(src []byte) (*Config, []Problem) {
	l.set = files.Read(l.opts.files(), l.file, src)
	l.root, l.faults = l.set.Root, l.set.Faults
	if l.root == nil {
		return nil, l.finish()
	}
	hideSecrets(l.root)
	l.override()
	l.check(l.own, l.root, "")
	l.checkMeaning()
	l.warnLater()
	l.checkRefs()
	if l.set.Broken {
		l.forgive()
	}
	problems := l.finish()
	if n, _ := Count(problems); n > 0 {
		return nil, problems
	}
	c, err := l.decode()
	if err != nil {
		return nil, append(problems, Problem{File: l.file, Severity: Error, Code: "E-CFG-VALUE", Message: err.Error()})
	}
	return c, problems
}

// checkRefs tells of references that lead nowhere, where somebody reads them.
func (l *loader) checkRefs() {
	for _, f := range l.set.Refs {
		if !slices.ContainsFunc(l.later, func(p string) bool { return f.Path == p || strings.HasPrefix(f.Path, p+".") }) {
			l.faults = append(l.faults, f)
		}
	}
}

// forgive drops what is only missing because a file could not be read.
func (l *loader) forgive() {
	l.faults = slices.DeleteFunc(l.faults, func(f tree.Fault) bool {
		switch f.Code {
		case "E-CFG-UNKNOWN-PLUGIN", "E-CFG-UNKNOWN-SECRET", "E-CFG-MISSING":
			return true
		}
		return false
	})
}

func (l *loader) errorAt(p Position, width int, path, code, format string, args ...any) {
	f := tree.At(p, width, code, format, args...)
	f.Path = path
	l.faults = append(l.faults, f)
}

func (l *loader) warnAt(e *tree.Entry, path, code, format string, args ...any) {
	l.errorAt(e.Pos, len(e.Key), path, code, format, args...)
	l.faults[len(l.faults)-1].Warning = true
}

// check holds a part against a schema. base is where the part lies in the whole.
func (l *loader) check(s *schema.Schema, part *tree.Node, base string) {
	l.faults = append(l.faults, s.Check(part, base)...)
}

// finish orders the problems by place and adds their excerpts.
func (l *loader) finish() []Problem {
	l.pages = map[string]*tree.Page{}
	order := map[string]int{}
	for i, f := range l.set.Files {
		root, known := f.Root, l.known
		if f.Kind == files.Secrets {
			known = func(string) bool { return false }
		} else if root != nil && root.Kind == tree.Map {
			root = cmp.Or(l.root, root)
		}
		l.pages[f.Path] = tree.NewPage(f.Path, f.Normal, root, known)
		order[f.Path] = i + 1
	}
	slices.SortStableFunc(l.faults, func(a, b tree.Fault) int {
		return cmp.Or(order[a.Pos.File]-order[b.Pos.File], a.Pos.Line-b.Pos.Line, a.Pos.Column-b.Pos.Column,
			cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Message, b.Message))
	})
	var out []Problem
	for _, f := range l.faults {
		if len(out) == maxProblems {
			break
		}
		p := Problem{
			File: f.Pos.File, Line: f.Pos.Line, Column: f.Pos.Column, Severity: Error, Code: f.Code, Message: tree.Visible(f.Message),
			Suggestion: tree.Visible(f.Suggestion), Hint: tree.Visible(f.Hint), Path: tree.Visible(f.Path),
		}
		if f.Warning {
			p.Severity = Warning
		}
		if page := l.pages[p.File]; page != nil {
			p.Excerpt = page.Excerpt(f.Pos, f.Width)
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// known tells whether the format has such a key anywhere.
func (l *loader) known(key string) bool {
	for _, path := range [][]string{
		nil, {"hub"}, {"hub", "log"}, {"hub", "metrics"}, {"hub", "tls"}, {"hub", "webrtc"}, {"hub", "rtsp"}, {"cameras", "x"}, {"cameras", "x", "ring"}, {"cameras", "x", "streams"}, {"chimes", "x"},
		{"plugins", "x"}, {"plugins", "x", "limits"}, {"plugins", "x", "limits", "restart"}, {"plugins", "x", "limits", "health"},
	} {
		if slices.Contains(l.own.Keys(path...), key) {
			return true
		}
	}
	return false
}
