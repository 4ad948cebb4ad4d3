package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The modes that there are certificates for, as hub.tls.mode has them.
const (
	ModeFiles   = "files"
	ModeLocalCA = "local-ca"
)

const (
	// lookEvery is how often files, names and the time are looked at.
	lookEvery = 15 * time.Second
	// lookAgain bounds looks that a visitor causes.
	lookAgain = time.Second
)

// Options of Open. Log and Now may be left out.
type Options struct {
	Mode              string // ModeFiles or ModeLocalCA
	CertFile, KeyFile string // of ModeFiles
	House             string // hub.name: devices show it in the authority's name
	// Names are what browsers may call the hub by; see Names. Asked again and again.
	Names func() []string
	Log   *slog.Logger
	Now   func() time.Time
}

// Certs is the certificate in use. It is safe for concurrent use.
type Certs struct {
	dir string
	o   Options

	turn   sync.Mutex // one look at a time
	looked time.Time  // when the last one was

	mu      sync.RWMutex
	current *tls.Certificate // nil: none yet; with its Leaf
	ca      *authority       // nil: none yet, or ModeFiles
	missing []string         // names that the certificate should have and cannot
	trouble error            // why there is no newer one; nil: all is well
	warning error            // what the owner should know though it works
	stamp   string           // of the owner's files when they were read last
}

// Open looks for a certificate, and makes one where the mode is ModeLocalCA. What
// hinders it is told by Trouble and tried again by Serve: a file that is missing at the
// start of the machine must not keep the bell from ringing.
func Open(dir string, o Options) (*Certs, error) {
	c, err := prepare(dir, o)
	if err != nil {
		return nil, err
	}
	c.look(false)
	return c, nil
}

func prepare(dir string, o Options) (*Certs, error) {
	if o.Mode != ModeFiles && o.Mode != ModeLocalCA {
		return nil, fmt.Errorf("certs: mode %q is none", o.Mode)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Names == nil {
		o.Names = func() []string { return []string{"localhost"} }
	}
	o.Log = o.Log.With("part", "certs")
	return &Certs{dir: dir, o: o}, nil
}

// Serve keeps the certificate good until ctx ends.
func (c *Certs) Serve(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		c.look(false)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// TLSConfig is for servers; what it serves with changes when the certificate does.
func (c *Certs) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c.meet(hello)
			c.mu.RLock()
			defer c.mu.RUnlock()
			if c.current == nil {
				return nil, fmt.Errorf("certs: there is no certificate: %w", c.trouble)
			}
			return c.current, nil
		},
	}
}

// meet makes a certificate at once for a visitor who came by an address that the machine
// was given a moment ago.
func (c *Certs) meet(hello *tls.ClientHelloInfo) {
	if c.o.Mode != ModeLocalCA || hello == nil || hello.Conn == nil {
		return
	}
	at, ok := hello.Conn.LocalAddr().(*net.TCPAddr)
	if !ok || at.IP.IsLinkLocalUnicast() || c.Covers(at.IP.String()) {
		return
	}
	c.turn.Lock()
	fresh := c.o.Now().Sub(c.looked).Abs() < lookAgain
	c.turn.Unlock()
	if !fresh {
		c.look(false)
	}
}

// Renew makes a new certificate now, or reads the owner's files again.
func (c *Certs) Renew() error {
	c.look(true)
	return c.Trouble()
}

// Trouble tells why there is no good certificate; nil where there is one.
func (c *Certs) Trouble() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.trouble == nil && c.current != nil && c.o.Mode == ModeFiles {
		return c.expired(c.current.Leaf)
	}
	return c.trouble
}

// look makes or reads what is needed; anyway: even if nothing seems to be.
func (c *Certs) look(anyway bool) {
	c.turn.Lock()
	defer c.turn.Unlock()
	c.looked = c.o.Now()
	var err error
	if c.o.Mode == ModeFiles {
		err = c.read(anyway)
	} else {
		err = c.issue(anyway)
	}
	c.mu.Lock()
	before := c.trouble
	c.trouble = err
	c.mu.Unlock()
	if err != nil && (before == nil || before.Error() != err.Error()) {
		c.o.Log.Error("no new certificate", "err", err)
	}
}

// use puts a certificate in the place of the one before.
func (c *Certs) use(cert *tls.Certificate, missing []string, warning error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current, c.missing, c.warning = cert, missing, warning
}

func (c *Certs) leaf() *x509.Certificate {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.current == nil {
		return nil
	}
	return c.current.Leaf
}

// Covers tells whether the certificate in use is for a name or an address.
func (c *Certs) Covers(name string) bool {
	leaf := c.leaf()
	return leaf != nil && covers(leaf, name)
}

// Names are what the certificate in use is for.
func (c *Certs) Names() []string {
	if leaf := c.leaf(); leaf != nil {
		return namesOf(leaf)
	}
	return nil
}

func covers(leaf *x509.Certificate, name string) bool {
	if ip := net.ParseIP(name); ip != nil {
		return slices.ContainsFunc(leaf.IPAddresses, ip.Equal)
	}
	return leaf.VerifyHostname(name) == nil
}

func namesOf(leaf *x509.Certificate) []string {
	out := slices.Clone(leaf.DNSNames)
	for _, ip := range leaf.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

func (c *Certs) file(name string) string { return filepath.Join(c.dir, name) }

// short is a list for one line.
func short(names []string) string {
	const most = 4
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
