package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/config/tree"
)

// oneWrong lists what becomes of a word by one wrong letter at a place.
func oneWrong(word string, at int) []string {
	out := []string{word[:at] + "q" + word[at+1:], word[:at] + word[at+1:], word[:at+1] + word[at:], word[:at] + "z" + word[at:]}
	if at+1 < len(word) {
		out = append(out, word[:at]+word[at+1:at+2]+word[at:at+1]+word[at+2:])
	}
	return out
}

// TestOneWrongLetterSuggestsTheKey goes through every key of the format and of the
// plugins' schemas, every place in it and every kind of slip.
func TestOneWrongLetterSuggestsTheKey(t *testing.T) {
	root, faults := tree.Read("x", goodBlock(t)+"\n")
	if root == nil {
		t.Fatal(faults)
	}
	own, opts := ownSchema(), testOptions()
	tried := 0
	decides := func(key string) bool { return key == "plugin" || key == "builtin" } // which other keys there are
	spoil := func(n *tree.Node, path []string, at, slip int, deciding bool) {
		spoilt, meant := *n, map[string]string{}
		spoilt.Entries = slices.Clone(n.Entries)
		for i, e := range n.Entries {
			if decides(e.Key) != deciding || at >= len(e.Key) || slip >= len(oneWrong(e.Key, at)) {
				continue
			}
			wrong := oneWrong(e.Key, at)[slip]
			if wrong == e.Key || wrong == "" || meant[wrong] != "" || n.Entry(wrong) != nil {
				continue
			}
			meant[wrong], spoilt.Entries[i].Key = e.Key, wrong
		}
		if len(meant) == 0 {
			return
		}
		tried += len(meant)
		_, problems := parseWith(own, "x", tree.Write(replace(root, path, &spoilt), nil), opts)
		for _, p := range problems {
			wrong := p.Path[strings.LastIndex(p.Path, ".")+1:]
			if p.Code == "E-CFG-UNKNOWN-KEY" && p.Suggestion == meant[wrong] {
				delete(meant, wrong)
			}
		}
		for wrong, key := range meant {
			t.Errorf("%s.%s is not told to be %s", strings.Join(path, "."), wrong, key)
		}
	}
	done := map[string]bool{} // blocks of the same form
	var walk func(n *tree.Node, path []string)
	walk = func(n *tree.Node, path []string) {
		owners := len(path) == 1 && slices.Contains([]string{"plugins", "cameras", "chimes"}, path[0])
		form := fmt.Sprint(len(path), path[:min(1, len(path))], keysOf(n))
		if !owners && !done[form] {
			done[form] = true
			for at := range 17 { // the longest key
				for slip := range 5 {
					spoil(n, path, at, slip, false)
					spoil(n, path, at, slip, true)
				}
			}
		}
		for _, e := range n.Entries {
			walk(e.Value, append(slices.Clone(path), e.Key))
		}
	}
	walk(root, nil)
	t.Logf("%d slips", tried)
	if tried < 2000 {
		t.Errorf("only %d slips were tried", tried)
	}
}

func keysOf(n *tree.Node) (keys []string) {
	for _, e := range n.Entries {
		keys = append(keys, e.Key)
	}
	return keys
}

// replace gives a copy of a tree with another block at path.
func replace(n *tree.Node, path []string, by *tree.Node) *tree.Node {
	if len(path) == 0 {
		return by
	}
	out := *n
	out.Entries = slices.Clone(n.Entries)
	for i := range out.Entries {
		if out.Entries[i].Key == path[0] {
			out.Entries[i].Value = replace(out.Entries[i].Value, path[1:], by)
		}
	}
	return &out
}
