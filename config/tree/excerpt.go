package tree

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const hidden = "******"

// span is one written word of the file: a key or a scalar.
type span struct {
	line, col int
	Text      string
	Secret    bool
}

// spans lists every key and scalar under n that stands in the file, in its order.
func spans(file string, n *Node) []span {
	out := []span{}
	var walk func(n *Node)
	walk = func(n *Node) {
		for _, e := range slices.Concat(n.Entries, n.Twice) {
			if e.Pos.File == file {
				out = append(out, span{e.Pos.Line, e.Pos.Column, e.Key, e.Secret})
			}
			walk(e.Value)
		}
		for _, item := range n.Items {
			walk(item)
		}
		if n.Kind != Map && n.Kind != List && n.Kind != Null && n.Pos.File == file {
			text := n.Text
			if n.Written != "" {
				text = n.Written
			}
			out = append(out, span{n.Pos.Line, n.Pos.Column, text, n.Secret && n.Ref == ""})
		}
	}
	walk(n)
	slices.SortStableFunc(out, func(a, b span) int {
		if a.line != b.line {
			return a.line - b.line
		}
		return a.col - b.col
	})
	return out
}

// Page is the text of a file with all that must be masked in it.
type Page struct {
	lines []string
	words []span // nil: the text could not be read as YAML
	known func(key string) bool
}

// NewPage takes a file's normalised text and the tree that was read from it and maybe
// from others, nil if none was. known tells which keys of the format may be shown with their values
// where there is no tree.
func NewPage(file, normal string, root *Node, known func(key string) bool) *Page {
	p := &Page{lines: strings.Split(normal, "\n"), known: known}
	if root != nil {
		p.words = spans(file, root)
	}
	return p
}

// Excerpt shows a line with its number and carets below, masked.
func (p *Page) Excerpt(at Position, width int) string {
	if at.Line < 1 || at.Line > len(p.lines) {
		return ""
	}
	line, from := p.lines[at.Line-1], at.Column-1
	var shown string
	if p.words == nil {
		shown = maskUnread(line, p.known)
	} else {
		shown, from = maskRead(line, at.Line, p.words, from)
	}
	shown, from = shorten(Visible(shown), from)
	to := max(from+1, min(from+width, utf8.RuneCountInString(shown)))
	return fmt.Sprintf("%5d | %s\n      | %s%s", at.Line, shown, strings.Repeat(" ", from), strings.Repeat("^", to-from))
}

// Masked is the whole text, each line as an excerpt would show it: without the
// values of secrets and without comments.
func (p *Page) Masked() string {
	out := make([]string, len(p.lines))
	for i, line := range p.lines {
		if p.words == nil {
			out[i] = maskUnread(line, p.known)
		} else {
			out[i], _ = maskRead(line, i+1, p.words, 0)
		}
		out[i] = Visible(out[i])
	}
	return strings.Join(out, "\n")
}

// Visible replaces what would move a terminal's cursor or hide text: control
// and format characters become a question mark, tabs a space.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			return '?'
		}
		return r
	}, s)
}

// maxExcerpt keeps an excerpt within a terminal's line.
const maxExcerpt = 110

func shorten(s string, caret int) (string, int) {
	r := []rune(s)
	if len(r) <= maxExcerpt {
		return s, min(caret, len(r))
	}
	start := max(0, min(caret-30, len(r)-maxExcerpt))
	end := min(len(r), start+maxExcerpt)
	out := string(r[start:end])
	if start > 0 {
		out, caret = "…"+out, caret+1
	}
	if end < len(r) {
		out += "…"
	}
	return out, min(caret-start, utf8.RuneCountInString(out))
}

