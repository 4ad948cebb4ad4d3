package pages

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/homekit"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
)

// quietFor is what the button gives.
const quietFor = time.Hour

// todayRows are as many of today's events as the home page lists.
const todayRows = 9

type homeBody struct {
	Cameras []cameraTile // all, or all but the large one
	Camera  *cameraTile  // the one shown large; nil: none, or all are of one size
	IDs     []string     // of all cameras in order
	Grid    bool         // all of one size
	Today   list
	Chimes  []api.Chime
	Quiet   api.Quiet
	Steps   []step // the first steps; none outside of the demo
}

// cameraTile is a camera as a player shows it, large or small.
type cameraTile struct {
	api.Camera
	State          string // live, offline, unknown
	Small          bool
	Play           string // the streams to try, best first
	Shape          string // of its picture
	Battery        bool   // it is not woken unless somebody asks
	Why, Fix, Code string // what is wrong with it just now
}

// tile of a camera: a small one takes the small stream first.
func (p *pages) tile(c api.Camera, small bool) cameraTile {
	t := cameraTile{Camera: c, State: "unknown", Small: small, Play: "main", Shape: words.Shape(c), Why: words.Bare(c.OfflineReason)}
	switch {
	case c.Online:
		t.State = "live"
	case c.OfflineReason != "" || !c.LastSeen.IsZero():
		t.State = "offline"
	}
	if words.HasSub(c) {
		t.Play = "main sub"
		if small {
			t.Play = "sub main"
		}
	}
	for _, s := range c.Sources {
		t.Battery = t.Battery || s.Pull == "battery"
	}
	if s, ok := words.Sick(c); ok && !c.Online {
		t.Why, t.Fix, t.Code = p.inWords(s), s.Fix, s.Code
	}
	return t
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
	body.place(p, p.rooms.Cameras.Cameras(), r.URL.Query().Get("camera"), r.URL.Query().Get("view") == "grid")
	if p.rooms.Config.State().Demo {
		body.Steps = p.steps(who, body)
	}
	p.show(w, r, http.StatusOK, "home", frame{Title: "Home", Nav: "home", Body: body})
}

// place puts one camera large, the one asked for, else the first doorbell with a
// picture, and the others beside it; or all of one size.
func (b *homeBody) place(p *pages, cameras []api.Camera, want string, grid bool) {
	b.Grid = grid && len(cameras) > 1
	large, best := -1, -1
	for i, c := range cameras {
		b.IDs = append(b.IDs, c.ID)
		score := 0
		switch { // a door before a camera, and one that has a picture before one that has none
		case c.ID == want:
			score = 10
		case c.Button:
		case c.Kind == "doorbell":
			score = 4
		default:
			score = 2
		}
		if c.Online && !c.Button {
			score++
		}
		if score > best {
			large, best = i, score
		}
	}
	for i, c := range cameras {
		if i == large && !b.Grid {
			one := p.tile(c, false)
			b.Camera = &one
			continue
		}
		b.Cameras = append(b.Cameras, p.tile(c, true))
	}
}

func (p *pages) today(ctx context.Context) list {
	now := p.now().In(p.zone)
	y, m, d := now.Date()
	q := api.EventQuery{Since: time.Date(y, m, d, 0, 0, 0, 0, p.zone), Types: shown(), Limit: 60}
	events, err := p.rooms.Events.Events(ctx, q)
	if err != nil {
		return list{Err: api.Describe(err)}
	}
	return listOf(events, todayRows)
}

func (p *pages) steps(who access.Identity, body homeBody) []step {
	own := false
	for _, c := range p.rooms.Cameras.Cameras() {
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
		p.appleStep(),
	}
}

// appleStep leads to the codes, where there are any.
func (p *pages) appleStep() step {
	s := step{ID: "phone", Title: "Ring in Apple Home", Text: "Scan the doorbell's code: iPhones, HomePods and Apple TVs ring too.", Href: "/homekit", Label: "See the code"}
	if _, ok := homekit.Find(p.rooms.Plugins.Plugins()); !ok {
		s.Text, s.Label = "iPhones, HomePods and Apple TVs ring too. Two lines of YAML.", "See how"
	}
	return s
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
