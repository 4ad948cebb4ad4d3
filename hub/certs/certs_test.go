package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// later is a clock that stands in the time of this program, also where synctest's is.
func later() time.Time {
	return time.Now().Add(time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC).Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
}

func now() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

func open(t *testing.T, dir string, o Options) *Certs {
	t.Helper()
	if o.Mode == "" {
		o.Mode = ModeLocalCA
	}
	if o.Now == nil {
		o.Now = now
	}
	c, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func list(names ...string) func() []string { return func() []string { return names } }

func codeOf(err error) string {
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return ""
}

// shake makes a handshake over a pipe as a browser would that calls the hub by name.
func shake(t *testing.T, c *Certs, name string, at time.Time) error {
	t.Helper()
	pool := x509.NewCertPool()
	if ca, ok := c.CA(); ok {
		pool.AppendCertsFromPEM(ca.PEM)
	} else {
		pool.AddCert(c.leaf())
	}
	a, b := net.Pipe()
	defer a.Close()
	var server sync.WaitGroup
	defer server.Wait()
	server.Go(func() {
		defer b.Close()
		_ = tls.Server(b, c.TLSConfig()).Handshake() // the client tells what is wrong
	})
	conn := tls.Client(a, &tls.Config{ServerName: name, RootCAs: pool, NextProtos: []string{"h2"}, Time: func() time.Time { return at }})
	err := conn.Handshake()
	if err == nil && conn.ConnectionState().NegotiatedProtocol != "h2" {
		t.Errorf("%s: protocol %q", name, conn.ConnectionState().NegotiatedProtocol)
	}
	return err
}

func TestLocalCAVouchesForTheHouse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	names := []string{"porch.example.org", "localhost", "127.0.0.1", "::1", "porch.local", "192.168.1.5", "fd00::5", "2001:db8::7"}
	c := open(t, dir, Options{House: "Elm Street 12", Names: list(names...)})
	if err := c.Trouble(); err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		if err := shake(t, c, n, now()); err != nil {
			t.Errorf("%s: %v", n, err)
		}
		if !c.Covers(n) {
			t.Errorf("%s is not covered", n)
		}
	}
	if err := shake(t, c, "other.local", now()); err == nil || c.Covers("other.local") || c.Covers("192.168.1.6") {
		t.Error("it is for names that the hub has not")
	}
	st := c.Status()
	if !slices.Equal(slices.Sorted(slices.Values(st.Names)), slices.Sorted(slices.Values(names))) || len(st.Missing) != 0 || st.Warning != nil {
		t.Errorf("%+v", st)
	}
	if st.NotAfter.Sub(now()) != leafLife || st.Renews.Sub(now()) > 61*24*time.Hour || !strings.Contains(st.Issuer, "Elm Street 12") {
		t.Errorf("%v %v %s", st.NotAfter, st.Renews, st.Issuer)
	}
	for _, name := range []string{caKeyFile, leafFile, caFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

// TestAuthorityIsForNoOtherSite: who steals the key can sign for other sites, and
// nobody believes it.
func TestAuthorityIsForNoOtherSite(t *testing.T) {
	c := open(t, t.TempDir(), Options{House: "Elm", Names: list("porch.example.org", "localhost", "198.18.0.7")})
	for name, want := range map[string]bool{
		"www.bank.example": false, "example.org": false, "8.8.8.8": false, "198.18.0.8": false, "198.18.0.7": true, "localhost": true,
		"porch.example.org": true, "any.local": true, "nas.fritz.box": true, "10.1.2.3": true, "100.64.0.9": true,
	} {
		cert, _, err := c.ca.sign([]string{name}, now())
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AddCert(c.ca.cert)
		_, err = cert.Leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: pool, CurrentTime: now()})
		if (err == nil) != want || c.ca.permits(name) != want {
			t.Errorf("%s: %v, permits %v", name, err, c.ca.permits(name))
		}
	}
	// An authority below it would have no limits of its own.
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	below := *c.ca.cert
	der, err := x509.CreateCertificate(rand.Reader, &below, c.ca.cert, key.Public(), c.ca.key)
	if err != nil {
		t.Fatal(err)
	}
	sub, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _, err := (&authority{sub, key}).sign([]string{"localhost"}, now())
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(c.ca.cert)
	between.AddCert(sub)
	if _, err := leaf.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now()}); err == nil {
		t.Error("an authority below the authority is believed")
	}
}

