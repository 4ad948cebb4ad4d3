package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// token makes one and gives its secret and id.
func (x *fixture) token(spec access.TokenSpec) (secret, id string) {
	x.t.Helper()
	spec.Name = "test"
	t, secret, err := x.access.NewToken(x.t.Context(), access.Identity{User: access.Owner, Role: access.RoleOwner, Via: access.ViaSession}, spec)
	if err != nil {
		x.t.Fatal(err)
	}
	return secret, t.ID
}

// bearing asks with a token and no cookies.
func (x *fixture) bearing(token, method, path, body string) response {
	x.t.Helper()
	return x.browser().do(method, path, body, "Authorization", "Bearer "+token)
}

// law is what each route asks of a token: its scope ("" any), whether a token for some
// cameras will do, and whether no token will.
type law struct {
	scope  access.Scope
	some   bool
	person bool
}

func laws() map[string]law {
	view, talk, control, config, admin := access.ScopeView, access.ScopeTalk, access.ScopeControl, access.ScopeConfig, access.ScopeAdmin
	return map[string]law{
		"GET /cameras":                          {view, true, false},
		"GET /cameras/{id}":                     {view, true, false},
		"GET /cameras/{id}/snapshot.jpg":        {view, true, false},
		"GET /cameras/{id}/stream.mjpeg":        {view, true, false},
		"GET /ws":                               {view, true, false},
		"GET /cameras/{id}/stream.mp4":          {view, true, false},
		"POST /cameras/{id}/whep":               {view, true, false},
		"PATCH /cameras/{id}/whep/{session}":    {view, true, false},
		"DELETE /cameras/{id}/whep/{session}":   {view, true, false},
		"GET /viewers":                          {view, false, false},
		"POST /cameras/{id}/talk":               {talk, true, false},
		"DELETE /cameras/{id}/talk/{talk}":      {talk, true, false},
		"GET /cameras/{id}/talk/{talk}/ws":      {talk, true, false},
		"GET /stream-passwords":                 {admin, false, false},
		"POST /stream-passwords":                {admin, false, true},
		"DELETE /stream-passwords/{id}":         {admin, false, false},
		"GET /events":                           {view, true, false},
		"GET /events/{id}":                      {view, true, false},
		"GET /events/{id}/trace":                {view, true, false},
		"GET /events/stream":                    {view, true, false},
		"POST /cameras/{id}/ring":               {control, true, false},
		"POST /cameras/{id}/test":               {control, true, false},
		"POST /cameras/{id}/retry":              {control, true, false},
		"GET /cameras/{id}/hook":                {admin, false, false},
		"POST /cameras/{id}/hook":               {admin, false, false},
		"GET /plugins":                          {view, false, false},
		"GET /plugins/{name}":                   {view, false, false},
		"POST /plugins/{name}/restart":          {admin, false, false},
		"GET /plugins/{name}/logs":              {admin, false, false},
		"POST /plugins/{name}/actions/{action}": {view, false, false}, // the action look is for view
		"GET /chimes":                           {view, false, false},
		"POST /chimes/{id}/test":                {control, false, false},
		"POST /chimes/{id}/mute":                {control, false, false},
		"POST /chimes/{id}/sounded":             {control, false, false},
		"GET /quiet":                            {view, false, false},
		"POST /quiet":                           {control, false, false},
		"DELETE /quiet":                         {control, false, false},
		"GET /config":                           {config, false, false},
		"GET /config/files":                     {config, false, false},
		"POST /config/validate":                 {config, false, false},
		"GET /health":                           {view, false, false},
		"POST /doctor":                          {admin, false, false},
		"GET /tls":                              {view, false, false},
		"POST /tls/renew":                       {admin, false, false},
		"GET /tokens":                           {admin, false, false},
		"POST /tokens":                          {admin, false, true},
		"DELETE /tokens/{id}":                   {admin, false, false},
		"GET /explain/{code}":                   {"", true, false},
		"GET /version":                          {"", true, false},
		"GET /me":                               {"", true, false},
		"GET /openapi.json":                     {"", true, false},
		"POST /logout":                          {"", true, true},
		"POST /me/password":                     {"", true, true},
	}
}

