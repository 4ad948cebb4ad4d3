package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Position is a place in a file: line and column count from 1, columns in
// characters. Line 0 means that the value came from File (a flag or a variable)
// as a whole.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p Position) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Kind is what a node is, in the words of the messages.
type Kind string

const (
	Null   Kind = "nothing"
	Bool   Kind = "true or false"
	Number Kind = "a number"
	Text   Kind = "text"
	List   Kind = "a list"
	Map    Kind = "a block of keys"
)

// Node is one value of the document with its place.
type Node struct {
	Kind    Kind
	Pos     Position
	Text    string // bool, number (as JSON writes it) and text
	Written string // a number as its owner wrote it
	Secret  bool   // its value is never shown
	Ref     string // the reference that Text stands for, as secret://front_door; it may be shown
	Entries []Entry
	Items   []*Node

	// Twice are keys that stand in the text and count for nothing: a key that was there
	// before, or one that two files share. They are kept so that they are masked.
	Twice []Entry
}

// Entry is one key of a block.
type Entry struct {
	Key    string
	Pos    Position
	Value  *Node
	Secret bool // the key itself is never shown (it lies below an unknown one)
}

// Get walks keys down from n; nil where one is missing.
func (n *Node) Get(path ...string) *Node {
	for _, key := range path {
		e := n.Entry(key)
		if e == nil {
			return nil
		}
		n = e.Value
	}
	return n
}

func (n *Node) Entry(key string) *Entry {
	if n == nil {
		return nil
	}
	for i := range n.Entries {
		if n.Entries[i].Key == key {
			return &n.Entries[i]
		}
	}
	return nil
}

// IsText tells whether n is there and is text.
func (n *Node) IsText() bool { return n != nil && n.Kind == Text }

// IsSet tells whether n is there and says something.
func (n *Node) IsSet() bool { return n != nil && n.Kind != Null }

func (n *Node) IsTrue() bool { return n != nil && n.Kind == Bool && n.Text == "true" }

// Without gives a copy of a block that lacks some keys.
func (n *Node) Without(drop func(key string) bool) *Node {
	out := *n
	out.Entries = nil
	for _, e := range n.Entries {
		if !drop(e.Key) {
			out.Entries = append(out.Entries, e)
		}
	}
	return &out
}

// Plain is the tree as encoding/json and the schema checker know it.
func (n *Node) Plain() any {
	if n == nil {
		return nil
	}
	switch n.Kind {
	case Bool:
		return n.Text == "true"
	case Number:
		return json.Number(n.Text)
	case Text:
		return n.Text
	case List:
		out := make([]any, len(n.Items))
		for i, item := range n.Items {
			out[i] = item.Plain()
		}
		return out
	case Map:
		out := make(map[string]any, len(n.Entries))
		for _, e := range n.Entries {
			out[e.Key] = e.Value.Plain()
		}
		return out
	}
	return nil
}

// Masked is the same tree with secrets replaced.
func (n *Node) Masked() *Node {
	out := *n
	out.Twice = nil
	if n.Kind != List && n.Kind != Map {
		if n.Ref != "" {
			out.Kind, out.Text, out.Secret = Text, n.Ref, false
		} else if n.Secret && n.Kind != Null {
			out.Kind, out.Text = Text, Mask
		} else if n.Kind == Text {
			out.Text = MaskLogins(n.Text)
		}
		return &out
	}
	out.Entries, out.Items = nil, nil
	for _, e := range n.Entries {
		if e.Secret {
			e.Key = Mask
		}
		e.Value = e.Value.Masked()
		out.Entries = append(out.Entries, e)
	}
	for _, item := range n.Items {
		out.Items = append(out.Items, item.Masked())
	}
	return &out
}

// Hide marks a whole tree as secret; keys too where the tree hangs below a key
// that nobody knows.
func (n *Node) Hide(keys bool) {
	n.Secret = true
	for i := range n.Entries {
		n.Entries[i].Secret = keys
		n.Entries[i].Value.Hide(keys)
	}
	for _, item := range n.Items {
		item.Hide(keys)
	}
	for _, e := range n.Twice {
		e.Value.Hide(keys)
	}
}