func TestNamesOutsideAreTold(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{Names: list("localhost")})
	c := open(t, dir, Options{Names: list("porch.example.org", "localhost", "9.9.9.9")})
	st := c.Status()
	if !slices.Equal(st.Missing, []string{"porch.example.org", "9.9.9.9"}) || codeOf(st.Warning) != CodeNames || st.Trouble != nil {
		t.Errorf("%+v", st)
	}
	if err := shake(t, c, "localhost", now()); err != nil {
		t.Error(err)
	}
}

func TestASecondRunKeepsBoth(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir, Options{Names: list("localhost")})
	b := open(t, dir, Options{Names: list("localhost")})
	caA, _ := a.CA()
	caB, _ := b.CA()
	if caA.SHA256 != caB.SHA256 || !bytes.Equal(a.leaf().Raw, b.leaf().Raw) {
		t.Error("the certificate or its authority is another after a start")
	}
	if len(caA.SHA256) != 32*3-1 {
		t.Error(caA.SHA256)
	}
	st, err := Look(dir, Options{Mode: ModeLocalCA, Names: list("localhost", "x.local"), Now: now})
	if err != nil || st.CA.SHA256 != caA.SHA256 || !slices.Equal(st.Names, []string{"localhost"}) || !slices.Equal(st.Missing, []string{"x.local"}) {
		t.Errorf("%+v %v", st, err)
	}
	if err := b.Renew(); err != nil {
		t.Fatal(err)
	}
	caB, _ = b.CA()
	if caA.SHA256 != caB.SHA256 || bytes.Equal(a.leaf().Raw, b.leaf().Raw) {
		t.Error("renewal: the authority changed, or the certificate did not")
	}
}

func TestLookChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	st, err := Look(dir, Options{Mode: ModeLocalCA, Names: list("localhost")})
	if err != nil || st.CA != nil || st.Names != nil || st.Trouble != nil {
		t.Errorf("%+v %v", st, err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("it made the folder")
	}
	if _, err := Open(dir, Options{Mode: "acme"}); err == nil {
		t.Error("a mode that is none")
	}
}

// TestRenewalWhileRunning: a year goes by; no handshake of any day finds an old
// certificate, and a new address has one within a look.
func TestRenewalWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		names := []string{"localhost"}
		c := open(t, t.TempDir(), Options{Now: later, Names: func() []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(names)
		}})
		ctx, cancel := context.WithCancel(t.Context())
		var serve sync.WaitGroup
		serve.Go(func() { _ = c.Serve(ctx) })
		seen := map[string]bool{}
		for range 12 {
			time.Sleep(30 * 24 * time.Hour)
			synctest.Wait()
			if err := shake(t, c, "localhost", later()); err != nil {
				t.Fatal(err)
			}
			if left := c.Status().NotAfter.Sub(later()); left < leafLife/3-time.Hour*24 {
				t.Errorf("only %s left", left)
			}
			seen[c.leaf().SerialNumber.String()] = true
		}
		if len(seen) < 5 || len(seen) > 8 {
			t.Errorf("%d certificates in a year", len(seen))
		}
		mu.Lock()
		names = append(names, "192.168.7.7")
		mu.Unlock()
		time.Sleep(lookEvery + time.Second)
		synctest.Wait()
		if err := shake(t, c, "192.168.7.7", later()); err != nil {
			t.Error(err)
		}
		cancel()
		serve.Wait()
	})
}

