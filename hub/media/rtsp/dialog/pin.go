package dialog

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"net"
	"strings"
)

// CertificateError says that the certificate shown is not to be trusted.
type CertificateError struct {
	Fingerprint string // of the one shown: "sha256:" and hex digits
	Pinned      bool   // another one was pinned
	Err         error
}

func (e *CertificateError) Error() string {
	if e.Pinned {
		return "the certificate shown is not the pinned one; its fingerprint is " + e.Fingerprint
	}
	return "the certificate is signed by nobody known here; its fingerprint is " + e.Fingerprint
}

func (e *CertificateError) Unwrap() error { return e.Err }

// Fingerprint of a certificate's DER.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// secure speaks TLS over nc. With a pin the leaf's digest alone counts; without one the
// certificate is checked as everywhere.
func secure(ctx context.Context, nc net.Conn, host, pin string) (net.Conn, error) {
	c := tls.Client(nc, &tls.Config{
		ServerName:         host,
		InsecureSkipVerify: true, // VerifyConnection checks instead, and knows the fingerprint to name
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("no certificate was shown")
			}
			return checkCertificate(s.PeerCertificates, host, pin)
		},
	})
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func checkCertificate(chain []*x509.Certificate, host, pin string) error {
	shown := Fingerprint(chain[0].Raw)
	if pin != "" {
		want := "sha256:" + strings.ReplaceAll(strings.TrimPrefix(strings.ToLower(pin), "sha256:"), ":", "")
		if subtle.ConstantTimeCompare([]byte(shown), []byte(want)) != 1 {
			return &CertificateError{Fingerprint: shown, Pinned: true}
		}
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: between}); err != nil {
		return &CertificateError{Fingerprint: shown, Err: err}
	}
	return nil
}
