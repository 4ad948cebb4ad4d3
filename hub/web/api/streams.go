package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/address"
)

// Restream hands the cameras on by RTSP.
type Restream interface {
	// Where is the port that it listens on, and whether other machines may come; the error
	// is why it does not listen.
	Where() (port int, lan bool, err error)
	// End closes what was opened with the stream password of that id.
	End(id string)
}

// StreamPassword lets one program read cameras by RTSP. Password and URLs are there when
// it was made, and never again.
type StreamPassword struct {
	ID       string      `json:"id"`
	Name     string      `json:"name" example:"VLC in the hall"`
	User     string      `json:"user" example:"owner"` // the name that goes with it
	Talk     bool        `json:"talk"`                 // it may also speak to the door
	Cameras  []string    `json:"cameras" nullable:"false"`
	Created  time.Time   `json:"created"`
	LastUsed time.Time   `json:"last_used,omitzero"`
	Password string      `json:"password,omitempty"`
	URLs     []StreamURL `json:"urls,omitempty"`
}

// StreamURL is where a stream is.
type StreamURL struct {
	Camera string `json:"camera"`
	Name   string `json:"name"` // of the camera
	Stream string `json:"stream" enum:"main,sub"`
	URL    string `json:"url" example:"rtsp://192.168.1.5:8554/front_door/main"`
}

// StreamPasswords are those of the house, and where they open what.
type StreamPasswords struct {
	Passwords []StreamPassword `json:"passwords" nullable:"false"`
	// Streams have no password in their URLs.
	Streams []StreamURL `json:"streams" nullable:"false"`
	LAN     bool        `json:"lan"` // other machines may read
	// Code, Why and Fix tell why nobody can read now.
	Code string `json:"code,omitempty"`
	Why  string `json:"why,omitempty"`
	Fix  string `json:"fix,omitempty"`
}

type streamIn struct {
	wire
	Body struct {
		Name    string   `json:"name" maxLength:"256" example:"VLC in the hall"`
		Talk    bool     `json:"talk,omitempty" doc:"it may also speak to the door"`
		Cameras []string `json:"cameras,omitempty" maxItems:"256" doc:"the only ones it is for; none: the whole house"`
	}
}

func (h *house) streamPasswords() {
	route(h, http.MethodGet, "/stream-passwords", "What lets other programs read cameras by RTSP", of(access.ScopeAdmin), http.StatusOK, h.listStreams)
	route(h, http.MethodPost, "/stream-passwords", "Make a stream password; it is in this answer and never again", of(access.ScopeAdmin).byPerson(), http.StatusCreated, h.newStream)
	route(h, http.MethodDelete, "/stream-passwords/{id}", "Make a stream password worthless, and end what reads with it", of(access.ScopeAdmin), http.StatusNoContent, func(ctx context.Context, in *byID) (*nothing, error) {
		ok, err := h.Access.RevokeStreamPassword(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, notFound("stream password", in.ID)
		}
		if h.Rooms.Restream != nil {
			h.Rooms.Restream.End(in.ID)
		}
		return nil, nil
	})
}

func (h *house) listStreams(ctx context.Context, in *requestIn) (*answer[StreamPasswords], error) {
	all, err := h.Access.StreamPasswords(ctx)
	if err != nil {
		return nil, err
	}
	out := StreamPasswords{Passwords: make([]StreamPassword, 0, len(all)), Streams: []StreamURL{}}
	for _, p := range all {
		out.Passwords = append(out.Passwords, fromStream(p))
	}
	at, err := where(h.Rooms, in.r)
	if err != nil {
		p := Describe(err)
		out.Code, out.Why, out.Fix = p.ErrCode, p.Error(), p.ErrHint
	} else {
		out.LAN = at.lan
		out.Streams = at.urls(h.Rooms.Cameras.Cameras(), nil)
	}
	return &answer[StreamPasswords]{out}, nil
}

