package api

import (
	"context"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// quietMost is the longest that a button keeps the house quiet.
const quietMost = 24 * time.Hour

type chimeList struct {
	Chimes []Chime `json:"chimes" nullable:"false"`
	Quiet  Quiet   `json:"quiet"`
}

type muteIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		Muted bool `json:"muted"`
	}
}

type soundedIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body struct {
		EventID string `json:"event_id" maxLength:"64"`
		TookMS  int64  `json:"took_ms,omitempty" minimum:"0" maximum:"60000" doc:"from the message's arrival to the sound's begin"`
	}
}

type quietIn struct {
	Body struct {
		For string `json:"for" maxLength:"32" example:"1h"`
	}
}

func (h *house) chimes() {
	route(h, http.MethodGet, "/chimes", "All chimes", of(access.ScopeView), http.StatusOK, func(context.Context, *nothing) (*answer[chimeList], error) {
		return &answer[chimeList]{chimeList{filled(h.Rooms.Chimes.Chimes()), h.Rooms.Chimes.Quiet()}}, nil
	})
	route(h, http.MethodPost, "/chimes/{id}/test", "Let one chime sound", of(access.ScopeControl), http.StatusOK, func(ctx context.Context, in *byID) (*answer[Played], error) {
		if _, err := h.chime(in.ID); err != nil {
			return nil, err
		}
		played, err := h.Rooms.Chimes.Test(ctx, in.ID)
		return &answer[Played]{played}, err
	})
	route(h, http.MethodPost, "/chimes/{id}/mute", "Mute one chime, or end that", of(access.ScopeControl), http.StatusOK, func(ctx context.Context, in *muteIn) (*answer[Chime], error) {
		if _, err := h.chime(in.ID); err != nil {
			return nil, err
		}
		if err := h.Rooms.Chimes.Mute(ctx, in.ID, in.Body.Muted); err != nil {
			return nil, err
		}
		h.Changed()
		c, err := h.chime(in.ID)
		return &answer[Chime]{c}, err
	})
	route(h, http.MethodPost, "/chimes/{id}/sounded", "A page tells that it sounded", of(access.ScopeControl), http.StatusNoContent, func(_ context.Context, in *soundedIn) (*nothing, error) {
		h.Rooms.Sounds.Sounded(in.Body.EventID, in.ID, time.Duration(in.Body.TookMS)*time.Millisecond)
		return nil, nil
	})
	route(h, http.MethodGet, "/quiet", "Whether the house is kept quiet", of(access.ScopeView), http.StatusOK, func(context.Context, *nothing) (*answer[Quiet], error) {
		return &answer[Quiet]{h.Rooms.Chimes.Quiet()}, nil
	})
	route(h, http.MethodPost, "/quiet", "Keep the house quiet for a while", of(access.ScopeControl), http.StatusOK, func(ctx context.Context, in *quietIn) (*answer[Quiet], error) {
		d, err := time.ParseDuration(in.Body.For)
		if err != nil || d <= 0 || d > quietMost {
			return nil, invalid("body.for", "want a duration up to 24h, as 1h or 30m")
		}
		return h.setQuiet(ctx, h.Now().Add(d))
	})
	route(h, http.MethodDelete, "/quiet", "Let the house sound again", of(access.ScopeControl), http.StatusOK, func(ctx context.Context, _ *nothing) (*answer[Quiet], error) {
		return h.setQuiet(ctx, time.Time{})
	})
}

func (h *house) setQuiet(ctx context.Context, until time.Time) (*answer[Quiet], error) {
	if err := h.Rooms.Chimes.SetQuiet(ctx, until); err != nil {
		return nil, err
	}
	h.Changed()
	return &answer[Quiet]{h.Rooms.Chimes.Quiet()}, nil
}

func (h *house) chime(id string) (Chime, error) {
	for _, c := range h.Rooms.Chimes.Chimes() {
		if c.ID == id {
			return c, nil
		}
	}
	return Chime{}, notFound("chime", id)
}
