package pages

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
)

type healthBody struct {
	Repairs []notice // what wants a person
	Passing []notice // what mends itself
	Cameras []cameraHealth
	Plugins []pluginCard
	CanLook bool
	Report  *checksView // what the doctor found; nil: it was not asked
}

// cameraHealth is one stream of a camera in the table; a camera without any has one too.
type cameraHealth struct {
	ID, Name, Stream string
	Tone, Word       string
	Picture, Rate    string
	FPS, Last        string
	Reconnects       string
	Readers          string
	Fix              string
}

// checksView is what the doctor found, the bad first.
type checksView struct {
	Bad    []checkView // fail, then warn
	Good   []checkView // ok, then skip
	Failed int
	Warned int
	At     time.Time
	Plain  string // to paste elsewhere
}

type checkView struct {
	api.Check
	Icon, Tone, Word string
}

func (p *pages) health(w http.ResponseWriter, r *http.Request) { p.showHealth(w, r, nil) }

func (p *pages) showHealth(w http.ResponseWriter, r *http.Request, report *checksView) {
	who, _ := access.From(r.Context())
	body := healthBody{Report: report, CanLook: p.rooms.Doctor != nil && who.Role.Allows(access.RoleAdmin)}
	for _, n := range p.notices() {
		switch n.Tone {
		case "bad":
			body.Repairs = append(body.Repairs, n)
		case "warn":
			body.Passing = append(body.Passing, n)
		}
	}
	for _, c := range p.rooms.Cameras.Cameras() {
		body.Cameras = append(body.Cameras, cameraRowsOf(c)...)
	}
	for _, pl := range p.rooms.Plugins.Plugins() {
		body.Plugins = append(body.Plugins, p.card(pl))
	}
	p.show(w, r, http.StatusOK, "health", frame{Title: "Health", Nav: "health", Body: body})
}

func cameraRowsOf(c api.Camera) []cameraHealth {
	row := cameraHealth{ID: c.ID, Name: c.Name, Tone: "grey", Word: "Unknown"}
	switch {
	case c.Button:
		row.Word = "A button: no picture"
		return []cameraHealth{row}
	case c.Online:
		row.Tone, row.Word = "ok", "Online"
	case c.OfflineReason != "" || !c.LastSeen.IsZero():
		row.Tone, row.Word = "bad", "Offline"
	}
	if len(c.Sources) == 0 {
		return []cameraHealth{row}
	}
	var out []cameraHealth
	for _, s := range c.Sources {
		if !words.Real(s) {
			continue
		}
		row := row
		row.Stream = s.Stream
		row.Tone, row.Word = words.State(s)
		row.Picture, row.Rate = words.Picture(s), words.Bitrate(s)
		row.Fix = s.Fix
		row.FPS, row.Last = words.FPS(s), words.Last(s)
		if s.State != "pushed" { // its plugin connects, not the hub
			row.Reconnects = fmt.Sprint(s.Reconnects)
		}
		row.Readers = fmt.Sprint(s.Readers)
		out = append(out, row)
	}
	return out
}

// look has the doctor look at everything.
func (p *pages) look(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	if p.rooms.Doctor == nil {
		p.missing(w, r)
		return
	}
	ctx, cancel := looking(w, r)
	defer cancel()
	p.showHealth(w, r, p.checks(p.rooms.Doctor.Check(ctx, nil)))
}

// checks in the order of what a person has to do.
func (p *pages) checks(list []api.Check) *checksView {
	v := &checksView{At: p.now()}
	order := []string{"fail", "warn", "ok", "skip"}
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b api.Check) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
	var plain strings.Builder
	for _, c := range sorted {
		one := checkView{Check: c, Icon: "skip", Tone: "grey", Word: "left out"}
		switch c.State {
		case "fail":
			v.Failed++
			one.Icon, one.Tone, one.Word = "cross", "bad", "wrong"
		case "warn":
			v.Warned++
			one.Icon, one.Tone, one.Word = "alert", "warn", "warning"
		case "ok":
			one.Icon, one.Tone, one.Word = "check", "ok", "good"
		}
		if c.State == "fail" || c.State == "warn" {
			v.Bad = append(v.Bad, one)
		} else {
			v.Good = append(v.Good, one)
		}
		plain.WriteString(strings.Join(slices.DeleteFunc([]string{c.State, c.Area, c.What, c.Why, c.Fix, c.Code}, func(s string) bool { return s == "" }), " · ") + "\n")
	}
	v.Plain = plain.String()
	return v
}
