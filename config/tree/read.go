package tree

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	MaxFile  = 1 << 20 // bytes; a house of 200 cameras needs a tenth of it
	MaxDepth = 64      // levels; the format itself has six, the rest is a plugin's

	// The YAML parser's time grows with the square of a block's keys: 10,000 take
	// half a second, 80,000 more than a minute. A house of 200 cameras has 4,000.
	maxKeys  = 10_000
	maxWords = 60_000 // keys, values and signs
)

// Fault is one thing that is wrong, before it is shown: its excerpt is made when
// it is known what must be masked in it.
type Fault struct {
	Pos        Position
	Width      int // characters under the caret
	Code       string
	Message    string
	Path       string // as cameras.front_door.source
	Suggestion string // the word that was probably meant
	Hint       string // how to mend it
	Warning    bool   // it does not stand in the way
}

// At makes an error at a place.
func At(p Position, width int, code, format string, args ...any) Fault {
	return Fault{Pos: p, Width: max(width, 1), Code: code, Message: fmt.Sprintf(format, args...)}
}

// Normal brings bytes into the one form that the YAML scanner places well: UTF-8
// without BOM, lines ended by \n. Lines keep their numbers.
func Normal(file string, src []byte) (string, []Fault) {
	at := func(line, col int) Position { return Position{File: file, Line: line, Column: col} }
	if len(src) > MaxFile {
		return "", []Fault{At(at(1, 1), 1, "E-CFG-TOO-LARGE", "the file has %d bytes; the limit is %d", len(src), MaxFile)}
	}
	if bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) {
		return "", []Fault{At(at(1, 1), 1, "E-CFG-ENCODING", "the file is UTF-16; save it as UTF-8")}
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	src = bytes.ReplaceAll(bytes.ReplaceAll(src, []byte("\r\n"), []byte("\n")), []byte("\r"), []byte("\n"))
	line, col := 1, 1
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return string(bytes.ToValidUTF8(src, []byte("?"))), []Fault{At(at(line, col), 1, "E-CFG-ENCODING", "a byte here is not UTF-8 (0x%02x); save the file as UTF-8", src[i])}
		case r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff':
			return string(src), []Fault{At(at(line, col), 1, "E-CFG-ENCODING", "an invisible control character (U+%04X) is here; delete it", r)}
		}
		if i, col = i+size, col+1; r == '\n' {
			line, col = line+1, 1
		}
	}
	return string(src), nil
}

// code is a number whose digits are meant: 00102003, 1_000.
var code = regexp.MustCompile(`^[-+]?0[0-9_]+$|_`)

// reader makes a node tree of YAML text.
type reader struct {
	file    string
	lines   []string
	anchors map[string]ast.Node
	within  map[string]bool // anchors being followed, against circles
	via     *token.Token    // the outermost alias being followed
	room    *Room
	faults  []Fault
}

var errStop = errors.New("stop") // ends the walk; the fault is noted

// Read parses normalised text; the tree is nil if a fault stands in the way.
func Read(file, src string) (*Node, []Fault) { return ReadInto(NewRoom(), file, src) }

// ReadInto is Read for one of several files that share a room.
func ReadInto(room *Room, file, src string) (*Node, []Fault) {
	r := &reader{file: file, lines: strings.Split(src, "\n"), anchors: map[string]ast.Node{}, within: map[string]bool{}, room: room}
	root, err := r.parse(src)
	if err != nil {
		if len(r.faults) == 0 {
			r.add(Position{File: file, Line: 1, Column: 1}, 1, "E-CFG-SYNTAX", "this is not YAML")
		}
		return nil, r.faults
	}
	return root, r.faults
}

func (r *reader) add(p Position, width int, code, format string, args ...any) {
	r.faults = append(r.faults, At(p, width, code, format, args...))
}

func (r *reader) parse(src string) (root *Node, err error) {
	defer func() {
		if v := recover(); v != nil { // the YAML library met text that it did not foresee
			root, err = nil, errStop
		}
	}()
	tokens := lexer.Tokenize(src)
	if err := r.checkSize(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err, tokens)
		return nil, errStop
	}
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.CommentType || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			r.add(r.at(doc.Body.GetToken()), 1, "E-CFG-DOCUMENTS", "a second document begins here; the file must hold one only (remove the line ---)")
			return nil, errStop
		}
		body = doc.Body
	}
	if body == nil || body.Type() == ast.NullType {
		r.add(Position{File: r.file, Line: 1, Column: 1}, 1, "E-CFG-EMPTY", "the file says nothing; write at least version: 1")
		return nil, errStop
	}
	return r.value(body, 0)
}

