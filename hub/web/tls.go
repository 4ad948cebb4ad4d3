package web

import (
	"crypto/tls"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/certs"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/pages"
)

// Certificates are what the pages are served with; hub/certs has them.
type Certificates interface {
	TLSConfig() *tls.Config
	// Covers tells whether the certificate is for a name of the hub.
	Covers(name string) bool
	Status() certs.Status
	Renew() error
}

// certificate is Certificates as the API tells of them.
type certificate struct{ *Server }

func (c certificate) Renew() error { return c.deps.Certs.Renew() }

func (c certificate) Status() api.TLS {
	s := c.deps.Certs.Status()
	out := api.TLS{Mode: s.Mode, Names: s.Names, Missing: s.Missing, Issuer: s.Issuer, NotBefore: s.NotBefore, NotAfter: s.NotAfter,
		Renews: s.Renews, Trust: c.TrustURL(), Trouble: reason(s.Trouble), Warning: reason(s.Warning)}
	if s.CA != nil {
		out.Authority = &api.Authority{Name: s.CA.Name, SHA256: s.CA.SHA256, PEM: string(s.CA.PEM), Until: s.CA.NotAfter}
	}
	return out
}

func reason(err error) *api.CodedReason {
	if err == nil {
		return nil
	}
	p := api.Describe(err)
	return &api.CodedReason{Code: p.Code(), Why: p.Detail, Fix: p.Hint()}
}

// CodePassword: the owner has to choose a password first.
const CodePassword = "E-WEB-PASSWORD"

// isTrust tells which paths help a device to trust the hub's certificate.
func isTrust(path string) bool {
	return path == pages.TrustPath || strings.HasPrefix(path, pages.TrustPath+"/")
}

// TrustURL is where a phone is shown how to trust the hub's certificate: in clear,
// since it does not yet. Empty where that is not needed.
func (s *Server) TrustURL() string {
	if s.deps.Certs == nil {
		return ""
	}
	if _, ok := s.ownCA(); !ok {
		return ""
	}
	return "http://" + s.address() + pages.TrustPath
}

func (s *Server) ownCA() (certs.CA, bool) {
	if s.deps.Certs == nil {
		return certs.CA{}, false
	}
	if ca := s.deps.Certs.Status().CA; ca != nil {
		return *ca, true
	}
	return certs.CA{}, false
}

// trusted is what the page /trust tells.
func (s *Server) trusted(r *http.Request) pages.Trust {
	t := pages.Trust{Secure: r.TLS != nil, Here: isLoopback(r.RemoteAddr), Address: s.URL(), Clear: s.TrustURL()}
	if s.deps.Certs == nil {
		return t
	}
	st := s.deps.Certs.Status()
	t.TLS, t.Issuer, t.Trouble = true, st.Issuer, st.Trouble
	if r.TLS == nil && s.public == nil {
		t.Address, t.Clear = "https://"+r.Host, "http://"+r.Host+pages.TrustPath // the way that this device came by works for it
	}
	if t.Here {
		t.Clear = s.TrustURL() // 127.0.0.1 is nothing for a phone
	}
	if isLoopback(s.address()) {
		t.Clear = ""
	}
	if st.CA != nil {
		t.CA = &pages.TrustCA{Name: st.CA.Name, PEM: st.CA.PEM, DER: st.CA.DER, SHA256: st.CA.SHA256, Until: st.CA.NotAfter}
	}
	return t
}

// hookBase is what stands before a hook's path. Devices that ring do not know the hub's
// own authority, so they come in clear: who hears the address can ring, and no more.
func (s *Server) hookBase() string {
	if _, own := s.ownCA(); own && s.public == nil {
		return "http://" + s.address()
	}
	return s.URL()
}

// inClear answers what comes without TLS where there is TLS: what a device needs before
// it trusts the certificate, signs of life, hooks, and the way to the pages.
func (s *Server) inClear(trust, assets http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET "+pages.TrustPath, trust)
	mux.Handle("GET "+pages.TrustPath+"/", trust)
	mux.Handle("GET /static/", assets)
	mux.HandleFunc("GET /healthz", s.healthz)
	mux.HandleFunc("GET /readyz", s.readyz)
	// A relay on the wall knows no authority of ours, and its press must not be lost.
	mux.HandleFunc(api.HookPath, s.api.ServeHook)
	mux.HandleFunc("/", s.toTLS)
	return s.caught(headers(true, s.named(bounded(s.unhurried(mux)))))
}

func (s *Server) toTLS(w http.ResponseWriter, r *http.Request) {
	if s.deps.Certs.Status().Names == nil { // https would answer nothing at all
		err := s.deps.Certs.Status().Trouble
		if err == nil {
			err = errors.New("there is no certificate yet")
		}
		p := api.Describe(err)
		p.Status = http.StatusServiceUnavailable
		refuse(w, r, p)
		return
	}
	http.Redirect(w, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusPermanentRedirect)
}

// unhurried bounds what one address may ask.
func (s *Server) unhurried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPress(r) {
			if p := s.hurried(r); p != nil {
				refuse(w, r, p)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// isPress tells whether a hook is rung. That is not bounded by what else comes from its
// address, which may be that of a proxy or of a whole network: only wrong hooks are.
func isPress(r *http.Request) bool {
	return r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, api.HookPath)
}

// hurried counts what a stranger asks; an answer says that it is too much.
func (s *Server) hurried(r *http.Request) *api.Problem {
	if wait := s.limit.take(r.RemoteAddr); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

// tooMany tells a stranger to wait.
func tooMany(wait time.Duration) *api.Problem {
	p := api.NewProblem(http.StatusTooManyRequests, "E-WEB-RATE", "too many requests", "Wait a moment.")
	p.RetryAfter = int(wait/time.Second) + 1
	return p
}
