package pages

import (
	"cmp"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

type configBody struct {
	State     api.ConfigState
	Errors    int
	Warnings  int
	Bad       int // how many files have errors
	Problems  []problemView
	Files     []sourceFile
	Effective string
	Demo      string // the YAML that says the same as the demo
	Name      string // of the main file, short
	Plan      *planView
}

// planView is what the last save changed.
type planView struct {
	At     time.Time
	Groups []planGroup
	Kept   []string
}

type planGroup struct {
	Word, Icon string
	Entries    []string
}

type problemView struct {
	api.ConfigProblem
	Place  string
	Anchor string // of its line on the page; empty: the line is not there
}

type sourceFile struct {
	Name, Path string
	Main       bool
	ID         string
	Lines      []sourceLine
	Errors     int
	Warnings   int
}

type sourceLine struct {
	Number   int
	Anchor   string
	Text     string
	Problems []problemView
	Tone     string // bad, warn, or none
}

func (p *pages) config(w http.ResponseWriter, r *http.Request) {
	state := p.rooms.Config.State()
	body := configBody{State: state, Effective: string(p.rooms.Config.Effective()), Name: filepath.Base(state.File)}
	bad := map[string]bool{}
	for _, pr := range state.Problems {
		if pr.Severity == "error" {
			body.Errors++
			bad[pr.File] = true
		} else {
			body.Warnings++
		}
		body.Problems = append(body.Problems, problemView{ConfigProblem: pr, Place: place(pr, state.File)})
	}
	body.Bad = len(bad)
	if state.Demo {
		body.Demo = config.DemoYAML()
	}
	body.Files = files(p.rooms.Config.Files(), body.Problems)
	body.Plan = planOf(state.Plan)
	p.show(w, r, http.StatusOK, "config", frame{Title: "Config", Nav: "config", Body: body})
}

// anchor of a line on the page of the config: the how manyth file, which line.
func anchor(file, line int) string { return fmt.Sprintf("f%d-%d", file+1, line) }

// files of the config line by line, with each problem at its line; the problems learn
// where on the page they stand.
func files(all []api.ConfigFile, problems []problemView) []sourceFile {
	var out []sourceFile
	for n, file := range all {
		f := sourceFile{Name: cmp.Or(file.Name, filepath.Base(file.Path)), Path: file.Path, Main: file.Main, ID: fmt.Sprintf("f%d", n+1)}
		for i, text := range strings.Split(strings.TrimRight(file.Text, "\n"), "\n") {
			f.Lines = append(f.Lines, sourceLine{Number: i + 1, Text: text, Anchor: anchor(n, i+1)})
		}
		for i := range problems {
			pr := &problems[i]
			if pr.File != file.Path && pr.File != file.Name {
				continue
			}
			tone := "warn"
			if pr.Severity == "error" {
				tone = "bad"
				f.Errors++
			} else {
				f.Warnings++
			}
			if pr.Line < 1 || pr.Line > len(f.Lines) {
				continue
			}
			l := &f.Lines[pr.Line-1]
			pr.Anchor = l.Anchor
			if l.Tone != "bad" {
				l.Tone = tone
			}
			l.Problems = append(l.Problems, *pr)
		}
		out = append(out, f)
	}
	return out
}

// planOf puts a plan into words; nil where there is none.
func planOf(plan *api.ConfigPlan) *planView {
	if plan == nil {
		return nil
	}
	v := &planView{At: plan.At, Kept: plan.Keep}
	for _, g := range []planGroup{{"Started", "play", plan.Start}, {"Changed", "refresh", plan.Change}, {"Stopped", "cross", plan.Stop}} {
		if len(g.Entries) > 0 {
			v.Groups = append(v.Groups, g)
		}
	}
	return v
}

type explainBody struct{ api.Explanation }

func (p *pages) explain(w http.ResponseWriter, r *http.Request) {
	x, ok := p.rooms.Explain.Explain(r.PathValue("code"))
	if !ok {
		p.missing(w, r)
		return
	}
	p.show(w, r, http.StatusOK, "explain", frame{Title: x.Code, Body: explainBody{x}})
}
