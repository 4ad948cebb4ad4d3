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

type fileList struct {
	Files []ConfigFile `json:"files" nullable:"false"`
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
	route(h, http.MethodGet, "/config", "The config that runs, and its problems", of(access.ScopeConfig), http.StatusOK, func(context.Context, *nothing) (*answer[Config], error) {
		return &answer[Config]{Config{ConfigState: h.configState(), YAML: string(h.Rooms.Config.Effective())}}, nil
	})
	route(h, http.MethodGet, "/config/files", "The files of the config, secrets masked", of(access.ScopeConfig), http.StatusOK, func(context.Context, *nothing) (*answer[fileList], error) {
		return &answer[fileList]{fileList{filled(h.Rooms.Config.Files())}}, nil
	})
	route(h, http.MethodPost, "/config/validate", "Check a config without using it; 422 where it has errors", of(access.ScopeConfig), http.StatusOK, func(ctx context.Context, in *validateIn) (*answer[problemList], error) {
		problems := filled(h.Rooms.Config.Validate(ctx, []byte(in.Body.YAML)))
		if p := invalidConfig(problems); p != nil {
			return nil, p
		}
		return &answer[problemList]{problemList{problems}}, nil
	})
	route(h, http.MethodGet, "/explain/{code}", "What an error code means and how to mend it", signedIn(), http.StatusOK, func(_ context.Context, in *byCode) (*answer[Explanation], error) {
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
