package api

import (
	"context"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
)

// TLS is how the pages are encrypted.
type TLS struct {
	Mode      string       `json:"mode" enum:"off,files,local-ca"`
	Names     []string     `json:"names" nullable:"false" doc:"names and addresses that the certificate is for"`
	Missing   []string     `json:"missing" nullable:"false" doc:"what the hub is called besides, and it is not for"`
	Issuer    string       `json:"issuer,omitempty"`
	NotBefore time.Time    `json:"not_before,omitzero"`
	NotAfter  time.Time    `json:"not_after,omitzero"`
	Renews    time.Time    `json:"renews,omitzero" doc:"when the hub makes a new one by itself"`
	Authority *Authority   `json:"authority,omitempty" doc:"of the hub's own making, with local-ca"`
	Trust     string       `json:"trust,omitempty" doc:"the page that shows devices how to trust it"`
	Trouble   *CodedReason `json:"trouble,omitempty" doc:"why there is no good certificate"`
	Warning   *CodedReason `json:"warning,omitempty"`
}

// Authority is what devices are told to trust.
type Authority struct {
	Name   string    `json:"name"`
	SHA256 string    `json:"sha256" doc:"fingerprint, as AB:CD:…"`
	PEM    string    `json:"pem"`
	Until  time.Time `json:"until"`
}

// CodedReason is a cause with its code and what mends it.
type CodedReason struct {
	Code string `json:"code"`
	Why  string `json:"why"`
	Fix  string `json:"fix,omitempty"`
}

// Certificate is what the pages are served with.
type Certificate interface {
	Status() TLS
	// Renew makes a new one now, or reads the owner's files again.
	Renew() error
}

func (h *house) tls() {
	status := func() TLS {
		if h.TLS == nil {
			return TLS{Mode: "off", Names: []string{}, Missing: []string{}}
		}
		s := h.TLS.Status()
		s.Names, s.Missing = filled(s.Names), filled(s.Missing)
		return s
	}
	route(h, http.MethodGet, "/tls", "How the pages are encrypted", of(access.ScopeView), http.StatusOK, func(context.Context, *nothing) (*answer[TLS], error) {
		return &answer[TLS]{status()}, nil
	})
	route(h, http.MethodPost, "/tls/renew", "A new certificate now, or the owner's files again", of(access.ScopeAdmin), http.StatusOK, func(context.Context, *nothing) (*answer[TLS], error) {
		if h.TLS == nil {
			return nil, NewProblem(http.StatusConflict, "E-TLS-OFF", "hub.tls.mode is off", "Set hub.tls: {mode: local-ca} and start the hub again.")
		}
		if err := h.TLS.Renew(); err != nil {
			return nil, err
		}
		return &answer[TLS]{status()}, nil
	})
}
