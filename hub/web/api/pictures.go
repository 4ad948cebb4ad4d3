package api

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
)

func (h *house) pictures(m *Routes) {
	m.HandleFunc("GET "+Prefix+"/cameras/{id}/snapshot.jpg", h.picture(func(w http.ResponseWriter, r *http.Request, camera string) {
		h.Rooms.Pictures.Snapshot(w, r, camera)
	}))
	m.HandleFunc("GET "+Prefix+"/cameras/{id}/stream.mjpeg", h.picture(h.moving(func(w http.ResponseWriter, r *http.Request, camera string) {
		h.Rooms.Pictures.MJPEG(lasting(w), r, camera)
	})))
	m.HandleFunc("GET "+Prefix+"/cameras/{id}/stream.mp4", h.picture(h.streamed(func(w http.ResponseWriter, r *http.Request, camera, stream string) {
		if h.Rooms.MP4 == nil {
			notYet("MP4").Write(w)
			return
		}
		h.moving(func(w http.ResponseWriter, r *http.Request, camera string) {
			h.Rooms.MP4.ServeMP4(lasting(w), r, camera, stream)
		})(w, r, camera)
	})))
	m.HandleFunc("GET "+Prefix+"/ws", h.picture(h.streamed(func(w http.ResponseWriter, r *http.Request, camera, stream string) {
		if !sameOrigin(r) {
			crossSite().Write(w)
			return
		}
		h.moving(func(w http.ResponseWriter, r *http.Request, camera string) {
			h.Rooms.Pictures.MSE(w, r, camera, stream)
		})(w, r, camera)
	})))
}

func crossSite() *Problem {
	return NewProblem(http.StatusForbidden, "E-WEB-CROSS-SITE", "this WebSocket was opened by a page of another site", "")
}

type pictureFunc func(w http.ResponseWriter, r *http.Request, camera string)

// streamed reads which of the camera's streams is asked for.
func (a *API) streamed(f func(w http.ResponseWriter, r *http.Request, camera, stream string)) pictureFunc {
	return func(w http.ResponseWriter, r *http.Request, camera string) {
		stream := cmp.Or(r.URL.Query().Get("stream"), "main")
		if stream != "main" && stream != "sub" {
			NewProblem(http.StatusNotFound, "E-API-NOT-FOUND", "a camera has the streams main and sub", "").Write(w)
			return
		}
		f(w, r, camera, stream)
	}
}

// picture checks who asks and for which camera before bytes flow.
func (a *API) picture(f pictureFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p := a.may(r.Context(), ofCamera(access.ScopeView)); p != nil {
			p.Write(w)
			return
		}
		id := r.PathValue("id")
		if id == "" {
			id = r.URL.Query().Get("camera")
		}
		c, err := a.camera(r.Context(), id)
		if err == nil && c.Button {
			err = noSource(c)
		}
		if err != nil {
			Describe(err).Write(w)
			return
		}
		f(w, r, id)
	}
}

// moving ends a moving picture with the session of who looks at it, and with the hub;
// a WebSocket's room says itself that the hub stops.
func (a *API) moving(f pictureFunc) pictureFunc {
	return func(w http.ResponseWriter, r *http.Request, camera string) {
		changed, leave, ok := a.viewers.join(r.Context())
		if !ok {
			streamsFull().Write(w)
			return
		}
		defer leave()
		ctx, cancel := context.WithCancel(r.Context())
		held := &heldWriter{ResponseWriter: w}
		var watch sync.WaitGroup
		defer watch.Wait()
		defer cancel()
		watch.Go(func() {
			if a.outlived(ctx, changed) {
				held.cut()
			}
			cancel()
		})
		f(held, r.WithContext(ctx), camera)
	}
}

func streamsFull() *Problem {
	p := NewProblem(http.StatusTooManyRequests, "E-API-STREAMS-FULL", "too many moving pictures are open already", "Close a few browser windows.")
	p.RetryAfter = int(beat.Seconds())
	return p
}

// outlived waits until the session of ctx has ended: true; false where ctx or the hub
// ends first.
func (a *API) outlived(ctx context.Context, changed <-chan struct{}) bool {
	id, _ := access.From(ctx)
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-a.viewers.ended:
			return false
		case <-changed:
		case <-ticker.C:
		}
		if !a.Access.Valid(ctx, id) {
			return true
		}
	}
}

// heldWriter keeps hold of a connection that its handler takes over.
type heldWriter struct {
	http.ResponseWriter

	mu   sync.Mutex
	conn net.Conn
	over bool
}

// Hijack is for WebSockets.
func (h *heldWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		conn.Close()
	}
	h.conn = conn
	return conn, rw, nil
}

// Flush sends what was written.
func (h *heldWriter) Flush() { _ = http.NewResponseController(h.ResponseWriter).Flush() }

// Unwrap is for http.ResponseController.
func (h *heldWriter) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *heldWriter) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	if h.conn != nil {
		h.conn.Close()
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