// maskRead hides the secret words of a line and its comment: an old password
// often stays behind as a comment. Each hidden word becomes six stars; the
// caret's place is given in what is shown.
func maskRead(line string, number int, words []span, caret int) (string, int) {
	i, _ := slices.BinarySearchFunc(words, number, func(s span, n int) int { return s.line - n })
	var here []span
	for j := i; j < len(words) && words[j].line == number; j++ {
		here = append(here, words[j])
	}
	r := []rune(line)
	indent := len(r) - len([]rune(strings.TrimLeft(line, " \t")))
	if indent == len(r) {
		return "", caret
	}
	if i > 0 && words[i-1].Secret && (len(here) == 0 || indent < len(r) && here[0].col-1 > indent && !strings.ContainsRune("{[-?!&", r[indent])) {
		// The line goes on with a secret that began above it.
		return strings.Repeat(" ", indent) + hidden, min(caret, indent)
	}
	var out []rune
	at, shown := 0, -1
	for k, w := range here {
		start := min(w.col-1, len(r))
		if start < at {
			continue
		}
		if caret <= start && shown < 0 {
			shown = len(out) + max(caret-at, 0)
		}
		out = append(out, []rune(signs(string(r[at:start])))...)
		end := len(r)
		if k+1 < len(here) {
			end = min(max(here[k+1].col-1, start), len(r))
		}
		at = start + wordEnd(r[start:end], w.Text)
		if w.Secret {
			out = append(out, []rune(hidden)...)
		} else {
			out = append(out, []rune(MaskLogins(string(r[start:at])))...)
		}
	}
	if shown < 0 {
		shown = len(out) + max(caret-at, 0)
	}
	rest, _, _ := strings.Cut(string(r[at:]), "#")
	if len(here) > 0 && here[len(here)-1].Secret {
		// Only what closes the block may follow a secret.
		rest = strings.Join(strings.FieldsFunc(rest, func(c rune) bool { return !strings.ContainsRune("}],:", c) }), "")
	}
	if len(here) > 0 {
		rest = signs(rest)
	}
	return strings.TrimRight(string(out)+rest, " \t"), shown
}

// sign is what may stand between and behind words: brackets, the marks of lists, blocks,
// anchors and tags, and one word that an alias repeats.
var sign = regexp.MustCompile(`^([\s{}\[\],:?<-]|[|>][0-9+-]*|[&*!][^\s,\[\]{}]*)*$`)

// signs hides what is more than signs: a word that nobody accounts for.
func signs(s string) string {
	if sign.MatchString(s) {
		return s
	}
	lead := s[:len(s)-len(strings.TrimLeft(s, " \t:-[{,"))]
	return lead + hidden
}

// wordEnd is the length of the word at the start of r: a quoted one up to its
// closing quote, a plain one as long as its text, else all of r.
func wordEnd(r []rune, text string) int {
	if len(r) == 0 {
		return 0
	}
	if q := r[0]; q == '"' || q == '\'' {
		for i := 1; i < len(r); i++ {
			switch {
			case q == '"' && r[i] == '\\':
				i++
			case r[i] == q && q == '\'' && i+1 < len(r) && r[i+1] == q:
				i++
			case r[i] == q:
				return i + 1
			}
		}
		return len(r)
	}
	if strings.HasPrefix(string(r), text) {
		return utf8.RuneCountInString(text)
	}
	return len(r)
}

// maskUnread masks a line of text that is not YAML: only known words that are
// no secrets keep their values, and a line without a known word is hidden.
func maskUnread(line string, known func(string) bool) string {
	trimmed := strings.TrimLeft(line, " \t-")
	first, _, _ := strings.Cut(strings.TrimSpace(trimmed), " ")
	lead := line[:len(line)-len(trimmed)]
	if trimmed == "" || strings.HasPrefix(trimmed, "#") {
		return lead
	}
	key, value, found := strings.Cut(trimmed, ":")
	key = strings.TrimSpace(key)
	switch {
	case !found && known(first) && !SecretKey(first):
		return line
	case !found:
		return lead + hidden
	case len(key) > 32 || strings.ContainsAny(key, " \t#\"'{[@/"):
		return lead + hidden
	case strings.TrimSpace(value) == "":
		return lead + trimmed
	case !known(key) || SecretKey(key) || strings.ContainsAny(value, "{[#@"):
		return lead + key + ": " + hidden
	}
	return lead + trimmed
}
