package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// wire is the request beneath huma's, which setting a cookie needs.
type wire struct {
	r *http.Request
	w http.ResponseWriter
}

// Resolve is for huma.
func (x *wire) Resolve(ctx huma.Context) []error {
	x.r, x.w = humago.Unwrap(ctx)
	return nil
}

type loginIn struct {
	wire
	Body struct {
		User     string `json:"user,omitempty" maxLength:"64" doc:"owner, if left out"`
		Password string `json:"password" maxLength:"1024"`
	}
}

type setupIn struct {
	wire
	Body struct {
		Token string `json:"token" maxLength:"128"`
	}
}

type passwordIn struct {
	wire
	Body struct {
		Current  string `json:"current,omitempty" maxLength:"1024"`
		Password string `json:"password" maxLength:"1024"`
	}
}

type requestIn struct{ wire }

func (h *house) people() {
	route(h, http.MethodPost, "/login", "Sign in with a password", public(), http.StatusOK, func(_ context.Context, in *loginIn) (*answer[Me], error) {
		id, err := h.Door.Login(in.w, in.r, in.Body.User, in.Body.Password)
		return me(id), err
	})
	route(h, http.MethodPost, "/setup", "Sign in with a setup token", public(), http.StatusOK, func(_ context.Context, in *setupIn) (*answer[Me], error) {
		id, err := h.Door.Claim(in.w, in.r, in.Body.Token)
		return me(id), err
	})
	route(h, http.MethodPost, "/logout", "End the session", signedIn().byPerson(), http.StatusNoContent, func(_ context.Context, in *requestIn) (*nothing, error) {
		return nil, h.Door.Logout(in.w, in.r)
	})
	route(h, http.MethodGet, "/me", "Who asks", signedIn(), http.StatusOK, func(ctx context.Context, _ *nothing) (*answer[Me], error) {
		id, _ := access.From(ctx)
		return me(id), nil
	})
	route(h, http.MethodPost, "/me/password", "Choose a password", signedIn().byPerson(), http.StatusNoContent, func(_ context.Context, in *passwordIn) (*nothing, error) {
		return nil, h.Door.SetPassword(in.r, in.Body.Current, in.Body.Password)
	})
	route(h, http.MethodGet, "/version", "The hub's version", signedIn(), http.StatusOK, func(context.Context, *nothing) (*answer[Version], error) {
		return &answer[Version]{Version{Version: h.Version, Started: h.started}}, nil
	})
}

func me(id access.Identity) *answer[Me] {
	m := Me{User: id.User, Role: string(id.Role), HasPassword: id.HasPassword, Via: id.Via, Token: id.Token, Cameras: id.Cameras}
	for _, s := range id.Scopes {
		m.Scopes = append(m.Scopes, string(s))
	}
	return &answer[Me]{m}
}

type setupLinkIn struct {
	Body *struct {
		ResetOwner bool `json:"reset_owner,omitempty"`
	}
}

// adminOnly has what needs the machine itself: whoever may use the admin socket
// could read hub.db as well.
func (h *house) adminOnly() {
	route(h, http.MethodPost, "/admin/setup-link", "A new setup link", demand{owner: true}, http.StatusOK, func(ctx context.Context, in *setupLinkIn) (*answer[SetupLink], error) {
		var token string
		var expires time.Time
		var err error
		if in.Body != nil && in.Body.ResetOwner {
			token, expires, err = h.Access.ResetOwner(ctx)
			h.Changed() // streams of all sessions end
		} else {
			token, expires, err = h.Access.NewSetupToken(ctx)
		}
		if err != nil {
			return nil, err
		}
		return &answer[SetupLink]{SetupLink{URL: h.SetupURL(token), Expires: expires}}, nil
	})
}
