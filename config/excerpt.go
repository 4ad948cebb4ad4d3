package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

const hidden = "******"

// span is one written word of the file: a key or a scalar.
type span struct {
	line, col int
	text      string
	secret    bool
}

// spans lists every key and scalar under n in the order of the file.
func spans(n *node) []span {
	var out []span
	var walk func(n *node)
	walk = func(n *node) {
		for _, e := range n.entries {
			out = append(out, span{e.pos.Line, e.pos.Column, e.key, e.secret})
			walk(e.value)
		}
		for _, item := range n.items {
			walk(item)
		}
		if n.kind != kindMap && n.kind != kindList && n.kind != kindNull {
			text := n.text
			if n.written != "" {
				text = n.written
			}
			out = append(out, span{n.pos.Line, n.pos.Column, text, n.secret})
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

// excerpt shows the line of a fault with its number and carets below. words are
// the spans of the whole file, nil if it could not be read as YAML.
func (f *fault) excerpt(lines []string, words []span, known map[string]bool) {
	if f.Line < 1 || f.Line > len(lines) {
		return
	}
	line, from := lines[f.Line-1], f.Column-1
	var shown string
	if words == nil {
		shown = maskUnread(line, known)
	} else {
		shown, from = maskRead(line, f.Line, words, from)
	}
	shown, from = shorten(strings.ReplaceAll(shown, "\t", " "), from)
	to := max(from+1, min(from+f.width, utf8.RuneCountInString(shown)))
	f.Excerpt = fmt.Sprintf("%5d | %s\n      | %s%s", f.Line, shown, strings.Repeat(" ", from), strings.Repeat("^", to-from))
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
	if i > 0 && words[i-1].secret && (len(here) == 0 || here[0].col-1 > indent && !strings.ContainsRune("{[-?!&", r[indent])) {
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
		out = append(out, r[at:start]...)
		end := len(r)
		if k+1 < len(here) {
			end = min(max(here[k+1].col-1, start), len(r))
		}
		at = start + wordEnd(r[start:end], w.text)
		if w.secret {
			out = append(out, []rune(hidden)...)
		} else {
			out = append(out, []rune(maskURLs(string(r[start:at])))...)
		}
	}
	if shown < 0 {
		shown = len(out) + max(caret-at, 0)
	}
	rest := string(r[at:])
	if len(here) > 0 && here[len(here)-1].secret {
		// Only what closes the block may follow a secret.
		rest = strings.Join(strings.FieldsFunc(rest, func(c rune) bool { return !strings.ContainsRune("}],:", c) }), "")
	}
	if c := strings.Index(rest, "#"); c >= 0 {
		rest = rest[:c]
	}
	return strings.TrimRight(string(out)+rest, " \t"), shown
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
func maskUnread(line string, known map[string]bool) string {
	trimmed := strings.TrimLeft(line, " \t-")
	lead := line[:len(line)-len(trimmed)]
	if trimmed == "" || strings.HasPrefix(trimmed, "#") {
		return lead
	}
	key, value, found := strings.Cut(trimmed, ":")
	key = strings.TrimSpace(key)
	switch {
	case !found && known[strings.TrimSpace(trimmed)]:
		return line
	case !found:
		return lead + hidden
	case len(key) > 32 || strings.ContainsAny(key, " \t#\"'{[@/"):
		return lead + hidden
	case strings.TrimSpace(value) == "":
		return lead + trimmed
	case !known[key] || secretKey(key) || strings.ContainsAny(value, "{[#@"):
		return lead + key + ": " + hidden
	}
	return lead + trimmed
}

// nearest is the candidate that was probably meant: at most two edits away, or
// a third of the longer word's length.
func nearest(word string, candidates []string) string {
	best, bestAt := "", 0
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(c))
		longer := max(utf8.RuneCountInString(word), utf8.RuneCountInString(c))
		if len(word) > 200 || d > 2 && d > longer/3 || d >= longer {
			continue
		}
		if best == "" || d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}
