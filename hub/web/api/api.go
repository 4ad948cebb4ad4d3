package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// Prefix of every route here.
const Prefix = "/api/v1"

const (
	// maxBody bounds a request's body; maxYAML that of a config to validate.
	maxBody = 64 << 10
	maxYAML = 1 << 20
	// callTime bounds a call into the rooms; a plugin's action may take this long.
	callTime = 30 * time.Second
)

// Options of New. Rooms, Door and Access are needed.
type Options struct {
	Rooms   Rooms
	Door    *Door
	Access  *access.Access
	Version string
	// SetupURL makes the link of a setup token.
	SetupURL func(token string) string
	TLS      Certificate // nil: the pages are not encrypted
	// Guessed is told of who knew no hook, and may answer that there were too many; nil: nobody counts.
	Guessed func(*http.Request) *Problem
	Log     *slog.Logger
	Now     func() time.Time
}

// API answers /api/v1. Its caller checks who asks and puts the identity into the
// request's context; the routes check what that identity may.
type API struct {
	Options
	started time.Time
	streams *crowd // live streams of events
	viewers *crowd // pictures that move
	routes  *Routes
	admin   *Routes
	spec    func() ([]byte, error)
	doctor  doctor
	looks   chan struct{} // size looksAtOnce: each is a connection to a camera
}

// New builds the routes.
func New(o Options) *API {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Log = o.Log.With("part", "web/api")
	a := &API{Options: o, started: o.Now(), streams: newCrowd(maxStreams), viewers: newCrowd(maxViewers),
		doctor: doctor{turn: make(chan struct{}, 1)}, looks: make(chan struct{}, looksAtOnce)}
	a.routes = a.build(false)
	a.admin = a.build(true)
	return a
}

// Handler answers to browsers and tokens.
func (a *API) Handler() *Routes { return a.routes }

// AdminHandler has besides what only the admin socket may.
func (a *API) AdminHandler() *Routes { return a.admin }

// Changed tells every open stream to look whether cameras, plugins, chimes, quiet or
// config differ from what it sent last, and whether its session still holds. It never
// blocks.
func (a *API) Changed() {
	a.streams.changed()
	a.viewers.changed()
}

// Close ends the open streams with a word, so that a graceful stop need not wait for them.
func (a *API) Close() {
	a.streams.close()
	a.viewers.close()
}

// Open tells how many live streams there are.
func (a *API) Open() int { return a.streams.size() }

// Routes is a mux that knows its patterns.
type Routes struct {
	mux      *http.ServeMux
	patterns []string
}

// HandleFunc registers a route.
func (m *Routes) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.mux.HandleFunc(pattern, h)
}

func (m *Routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mux.ServeHTTP(w, r.WithContext(withAsker(r.Context(), r)))
}

// Patterns lists what is registered, as "METHOD /path".
func (m *Routes) Patterns() []string { return m.patterns }

// allowed lists the methods that the path has, for a 405.
func (m *Routes) allowed(r *http.Request) []string {
	var out []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, p := m.mux.Handler(probe); p != "" && p != Prefix+"/" {
			out = append(out, method)
		}
	}
	return out
}

func (a *API) build(admin bool) *Routes {
	m := &Routes{mux: http.NewServeMux()}
	cfg := newSpec(apiVersion)
	// The stock docs page loads scripts from another host, and bodies need no links to schemas.
	cfg.DocsPath, cfg.OpenAPIPath, cfg.SchemasPath, cfg.CreateHooks = "", "", "", nil
	cfg.Formats = map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat}
	cfg.Transformers = []huma.Transformer{transform}
	h := &house{API: a, huma: humago.NewWithPrefix(m, Prefix, cfg)}
	h.people()
	h.cameras(m)
	h.events(m)
	h.plugins()
	h.chimes()
	h.config()
	h.health()
	h.tokens()
	h.streamPasswords()
	h.tls()
	m.HandleFunc("GET "+Prefix+"/openapi.json", a.openAPI)
	h.tellRest()
	if admin {
		h.adminOnly()
	} else {
		a.spec = sync.OnceValues(func() ([]byte, error) { return document(h.huma.OpenAPI()) })
	}
	m.HandleFunc(Prefix+"/", func(w http.ResponseWriter, r *http.Request) {
		if allowed := m.allowed(r); len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			NewProblem(http.StatusMethodNotAllowed, "E-API-METHOD", r.Method+" is not possible here", "Possible: "+strings.Join(allowed, ", ")+".").Write(w)
			return
		}
		NewProblem(http.StatusNotFound, "E-API-NOT-FOUND", "there is no such route", "").Write(w)
	})
	return m
}

// house is the API while its routes are registered.
type house struct {
	*API
	huma huma.API
}

type nothing struct{}

type answer[T any] struct{ Body T }

// route registers one operation; the handler's errors become problems.
func route[I, O any](h *house, method, path, summary string, need demand, status int, f func(context.Context, *I) (*O, error)) {
	routeFor(h, callTime, method, path, summary, need, status, f)
}

// routeFor is route with a time of its own for the call into the rooms.
func routeFor[I, O any](h *house, atMost time.Duration, method, path, summary string, need demand, status int, f func(context.Context, *I) (*O, error)) {
	maxBytes := int64(maxBody)
	if path == "/config/validate" {
		maxBytes = maxYAML + maxBody // JSON escapes
	}
	op := h.operation(method, path, summary, need, status)
	op.MaxBodyBytes = maxBytes
	huma.Register(h.huma, op, func(ctx context.Context, in *I) (*O, error) {
		if p := h.may(ctx, need); p != nil {
			return nil, p
		}
		ctx, cancel := context.WithTimeout(ctx, atMost)
		defer cancel()
		out, err := f(ctx, in)
		if err != nil {
			p := Describe(err)
			if p.Status >= http.StatusInternalServerError {
				h.Log.Warn("request failed", "method", method, "path", path, "code", p.Code(), "err", err)
			}
			return nil, p
		}
		return out, nil
	})
}
