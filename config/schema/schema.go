package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// maxSize bounds a schema, in bytes.
const maxSize = 256 << 10

// IDPattern is what ids of plugins, cameras and chimes look like.
const IDPattern = `^[a-z][a-z0-9_]{0,31}$`

// Schema is a compiled JSON schema.
type Schema struct {
	root    *jsonschema.Schema
	doc     any // what it was made of
	formats map[string]func(string) error
}

// Compile makes a checker of a JSON schema. References that lead outside of it
// are refused: a plugin's schema must not read files. formats are checks of single
// texts: an error either ends a sentence that begins with the key ("is not …",
// "needs a unit …") or stands behind a colon.
func Compile(name string, raw json.RawMessage, formats map[string]func(string) error) (s *Schema, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("schema %s: %v", name, v)
		}
	}()
	if len(raw) > maxSize {
		return nil, fmt.Errorf("schema %s: %d bytes; the limit is %d", name, len(raw), maxSize)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	c.AssertFormat()
	for format, check := range formats {
		c.RegisterFormat(&jsonschema.Format{Name: format, Validate: func(v any) error {
			if s, ok := v.(string); ok {
				return check(s)
			}
			return nil
		}})
	}
	c.RegisterFormat(&jsonschema.Format{Name: "password", Validate: func(any) error { return nil }}) // known, so that it is seen
	where := "porchlight:" + url.PathEscape(name)
	if err := c.AddResource(where, doc); err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	root, err := c.Compile(where)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	return &Schema{root: root, doc: doc, formats: formats}, nil
}

type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references outside of the schema are not followed")
}

// patternMessage is what the schema itself says of a text that has not the form it
// wants; editors know this word too. Empty: it says nothing.
func (s *Schema) patternMessage(at string) string {
	_, fragment, _ := strings.Cut(at, "#")
	var n any = s.doc
	for step := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
		if plain, err := url.PathUnescape(step); err == nil {
			step = plain
		}
		step = strings.NewReplacer("~1", "/", "~0", "~").Replace(step) // RFC 6901 4
		switch in := n.(type) {
		case map[string]any:
			n = in[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(in) {
				return ""
			}
			n = in[i]
		default:
			return ""
		}
	}
	if m, ok := n.(map[string]any); ok {
		text, _ := m["patternErrorMessage"].(string)
		return text
	}
	return ""
}

// Keys lists the keys that are known at a path, in order.
func (s *Schema) Keys(path ...string) []string {
	var out []string
	for _, at := range s.at(path) {
		for k := range at.Properties {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Allows tells whether a value of a JSON type such as "array" may stand at path.
func (s *Schema) Allows(kind string, path ...string) bool {
	return slices.ContainsFunc(s.at(path), func(at *jsonschema.Schema) bool {
		return at.Types != nil && slices.Contains(at.Types.ToStrings(), kind)
	})
}

func (s *Schema) at(path []string) []*jsonschema.Schema {
	w := walk{seen: map[step]bool{}}
	w.down(s.root, path)
	return w.found
}

type step struct {
	at   *jsonschema.Schema
	left int
}

// walk follows a path down through references, combinations, properties and
// items; no schema is entered twice with the same path left, however it refers
// to itself.
type walk struct {
	seen  map[step]bool
	found []*jsonschema.Schema
}

func (w *walk) down(s *jsonschema.Schema, path []string) {
	if s == nil || w.seen[step{s, len(path)}] {
		return
	}
	w.seen[step{s, len(path)}] = true
	for _, sub := range slices.Concat([]*jsonschema.Schema{s.Ref, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf) {
		w.down(sub, path)
	}
	if len(path) == 0 {
		w.found = append(w.found, s)
		return
	}
	next, rest := path[0], path[1:]
	if p, ok := s.Properties[next]; ok {
		w.down(p, rest)
		return
	}
	for re, p := range s.PatternProperties {
		if re.MatchString(next) {
			w.down(p, rest)
			return
		}
	}
	if p, ok := s.AdditionalProperties.(*jsonschema.Schema); ok {
		w.down(p, rest)
	}
	if p, ok := s.Items.(*jsonschema.Schema); ok {
		w.down(p, rest)
	}
	w.down(s.Items2020, rest)
}
