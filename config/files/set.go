package files

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// Limits of what one configuration may be made of.
const (
	maxFiles = 200
	maxDepth = 8
	maxBytes = 2 << 20 // of the main file and all that it includes

	maxLooked    = 5_000  // names of folders that one pattern may look at
	maxLookedAll = 20_000 // and all patterns together
)

// SecretsName is the file of secrets, beside the main file.
const SecretsName = "secrets.yaml"

// Kind says what a file is for.
type Kind string

// The kinds of files.
const (
	Main    Kind = "main"
	Include Kind = "include"
	Secrets Kind = "secrets"
	Value   Kind = "value" // what a file:// reference names
)

// File is one file that was read.
type File struct {
	Path   string
	Kind   Kind
	Src    []byte
	Normal string     // the text as the scanner and the pages know it
	Root   *tree.Node // nil where it could not be read; its keys are in the set's tree
}

// Set is everything that makes one configuration.
type Set struct {
	Root  *tree.Node // the merged tree; nil where the main file could not be read
	Files []File     // in the order they were read, the main file first
	// Watch are files and patterns that a change of which may change the set, those
	// that are not there (yet) among them.
	Watch []string
	// Faults of the files, and of references apart: some of these stand in parts that
	// nobody reads.
	Faults []tree.Fault
	Refs   []tree.Fault
	// Broken tells that a file could not be read or understood, so that what it
	// defines is unknown and not missing.
	Broken bool
	Vars   map[string]string // the variables that were asked for and were there

	disk    Disk
	room    *tree.Room
	bytes   int // of the main file and all that it includes
	looked  int // names that patterns have looked at
	secrets map[string]string
	names   bool // secrets.yaml is there
}

// Read reads the main file's includes and secrets. src are the main file's bytes,
// path its name: what is relative in it begins at its folder.
func Read(disk Disk, path string, src []byte) *Set {
	s := &Set{disk: disk, room: tree.NewRoom(), bytes: len(src), Vars: map[string]string{}, secrets: map[string]string{}}
	s.Watch = append(s.Watch, path)
	s.Root = s.take(path, src, Main, nil)
	if s.Root != nil {
		s.readSecrets(filepath.Join(filepath.Dir(path), SecretsName))
		s.follow()
	}
	return s
}

// Secret gives a secret's value.
func (s *Set) Secret(name string) (string, bool) {
	v, ok := s.secrets[name]
	return v, ok
}

