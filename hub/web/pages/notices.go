package pages

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/homekit"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
)

// notice is one line of the banner that is on every page.
type notice struct {
	Tone  string // bad, warn, calm
	Icon  string
	Title string
	Text  string
	Fix   string // what to do
	Place string // file:line:column
	Code  string
	Href  string
	Label string
}

// openNotices are shown; more of them are a click away, so that the page stays in sight.
const openNotices = 2

func (p *pages) notices() []notice {
	var out []notice
	out = append(out, p.configNotices()...)
	if p.rooms.Cards != nil {
		for _, c := range p.rooms.Cards() {
			out = append(out, notice{Tone: "bad", Icon: "alert", Title: c.Title, Text: words.Sentence(c.Effect), Fix: words.Sentence(c.Fix), Code: c.Code})
		}
	}
	for _, pl := range p.rooms.Plugins.Plugins() {
		if n, ok := p.pluginNotice(pl); ok {
			out = append(out, n)
		}
	}
	for _, c := range p.rooms.Cameras.Cameras() {
		if n, ok := p.cameraNotice(c); ok {
			out = append(out, n)
		}
	}
	if q := p.rooms.Chimes.Quiet(); q.On {
		title := "Quiet"
		if !q.Until.IsZero() {
			title += " until " + q.Until.In(p.zone).Format("15:04")
		}
		out = append(out, notice{Tone: "calm", Icon: "quiet", Title: title,
			Text: "Rings are shown, no chime sounds.", Href: "/#quiet", Label: "Change"})
	}
	rank := func(n notice) int { return slices.Index([]string{"bad", "calm", "warn"}, n.Tone) }
	slices.SortStableFunc(out, func(a, b notice) int { return rank(a) - rank(b) })
	return out
}

func (p *pages) configNotices() []notice {
	state := p.rooms.Config.State()
	var errs, warns []api.ConfigProblem
	for _, pr := range state.Problems {
		if pr.Severity == "error" {
			errs = append(errs, pr)
		} else {
			warns = append(warns, pr)
		}
	}
	list, tone := errs, "bad"
	if len(errs) == 0 {
		list, tone = warns, "warn"
	}
	if len(list) == 0 {
		return nil
	}
	first := list[0]
	n := notice{Tone: tone, Icon: "alert", Title: first.Message, Place: place(first, state.File), Code: first.Code, Href: "/config", Label: "Look"}
	switch {
	case first.Suggestion != "":
		n.Text = "Did you mean \u201c" + first.Suggestion + "\u201d?"
	case first.Hint != "":
		n.Text = words.Sentence(first.Hint)
	}
	if len(list) > 1 {
		n.Text += fmt.Sprintf(" And %d more.", len(list)-1)
	}
	if len(errs) > 0 && !state.Loaded.IsZero() {
		n.Text += " The house goes on with the config of " + state.Loaded.In(p.zone).Format("15:04") + "."
	}
	return []notice{n}
}

// place of a problem, as editors and terminals write it, from the main file's folder.
func place(pr api.ConfigProblem, main string) string {
	if pr.File == "" {
		return ""
	}
	name := filepath.Base(pr.File)
	if rel, err := filepath.Rel(filepath.Dir(main), pr.File); err == nil && main != "" && filepath.IsLocal(rel) {
		name = rel
	}
	switch {
	case pr.Line == 0:
		return name
	case pr.Column == 0:
		return fmt.Sprintf("%s:%d", name, pr.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", name, pr.Line, pr.Column)
	}
}

func (p *pages) pluginNotice(pl api.Plugin) (notice, bool) {
	if pl.Warning || pl.Optional && pl.State == "degraded" {
		return notice{}, false // its card tells; the house works as it should
	}
	n := notice{Icon: "plug", Text: words.Sentence(pl.Reason), Fix: words.Sentence(pl.Fix), Code: pl.Code, Href: "/plugins/" + pl.Name, Label: "Look"}
	if homekit.Is(pl) {
		n.Href = "/homekit" // which says more
	}
	switch pl.State {
	case "failed":
		n.Tone, n.Title = "bad", "Plugin "+pl.Name+" stopped"
	case "blocked":
		n.Tone, n.Title = "bad", "Plugin "+pl.Name+" may not start"
	case "backoff":
		n.Tone, n.Title = "warn", "Plugin "+pl.Name+" starts again"
		if wait := pl.NextTry.Sub(p.now()); !pl.NextTry.IsZero() && wait > time.Second {
			n.Title = "Plugin " + pl.Name + " starts again in " + words.Rough(wait)
		}
	case "degraded":
		n.Tone, n.Title = "warn", "Plugin "+pl.Name+" works in part"
	default:
		return notice{}, false
	}
	return n, true
}

func (p *pages) cameraNotice(c api.Camera) (notice, bool) {
	n := notice{Tone: "warn", Icon: "camera-off", Href: "/cameras/" + c.ID, Label: "Look"}
	if s, ok := words.Sick(c); ok {
		n.Title, n.Text, n.Fix, n.Code = c.Name+" has no picture", words.Sentence(p.inWords(s)), words.Sentence(s.Fix), s.Code
		if s.Stream != "main" {
			n.Title = c.Name + ": the " + s.Stream + " stream has no picture"
		}
		if s.State == "locked" {
			n.Tone, n.Title, n.Text = "bad", c.Name+" refuses the password", ""
		}
		return n, true
	}
	// Neither online nor ever heard of: it may be starting. Unknown is not a fault.
	if c.Button || c.Online || (c.LastSeen.IsZero() && c.OfflineReason == "") {
		return notice{}, false
	}
	n.Title, n.Text = c.Name+" is offline", words.Sentence(words.Bare(c.OfflineReason))
	if !c.LastSeen.IsZero() {
		if n.Text != "" {
			n.Text += " "
		}
		n.Text += "Last seen " + words.Ago(p.now().Sub(c.LastSeen)) + "."
	}
	return n, true
}
