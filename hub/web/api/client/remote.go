package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// UnknownCert says that the hub's certificate is of an authority that this machine does
// not know, or for another name.
type UnknownCert struct {
	Address string
	cause   error
}

func (e *UnknownCert) Error() string {
	return fmt.Sprintf("the certificate of %s is not to be trusted: %v", e.Address, e.cause)
}

// Code names the error.
func (e *UnknownCert) Code() string { return "E-CLI-CERT" }

// Hint says how to mend it.
func (e *UnknownCert) Hint() string {
	return "If the hub has an authority of its own, run porchlight tls ca -o porchlight-ca.pem on its machine, bring the file here, and name it with --ca or PORCHLIGHT_CA."
}

// Unwrap gives what the check said.
func (e *UnknownCert) Unwrap() error { return e.cause }

// Remote speaks to a hub by its address as a browser has it, and lets it be known by a
// token. roots are the authorities that its certificate may be of; nil: those of this
// machine. It asks for a sign of life.
func Remote(ctx context.Context, address, token string, roots *x509.CertPool) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("client: the address of a hub is as http://192.0.2.5:8480")
	}
	c := &Client{base: u.Scheme + "://" + u.Host, token: token, http: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTime}).DialContext,
			MaxIdleConns: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		},
		// The token is for this hub, whatever it answers.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if _, err := c.Version(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// InClear tells whether who is on the way reads the token: no TLS, and another machine.
func InClear(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback())
}
