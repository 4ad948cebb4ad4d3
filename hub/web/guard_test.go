package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/web"
)

// TestLoginIsNeededEverywhere walks every route that the API has; the pages are walked
// by the paths that they link.
func TestLoginIsNeededEverywhere(t *testing.T) {
	x := newFixture(t)
	stranger := x.browser()
	open := map[string]bool{"POST /api/v1/login": true, "POST /api/v1/setup": true}
	for _, pattern := range x.web.Patterns() {
		method, path, ok := strings.Cut(pattern, " ")
		if !ok {
			method, path = http.MethodGet, pattern+"nothing"
		}
		path = strings.NewReplacer("{id}", "front_door", "{name}", "demo", "{action}", "look", "{code}", "E-API-INVALID").Replace(path)
		res := stranger.do(method, path, "")
		if open[pattern] {
			if p := res.problem(t); p.ErrCode == "E-ACCESS-LOGIN" {
				t.Errorf("%s: a stranger cannot sign in: %d %s", pattern, res.code, res.body)
			}
			continue
		}
		if p := res.problem(t); res.code != http.StatusUnauthorized || p.ErrCode != "E-ACCESS-LOGIN" {
			t.Errorf("%s: a stranger got %d %s", pattern, res.code, res.body)
		}
	}
	for _, path := range []string{"/", "/events", "/events/x", "/plugins", "/plugins/demo", "/config", "/chimes", "/nothing", "/metricsx"} {
		res := stranger.do(http.MethodGet, path, "")
		if res.code != http.StatusSeeOther || !strings.HasPrefix(res.header.Get("Location"), "/login?next=%2F") {
			t.Errorf("GET %s: a stranger got %d %s", path, res.code, res.header.Get("Location"))
		}
		if res := stranger.do(http.MethodPost, path, "x=1"); res.code != http.StatusUnauthorized {
			t.Errorf("POST %s: a stranger got %d", path, res.code)
		}
	}
	for path, want := range map[string]int{"/login": 200, "/healthz": 200, "/readyz": 200, "/static/any/icon.svg": 200, "/metrics": 200, "/debug/pprof/": 303, "/api/v1/admin/setup-link": 401} {
		if res := stranger.do(http.MethodGet, path, ""); res.code != want {
			t.Errorf("GET %s: a stranger got %d, want %d", path, res.code, want)
		}
	}
	if res := x.owner().do(http.MethodPost, "/api/v1/admin/setup-link", "{}"); res.code != http.StatusNotFound {
		t.Errorf("the owner in a browser got %d from the admin route", res.code)
	}
}

func TestMetricsOfStrangersFromElsewhere(t *testing.T) {
	x := newFixture(t)
	for remote, want := range map[string]int{"127.0.0.1:5": 200, "[::1]:5": 200, "192.0.2.1:5": 401} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8480/metrics", nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		x.web.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", remote, w.Code, want)
		}
	}
	if res := x.browser().do(http.MethodGet, "/metrics", "", "X-Forwarded-For", "192.0.2.1"); res.code != http.StatusUnauthorized {
		t.Errorf("through a proxy: %d", res.code)
	}
}

func TestHostCheck(t *testing.T) {
	x := newFixture(t, func(d *web.Deps) { d.PublicURL = "https://porch.local:8480" })
	b := x.owner()
	for host, want := range map[string]int{
		"127.0.0.1:8480": 200, "localhost": 200, "LOCALHOST.:1": 200, "[::1]:8480": 200, "127.9.9.9": 200, "porch.local": 200, "porch.local:443": 200,
		"evil.example": 421, "127.0.0.1.evil.example": 421, "192.0.2.1:8480": 421, "porch.local.evil.example": 421, "localhost.evil": 421,
	} {
		res := b.do(http.MethodGet, "/healthz", "", "Host", host)
		if res.code != want {
			t.Errorf("Host %s: %d, want %d", host, res.code, want)
		}
		if want == http.StatusMisdirectedRequest && (!strings.Contains(res.body, "E-WEB-HOST") || !strings.Contains(res.body, "https://porch.local:8480")) {
			t.Errorf("Host %s: %s", host, res.body)
		}
	}
	page := b.do(http.MethodGet, "/", "", "Host", "evil.example", "Accept", "text/html")
	if page.code != http.StatusMisdirectedRequest || !strings.Contains(page.body, "does not answer to the name") || strings.Contains(page.body, "{") {
		t.Errorf("a person reads %s", page.body)
	}
}

