package pages

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// quietFor is what the button gives.
const quietFor = time.Hour

// todayRows are as many of today's events as the home page lists.
const todayRows = 9

type homeBody struct {
	Cameras []cameraTile
	Camera  *cameraTile // the one shown large; nil: there is none
	Today   list
	Chimes  []api.Chime
	Quiet   api.Quiet
	Steps   []step // the first steps; none outside of the demo
}

type cameraTile struct {
	api.Camera
	State   string // live, offline, unknown
	Current bool
}

// step of the list of first steps.
type step struct {
	ID, Title, Text string
	Done            bool
	Href, Label     string // a link
	Chime           string // or a chime to try
}

// list of events, with the sentence for when there are none.
type list struct {
	Rows []row
	Err  *api.Problem
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	who, _ := access.From(r.Context())
	body := homeBody{Chimes: p.rooms.Chimes.Chimes(), Quiet: p.rooms.Chimes.Quiet(), Today: p.today(r.Context())}
	body.Cameras, body.Camera = p.tiles(r.URL.Query().Get("camera"))
	if p.rooms.Config.State().Demo {
		body.Steps = p.steps(who, body)
	}
	p.show(w, r, http.StatusOK, "home", frame{Title: "Home", Nav: "home", Body: body})
}

// tiles of all cameras, and the one to show large: the one asked for, else the first doorbell.
func (p *pages) tiles(want string) ([]cameraTile, *cameraTile) {
	var tiles []cameraTile
	current := -1
	for i, c := range p.rooms.Cameras.Cameras() {
		t := cameraTile{Camera: c, State: "unknown"}
		switch {
		case c.Online:
			t.State = "live"
		case c.OfflineReason != "" || !c.LastSeen.IsZero():
			t.State = "offline"
		}
		tiles = append(tiles, t)
		better := current < 0 || c.Kind == "doorbell" && tiles[current].Kind != "doorbell"
		if c.ID == want || better && (current < 0 || tiles[current].ID != want) {
			current = i
		}
	}
	if current < 0 {
		return nil, nil
	}
	tiles[current].Current = true
	return tiles, &tiles[current]
}

func (p *pages) today(ctx context.Context) list {
	now := p.now().In(p.zone)
	y, m, d := now.Date()
	q := api.EventQuery{Since: time.Date(y, m, d, 0, 0, 0, 0, p.zone), Types: shown(), Limit: 60}
	events, err := p.rooms.Events.Events(ctx, q)
	if err != nil {
		return list{Err: api.Describe(err)}
	}
	var l list
	for _, e := range events {
		if one, ok := words(e); ok && len(l.Rows) < todayRows {
			l.Rows = append(l.Rows, one)
		}
	}
	return l
}

func (p *pages) steps(who access.Identity, body homeBody) []step {
	own := false
	for _, c := range body.Cameras {
		own = own || c.Plugin != "demo"
	}
	hear := step{ID: "hear", Title: "Hear it ring", Text: "Try a chime now; this page sounds once you have touched it."}
	for _, c := range body.Chimes {
		hear.Chime = cmp.Or(hear.Chime, c.ID)
	}
	if hear.Chime == "" {
		hear.Text = "No chime is configured."
	}
	return []step{
		{ID: "login", Title: "Choose a password", Text: "So that you get in from another browser too.", Done: who.HasPassword, Href: "/setup", Label: "Choose"},
		hear,
		{ID: "camera", Title: "Add your own camera", Text: "Save the YAML that says the same as this demo, and change it.", Done: own, Href: "/config", Label: "See the YAML"},
		{ID: "phone", Title: "Apple Home and phone alerts", Text: "Not in this version yet; they come next."},
	}
}

// --- what the buttons do without script; with it, the API does the same ---

func (p *pages) ring(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleMember) {
		return
	}
	c, ok := p.rooms.Cameras.Camera(r.PathValue("id"))
	if !ok {
		p.missing(w, r)
		return
	}
	if _, err := p.rooms.Ringer.Ring(r.Context(), c.ID, true); err != nil {
		p.oops(w, r, err)
		return
	}
	back(w, r)
}

func (p *pages) quiet(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleMember) {
		return
	}
	until := p.now().Add(quietFor)
	if r.PostFormValue("end") != "" {
		until = time.Time{}
	}
	if err := p.rooms.Chimes.SetQuiet(r.Context(), until); err != nil {
		p.oops(w, r, err)
		return
	}
	back(w, r)
}

func (p *pages) testChime(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleMember) {
		return
	}
	played, err := p.rooms.Chimes.Test(r.Context(), r.PathValue("id"))
	if err == nil && !played.Played {
		err = api.NewProblem(http.StatusConflict, "E-WEB-CHIME-SILENT", "the chime did not sound: "+played.Reason, "")
	}
	if err != nil {
		p.oops(w, r, err)
		return
	}
	back(w, r)
}

func (p *pages) muteChime(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleMember) {
		return
	}
	if err := p.rooms.Chimes.Mute(r.Context(), r.PathValue("id"), r.PostFormValue("muted") == "true"); err != nil {
		p.oops(w, r, err)
		return
	}
	back(w, r)
}
