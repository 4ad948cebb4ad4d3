package api

import (
	"context"
	"net/http"
	"net/url"
	"time"

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
	m.HandleFunc("GET "+Prefix+"/cameras/{id}/snapshot.jpg", h.picture(func(w http.ResponseWriter, r *http.Request, camera string) {
		h.Rooms.Pictures.Snapshot(w, r, camera)
	}))
	m.HandleFunc("GET "+Prefix+"/cameras/{id}/stream.mjpeg", h.picture(func(w http.ResponseWriter, r *http.Request, camera string) {
		h.Rooms.Pictures.MJPEG(lasting(w), r, camera)
	}))
	m.HandleFunc("GET "+Prefix+"/ws", h.picture(func(w http.ResponseWriter, r *http.Request, camera string) {
		if !sameOrigin(r) {
			NewProblem(http.StatusForbidden, "E-WEB-CROSS-SITE", "this WebSocket was opened by a page of another site", "").Write(w)
			return
		}
		stream := r.URL.Query().Get("stream")
		if stream == "" {
			stream = "main"
		}
		if stream != "main" && stream != "sub" {
			NewProblem(http.StatusNotFound, "E-API-NOT-FOUND", "a camera has the streams main and sub", "").Write(w)
			return
		}
		h.Rooms.Pictures.MSE(w, r, camera, stream)
	}))
}

// picture checks who asks and for which camera before bytes flow.
func (a *API) picture(f func(w http.ResponseWriter, r *http.Request, camera string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := a.may(r.Context(), access.RoleMember); p != nil {
			p.Write(w)
			return
		}
		id := r.PathValue("id")
		if id == "" {
			id = r.URL.Query().Get("camera")
		}
		if _, ok := a.Rooms.Cameras.Camera(id); !ok {
			notFound("camera", id).Write(w)
			return
		}
		f(w, r, id)
	}
}

// sameOrigin tells whether the page that opens a WebSocket is ours: browsers always
// send Origin with it, and no other rule of theirs stops a page of another port.
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true // no browser
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}

// writeTime is how long one write to a lasting answer may take before its reader is given up.
const writeTime = 10 * time.Second

// lastingWriter answers for as long as it likes, but waits for its reader only
// writeTime at a time.
type lastingWriter struct {
	http.ResponseWriter
	rc *http.ResponseController
}

func lasting(w http.ResponseWriter) *lastingWriter {
	l := &lastingWriter{w, http.NewResponseController(w)}
	// Not every writer has deadlines (a test's recorder has none); the server's does.
	_ = l.rc.SetReadDeadline(time.Time{})
	return l
}

func (l *lastingWriter) Write(b []byte) (int, error) {
	_ = l.rc.SetWriteDeadline(time.Now().Add(writeTime))
	return l.ResponseWriter.Write(b)
}

// Flush sends what was written.
func (l *lastingWriter) Flush() { _ = l.rc.Flush() }

// Unwrap is for http.ResponseController.
func (l *lastingWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// filled makes an empty list of a nil one: JSON's [] rather than null.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
