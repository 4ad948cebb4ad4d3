package pages

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages/words"
	"github.com/porchlight-hub/porchlight/hub/web/static"
)

//go:embed *.html
var templates embed.FS

// Door lets people in and out.
type Door interface {
	Login(w http.ResponseWriter, r *http.Request, user, password string) (access.Identity, error)
	SetPassword(r *http.Request, current, password string) error
	Logout(w http.ResponseWriter, r *http.Request) error
}

// Deps is what pages read and call. Zone and Now may be left out: the system's; without
// Tokens there is no page of them.
type Deps struct {
	Rooms   api.Rooms
	Door    Door
	Tokens  Tokens
	Version string
	Log     *slog.Logger
	Zone    *time.Location
	Now     func() time.Time
}

type pages struct {
	rooms    api.Rooms
	door     Door
	programs Tokens
	version  string
	log      *slog.Logger
	zone     *time.Location
	now      func() time.Time
	assets   *static.Assets
	sets     map[string]*template.Template // by page, each with the layout
}

// New gives the handler of all pages; an unknown path is the page that says so.
func New(d Deps) http.Handler {
	p := &pages{
		rooms: d.Rooms, door: d.Door, programs: d.Tokens, version: d.Version, log: cmp.Or(d.Log, slog.New(slog.DiscardHandler)),
		zone: cmp.Or(d.Zone, time.Local), now: d.Now, assets: static.New(), sets: map[string]*template.Template{},
	}
	if p.now == nil {
		p.now = time.Now
	}
	layout := template.Must(template.New("layout").Funcs(p.funcs()).ParseFS(templates, "layout.html", "pieces.html", "elsewhere.html"))
	for _, name := range []string{"home", "camera", "health", "events", "event", "plugins", "plugin", "config", "explain", "login", "setup", "tokens", "apidocs", "homekit", "codes", "noresponse", "oops"} {
		p.sets[name] = template.Must(template.Must(layout.Clone()).ParseFS(templates, name+".html"))
	}
	return p.routes()
}

func (p *pages) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("GET /cameras/{id}", p.camera)
	mux.HandleFunc("POST /cameras/{id}/ring", p.ring)
	mux.HandleFunc("POST /cameras/{id}/retry", p.retry)
	mux.HandleFunc("POST /cameras/{id}/test", p.test)
	mux.HandleFunc("POST /cameras/{id}/hook", p.renewHook)
	mux.HandleFunc("POST /cameras/{id}", p.makeStream)
	mux.HandleFunc("POST /cameras/{id}/streams/{password}/revoke", p.revokeStream)
	mux.HandleFunc("POST /quiet", p.quiet)
	mux.HandleFunc("POST /chimes/{id}/test", p.testChime)
	mux.HandleFunc("POST /chimes/{id}/mute", p.muteChime)
	mux.HandleFunc("GET /events", p.events)
	mux.HandleFunc("GET /events/{id}", p.event)
	mux.HandleFunc("GET /plugins", p.plugins)
	mux.HandleFunc("GET /plugins/{name}", p.plugin)
	mux.HandleFunc("POST /plugins/{name}/restart", p.restart)
	mux.HandleFunc("GET /homekit", p.homekit)
	mux.HandleFunc("GET /homekit/codes", p.homekitCodes)
	mux.HandleFunc("GET /homekit/no-response", p.noResponse)
	mux.HandleFunc("POST /homekit/no-response", p.lookForHome)
	mux.HandleFunc("POST /homekit/unpair", p.unpair)
	mux.HandleFunc("POST /homekit/reset", p.startOver)
	mux.HandleFunc("GET /config", p.config)
	mux.HandleFunc("GET /health", p.health)
	mux.HandleFunc("POST /health", p.look)
	mux.HandleFunc("GET /explain/{code}", p.explain)
	mux.HandleFunc("GET /login", p.login)
	mux.HandleFunc("POST /login", p.logIn)
	mux.HandleFunc("POST /logout", p.logOut)
	mux.HandleFunc("GET /setup", p.setup)
	mux.HandleFunc("POST /setup", p.setPassword)
	mux.HandleFunc("GET /api/docs", p.apiDocs)
	mux.HandleFunc("GET /tokens", p.tokens)
	mux.HandleFunc("POST /tokens", p.makeToken)
	mux.HandleFunc("POST /tokens/{id}/revoke", p.revokeToken)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, p.assets.URL("icon.svg"), http.StatusFound)
	})
	mux.HandleFunc("/", p.missing)
	return mux
}

