package files

import (
	"errors"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// ErrSecrets says that a file of secrets must be mended by hand before it is edited.
var ErrSecrets = errors.New("the file of secrets is not valid; porchlight config validate tells where")

// ErrSecretName says what a name may be.
var ErrSecretName = errors.New("a name of a secret is letters, digits, _, - and ., at most 64")

// SetSecret gives the text of a file of secrets with one name set to a value. Other
// lines and comments stay as they are.
func SetSecret(src []byte, name, value string) ([]byte, error) {
	if !secretName.MatchString(name) {
		return nil, ErrSecretName
	}
	entries, file, faults := ReadSecrets(SecretsName, src)
	if len(faults) > 0 {
		return nil, ErrSecrets
	}
	return edit(file.Normal, entries, name, &value), nil
}

// RemoveSecret gives the text without a name.
func RemoveSecret(src []byte, name string) ([]byte, error) {
	entries, file, faults := ReadSecrets(SecretsName, src)
	switch {
	case len(faults) > 0:
		return nil, ErrSecrets
	case !slices.ContainsFunc(entries, func(e tree.Entry) bool { return e.Key == name }):
		return src, nil
	}
	return edit(file.Normal, entries, name, nil), nil
}

// edit changes the lines of one name; where the text has a form that lines cannot keep,
// such as {a: b}, all is written anew.
func edit(text string, entries []tree.Entry, name string, value *string) []byte {
	by := ""
	want := map[string]string{}
	for _, e := range entries {
		want[e.Key] = e.Value.Text
	}
	delete(want, name)
	if value != nil {
		by, want[name] = lineOf(name, *value), *value
	}
	if next := replaceLines(text, entries, name, by); says(next, want) {
		return []byte(next)
	}
	var b strings.Builder
	for _, e := range entries {
		if e.Key != name {
			b.WriteString(lineOf(e.Key, e.Value.Text))
		}
	}
	return []byte(b.String() + by)
}

func lineOf(name, value string) string {
	n := &tree.Node{Kind: tree.Text, Text: value}
	return string(tree.Write(&tree.Node{Kind: tree.Map, Entries: []tree.Entry{{Key: name, Value: n}}}, nil))
}

// says tells whether a text holds exactly these secrets.
func says(text string, want map[string]string) bool {
	entries, _, faults := ReadSecrets(SecretsName, []byte(text))
	return len(faults) == 0 && len(entries) == len(want) && !slices.ContainsFunc(entries, func(e tree.Entry) bool {
		v, ok := want[e.Key]
		return !ok || v != e.Value.Text
	})
}

// replaceLines puts a line in the place of those of one name, or at the end.
func replaceLines(text string, entries []tree.Entry, name, by string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, e := range entries {
		if e.Key != name {
			continue
		}
		from, to := e.Pos.Line-1, len(lines)
		if i+1 < len(entries) {
			to = max(from, entries[i+1].Pos.Line-1)
		}
		for to > from+1 && isRemark(lines[to-1]) { // these belong to what follows
			to--
		}
		return strings.Join(lines[:from], "") + by + strings.Join(lines[to:], "")
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + by
}

func isRemark(line string) bool {
	t := strings.TrimSpace(line)
	return t == "" || strings.HasPrefix(line, "#")
}
