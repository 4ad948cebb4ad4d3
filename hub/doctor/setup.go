package doctor

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/config"
)

// sorted goes through a map by its keys.
func sorted[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

func checkConfig(_ context.Context, d *Deps) []Finding {
	var out []Finding
	for _, p := range d.Problems {
		f := Finding{State: Warn, What: p.Message, Fix: p.Hint, Code: p.Code}
		if p.File != "" {
			f.What = config.Position{File: p.File, Line: p.Line, Column: p.Column}.String() + ": " + p.Message
		}
		if p.Suggestion != "" {
			f.Fix = fmt.Sprintf("did you mean %q?", p.Suggestion)
		}
		if p.Severity == config.Error {
			f.State = Fail
			f.Why = "until it is mended, the config that last worked stays in force"
		}
		out = append(out, f)
	}
	if errors, _ := config.Count(d.Problems); errors > 0 {
		return out
	}
	switch {
	case d.File == "":
		out = append(out, Finding{State: OK, What: "there is no porchlight.yaml: the demo is what runs", Fix: "porchlight init writes one"})
	case d.Config == nil:
		out = append(out, Finding{State: Fail, What: d.File + " cannot be used", Fix: "porchlight config validate tells why"})
	default:
		c := d.Config
		out = append(out, Finding{State: OK, What: fmt.Sprintf("%s is valid: %s, %s", d.File, plural(len(c.Cameras), "camera"), plural(len(c.Chimes), "chime"))})
	}
	if d.Config != nil && len(d.Config.Chimes) == 0 {
		out = append(out, Finding{State: Warn, What: "there is no chime", Why: "a ring makes no sound anywhere", Fix: "add chimes: {browser: {builtin: browser}}"})
	}
	return out
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// checkPlugins tells how the running ones are, and without a hub whether they could be
// started.
func checkPlugins(_ context.Context, d *Deps) []Finding {
	var out []Finding
	if d.Plugins != nil {
		for _, p := range d.Plugins() {
			out = append(out, pluginFinding(p))
		}
		return out
	}
	if d.Config == nil {
		return nil
	}
	for name, p := range sorted(d.Config.Plugins) {
		switch {
		case p.Disabled:
			out = append(out, Finding{State: Skip, What: name + " is disabled"})
		case p.Path != "":
			out = append(out, executable(name, p))
		default:
			out = append(out, Finding{State: OK, What: fmt.Sprintf("%s is bundled with this program", name)})
		}
	}
	return out
}

func pluginFinding(p Plugin) Finding {
	bad := Fail
	if p.Optional {
		bad = Warn
	}
	f := Finding{What: p.Name + " is " + p.State, Fix: p.Fix, Code: p.Code}
	if p.Reason != "" {
		f.What += ": " + p.Reason
	}
	switch p.State {
	case "running":
		f.State = OK
		if len(p.Missing) > 0 {
			f.State, f.Why = Warn, "it lacks "+strings.Join(p.Missing, "; ")
		}
	case "degraded":
		f.State = Warn
	case "disabled":
		f.State = Skip
	case "starting", "configuring", "stopping":
		f.State, f.Fix = Warn, cmp.Or(f.Fix, "wait a few seconds and look again")
	default:
		f.State, f.Fix = bad, cmp.Or(f.Fix, "porchlight plugins logs "+p.Name+" tells more")
	}
	return f
}

// executable looks at the file of an owner's own plugin.
func executable(name string, p config.Plugin) Finding {
	bad := Fail
	if p.Optional {
		bad = Warn
	}
	f := Finding{State: bad, Why: "the plugin would not start"}
	info, err := os.Stat(p.Path)
	switch {
	case err != nil:
		f.What, f.Fix = fmt.Sprintf("%s: %v", name, err), "correct plugins."+name+".path, or build the plugin"
	case !info.Mode().IsRegular():
		f.What, f.Fix = fmt.Sprintf("%s: %s is no file", name, p.Path), "plugins."+name+".path names the executable itself"
	case info.Mode().Perm()&0o111 == 0:
		f.What, f.Fix = fmt.Sprintf("%s: %s is not executable", name, p.Path), "chmod +x "+quote(p.Path)
	case info.Mode().Perm()&0o002 != 0:
		f = Finding{State: Warn, What: fmt.Sprintf("%s: everybody may change %s", name, p.Path), Why: "whoever does runs what he likes as the hub's user", Fix: "chmod o-w " + quote(p.Path)}
	default:
		f = Finding{State: OK, What: fmt.Sprintf("%s is there: %s", name, p.Path)}
	}
	return f
}
