package pages

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// Tokens let programs in, and stream passwords those that know RTSP only.
type Tokens interface {
	Tokens(ctx context.Context) ([]access.Token, error)
	NewToken(ctx context.Context, by access.Identity, spec access.TokenSpec) (access.Token, string, error)
	RevokeToken(ctx context.Context, id string) (bool, error)

	StreamPasswords(ctx context.Context) ([]access.StreamPassword, error)
	NewStreamPassword(ctx context.Context, by access.Identity, spec access.StreamSpec) (access.StreamPassword, string, error)
	RevokeStreamPassword(ctx context.Context, id string) (bool, error)
}

type tokensBody struct {
	Tokens  []tokenView
	Scopes  []scopeChoice
	Cameras []cameraChoice
	Name    string
	Days    int    // until a new one expires; 0: never
	Made    string // the name of the one that was made just now
	Secret  string // and what it says, this once
	Err     *api.Problem
}

type tokenView struct {
	access.Token
	Where   []string // names of cameras; none: the whole house
	Expired bool
}

type scopeChoice struct {
	ID, Means string
	On        bool
}

type cameraChoice struct {
	ID, Name string
	On       bool
}

// meanings of the scopes, as people read them.
func meanings() map[access.Scope]string {
	return map[access.Scope]string{
		access.ScopeView:    "see pictures, events and how things are",
		access.ScopeTalk:    "speak to the door",
		access.ScopeControl: "ring, mute, keep quiet, look at a camera afresh",
		access.ScopeConfig:  "read the config",
		access.ScopeAdmin:   "all of it",
	}
}

func (p *pages) tokens(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	if p.programs == nil {
		p.missing(w, r)
		return
	}
	p.showTokens(w, r, http.StatusOK, tokensBody{}, access.TokenSpec{Scopes: []access.Scope{access.ScopeView}})
}

func (p *pages) showTokens(w http.ResponseWriter, r *http.Request, status int, body tokensBody, spec access.TokenSpec) {
	all, err := p.programs.Tokens(r.Context())
	if err != nil {
		p.oops(w, r, err)
		return
	}
	names := map[string]string{}
	for _, c := range p.rooms.Cameras.Cameras() {
		names[c.ID] = c.Name
		body.Cameras = append(body.Cameras, cameraChoice{ID: c.ID, Name: c.Name, On: slices.Contains(spec.Cameras, c.ID)})
	}
	for _, t := range all {
		v := tokenView{Token: t, Expired: !t.Expires.IsZero() && !t.Expires.After(p.now())}
		for _, id := range t.Cameras {
			name, known := names[id]
			if !known {
				name = id
			}
			v.Where = append(v.Where, name)
		}
		body.Tokens = append(body.Tokens, v)
	}
	for _, s := range access.Scopes() {
		body.Scopes = append(body.Scopes, scopeChoice{ID: string(s), Means: meanings()[s], On: slices.Contains(spec.Scopes, s)})
	}
	p.show(w, r, status, "tokens", frame{Title: "Tokens", Nav: "tokens", Body: body})
}

// makeToken shows the secret in its answer, and never again.
func (p *pages) makeToken(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	if p.programs == nil {
		p.missing(w, r)
		return
	}
	who, _ := access.From(r.Context())
	spec := access.TokenSpec{Name: r.PostFormValue("name")}
	for _, s := range r.PostForm["scope"] {
		spec.Scopes = append(spec.Scopes, access.Scope(s))
	}
	for _, id := range r.PostForm["camera"] {
		if _, ok := p.rooms.Cameras.Camera(id); ok {
			spec.Cameras = append(spec.Cameras, id)
		}
	}
	body := tokensBody{}
	if days, err := strconv.Atoi(r.PostFormValue("days")); err == nil && days > 0 && days <= 3650 {
		body.Days = days
		spec.Expires = p.now().Add(time.Duration(days) * 24 * time.Hour)
	}
	t, secret, err := p.programs.NewToken(r.Context(), who, spec)
	if err != nil {
		body.Name, body.Err = spec.Name, api.Describe(err)
		p.showTokens(w, r, body.Err.Status, body, spec)
		return
	}
	body.Made, body.Secret = t.Name, secret
	p.showTokens(w, r, http.StatusCreated, body, access.TokenSpec{Scopes: []access.Scope{access.ScopeView}})
}

func (p *pages) revokeToken(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	if p.programs == nil {
		p.missing(w, r)
		return
	}
	if _, err := p.programs.RevokeToken(r.Context(), r.PathValue("id")); err != nil {
		p.oops(w, r, err)
		return
	}
	http.Redirect(w, r, "/tokens", http.StatusSeeOther)
}

// apiDocs shows what programs can call; the script draws it from the API's description.
func (p *pages) apiDocs(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleMember) {
		return
	}
	p.show(w, r, http.StatusOK, "apidocs", frame{Title: "API", Nav: "api"})
}