// HideSecrets marks what lies under keys whose names say that it is secret.
func (n *Node) HideSecrets() {
	for _, e := range n.Entries {
		if SecretKey(e.Key) {
			e.Value.Hide(false)
		} else {
			e.Value.HideSecrets()
		}
	}
	for _, item := range n.Items {
		item.HideSecrets()
	}
	for _, e := range n.Twice {
		e.Value.HideSecrets()
	}
	if IsReference(n.Text) && n.Kind == Text {
		n.Secret = true
	}
}

// Each calls f for every scalar with the path that leads there.
func (n *Node) Each(path string, f func(path string, n *Node)) {
	switch n.Kind {
	case Map:
		for _, e := range n.Entries {
			e.Value.Each(Join(path, e.Key), f)
		}
	case List:
		for i, item := range n.Items {
			item.Each(fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		f(path, n)
	}
}

// Join adds a key to a path.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// FromJSON keeps the order of keys, so that what a struct says first is
// shown first.
func FromJSON(b []byte) (*Node, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	n, err := decodeNode(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("json: more than one value")
	}
	return n, nil
}

func decodeNode(d *json.Decoder, depth int) (*Node, error) {
	if depth > MaxDepth {
		return nil, fmt.Errorf("json: more than %d levels", MaxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := t.(type) {
	case bool:
		return &Node{Kind: Bool, Text: fmt.Sprint(v)}, nil
	case json.Number:
		return &Node{Kind: Number, Text: v.String(), Written: v.String()}, nil
	case string:
		return &Node{Kind: Text, Text: v}, nil
	case json.Delim:
		return decodeBranch(d, v, depth)
	}
	return &Node{Kind: Null}, nil
}

func decodeBranch(d *json.Decoder, open json.Delim, depth int) (*Node, error) {
	n := &Node{Kind: List}
	if open == '{' {
		n.Kind = Map
	}
	for d.More() {
		key := ""
		if n.Kind == Map {
			t, err := d.Token()
			if err != nil {
				return nil, err
			}
			key, _ = t.(string) // the decoder gives nothing else here
		}
		v, err := decodeNode(d, depth+1)
		if err != nil {
			return nil, err
		}
		if n.Kind == Map {
			n.Entries = append(n.Entries, Entry{Key: key, Value: v})
		} else {
			n.Items = append(n.Items, v)
		}
	}
	_, err := d.Token() // the closing bracket
	return n, err
}

// firstLine is the part of a text that a caret can stand under.
func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// Width is the length of the part of a value that a caret stands under.
func (n *Node) Width() int {
	switch {
	case n.Branches():
		return 1
	case n.Written != "":
		return utf8.RuneCountInString(n.Written)
	}
	return utf8.RuneCountInString(firstLine(n.Text))
}

// Branches tells that n holds other values.
func (n *Node) Branches() bool { return n.Kind == Map || n.Kind == List }

// Put sets a value, making blocks on the way.
func (n *Node) Put(path []string, value *Node) {
	e := n.Entry(path[0])
	if e == nil || e.Value.Kind == Null {
		fresh := Entry{Key: path[0], Pos: value.Pos, Value: &Node{Kind: Map, Pos: value.Pos}}
		if e == nil {
			n.Entries = append(n.Entries, fresh)
			e = &n.Entries[len(n.Entries)-1]
		} else {
			*e = fresh
		}
	}
	if len(path) == 1 {
		e.Pos, e.Value = value.Pos, value
		return
	}
	if e.Value.Kind == Map {
		e.Value.Put(path[1:], value)
	}
}

// Referring is the same tree with secret://name in the place of the secrets' values:
// whoever gets it asks for them by name.
func (n *Node) Referring() *Node {
	out := *n
	if strings.HasPrefix(n.Ref, "secret://") {
		out.Kind, out.Text = Text, n.Ref
	}
	out.Entries, out.Items, out.Twice = nil, nil, nil
	for _, e := range n.Entries {
		e.Value = e.Value.Referring()
		out.Entries = append(out.Entries, e)
	}
	for _, item := range n.Items {
		out.Items = append(out.Items, item.Referring())
	}
	return &out
}

// Refs lists the references under n.
func (n *Node) Refs() []string {
	var out []string
	n.Each("", func(_ string, n *Node) {
		if n.Ref != "" {
			out = append(out, n.Ref)
		}
	})
	return out
}

// Into decodes a checked tree over the defaults in v.
func (n *Node) Into(v any) error {
	b, err := json.Marshal(n.Plain())
	if err != nil {
		return err
	}
	return json.Unmarshal(b, v)
}
