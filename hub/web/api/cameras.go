package api

import (
	"context"
	"net/http"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// looksAtOnce bounds the fresh looks at cameras that are under way.
const looksAtOnce = 4

type byID struct {
	ID string `path:"id" maxLength:"64"`
}

type cameraList struct {
	Cameras []Camera `json:"cameras" nullable:"false"`
}

type ringIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body *struct {
		Test bool `json:"test,omitempty" doc:"marks the ring as a test"`
	}
}

type rung struct {
	EventID string `json:"event_id"`
}

func (h *house) cameras(m *Routes) {
	route(h, http.MethodGet, "/cameras", "All cameras", ofCamera(access.ScopeView), http.StatusOK, func(ctx context.Context, _ *nothing) (*answer[cameraList], error) {
		who, _ := access.From(ctx)
		return &answer[cameraList]{cameraList{seen(who, h.Rooms.Cameras.Cameras())}}, nil
	})
	route(h, http.MethodGet, "/cameras/{id}", "One camera and its sources", ofCamera(access.ScopeView), http.StatusOK, func(ctx context.Context, in *byID) (*answer[Camera], error) {
		c, err := h.camera(ctx, in.ID)
		return &answer[Camera]{c}, err
	})
	route(h, http.MethodPost, "/cameras/{id}/ring", "Ring the doorbell", ofCamera(access.ScopeControl), http.StatusAccepted, func(ctx context.Context, in *ringIn) (*answer[rung], error) {
		if _, err := h.camera(ctx, in.ID); err != nil {
			return nil, err
		}
		id, err := h.Rooms.Ringer.Ring(ctx, in.ID, in.Body != nil && in.Body.Test)
		if err != nil {
			return nil, err
		}
		return &answer[rung]{rung{id}}, nil
	})
	h.sources()
	h.hooks()
	h.pictures(m)
	h.live(m)
	h.talks(m)
}

func (h *house) sources() {
	route(h, http.MethodPost, "/cameras/{id}/test", "Look at a camera afresh, over a connection of its own", ofCamera(access.ScopeControl), http.StatusOK, func(ctx context.Context, in *byID) (*answer[CameraReport], error) {
		c, err := h.camera(ctx, in.ID)
		switch {
		case err != nil:
			return nil, err
		case h.Rooms.Sources == nil:
			return nil, notYet("the test of cameras")
		case c.Button:
			return nil, noSource(c)
		}
		select {
		case h.looks <- struct{}{}:
			defer func() { <-h.looks }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		report, err := h.Rooms.Sources.Test(ctx, in.ID)
		report.Checks, report.Sources = filled(report.Checks), filled(report.Sources)
		return &answer[CameraReport]{report}, err
	})
	route(h, http.MethodPost, "/cameras/{id}/retry", "Try to reach a camera now", ofCamera(access.ScopeControl), http.StatusAccepted, func(ctx context.Context, in *byID) (*nothing, error) {
		c, err := h.camera(ctx, in.ID)
		switch {
		case err != nil:
			return nil, err
		case h.Rooms.Sources == nil:
			return nil, notYet("the retry of cameras")
		case c.Button:
			return nil, noSource(c)
		}
		return nil, h.Rooms.Sources.Retry(ctx, in.ID)
	})
}

func noSource(c Camera) *Problem {
	return NewProblem(http.StatusConflict, "E-API-BUTTON", c.ID+" is a bare button: it has no source", "Ring it by its hook: porchlight cameras hook "+c.ID+" prints the address.")
}

// hooks give away a secret that outlives the token of who asked, so they are for admins.
func (h *house) hooks() {
	route(h, http.MethodGet, "/cameras/{id}/hook", "The URL that rings this camera", of(access.ScopeAdmin), http.StatusOK, func(ctx context.Context, in *byID) (*answer[Hook], error) {
		return h.hook(ctx, in.ID, Hooks.Hook)
	})
	route(h, http.MethodPost, "/cameras/{id}/hook", "Another URL; the old one rings no more", of(access.ScopeAdmin), http.StatusOK, func(ctx context.Context, in *byID) (*answer[Hook], error) {
		return h.hook(ctx, in.ID, Hooks.Renew)
	})
}

func (h *house) hook(ctx context.Context, id string, get func(Hooks, context.Context, string) (Hook, error)) (*answer[Hook], error) {
	if _, err := h.camera(ctx, id); err != nil {
		return nil, err
	}
	if h.Rooms.Hooks == nil {
		return nil, notYet("hooks")
	}
	hook, err := get(h.Rooms.Hooks, ctx, id)
	return &answer[Hook]{hook}, err
}

// filled makes an empty list of a nil one: JSON's [] rather than null.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
