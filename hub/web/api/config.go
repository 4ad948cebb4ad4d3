package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/access"
)

type validateIn struct {
	Body struct {
		YAML string `json:"yaml" maxLength:"1048576"`
	}
}

type problemList struct {
	Problems []ConfigProblem `json:"problems" nullable:"false"`
}

type cardList struct {
	Cards []Card `json:"cards" nullable:"false"`
}

// cards of the hub itself.
func (a *API) cards() []Card {
	if a.Rooms.Cards == nil {
		return []Card{}
	}
	return filled(a.Rooms.Cards())
}

type byCode struct {
	Code string `path:"code" maxLength:"64"`
}

func (h *house) config() {
	route(h, http.MethodGet, "/config", "The config that runs, and its problems", access.RoleAdmin, http.StatusOK, func(context.Context, *nothing) (*answer[Config], error) {
		return &answer[Config]{Config{ConfigState: h.configState(), YAML: string(h.Rooms.Config.Effective())}}, nil
	})
	route(h, http.MethodPost, "/config/validate", "Check a config without using it", access.RoleAdmin, http.StatusOK, func(ctx context.Context, in *validateIn) (*answer[problemList], error) {
		return &answer[problemList]{problemList{filled(h.Rooms.Config.Validate(ctx, []byte(in.Body.YAML)))}}, nil
	})
	route(h, http.MethodGet, "/health", "What is wrong with the hub itself", access.RoleMember, http.StatusOK, func(context.Context, *nothing) (*answer[cardList], error) {
		return &answer[cardList]{cardList{h.cards()}}, nil
	})
	route(h, http.MethodGet, "/explain/{code}", "What an error code means and how to mend it", access.RoleGuest, http.StatusOK, func(_ context.Context, in *byCode) (*answer[Explanation], error) {
		x, ok := h.Rooms.Explain.Explain(strings.ToUpper(in.Code))
		if !ok {
			return nil, notFound("code", in.Code)
		}
		return &answer[Explanation]{x}, nil
	})
}

func (a *API) configState() ConfigState {
	s := a.Rooms.Config.State()
	s.Problems = filled(s.Problems)
	return s
}