func TestWrongClocks(t *testing.T) {
	dir := t.TempDir()
	at := time.Date(1970, 1, 1, 0, 5, 0, 0, time.UTC)
	c := open(t, dir, Options{Names: list("localhost"), Now: func() time.Time { return at }})
	if codeOf(c.Trouble()) != CodeClock {
		t.Errorf("in 1970: %v", c.Trouble())
	}
	at = now()
	c.look(false)
	if err := shake(t, c, "localhost", at); err != nil {
		t.Error(err)
	}
	at = now().Add(-2 * time.Hour) // set back before the certificate began
	c.look(false)
	if err := shake(t, c, "localhost", at); err != nil {
		t.Error(err)
	}
	at = now().Add(11 * 365 * 24 * time.Hour)
	c.look(false)
	if codeOf(c.Trouble()) != CodeAuthority {
		t.Errorf("after the authority's end: %v", c.Trouble())
	}
}

func TestABrokenAuthorityIsLeftAlone(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"no key":      func(t *testing.T, dir string) { must(t, os.Remove(dir+"/"+caKeyFile)) },
		"half a file": func(t *testing.T, dir string) { must(t, os.Truncate(dir+"/"+caFile, 100)) },
		"empty":       func(t *testing.T, dir string) { must(t, os.Truncate(dir+"/"+caKeyFile, 0)) },
		"another key": func(t *testing.T, dir string) {
			key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			text, _ := keyPEM(key)
			must(t, os.WriteFile(dir+"/"+caKeyFile, text, 0o600))
		},
	} {
		dir := t.TempDir()
		open(t, dir, Options{Names: list("localhost")})
		spoil(t, dir)
		before, _ := os.ReadFile(dir + "/" + caFile)
		c := open(t, dir, Options{Names: list("localhost")})
		if err := c.Trouble(); codeOf(err) != CodeAuthority {
			t.Errorf("%s: %v", name, err)
		}
		after, _ := os.ReadFile(dir + "/" + caFile)
		if !bytes.Equal(before, after) {
			t.Errorf("%s: the authority was replaced", name)
		}
		// Moved away by the owner, there is a new one without a new start.
		must(t, os.Remove(dir+"/"+caFile))
		if err := c.Renew(); err != nil {
			t.Errorf("%s: after it was moved away: %v", name, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestKeyModes(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, Options{Names: list("localhost")})
	must(t, os.Chmod(dir+"/"+caKeyFile, 0o640))
	c := open(t, dir, Options{Names: list("localhost")})
	var e *Error
	if err := c.Trouble(); codeOf(err) != CodeKeyMode || !errors.As(err, &e) || !strings.Contains(e.Hint(), "chmod 600 "+dir) {
		t.Errorf("%v", err)
	}
	must(t, os.Chmod(dir+"/"+caKeyFile, 0o600))
	c.look(false)
	if err := c.Trouble(); err != nil {
		t.Error(err)
	}
}

func TestAFolderThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	must(t, os.WriteFile(dir, nil, 0o600)) // a file in the folder's place, which root cannot write into either
	c := open(t, dir, Options{Names: list("localhost")})
	if err := c.Trouble(); codeOf(err) != CodeWrite && codeOf(err) != CodeAuthority {
		t.Errorf("%v", err)
	}
	must(t, os.Remove(dir))
	c.look(false)
	if err := shake(t, c, "localhost", now()); err != nil {
		t.Error(err)
	}
}

// files writes a certificate of its own for a name, and its key.
func files(t *testing.T, dir, name string, from, to time.Time) (cert, key string) {
	t.Helper()
	a, err := newAuthority("Other", nil, from)
	must(t, err)
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := newSerial()
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: serial, NotBefore: from, NotAfter: to, DNSNames: []string{name}}, a.cert, k.Public(), a.key)
	must(t, err)
	text, err := keyPEM(k)
	must(t, err)
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(cert, append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), describe(a.cert).PEM...), 0o600))
	must(t, os.WriteFile(key, text, 0o600))
	return cert, key
}

