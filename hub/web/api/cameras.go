package api

import (
	"context"
	"net/http"

	"github.com/porchlight-hub/porchlight/hub/access"
)

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
	route(h, http.MethodGet, "/cameras", "All cameras", access.RoleMember, http.StatusOK, func(context.Context, *nothing) (*answer[cameraList], error) {
		return &answer[cameraList]{cameraList{filled(h.Rooms.Cameras.Cameras())}}, nil
	})
	route(h, http.MethodGet, "/cameras/{id}", "One camera", access.RoleMember, http.StatusOK, func(_ context.Context, in *byID) (*answer[Camera], error) {
		c, ok := h.Rooms.Cameras.Camera(in.ID)
		if !ok {
			return nil, notFound("camera", in.ID)
		}
		return &answer[Camera]{c}, nil
	})
	route(h, http.MethodPost, "/cameras/{id}/ring", "Ring the doorbell", access.RoleMember, http.StatusAccepted, func(ctx context.Context, in *ringIn) (*answer[rung], error) {
		if _, ok := h.Rooms.Cameras.Camera(in.ID); !ok {
			return nil, notFound("camera", in.ID)
		}
		id, err := h.Rooms.Ringer.Ring(ctx, in.ID, in.Body != nil && in.Body.Test)
		if err != nil {
			return nil, err
		}
		return &answer[rung]{rung{id}}, nil
	})
	h.pictures(m)
}

// filled makes an empty list of a nil one: JSON's [] rather than null.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
