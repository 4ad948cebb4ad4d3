package pages

import (
	"net/http"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/homekit"
)

// noResponseBody is what to look at when Home says "No Response", with what is known of
// each step.
type noResponseBody struct {
	homekitBody
	Answers map[string][]homekit.Answer
	Rules   []homekit.Rules // that open a firewall
	Video   []string        // why the last streams were converted
	CanLook bool
	Looked  bool
}

func (p *pages) noResponse(w http.ResponseWriter, r *http.Request) {
	p.showNoResponse(w, r, nil, false)
}

// lookForHome has the plugin listen for itself, which takes some seconds.
func (p *pages) lookForHome(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	if p.rooms.Doctor == nil {
		p.missing(w, r)
		return
	}
	ctx, cancel := looking(w, r)
	defer cancel()
	p.showNoResponse(w, r, p.rooms.Doctor.Check(ctx, []string{"homekit", "clock"}), true)
}

func (p *pages) showNoResponse(w http.ResponseWriter, r *http.Request, checks []api.Check, looked bool) {
	body, status := p.homekitPlugin(r)
	b := noResponseBody{homekitBody: body, Looked: looked, CanLook: p.rooms.Doctor != nil && body.May}
	if body.Plugin != nil {
		seen := homekit.Seen{Plugin: body.Plugin.Plugin, Checks: checks, Looked: looked, Now: p.now()}
		switch {
		case body.Err != nil:
			seen.Trouble = homekit.Answer{Tone: "bad", Text: body.Err.Error(), Fix: body.Err.Hint(), Code: body.Err.Code()}
		case body.Up:
			seen.Status = &status
			b.Rules = status.Open()
			for _, a := range status.All() {
				for _, why := range a.Choices {
					b.Video = append(b.Video, a.Label()+": "+why)
				}
			}
		}
		b.Answers = seen.Answers()
	}
	p.show(w, r, http.StatusOK, "noresponse", frame{Title: "Home says “No Response”", Nav: "homekit", Body: b})
}
