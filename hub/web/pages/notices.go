package pages

import (
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// notice is one line of the banner that is on every page.
type notice struct {
	Tone  string // bad, warn, calm
	Icon  string
	Title string
	Text  string
	Place string // file:line:column
	Code  string
	Href  string
	Label string
}

// mostProblems of the config are told in the banner; the config page has all.
const mostProblems = 2

func (p *pages) notices() []notice {
	var out []notice
	out = append(out, p.configNotices()...)
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
		out = append(out, notice{Tone: "calm", Icon: "quiet", Title: "Quiet until " + q.Until.In(p.zone).Format("15:04"),
			Text: "Rings are shown, no chime sounds.", Href: "/#quiet", Label: "Change"})
	}
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
	var out []notice
	for i, pr := range errs {
		if i == mostProblems {
			out = append(out, notice{Tone: "bad", Icon: "alert", Title: fmt.Sprintf("and %d more in the config", len(errs)-i), Href: "/config", Label: "See all"})
			break
		}
		n := notice{Tone: "bad", Icon: "alert", Title: sentence(pr.Message), Place: place(pr), Code: pr.Code, Href: "/config", Label: "Look"}
		switch {
		case pr.Suggestion != "":
			n.Text = "Did you mean \u201c" + pr.Suggestion + "\u201d?"
		case pr.Hint != "":
			n.Text = sentence(pr.Hint)
		}
		if i == 0 && !state.Loaded.IsZero() {
			n.Text += " The house goes on with the config of " + state.Loaded.In(p.zone).Format("15:04") + "."
		}
		out = append(out, n)
	}
	if len(errs) == 0 && len(warns) > 0 {
		n := notice{Tone: "warn", Icon: "info", Title: sentence(warns[0].Message), Place: place(warns[0]), Code: warns[0].Code, Href: "/config", Label: "Look"}
		if len(warns) > 1 {
			n.Text = fmt.Sprintf("%d warnings in all.", len(warns))
		}
		out = append(out, n)
	}
	return out
}

// place of a problem, as editors and terminals write it.
func place(pr api.ConfigProblem) string {
	switch {
	case pr.File == "":
		return ""
	case pr.Line == 0:
		return pr.File
	case pr.Column == 0:
		return fmt.Sprintf("%s:%d", pr.File, pr.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", pr.File, pr.Line, pr.Column)
	}
}

func (p *pages) pluginNotice(pl api.Plugin) (notice, bool) {
	n := notice{Icon: "plug", Text: sentence(pl.Reason), Code: pl.Code, Href: "/plugins/" + pl.Name, Label: "Look"}
	switch pl.State {
	case "failed":
		n.Tone, n.Title = "bad", "Plugin "+pl.Name+" stopped"
	case "blocked":
		n.Tone, n.Title = "bad", "Plugin "+pl.Name+" may not start"
	case "backoff":
		n.Tone, n.Title = "warn", "Plugin "+pl.Name+" starts again"
		if wait := pl.NextTry.Sub(p.now()); !pl.NextTry.IsZero() && wait > time.Second {
			n.Title = fmt.Sprintf("Plugin %s starts again in %s", pl.Name, wait.Round(time.Second))
		}
	case "degraded":
		n.Tone, n.Title = "warn", "Plugin "+pl.Name+" works in part"
	default:
		return notice{}, false
	}
	return n, true
}

func (p *pages) cameraNotice(c api.Camera) (notice, bool) {
	// Neither online nor ever heard of: it may be starting. Unknown is not a fault.
	if c.Online || (c.LastSeen.IsZero() && c.OfflineReason == "") {
		return notice{}, false
	}
	n := notice{Tone: "warn", Icon: "camera-off", Title: c.Name + " is offline", Text: sentence(c.OfflineReason)}
	if !c.LastSeen.IsZero() {
		if n.Text != "" {
			n.Text += " "
		}
		n.Text += "Last seen " + ago(p.now().Sub(c.LastSeen)) + "."
	}
	if c.Plugin != "" {
		n.Href, n.Label = "/plugins/"+c.Plugin, "Plugin"
	}
	return n, true
}