func TestHostCheckOnEveryAddress(t *testing.T) {
	x := newFixture(t, func(d *web.Deps) { d.Listen, d.Insecure = "0.0.0.0:8480", true })
	b := x.browser()
	if res := b.do(http.MethodGet, "/healthz", "", "Host", "192.0.2.1:8480"); res.code != http.StatusMisdirectedRequest {
		t.Errorf("an address that the connection did not come in by: %d", res.code)
	}
	if res := b.do(http.MethodGet, "/healthz", "", "Host", "evil.example"); res.code != http.StatusMisdirectedRequest {
		t.Errorf("a name: %d", res.code)
	}
}

func TestHeaders(t *testing.T) {
	x := newFixture(t)
	stranger, owner := x.browser(), x.owner()
	for _, res := range []response{
		stranger.do(http.MethodGet, "/login", ""), stranger.do(http.MethodGet, "/", ""), stranger.do(http.MethodGet, "/static/any/icon.svg", ""),
		owner.do(http.MethodGet, "/", ""), owner.do(http.MethodGet, "/api/v1/cameras", ""), owner.do(http.MethodGet, "/api/v1/nothing", ""),
		owner.do(http.MethodGet, "/healthz", "", "Host", "evil.example"),
	} {
		h := res.header
		csp := h.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") || strings.Contains(csp, "http") {
			t.Errorf("policy %q", csp)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %q", name, h.Get(name))
			}
		}
		if h.Get("Permissions-Policy") == "" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("headers %v", h)
		}
	}
	if c := owner.do(http.MethodGet, "/api/v1/cameras", "").header.Get("Cache-Control"); c != "no-store" {
		t.Errorf("Cache-Control %q", c)
	}
}

func TestCookie(t *testing.T) {
	x := newFixture(t)
	token, _, err := x.access.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	res := x.browser().do(http.MethodPost, "/api/v1/setup", `{"token":"`+token+`"}`)
	c := res.header.Get("Set-Cookie")
	if res.code != http.StatusOK || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") || !strings.Contains(c, "Path=/") || strings.Contains(c, token) {
		t.Errorf("%d %s", res.code, c)
	}
}

func TestOtherSitesCannotAct(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	for name, header := range map[string][]string{
		"Sec-Fetch-Site cross-site": {"Sec-Fetch-Site", "cross-site"},
		"another port":              {"Sec-Fetch-Site", "same-site"},
		"Origin alone":              {"Origin", "https://evil.example"},
		"a sandboxed frame":         {"Origin", "null"},
	} {
		for _, path := range []string{"/api/v1/cameras/front_door/ring", "/api/v1/quiet", "/api/v1/logout", "/logout", "/login", "/api/v1/login"} {
			if res := b.do(http.MethodPost, path, "{}", header...); res.code != http.StatusForbidden || !strings.Contains(res.body, "E-WEB-CROSS-SITE") {
				t.Errorf("%s, POST %s: %d %s", name, path, res.code, res.body)
			}
		}
		if res := b.do(http.MethodDelete, "/api/v1/quiet", "", header...); res.code != http.StatusForbidden {
			t.Errorf("%s, DELETE: %d", name, res.code)
		}
	}
	if res := b.do(http.MethodPost, "/api/v1/cameras/front_door/ring", "{}", "Sec-Fetch-Site", "same-origin"); res.code != http.StatusAccepted {
		t.Errorf("our own page: %d %s", res.code, res.body)
	}
	if res := b.do(http.MethodGet, "/api/v1/ws?camera=front_door", "", "Origin", "http://127.0.0.1:3000"); res.code != http.StatusForbidden {
		t.Errorf("a WebSocket of another port: %d", res.code)
	}
	if res := b.do(http.MethodGet, "/api/v1/ws?camera=front_door&stream=sub", "", "Origin", x.http.URL); res.body != "stream sub" {
		t.Errorf("our own WebSocket: %d %s", res.code, res.body)
	}
}

