package web

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/address"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages"
	"github.com/porchlight-hub/porchlight/hub/web/port"
	"github.com/porchlight-hub/porchlight/hub/web/static"
)

const (
	headerTime = 5 * time.Second  // a request's head must be here by then
	readTime   = 30 * time.Second // and its body by then
	answerTime = time.Minute      // lasting answers set deadlines of their own
	idleTime   = 2 * time.Minute
	headerMost = 32 << 10 // bytes
	bodyMost   = 2 << 20  // bytes; routes set tighter bounds
	// stopTime is how long requests under way may take when the hub stops.
	stopTime = 3 * time.Second
)

// Deps of the web. Bus may be nil, and Zone: the system's.
type Deps struct {
	Rooms     api.Rooms
	Access    *access.Access
	Listen    string // as in the config: 127.0.0.1:8480
	PublicURL string // as in the config; may be empty
	Insecure  bool   // another address than loopback is allowed without TLS and password
	// Certs make the pages HTTPS; nil: they are HTTP.
	Certs   Certificates
	DataDir string
	Version string
	Bus     BusStats
	Zone    *time.Location // of the times on pages
	Log     *slog.Logger
	Now     func() time.Time
}

// Server answers browsers by TCP and the command line by the admin socket.
type Server struct {
	deps    Deps
	api     *api.API
	door    *api.Door
	public  *url.URL // nil: none
	names   hostNames
	metrics *metrics
	limit   *limiter
	handler http.Handler
	plain   http.Handler // what is answered without TLS where there is TLS
	admin   http.Handler

	mu     sync.Mutex
	listen net.Addr // of the listener that Serve got
}

// New builds the handlers; it listens to nothing yet.
func New(d Deps) (*Server, error) {
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	d.Log = d.Log.With("part", "web")
	s := &Server{deps: d, limit: newLimiter(d.Now)}
	if d.PublicURL != "" {
		u, err := url.Parse(d.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("web: hub.public_url %q: want http://name or https://name", d.PublicURL)
		}
		s.public = u
	}
	s.names = newHostNames(d.Listen, s.public, d.Certs)
	var told *api.API
	changed := func() { told.Changed() }
	secureHost := ""
	if s.public != nil && s.public.Scheme == "https" {
		secureHost = s.public.Host
	}
	s.door = api.NewDoor(d.Access, secureHost, changed)
	s.deps.Rooms.Chimes = tellingChimes{d.Rooms.Chimes, changed}
	if d.Rooms.Hooks != nil {
		s.deps.Rooms.Hooks = hooksHere{d.Rooms.Hooks, s.hookBase}
	}
	o := api.Options{Rooms: s.deps.Rooms, Door: s.door, Access: d.Access, Version: d.Version, SetupURL: s.SetupURL, Guessed: s.hurried, Log: d.Log, Now: d.Now}
	if d.Certs != nil {
		o.TLS = certificate{s}
	}
	s.api = api.New(o)
	told = s.api
	s.metrics = newMetrics(s.deps.Rooms, s.api, d.Bus)
	s.build()
	s.admin = s.buildAdmin()
	return s, nil
}

// room has a name of its own because an embedded Chimes would hide its method Chimes.
type room = api.Chimes

// tellingChimes tells the open pages when somebody mutes, whoever it was.
type tellingChimes struct {
	room
	changed func()
}

func (t tellingChimes) Mute(ctx context.Context, id string, on bool) error {
	defer t.changed()
	return t.room.Mute(ctx, id, on)
}

func (t tellingChimes) SetQuiet(ctx context.Context, until time.Time) error {
	defer t.changed()
	return t.room.SetQuiet(ctx, until)
}

// hooksHere makes the address of a hook whole: only the web knows what it is called.
type hooksHere struct {
	api.Hooks
	url func() string
}

func (h hooksHere) Hook(ctx context.Context, camera string) (api.Hook, error) {
	return h.whole(h.Hooks.Hook(ctx, camera))
}

func (h hooksHere) Renew(ctx context.Context, camera string) (api.Hook, error) {
	return h.whole(h.Hooks.Renew(ctx, camera))
}

func (h hooksHere) whole(hook api.Hook, err error) (api.Hook, error) {
	if err == nil {
		hook.URL = h.url() + hook.URL
	}
	return hook, err
}

// Changed tells the open pages that cameras, plugins, chimes or config may differ from
// what they were told. It never blocks.
func (s *Server) Changed() { s.api.Changed() }

// Handler is the whole web as browsers meet it.
func (s *Server) Handler() http.Handler { return s.handler }

// SetupURL is the link of a setup token.
func (s *Server) SetupURL(token string) string {
	return s.URL() + "/setup?token=" + url.QueryEscape(token)
}

// URL is where a browser finds the hub: by public_url, else on the network where the
// hub listens there, else on the hub's machine.
func (s *Server) URL() string {
	if s.public != nil {
		return s.public.Scheme + "://" + s.public.Host
	}
	return s.scheme() + "://" + s.address()
}

func (s *Server) scheme() string {
	if s.deps.Certs != nil {
		return "https"
	}
	return "http"
}

