package pages

import (
	"net/http"
	"path/filepath"
	"strings"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// sourcer gives the text of a file of the config, secrets masked. The config's room
// may offer it; without it only the lines with problems are shown.
type sourcer interface {
	Source(file string) (string, bool)
}

type configBody struct {
	State     api.ConfigState
	Errors    int
	Warnings  int
	Problems  []problemView
	Files     []sourceFile
	Effective string
	Demo      string // the YAML that says the same as the demo
	Name      string // of the file, short
}

type problemView struct {
	api.ConfigProblem
	Place string
}

type sourceFile struct {
	Name  string
	Lines []sourceLine
}

type sourceLine struct {
	Number   int
	Text     string
	Problems []problemView
	Tone     string // bad, warn, or none
}

func (p *pages) config(w http.ResponseWriter, r *http.Request) {
	state := p.rooms.Config.State()
	body := configBody{State: state, Effective: string(p.rooms.Config.Effective()), Name: filepath.Base(state.File)}
	for _, pr := range state.Problems {
		if pr.Severity == "error" {
			body.Errors++
		} else {
			body.Warnings++
		}
		body.Problems = append(body.Problems, problemView{ConfigProblem: pr, Place: place(pr)})
	}
	if state.Demo {
		body.Demo = config.DemoYAML()
	}
	if src, ok := p.rooms.Config.(sourcer); ok {
		body.Files = files(src, state.File, body.Problems)
	}
	p.show(w, r, http.StatusOK, "config", frame{Title: "Config", Nav: "config", Body: body})
}

// files that problems are in, the main one first, with each problem at its line.
func files(src sourcer, main string, problems []problemView) []sourceFile {
	names := []string{main}
	at := map[string]map[int][]problemView{}
	for _, pr := range problems {
		if at[pr.File] == nil {
			at[pr.File] = map[int][]problemView{}
			if pr.File != main && pr.File != "" {
				names = append(names, pr.File)
			}
		}
		at[pr.File][pr.Line] = append(at[pr.File][pr.Line], pr)
	}
	var out []sourceFile
	for _, name := range names {
		text, ok := src.Source(name)
		if name == "" || !ok {
			continue
		}
		f := sourceFile{Name: name}
		for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			l := sourceLine{Number: i + 1, Text: line, Problems: at[name][i+1]}
			for _, pr := range l.Problems {
				if pr.Severity == "error" {
					l.Tone = "bad"
				} else if l.Tone == "" {
					l.Tone = "warn"
				}
			}
			f.Lines = append(f.Lines, l)
		}
		out = append(out, f)
	}
	return out
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
