package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"time"

	"github.com/porchlight-hub/porchlight/config"
)

const (
	leafFile = "hub.pem" // the certificate and its key, so that they change together
	// leafLife is far below what browsers take (398 days): renewal is daily bread then,
	// not something that first fails in a year.
	leafLife  = 90 * 24 * time.Hour
	leafEarly = time.Hour // for devices whose clocks are behind
)

// issue makes a new certificate where the one in use will not do much longer.
func (c *Certs) issue(anyway bool) error {
	names, now := c.o.Names(), c.o.Now()
	c.mu.RLock()
	ca := c.ca
	c.mu.RUnlock()
	if ca == nil || anyway { // who moved it away and asks wants another one
		var err error
		if ca, err = openAuthority(c.dir, c.o.House, names, now); err != nil {
			return err
		}
		c.mu.Lock()
		c.ca = ca
		c.mu.Unlock()
	}
	var can, cannot []string
	for _, n := range names {
		if ca.permits(n) {
			can = append(can, n)
		} else {
			cannot = append(cannot, n)
		}
	}
	var warning error
	if len(cannot) > 0 {
		warning = &Error{code: CodeNames, text: fmt.Sprintf("the hub's authority may not vouch for %s", short(cannot)),
			hint: "It is only for the names and addresses of a house, and those that it knew when it was made. Use another name in hub.public_url; or move ca.pem and ca.key away, for a new authority that each device must be told of at /trust."}
	}
	if now.After(ca.cert.NotAfter) {
		return &Error{code: CodeAuthority, text: "the hub's certificate authority ended on " + ca.cert.NotAfter.Format(time.DateOnly),
			hint: "Move ca.pem and ca.key away: the hub makes a new authority, and each phone and computer must be told of it at /trust. If the date is wrong, look at this machine's clock."}
	}
	cert := c.inUse()
	if cert == nil {
		cert, _ = readLeaf(c.file(leafFile), ca) // none, or a broken one: a new one is made
	}
	if !anyway && cert != nil && good(cert.Leaf, can, now) {
		c.use(cert, cannot, warning)
		return nil
	}
	cert, text, err := ca.sign(can, now)
	if err != nil {
		return err
	}
	c.use(cert, cannot, warning)
	c.o.Log.Info("certificate made", "until", cert.Leaf.NotAfter.Format(time.DateOnly), "names", short(can))
	if err := config.ReplaceFile(c.file(leafFile), text); err != nil {
		return unwritable(c.dir, err)
	}
	return nil
}

func (c *Certs) inUse() *tls.Certificate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.current
}

// good tells whether a certificate is for all these names, and in the first two thirds
// of its life.
func good(leaf *x509.Certificate, names []string, now time.Time) bool {
	if now.Before(leaf.NotBefore) || !now.Before(renewal(leaf)) {
		return false
	}
	for _, n := range names {
		if !covers(leaf, n) {
			return false
		}
	}
	return true
}

// renewal is when a certificate is replaced.
func renewal(leaf *x509.Certificate) time.Time {
	return leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) * 2 / 3)
}

// sign makes a certificate and gives also what is kept of it.
func (a *authority) sign(names []string, now time.Time) (*tls.Certificate, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: certificate: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, nil, fmt.Errorf("certs: certificate: %w", err)
	}
	end := now.Add(leafLife)
	if end.After(a.cert.NotAfter) {
		end = a.cert.NotAfter
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Porchlight hub"},
		NotBefore:    now.Add(-leafEarly), NotAfter: end,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, n)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("certs: certificate: %w", err)
	}
	text, err := keyPEM(key)
	if err != nil {
		return nil, nil, err
	}
	kept := bytes.Join([][]byte{pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), text}, nil)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, kept, nil
}

// readLeaf takes the certificate of an earlier run.
func readLeaf(path string, ca *authority) (*tls.Certificate, error) {
	text, err := readSmall(path)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(text, text)
	if err != nil {
		return nil, fmt.Errorf("certs: %s holds no certificate with its key", leafFile)
	}
	if err := cert.Leaf.CheckSignatureFrom(ca.cert); err != nil {
		return nil, fmt.Errorf("certs: %s is of another authority: %w", leafFile, err)
	}
	return &cert, nil
}
