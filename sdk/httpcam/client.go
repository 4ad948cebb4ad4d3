package httpcam

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// maxRedirects to the same host.
	maxRedirects = 3
	// maxAnswerHeader in bytes.
	maxAnswerHeader = 64 << 10
)

// Client makes an HTTP client for one device: it logs in, pins the certificate, and
// follows redirects only to the same host and port, or to its https. Its
// CloseIdleConnections is to be called at the end.
func Client(o Options) (*http.Client, error) {
	o = o.settled()
	u, err := o.target()
	if err != nil {
		return nil, err
	}
	t := &http.Transport{
		// No Proxy: a device of the house is reached directly.
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: o.Answer,
		MaxResponseHeaderBytes: maxAnswerHeader, MaxConnsPerHost: 4, MaxIdleConnsPerHost: 1,
		IdleConnTimeout: 30 * time.Second, DisableCompression: true, DisableKeepAlives: o.Once,
		TLSClientConfig: &tls.Config{},
	}
	if o.Dial != nil {
		t.DialContext = o.Dial
	}
	if o.Fingerprint != "" {
		want, err := ParseFingerprint(o.Fingerprint)
		if err != nil {
			return nil, &Fault{Kind: BadURL, Address: u.Host, Reason: err.Error(), Fix: "write fingerprint: sha256: and the 64 hex digits"}
		}
		pin(t.TLSClientConfig, want)
	}
	return &http.Client{
		Transport:     &loginTransport{next: t, login: o.Login, host: u.Hostname()},
		CheckRedirect: sameHost,
	}, nil
}

// pin takes exactly one certificate instead of checking names and issuers.
func pin(c *tls.Config, want [32]byte) {
	c.InsecureSkipVerify = true // VerifyConnection below checks more strictly
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return &Fault{Kind: Certificate, Reason: "it shows no certificate"}
		}
		der := s.PeerCertificates[0].Raw
		if sum := sha256.Sum256(der); subtle.ConstantTimeCompare(sum[:], want[:]) != 1 {
			return &Fault{
				Kind: Certificate, Fingerprint: Fingerprint(der), Reason: "its certificate is not the one that is pinned",
				Fix: "if the device was reset or renewed it, pin the new one: fingerprint: " + Fingerprint(der) + "; if not, somebody else answers there",
			}
		}
		return nil
	}
}

func sameHost(r *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case !sameDevice(via[len(via)-1].URL, r.URL) || r.URL.Hostname() != first.Hostname():
		return &Fault{Kind: Redirected, Reason: "it sends on to " + r.URL.Scheme + "://" + r.URL.Host, Fix: "if that is right, give that address itself"}
	case len(via) > maxRedirects:
		return &Fault{Kind: Redirected, Reason: "it sends on again and again", Fix: "look whether the path is right"}
	}
	return nil
}

// sameDevice: what answers at another port of the same host may be somebody else's.
func sameDevice(from, to *url.URL) bool {
	port := func(u *url.URL) string {
		if p := u.Port(); p != "" {
			return p
		}
		return u.Scheme
	}
	up := from.Scheme == "http" && to.Scheme == "https"
	return to.User == nil && strings.EqualFold(from.Hostname(), to.Hostname()) && (up || from.Scheme == to.Scheme && port(from) == port(to))
}

// get asks for the URL; a status other than 200 is a Fault. Cancelling ctx with a cause
// gives that cause.
func get(ctx context.Context, c *http.Client, u *url.URL, login Login) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, &Fault{Kind: BadURL, Address: u.Host, Reason: "the address cannot be used"}
	}
	r.Header.Set("User-Agent", "Porchlight")
	r.Header.Set("Accept", "multipart/x-mixed-replace, image/jpeg, */*;q=0.5")
	resp, err := c.Do(r)
	if err != nil {
		err = Explain(ctx, u.Host, err)
		var f *Fault
		if errors.As(err, &f) && f.Address == "" {
			f.Address = u.Host
		}
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, Answered(u.Host, resp.StatusCode, login)
	}
	return resp, nil
}
