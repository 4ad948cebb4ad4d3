package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// policy is the Content-Security-Policy of every answer: all from here, nothing inline.
// blob: is for MediaSource and for pictures that a script drew.
const policy = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; object-src 'none'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// features that pages of ours may ask the browser for: sound without a click, full
// screen, and the microphone for talking to the door.
const features = "autoplay=(self), fullscreen=(self), microphone=(self), camera=(), geolocation=(), usb=(), serial=(), payment=(), display-capture=()"

// guard puts what every request meets before the routes, outermost first.
func (s *Server) guard(next http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	if s.public != nil {
		// A proxy before us may hand on another Host than the browser's origin.
		if err := cross.AddTrustedOrigin(s.public.Scheme + "://" + s.public.Host); err != nil {
			s.deps.Log.Warn("public_url not trusted as origin", "err", err)
		}
	}
	// A button on somebody's own dashboard may ring: that page knows the address, which is
	// all the right there is.
	cross.AddInsecureBypassPattern("POST " + api.HookPath)
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, api.NewProblem(http.StatusForbidden, "E-WEB-CROSS-SITE", "a page of another site sent this", "Use the hub's own pages."))
	}))
	return s.caught(headers(false, s.named(cross.Handler(bounded(s.signedIn(next))))))
}

// caught ends a request that panics, and only that.
func (s *Server) caught(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor >= 2 {
			w = &patientWriter{ResponseWriter: w, rc: http.NewResponseController(w)}
		}
		seen := &statusWriter{ResponseWriter: w}
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v) // net/http's own way to drop a connection
			}
			s.deps.Log.Error("a request panicked", "method", r.Method, "path", loggable(r.URL.Path), "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			if seen.status != 0 {
				panic(http.ErrAbortHandler) // half an answer is out: say that it is broken
			}
			refuse(w, r, api.NewProblem(http.StatusInternalServerError, "E-API-INTERNAL", "the hub could not do this", "The hub's log has the cause."))
		}()
		next.ServeHTTP(seen, r)
	})
}

// loggable is the path without what is a secret in it.
func loggable(path string) string {
	if strings.HasPrefix(path, api.HookPath) {
		return api.HookPath + "…"
	}
	return path
}

// headers of every answer. bare: without TLS, where browsers complain about the one that
// they would ignore.
func headers(bare bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // browsers that do not know frame-ancestors
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", features)
		if !bare {
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // static files set their own
		next.ServeHTTP(w, r)
	})
}

// hostNames are the names that the hub answers to. A page of another site can make its
// own name lead to our address (DNS rebinding); it cannot make the browser send one of
// these.
type hostNames struct {
	names map[string]bool
	// anyAddress: the hub listens on every address, so the one that the connection came
	// in by is ours too.
	anyAddress bool
	certs      Certificates // what the certificate is for is ours; nil: there is none
}

func newHostNames(listen string, public *url.URL, certs Certificates) hostNames {
	n := hostNames{names: map[string]bool{"localhost": true}, certs: certs}
	if host, _, err := net.SplitHostPort(listen); err == nil {
		ip := net.ParseIP(host)
		n.anyAddress = host == "" || ip != nil && ip.IsUnspecified()
		if !n.anyAddress {
			n.names[hostName(listen)] = true
		}
	}
	if public != nil {
		n.names[hostName(public.Host)] = true
	}
	return n
}

