package certs

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/porchlight-hub/porchlight/config"
)

const (
	caFile    = "ca.pem"
	caKeyFile = "ca.key"
	// caLife is long: each device has to be told of an authority by hand.
	caLife = 10 * 365 * 24 * time.Hour
	// caEarly lets devices whose clocks are behind take a new authority at once.
	caEarly = 24 * time.Hour
	// maxFile bounds what is read of one file: a chain is a few kilobytes.
	maxFile = 1 << 20
)

// CA is the hub's own authority as devices are given it.
type CA struct {
	Name                string // as devices show it
	PEM, DER            []byte
	SHA256              string // of DER, as AB:CD:…, which people compare
	NotBefore, NotAfter time.Time
}

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// CA gives the authority; false where there is none.
func (c *Certs) CA() (CA, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.ca == nil {
		return CA{}, false
	}
	return describe(c.ca.cert), true
}

func describe(cert *x509.Certificate) CA {
	return CA{
		Name: cert.Subject.CommonName, DER: cert.Raw, PEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		SHA256: Fingerprint(cert.Raw), NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
	}
}

// Fingerprint is SHA-256 as phones and browsers write it.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	parts := make([]string, len(sum))
	for i, b := range sum {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// openAuthority reads the authority; where there never was one it makes it. One that
// is there and broken is left alone: devices may trust it.
func openAuthority(dir, house string, names []string, now time.Time) (*authority, error) {
	a, err := readAuthority(dir)
	if !errors.Is(err, errNone) {
		return a, err
	}
	if now.Before(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		return nil, &Error{code: CodeClock, text: fmt.Sprintf("this machine's clock says %s, so no certificate authority is made yet", now.Format(time.DateOnly)),
			hint: "It would be over when the clock is right. The hub looks again by itself: let the clock be set by the network (timedatectl set-ntp true)."}
	}
	a, err = newAuthority(house, names, now)
	if err != nil {
		return nil, err
	}
	return a, a.save(dir)
}

// errNone: there never was an authority here.
var errNone = errors.New("certs: no authority")

// errNoFile: there is something else by that name.
var errNoFile = errors.New("it is no file")

// readAuthority answers errNone where there is none.
func readAuthority(dir string) (*authority, error) {
	path, keyPath := dir+"/"+caFile, dir+"/"+caKeyFile
	text, err := readSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNone
	}
	broken := func(cause error) error {
		return &Error{code: CodeAuthority, text: fmt.Sprintf("the hub's certificate authority in %s cannot be used: %v", dir, cause), cause: cause,
			hint: "Bring ca.pem and ca.key back from a backup. Or move both away: the hub makes a new authority, and each phone and computer must be told of it again at /trust."}
	}
	if err != nil {
		return nil, broken(err)
	}
	if err := onlyOurs(keyPath); err != nil {
		return nil, err
	}
	keyText, err := readSmall(keyPath)
	if err != nil {
		return nil, broken(err)
	}
	block, _ := pem.Decode(text)
	keyBlock, _ := pem.Decode(keyText)
	if block == nil || keyBlock == nil {
		return nil, broken(errors.New("a file of it is not PEM"))
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, broken(err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, broken(errors.New("ca.key holds no key")) // never the parser's words: they could hold some of it
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || !key.PublicKey.Equal(cert.PublicKey) || !cert.IsCA {
		return nil, broken(errors.New("ca.key is not the key of ca.pem"))
	}
	return &authority{cert, key}, nil
}

// newAuthority makes one that can vouch for names of a house only: who steals its key
// cannot pass for a bank. RFC 5280, section 4.2.1.10.
func newAuthority(house string, names []string, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certs: authority: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, fmt.Errorf("certs: authority: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial,
		// The number tells two hubs of one name apart, and an old authority from a new.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("Porchlight %.40s %04X", printable(house), serial.Uint64()&0xFFFF), Organization: []string{"Porchlight"}},
		NotBefore:             now.Add(-caEarly),
		NotAfter:              now.Add(caLife),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},

		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         houseDomains(names),
		PermittedIPRanges:           houseRanges(names),
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("certs: authority: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certs: authority: %w", err)
	}
	return &authority{cert, key}, nil
}

// houseDomains are where houses call their machines something, and the names that this
// one has already.
func houseDomains(names []string) []string {
	out := []string{"localhost", "local", "lan", "home", "internal", "localdomain", "home.arpa", "fritz.box"}
	for _, n := range names {
		if net.ParseIP(n) == nil && !within(n, out) {
			out = append(out, n)
		}
	}
	return out
}

// houseRanges are addresses that no other site has (RFC 1918, 6598, 3927, 5737), those
// that this machine has already, and all of IPv6: a house's own addresses there are the
// provider's, and change.
func houseRanges(names []string) []*net.IPNet {
	var out []*net.IPNet
	for _, s := range []string{
		"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "::/0",
	} {
		_, n, err := net.ParseCIDR(s)
		if err != nil {
			panic("certs: " + err.Error()) // the list is a constant
		}
		out = append(out, n)
	}
	for _, name := range names {
		if ip := net.ParseIP(name).To4(); ip != nil && !inRanges(ip, out) {
			out = append(out, &net.IPNet{IP: ip, Mask: net.CIDRMask(32, 32)})
		}
	}
	return out
}

func inRanges(ip net.IP, ranges []*net.IPNet) bool {
	four := ip.To4() != nil
	return slices.ContainsFunc(ranges, func(n *net.IPNet) bool { return n.Contains(ip) && (n.IP.To4() != nil) == four })
}

func within(name string, domains []string) bool {
	return slices.ContainsFunc(domains, func(d string) bool { return name == d || strings.HasSuffix(name, "."+d) })
}

// permits tells whether the authority may vouch for a name.
func (a *authority) permits(name string) bool {
	ip := net.ParseIP(name)
	if ip == nil {
		return len(a.cert.PermittedDNSDomains) == 0 || within(name, a.cert.PermittedDNSDomains)
	}
	return len(a.cert.PermittedIPRanges) == 0 || inRanges(ip, a.cert.PermittedIPRanges)
}

// save writes the key first: a certificate without its key would be one that is broken.
func (a *authority) save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return unwritable(dir, err)
	}
	key, err := keyPEM(a.key)
	if err != nil {
		return err
	}
	if err := config.ReplaceFile(dir+"/"+caKeyFile, key); err != nil {
		return unwritable(dir, err)
	}
	if err := config.ReplaceFile(dir+"/"+caFile, describe(a.cert).PEM); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

func unwritable(dir string, err error) error {
	return &Error{code: CodeWrite, text: fmt.Sprintf("the certificate cannot be kept in %s: %v", dir, err), cause: err,
		hint: "The folder belongs to the hub: it must be there for the user who runs the hub to write, and the disk must have room."}
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, errors.New("certs: a key cannot be written down")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// newSerial is 127 random bits; RFC 5280 wants at most 20 octets.
func newSerial() (*big.Int, error) {
	return rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
}

// printable keeps what every device can show in a certificate's name.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if s == "Porchlight" {
		return "hub"
	}
	return s
}

// onlyOurs refuses a key that other users of the machine may read.
func onlyOurs(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // reading it tells better
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return &Error{code: CodeKeyMode, text: fmt.Sprintf("other users of this machine may read %s (mode %04o)", path, info.Mode().Perm()),
		hint: "Run chmod 600 " + path + ". If somebody you do not trust uses this machine, move ca.pem and ca.key away too: the hub makes a new authority."}
}

// readSmall reads a regular file of reasonable size.
func readSmall(path string) ([]byte, error) {
	// A pipe would be waited for, and a device may do something when it is opened.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be another by now
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNoFile
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errors.New("it is too large to be one")
	}
	return b, err
}