// checkSize refuses text that would keep the parser busy for minutes, or take
// it too deep: a stack that overflows cannot be recovered from.
func (r *reader) checkSize(tokens token.Tokens) error {
	flow, run, keys := 0, 0, 0
	for i, t := range tokens {
		if t.Type == token.MappingValueType {
			keys++
		}
		if keys > maxKeys || i > maxWords {
			r.add(r.at(t), 1, "E-CFG-TOO-LARGE", "the file has more than %d keys or %d words", maxKeys, maxWords)
			return errStop
		}
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			flow++
		case token.MappingEndType, token.SequenceEndType:
			flow = max(0, flow-1)
		}
		switch t.Type {
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			run++
		case token.StringType, token.SpaceType:
		default:
			run = 0
		}
		if t.Prev != nil && t.Position.Line != t.Prev.Position.Line {
			run = 0
		}
		if flow > MaxDepth || run > MaxDepth || len(t.Value) > 0 && t.Position.Column > 20*MaxDepth && t.Type == token.SequenceEntryType {
			r.add(r.at(t), 1, "E-CFG-TOO-DEEP", "this is nested more than %d levels deep", MaxDepth)
			return errStop
		}
	}
	return nil
}

func (r *reader) at(t *token.Token) Position {
	if t == nil || t.Position == nil {
		return Position{File: r.file, Line: 1, Column: 1}
	}
	return Position{File: r.file, Line: min(max(t.Position.Line, 1), len(r.lines)), Column: max(t.Position.Column, 1)}
}

// syntax says in our words what the YAML parser stumbled over: its own text may
// quote the value, which may be a password.
func (r *reader) syntax(err error, tokens token.Tokens) {
	var se *yaml.SyntaxError
	if !errors.As(err, &se) {
		r.add(Position{File: r.file, Line: 1, Column: 1}, 1, "E-CFG-SYNTAX", "this is not YAML")
		return
	}
	p := r.at(se.Token)
	if q := swallowed(tokens, se.Token); q != nil {
		r.add(r.at(q), 1, "E-CFG-SYNTAX", "a quote opens here and is closed by the next one only, in line %d", q.Position.Line+strings.Count(strings.TrimSpace(q.Origin), "\n"))
		return
	}
	says := "YAML does not allow this here; look at the indentation and at missing colons or quotes in this line and the one before"
	for _, m := range []struct{ has, say string }{
		{"double-quoted", `a " opens here and is never closed`},
		{"single-quoted", "a ' opens here and is never closed"},
		{"',' or '}'", "a , or } is missing here"},
		{"',' or ']'", "a , or ] is missing here"},
		{"flow mapping end", "a { opens here and is never closed"},
		{"sequence end token", "a [ opens here and is never closed"},
		{"corresponding to", "this bracket closes nothing"},
		{"cannot start any token", "a value cannot begin with this sign; put it in quotes"},
		{"alias", "a value that begins with * refers to an anchor; put it in quotes if it is text"},
		{"anchor", "a value that begins with & names an anchor; put it in quotes if it is text"},
		{"non-map value", "a key needs a colon and a space after it: key: value"},
		{"unexpected key name", "a key needs a colon and a space after it: key: value"},
		{"implicit line break", "a key needs a colon and a space after it: key: value"},
		{"pre-defined", "this value has no key, or its indentation differs from the lines above"},
		{"mapping value is not allowed", "two colons in one line: put the value in quotes, or begin a new line"},
		{"block sequence entries", "a list cannot begin on the line of its key; begin a new line"},
		{"tag", "a value that begins with ! is a tag, and this file needs none; put it in quotes if it is text"},
	} {
		if strings.Contains(se.Message, m.has) {
			says = m.say
			break
		}
	}
	indent := r.lines[p.Line-1][:len(r.lines[p.Line-1])-len(strings.TrimLeft(r.lines[p.Line-1], " \t"))]
	if i := strings.IndexByte(indent, '\t'); i >= 0 {
		p.Column, says = i+1, "a tab is here; indent with spaces only"
	}
	r.add(p, 1, "E-CFG-SYNTAX", "%s", says)
}

