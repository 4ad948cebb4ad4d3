package pages

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/homekit"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
)

// askWithin bounds the wait for the plugin; it answers from memory.
const askWithin = 5 * time.Second

// homekitBody is what the pages of Apple Home show.
type homekitBody struct {
	Lines       string      // of YAML, that add it
	Plugin      *pluginCard // nil: the config has none
	Up          bool        // it runs
	Err         *api.Problem
	May         bool // see codes, take controllers out
	Accessories []accessoryView
	Interfaces  []homekit.Interface
	Codes       []codeView // for the sheet
	House       string     // its address, on the sheet
}

type accessoryView struct {
	homekit.Accessory
	Title, What string
	Icon        string
	Tone, Word  string // how it is
	Code        *codeView
	Controllers []controllerView
	Watching    []watchView
}

type controllerView struct {
	homekit.Controller
	Tone, Word string
}

type watchView struct {
	homekit.Watch
	Title        string // of the stream
	Who, Picture string
	Why          string // it is converted
	Converted    bool
}

type codeView struct {
	homekit.Code
	QR template.HTML
}

// kindOf is an accessory's kind for people.
func kindOf(kind string) (what, icon string) {
	switch kind {
	case "doorbell":
		return "Doorbell", "bell"
	case "camera":
		return "Camera", "camera"
	case "bridge":
		return "Switches", "plug"
	}
	return "Accessory", "homekit"
}

// homekitPlugin asks the plugin how Apple Home is; the body tells why where it cannot.
func (p *pages) homekitPlugin(r *http.Request) (homekitBody, homekit.Status) {
	who, _ := access.From(r.Context())
	body := homekitBody{Lines: homekit.Lines, May: who.Role.Allows(access.RoleAdmin)}
	plugin, ok := homekit.Find(p.rooms.Plugins.Plugins())
	if !ok {
		return body, homekit.Status{}
	}
	card := p.card(plugin)
	body.Plugin, body.Up = &card, plugin.State == "running" || plugin.State == "degraded"
	if !body.Up {
		return body, homekit.Status{}
	}
	ctx, cancel := context.WithTimeout(r.Context(), askWithin)
	defer cancel()
	status, err := homekit.AskStatus(ctx, p.rooms.Plugins, plugin.Name)
	if err != nil {
		body.Err = api.Describe(err)
	}
	return body, status
}

func (p *pages) homekit(w http.ResponseWriter, r *http.Request) {
	body, status := p.homekitPlugin(r)
	if body.Up && body.Err == nil {
		codes, err := p.codes(r, body)
		if err != nil {
			body.Err = api.Describe(err)
		}
		body.Interfaces = status.Interfaces
		for _, a := range status.All() {
			v := accessory(a)
			i := slices.IndexFunc(codes, func(c codeView) bool { return c.Camera == a.Key() })
			if i >= 0 && !a.Paired {
				v.Code = &codes[i]
			}
			body.Accessories = append(body.Accessories, v)
		}
	}
	p.show(w, r, http.StatusOK, "homekit", frame{Title: "Apple Home", Nav: "homekit", Body: body})
}

// codes of all accessories, for who may see them.
func (p *pages) codes(r *http.Request, body homekitBody) ([]codeView, error) {
	if !body.May {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), askWithin)
	defer cancel()
	list, err := homekit.AskCodes(ctx, p.rooms.Plugins, body.Plugin.Name, "")
	var out []codeView
	for _, c := range list {
		out = append(out, codeView{c, qrCode(c.URI, "The setup code of "+c.Label()+" for the Home app")})
	}
	return out, err
}

func accessory(a homekit.Accessory) accessoryView {
	v := accessoryView{Accessory: a, Title: a.Label()}
	v.What, v.Icon = kindOf(a.Kind)
	connected := 0
	for _, c := range a.Controllers {
		view := controllerView{Controller: c, Tone: "grey", Word: "Away"}
		if c.Connections > 0 {
			view.Tone, view.Word = "ok", "Connected"
			connected++
		}
		v.Controllers = append(v.Controllers, view)
	}
	for _, x := range a.Watching {
		view := watchView{Watch: x, Title: words.Stream(x.Stream), Who: homekit.Controller{ID: x.Controller}.Short(), Picture: fmt.Sprintf("%d × %d", x.Width, x.Height)}
		view.Why, view.Converted = x.Converted()
		v.Watching = append(v.Watching, view)
	}
	switch {
	case a.Problem != nil:
		v.Tone, v.Word = "bad", "Needs you"
	case !a.Paired:
		v.Tone, v.Word = "busy", "Waits to be added"
	case len(a.Watching) > 0:
		v.Tone, v.Word = "ok", words.Count(len(a.Watching), "viewer")
	case connected > 0:
		v.Tone, v.Word = "ok", "In Apple Home"
	default:
		v.Tone, v.Word = "warn", "Nobody connected"
	}
	return v
}

// homekitCodes is the sheet of all codes, made to be printed and kept.
func (p *pages) homekitCodes(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	body, _ := p.homekitPlugin(r)
	if body.Up {
		var err error
		if body.Codes, err = p.codes(r, body); err != nil {
			body.Err = api.Describe(err)
		}
	}
	body.House = absolute(r, "/homekit")
	p.show(w, r, http.StatusOK, "codes", frame{Title: "Codes for Apple Home", Nav: "homekit", Body: body})
}

// unpair takes a controller out of an accessory.
func (p *pages) unpair(w http.ResponseWriter, r *http.Request) {
	p.onHomekit(w, r, func(ctx context.Context, plugin string) error {
		camera, controller := r.PostFormValue("camera"), r.PostFormValue("controller")
		if camera == "" || controller == "" {
			return unsaid("which controller of which accessory")
		}
		_, err := homekit.Unpair(ctx, p.rooms.Plugins, plugin, camera, controller)
		return err
	})
}

// startOver gives an accessory a new identity and a new code.
func (p *pages) startOver(w http.ResponseWriter, r *http.Request) {
	p.onHomekit(w, r, func(ctx context.Context, plugin string) error {
		camera := r.PostFormValue("camera")
		if camera == "" || r.PostFormValue("sure") != "yes" {
			return unsaid("that you are sure, and of which accessory")
		}
		_, err := homekit.Reset(ctx, p.rooms.Plugins, plugin, camera)
		return err
	})
}

func unsaid(what string) error {
	return api.NewProblem(http.StatusUnprocessableEntity, "E-API-INVALID", "the form does not say "+what, "Go back, and fill it in.")
}

func (p *pages) onHomekit(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, plugin string) error) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	plugin, ok := homekit.Find(p.rooms.Plugins.Plugins())
	if !ok {
		p.oops(w, r, homekit.NotSetUp{})
		return
	}
	if err := do(r.Context(), plugin.Name); err != nil {
		p.oops(w, r, err)
		return
	}
	http.Redirect(w, r, "/homekit", http.StatusSeeOther)
}