// example of each route's path and of a body that it takes.
func example(pattern string) (method, path, body string) {
	method, path, _ = strings.Cut(pattern, " ")
	id := "front_door"
	if strings.Contains(path, "/chimes/") {
		id = "browser"
	}
	path = strings.NewReplacer("{id}", id, "{name}", "demo", "{action}", "look", "{session}", "s", "{talk}", "t", "{code}", "E-API-INVALID").Replace(path)
	if path == "/ws" {
		path += "?camera=front_door"
	}
	bodies := map[string]string{
		"POST /chimes/{id}/mute": `{"muted":true}`, "POST /chimes/{id}/sounded": `{"event_id":"e"}`, "POST /quiet": `{"for":"1h"}`,
		"POST /config/validate": `{"yaml":""}`, "POST /tokens": `{"name":"x","scopes":["view"]}`, "POST /stream-passwords": `{"name":"x"}`, "POST /me/password": `{"password":"a porch light burns"}`,
	}
	return method, api.Prefix + path, bodies[pattern]
}

// TestScopesAndRoutes asks every route with a token of every scope, with one for another
// camera, and with those that are worth nothing.
func TestScopesAndRoutes(t *testing.T) {
	x := newFixture(t)
	x.house.setMore(api.Camera{ID: "garden", Name: "Garden", Kind: "camera", Plugin: "demo"})
	known := laws()
	tokens := map[access.Scope]string{}
	for _, s := range access.Scopes() {
		tokens[s], _ = x.token(access.TokenSpec{Scopes: []access.Scope{s}})
	}
	here, _ := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeView, access.ScopeControl}, Cameras: []string{"front_door"}})
	elsewhere, _ := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeView, access.ScopeControl}, Cameras: []string{"garden"}})
	old, _ := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeAdmin}, Expires: time.Now().Add(time.Hour)})
	gone, goneID := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeAdmin}})
	if res := x.bearing(gone, "GET", "/api/v1/cameras", ""); res.code != 200 {
		t.Fatalf("before it was revoked: %d %s", res.code, res.body)
	}
	if ok, err := x.access.RevokeToken(t.Context(), goneID); !ok || err != nil {
		t.Fatal(ok, err)
	}
	x.ahead.Store((time.Hour).Milliseconds())
	for _, pattern := range x.web.Patterns() {
		method, rest, ok := strings.Cut(pattern, " ")
		name := method + " " + strings.TrimPrefix(rest, api.Prefix)
		if !ok || name == "POST /login" || name == "POST /setup" {
			continue
		}
		l, ok := known[name]
		if !ok {
			t.Errorf("%s: no law for this route: say here which scope it needs", name)
			continue
		}
		delete(known, name)
		method, path, body := example(name)
		for scope, token := range tokens {
			want := ""
			switch {
			case l.person:
				want = "E-TOKEN-PERSON"
			case l.scope != "" && scope != l.scope && scope != access.ScopeAdmin:
				want = "E-TOKEN-SCOPE"
			}
			check(t, x, name, string(scope), token, method, path, body, want)
		}
		want := ""
		switch {
		case l.person:
			want = "E-TOKEN-PERSON"
		case l.scope == access.ScopeConfig || l.scope == access.ScopeAdmin || l.scope == access.ScopeTalk:
			want = "E-TOKEN-SCOPE"
		case !l.some:
			want = "E-TOKEN-CAMERAS"
		}
		check(t, x, name, "for this camera", here, method, path, body, want)
		if want == "" && strings.Contains(path, "front_door") {
			want = "E-API-NOT-FOUND"
		}
		check(t, x, name, "for another camera", elsewhere, method, path, body, want)
		check(t, x, name, "expired", old, method, path, body, "E-TOKEN-EXPIRED")
		check(t, x, name, "revoked", gone, method, path, body, "E-TOKEN-WRONG")
		check(t, x, name, "made up", "plt_"+strings.Repeat("x", 32), method, path, body, "E-TOKEN-WRONG")
	}
	for name := range known {
		t.Errorf("%s is in the law and not in the house", name)
	}
	if strings.Contains(x.log.String(), "plt_") {
		t.Error("a token is in the log")
	}
}

