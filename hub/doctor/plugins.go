package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/porchlight-hub/porchlight/config"
)

const (
	// examineWithin bounds a plugin's look at itself; mDNS alone listens for some seconds.
	examineWithin = 15 * time.Second
	// maxLines of one plugin, and maxLine bytes of each part of one: it may be a stranger's.
	maxLines = 100
	maxLine  = 600
)

// homeKitID is the bundled plugin whose area is HomeKit.
const homeKitID = "dev.porchlight.homekit"

func isHomeKit(p Plugin) bool {
	return p.ID == homeKitID || p.ID == "" && p.Name == "homekit"
}

// checkPlugins tells how the running ones are, and without a hub whether they could be
// started.
func checkPlugins(ctx context.Context, d *Deps) []Finding {
	var out []Finding
	if d.Plugins != nil {
		all := d.Plugins()
		own := make([][]Finding, len(all))
		var asked sync.WaitGroup
		for i, p := range all {
			if !isHomeKit(p) { // which has an area of its own
				asked.Go(func() { own[i] = examine(ctx, d, p, p.Name+": ") })
			}
		}
		asked.Wait()
		for i, p := range all {
			out = append(append(out, pluginFinding(p)), own[i]...)
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

// examine asks a plugin that runs how it finds itself. Behind its own line, with a prefix,
// what it told there as its reason is not told again.
func examine(ctx context.Context, d *Deps, p Plugin, prefix string) []Finding {
	if d.SelfCheck == nil || p.State != "running" && p.State != "degraded" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, examineWithin)
	defer cancel()
	lines, err := d.SelfCheck(ctx, p.Name)
	if err != nil {
		f := of(Warn, "", err, "")
		f.What, f.Fix = fmt.Sprintf("%s did not examine itself: %s", p.Name, f.What), cmp.Or(f.Fix, "porchlight plugins logs "+p.Name+" tells more")
		return []Finding{f}
	}
	var out []Finding
	for _, l := range lines[:min(len(lines), maxLines)] {
		f := Finding{State: Skip, What: prefix + bounded(l.What), Why: bounded(l.Why), Fix: bounded(l.Fix)}
		switch s := State(l.State); s {
		case OK, Warn, Fail:
			f.State = s
		}
		if prefix != "" && f.State != OK && l.Why != "" && strings.Contains(p.Reason, l.Why) {
			continue
		}
		if p.Optional && f.State == Fail {
			f.State = Warn
		}
		out = append(out, f)
	}
	return out
}

func bounded(s string) string {
	if len(s) <= maxLine {
		return s
	}
	cut := maxLine
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// checkHomeKit is how Apple Home finds the house, by the plugin's own examination.
func checkHomeKit(ctx context.Context, d *Deps) []Finding {
	if d.Plugins == nil {
		if d.Config != nil && !homeKitWanted(d.Config) {
			return []Finding{notSetUp()}
		}
		return []Finding{{State: Skip, What: "Apple Home can be looked at only while the hub runs", Fix: "start it, then porchlight doctor homekit"}}
	}
	for _, p := range d.Plugins() {
		if !isHomeKit(p) {
			continue
		}
		if p.State != "running" && p.State != "degraded" {
			f := pluginFinding(p)
			f.Why = "nothing of the house is in Apple Home while it does not run"
			return []Finding{f}
		}
		return examine(ctx, d, p, "")
	}
	return []Finding{notSetUp()}
}

func notSetUp() Finding {
	return Finding{State: Skip, What: "Apple Home is not set up", Fix: "to add it, write plugins: {homekit: {builtin: homekit}} into porchlight.yaml", Code: "E-HOMEKIT-NONE"}
}

func homeKitWanted(c *config.Config) bool {
	for _, p := range c.Plugins {
		if p.Builtin == "homekit" && !p.Disabled {
			return true
		}
	}
	return false
}
