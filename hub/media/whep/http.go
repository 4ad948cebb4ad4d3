package whep

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/whep/offer"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// maxBody of a request: a browser's offer has about 6 KiB.
	maxBody = 64 << 10
	// tracksWithin is how long a camera that sleeps may take to begin.
	tracksWithin = 8 * time.Second
	// How says in an answer's head how the stream is shown: copy, or what was converted.
	How = "X-Porchlight-Rendition"

	typeSDP  = "application/sdp"
	typeFrag = "application/trickle-ice-sdpfrag"
)

// ServeOffer answers a POST of an SDP offer: 201 with the answer, and the session's own
// address in Location. Camera, stream and viewer were checked by the caller.
func (s *Server) ServeOffer(w http.ResponseWriter, r *http.Request, camera, stream string, v Viewer) {
	body, err := readBody(w, r, typeSDP)
	if err != nil {
		s.fail(w, err)
		return
	}
	o, err := offer.Read(body)
	if err != nil {
		s.fail(w, offerFault(err))
		return
	}
	x, answer, err := s.admit(r.Context(), camera, stream, v, o)
	if err != nil {
		s.fail(w, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", typeSDP)
	h.Set("Location", pathOf(r)+"/"+x.id)
	h.Set("ETag", x.tag())
	h.Set("Accept-Patch", typeFrag)
	h.Set("Cache-Control", "no-store")
	h.Set(How, x.rendition())
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, answer) // a page that has gone does not connect either
}

// pathOf is the path as the browser sent it, also where a caller has cut something off.
func pathOf(r *http.Request) string {
	if u, err := url.ParseRequestURI(r.RequestURI); err == nil && u.Path != "" {
		return u.EscapedPath()
	}
	return r.URL.EscapedPath()
}

func readBody(w http.ResponseWriter, r *http.Request, want string) (string, error) {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != want {
		return "", &Fault{code: CodeOffer, status: http.StatusUnsupportedMediaType, message: "webrtc: the body is not " + want,
			hint: "send Content-Type: " + want}
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return "", &Fault{code: CodeOffer, status: http.StatusRequestEntityTooLarge, message: fmt.Sprintf("webrtc: the body has more than %d bytes", maxBody),
			hint: "offer one video and one audio section, and candidates of this network only"}
	case err != nil:
		return "", offerFault(err)
	}
	return string(b), nil
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	var f *Fault
	if !errors.As(err, &f) {
		if !errors.Is(err, context.Canceled) { // else the page has gone, and nobody reads this
			s.log.Warn("an offer was not answered", "err", err)
		}
		f = &Fault{code: CodeOffer, status: http.StatusInternalServerError, message: "webrtc: the offer could not be answered",
			hint: "the hub's log has the cause; the page shows pictures over its own connection meanwhile"}
	}
	refuse(w, f)
}

// admit makes a session of an offer and starts it.
func (s *Server) admit(ctx context.Context, camera, stream string, v Viewer, o *offer.Offer) (x *session, answer string, err error) {
	life, p, st, err := s.enter(v.Key)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			s.leave(v.Key)
		}
	}()
	since := s.o.Now()
	// New addresses count at once.
	s.refresh()
	if len(p.Addrs()) == 0 {
		return nil, "", addressFault()
	}
	done := s.o.Core.Stream(camera, stream).Ask("viewer")
	defer done()
	if err := s.awaitTracks(ctx, camera, stream); err != nil {
		return nil, "", err
	}
	x = &session{srv: s, id: rand.Text(), camera: camera, stream: stream, viewer: v, since: since,
		over: make(chan struct{}), up: make(chan struct{}), etag: rand.Text()}
	x.ctx, x.cancel = context.WithCancelCause(life)
	reader, err := s.choose(ctx, x, o)
	if err != nil {
		x.cancel(err)
		return nil, "", err
	}
	answer, err = s.newSession(ctx, p, st, x, o)
	if err != nil {
		reader.Close()
		x.cancel(err)
		if x.pc != nil {
			_ = x.pc.Close()
		}
		return nil, "", err
	}
	s.keep(x)
	go x.run(reader) // the server waits for it, by what enter has counted
	return x, answer, nil
}

