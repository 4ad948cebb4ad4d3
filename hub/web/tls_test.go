package web_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/certs"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// secure is a fixture that really listens, with TLS.
type secure struct {
	*fixture
	certs *certs.Certs
	addr  string
	stop  func()
}

func newSecure(t *testing.T, o certs.Options, change ...func(*web.Deps)) *secure {
	t.Helper()
	if o.Mode == "" {
		o.Mode = certs.ModeLocalCA
	}
	if o.Names == nil {
		o.Names = func() []string { return []string{"localhost", "127.0.0.1", "porch.local"} }
	}
	c, err := certs.Open(filepath.Join(t.TempDir(), "tls"), o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := web.Listen(t.Context(), "127.0.0.1:0", true)
	if err != nil {
		t.Fatal(err)
	}
	x := newFixture(t, append([]func(*web.Deps){func(d *web.Deps) { d.Certs, d.Listen = c, ln.Addr().String() }}, change...)...)
	ctx, cancel := context.WithCancel(t.Context())
	var serve sync.WaitGroup
	serve.Go(func() {
		if err := x.web.Serve(ctx, ln); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	s := &secure{fixture: x, certs: c, addr: ln.Addr().String(), stop: func() { cancel(); serve.Wait() }}
	t.Cleanup(s.stop)
	return s
}

// at is a browser that asks the hub at an address.
func (s *secure) at(url string) *browser {
	b := s.browser()
	b.fixture = &fixture{t: s.t, house: s.house, access: s.access, web: s.web, log: s.log, data: s.data, http: &httptest.Server{URL: url}}
	return b
}

// phone is a browser that trusts the hub's authority and speaks HTTP/2.
func (s *secure) phone() *browser {
	s.t.Helper()
	pool := x509.NewCertPool()
	if ca, ok := s.certs.CA(); ok {
		pool.AppendCertsFromPEM(ca.PEM)
	}
	b := s.at("https://" + s.addr)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	s.t.Cleanup(transport.CloseIdleConnections)
	b.client.Transport = transport
	return b
}

// clear is a browser without TLS.
func (s *secure) clear() *browser {
	return s.at("http://" + s.addr)
}

func TestOnePortForBoth(t *testing.T) {
	s := newSecure(t, certs.Options{})
	plain := s.clear()
	for path, want := range map[string]string{"/trust": "Get the certificate", "/healthz": "ok", "/readyz": "ready", "/trust/porchlight-ca.crt": "BEGIN CERTIFICATE"} {
		res := plain.do(http.MethodGet, path, "", "Accept", "text/html")
		if res.code != http.StatusOK || !strings.Contains(res.body, want) || res.header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s in clear: %d %s", path, res.code, res.body)
		}
	}
	for _, x := range [][2]string{{http.MethodGet, "/"}, {http.MethodGet, "/cameras/front_door?x=%2F"}, {http.MethodPost, "/api/v1/login"}, {http.MethodGet, "/trust/../api/v1/me"}, {http.MethodGet, "/metrics"}, {http.MethodPost, "/trust"}} {
		res := plain.do(x[0], x[1], "")
		if to := res.header.Get("Location"); res.code/100 != 3 && res.code != http.StatusMethodNotAllowed || to != "" && to != "https://"+s.addr+x[1] && to != "/api/v1/me" {
			t.Errorf("%s %s in clear: %d %s", x[0], x[1], res.code, to)
		}
	}
	if res := plain.do(http.MethodGet, "/", "", "Host", "evil.example"); res.code != http.StatusMisdirectedRequest {
		t.Errorf("another name: %d %s", res.code, res.header.Get("Location"))
	}
	if res := plain.do(http.MethodGet, "/x", "", "Host", "porch.local"); res.header.Get("Location") != "https://porch.local/x" {
		t.Errorf("a name of the certificate: %d %v", res.code, res.header)
	}

	b := s.phone()
	token, _, err := s.access.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := s.web.SetupURL(token); got != "https://"+s.addr+"/setup?token="+token {
		t.Errorf("link %s", got)
	}
	if got := s.web.TrustURL(); got != "http://"+s.addr+"/trust" {
		t.Errorf("trust %s", got)
	}
	res := b.do(http.MethodGet, "/setup?token="+token, "")
	if c := res.header.Get("Set-Cookie"); res.code != http.StatusOK || !strings.Contains(c, "; Secure") || !strings.Contains(c, "HttpOnly") {
		t.Errorf("setup: %d %q", res.code, c)
	}
	if h := res.header.Get("Strict-Transport-Security"); h != "" {
		t.Errorf("a certificate of our own, and yet %s", h)
	}
	if me := get[api.Me](b, "/api/v1/me"); me.Role != "owner" {
		t.Errorf("%+v", me)
	}
	var hook api.Hook // what rings may know no TLS
	if res := b.do(http.MethodGet, "/api/v1/cameras/front_door/hook", ""); json.Unmarshal([]byte(res.body), &hook) != nil || !strings.HasPrefix(hook.URL, "http://"+s.addr+"/hooks/") {
		t.Fatalf("hook: %d %s", res.code, res.body)
	}
	path := strings.TrimPrefix(hook.URL, "http://"+s.addr)
	for _, x := range []*browser{plain, b} {
		if res := x.do(http.MethodPost, path, ""); res.code != http.StatusAccepted {
			t.Errorf("hook at %s: %d %s", x.http.URL, res.code, res.body)
		}
	}
	if res := plain.do(http.MethodPost, "/hooks/wrong", ""); res.code != http.StatusNotFound {
		t.Errorf("a wrong hook in clear: %d", res.code)
	}
	r := b.stream("") // by HTTP/2
	r.next("hello")
	old := s.phone() // moving pictures take a connection over, as WebSockets do
	old.client.Jar = b.client.Jar
	old.client.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	over := old.watch()
	if res := b.do(http.MethodPost, "/api/v1/logout", ""); res.code != http.StatusNoContent {
		t.Errorf("logout: %d %s", res.code, res.body)
	}
	<-over
	r.next("bye")
	s.stop()
	if c, err := net.Dial("tcp", s.addr); err == nil {
		c.Close()
		t.Error("it still listens")
	}
}

func TestProtocols(t *testing.T) {
	s := newSecure(t, certs.Options{})
	ca, _ := s.certs.CA()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM)
	for _, x := range []struct {
		max  uint16
		next []string
		want string
		ok   bool
	}{
		{tls.VersionTLS13, []string{"h2", "http/1.1"}, "h2", true},
		{tls.VersionTLS12, []string{"http/1.1"}, "http/1.1", true}, // as WebSockets ask
		{tls.VersionTLS13, nil, "", true},
		{tls.VersionTLS11, nil, "", false},
	} {
		c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS10, MaxVersion: x.max, NextProtos: x.next, ServerName: "porch.local"})
		if (err == nil) != x.ok {
			t.Errorf("%x %v: %v", x.max, x.next, err)
		}
		if err == nil {
			if got := c.ConnectionState().NegotiatedProtocol; got != x.want {
				t.Errorf("%v: %q", x.next, got)
			}
			c.Close()
		}
	}
}

