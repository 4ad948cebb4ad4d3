package pages

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// elsewhere is how other programs than the pages get at a camera's pictures.
type elsewhere struct {
	Streams []api.StreamURL // by RTSP, without a password
	LAN     bool            // other machines may read those
	Err     *api.Problem    // why there are none
	Curls   []curl

	MayMake   bool // stream passwords
	Passwords []streamView
	Alone     bool // the house has no other camera
	Made      *madeStream
}

// curl is a line for a terminal.
type curl struct{ ID, What, Line string }

type streamView struct {
	access.StreamPassword
	Others bool // it is for other cameras as well
}

// madeStream is a stream password of just now, or why there is none.
type madeStream struct {
	Name string
	URLs []api.StreamURL // with the password, this once
	Err  *api.Problem
}

func (p *pages) elsewhere(r *http.Request, c api.Camera, made *madeStream) *elsewhere {
	out := &elsewhere{Made: made, Alone: len(p.rooms.Cameras.Cameras()) < 2}
	var err error
	if out.Streams, out.LAN, err = api.StreamURLs(p.rooms, r, []api.Camera{c}, nil); err != nil {
		out.Err = api.Describe(err)
	}
	at := absolute(r, api.Prefix+"/cameras/"+c.ID)
	const bearer = `curl -N -H "Authorization: Bearer $TOKEN" `
	if p.rooms.MP4 != nil {
		out.Curls = append(out.Curls, curl{"curl-mp4", "A film as MP4, until you stop it", bearer + "-o " + c.ID + ".mp4 " + quoted(at+"/stream.mp4")})
	}
	out.Curls = append(out.Curls, curl{"curl-mjpeg", "One picture after the other, as MJPEG", bearer + "-o " + c.ID + ".mjpeg " + quoted(at+"/stream.mjpeg")},
		curl{"curl-jpeg", "One picture of now", bearer + "-o " + c.ID + ".jpg " + quoted(at+"/snapshot.jpg")})
	who, _ := access.From(r.Context())
	if p.programs == nil || out.Err != nil && len(out.Streams) == 0 || !who.Role.Allows(access.RoleAdmin) {
		return out
	}
	all, err := p.programs.StreamPasswords(r.Context())
	if err != nil {
		out.Err = api.Describe(err)
		return out
	}
	out.MayMake = true
	for _, s := range all {
		if len(s.Cameras) == 0 || slices.Contains(s.Cameras, c.ID) {
			out.Passwords = append(out.Passwords, streamView{s, len(s.Cameras) != 1})
		}
	}
	return out
}

// makeStream shows the password in its answer, and never again. Its address is the page's
// own, by which the live parts are drawn again.
func (p *pages) makeStream(w http.ResponseWriter, r *http.Request) {
	if !p.may(w, r, access.RoleAdmin) {
		return
	}
	c, ok := p.rooms.Cameras.Camera(r.PathValue("id"))
	if !ok || p.programs == nil {
		p.missing(w, r)
		return
	}
	who, _ := access.From(r.Context())
	spec := access.StreamSpec{Name: r.PostFormValue("name"), Talk: r.PostFormValue("talk") != ""}
	if r.PostFormValue("everywhere") == "" {
		spec.Cameras = []string{c.ID}
	}
	made := &madeStream{Name: spec.Name}
	s, password, err := p.programs.NewStreamPassword(r.Context(), who, spec)
	if err == nil {
		made.URLs, _, err = api.StreamURLs(p.rooms, r, []api.Camera{c}, url.UserPassword(s.User, password))
	}
	if err != nil {
		made.Err = api.Describe(err)
		p.showCamera(w, r, made.Err.Status, c, nil, made)
		return
	}
	p.showCamera(w, r, http.StatusCreated, c, nil, made)
}

func (p *pages) revokeStream(w http.ResponseWriter, r *http.Request) {
	p.onCamera(w, r, access.RoleAdmin, p.programs != nil, func(api.Camera) error {
		id := r.PathValue("password")
		if _, err := p.programs.RevokeStreamPassword(r.Context(), id); err != nil {
			return err
		}
		if p.rooms.Restream != nil {
			p.rooms.Restream.End(id)
		}
		return nil
	})
}