// keyInText is a line that was meant as a key.
var keyInText = regexp.MustCompile(`\n *(- )?[A-Za-z_][A-Za-z0-9_]*:([ \n]|$)`)

// swallowed finds a quoted text before the place of an error that runs over whole keys:
// its closing quote was forgotten, and the next one in the file closed it.
func swallowed(tokens token.Tokens, stop *token.Token) *token.Token {
	var last *token.Token
	for _, t := range tokens {
		if stop != nil && t.Position.Offset > stop.Position.Offset {
			break
		}
		if (t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType) && keyInText.MatchString(t.Origin) {
			last = t
		}
	}
	return last
}

// value turns one AST node into ours.
func (r *reader) value(n ast.Node, depth int) (*Node, error) {
	if depth > MaxDepth {
		r.add(r.at(n.GetToken()), 1, "E-CFG-TOO-DEEP", "this is nested more than %d levels deep", MaxDepth)
		return nil, errStop
	}
	if r.room.values--; r.room.values < 0 {
		return nil, r.full(n.GetToken(), "E-CFG-TOO-DEEP", "up to here, aliases and values of all files add up to more than %d", maxValues)
	}
	out := &Node{Pos: r.at(n.GetToken())}
	switch v := n.(type) {
	case *ast.NullNode:
		out.Kind = Null
	case *ast.BoolNode:
		out.Kind, out.Text = Bool, strconv.FormatBool(v.Value)
	case *ast.IntegerNode:
		r.number(out, v.Token, fmt.Sprint(v.Value))
	case *ast.FloatNode:
		r.number(out, v.Token, strconv.FormatFloat(v.Value, 'g', -1, 64))
	case *ast.StringNode:
		out.Kind, out.Text, out.Pos = Text, v.Value, r.start(v.Token)
	case *ast.LiteralNode:
		out.Kind, out.Text = Text, v.Value.Value
	case *ast.InfinityNode, *ast.NanNode:
		out.Kind, out.Text = Text, n.GetToken().Value
	case *ast.AnchorNode:
		r.anchors[v.Name.GetToken().Value] = v.Value
		return r.value(v.Value, depth)
	case *ast.AliasNode:
		return r.alias(v, depth)
	case *ast.TagNode:
		return r.tag(v, depth)
	case *ast.SequenceNode:
		out.Kind = List
		for _, item := range v.Values {
			c, err := r.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, c)
		}
	case *ast.MappingNode:
		out.Kind = Map
		if len(v.Values) > 0 && !v.IsFlowStyle {
			out.Pos = r.at(v.Values[0].Key.GetToken())
		}
		return out, r.block(out, v.Values, depth)
	case *ast.MappingValueNode:
		out.Kind, out.Pos = Map, r.at(v.Key.GetToken())
		return out, r.block(out, []*ast.MappingValueNode{v}, depth)
	default:
		r.add(out.Pos, 1, "E-CFG-SYNTAX", "YAML does not allow this here")
		return nil, errStop
	}
	return out, r.text(n.GetToken(), out.Text)
}

// text takes the room of a key or a text.
func (r *reader) text(t *token.Token, text string) error {
	if r.room.text -= len(text); r.room.text < 0 {
		return r.full(t, "E-CFG-TOO-LARGE", "up to here, the keys and texts of all files, aliases followed, add up to more than %d bytes", maxText)
	}
	return nil
}

// full tells of what found no room, where an alias stands in the place of that alias.
func (r *reader) full(t *token.Token, code, format string, args ...any) error {
	if r.via != nil {
		t = r.via
	}
	r.add(r.at(t), 1, code, format, args...)
	return errStop
}

// start is the place where a text of several lines begins: the scanner sometimes
// gives that of its last line.
func (r *reader) start(t *token.Token) Position {
	p := r.at(t)
	text := strings.TrimSpace(t.Origin)
	if t.Type != token.StringType || !strings.Contains(text, "\n") {
		return p
	}
	first := strings.TrimSpace(firstLine(text))
	for line := p.Line; line > 0 && line >= p.Line-strings.Count(text, "\n"); line-- {
		here := r.lines[line-1]
		if line == p.Line && strings.HasPrefix(string([]rune(here)[min(p.Column-1, utf8.RuneCountInString(here)):]), first) {
			return p
		}
		if i := strings.LastIndex(here, first); i >= 0 && line < p.Line {
			return Position{File: r.file, Line: line, Column: utf8.RuneCountInString(here[:i]) + 1}
		}
	}
	return p
}