// SecretNames lists the secrets that there are.
func (s *Set) SecretNames() []string {
	out := make([]string, 0, len(s.secrets))
	for name := range s.secrets {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// SecretValues are the values of all secrets.
func (s *Set) SecretValues() []string {
	var out []string
	for _, name := range s.SecretNames() {
		out = append(out, s.secrets[name])
	}
	return out
}

func (s *Set) fault(p tree.Position, width int, path, code, format string, args ...any) *tree.Fault {
	f := tree.At(p, width, code, format, args...)
	f.Path = path
	s.Faults = append(s.Faults, f)
	return &s.Faults[len(s.Faults)-1]
}

// take reads a file's text and what it includes; chain are the files that lead to
// it. The tree is nil where there is nothing to merge.
func (s *Set) take(path string, src []byte, kind Kind, chain []string) *tree.Node {
	s.Files = append(s.Files, File{Path: path, Kind: kind, Src: src})
	at := len(s.Files) - 1
	normal, faults := tree.Normal(path, src)
	s.Files[at].Normal = normal
	var root *tree.Node
	if len(faults) == 0 {
		root, faults = tree.ReadInto(s.room, path, normal)
	}
	if root == nil && kind == Include && isComments(faults, normal) {
		root, faults = &tree.Node{Kind: tree.Map, Pos: tree.Position{File: path, Line: 1, Column: 1}}, nil
	}
	s.Faults = append(s.Faults, faults...)
	if root != nil && root.Kind != tree.Map {
		s.fault(root.Pos, 1, "", "E-CFG-TYPE", "the file must be a block of keys such as version: 1, not %s", root.Kind)
		root.Hide(true)
		s.Files[at].Root, s.Broken = root, true
		return nil
	}
	s.Files[at].Root = root
	if root == nil {
		s.Broken = true
		return nil
	}
	s.includes(root, path, append(slices.Clone(chain), path))
	return root
}

// isComments tells that an included file holds comments only, which says nothing and
// is no mistake; an empty one may be half written.
func isComments(faults []tree.Fault, normal string) bool {
	return len(faults) == 1 && faults[0].Code == "E-CFG-EMPTY" && strings.TrimSpace(normal) != ""
}

// includes merges the files that root names into it.
func (s *Set) includes(root *tree.Node, path string, chain []string) {
	e := root.Entry("include")
	if e == nil {
		return
	}
	list := e.Value
	root.Twice = append(root.Twice, *e)
	root.Entries = slices.DeleteFunc(root.Entries, func(e tree.Entry) bool { return e.Key == "include" })
	if list.Kind == tree.Null {
		return
	}
	if list.Kind != tree.List {
		f := s.fault(list.Pos, list.Width(), "include", "E-CFG-TYPE", "include must be a list, not %s", list.Kind)
		f.Hint = "write include: [conf.d/*.yaml]"
		return
	}
	if len(list.Items) > maxFiles { // each may be a pattern that is looked for in thousands of folders
		s.fault(list.Pos, list.Width(), "include", "E-CFG-INCLUDE", "include has more than %d lines", maxFiles)
		return
	}
	if len(chain) > maxDepth {
		s.fault(list.Pos, list.Width(), "include", "E-CFG-INCLUDE", "files include each other more than %d deep", maxDepth)
		return
	}
	for i, item := range list.Items {
		where := fmt.Sprintf("include[%d]", i)
		if item.Kind != tree.Text || item.Text == "" {
			s.fault(item.Pos, item.Width(), where, "E-CFG-TYPE", "include: each line must be the name of a file or a pattern, not %s", item.Kind)
			continue
		}
		for _, file := range s.named(item, path, where, chain) {
			s.include(root, file, item, where, chain)
		}
	}
}

// named lists the files that one line of include means.
func (s *Set) named(item *tree.Node, from, where string, chain []string) []string {
	full := item.Text
	if !filepath.IsAbs(full) {
		full = filepath.Join(filepath.Dir(from), full)
	}
	if !strings.ContainsAny(item.Text, "*?[") {
		s.Watch = append(s.Watch, full)
		if slices.Contains(chain, full) {
			s.fault(item.Pos, item.Width(), where, "E-CFG-INCLUDE-CYCLE", "%s includes itself: %s", tree.Clip(item.Text), circle(chain, full))
			return nil
		}
		return []string{full}
	}
	if strings.Contains(item.Text, "**") {
		f := s.fault(item.Pos, item.Width(), where, "E-CFG-INCLUDE", "include: %s: ** has no meaning here", tree.Clip(item.Text))
		f.Hint = "name each folder, as [conf.d/*.yaml, conf.d/cameras/*.yaml]"
		return nil
	}
	found, looked, err := s.disk.Glob(full, min(maxLooked, maxLookedAll-s.looked))
	s.looked += looked
	if errors.Is(err, errManyNames) {
		f := s.fault(item.Pos, item.Width(), where, "E-CFG-INCLUDE", "include: %s looks at too many files and folders (at most %d, and %d for all patterns)", tree.Clip(item.Text), maxLooked, maxLookedAll)
		f.Hint = "name the folders, and leave the pattern to the last part, as [conf.d/*.yaml]"
		s.Broken = true
		return nil
	}
	if err != nil {
		s.fault(item.Pos, item.Width(), where, "E-CFG-INCLUDE", "include: %s is not a pattern: a [ is never closed", tree.Clip(item.Text))
		return nil
	}
	s.Watch = append(s.Watch, full)
	hidden := strings.HasPrefix(filepath.Base(full), ".")
	return slices.DeleteFunc(found, func(file string) bool {
		base := filepath.Base(file) // editors leave files such as .#name behind
		return slices.Contains(chain, file) || base == SecretsName || strings.HasPrefix(base, ".") && !hidden
	})
}

func circle(chain []string, again string) string {
	names := []string{}
	for _, f := range append(slices.Clone(chain[slices.Index(chain, again):]), again) {
		names = append(names, filepath.Base(f))
	}
	return strings.Join(names, " → ")
}

func (s *Set) include(root *tree.Node, file string, item *tree.Node, where string, chain []string) {
	if slices.ContainsFunc(s.Files, func(f File) bool { return f.Path == file }) {
		return // named twice, or by a pattern and by name
	}
	if s.room.Full() || s.bytes > maxBytes { // it has been told
		return
	}
	if len(s.Files) == maxFiles {
		s.fault(item.Pos, item.Width(), where, "E-CFG-INCLUDE", "more than %d files are included", maxFiles)
		s.Broken = true
		return
	}
	src, err := s.disk.Read(file)
	if err != nil {
		f := s.fault(item.Pos, item.Width(), where, "E-CFG-INCLUDE", "include: %s cannot be read: %s", tree.Clip(item.Text), Cause(err))
		if errors.Is(err, fs.ErrNotExist) {
			f.Hint = "correct the name, or write a pattern such as conf.d/*.yaml, which may match nothing"
		} else if errors.Is(err, errNoFile) {
			f.Hint = "for all files of a folder write conf.d/*.yaml"
		}
		s.Broken = true
		return
	}
	if s.bytes += len(src); s.bytes > maxBytes {
		s.fault(item.Pos, item.Width(), where, "E-CFG-TOO-LARGE", "with %s the included files have more than %d bytes together", filepath.Base(file), maxBytes)
		s.Broken = true
		return
	}
	part := s.take(file, src, Include, chain)
	if part == nil {
		return
	}
	s.version(root, part)
	s.merge(root, part, "")
}

// Cause is why a file could not be read, without its path.
func Cause(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return err.Error()
}

// version of an included file may be told, and is then the including one's.
func (s *Set) version(root, part *tree.Node) {
	e := part.Entry("version")
	if e == nil {
		return
	}
	whole := root.Get("version")
	if whole.IsSet() && e.Value.IsSet() && whole.Text != e.Value.Text {
		s.fault(e.Value.Pos, e.Value.Width(), "version", "E-CFG-VERSION", "this file says version %s, and %s says %s",
			tree.Clip(e.Value.Written), whole.Pos, tree.Clip(whole.Written))
	}
	if whole.IsSet() {
		part.Twice = append(part.Twice, *e)
		part.Entries = slices.DeleteFunc(part.Entries, func(e tree.Entry) bool { return e.Key == "version" })
	}
}

// merge puts the keys of another file's block into a block. A key that both set is an
// error: which of them was meant cannot be known.
func (s *Set) merge(into, from *tree.Node, path string) {
	into.Twice = append(into.Twice, from.Twice...)
	at := make(map[string]int, len(into.Entries)) // of a hundred thousand keys none is looked for one by one
	for i, e := range slices.Backward(into.Entries) {
		at[e.Key] = i
	}
	for _, e := range from.Entries {
		var have *tree.Entry
		if i, ok := at[e.Key]; ok {
			have = &into.Entries[i]
		}
		switch {
		case have == nil:
			at[e.Key] = len(into.Entries)
			into.Entries = append(into.Entries, e)
		case e.Value.Kind == tree.Null:
			into.Twice = append(into.Twice, e)
		case have.Value.Kind == tree.Null:
			into.Twice = append(into.Twice, *have)
			*have = e
		case have.Value.Kind == tree.Map && e.Value.Kind == tree.Map:
			into.Twice = append(into.Twice, tree.Entry{Key: e.Key, Pos: e.Pos, Value: &tree.Node{Kind: tree.Null, Pos: e.Pos}})
			s.merge(have.Value, e.Value, tree.Join(path, e.Key))
		default:
			s.fault(e.Pos, utf8.RuneCountInString(e.Key), tree.Join(path, e.Key), "E-CFG-DUPLICATE-KEY",
				"key %q is already in %s", tree.Clip(e.Key), have.Pos)
			e.Value.Hide(true) // nobody checks its keys
			into.Twice = append(into.Twice, e)
		}
	}
}
