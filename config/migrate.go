package config

import (
	"fmt"

	"github.com/porchlight-hub/porchlight/config/files"
	"github.com/porchlight-hub/porchlight/config/tree"
)

// migration turns the text of a main file of one version into that of the next. It
// tells each change for a person and leaves comments and order as they are.
type migration struct {
	from int
	do   func(src []byte) (out []byte, changes []string, err error)
}

// migrations in their order. Version 1 is the first: there are none yet.
func migrations() []migration { return nil }

// Migrate gives the text of a file in the newest format, and what was changed. A file
// of the newest format comes back as it is.
func Migrate(name string, src []byte) (out []byte, changes []string, problems []Problem) {
	return migrate(migrations(), FormatVersion, name, src)
}

func migrate(steps []migration, newest int, name string, src []byte) (out []byte, changes []string, problems []Problem) {
	l := &loader{opts: Options{}, file: name, own: ownSchema()}
	version, ok := l.version(src, newest)
	if !ok {
		return nil, nil, l.finish()
	}
	for _, step := range steps {
		if step.from != version {
			continue
		}
		next, did, err := step.do(src)
		if err != nil {
			return nil, nil, []Problem{{File: name, Severity: Error, Code: "E-CFG-MIGRATE",
				Message: fmt.Sprintf("version %d cannot be turned into %d: %v", version, version+1, err)}}
		}
		src, changes, version = next, append(changes, did...), version+1
	}
	if version != newest {
		return nil, nil, []Problem{{File: name, Severity: Error, Code: "E-CFG-VERSION",
			Message: fmt.Sprintf("there is no way from version %d to version %d", version, newest)}}
	}
	return src, changes, nil
}

// version reads the version of a file, which is the only key that every version has.
func (l *loader) version(src []byte, newest int) (int, bool) {
	file := files.File{Path: l.file, Kind: files.Main, Src: src}
	if file.Normal, l.faults = tree.Normal(l.file, src); len(l.faults) == 0 {
		file.Root, l.faults = tree.Read(l.file, file.Normal)
	}
	l.set, l.root = &files.Set{Files: []files.File{file}}, file.Root
	if l.root == nil || len(l.faults) > 0 {
		return 0, false
	}
	hideSecrets(l.root)
	if l.root.Kind != tree.Map {
		l.errorAt(l.root.Pos, 1, "", "E-CFG-TYPE", "the file must be a block of keys such as version: 1, not %s", l.root.Kind)
		l.root.Hide(true)
		return 0, false
	}
	n := l.root.Get("version")
	if !n.IsSet() {
		return newest, true
	}
	var v int
	if n.Kind != tree.Number || n.Into(&v) != nil {
		l.errorAt(n.Pos, n.Width(), "version", "E-CFG-TYPE", "version must be a whole number")
		return 0, false
	}
	if v < 1 || v > newest {
		l.unknownVersion(n, newest)
		return 0, false
	}
	return v, true
}

func (l *loader) unknownVersion(n *tree.Node, newest int) {
	l.errorAt(n.Pos, n.Width(), "version", "E-CFG-VERSION", "version %s is not known; this hub reads version %d", tree.Clip(n.Written), newest)
	var v int
	switch {
	case n.Into(&v) != nil:
	case v > newest:
		l.hint("it is of a later Porchlight: update the hub")
	case v < 1:
		l.hint(fmt.Sprintf("the first version was 1: write version: %d", newest))
	default:
		l.hint("porchlight config migrate prints the file in the new form")
	}
}