// number keeps what looks like a code (00102003, 1_000) as text: an owner means
// the digits, and YAML's old octal would change them.
func (r *reader) number(out *Node, t *token.Token, value string) {
	out.Kind, out.Text, out.Written = Number, value, t.Value
	if code.MatchString(t.Value) || !json.Valid([]byte(value)) {
		out.Kind, out.Text = Text, t.Value
	}
	if f, err := strconv.ParseFloat(value, 64); err != nil || math.IsInf(f, 0) {
		out.Kind, out.Text = Text, t.Value
	}
}

func (r *reader) alias(v *ast.AliasNode, depth int) (*Node, error) {
	name := v.Value.GetToken().Value
	target, known := r.anchors[name]
	if !known || r.within[name] {
		r.add(r.at(v.Start), 1, "E-CFG-ALIAS", "*%.40s refers to no anchor above this line; put it in quotes if it is text", name)
		return nil, errStop
	}
	r.within[name] = true
	defer delete(r.within, name)
	if r.via == nil {
		r.via = v.Start
		defer func() { r.via = nil }()
	}
	return r.value(target, depth)
}

func (r *reader) tag(v *ast.TagNode, depth int) (*Node, error) {
	switch v.Start.Value {
	case "!!str", "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq":
	default:
		r.add(r.at(v.Start), utf8.RuneCountInString(v.Start.Value), "E-CFG-SYNTAX",
			"tags such as %.40s are not used here; a secret is written as secret://name", v.Start.Value)
		return nil, errStop
	}
	out, err := r.value(v.Value, depth)
	if err == nil && v.Start.Value == "!!str" && out.Kind != Map && out.Kind != List {
		if out.Kind == Number {
			out.Text = out.Written
		}
		out.Kind = Text
	}
	return out, err
}

// block reads the keys of a map; a key that is there twice is told at its
// second place and the first one counts.
func (r *reader) block(out *Node, values []*ast.MappingValueNode, depth int) error {
	var merges []*Node
	lines := make(map[string]int, len(values))
	for _, v := range values {
		key := v.Key.GetToken()
		if v.Key.IsMergeKey() {
			m, err := r.value(v.Value, depth+1)
			if err != nil {
				return err
			}
			merges = append(merges, m)
			continue
		}
		name, ok := r.keyText(v.Key)
		if !ok {
			r.add(r.at(key), 1, "E-CFG-SYNTAX", "a key must be plain text")
			return errStop
		}
		if err := r.text(key, name); err != nil {
			return err
		}
		child, err := r.value(v.Value, depth+1)
		if err != nil {
			return err
		}
		e := Entry{Key: name, Pos: r.at(key), Value: child}
		if child.Kind == Null && child.Pos.Line != e.Pos.Line {
			child.Pos = e.Pos
		}
		if line, twice := lines[name]; twice {
			r.add(e.Pos, utf8.RuneCountInString(name), "E-CFG-DUPLICATE-KEY", "key %q is already in line %d", Clip(name), line)
			child.Hide(true) // nobody checks its keys
			out.Twice = append(out.Twice, e)
			continue
		}
		lines[name] = e.Pos.Line
		out.Entries = append(out.Entries, e)
	}
	for _, m := range merges {
		for _, part := range append([]*Node{m}, m.Items...) {
			for _, e := range part.Entries {
				if _, there := lines[e.Key]; !there {
					lines[e.Key] = e.Pos.Line
					out.Entries = append(out.Entries, e)
				}
			}
		}
	}
	return nil
}

func (r *reader) keyText(k ast.MapKeyNode) (string, bool) {
	switch v := k.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.MappingKeyNode:
		s, ok := v.Value.(*ast.StringNode)
		if ok {
			return s.Value, true
		}
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode, *ast.NullNode:
		return k.GetToken().Value, true
	}
	return "", false
}

// Clip keeps a word of the file short in a message.
func Clip(s string) string {
	r := []rune(firstLine(s))
	if len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return string(r)
}

// Plural is a number with its noun.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
