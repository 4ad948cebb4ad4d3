package files

import (
	"errors"
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
	line := tree.Write(&tree.Node{Kind: tree.Map, Entries: []tree.Entry{{Key: name, Value: &tree.Node{Kind: tree.Text, Text: value}}}}, nil)
	return edit(src, name, string(line))
}

// RemoveSecret gives the text without a name.
func RemoveSecret(src []byte, name string) ([]byte, error) { return edit(src, name, "") }

// edit replaces the lines of one name, or adds them at the end.
func edit(src []byte, name, by string) ([]byte, error) {
	entries, file, faults := ReadSecrets(SecretsName, src)
	if len(faults) > 0 {
		return nil, ErrSecrets
	}
	lines := strings.SplitAfter(file.Normal, "\n")
	for i, e := range entries {
		if i > 0 && e.Pos.Line == entries[i-1].Pos.Line || e.Pos.Column > 1 {
			return rewrite(entries, name, by), nil // {a: b} and other forms that lines cannot keep
		}
	}
	for i, e := range entries {
		if e.Key != name {
			continue
		}
		from, to := e.Pos.Line-1, len(lines)
		if i+1 < len(entries) {
			to = entries[i+1].Pos.Line - 1
		}
		for to > from+1 && isRemark(lines[to-1]) { // these belong to what follows
			to--
		}
		return []byte(strings.Join(lines[:from], "") + by + strings.Join(lines[to:], "")), nil
	}
	text := file.Normal
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return []byte(text + by), nil
}

func isRemark(line string) bool {
	t := strings.TrimSpace(line)
	return t == "" || strings.HasPrefix(line, "#")
}

func rewrite(entries []tree.Entry, name, by string) []byte {
	var b strings.Builder
	for _, e := range entries {
		if e.Key != name {
			b.Write(tree.Write(&tree.Node{Kind: tree.Map, Entries: []tree.Entry{e}}, nil))
		}
	}
	return []byte(b.String() + by)
}
