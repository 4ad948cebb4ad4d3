package pages

import (
	"net/http"
	"strconv"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

type loginBody struct {
	Next string
	User string
	Why  string // setup-link: the link that led here is no longer good
	Err  *api.Problem
}

func (p *pages) login(w http.ResponseWriter, r *http.Request) {
	next := api.SafeNext(r.URL.Query().Get("next"))
	if _, ok := access.From(r.Context()); ok {
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	p.show(w, r, http.StatusOK, "login", frame{Title: "Sign in", Bare: true, Body: loginBody{Next: next, User: access.Owner, Why: r.URL.Query().Get("why")}})
}

func (p *pages) logIn(w http.ResponseWriter, r *http.Request) {
	user, next := r.PostFormValue("user"), api.SafeNext(r.PostFormValue("next"))
	if _, err := p.door.Login(w, r, user, r.PostFormValue("password")); err != nil {
		pr := api.Describe(err)
		if pr.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(pr.RetryAfter))
		}
		p.show(w, r, pr.Status, "login", frame{Title: "Sign in", Bare: true, Body: loginBody{Next: next, User: user, Err: pr}})
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (p *pages) logOut(w http.ResponseWriter, r *http.Request) {
	if err := p.door.Logout(w, r); err != nil {
		p.log.Warn("session not ended", "err", err)
	}
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

type setupBody struct {
	First bool // the hub lets nobody past before there is a password
	Err   *api.Problem
}

func (p *pages) setup(w http.ResponseWriter, r *http.Request) {
	if _, ok := access.From(r.Context()); !ok {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	p.showSetup(w, r, http.StatusOK, setupBody{First: r.URL.Query().Get("why") == "first"})
}

func (p *pages) setPassword(w http.ResponseWriter, r *http.Request) {
	if err := p.door.SetPassword(r, r.PostFormValue("current"), r.PostFormValue("password")); err != nil {
		pr := api.Describe(err)
		p.showSetup(w, r, pr.Status, setupBody{First: r.PostFormValue("why") == "first", Err: pr})
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *pages) showSetup(w http.ResponseWriter, r *http.Request, status int, b setupBody) {
	who, _ := access.From(r.Context())
	b.First = b.First && !who.HasPassword
	p.show(w, r, status, "setup", frame{Title: "Your password", Bare: b.First, Body: b})
}