// TestRenewedWhileServing: an open stream goes on, and who comes anew has the new one.
func TestRenewedWhileServing(t *testing.T) {
	s := newSecure(t, certs.Options{})
	b := s.phone()
	serial := func() string {
		ca, _ := s.certs.CA()
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca.PEM)
		c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	token, _, err := s.access.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.do(http.MethodGet, "/setup?token="+token, "")
	r := b.stream("")
	r.next("hello")
	before := serial()
	if res := b.do(http.MethodPost, "/api/v1/tls/renew", ""); res.code != http.StatusOK || !strings.Contains(res.body, `"local-ca"`) {
		t.Fatalf("%d %s", res.code, res.body)
	}
	if serial() == before {
		t.Error("the old certificate is still served")
	}
	if _, err := s.house.Ring(t.Context(), "front_door", true); err != nil {
		t.Fatal(err)
	}
	r.next("event")
	st := get[api.TLS](b, "/api/v1/tls")
	if st.Authority == nil || len(st.Authority.SHA256) != 95 || st.Trust != "http://"+s.addr+"/trust" || len(st.Names) != 3 || st.Trouble != nil {
		t.Errorf("%+v", st)
	}
}

// TestAPasswordFirst: with a setup link from elsewhere one gets to the page that chooses
// a password, and nowhere else.
func TestAPasswordFirst(t *testing.T) {
	elsewhere := "192.0.2.9:40000"
	for name, c := range map[string]struct {
		insecure, password bool
		from               string
		held               bool
	}{
		"no password, elsewhere":    {false, false, elsewhere, true},
		"no password, this machine": {false, false, "127.0.0.1:40000", false},
		"no password, this one, v6": {false, false, "[::1]:40000", false},
		"a password, elsewhere":     {false, true, elsewhere, false},
		"the owner does not mind":   {true, false, elsewhere, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSecure(t, certs.Options{}, func(d *web.Deps) { d.Insecure = c.insecure })
			token, _, err := s.access.NewSetupToken(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			session, id, err := s.access.Claim(t.Context(), token, access.Remote{Address: "192.0.2.9"})
			if err != nil {
				t.Fatal(err)
			}
			if c.password {
				if err := s.access.SetPassword(t.Context(), id, "", "a porch light burns"); err != nil {
					t.Fatal(err)
				}
			}
			ask := func(method, path, accept string) *http.Response {
				r := httptest.NewRequestWithContext(t.Context(), method, "https://porch.local"+path, nil)
				r.RemoteAddr = c.from
				r.Header.Set("Accept", accept)
				r.AddCookie(&http.Cookie{Name: "porchlight_session", Value: session})
				w := httptest.NewRecorder()
				s.web.Handler().ServeHTTP(w, r)
				return w.Result()
			}
			for _, path := range []string{"/", "/cameras/front_door", "/config"} {
				res := ask(http.MethodGet, path, "text/html")
				if held := res.Header.Get("Location") == "/setup?why=first"; held != c.held {
					t.Errorf("%s: %s %s", path, res.Status, res.Header.Get("Location"))
				}
			}
			for _, path := range []string{"/api/v1/cameras", "/api/v1/cameras/front_door/snapshot.jpg", "/metrics"} {
				res := ask(http.MethodGet, path, "application/json")
				text, _ := io.ReadAll(res.Body)
				if held := res.StatusCode == http.StatusForbidden && strings.Contains(string(text), web.CodePassword); held != c.held {
					t.Errorf("%s: %s %s", path, res.Status, text)
				}
			}
			for _, path := range []string{"/setup", "/setup?why=first", "/trust", "/api/v1/me", "/healthz"} {
				if res := ask(http.MethodGet, path, "text/html"); res.StatusCode != http.StatusOK {
					t.Errorf("%s: %s", path, res.Status)
				}
			}
		})
	}
	// A program's token is a secret of its own.
	s := newSecure(t, certs.Options{})
	token, _ := s.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeView}})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://porch.local/api/v1/cameras", nil)
	r.RemoteAddr = elsewhere
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.web.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("a token: %d %s", w.Code, w.Body)
	}
}

