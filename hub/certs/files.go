package certs

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// read takes the owner's files where they differ from what was read last. What is bad
// leaves the certificate in use.
func (c *Certs) read(anyway bool) error {
	stamp := stampOf(c.o.CertFile) + stampOf(c.o.KeyFile)
	c.mu.RLock()
	same, before := stamp == c.stamp && !anyway, c.trouble
	c.mu.RUnlock()
	if same {
		return before
	}
	cert, err := readPair(c.o.CertFile, c.o.KeyFile)
	c.mu.Lock()
	c.stamp = stamp
	if err != nil && c.current == nil {
		c.stamp = "" // nothing to lose: whatever it was may be over without a trace in the file
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if err := c.expired(cert.Leaf); err != nil && c.inUse() != nil && c.expired(c.leaf()) == nil {
		return err // the one in use is better
	}
	var missing []string
	for _, n := range c.o.Names() {
		if !covers(cert.Leaf, n) {
			missing = append(missing, n)
		}
	}
	c.use(cert, missing, worldReadable(c.o.KeyFile))
	c.o.Log.Info("certificate read", "file", c.o.CertFile, "until", cert.Leaf.NotAfter.Format(time.DateOnly), "names", short(namesOf(cert.Leaf)))
	return nil
}

func readPair(certFile, keyFile string) (*tls.Certificate, error) {
	bad := func(path string, cause error) error {
		return &Error{code: CodeFiles, text: fmt.Sprintf("the certificate cannot be read: %s: %v", path, cause), cause: cause,
			hint: "hub.tls.cert and hub.tls.key name PEM files that the user who runs the hub may read. The hub looks again by itself."}
	}
	text, err := readSmall(certFile)
	if err != nil {
		return nil, bad(certFile, plain(err))
	}
	keyText, err := readSmall(keyFile)
	if err != nil {
		return nil, bad(keyFile, plain(err))
	}
	if block, _ := pem.Decode(text); block == nil || !bytes.Contains(text, []byte("BEGIN CERTIFICATE-----")) {
		return nil, bad(certFile, errors.New("it holds no certificate in PEM form"))
	}
	if block, _ := pem.Decode(keyText); block == nil || !bytes.Contains(keyText, []byte("PRIVATE KEY-----")) {
		return nil, bad(keyFile, errors.New("it holds no private key in PEM form"))
	} else if strings.Contains(block.Type, "ENCRYPTED") || block.Headers["DEK-Info"] != "" {
		return nil, bad(keyFile, errors.New("the key has a passphrase, and nobody is there to type it"))
	}
	cert, err := tls.X509KeyPair(text, keyText)
	if err == nil {
		return &cert, nil
	}
	if strings.Contains(err.Error(), "does not match") {
		return nil, &Error{code: CodePair, text: fmt.Sprintf("%s is not the key of the first certificate in %s", keyFile, certFile),
			hint: "In the certificate's file the hub's own certificate stands first, those that signed it below. While two files are being replaced this may show for a moment."}
	}
	return nil, bad(certFile, errors.New("it is damaged, or of a kind that is not known"))
}

// plain takes the path out of the system's words, which name it already.
func plain(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// stampOf tells whether a file is another one than before. Certificates are often
// replaced by turning a symbolic link.
func stampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "none;"
	}
	to, _ := os.Readlink(path) // no link: empty
	return fmt.Sprintf("%s %d %d;", to, info.Size(), info.ModTime().UnixNano())
}

// expired tells that the owner's certificate is not for today.
func (c *Certs) expired(leaf *x509.Certificate) error {
	now := c.o.Now()
	e := &Error{code: CodeExpired, hint: "Renew it where it came from and put the new files in the place of the old: the hub takes them by itself. If the date is right, look at this machine's clock."}
	switch {
	case now.After(leaf.NotAfter):
		e.text = fmt.Sprintf("the certificate in %s ended on %s", c.o.CertFile, leaf.NotAfter.Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		e.text = fmt.Sprintf("the certificate in %s begins on %s", c.o.CertFile, leaf.NotBefore.Format(time.DateOnly))
	default:
		return nil
	}
	return e
}

// worldReadable is a warning only: who mounts secrets into a container has no choice.
func worldReadable(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&0o007 == 0 {
		return nil // it was read a moment ago
	}
	return &Error{code: CodeKeyMode, text: fmt.Sprintf("every user of this machine may read %s (mode %04o)", path, info.Mode().Perm()),
		hint: "Run chmod o-rwx " + path + ", as its owner."}
}
