package manifest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	// maxFile bounds each schema, maxYAML plugin.yaml itself, in bytes.
	maxFile = 1 << 20
	maxYAML = 64 << 10
	// maxDepth bounds its nesting: the YAML reader's time grows with the square of it.
	maxDepth = 64
)

// File is the manifest's name in a plugin's folder.
const File = "plugin.yaml"

// ParseFS reads plugin.yaml and the schemas that it names. All that is wrong comes
// in one error, of type Problems where it lies in the text.
func ParseFS(fsys fs.FS) (Manifest, error) {
	b, err := readFile(fsys, File)
	if err != nil {
		return Manifest{}, fmt.Errorf("manifest: read: %w", err)
	}
	m, f, ps := parse(b)
	for _, s := range []struct {
		key, file string
		to        *json.RawMessage
	}{{"config_schema", m.ConfigSchemaFile, &m.ConfigSchema}, {"device_schema", m.DeviceSchemaFile, &m.DeviceSchema}} {
		if s.file == "" {
			continue
		}
		b, err := readFile(fsys, path.Clean(s.file))
		switch {
		case err != nil:
			ps = append(ps, Problem{Path: s.key, Message: err.Error()})
		case !json.Valid(b):
			ps = append(ps, Problem{Path: s.key, Message: s.file + " is no JSON"})
		default:
			*s.to = b
		}
	}
	return finish(m, f, ps)
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	st, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s: %d bytes, at most %d", name, st.Size(), maxFile)
	}
	return fs.ReadFile(fsys, name)
}

// Parse reads the text of a plugin.yaml; unknown keys are errors. Schemas, which lie
// in files of their own, stay empty.
func Parse(b []byte) (Manifest, error) {
	m, f, ps := parse(b)
	return finish(m, f, ps)
}

// finish adds the problems of meaning, and a place to those that have none.
func finish(m Manifest, f *ast.File, ps Problems) (Manifest, error) {
	ps = append(ps, m.unsaid(ps)...)
	if len(ps) == 0 {
		return m.Complete(), nil
	}
	for i, p := range ps {
		if p.Line > 0 || f == nil {
			continue
		}
		ps[i].Line, ps[i].Column = place(f, p.Path)
	}
	slices.SortStableFunc(ps, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return m, ps
}

// place finds a path in the text; 0 where it is not there, or the reader panics on it.
func place(f *ast.File, path string) (line, column int) {
	defer func() { _ = recover() }() // the place is a kindness, not worth a crash
	at, err := yaml.PathString("$." + path)
	if err != nil {
		return 0, 0
	}
	n, err := at.FilterFile(f)
	if err != nil || n == nil {
		return 0, 0
	}
	return position(n)
}

// unsaid are the problems of meaning, but for keys of which the reading complained already.
func (m Manifest) unsaid(have Problems) Problems {
	var out Problems
	for _, p := range m.problems() {
		top, _, _ := strings.Cut(p.Path, ".")
		known := false
		for _, h := range have {
			t, _, _ := strings.Cut(h.Path, ".")
			known = known || t == top
		}
		if !known {
			out = append(out, p)
		}
	}
	return out
}

func parse(b []byte) (m Manifest, f *ast.File, ps Problems) {
	if len(b) > maxYAML {
		return m, nil, Problems{{Path: File, Message: fmt.Sprintf("%d bytes, at most %d", len(b), maxYAML)}}
	}
	if tooDeep(b) {
		return m, nil, Problems{{Path: File, Message: fmt.Sprintf("nested deeper than %d", maxDepth)}}
	}
	defer func() {
		// The YAML reader panics on some texts that are wrong (a tag or an anchor without a value).
		if v := recover(); v != nil {
			ps = append(ps, Problem{Path: File, Message: fmt.Sprintf("the YAML cannot be read: %v", v)})
		}
	}()
	f, err := parser.ParseBytes(b, 0)
	if err != nil {
		return m, nil, Problems{syntax(err)}
	}
	if len(f.Docs) != 1 {
		return m, nil, Problems{{Path: File, Message: fmt.Sprintf("has %d documents, want one", len(f.Docs))}}
	}
	root, ok := f.Docs[0].Body.(*ast.MappingNode)
	if !ok {
		return m, nil, Problems{{Path: File, Message: "want a mapping at the top"}}
	}
	fields := fieldsOf(reflect.TypeFor[Manifest]())
	v := reflect.ValueOf(&m).Elem()
	for _, kv := range root.Values {
		key := kv.Key.GetToken().Value
		i, ok := fields[key]
		if !ok {
			ps = append(ps, unknownKey(kv, key, fields))
			continue
		}
		// Each key for itself, so that one wrong value does not hide the next.
		if err := yaml.NodeToValue(kv.Value, v.Field(i).Addr().Interface(), yaml.Strict()); err != nil {
			p := syntax(err)
			p.Path = key
			if p.Line == 0 {
				p.Line, p.Column = position(kv.Key)
			}
			ps = append(ps, p)
		}
	}
	return m, f, ps
}

// tooDeep looks at the brackets and the dashes of a line only, before anything is
// parsed; it takes those in quotes for real, which no honest manifest minds.
func tooDeep(b []byte) bool {
	depth := 0
	for line := range bytes.Lines(b) {
		dashes := 0
		for _, c := range line {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			case '-', '?':
				dashes++
			case ' ':
			default:
				dashes = -len(line) // only leading ones nest
			}
			if depth > maxDepth || dashes > maxDepth {
				return true
			}
		}
	}
	return false
}

func unknownKey(kv *ast.MappingValueNode, key string, fields map[string]int) Problem {
	p := Problem{Path: key, Message: "is no key of a manifest"}
	p.Line, p.Column = position(kv.Key)
	for name := range fields {
		if strings.EqualFold(name, key) || strings.HasPrefix(name, key) || strings.HasPrefix(key, name) {
			p.Message += "; did you mean " + name + "?"
			break
		}
	}
	return p
}

func position(n ast.Node) (line, column int) {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line, t.Position.Column
	}
	return 0, 0
}

// fieldsOf maps the YAML names of a struct's fields to their places.
func fieldsOf(t reflect.Type) map[string]int {
	out := make(map[string]int, t.NumField())
	for i := range t.NumField() {
		if name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); name != "-" {
			out[name] = i
		}
	}
	return out
}

// syntax keeps the reader's message, without its drawing of the text.
func syntax(err error) Problem {
	p := Problem{Path: File, Message: err.Error()}
	var e yaml.Error
	if errors.As(err, &e) {
		p.Message = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, t.Position.Column
		}
	}
	return p
}
