package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
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

// kind is what a node is, in the words of the messages.
type kind string

const (
	kindNull   kind = "nothing"
	kindBool   kind = "true or false"
	kindNumber kind = "a number"
	kindText   kind = "text"
	kindList   kind = "a list"
	kindMap    kind = "a block of keys"
)

// node is one value of the document with its place.
type node struct {
	kind    kind
	pos     Position
	text    string // bool, number (as JSON writes it) and text
	written string // a number as its owner wrote it
	secret  bool   // its value is never shown
	entries []entry
	items   []*node
}

// entry is one key of a block.
type entry struct {
	key    string
	pos    Position
	value  *node
	secret bool // the key itself is never shown (it lies below an unknown one)
}

// get walks keys down from n; nil where one is missing.
func (n *node) get(path ...string) *node {
	for _, key := range path {
		e := n.entry(key)
		if e == nil {
			return nil
		}
		n = e.value
	}
	return n
}

func (n *node) entry(key string) *entry {
	if n == nil {
		return nil
	}
	for i := range n.entries {
		if n.entries[i].key == key {
			return &n.entries[i]
		}
	}
	return nil
}

// isText tells whether n is there and is text.
func (n *node) isText() bool { return n != nil && n.kind == kindText }

// isSet tells whether n is there and says something.
func (n *node) isSet() bool { return n != nil && n.kind != kindNull }

func (n *node) isTrue() bool { return n != nil && n.kind == kindBool && n.text == "true" }

// without gives a copy of a block that lacks some keys.
func (n *node) without(drop func(key string) bool) *node {
	out := *n
	out.entries = nil
	for _, e := range n.entries {
		if !drop(e.key) {
			out.entries = append(out.entries, e)
		}
	}
	return &out
}

// plain is the tree as encoding/json and the schema checker know it.
func (n *node) plain() any {
	if n == nil {
		return nil
	}
	switch n.kind {
	case kindBool:
		return n.text == "true"
	case kindNumber:
		return json.Number(n.text)
	case kindText:
		return n.text
	case kindList:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.plain()
		}
		return out
	case kindMap:
		out := make(map[string]any, len(n.entries))
		for _, e := range n.entries {
			out[e.key] = e.value.plain()
		}
		return out
	}
	return nil
}

// masked is the same tree with secrets replaced.
func (n *node) masked() *node {
	out := *n
	if n.kind != kindList && n.kind != kindMap {
		if n.secret && n.kind != kindNull {
			out.kind, out.text = kindText, masked
		} else if n.kind == kindText {
			out.text = maskURLs(n.text)
		}
		return &out
	}
	out.entries, out.items = nil, nil
	for _, e := range n.entries {
		if e.secret {
			e.key = masked
		}
		e.value = e.value.masked()
		out.entries = append(out.entries, e)
	}
	for _, item := range n.items {
		out.items = append(out.items, item.masked())
	}
	return &out
}

// hide marks a whole tree as secret; keys too where the tree hangs below a key
// that nobody knows.
func (n *node) hide(keys bool) {
	n.secret = true
	for i := range n.entries {
		n.entries[i].secret = keys
		n.entries[i].value.hide(keys)
	}
	for _, item := range n.items {
		item.hide(keys)
	}
}

// hideSecrets marks what lies under keys whose names say that it is secret.
func (n *node) hideSecrets() {
	for _, e := range n.entries {
		if secretKey(e.key) {
			e.value.hide(false)
		} else {
			e.value.hideSecrets()
		}
	}
	for _, item := range n.items {
		item.hideSecrets()
	}
	if _, ok := reference(n.text); ok && n.kind == kindText {
		n.secret = true
	}
}

// each calls f for every scalar with the path that leads there.
func (n *node) each(path string, f func(path string, n *node)) {
	switch n.kind {
	case kindMap:
		for _, e := range n.entries {
			e.value.each(join(path, e.key), f)
		}
	case kindList:
		for i, item := range n.items {
			item.each(fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		f(path, n)
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// nodeFromJSON keeps the order of keys, so that what a struct says first is
// shown first.
func nodeFromJSON(b []byte) (*node, error) {
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

func decodeNode(d *json.Decoder, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("json: more than %d levels", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := t.(type) {
	case bool:
		return &node{kind: kindBool, text: fmt.Sprint(v)}, nil
	case json.Number:
		return &node{kind: kindNumber, text: v.String(), written: v.String()}, nil
	case string:
		return &node{kind: kindText, text: v}, nil
	case json.Delim:
		return decodeBranch(d, v, depth)
	}
	return &node{kind: kindNull}, nil
}

func decodeBranch(d *json.Decoder, open json.Delim, depth int) (*node, error) {
	n := &node{kind: kindList}
	if open == '{' {
		n.kind = kindMap
	}
	for d.More() {
		key := ""
		if n.kind == kindMap {
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
		if n.kind == kindMap {
			n.entries = append(n.entries, entry{key: key, value: v})
		} else {
			n.items = append(n.items, v)
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
