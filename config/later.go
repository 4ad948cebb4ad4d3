package config

import "github.com/porchlight-hub/porchlight/config/tree"

// laterWord is a key of the format that this version knows and does not read.
type laterWord struct {
	def  string   // the schema definition that holds it
	path []string // blocks that lead there; * is any entry
	key  string
}

func laterWords() []laterWord {
	var out []laterWord
	add := func(def string, path []string, keys ...string) {
		for _, k := range keys {
			out = append(out, laterWord{def, path, k})
		}
	}
	add("Config", nil, "recording", "presence", "schedules", "rules", "notifications")
	add("Hub", []string{"hub"}, "updates")
	add("Plugin", []string{"plugins", "*"}, "source", "version")
	add("Camera", []string{"cameras", "*"}, "zones", "privacy_mask", "motion")
	return out
}

// laterPlugins are bundled plugins that will come.
func laterPlugins() []string { return []string{"mqtt", "neighborhood", "onvif"} }

// warnLater notes each later word that the file uses.
func (l *loader) warnLater() {
	for _, w := range laterWords() {
		for path, block := range l.blocks(w.path) {
			e := block.Entry(w.key)
			if e == nil || e.Value.Kind == tree.Null {
				continue
			}
			l.later = append(l.later, tree.Join(path, w.key))
			l.warnAt(e, tree.Join(path, w.key), "E-CFG-NOT-YET", "%s is not read by this version yet; it is ignored", tree.Join(path, w.key))
		}
	}
}

// blocks yields the blocks that a path with * leads to, with their real paths.
func (l *loader) blocks(path []string) map[string]*tree.Node {
	at := map[string]*tree.Node{"": l.root}
	for _, step := range path {
		next := map[string]*tree.Node{}
		for p, n := range at {
			for _, e := range n.Entries {
				if step == "*" || step == e.Key {
					next[tree.Join(p, e.Key)] = e.Value
				}
			}
		}
		at = next
	}
	return at
}
