package config

import (
	"regexp"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// DataDir is hub.data_dir of a file that may be broken, as well as it can be
// told: the last good configuration lies there.
func DataDir(path string, opts Options) string {
	l := &loader{opts: opts, file: path, own: ownSchema(), root: &tree.Node{Kind: tree.Map}}
	if src, err := opts.files().Read(path); err == nil {
		normal, _ := tree.Normal(path, src)
		if root, _ := tree.Read(path, normal); root != nil && root.Kind == tree.Map {
			l.root = root
		} else if m := dataDirLine.FindStringSubmatch(normal); m != nil {
			l.root.Put([]string{"hub", "data_dir"}, &tree.Node{Kind: tree.Text, Text: m[1], Pos: Position{File: path, Line: 1}})
		}
	}
	l.override()
	if n := l.root.Get("hub", "data_dir"); n.IsText() && n.Text != "" {
		return l.resolve(n.Text, n)
	}
	return l.resolve(defaultHub().DataDir, nil)
}

// dataDirLine finds the key in text that is not YAML.
var dataDirLine = regexp.MustCompile(`(?m)^[ \t]+data_dir:[ \t]+["']?([^"'#\s]+)`)