// check asks and compares the code of the refusal; want "" is none of access.
func check(t *testing.T, x *fixture, name, who, token, method, path, body, want string) {
	t.Helper()
	if strings.Contains(path, "/events/stream") && want == "" {
		return // it lasts; TestStreamOfATokenForOneCamera reads it
	}
	res := x.bearing(token, method, path, body)
	got := ""
	if res.code >= 400 {
		var p api.Problem
		if err := json.Unmarshal([]byte(res.body), &p); err != nil {
			t.Errorf("%s, %s: %d %s", name, who, res.code, res.body)
			return
		}
		got = p.ErrCode
	}
	refused := strings.HasPrefix(got, "E-TOKEN-") && got != "E-TOKEN-INVALID" || strings.HasPrefix(got, "E-ACCESS-")
	if want == "" && refused || want != "" && got != want {
		t.Errorf("%s, %s: %d %s, want %q", name, who, res.code, res.body, want)
	}
	status := map[string]int{"E-TOKEN-SCOPE": 403, "E-TOKEN-CAMERAS": 403, "E-TOKEN-PERSON": 403, "E-TOKEN-WRONG": 401, "E-TOKEN-EXPIRED": 401, "E-API-NOT-FOUND": 404}[want]
	if want != "" && res.code != status {
		t.Errorf("%s, %s: %d for %s", name, who, res.code, want)
	}
	if auth := res.header.Get("WWW-Authenticate"); (status == 401 || want == "E-TOKEN-SCOPE") != (auth != "") {
		t.Errorf("%s, %s: %d with WWW-Authenticate %q", name, who, res.code, auth)
	}
}

func TestTokensByAPI(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	for body, want := range map[string]string{
		`{"name":"","scopes":["view"]}`:                                           `"path":"body.name"`,
		`{"name":"x","scopes":[]}`:                                                `"path":"body.scopes"`,
		`{"name":"x","scopes":["look"]}`:                                          `"path":"body.scopes"`,
		`{"name":"x","scopes":["admin"],"cameras":["front_door"]}`:                `"path":"body.scopes"`,
		`{"name":"x","scopes":["view"],"expires":"2020-01-01T00:00:00Z"}`:         `"path":"body.expires"`,
		`{"name":"x","scopes":["view"],"cameras":["attic"]}`:                      `camera \"attic\" is not known`,
		`{"name":"x\nE","scopes":["view"]}`:                                       `"path":"body.name"`,
		`{"name":"x","scopes":["view"],"cameras":` + strings.Repeat("[", 9) + `}`: "E-API-INVALID",
	} {
		if res := b.do("POST", "/api/v1/tokens", body); res.code < 400 || !strings.Contains(res.body, want) {
			t.Errorf("%s: %d %s", body, res.code, res.body)
		}
	}
	res := b.do("POST", "/api/v1/tokens", `{"name":"kitchen tablet","scopes":["control","view","view"],"cameras":["front_door"]}`)
	var made api.Token
	if err := json.Unmarshal([]byte(res.body), &made); err != nil || res.code != http.StatusCreated || !strings.HasPrefix(made.Secret, "plt_") {
		t.Fatalf("%d %s", res.code, res.body)
	}
	me := x.bearing(made.Secret, "GET", "/api/v1/me", "")
	if want := `{"user":"owner","role":"member","has_password":false,"via":"token","token":"` + made.ID + `","scopes":["control","view"],"cameras":["front_door"]}`; strings.TrimSpace(me.body) != want {
		t.Errorf("me: %s, want %s", me.body, want)
	}
	res = b.do("GET", "/api/v1/tokens", "")
	if strings.Contains(res.body, made.Secret) || strings.Contains(res.body, "secret") || !strings.Contains(res.body, `"last_used":"`) {
		t.Errorf("list: %s", res.body)
	}
	if list := get[struct{ Tokens []api.Token }](b, "/api/v1/tokens").Tokens; len(list) != 1 || !slices.Equal(list[0].Scopes, []string{"control", "view"}) || !slices.Equal(list[0].Cameras, []string{"front_door"}) {
		t.Errorf("list: %+v", list)
	}
	for _, scheme := range []string{"bearer ", "BEARER ", "Bearer   "} {
		if res := x.browser().do("GET", "/api/v1/me", "", "Authorization", scheme+made.Secret); res.code != 200 {
			t.Errorf("%q: %d %s", scheme, res.code, res.body)
		}
	}
	// What a proxy says of itself is no token of ours; a token of ours goes before the cookie.
	if res := b.do("GET", "/api/v1/me", "", "Authorization", "Bearer ey.proxy"); res.code != 200 || !strings.Contains(res.body, `"via":"session"`) {
		t.Errorf("another's bearer: %d %s", res.code, res.body)
	}
	if res := b.do("GET", "/api/v1/me", "", "Authorization", "Bearer "+made.Secret); !strings.Contains(res.body, `"via":"token"`) {
		t.Errorf("token and cookie: %s", res.body)
	}
	if res := b.do("GET", "/api/v1/me", "", "Authorization", "Bearer plt_wrong"); res.code != 401 {
		t.Errorf("wrong token and cookie: %d", res.code)
	}
	if res := x.browser().do("GET", "/api/v1/me", "", "Authorization", "Bearer lt_half"); res.code != 401 || !strings.Contains(res.body, "E-TOKEN-WRONG") {
		t.Errorf("half a token: %d %s", res.code, res.body)
	}
	if res := b.do("DELETE", "/api/v1/tokens/"+made.ID, ""); res.code != 204 {
		t.Errorf("revoke: %d %s", res.code, res.body)
	}
	if res := x.bearing(made.Secret, "GET", "/api/v1/me", ""); res.code != 401 || !strings.Contains(res.body, "E-TOKEN-WRONG") {
		t.Errorf("revoked: %d %s", res.code, res.body)
	}
}