func TestFilesAreTakenWhenTheyChange(t *testing.T) {
	dir := t.TempDir()
	cert, key := files(t, dir, "a.local", now().Add(-time.Hour), now().Add(30*24*time.Hour))
	at := now()
	c := open(t, "", Options{Mode: ModeFiles, CertFile: cert, KeyFile: key, Names: list("a.local", "b.local"), Now: func() time.Time { return at }})
	if err := shake(t, c, "a.local", at); err != nil || c.Trouble() != nil {
		t.Fatal(err, c.Trouble())
	}
	if st := c.Status(); !slices.Equal(st.Missing, []string{"b.local"}) || st.CA != nil || !st.Renews.IsZero() {
		t.Errorf("%+v", st)
	}
	touch := func() { must(t, os.Chtimes(cert, at, at)); at = at.Add(time.Second) }

	good, _ := os.ReadFile(cert)
	for name, text := range map[string]string{"rubbish": "rubbish", "half": string(good[:len(good)/4]), "empty": ""} {
		must(t, os.WriteFile(cert, []byte(text), 0o600))
		touch()
		c.look(false)
		if codeOf(c.Trouble()) != CodeFiles || shake(t, c, "a.local", at) != nil {
			t.Errorf("%s: %v", name, c.Trouble())
		}
	}
	must(t, os.Remove(cert))
	c.look(false)
	if codeOf(c.Trouble()) != CodeFiles || !c.Covers("a.local") {
		t.Errorf("gone: %v", c.Trouble())
	}
	// The new certificate is there, its key not yet.
	oldKey, _ := os.ReadFile(key)
	files(t, dir, "b.local", now().Add(-time.Hour), now().Add(30*24*time.Hour))
	newKey, _ := os.ReadFile(key)
	must(t, os.WriteFile(key, oldKey, 0o600))
	c.look(false)
	if codeOf(c.Trouble()) != CodePair || !c.Covers("a.local") {
		t.Errorf("half replaced: %v", c.Trouble())
	}
	must(t, os.WriteFile(key, newKey, 0o600))
	must(t, os.Chtimes(key, at, at.Add(time.Minute)))
	c.look(false)
	if err := shake(t, c, "b.local", at); err != nil || c.Trouble() != nil {
		t.Errorf("replaced: %v %v", err, c.Trouble())
	}
	at = now().Add(31 * 24 * time.Hour)
	if codeOf(c.Trouble()) != CodeExpired {
		t.Errorf("in the end: %v", c.Trouble())
	}
}

func TestFilesThatAreNotThereAtTheStart(t *testing.T) {
	dir := t.TempDir()
	c := open(t, "", Options{Mode: ModeFiles, CertFile: dir + "/cert.pem", KeyFile: dir + "/key.pem"})
	if codeOf(c.Trouble()) != CodeFiles || c.Names() != nil {
		t.Fatal(c.Trouble())
	}
	if _, err := c.TLSConfig().GetCertificate(nil); codeOf(err) != CodeFiles {
		t.Error(err)
	}
	files(t, dir, "a.local", now().Add(-time.Hour), now().Add(time.Hour))
	c.look(false)
	if err := shake(t, c, "a.local", now()); err != nil {
		t.Error(err)
	}
}

func TestWrongFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	cert, key := files(t, dir, "a.local", now().Add(-time.Hour), now().Add(time.Hour))
	locked := filepath.Join(dir, "locked.pem")
	must(t, os.WriteFile(locked, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600))
	for name, x := range map[string]struct{ cert, key, says string }{
		"swapped":    {key, cert, "holds no certificate"},
		"key twice":  {cert, cert, "holds no private key"},
		"passphrase": {cert, locked, "passphrase"},
		"a folder":   {dir, key, "no file"},
		"not there":  {cert, dir + "/none", "no such file"},
		"a device":   {"/dev/zero", key, "no file"},
		"somebody's": {"/etc/hostname", key, "holds no certificate"},
	} {
		c := open(t, "", Options{Mode: ModeFiles, CertFile: x.cert, KeyFile: x.key})
		if err := c.Trouble(); codeOf(err) != CodeFiles || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.Chmod(key, 0o644))
	if c := open(t, "", Options{Mode: ModeFiles, CertFile: cert, KeyFile: key}); codeOf(c.Status().Warning) != CodeKeyMode || c.Trouble() != nil {
		t.Errorf("a key for everybody: %+v", c.Status())
	}
}

// TestNoKeyInLogs: whatever goes wrong, nothing of a key is said.
func TestNoKeyInLogs(t *testing.T) {
	var said bytes.Buffer
	dir := t.TempDir()
	log := slog.New(slog.NewJSONHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	c := open(t, dir, Options{Names: list("localhost"), Log: log})
	text, _ := os.ReadFile(dir + "/" + caKeyFile)
	block, _ := pem.Decode(text)
	bad := bytes.Replace(text, []byte("\n"), []byte("\nAAAA"), 1)
	must(t, os.WriteFile(dir+"/"+caKeyFile, bad, 0o600))
	if err := c.Renew(); err == nil {
		t.Error("a damaged key is taken")
	} else {
		said.WriteString(err.Error())
	}
	for _, line := range strings.Split(string(text), "\n")[1:] {
		if len(line) > 8 && strings.Contains(said.String(), line[:8]) || strings.Contains(said.String(), string(block.Bytes[40:48])) {
			t.Errorf("%s", said.String())
		}
	}
	_, _ = io.Copy(io.Discard, &said)
}

func TestNames(t *testing.T) {
	got := Names("Elm Street 12!", "https://Porch.Example.org:8480/x")
	for _, want := range []string{"localhost", "127.0.0.1", "::1", "elm-street-12.local"} {
		if !slices.Contains(got, want) {
			t.Errorf("%v lacks %s", got, want)
		}
	}
	if got[0] != "porch.example.org" || len(got) > maxNames {
		t.Error(got)
	}
	for house, want := range map[string]string{"": "", "***": "", "Ünder": "nder", "a": "a", strings.Repeat("x", 200): strings.Repeat("x", 63), "-a--b-": "a-b"} {
		if got := slug(house); got != want {
			t.Errorf("%q: %q", house, got)
		}
	}
	for _, n := range Names("", "https://[fd00::1]:1/") {
		if n == "" || strings.ContainsAny(n, "/ []") {
			t.Errorf("%q", n)
		}
	}
}

// TestManyAtOnce is for the race detector.
func TestManyAtOnce(t *testing.T) {
	c := open(t, t.TempDir(), Options{Names: list("localhost")})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 5 {
				if err := c.Renew(); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 5 {
				if err := shake(t, c, "localhost", now()); err != nil {
					t.Error(err)
				}
				c.Status()
				c.Covers("localhost")
			}
		})
	}
	all.Wait()
}

// TestAVisitorAtANewAddress need not wait for the next look.
func TestAVisitorAtANewAddress(t *testing.T) {
	at, asked := now(), 0
	var names []string
	c := open(t, t.TempDir(), Options{Now: func() time.Time { return at }, Names: func() []string { asked++; return names }})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := &tls.ClientHelloInfo{Conn: conn}
	get := c.TLSConfig().GetCertificate
	for range 3 { // within the same second
		if cert, err := get(hello); err != nil || covers(cert.Leaf, "127.0.0.1") {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("looked %d times", asked)
	}
	names, at = []string{"127.0.0.1"}, at.Add(2*time.Second)
	if cert, err := get(hello); err != nil || !covers(cert.Leaf, "127.0.0.1") {
		t.Errorf("%v %v", cert.Leaf.IPAddresses, err)
	}
}
