package web_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

func TestRoutes(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	for _, c := range []struct {
		method, path, body string
		code               int
		want               string // in the answer
	}{
		{"GET", "/cameras", "", 200, `{"cameras":[{"id":"front_door","name":"Front door","kind":"doorbell"`},
		{"GET", "/cameras/front_door", "", 200, `"streams":["main"]`},
		{"GET", "/cameras/back_door", "", 404, `"code":"E-API-NOT-FOUND","detail":"camera \"back_door\" is not known"`},
		{"GET", "/cameras/front_door/snapshot.jpg", "", 200, "jpeg"},
		{"GET", "/cameras/back_door/snapshot.jpg", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/cameras/front_door/stream.mjpeg", "", 200, "frames"},
		{"GET", "/ws?camera=front_door", "", 200, "stream main"},
		{"GET", "/ws?camera=front_door&stream=../x", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/ws?camera=back_door", "", 404, "E-API-NOT-FOUND"},
		{"POST", "/cameras/front_door/ring", `{"test":true}`, 202, `"event_id":"`},
		{"POST", "/cameras/front_door/ring", "", 202, `"event_id":"`},
		{"POST", "/cameras/back_door/ring", "", 404, "E-API-NOT-FOUND"},
		{"POST", "/cameras/front_door/ring", `{"tset":true}`, 422, `"errors":[{"path":"body.tset"`},
		{"GET", "/events?since=yesterday", "", 422, `"path":"query.since"`},
		{"GET", "/events?cursor=x", "", 422, `"path":"query.cursor"`},
		{"GET", "/events?kind=press", "", 422, `"path":"query.kind"`},
		{"GET", "/events?limit=0", "", 422, "E-API-INVALID"},
		{"GET", "/events/no-id", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/events/0190a0a0-0000-7000-8000-000000000000/trace", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/plugins", "", 200, `{"plugins":[{"name":"demo"`},
		{"GET", "/plugins/demo", "", 200, `"restarts":2`},
		{"GET", "/plugins/omed", "", 404, "E-API-NOT-FOUND"},
		{"POST", "/plugins/demo/restart", "", 202, ""},
		{"POST", "/plugins/omed/restart", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/plugins/demo/logs", "", 200, `"text":"started"`},
		{"GET", "/plugins/demo/logs?lines=100000", "", 422, "E-API-INVALID"},
		{"POST", "/plugins/demo/actions/look", `{"a":[1,2]}`, 200, `{"got":{"a":[1,2]}}`},
		{"POST", "/plugins/demo/actions/look", "", 200, `{"got":{}}`},
		{"POST", "/plugins/demo/actions/look", `{"a":`, 400, "E-API-INVALID"},
		{"POST", "/plugins/demo/actions/fly", `{}`, 404, "E-API-NOT-FOUND"},
		{"GET", "/chimes", "", 200, `"quiet":{"on":false}`},
		{"POST", "/chimes/browser/test", "", 200, `{"played":false,"reason":"no page is open"}`},
		{"POST", "/chimes/browser/mute", `{"muted":true}`, 200, `"muted":true`},
		{"POST", "/chimes/attic/mute", `{"muted":true}`, 404, "E-API-NOT-FOUND"},
		{"POST", "/chimes/browser/sounded", `{"event_id":"e1","took_ms":12}`, 204, ""},
		{"POST", "/quiet", `{"for":"1h"}`, 200, `"on":true`},
		{"POST", "/quiet", `{"for":"25h"}`, 422, `"path":"body.for"`},
		{"POST", "/quiet", `{"for":"-1h"}`, 422, `"path":"body.for"`},
		{"GET", "/quiet", "", 200, `"on":true`},
		{"DELETE", "/quiet", "", 200, `"on":false`},
		{"GET", "/config", "", 200, `"yaml":"version: 1\n"`},
		{"POST", "/config/validate", `{"yaml":"pasword: x"}`, 422, `"errors":[{"message":"unknown key","file":"porchlight.yaml","line":3,"column":5,"severity":"error","code":"E-CFG-UNKNOWN-KEY"}]`},
		{"POST", "/config/validate", `{"yaml":""}`, 200, `{"problems":[]}`},
		{"GET", "/explain/E-API-INVALID", "", 200, `"title":"The request is not understood"`},
		{"GET", "/explain/E-NO-SUCH", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/me", "", 200, `{"user":"owner","role":"owner","has_password":false,"via":"session"}`},
		{"GET", "/version", "", 200, `"version":"test"`},
		{"POST", "/me/password", `{"password":"short"}`, 422, "E-ACCESS-WEAK"},
		{"GET", "/nothing", "", 404, "E-API-NOT-FOUND"},
		{"PUT", "/cameras", "", 405, "E-API-METHOD"},
		{"GET", "/docs", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/openapi.json", "", 200, `"openapi": "3.1.0"`},
		{"POST", "/cameras/front_door/test", "", 200, `{"camera":"front_door","ok":true,"checks":[],"sources":[]}`},
		{"POST", "/cameras/back_door/test", "", 404, "E-API-NOT-FOUND"},
		{"POST", "/cameras/front_door/retry", "", 202, ""},
		{"POST", "/cameras/back_door/retry", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/cameras/front_door/hook", "", 200, `"url":"http://127.0.0.1:8480/hooks/`},
		{"POST", "/cameras/front_door/hook", "", 200, `"url":"http://127.0.0.1:8480/hooks/`},
		{"GET", "/cameras/back_door/hook", "", 404, "E-API-NOT-FOUND"},
		{"GET", "/config/files", "", 200, `{"files":[{"name":"porchlight.yaml","path":"/etc/porchlight.yaml","main":true,"text":"version: 1\n"}]}`},
		{"POST", "/doctor?area=clock", "", 200, `{"ok":true,`},
		{"POST", "/doctor?area=moon", "", 422, `"path":"query.area"`},
		{"GET", "/health", "", 200, `{"cards":[],"checks":[],"cameras":[{"id":"front_door"`},
		{"POST", "/doctor", "", 200, `{"ok":false,`},
		{"GET", "/health", "", 200, `"checks":[{"area":"clock","state":"ok","what":"the clock is right"}`},
		{"GET", "/tokens", "", 200, `{"tokens":[]}`},
		{"DELETE", "/tokens/none", "", 404, "E-API-NOT-FOUND"},
	} {
		res := b.do(c.method, api.Prefix+c.path, c.body)
		if res.code != c.code || !strings.Contains(res.body, c.want) {
			t.Errorf("%s %s %s: %d %s\nwant %d with %s", c.method, c.path, c.body, res.code, res.body, c.code, c.want)
		}
		if c.code >= 400 && res.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: an error as %s", c.method, c.path, res.header.Get("Content-Type"))
		}
		if c.code == 405 && res.header.Get("Allow") != "GET" {
			t.Errorf("%s %s: Allow %s", c.method, c.path, res.header.Get("Allow"))
		}
		if strings.Contains(res.body, "$schema") || res.header.Get("Link") != "" {
			t.Errorf("%s %s links to a schema: %s", c.method, c.path, res.body)
		}
	}
	if got := strings.Join(x.house.sounded, "; "); got != "e1 browser 12ms" {
		t.Errorf("sounded: %s", got)
	}
	if got := strings.Join(x.house.tested, "; "); got != "test front_door; retry front_door" {
		t.Errorf("tested: %s", got)
	}
}

// codedError is one that a room made for people.
type codedError struct{}

func (codedError) Error() string { return "plugin demo: it is disabled in the config" }
func (codedError) Code() string  { return "E-PLUGIN-DISABLED" }
func (codedError) Hint() string  { return "Remove disabled: true." }

func TestRoomsErrors(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	x.house.fail = fmt.Errorf("supervisor: %w", codedError{})
	res := b.do("POST", "/api/v1/plugins/demo/restart", "")
	if p := res.problem(t); res.code != http.StatusConflict || p.ErrCode != "E-PLUGIN-DISABLED" || p.Detail != "plugin demo: it is disabled in the config" || p.ErrHint != "Remove disabled: true." {
		t.Errorf("with a code: %d %s", res.code, res.body)
	}
	x.house.fail = fmt.Errorf("open /home/owner/secret: denied")
	res = b.do("POST", "/api/v1/plugins/demo/restart", "")
	if p := res.problem(t); res.code != http.StatusInternalServerError || p.ErrCode != "E-API-INTERNAL" || strings.Contains(res.body, "secret") {
		t.Errorf("without a code: %d %s", res.code, res.body)
	}
}

func TestEventPages(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	var ids []string
	for range 5 {
		e := event.New(event.TypeMotion, "front_door", event.Motion{Active: true})
		ids = append(ids, e.ID)
		if _, err := x.house.bus.PublishWait(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	hop := event.New(event.TypeHop, "front_door", event.Hop{EventID: ids[0], Taker: "homekit", Outcome: "ok"})
	hop.Correlation = ids[0]
	if _, err := x.house.bus.PublishWait(t.Context(), hop); err != nil {
		t.Fatal(err)
	}
	var got []string
	path := "/api/v1/events?limit=2"
	for pages := 0; path != ""; pages++ {
		list := get[api.EventList](b, path)
		for _, e := range list.Events {
			got = append([]string{e.ID}, got...)
		}
		path = ""
		if list.Next != "" {
			path = "/api/v1/events?limit=2&cursor=" + list.Next
		}
		if pages > 5 {
			t.Fatal("the pages have no end")
		}
	}
	if strings.Join(got, " ") != strings.Join(ids, " ") {
		t.Errorf("pages give %v, want %v", got, ids)
	}
	if n := len(get[api.EventList](b, "/api/v1/events?kind=hop").Events); n != 1 {
		t.Errorf("%d hops", n)
	}
	if n := len(get[api.EventList](b, "/api/v1/events?kind=all").Events); n != 6 {
		t.Errorf("%d of all kinds", n)
	}
	if n := len(get[api.EventList](b, "/api/v1/events?camera=attic").Events); n != 0 {
		t.Errorf("%d in the attic", n)
	}
	if n := len(get[api.EventList](b, "/api/v1/events?since=1h").Events); n != 5 {
		t.Errorf("%d in the last hour", n)
	}
	if n := len(get[api.EventList](b, "/api/v1/events?until="+time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)).Events); n != 0 {
		t.Errorf("%d before the last hour", n)
	}
	e := get[api.Event](b, "/api/v1/events/"+ids[0])
	if e.Type != "motion" || e.Class != "normal" || string(e.Data) != `{"active":true}` || e.At().IsZero() {
		t.Errorf("event %+v", e)
	}
	tr := get[api.Trace](b, "/api/v1/events/"+ids[0]+"/trace")
	if len(tr.Hops) < 3 || tr.Hops[len(tr.Hops)-1].Who != "homekit" {
		t.Errorf("trace %+v", tr)
	}
}

func TestLoginByAPI(t *testing.T) {
	x := newFixture(t)
	b := x.owner()
	if res := b.do("POST", "/api/v1/me/password", `{"password":"a porch light burns"}`); res.code != 204 {
		t.Fatalf("choose: %d %s", res.code, res.body)
	}
	if res := b.do("POST", "/api/v1/me/password", `{"current":"no","password":"another sentence"}`); res.code != 401 || !strings.Contains(res.body, "E-ACCESS-WRONG") {
		t.Errorf("change with a wrong current one: %d %s", res.code, res.body)
	}
	if res := b.do("POST", "/api/v1/logout", ""); res.code != 204 {
		t.Errorf("logout: %d %s", res.code, res.body)
	}
	if res := b.do("GET", "/api/v1/me", ""); res.code != 401 {
		t.Errorf("after logout: %d", res.code)
	}
	if res := b.do("POST", "/api/v1/login", `{"password":"a porch light burns"}`); res.code != 200 || !strings.Contains(res.body, `"has_password":true`) {
		t.Errorf("login: %d %s", res.code, res.body)
	}
	if res := b.do("GET", "/api/v1/me", ""); res.code != 200 {
		t.Errorf("after login: %d", res.code)
	}
	other := x.browser()
	for i := range 5 {
		res := other.do("POST", "/api/v1/login", `{"user":"owner","password":"guess"}`)
		if res.code != 401 || strings.Contains(res.body, "guess") || res.header.Get("Set-Cookie") != "" {
			t.Errorf("guess %d: %d %s", i+1, res.code, res.body)
		}
	}
	res := other.do("POST", "/api/v1/login", `{"user":"owner","password":"a porch light burns"}`)
	if res.code != 429 || res.header.Get("Retry-After") == "" || res.problem(t).RetryAfter < 1 {
		t.Errorf("guess 6: %d %v %s", res.code, res.header, res.body)
	}
}

func TestSafeNext(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/": "/", "/events?kind=ring": "/events?kind=ring", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/",
		"/\t/evil.example": "/", "events": "/", "/" + strings.Repeat("x", 600): "/", "javascript:alert(1)": "/",
	} {
		if got := api.SafeNext(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

func TestMetrics(t *testing.T) {
	x := newFixture(t)
	x.house.state = api.ConfigState{Problems: []api.ConfigProblem{{Severity: "error", Code: "E-CFG-SYNTAX"}}}
	x.house.setMore(api.Camera{ID: "garden", Streams: []string{"sub"}, Sources: []api.Source{
		{Stream: "main", State: "waiting", Reconnects: 4}, {Stream: "sub", State: "live", LastFrameMS: 40, FPS: 15, BitrateKbps: 512, Readers: 2},
	}})
	res := x.owner().do("GET", "/metrics", "")
	for _, line := range []string{
		"porchlight_config_valid 0", `porchlight_config_problems{severity="error"} 1`, `porchlight_plugin_restarts_total{plugin="demo"} 2`,
		`porchlight_plugin_state{plugin="demo",state="running"} 1`, `porchlight_camera_online{camera="front_door"} 1`, "porchlight_quiet 0",
		`porchlight_stream_up{camera="garden",stream="main"} 0`, `porchlight_stream_up{camera="garden",stream="sub"} 1`,
		`porchlight_stream_last_frame_age_seconds{camera="garden",stream="sub"} 0.04`, `porchlight_stream_reconnects_total{camera="garden",stream="main"} 4`,
		`porchlight_stream_bits_per_second{camera="garden",stream="sub"} 512000`, `porchlight_stream_readers{camera="garden",stream="sub"} 2`,
		"porchlight_ring_to_chime_seconds_count 0", "porchlight_bus_published_total 0", "go_goroutines",
	} {
		if !strings.Contains(res.body, line) {
			t.Errorf("no %s in %.300s", line, res.body)
		}
	}
}

func TestReady(t *testing.T) {
	x := newFixture(t)
	b := x.browser()
	if res := b.do("GET", "/readyz", ""); res.code != 200 || res.body != "ready\n" {
		t.Errorf("ready: %d %s", res.code, res.body)
	}
	x.house.notYet = fmt.Errorf("plugin frontgate has not started")
	if res := b.do("GET", "/readyz", ""); res.code != 503 || strings.Contains(res.body, "frontgate") {
		t.Errorf("not ready: %d %s", res.code, res.body)
	}
}
