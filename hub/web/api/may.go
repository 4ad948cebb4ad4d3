package api

import (
	"context"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// demand is what a route asks of who asks.
type demand struct {
	open   bool         // nobody need be signed in
	scope  access.Scope // what it is for; empty: whoever is signed in may
	some   bool         // a token for some cameras may too: the route looks which ones
	person bool         // a token may not
	owner  bool
}

// public is for whoever comes, signed in for who has come in.
func public() demand { return demand{open: true} }

func signedIn() demand { return demand{some: true} }

// of is for who may do what the scope is for, in the whole house.
func of(s access.Scope) demand { return demand{scope: s} }

// ofCamera is of, and for tokens that are for some cameras.
func ofCamera(s access.Scope) demand { return demand{scope: s, some: true} }

// byPerson keeps programs out.
func (d demand) byPerson() demand {
	d.person = true
	return d
}

// may tells why the asker may not.
func (a *API) may(ctx context.Context, d demand) *Problem {
	if d.open {
		return nil
	}
	id, ok := access.From(ctx)
	switch {
	case !ok:
		return Describe(access.ErrLogin)
	case (d.person || d.owner) && !id.Person():
		return Describe(access.ErrPerson)
	case d.owner && !id.Role.Allows(access.RoleOwner):
		return Describe(access.ErrForbidden)
	case d.scope != "" && !id.May(d.scope):
		if id.Person() {
			return Describe(access.ErrForbidden)
		}
		p := Describe(access.ErrScope)
		p.Detail += "; it needs " + string(d.scope)
		return p
	case !d.some && !id.Everywhere():
		return Describe(access.ErrCameras)
	}
	return nil
}

// camera that the asker is let to. One that is there, but not for the asker's token, is
// as unknown as one that is not.
func (a *API) camera(ctx context.Context, id string) (Camera, error) {
	if who, _ := access.From(ctx); who.Sees(id) {
		if c, ok := a.Rooms.Cameras.Camera(id); ok {
			return c, nil
		}
	}
	return Camera{}, a.noCamera(ctx, id)
}

// noCamera also tells where the config has errors about that camera: whoever just wrote
// it there wonders why it is not known.
func (a *API) noCamera(ctx context.Context, id string) *Problem {
	p := notFound("camera", id)
	who, _ := access.From(ctx)
	if !who.Sees(id) {
		return p
	}
	state := a.Rooms.Config.State()
	if state.Valid {
		return p
	}
	for _, c := range state.Problems {
		if c.Severity == "error" && (c.Path == "cameras."+id || hasPath(c.Path, "cameras."+id)) {
			p.Errors = append(p.Errors, faultOf(c))
		}
	}
	if len(p.Errors) > 0 {
		p.ErrHint = "The config has errors about it; the hub runs with the one before."
	}
	return p
}

// hasPath tells whether a place of the config is beneath another.
func hasPath(path, above string) bool {
	return len(path) > len(above) && path[:len(above)] == above && path[len(above)] == '.'
}

// seen leaves the cameras that the asker is let to.
func seen(who access.Identity, all []Camera) []Camera {
	out := make([]Camera, 0, len(all))
	for _, c := range all {
		if who.Sees(c.ID) {
			out = append(out, c)
		}
	}
	return out
}