func (h *house) newStream(ctx context.Context, in *streamIn) (*answer[StreamPassword], error) {
	for _, c := range in.Body.Cameras {
		if _, err := h.camera(ctx, c); err != nil {
			return nil, err
		}
	}
	by, _ := access.From(ctx)
	p, password, err := h.Access.NewStreamPassword(ctx, by, access.StreamSpec{Name: in.Body.Name, Talk: in.Body.Talk, Cameras: in.Body.Cameras})
	var wrong *access.StreamError
	if errors.As(err, &wrong) {
		problem := Describe(err)
		problem.Status, problem.Title = http.StatusUnprocessableEntity, http.StatusText(http.StatusUnprocessableEntity)
		problem.Errors = []Fault{{Path: "body." + wrong.Field, Message: wrong.Message}}
		return nil, problem
	}
	if err != nil {
		return nil, err
	}
	out := fromStream(p)
	out.Password = password
	if at, err := where(h.Rooms, in.r); err == nil { // else the list tells why there is no URL
		cameras := slices.DeleteFunc(h.Rooms.Cameras.Cameras(), func(c Camera) bool { return len(p.Cameras) > 0 && !slices.Contains(p.Cameras, c.ID) })
		out.URLs = at.urls(cameras, url.UserPassword(p.User, password))
	}
	return &answer[StreamPassword]{out}, nil
}

func fromStream(p access.StreamPassword) StreamPassword {
	return StreamPassword{ID: p.ID, Name: p.Name, User: p.User, Talk: p.Talk, Cameras: filled(p.Cameras), Created: p.Created, LastUsed: p.LastUsed}
}

// rtspAt is where the re-stream is for who asks.
type rtspAt struct {
	host string
	port int
	lan  bool
}

func where(rooms Rooms, r *http.Request) (rtspAt, error) {
	if rooms.Restream == nil {
		return rtspAt{}, NewProblem(http.StatusNotImplemented, "E-API-NOT-YET", "this hub hands no cameras on by RTSP", "")
	}
	port, lan, err := rooms.Restream.Where()
	if err != nil {
		return rtspAt{}, err
	}
	at := rtspAt{host: "127.0.0.1", port: port, lan: lan}
	if lan {
		at.host = lanHost(r)
	}
	return at, nil
}

// lanHost is the name by which who asks has found the hub, else how other machines find it.
func lanHost(r *http.Request) string {
	if r != nil {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		ip, err := netip.ParseAddr(host)
		if err == nil && !ip.IsLoopback() || err != nil && strings.Contains(host, ".") {
			return host
		}
	}
	if at := address.Outside(); at != "" {
		return at
	}
	if name, err := os.Hostname(); err == nil {
		return name
	}
	return "127.0.0.1"
}

// StreamURLs are where the re-stream has these cameras, for who asks with r; other
// machines may read them if lan. The error is why nobody can.
func StreamURLs(rooms Rooms, r *http.Request, cameras []Camera, who *url.Userinfo) (urls []StreamURL, lan bool, err error) {
	at, err := where(rooms, r)
	if err != nil {
		return nil, false, err
	}
	return at.urls(cameras, who), at.lan, nil
}

func (at rtspAt) urls(cameras []Camera, who *url.Userinfo) []StreamURL {
	out := []StreamURL{}
	for _, c := range cameras {
		if c.Button {
			continue
		}
		for _, stream := range []string{"main", "sub"} {
			if stream == "sub" && !slices.ContainsFunc(c.Sources, func(s Source) bool { return s.Stream == stream }) {
				continue
			}
			u := url.URL{Scheme: "rtsp", User: who, Host: net.JoinHostPort(at.host, strconv.Itoa(at.port)), Path: "/" + c.ID + "/" + stream}
			out = append(out, StreamURL{Camera: c.ID, Name: c.Name, Stream: stream, URL: u.String()})
		}
	}
	return out
}