// address is host:port of the listener as a browser can name it.
func (s *Server) address() string {
	addr := s.deps.Listen
	s.mu.Lock()
	if s.listen != nil {
		addr = s.listen.String() // where the config says port 0, the real one
	}
	s.mu.Unlock()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = cmp.Or(address.Outside(), "127.0.0.1")
	}
	return net.JoinHostPort(host, port)
}

// Serve answers on the listener until ctx ends, then stops gracefully: nil.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.mu.Lock()
	s.listen = ln.Addr()
	s.mu.Unlock()
	if !s.deps.Insecure && s.deps.Certs == nil && !isLoopback(ln.Addr().String()) {
		return errors.Join(notLoopback(ln.Addr().String()), ln.Close())
	}
	var watch sync.WaitGroup
	watchCtx, cancel := context.WithCancel(ctx)
	defer watch.Wait()
	defer cancel()
	watch.Go(func() { s.metrics.watch(watchCtx, s.deps.Rooms.Feed) })
	if s.deps.Certs == nil {
		return s.serve(ctx, site{ln, s.handler})
	}
	secret, clear := port.Split(ln)
	return s.serve(ctx, site{tls.NewListener(secret, s.deps.Certs.TLSConfig()), s.handler}, site{clear, s.plain})
}

// site is what answers at a listener.
type site struct {
	ln      net.Listener
	handler http.Handler
}

func (s *Server) serve(ctx context.Context, sites ...site) error {
	done := make(chan error, len(sites)) // one result each
	servers := make([]*http.Server, len(sites))
	for i, at := range sites {
		servers[i] = &http.Server{
			Handler: at.handler, ReadHeaderTimeout: headerTime, ReadTimeout: readTime, WriteTimeout: answerTime,
			IdleTimeout: idleTime, MaxHeaderBytes: headerMost,
			ErrorLog:    slog.NewLogLogger(s.deps.Log.Handler(), slog.LevelDebug),
			BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
			ConnContext: withPeer,
		}
		go func() { done <- servers[i].Serve(at.ln) }()
	}
	var errs []error
	waiting := len(sites)
	select {
	case err := <-done:
		errs = append(errs, fmt.Errorf("web: serve %s: %w", sites[0].ln.Addr(), err))
		waiting--
	case <-ctx.Done():
	}
	s.api.Close()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer cancel()
	for _, srv := range servers {
		err := srv.Shutdown(stop)
		if errors.Is(err, context.DeadlineExceeded) {
			err = srv.Close() // pictures that still flow
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("web: stop %s: %w", sites[0].ln.Addr(), err))
		}
	}
	for range waiting {
		<-done
	}
	return errors.Join(errs...)
}

func (s *Server) build() {
	mux := http.NewServeMux()
	mux.Handle(api.Prefix+"/", s.api.Handler())
	assets := static.New()
	mux.Handle(static.Prefix, assets)
	mux.HandleFunc(api.HookPath, s.api.ServeHook)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.HandleFunc("GET /metrics", s.metricsPage)
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, assets.URL("icon.svg"), http.StatusFound)
	})
	parts := pages.Deps{Rooms: s.deps.Rooms, Door: s.door, Version: s.deps.Version, Log: s.deps.Log, Zone: s.deps.Zone, Now: s.deps.Now,
		Tokens: s.deps.Access}
	mux.Handle("/", s.setup(pages.New(parts)))
	trust := pages.NewTrust(parts, s.trusted)
	mux.Handle(pages.TrustPath, trust)
	mux.Handle(pages.TrustPath+"/", trust)
	s.handler = s.guard(mux)
	s.plain = s.inClear(trust, assets)
}

// healthz: the process answers.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") }

// readyz: the house can be used. The reason is in the log, not here: anybody may ask.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	if s.deps.Rooms.Ready != nil {
		if err := s.deps.Rooms.Ready(); err != nil {
			plain(w, http.StatusServiceUnavailable, "not ready")
			return
		}
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, cmp.Or(text, http.StatusText(status))) // the peer is gone if this fails
}

// setup answers the link with a token; everything else is for the pages. It answers by
// a page that goes on by itself, not by a redirect: a link that was clicked in a mail
// would take the redirect along without the new cookie, which is SameSite=Strict.
func (s *Server) setup(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.URL.Query().Get("token")
		if r.URL.Path != "/setup" || r.Method != http.MethodGet || token == "" {
			next.ServeHTTP(w, r)
			return
		}
		if p := r.Header.Get("Sec-Purpose") + r.Header.Get("Purpose"); p != "" {
			// A browser that looks ahead must not use the link up.
			plain(w, http.StatusServiceUnavailable, "this link is opened by a person only")
			return
		}
		if _, err := s.door.Claim(w, r, token); err != nil {
			if _, in := access.From(r.Context()); in {
				http.Redirect(w, r, "/", http.StatusSeeOther) // the link was opened before, here
				return
			}
			p := api.Describe(err)
			if p.Status >= http.StatusInternalServerError {
				s.deps.Log.Warn("setup link not taken", "err", err)
			}
			why := "setup-link"
			if errors.Is(err, access.ErrWait) {
				why = "wait"
			}
			http.Redirect(w, r, "/login?why="+why, http.StatusSeeOther)
			return
		}
		w.Header().Set("Refresh", "0; url=/")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, `<!doctype html><html lang="en"><title>Porchlight</title><p>You are signed in. <a href="/">Go on</a></p></html>`)
	})
}
