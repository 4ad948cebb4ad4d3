package certs

import (
	"errors"
	"time"
)

// Status is what there is to tell of the certificate.
type Status struct {
	Mode                string
	Names               []string // what it is for; none: there is no certificate
	Missing             []string // what the hub is called besides, and it is not for
	NotBefore, NotAfter time.Time
	Renews              time.Time // when the hub makes a new one; zero: the owner does
	Issuer              string
	CA                  *CA   // nil: not of the hub's own making
	Trouble             error // why it is not good; coded
	Warning             error // what should be mended though it works; coded
}

// Status of now.
func (c *Certs) Status() Status {
	s := Status{Mode: c.o.Mode, Trouble: c.Trouble()}
	if ca, ok := c.CA(); ok {
		s.CA = &ca
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	s.Warning, s.Missing = c.warning, c.missing
	if c.current != nil {
		leaf := c.current.Leaf
		s.Names, s.NotBefore, s.NotAfter = namesOf(leaf), leaf.NotBefore, leaf.NotAfter
		if s.Issuer = leaf.Issuer.CommonName; s.Issuer == "" {
			s.Issuer = leaf.Issuer.String()
		}
		if c.o.Mode == ModeLocalCA {
			s.Renews = renewal(leaf)
		}
	}
	return s
}

// Look tells how it is without making or changing anything: for when no hub runs.
func Look(dir string, o Options) (Status, error) {
	c, err := prepare(dir, o)
	if err != nil {
		return Status{}, err
	}
	if o.Mode == ModeFiles {
		c.trouble = c.read(true)
		return c.Status(), nil
	}
	ca, err := readAuthority(dir)
	if err != nil {
		if !errors.Is(err, errNone) {
			c.trouble = err
		}
		return c.Status(), nil
	}
	c.ca = ca
	cert, err := readLeaf(c.file(leafFile), ca)
	if err != nil {
		return c.Status(), nil // the hub makes one when it starts
	}
	var missing []string
	for _, n := range c.o.Names() {
		if !covers(cert.Leaf, n) {
			missing = append(missing, n)
		}
	}
	c.use(cert, missing, nil)
	return c.Status(), nil
}