func TestPagesAreNotForTokens(t *testing.T) {
	x := newFixture(t)
	admin, _ := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeAdmin}})
	view, _ := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeView}})
	one, _ := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeView}, Cameras: []string{"front_door"}})
	for _, path := range []string{"/", "/config", "/plugins", "/cameras/front_door"} {
		if res := x.bearing(admin, "GET", path, ""); res.code != 403 || !strings.Contains(res.body, "E-TOKEN-PERSON") {
			t.Errorf("GET %s: %d %s", path, res.code, res.body)
		}
	}
	for token, want := range map[string]int{view: 200, one: 403, "plt_no": 200} { // who asks from this machine needs none
		if res := x.bearing(token, "GET", "/metrics", ""); res.code != want {
			t.Errorf("GET /metrics: %d, want %d", res.code, want)
		}
	}
}

// TestStreamOfATokenForOneCamera: it hears of that camera alone, live, of what it missed
// and of how things are, until it is revoked.
func TestStreamOfATokenForOneCamera(t *testing.T) {
	x := newFixture(t)
	x.house.setMore(api.Camera{ID: "garden", Name: "Garden", Kind: "camera", Plugin: "demo"})
	publish := func(camera string) string {
		t.Helper()
		e := event.New(event.TypeMotion, camera, event.Motion{Active: true})
		if _, err := x.house.bus.PublishWait(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		return e.ID
	}
	publish("front_door")
	publish("garden")
	missed := []string{publish("garden")}
	publish("front_door")
	missed = append(missed, publish("garden"))
	secret, id := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeView}, Cameras: []string{"garden"}})
	b := x.browser()
	b.client.Transport = withBearer{secret}
	r := b.stream("2")
	var hello api.Hello
	if m := r.next("hello"); json.Unmarshal([]byte(m.data), &hello) != nil || len(hello.Cameras) != 1 || hello.Cameras[0].ID != "garden" ||
		len(hello.Plugins)+len(hello.Chimes)+len(hello.Cards) != 0 || hello.Seq != 2 {
		t.Errorf("hello %+v", hello)
	}
	for _, want := range missed {
		if m := r.next("event"); !strings.Contains(m.data, want) || !strings.Contains(m.data, `"replay":true`) {
			t.Errorf("missed %s, want %s", m.data, want)
		}
	}
	publish("front_door")
	live := publish("garden")
	if m := r.next("event", "sound", "plugins", "chimes"); !strings.Contains(m.data, live) {
		t.Errorf("live: %s %s", m.kind, m.data)
	}
	list := get[api.EventList](b, "/api/v1/events?limit=2")
	if len(list.Events) != 2 || list.Next == "" || list.Events[0].ID != live {
		t.Errorf("page %+v", list)
	}
	list = get[api.EventList](b, "/api/v1/events?limit=10&cursor="+list.Next)
	if len(list.Events) != 2 || list.Next != "" || list.Events[0].ID != missed[0] {
		t.Errorf("next page %+v", list)
	}
	for _, path := range []string{"/events?camera=front_door", "/cameras/front_door", "/cameras/attic"} {
		res := b.do("GET", "/api/v1"+path, "")
		camera := path[strings.LastIndexAny(path, "=/")+1:]
		if want := fmt.Sprintf(`"detail":"camera \"%s\" is not known"`, camera); res.code != 404 || !strings.Contains(res.body, want) {
			t.Errorf("GET %s: %d %s", path, res.code, res.body)
		}
	}
	if ok, err := x.access.RevokeToken(t.Context(), id); !ok || err != nil {
		t.Fatal(ok, err)
	}
	x.web.Changed()
	if m := r.next("bye"); !strings.Contains(m.data, "session") {
		t.Errorf("bye %s", m.data)
	}
}

