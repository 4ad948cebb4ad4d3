package config

import (
	"slices"
	"strings"
)

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
	add("Config", nil, "include", "recording", "presence", "schedules", "rules", "notifications")
	add("Hub", []string{"hub"}, "tls", "updates")
	add("Plugin", []string{"plugins", "*"}, "source", "version")
	add("Camera", []string{"cameras", "*"}, "streams", "pull", "rotate", "zones", "privacy_mask", "motion")
	return out
}

// laterPlugins are bundled plugins that will come.
func laterPlugins() []string { return []string{"homekit", "mqtt", "neighborhood", "onvif", "rtsp"} }

// warnLater notes each later word that the file uses.
func (l *loader) warnLater() {
	for _, w := range laterWords() {
		for path, block := range l.blocks(w.path) {
			e := block.entry(w.key)
			if e == nil || e.value.kind == kindNull {
				continue
			}
			if w.key == "tls" && e.value.get("mode").isText() && e.value.get("mode").text == "off" && len(e.value.entries) == 1 {
				continue
			}
			l.later = append(l.later, join(path, w.key))
			l.warnAt(e, join(path, w.key), "E-CFG-NOT-YET", "%s is not read by this version yet; it is ignored", join(path, w.key))
		}
	}
	l.root.each("", func(path string, n *node) {
		if n.kind != kindText {
			return
		}
		if scheme, ok := reference(n.text); ok && !slices.ContainsFunc(l.later, func(p string) bool { return strings.HasPrefix(path, p) }) {
			f := faultAt(n.pos, len(scheme)+3, "E-CFG-NOT-YET", "%s: %s:// is not followed by this version yet; the plugin gets the text itself", path, scheme)
			f.Severity, f.Path = Warning, path
			l.faults = append(l.faults, f)
		}
	})
}

// blocks yields the blocks that a path with * leads to, with their real paths.
func (l *loader) blocks(path []string) map[string]*node {
	at := map[string]*node{"": l.root}
	for _, step := range path {
		next := map[string]*node{}
		for p, n := range at {
			for _, e := range n.entries {
				if step == "*" || step == e.key {
					next[join(p, e.key)] = e.value
				}
			}
		}
		at = next
	}
	return at
}