// frame is what every page has around its own body.
type frame struct {
	Title   string
	Nav     string // which entry of the navigation is this page
	Bare    bool   // before a login: no navigation, no events
	Version string
	Who     access.Identity
	Tokens  bool // the page of tokens is there for this person
	MayTalk bool // this person may speak at doors
	Notices []notice
	More    []notice // behind a click
	Body    any
}

// show answers with a page, or with the one part of it that was asked for.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, page string, f frame) {
	f.Version = p.version
	if who, ok := access.From(r.Context()); ok {
		f.Who = who
		f.MayTalk = who.May(access.ScopeTalk)
		f.Tokens = p.programs != nil && who.Role.Allows(access.RoleAdmin)
	} else {
		f.Bare = true
	}
	if !f.Bare && f.Nav != "health" { // that page has them at more length
		f.Notices = p.notices()
		if n := len(f.Notices); n > openNotices+1 {
			f.Notices, f.More = f.Notices[:openNotices:openNotices], f.Notices[openNotices:]
		}
	}
	set, name := p.sets[page], "layout"
	if part := r.URL.Query().Get("part"); part != "" && page != "oops" {
		if set.Lookup("part-"+part) == nil {
			http.Error(w, "no such part", http.StatusNotFound)
			return
		}
		name = "part-" + part
	}
	var b bytes.Buffer
	if err := set.ExecuteTemplate(&b, name, f); err != nil {
		p.log.Error("page not drawn", "page", page, "part", name, "err", err)
		http.Error(w, "This page could not be drawn. E-API-INTERNAL", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the peer is gone if this fails
}

// may answers with a refusal where the person's role does not allow what needs need.
func (p *pages) may(w http.ResponseWriter, r *http.Request, need access.Role) bool {
	who, ok := access.From(r.Context())
	switch {
	case !ok:
		p.oops(w, r, access.ErrLogin)
	case !who.Role.Allows(need):
		p.oops(w, r, access.ErrForbidden)
	default:
		return true
	}
	return false
}

// back sends the browser to the page that a form came from.
func back(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, api.SafeNext(r.PostFormValue("next")), http.StatusSeeOther)
}

func (p *pages) funcs() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) template.URL { return template.URL(p.assets.URL(name)) },
		"icon": func(name string) template.HTML {
			return template.HTML(fmt.Sprintf(`<svg class="icon" aria-hidden="true"><use href="%s"/></svg>`, p.assets.URL("icons.svg#"+name)))
		},
		"clock":  func(t time.Time) string { return t.In(p.zone).Format("15:04") },
		"exact":  func(t time.Time) string { return t.In(p.zone).Format("15:04:05.000") },
		"full":   func(t time.Time) string { return t.In(p.zone).Format("Monday 2 January 2006, 15:04:05 MST") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"ago":    func(t time.Time) string { return words.Ago(p.now().Sub(t)) },
		"days":   func() []int { return []int{7, 30, 90, 365} },
		"inc":    func(i int) int { return i + 1 },
		"say":    func(s string) template.HTML { return words.Prose(words.Sentence(s)) },
		"prose":  words.Prose,
		"json":   words.JSON,
		"kinds":  func() string { return strings.Trim(fmt.Sprint(shown()), "[]") },
		"plural": words.Count,
		"lines":  func(s string) []string { return strings.Split(strings.TrimSpace(s), "\n\n") },
		"sound":  func(s string) string { return words.Capital(strings.ReplaceAll(s, "_", " ")) },
		"cell":   func(name, value string) words.Fact { return words.Fact{Name: name, Value: value} },
		"ringing": func(t cameraTile, next string) ringButton {
			return ringButton{ID: t.ID, Button: t.Button, Next: next}
		},
		"nav": func(f frame, id, href, icon, label string) navItem {
			return navItem{Href: href, Icon: icon, Label: label, Here: f.Nav == id}
		},
		"trouble": func(pr *api.Problem) trouble {
			return trouble{Text: words.Sentence(cmp.Or(pr.Detail, pr.Title)), Hint: pr.Hint(), Code: pr.Code()}
		},
	}
}

// ringButton rings a camera, and leads back to next where there is no script.
type ringButton struct {
	ID     string
	Button bool
	Next   string
}

type navItem struct {
	Href, Icon, Label string
	Here              bool
}

// trouble is an error inside a page.
type trouble struct{ Text, Hint, Code string }