// TestStreamOfAViewer: who may not read the config is told no line of it.
func TestStreamOfAViewer(t *testing.T) {
	x := newFixture(t)
	x.house.state = api.ConfigState{File: "/etc/porchlight.yaml", Problems: []api.ConfigProblem{{Severity: "error", Code: "E-CFG-SYNTAX", Message: "not YAML", Excerpt: "3 | : :"}}}
	for scopes, want := range map[access.Scope]int{access.ScopeView: 0, access.ScopeAdmin: 1} {
		secret, _ := x.token(access.TokenSpec{Scopes: []access.Scope{scopes}})
		b := x.browser()
		b.client.Transport = withBearer{secret}
		var hello api.Hello
		if m := b.stream("").next("hello"); json.Unmarshal([]byte(m.data), &hello) != nil || hello.Config.Valid || len(hello.Config.Problems) != want || (hello.Config.File != "") != (want > 0) {
			t.Errorf("%s: %+v", scopes, hello.Config)
		}
	}
}

// withBearer puts a token into each request.
type withBearer struct{ token string }

func (w withBearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+w.token)
	return http.DefaultTransport.RoundTrip(r)
}

// TestCameraWithErrorsInTheConfig: whoever wrote a camera that is not there yet is told
// where it is wrong.
func TestCameraWithErrorsInTheConfig(t *testing.T) {
	x := newFixture(t)
	x.house.state = api.ConfigState{Problems: []api.ConfigProblem{
		{File: "porchlight.yaml", Line: 12, Column: 7, Severity: "error", Code: "E-CFG-UNKNOWN-KEY", Message: `unknown key "pasword"`, Path: "cameras.garden.source", Hint: "write password"},
		{File: "porchlight.yaml", Line: 20, Column: 7, Severity: "error", Code: "E-CFG-VALUE", Message: "other", Path: "cameras.garden_2.name"},
		{File: "porchlight.yaml", Line: 30, Column: 7, Severity: "warning", Code: "E-CFG-VALUE", Message: "other", Path: "cameras.garden.name"},
	}}
	res := x.owner().do("POST", "/api/v1/cameras/garden/test", "")
	p := res.problem(t)
	if res.code != 404 || len(p.Errors) != 1 || p.ErrHint == "" {
		t.Fatalf("%d %s", res.code, res.body)
	}
	if e := p.Errors[0]; e.File != "porchlight.yaml" || e.Line != 12 || e.Column != 7 || e.Path != "cameras.garden.source" || e.Hint != "write password" || e.Code != "E-CFG-UNKNOWN-KEY" {
		t.Errorf("%+v", e)
	}
	one, _ := x.token(access.TokenSpec{Scopes: []access.Scope{access.ScopeView}, Cameras: []string{"front_door"}})
	if res := x.bearing(one, "GET", "/api/v1/cameras/garden", ""); strings.Contains(res.body, "pasword") {
		t.Errorf("a token for another camera reads the config: %s", res.body)
	}
}