// awaitTracks waits until it is known what the stream consists of.
func (s *Server) awaitTracks(ctx context.Context, camera, stream string) error {
	ctx, cancel := context.WithTimeout(ctx, tracksWithin)
	defer cancel()
	st := s.o.Core.Stream(camera, stream)
	for {
		state, changed := st.State()
		if state.Live && known(st.Tracks()) {
			return nil
		}
		tick := time.NewTimer(20 * time.Millisecond) // tracks have no bell
		select {
		case <-changed:
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return offlineFault(state.Reason)
		}
		tick.Stop()
	}
}

// known reports whether the picture can be described.
func known(tracks []av.Track) bool {
	for _, t := range tracks {
		if (t.Codec == av.H264 || t.Codec == av.H265) && len(t.SPS) == 0 {
			return false
		}
	}
	return len(tracks) > 0
}

// choose opens the stream in the form that suits the offer: as it is, else converted,
// else the camera's smaller stream as it is. Sound that cannot be had costs no picture.
func (s *Server) choose(ctx context.Context, x *session, o *offer.Offer) (*media.Rendering, error) {
	tracks := s.o.Core.Stream(x.camera, x.stream).Tracks()
	c, err := offer.Choose(tracks, o, x.viewer.MayTalk)
	if err != nil {
		return nil, codecFault(err)
	}
	r, note, err := s.openOrSilent(ctx, x.camera, x.stream, &c)
	if err != nil && x.stream == "main" {
		if sub, ok := s.sub(ctx, x, o); ok {
			return sub, nil
		}
	}
	if err != nil {
		return nil, codecFault(err)
	}
	x.choice, x.how, x.note = c, r.How(), note
	return r, nil
}

func (s *Server) openOrSilent(ctx context.Context, camera, stream string, c *offer.Choice) (r *media.Rendering, note string, err error) {
	if r, err = s.open(ctx, camera, stream, c.Want); err == nil || c.Audio == nil || c.Video == nil {
		return r, "", err
	}
	silent := *c
	silent.Audio, silent.Want.Audio = nil, av.AudioRendition{None: true}
	r, second := s.open(ctx, camera, stream, silent.Want)
	if second != nil {
		return nil, "", err
	}
	*c = silent
	return r, "; no sound: " + err.Error(), nil
}

// sub is the camera's smaller stream, if that runs and fits as it is.
func (s *Server) sub(ctx context.Context, x *session, o *offer.Offer) (*media.Rendering, bool) {
	st, ok := s.o.Core.Lookup(x.camera, "sub")
	if !ok || !st.Live() || !known(st.Tracks()) {
		return nil, false
	}
	c, err := offer.Choose(st.Tracks(), o, x.viewer.MayTalk)
	if err != nil {
		return nil, false
	}
	r, note, err := s.openOrSilent(ctx, x.camera, "sub", &c)
	if err != nil {
		return nil, false
	}
	x.stream, x.choice, x.how, x.note = "sub", c, r.How(), " of the smaller stream"+note
	return r, true
}

// ServeSession answers PATCH (candidates of the browser, or a restart of ICE) and DELETE
// of a session, for the viewer who opened it.
func (s *Server) ServeSession(w http.ResponseWriter, r *http.Request, id string, v Viewer) {
	x := s.session(id)
	if x == nil || subtle.ConstantTimeCompare([]byte(x.viewer.Key), []byte(v.Key)) != 1 {
		refuse(w, sessionFault())
		return
	}
	switch r.Method {
	case http.MethodDelete:
		x.end(errors.New("the page has closed it"))
		select {
		case <-x.over:
		case <-r.Context().Done():
		}
		w.WriteHeader(http.StatusOK)
	case http.MethodPatch:
		if err := x.patch(w, r); err != nil {
			s.fail(w, err)
		}
	default:
		w.Header().Set("Allow", "PATCH, DELETE")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}
