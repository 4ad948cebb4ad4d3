package files

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/porchlight-hub/porchlight/config/schema"
	"github.com/porchlight-hub/porchlight/config/tree"
)

// maxValue bounds what a file:// reference may name, in bytes.
const maxValue = 64 << 10

// SecretName is what names of secrets look like; EnvName those of variables.
const SecretName = `^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`

var (
	secretName = regexp.MustCompile(SecretName)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// readSecrets reads secrets.yaml, which need not be there.
func (s *Set) readSecrets(path string) {
	s.Watch = append(s.Watch, path)
	src, err := s.disk.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	whole := tree.Position{File: path}
	s.names = true
	if err != nil {
		s.fault(whole, 1, "", "E-CFG-SECRETS", "the file of secrets cannot be read: %s", Cause(err))
		s.Broken = true
		return
	}
	if mode, err := s.disk.Mode(path); err == nil && mode.Perm()&0o077 != 0 {
		f := s.fault(whole, 1, "", "E-CFG-SECRETS-MODE", "other users of this machine may reach the secrets (mode %04o)", mode.Perm())
		f.Warning, f.Hint = true, "chmod 600 "+path
	}
	names, file, faults := ReadSecrets(path, src)
	s.Files = append(s.Files, file)
	s.Faults = append(s.Faults, faults...)
	if len(faults) > 0 {
		s.Broken = true
	}
	for _, e := range names {
		s.secrets[e.Key] = e.Value.Text
	}
}

// ReadSecrets takes a file of secrets apart: a flat block of names and texts. All
// values in the tree are marked as secret, good and bad ones.
func ReadSecrets(path string, src []byte) ([]tree.Entry, File, []tree.Fault) {
	file := File{Path: path, Kind: Secrets, Src: src}
	normal, faults := tree.Normal(path, src)
	file.Normal = normal
	if len(faults) > 0 {
		return nil, file, faults
	}
	root, faults := tree.Read(path, normal)
	if root == nil {
		if len(faults) == 1 && faults[0].Code == "E-CFG-EMPTY" {
			return nil, file, nil
		}
		return nil, file, faults
	}
	root.Hide(false)
	file.Root = root
	if root.Kind != tree.Map {
		root.Hide(true)
		return nil, file, append(faults, tree.At(root.Pos, 1, "E-CFG-SECRETS", "the file of secrets must be lines of name: text"))
	}
	var out []tree.Entry
	for i := range root.Entries {
		e := &root.Entries[i]
		width := utf8.RuneCountInString(e.Key)
		switch {
		case !secretName.MatchString(e.Key):
			e.Secret = true // maybe a password without a name
			faults = append(faults, tree.At(e.Pos, width, "E-CFG-SECRETS", "a name of a secret is letters, digits, _, - and ., at most 64"))
		case e.Value.Branches():
			faults = append(faults, tree.At(e.Pos, width, "E-CFG-SECRETS", "secret %q must be one text, not %s", e.Key, e.Value.Kind))
		case e.Value.Kind == tree.Null || e.Value.Text == "":
			faults = append(faults, tree.At(e.Pos, width, "E-CFG-SECRETS", "secret %q is empty", e.Key))
		default:
			if e.Value.Kind == tree.Number { // the digits as they were written
				e.Value.Text = e.Value.Written
			}
			e.Value.Kind = tree.Text
			out = append(out, *e)
		}
	}
	return out, file, faults
}

// follow puts the values of references into the tree. Later keys such as rules are
// read by nobody, and their references stay as they are.
func (s *Set) follow() {
	for _, section := range []string{"hub", "plugins", "cameras", "chimes"} {
		if n := s.Root.Get(section); n != nil {
			n.Each(section, s.reference)
		}
	}
}

func (s *Set) reference(path string, n *tree.Node) {
	scheme, rest, ok := tree.Reference(n.Text)
	if n.Kind != tree.Text || !ok {
		return
	}
	n.Secret = true
	written := n.Text
	miss := func(code, format string, args ...any) *tree.Fault {
		f := tree.At(n.Pos, utf8.RuneCountInString(written), code, format, args...)
		f.Path = path
		s.Refs = append(s.Refs, f)
		return &s.Refs[len(s.Refs)-1]
	}
	switch scheme {
	case "secret":
		if !secretName.MatchString(rest) {
			miss("E-CFG-REF", "%s: secret:// needs the name of a secret behind it", path).Hint = "write secret://front_door, and front_door: … in " + SecretsName
			return
		}
		n.Ref, n.Written = written, written
		value, known := s.secrets[rest]
		if !known {
			s.unknownSecret(path, rest, miss)
			return
		}
		s.put(path, n, value, miss)
	case "env":
		if !envName.MatchString(rest) {
			miss("E-CFG-REF", "%s: env:// needs the name of a variable behind it", path).Hint = "write env://NAME"
			return
		}
		n.Ref, n.Written = written, written
		value, set := s.disk.Env(rest)
		if !set {
			miss("E-CFG-REF", "%s: the variable %s is not set", path, rest).Hint = "set it where the hub is started, or write the value here"
			return
		}
		s.Vars[rest] = value
		s.put(path, n, value, miss)
	case "file":
		if !filepath.IsAbs(rest) || strings.ContainsRune(rest, 0) {
			miss("E-CFG-REF", "%s: file:// needs a whole path behind it", path).Hint = "write file:///run/credentials/porchlight/name, with three slashes"
			return
		}
		n.Ref, n.Written = written, written
		if value, err := s.value(filepath.Clean(rest)); err != nil {
			miss("E-CFG-REF", "%s: %s cannot be read: %s", path, tree.Clip(rest), Cause(err))
		} else {
			s.put(path, n, value, miss)
		}
	}
}

// put sets a value in the place of its reference: one long text that is named a thousand
// times counts a thousand times.
func (s *Set) put(path string, n *tree.Node, value string, miss func(string, string, ...any) *tree.Fault) {
	if !s.room.Text(len(value)) {
		miss("E-CFG-REF", "%s: the text that this stands for is too much, together with all others", path)
		return
	}
	n.Text = value
}

func (s *Set) unknownSecret(path, name string, miss func(string, string, ...any) *tree.Fault) {
	f := miss("E-CFG-UNKNOWN-SECRET", "%s: no secret is called %q", path, name)
	have := s.SecretNames()
	switch f.Suggestion = schema.Nearest(name, have); {
	case f.Suggestion != "":
		f.Suggestion = "secret://" + f.Suggestion
	case !s.names:
		f.Hint = "there is no " + SecretsName + " beside the file yet: porchlight secrets set " + name + " makes it"
	default:
		f.Hint = "porchlight secrets set " + name + " keeps it in " + SecretsName
	}
}

var errNoText = errors.New("it is not UTF-8 text of at most 64 KiB")

// value is the text of a file that a reference names, without its last line end.
func (s *Set) value(path string) (string, error) {
	i := slices.IndexFunc(s.Files, func(f File) bool { return f.Path == path && f.Kind == Value })
	if i < 0 {
		s.Watch = append(s.Watch, path)
		src, err := s.disk.Read(path)
		if err != nil {
			return "", err
		}
		if len(src) > maxValue || !utf8.Valid(src) {
			return "", errNoText
		}
		if len(s.Files) >= 2*maxFiles {
			return "", errors.New("too many files")
		}
		s.Files, i = append(s.Files, File{Path: path, Kind: Value, Src: src}), len(s.Files)
	}
	text := strings.TrimSuffix(string(s.Files[i].Src), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}
