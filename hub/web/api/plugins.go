package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/porchlight-hub/porchlight/hub/access"
)

type byName struct {
	Name string `path:"name" maxLength:"64"`
}

type pluginList struct {
	Plugins []Plugin `json:"plugins" nullable:"false"`
}

type logsIn struct {
	Name  string `path:"name" maxLength:"64"`
	Lines int    `query:"lines" minimum:"1" maximum:"1000" default:"200"`
}

type logLines struct {
	Lines []LogLine `json:"lines" nullable:"false"`
}

type actionIn struct {
	Name   string `path:"name" maxLength:"64"`
	Action string `path:"action" maxLength:"64"`
	// The plugin checks it against its own schema.
	Body *RawJSON
}

func (h *house) plugins() {
	route(h, http.MethodGet, "/plugins", "All plugins", of(access.ScopeView), http.StatusOK, func(context.Context, *nothing) (*answer[pluginList], error) {
		return &answer[pluginList]{pluginList{filled(h.Rooms.Plugins.Plugins())}}, nil
	})
	route(h, http.MethodGet, "/plugins/{name}", "One plugin", of(access.ScopeView), http.StatusOK, func(_ context.Context, in *byName) (*answer[Plugin], error) {
		p, err := h.plugin(in.Name)
		return &answer[Plugin]{p}, err
	})
	route(h, http.MethodPost, "/plugins/{name}/restart", "Restart a plugin", of(access.ScopeAdmin), http.StatusAccepted, func(ctx context.Context, in *byName) (*nothing, error) {
		if _, err := h.plugin(in.Name); err != nil {
			return nil, err
		}
		return nil, h.Rooms.Plugins.Restart(ctx, in.Name)
	})
	route(h, http.MethodGet, "/plugins/{name}/logs", "What a plugin logged, oldest first", of(access.ScopeAdmin), http.StatusOK, func(_ context.Context, in *logsIn) (*answer[logLines], error) {
		if _, err := h.plugin(in.Name); err != nil {
			return nil, err
		}
		return &answer[logLines]{logLines{filled(h.Rooms.Plugins.Logs(in.Name, in.Lines))}}, nil
	})
	route(h, http.MethodPost, "/plugins/{name}/actions/{action}", "Let a plugin do something it declared", demand{}, http.StatusOK, func(ctx context.Context, in *actionIn) (*answer[RawJSON], error) {
		p, err := h.plugin(in.Name)
		if err != nil {
			return nil, err
		}
		for _, a := range p.Actions {
			if a.Name != in.Action {
				continue
			}
			if p := h.may(ctx, of(scopeFor(a.Role))); p != nil {
				return nil, p
			}
			input := RawJSON("{}")
			if in.Body != nil {
				input = *in.Body
			}
			out, err := h.Rooms.Plugins.Act(ctx, in.Name, in.Action, json.RawMessage(input))
			return &answer[RawJSON]{RawJSON(out)}, err
		}
		return nil, notFound("action", in.Action)
	})
}

func (h *house) plugin(name string) (Plugin, error) {
	p, ok := h.Rooms.Plugins.Plugin(name)
	if !ok {
		return Plugin{}, notFound("plugin", name)
	}
	return p, nil
}

// scopeFor what a plugin asks of an action's caller; what it does not say is for admins.
func scopeFor(role string) access.Scope {
	switch s := access.Scope(role); s {
	case access.ScopeView, access.ScopeControl:
		return s
	}
	return access.ScopeAdmin
}