func TestWithoutAGoodCertificate(t *testing.T) {
	dir := t.TempDir()
	s := newSecure(t, certs.Options{Mode: certs.ModeFiles, CertFile: dir + "/c.pem", KeyFile: dir + "/k.pem"})
	b := s.clear()
	if res := b.do(http.MethodGet, "/", "", "Accept", "text/html"); res.code != http.StatusServiceUnavailable || !strings.Contains(res.body, certs.CodeFiles) {
		t.Errorf("%d %s", res.code, res.body)
	}
	if res := b.do(http.MethodGet, "/trust", ""); res.code != http.StatusOK || !strings.Contains(res.body, "c.pem") {
		t.Errorf("%d %s", res.code, res.body)
	}
	if _, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true}); err == nil {
		t.Error("a handshake without a certificate")
	}
	// Another authority's certificate is as good as any.
	other, err := certs.Open(dir, certs.Options{Mode: certs.ModeLocalCA})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := os.ReadFile(filepath.Join(dir, "hub.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/c.pem", "/k.pem"} {
		if err := os.WriteFile(dir+name, pair, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.certs.Renew(); err != nil {
		t.Fatal(err)
	}
	ca, _ := other.CA()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca.PEM)
	c, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if s.web.TrustURL() != "" {
		t.Error("there is nothing of ours to trust")
	}
}

// TestTheSilentKeepNobodyOut: nor do they hold up the end.
func TestTheSilentKeepNobodyOut(t *testing.T) {
	s := newSecure(t, certs.Options{})
	for range 300 {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if res := s.clear().do(http.MethodGet, "/healthz", ""); res.code != http.StatusOK {
		t.Error(res.code)
	}
	s.stop()
}

// TestRubbish is what scanners send.
func TestRubbish(t *testing.T) {
	s := newSecure(t, certs.Options{})
	for _, text := range []string{"\x16", "\x16\x03\x01\x00\x05hello", "\x00\x00\x00", "SSH-2.0-x\r\n", "GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", strings.Repeat("A", 100<<10)} {
		c, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = c.Write([]byte(text))
		_ = c.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c)
		c.Close()
	}
	if res := s.clear().do(http.MethodGet, "/healthz", ""); res.code != http.StatusOK {
		t.Error(res.code)
	}
}
