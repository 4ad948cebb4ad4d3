package pages

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// logLines of a plugin are shown.
const logLines = 200

// permitter tells what a plugin may do. The plugins' room may offer it.
type permitter interface {
	Permissions(plugin string) (manifest.Permissions, bool)
}

type pluginsBody struct{ Plugins []pluginCard }

type pluginCard struct {
	api.Plugin
	Tone   string // ok, warn, bad, busy, grey
	Icon   string
	Word   string // the state, in words
	Grants []string
	Wait   string // until the next try
}

type pluginBody struct {
	pluginCard
	Log []api.LogLine
}

func (p *pages) card(pl api.Plugin) pluginCard {
	c := pluginCard{Plugin: pl, Tone: "grey", Icon: "plug", Word: words.Capital(pl.State)}
	for _, pair := range [][2]string{{"camera", "camera"}, {"chime", "sound"}, {"bridge", "home"}, {"notifier", "phone"}} {
		if slices.Contains(pl.Capabilities, pair[0]) {
			c.Icon = pair[1]
			break
		}
	}
	switch pl.State {
	case "running":
		c.Tone = "ok"
	case "degraded":
		c.Tone, c.Word = "warn", "Works in part"
	case "backoff":
		c.Tone, c.Word = "warn", "Starting again"
	case "starting", "configuring", "stopping":
		c.Tone = "busy"
	case "failed":
		c.Tone, c.Word = "bad", "Stopped"
	case "blocked":
		c.Tone = "bad"
	case "":
		c.Word = "Unknown"
	}
	if (pl.Warning || pl.Optional) && (c.Tone == "warn" || c.Tone == "bad") {
		c.Tone = "grey" // it hurts nobody: a speaker on a machine without a card
	}
	if wait := pl.NextTry.Sub(p.now()); !pl.NextTry.IsZero() && wait > 0 {
		c.Wait = words.Rough(wait)
	}
	// A part that is the reason itself needs no second telling.
	c.Parts = slices.DeleteFunc(slices.Clone(pl.Parts), func(part api.Part) bool {
		return part.State == "ok" || part.Reason != "" && strings.Contains(pl.Reason, part.Reason)
	})
	if room, ok := p.rooms.Plugins.(permitter); ok {
		if may, ok := room.Permissions(pl.Name); ok {
			c.Grants = words.Grants(may)
		}
	}
	return c
}

// Restartable tells whether a restart would do anything.
func (c pluginCard) Restartable() bool {
	return !slices.Contains([]string{"disabled", "stopping"}, c.State)
}

// Offers names what the plugin is for.
func (c pluginCard) Offers() string { return words.Capital(strings.Join(c.Capabilities, ", ")) }

// Display is the plugin's own name for people, where it is another than the entry's.
func (c pluginCard) Display() string {
	if strings.EqualFold(c.Title, c.Name) {
		return ""
	}
	return c.Title
}

// HasFacts tells whether there is anything for the line of facts.
func (c pluginCard) HasFacts() bool {
	return !c.Since.IsZero() || c.MemoryBytes > 0 || c.Restarts > 0 || c.Wait != ""
}

// Usage of the machine, where it is known.
func (c pluginCard) Usage() string {
	if c.MemoryBytes == 0 {
		return ""
	}
	return fmt.Sprintf("%s, %.1f %% CPU", words.ByteSize(c.MemoryBytes), c.CPUPercent)
}

// Memory that it takes, where that is known.
func (c pluginCard) Memory() string {
	if c.MemoryBytes == 0 {
		return ""
	}
	return words.ByteSize(c.MemoryBytes)
}

// CPU that it takes, where that is known.
func (c pluginCard) CPU() string {
	if c.MemoryBytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f %%", c.CPUPercent)
}

func (p *pages) plugins(w http.ResponseWriter, r *http.Request) {
	var body pluginsBody
	for _, pl := range p.rooms.Plugins.Plugins() {
		body.Plugins = append(body.Plugins, p.card(pl))
	}
	p.show(w, r, http.StatusOK, "plugins", frame{Title: "Plugins", Nav: "plugins", Body: body})
}

func (p *pages) plugin(w http.ResponseWriter, r *http.Request) {
	pl, ok := p.rooms.Plugins.Plugin(r.PathValue("name"))
	if !ok {
		p.missing(w, r)
		return
	}
	body := pluginBody{pluginCard: p.card(pl), Log: p.rooms.Plugins.Logs(pl.Name, logLines)}
	p.show(w, r, http.StatusOK, "plugin", frame{Title: "Plugin " + pl.Name, Nav: "plugins", Body: body})
}

func (p *pages) restart(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	if _, ok := p.rooms.Plugins.Plugin(r.PathValue("name")); !ok {
		p.missing(w, r)
		return
	}
	if err := p.rooms.Plugins.Restart(r.Context(), r.PathValue("name")); err != nil {
		p.oops(w, r, err)
		return
	}
	back(w, r)
}