// hostName takes the port, the brackets and a final dot away.
func hostName(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

func (n hostNames) ours(r *http.Request) bool {
	host := hostName(r.Host)
	if n.names[host] {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return n.certs != nil && n.certs.Covers(host)
	}
	if ip.Unmap().IsLoopback() {
		return true
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !n.anyAddress {
		return false
	}
	at, err := netip.ParseAddrPort(local.String())
	return err == nil && at.Addr().Unmap().WithZone("") == ip.Unmap()
}

func (s *Server) named(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.names.ours(r) {
			refuse(w, r, api.NewProblem(http.StatusMisdirectedRequest, "E-WEB-HOST", fmt.Sprintf("the hub does not answer to the name %.100q", r.Host),
				"Open "+s.URL()+", or set hub.public_url to the name you use."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, bodyMost)
		next.ServeHTTP(w, r)
	})
}

// open tells which paths are answered to somebody who is not signed in. This list is
// the only one.
func open(path string) bool {
	switch path {
	case "/login", "/setup", "/favicon.ico", "/healthz", "/readyz", api.Prefix + "/login", api.Prefix + "/setup":
		return true
	}
	// Who has a hook's address needs to be nobody else.
	return strings.HasPrefix(path, "/static/") || isTrust(path) || strings.HasPrefix(path, api.HookPath)
}

// forPrograms tells whether a token leads there: pages are for people.
func forPrograms(path string) bool {
	return strings.HasPrefix(path, "/api/") || path == "/metrics" || open(path)
}

// signedIn finds who asks, and lets nobody else past but to what is open.
func (s *Server) signedIn(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := s.door.Identify(r)
		if err == nil && !id.Person() && !forPrograms(r.URL.Path) {
			refuse(w, r, api.Describe(access.ErrPerson))
			return
		}
		if err == nil && r.URL.Path == "/metrics" && !(id.May(access.ScopeView) && id.Everywhere()) {
			refuse(w, r, api.Describe(access.ErrScope))
			return
		}
		if err == nil && s.mustChoose(r, id) && !choosing(r.URL.Path) {
			if wantsPage(r) {
				http.Redirect(w, r, "/setup?why=first", http.StatusSeeOther)
				return
			}
			refuse(w, r, api.NewProblem(http.StatusForbidden, CodePassword, "the hub has no password yet, and you come from another machine",
				"Choose one at "+s.URL()+"/setup."))
			return
		}
		if err == nil {
			next.ServeHTTP(w, r.WithContext(access.With(r.Context(), id)))
			return
		}
		if !isPress(r) {
			if p := s.hurried(r); p != nil {
				refuse(w, r, p)
				return
			}
		}
		switch {
		case open(r.URL.Path):
			next.ServeHTTP(w, r)
		case r.URL.Path == "/metrics" && isLoopback(r.RemoteAddr) && !forwarded(r):
			next.ServeHTTP(w, r)
		case errors.Is(err, access.ErrToken), errors.Is(err, access.ErrTokenOld):
			refuse(w, r, api.Describe(err))
		case !errors.Is(err, access.ErrLogin):
			p := api.Describe(err)
			s.deps.Log.Warn("session not read", "err", err)
			refuse(w, r, p)
		case wantsPage(r):
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
		default:
			refuse(w, r, api.Describe(access.ErrLogin))
		}
	})
}

// mustChoose tells whether a person has to choose a password first: one who came with a
// setup link from another machine. Programs have tokens, which nobody guesses.
func (s *Server) mustChoose(r *http.Request, id access.Identity) bool {
	return s.deps.Certs != nil && !s.deps.Insecure && id.Person() && !id.HasPassword && !isLoopback(r.RemoteAddr)
}

// choosing tells which paths somebody without a password needs to choose one.
func choosing(path string) bool {
	switch path {
	case "/logout", api.Prefix + "/logout", api.Prefix + "/me", api.Prefix + "/me/password":
		return true
	}
	return open(path) || strings.HasPrefix(path, "/explain/")
}

// forwarded tells whether a proxy hands on what somebody asks from elsewhere.
func forwarded(r *http.Request) bool {
	return r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("Via") != ""
}

func wantsPage(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		!strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/metrics"
}

// refuse answers a person with a sentence and a program with a problem.
func refuse(w http.ResponseWriter, r *http.Request, p *api.Problem) {
	if strings.HasPrefix(r.URL.Path, "/api/") || !strings.Contains(r.Header.Get("Accept"), "text/html") {
		p.Write(w)
		return
	}
	for k, v := range p.GetHeaders() {
		w.Header()[k] = v
	}
	plain(w, p.Status, strings.TrimSpace(p.Detail+". "+p.Hint())+"\n["+p.Code()+"]")
}

const (
	// strangerRate and strangerBurst bound what one address may ask without being signed
	// in; a login page with its files is a dozen requests.
	strangerRate  = 20 // a second
	strangerBurst = 200
	// limiterKeys bounds the memory, about 150 bytes each.
	limiterKeys = 4096
)

// limiter bounds the requests of strangers by address.
type limiter struct {
	now  func() time.Time
	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, keys: map[string]*rate.Limiter{}}
}

// take counts a request; a positive answer says how long to wait instead.
func (l *limiter) take(remote string) time.Duration {
	key := remote
	if at, err := netip.ParseAddrPort(remote); err == nil {
		ip := at.Addr().Unmap().WithZone("")
		key = ip.String()
		if p, err := ip.Prefix(64); err == nil && ip.Is6() {
			key = p.String() // one machine has as many addresses as it likes there
		}
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	k := l.keys[key]
	if k == nil {
		if len(l.keys) >= limiterKeys {
			l.forget(now)
		}
		k = rate.NewLimiter(strangerRate, strangerBurst)
		l.keys[key] = k
	}
	if k.AllowN(now, 1) {
		return 0
	}
	return time.Second / strangerRate
}

// forget drops those who asked nothing for a while, and all if that was nobody: then a
// flood comes from everywhere, and a list of it is worth nothing.
func (l *limiter) forget(now time.Time) {
	for key, k := range l.keys {
		if k.TokensAt(now) >= strangerBurst {
			delete(l.keys, key)
		}
	}
	if len(l.keys) >= limiterKeys {
		clear(l.keys)
	}
}
