package tree

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// plainText is what every YAML reader takes as text without quotes.
var plainText = regexp.MustCompile(`^([A-Za-z]|\.?/)([A-Za-z0-9_./ +-]*[A-Za-z0-9_/])?$|^[0-9]+(ms|s|m|h|d|[KMGT]i?B|B|%)$|^[0-9]+(\.[0-9]+){3}([:/][0-9]+)?$`)

// Write writes a tree in block form. comment, if given, ends each line that
// has a value of its own.
func Write(n *Node, comment func(path string) string) []byte {
	w := &yamlWriter{comment: comment}
	w.block(n, "", 0)
	return []byte(w.out.String())
}

type yamlWriter struct {
	out     strings.Builder
	comment func(path string) string
}

func (w *yamlWriter) block(n *Node, path string, indent int) {
	for _, e := range n.Entries {
		below := Join(path, e.Key)
		line := strings.Repeat("  ", indent) + key(e.Key) + ":"
		switch {
		case e.Value.Kind == Map && len(e.Value.Entries) > 0:
			w.out.WriteString(line + "\n")
			w.block(e.Value, below, indent+1)
			continue
		case e.Value.Kind == List && slices.ContainsFunc(e.Value.Items, (*Node).Branches):
			w.out.WriteString(line + "\n")
			w.list(e.Value, below, indent+1)
			continue
		}
		w.line(line+" "+inline(e.Value), below)
	}
}

func (w *yamlWriter) list(n *Node, path string, indent int) {
	for _, item := range n.Items {
		lead := strings.Repeat("  ", indent) + "- "
		w.line(lead+inline(item), path)
	}
}

func (w *yamlWriter) line(s, path string) {
	w.out.WriteString(s)
	if w.comment != nil {
		fmt.Fprintf(&w.out, "%s# %s", strings.Repeat(" ", max(2, 48-utf8.RuneCountInString(s))), w.comment(path))
	}
	w.out.WriteString("\n")
}

// inline writes a value within one line; a JSON text is YAML too.
func inline(n *Node) string {
	switch n.Kind {
	case Null:
		return "null"
	case Text:
		return scalar(n.Text)
	case List:
		parts := make([]string, len(n.Items))
		for i, item := range n.Items {
			parts[i] = inline(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case Map:
		parts := make([]string, len(n.Entries))
		for i, e := range n.Entries {
			parts[i] = key(e.Key) + ": " + inline(e.Value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return n.Text
}

// key quotes what is not one plain word.
func key(s string) string {
	if strings.ContainsAny(s, " :.+") {
		return quoted(s)
	}
	return scalar(s)
}

// scalar quotes text unless every YAML reader takes it as text.
func scalar(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "y", "n", "null":
	default:
		if plainText.MatchString(s) {
			return s
		}
	}
	return quoted(s)
}

// quoted is text in double quotes, with the signs that Normal refuses written out.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string always marshals
	var out strings.Builder
	for _, r := range string(b) {
		if r >= 0x7f && r < 0xa0 || r == '\ufeff' {
			fmt.Fprintf(&out, "\\u%04x", r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

// MarshalJSON writes a tree with its keys in their order.
func (n *Node) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	err := n.json(&b)
	return b.Bytes(), err
}

func (n *Node) json(b *bytes.Buffer) error {
	word := func(v any) error {
		text, err := json.Marshal(v)
		b.Write(text)
		return err
	}
	switch n.Kind {
	case List:
		b.WriteByte('[')
		for i, item := range n.Items {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := item.json(b); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case Map:
		b.WriteByte('{')
		for i, e := range n.Entries {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := word(e.Key); err != nil {
				return err
			}
			b.WriteByte(':')
			if err := e.Value.json(b); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	default:
		return word(n.Plain())
	}
	return nil
}