func TestStrangersAreRateLimited(t *testing.T) {
	x := newFixture(t)
	stranger := x.browser()
	limited := false
	for range 1000 {
		if res := stranger.do(http.MethodGet, "/healthz", ""); res.code == http.StatusTooManyRequests {
			limited = res.header.Get("Retry-After") != "" && res.problem(t).ErrCode == "E-WEB-RATE"
			break
		}
	}
	if !limited {
		t.Error("a stranger may ask without end")
	}
	if res := x.ownerBySocket().do(http.MethodGet, "/api/v1/me", ""); res.code != http.StatusOK {
		t.Errorf("who is signed in suffers: %d", res.code)
	}
}

// ownerBySocket signs in past the strangers' limit, which counts the setup link too.
func (x *fixture) ownerBySocket() *browser {
	x.t.Helper()
	token, _, err := x.access.NewSetupToken(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8480/api/v1/setup", strings.NewReader(`{"token":"`+token+`"}`))
	r.Header.Set("Content-Type", "application/json")
	r.RemoteAddr = "127.0.0.2:5"
	w := httptest.NewRecorder()
	x.web.Handler().ServeHTTP(w, r)
	b := x.browser()
	req, err := http.NewRequestWithContext(x.t.Context(), http.MethodGet, x.http.URL, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	b.client.Jar.SetCookies(req.URL, w.Result().Cookies())
	return b
}

func TestPanicEndsOneRequest(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	res := b.do(http.MethodPost, "/api/v1/plugins/demo/actions/panic", "{}")
	if res.code != http.StatusInternalServerError || strings.Contains(res.body, "mistake") || res.problem(t).ErrCode != "E-API-INTERNAL" {
		t.Errorf("%d %s", res.code, res.body)
	}
	if res := b.do(http.MethodGet, "/api/v1/me", ""); res.code != http.StatusOK {
		t.Errorf("the next request: %d", res.code)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	res := b.do(http.MethodPost, "/api/v1/quiet", `{"for":"`+strings.Repeat("x", 100<<10)+`"}`)
	if p := res.problem(t); res.code != http.StatusRequestEntityTooLarge || p.ErrCode != "E-API-TOO-LARGE" {
		t.Errorf("%d %s", res.code, res.body)
	}
}

func TestSetupLink(t *testing.T) {
	x := newFixture(t)
	token, _, err := x.access.NewSetupToken(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	link := "/setup?token=" + token
	if got := x.web.SetupURL(token); got != "http://127.0.0.1:8480"+link {
		t.Errorf("link %s", got)
	}
	if res := x.browser().do(http.MethodGet, link, "", "Sec-Purpose", "prefetch"); res.code != http.StatusServiceUnavailable {
		t.Errorf("looking ahead: %d", res.code)
	}
	b := x.browser()
	if res := b.do(http.MethodGet, link, ""); res.code != http.StatusOK || strings.Contains(res.body, token) {
		t.Errorf("first: %d %s", res.code, res.body)
	}
	if res := b.do(http.MethodGet, "/api/v1/me", ""); !strings.Contains(res.body, `"role":"owner"`) {
		t.Errorf("me: %s", res.body)
	}
	if res := b.do(http.MethodGet, link, ""); res.code != http.StatusSeeOther || res.header.Get("Location") != "/" {
		t.Errorf("again, signed in: %d %s", res.code, res.header.Get("Location"))
	}
	if res := x.browser().do(http.MethodGet, link, ""); res.code != http.StatusSeeOther || res.header.Get("Location") != "/login?why=setup-link" {
		t.Errorf("somebody else: %d %s", res.code, res.header.Get("Location"))
	}
}

func TestCookieBehindHTTPSProxy(t *testing.T) {
	x := newFixture(t, func(d *web.Deps) { d.PublicURL = "https://porch.example" })
	for host, want := range map[string]bool{"porch.example": true, "127.0.0.1:8480": false} {
		token, _, err := x.access.NewSetupToken(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		res := x.browser().do(http.MethodPost, "/api/v1/setup", `{"token":"`+token+`"}`, "Host", host)
		if c := res.header.Get("Set-Cookie"); strings.Contains(c, "Secure") != want {
			t.Errorf("%s: %s", host, c)
		}
	}
	if got := x.web.SetupURL("x"); got != "https://porch.example/setup?token=x" {
		t.Errorf("link %s", got)
	}
	if _, err := web.New(web.Deps{PublicURL: "porch.example"}); err == nil {
		t.Error("a public_url without scheme is taken")
	}
}
