package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
)

type tokenList struct {
	Tokens []Token `json:"tokens" nullable:"false"`
}

type tokenIn struct {
	Body struct {
		Name    string    `json:"name" maxLength:"256" example:"kitchen tablet"`
		Scopes  []string  `json:"scopes" nullable:"false" maxItems:"16" example:"[\"view\",\"control\"]" doc:"view, talk, control, config, admin"`
		Cameras []string  `json:"cameras,omitempty" maxItems:"256" doc:"the only ones it is for; none: the whole house"`
		Expires time.Time `json:"expires,omitzero" doc:"never, if left out"`
	}
}

func (h *house) tokens() {
	route(h, http.MethodGet, "/tokens", "The tokens of programs", of(access.ScopeAdmin), http.StatusOK, func(ctx context.Context, _ *nothing) (*answer[tokenList], error) {
		all, err := h.Access.Tokens(ctx)
		if err != nil {
			return nil, err
		}
		list := tokenList{make([]Token, 0, len(all))}
		for _, t := range all {
			list.Tokens = append(list.Tokens, fromToken(t))
		}
		return &answer[tokenList]{list}, nil
	})
	route(h, http.MethodPost, "/tokens", "Make a token; its secret is in this answer and never again", of(access.ScopeAdmin).byPerson(), http.StatusCreated, h.newToken)
	route(h, http.MethodDelete, "/tokens/{id}", "Make a token worthless", of(access.ScopeAdmin), http.StatusNoContent, func(ctx context.Context, in *byID) (*nothing, error) {
		ok, err := h.Access.RevokeToken(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, notFound("token", in.ID)
		}
		h.Changed() // what it holds open ends
		return nil, nil
	})
}

func (h *house) newToken(ctx context.Context, in *tokenIn) (*answer[Token], error) {
	for _, c := range in.Body.Cameras {
		if _, err := h.camera(ctx, c); err != nil {
			return nil, err
		}
	}
	spec := access.TokenSpec{Name: in.Body.Name, Cameras: in.Body.Cameras, Expires: in.Body.Expires}
	for _, s := range in.Body.Scopes {
		spec.Scopes = append(spec.Scopes, access.Scope(s))
	}
	by, _ := access.From(ctx)
	t, bearer, err := h.Access.NewToken(ctx, by, spec)
	var wrong *access.TokenError
	if errors.As(err, &wrong) {
		p := Describe(err)
		p.Errors = []Fault{{Path: "body." + wrong.Field, Message: wrong.Message}}
		return nil, p
	}
	if err != nil {
		return nil, err
	}
	out := fromToken(t)
	out.Secret = bearer
	return &answer[Token]{out}, nil
}

func fromToken(t access.Token) Token {
	out := Token{ID: t.ID, Name: t.Name, Scopes: []string{}, Cameras: filled(t.Cameras), Created: t.Created, Expires: t.Expires, LastUsed: t.LastUsed}
	for _, s := range t.Scopes {
		out.Scopes = append(out.Scopes, string(s))
	}
	return out
}
