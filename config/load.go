package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
)

// maxProblems ends a list that nobody would read to its end.
const maxProblems = 200

// Load reads and checks a file. The Config is nil if there is any error; all
// problems are told at once, in the order of the file.
func Load(path string, opts Options) (*Config, []Problem) {
	src, err := readFile(path)
	if err != nil {
		cause := err
		var pe *fs.PathError
		if errors.As(err, &pe) {
			cause = pe.Err
		}
		return nil, []Problem{{
			File: path, Severity: Error, Code: "E-CFG-READ", Message: fmt.Sprintf("the file cannot be read: %v", cause),
			Hint: "check the path and who may read it",
		}}
	}
	return Parse(path, src, opts)
}

// readFile reads at most one byte more than the limit.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe would wait for its writer
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	return io.ReadAll(io.LimitReader(f, tree.MaxFile+1))
}

// Parse checks the bytes of a file. name is shown in problems, and relative
// paths in the file start at its folder.
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

// loader is one run over one file.
type loader struct {
	opts   Options
	file   string
	own    *schema.Schema
	root   *tree.Node
	faults []tree.Fault
	later  []string // paths of blocks that are ignored
	drop   []string // paths of entries that this version leaves out
	page   *tree.Page
}

func parseWith(own *schema.Schema, name string, src []byte, opts Options) (*Config, []Problem) {
	l := &loader{opts: opts, file: name, own: own}
	return l.run(src)
}

func (l *loader) run(src []byte) (*Config, []Problem) {
	normal, faults := tree.Normal(l.file, src)
	if l.faults = faults; len(faults) > 0 {
		return nil, l.finish(normal)
	}
	if l.root, l.faults = tree.Read(l.file, normal); l.root == nil {
		return nil, l.finish(normal)
	}
	if l.root.Kind != tree.Map {
		l.errorAt(l.root.Pos, 1, "", "E-CFG-TYPE", "the file must be a block of keys such as version: 1, not %s", l.root.Kind)
		l.root.Hide(true)
		return nil, l.finish(normal)
	}
	l.root.HideSecrets()
	l.override()
	l.check(l.own, l.root, "")
	l.checkMeaning()
	l.warnLater()
	problems := l.finish(normal)
	if n, _ := Count(problems); n > 0 {
		return nil, problems
	}
	c, err := l.decode()
	if err != nil {
		return nil, append(problems, Problem{File: l.file, Severity: Error, Code: "E-CFG-VALUE", Message: err.Error()})
	}
	c.source = slices.Clone(src)
	return c, problems
}

// Masked is the text of a file as a page may show it, line by line the same, with
// secrets masked and comments left out; also of a file that is not valid.
func Masked(path string, opts Options) (string, error) {
	src, err := readFile(path)
	if err != nil {
		return "", fmt.Errorf("config: %w", err)
	}
	l := &loader{opts: opts, file: path, own: ownSchema()}
	l.run(src)
	return l.page.Masked(), nil
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
func (l *loader) finish(normal string) []Problem {
	l.page = tree.NewPage(normal, l.root, l.known)
	slices.SortStableFunc(l.faults, func(a, b tree.Fault) int {
		return cmp.Or(a.Pos.Line-b.Pos.Line, a.Pos.Column-b.Pos.Column, cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Message, b.Message))
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
		if p.File == l.file {
			p.Excerpt = l.page.Excerpt(f.Pos, f.Width)
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
		nil, {"hub"}, {"hub", "log"}, {"hub", "metrics"}, {"cameras", "x"}, {"cameras", "x", "ring"}, {"chimes", "x"},
		{"plugins", "x"}, {"plugins", "x", "limits"}, {"plugins", "x", "limits", "restart"}, {"plugins", "x", "limits", "health"},
	} {
		if slices.Contains(l.own.Keys(path...), key) {
			return true
		}
	}
	return false
}
