package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// maxOffer bounds an SDP offer and a fragment of one.
const maxOffer = 64 << 10

func (h *house) live(m *Routes) {
	m.HandleFunc("POST "+Prefix+"/cameras/{id}/whep", h.picture(h.streamed(h.offer)))
	session := h.picture(func(w http.ResponseWriter, r *http.Request, _ string) {
		if h.Rooms.Live == nil {
			notYet("WebRTC").Write(w)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxOffer)
		h.Rooms.Live.ServeSession(w, r, r.PathValue("session"), viewer(r.Context()))
	})
	m.HandleFunc("PATCH "+Prefix+"/cameras/{id}/whep/{session}", session)
	m.HandleFunc("DELETE "+Prefix+"/cameras/{id}/whep/{session}", session)
	route(h, http.MethodGet, "/viewers", "Who watches now, by WebRTC and by RTSP", of(access.ScopeView), http.StatusOK, func(context.Context, *nothing) (*answer[viewings], error) {
		var all []Viewing
		if h.Rooms.Viewers != nil {
			all = h.Rooms.Viewers()
		}
		return &answer[viewings]{viewings{filled(all)}}, nil
	})
}

type viewings struct {
	Viewers []Viewing `json:"viewers" nullable:"false"`
}

// offer begins a session, which then lasts as long as the login of who asked for it.
func (h *house) offer(w http.ResponseWriter, r *http.Request, camera, stream string) {
	if h.Rooms.Live == nil {
		notYet("WebRTC").Write(w)
		return
	}
	changed, leave, ok := h.viewers.join(r.Context())
	if !ok {
		streamsFull().Write(w)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxOffer)
	seen := &locationWriter{ResponseWriter: w}
	h.Rooms.Live.ServeOffer(seen, r, camera, stream, viewer(r.Context()))
	if seen.session == "" {
		leave()
		return
	}
	ctx := context.WithoutCancel(r.Context())
	go func() { // ends with the session, and with Close
		defer leave()
		h.follow(ctx, seen.session, changed)
	}()
}

// follow ends a session with the login of its viewer, or with the hub.
func (a *API) follow(ctx context.Context, session string, changed <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	done := a.Rooms.Live.Done(session)
	var watch sync.WaitGroup
	defer watch.Wait()
	defer cancel()
	watch.Go(func() {
		select {
		case <-done:
			cancel()
		case <-ctx.Done():
		}
	})
	if a.outlived(ctx, changed) {
		a.Rooms.Live.End(session, "the login has ended")
	}
}

// locationWriter notes the session that an answer makes.
type locationWriter struct {
	http.ResponseWriter
	session string
}

func (l *locationWriter) WriteHeader(status int) {
	if status == http.StatusCreated {
		if at := l.Header().Get("Location"); at != "" {
			l.session = path.Base(at)
		}
	}
	l.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (l *locationWriter) Unwrap() http.ResponseWriter { return l.ResponseWriter }

type askerKey struct{}

// asker is what a request says of who sends it, besides the identity.
type asker struct{ cookie, agent, address string }

// withAsker hands down what the calls of huma do not see of a request.
func withAsker(ctx context.Context, r *http.Request) context.Context {
	a := asker{agent: r.UserAgent(), address: r.RemoteAddr}
	if c, err := r.Cookie(cookieName); err == nil {
		a.cookie = c.Value
	}
	return context.WithValue(ctx, askerKey{}, a)
}

// viewer is who asks: one key a login, so that the same person at two screens is two.
func viewer(ctx context.Context) Viewer {
	id, _ := access.From(ctx)
	from, _ := ctx.Value(askerKey{}).(asker)
	v := Viewer{Name: cmp.Or(id.User, "somebody"), MayTalk: id.May(access.ScopeTalk)}
	if v.Name == access.Owner {
		v.Name = "the owner"
	}
	switch id.Via {
	case access.ViaToken:
		v.Name, v.Key = v.Name+", by a program", "token "+id.Token
	case access.ViaSocket:
		v.Name, v.Key = v.Name+", on the hub itself", "socket"
	default:
		sum := sha256.Sum256([]byte(from.cookie))
		v.Key = "session " + hex.EncodeToString(sum[:8])
		if device := device(from.agent); device != "" {
			v.Name += ", on " + device
		}
	}
	return v
}

// device is what a browser says that it runs on.
func device(agent string) string {
	for _, d := range [][2]string{
		{"iPhone", "an iPhone"}, {"iPad", "an iPad"}, {"Android", "an Android phone"}, {"Windows", "a Windows computer"},
		{"Macintosh", "a Mac"}, {"CrOS", "a Chromebook"}, {"Linux", "a Linux computer"},
	} {
		if strings.Contains(agent, d[0]) {
			return d[1]
		}
	}
	return ""
}
