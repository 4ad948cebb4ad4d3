package pages

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/static"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// scene is one page in one state of the house.
type scene struct {
	name   string
	house  *house
	who    *access.Identity
	path   string
	status int
	has    []string // what a person must find in it
	not    []string
}

func emptyHouse() *house {
	return &house{now: noon(), state: api.ConfigState{Valid: true, File: "/home/elm/porchlight.yaml", Loaded: noon()}}
}

func brokenHouse() *house {
	h := demoHouse()
	h.broken = errors.New("disk said something that is not for people")
	return h
}

func warnedHouse() *house {
	h := troubledHouse()
	h.state.Problems = h.state.Problems[3:]
	h.state.Valid = true
	h.cameras, h.plugins, h.quiet = h.cameras[1:2], h.plugins[:2], api.Quiet{}
	h.trace.Hops = h.trace.Hops[:4]
	return h
}

// buttonHouse has one bare button and nothing else.
func buttonHouse() *house {
	h := manyHouse()
	h.cameras = h.cameras[6:]
	h.state.Problems = nil
	return h
}

func withPassword() *access.Identity {
	who := owner()
	who.HasPassword = true
	return who
}

// noRTSP is a house whose re-stream does not listen.
func noRTSP(h *house) *house {
	h.rtsp = api.NewProblem(http.StatusServiceUnavailable, "E-TEST-PORT", "port 8554 is taken", "Free it.")
	return h
}

const ringID = "/events/019ab000-0000-7000-8000-000000000001"

func scenes() []scene {
	return append(appleScenes(), []scene{
		{name: "home", house: demoHouse(), path: "/", has: []string{"Ring the doorbell", "Quiet 1 h", "Snapshot", "First steps", "Choose a password", "11:57"}},
		{name: "home-password", house: demoHouse(), who: withPassword(), path: "/", has: []string{"Change the password"}},
		{name: "home-troubled", house: troubledHouse(), path: "/", has: []string{"porchlight.yaml:8:7", "Did you mean \u201cpassword\u201d?", "Quiet until 13:00", "Front door is offline", "Plugin frontgate stopped", "Last seen"}, not: []string{"First steps"}},
		{name: "home-empty", house: emptyHouse(), path: "/", has: []string{"No camera yet", "A quiet day so far", "Nothing sounds"}, not: []string{"the bell above"}},
		{name: "home-broken", house: brokenHouse(), path: "/", has: []string{"E-API-INTERNAL"}, not: []string{"not for people"}},
		{name: "home-other", house: troubledHouse(), path: "/?camera=garden", has: []string{`data-camera="garden"`}},
		{name: "home-many", house: manyHouse(), path: "/", has: []string{`data-play="main sub"`, "One large", `data-rotate="90" data-shape="3-4"`, "Gate refuses the password", "data-hold"}},
		{name: "home-grid", house: manyHouse(), path: "/?view=grid", has: []string{`data-play="sub main"`, "mosaic-even", "Show Front door large"}, not: []string{"player-large"}},
		{name: "home-button", house: buttonHouse(), path: "/", has: []string{"A button without a picture", "Ring it"}, not: []string{"data-player", "One large"}},
		{name: "home-stage", house: manyHouse(), path: "/?camera=drive&part=stage", has: []string{`player-large" data-player data-camera="drive"`}, not: []string{"<html"}},
		{name: "camera", house: manyHouse(), path: "/cameras/front_door", has: []string{"H.264, 1280\u00a0×\u00a0720", "2.1 Mb/s", "every 2.0 s", "41 ms ago", "curl -X POST http://example.com/hooks/front_door-", "porchlight.yaml:6", "Nobody looks at it", "password: ******", "Test this camera",
			"rtsp://example.com:8554/front_door/main", "VLC in the hall", "may talk", "stream.mp4", "It may speak to the door"}, not: []string{"Try now", "rotate: 90", "<h4>recorder", "hub.rtsp.lan"}},
		{name: "camera-alone", house: noRTSP(demoHouse()), path: "/cameras/demo_porch", has: []string{"Not by RTSP", "Port 8554 is taken", "E-TEST-PORT", "stream.mjpeg"}, not: []string{"Stream passwords"}},
		{name: "camera-heavy", house: manyHouse(), path: "/cameras/garden", has: []string{"H.265, 3840\u00a0×\u00a02160", "Not every browser plays H.265", "conf.d/garden.yaml:2", "I-frame interval", "Nothing has happened here yet", "nothing from before a ring is kept"}},
		{name: "camera-waiting", house: manyHouse(), path: "/cameras/cellar", has: []string{"The camera cannot be reached.", "Dial: no route to host.", "check that the camera has power", "Next try in 14 s", "E-RTSP-UNREACHABLE", "Try now"}},
		{name: "camera-locked", house: manyHouse(), path: "/cameras/gate", has: []string{"Password refused", "Correct <code>password:</code> in the config", "Next try in 4 min"}},
		{name: "camera-battery", house: manyHouse(), path: "/cameras/shed", has: []string{"runs on a battery", "data-hold"}},
		{name: "camera-button", house: manyHouse(), path: "/cameras/side_bell", has: []string{"Ring it", "curl -X POST", "Not used yet", "porchlight.yaml:15"}, not: []string{"data-player", "Snapshot", "Test this camera"}},
		{name: "camera-member", house: manyHouse(), who: &access.Identity{User: "anna", Role: access.RoleMember}, path: "/cameras/side_bell", not: []string{"curl", "/hooks/"}},
		{name: "camera-looker", house: manyHouse(), who: &access.Identity{User: "anna", Role: access.RoleMember}, path: "/cameras/drive", has: []string{"rtsp://example.com:8554/drive/main", "The owner of the house makes stream passwords"}, not: []string{"<h4>recorder"}},
		{name: "camera-broken", house: brokenHouse(), path: "/cameras/demo_porch", has: []string{"E-API-INTERNAL", "Nothing is known of its streams"}, not: []string{"not for people"}},
		{name: "camera-unknown", house: demoHouse(), path: "/cameras/nobody", status: 404, has: []string{"E-WEB-NOT-FOUND"}},
		{name: "health", house: manyHouse(), path: "/health", has: []string{"Gate refuses the password", "Correct <code>password:</code>", "Cellar has no picture", "8.2 Mb/s", "A button: no picture", "Look at everything", "19 MB"}},
		{name: "health-good", house: demoHouse(), path: "/health", has: []string{"Nothing to mend"}},
		{name: "health-troubled", house: troubledHouse(), path: "/health", has: []string{"porchlight.yaml:8:7", "Plugin frontgate stopped"}},
		{name: "health-empty", house: emptyHouse(), path: "/health", has: []string{"No camera is configured", "No plugin runs"}},
		{name: "home-part", house: demoHouse(), path: "/?part=today", has: []string{"Ring"}, not: []string{"<html", "First steps"}},
		{name: "events", house: demoHouse(), path: "/events", has: []string{"Today", "Yesterday", "Parcel", "Offline"}},
		{name: "events-narrow", house: demoHouse(), path: "/events?kind=ring&camera=demo_porch", has: []string{"Ring"}, not: []string{">Parcel<"}},
		{name: "events-none", house: demoHouse(), path: "/events?camera=nobody", has: []string{"Nothing like that"}},
		{name: "events-empty", house: emptyHouse(), path: "/events", has: []string{"Nothing has happened yet"}},
		{name: "events-end", house: demoHouse(), path: "/events?before=1", has: []string{"That was the first"}},
		{name: "events-broken", house: brokenHouse(), path: "/events", has: []string{"E-API-INTERNAL"}},
		{name: "event", house: demoHouse(), path: ringID, has: []string{"Ring trace", "The house rang", "chime hallway", "took 38 ms", "click Turn on sound"}},
		{name: "event-pending", house: warnedHouse(), path: ringID, has: []string{"No chime has told yet"}},
		{name: "event-unknown", house: demoHouse(), path: "/events/nothing", status: 404, has: []string{"E-API-NOT-FOUND"}},
		{name: "plugins", house: demoHouse(), path: "/plugins", has: []string{"Running", "It has no network.", "It may use the sound card.", "It tells of rings and motion."}},
		{name: "plugins-troubled", house: troubledHouse(), path: "/plugins", has: []string{"Stopped, because it crashed 5 times", "Try again", "Blocked", "next try in 5 s", "<code>porchlight secrets set ntfy</code>", "Unknown", "(port 80 and 554), \u201ctalk to the cameras you configure\u201d.", "It talks to the internet.", "everything about cameras"}},
		{name: "plugins-empty", house: emptyHouse(), path: "/plugins", has: []string{"No plugin runs"}},
		{name: "plugin", house: demoHouse(), path: "/plugins/demo", has: []string{"the porch is open", "org.porchlight.demo"}},
		{name: "plugin-unknown", house: demoHouse(), path: "/plugins/nobody", status: 404, has: []string{"E-WEB-NOT-FOUND"}},
		{name: "config-demo", house: demoHouse(), path: "/config", has: []string{"there is no config file", "demo_porch"}},
		{name: "config-bad", house: troubledHouse(), path: "/config", has: []string{"3 errors in porchlight.yaml", "pasword: ******", "Did you mean <code>password</code>?", "goes on with the config of 09:00"}},
		{name: "config-bad-two", house: twoBadFiles(), path: "/config", has: []string{"4 errors in 2 files"}, not: []string{"errors in porchlight.yaml"}},
		{name: "config-warned", house: warnedHouse(), path: "/config", has: []string{"is in force, with 1 warning"}},
		{name: "config-many", house: manyHouse(), path: "/config", has: []string{"What the last save changed", "camera garden", "4 others ran on untouched", `href="#f2-6"`, `id="f2-6" class="line-warn"`, "conf.d/garden.yaml:6:5", "/home/elm/conf.d/garden.yaml"}},
		{name: "config-good", house: emptyHouse(), path: "/config", has: []string{"porchlight.yaml is in force"}},
		{name: "apidocs", house: demoHouse(), path: "/api/docs", has: []string{"/api/v1/openapi.json", "data-openapi"}},
		{name: "tokens", house: manyHouse(), path: "/tokens", has: []string{"kitchen tablet", "Front door, gone", "expired", "Never used", "Tokens for programs"}},
		{name: "tokens-none", house: demoHouse(), path: "/tokens", has: []string{"No program has a token"}, not: []string{"Only for these cameras"}},
		{name: "tokens-member", house: manyHouse(), who: &access.Identity{User: "anna", Role: access.RoleMember}, path: "/tokens", status: 403, not: []string{"kitchen tablet", "Tokens for programs"}},
		{name: "explain", house: demoHouse(), path: "/explain/E-CFG-UNKNOWN-KEY", has: []string{"How to mend it"}},
		{name: "explain-unknown", house: demoHouse(), path: "/explain/E-NO", status: 404},
		{name: "setup", house: demoHouse(), path: "/setup", has: []string{"Choose a password", "Not now"}},
		{name: "setup-first", house: demoHouse(), path: "/setup?why=first", has: []string{"Other machines can reach this hub"}, not: []string{"Not now", "later"}},
		{name: "setup-change", house: demoHouse(), who: withPassword(), path: "/setup", has: []string{"Password until now"}},
		{name: "login", house: demoHouse(), who: &access.Identity{}, path: "/login?next=/events", has: []string{`value="/events"`, "porchlight setup-link"}, not: []string{"main.js"}},
		{name: "login-link", house: demoHouse(), who: &access.Identity{}, path: "/login?why=setup-link", has: []string{"used already or is older than 30 minutes"}},
		{name: "oops", house: demoHouse(), path: "/nowhere", status: 404, has: []string{"Nobody lives here", "E-WEB-NOT-FOUND"}},
	}...)
}

// person of a scene; the zero identity stands for nobody.
func (s scene) person() *access.Identity {
	switch {
	case s.who == nil:
		return owner()
	case s.who.User == "":
		return nil
	}
	return s.who
}

func TestEveryPageInEveryState(t *testing.T) {
	for _, s := range scenes() {
		t.Run(s.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			serveAs(s.house, s.person()).ServeHTTP(w, httptest.NewRequest("GET", s.path, nil))
			body := w.Body.String()
			if want := max(s.status, 200); w.Code != want && s.status != 0 || w.Code != 200 && s.status == 0 {
				t.Fatalf("status %d, want %d\n%s", w.Code, want, body)
			}
			for _, text := range s.has {
				if !strings.Contains(body, text) {
					t.Errorf("lacks %q", text)
				}
			}
			for _, text := range s.not {
				if strings.Contains(body, text) {
					t.Errorf("has %q", text)
				}
			}
			lawful(t, body)
			golden(t, s.name, body)
		})
	}
}

// lawful checks what the policy and the house ask of every page.
func lawful(t *testing.T, body string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	assets := static.New()
	ids := map[string]bool{}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Data == "style" || n.Data == "script" && n.FirstChild != nil {
			t.Errorf("inline %s", n.Data)
		}
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("<%s %s=%q>: the policy forbids it", n.Data, a.Key, a.Val)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("id %q twice", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case slices.Contains([]string{"href", "src", "action"}, a.Key):
				u, err := url.Parse(a.Val)
				if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(a.Val, "/") && !strings.HasPrefix(a.Val, "#") {
					t.Errorf("<%s %s=%q> leads out of the house", n.Data, a.Key, a.Val)
					continue
				}
				if !strings.HasPrefix(u.Path, static.Prefix) {
					continue
				}
				w := httptest.NewRecorder()
				assets.ServeHTTP(w, httptest.NewRequest("GET", u.Path, nil))
				if w.Code != 200 {
					t.Errorf("%s: %d", a.Val, w.Code)
				}
				if u.Fragment != "" && !strings.Contains(w.Body.String(), `id="`+u.Fragment+`"`) {
					t.Errorf("%s: no such icon", a.Val)
				}
			}
		}
	}
}

func golden(t *testing.T, name, body string) {
	t.Helper()
	body = regexp.MustCompile(`/static/[0-9a-f]{12}/`).ReplaceAllString(body, "/static/STAMP/")
	file := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if body != string(want) {
		t.Errorf("differs from %s; run with -update and look at the difference", file)
	}
}

// post sends a form as the person does without script.
func post(h *house, who *access.Identity, path string, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	serveAs(h, who).ServeHTTP(w, r)
	return w
}

func TestButtonsWorkWithoutScript(t *testing.T) {
	for path, c := range map[string]struct {
		form url.Values
		did  string
	}{
		"/cameras/demo_porch/ring":              {nil, "ring demo_porch"},
		"/quiet":                                {nil, "quiet true"},
		"/quiet?":                               {url.Values{"end": {"yes"}}, "quiet false"},
		"/chimes/hallway/test":                  {nil, "test hallway"},
		"/chimes/hallway/mute":                  {url.Values{"muted": {"true"}}, "mute hallway true"},
		"/plugins/demo/restart":                 {url.Values{"next": {"/plugins"}}, "restart demo"},
		"/cameras/demo_porch/retry":             {url.Values{"next": {"/cameras/demo_porch"}}, "retry demo_porch"},
		"/cameras/demo_porch/streams/s1/revoke": {url.Values{"next": {"/cameras/demo_porch"}}, "revoke stream s1 end s1"},
		"/cameras/demo_porch/hook":              {url.Values{"next": {"/cameras/demo_porch"}}, "renew demo_porch"},
	} {
		h := demoHouse()
		w := post(h, owner(), path, c.form)
		if want := max(c.form.Get("next"), "/"); w.Code != http.StatusSeeOther || w.Header().Get("Location") != want {
			t.Errorf("%s: %d to %q", path, w.Code, w.Header().Get("Location"))
		}
		if strings.Join(h.did, " ") != c.did {
			t.Errorf("%s: did %q, want %q", path, h.did, c.did)
		}
		// Nobody, and a person whose role is too small, change nothing.
		for _, who := range []*access.Identity{nil, {User: "guest", Role: access.RoleGuest}} {
			h := demoHouse()
			if w := post(h, who, path, c.form); w.Code < 400 || len(h.did) > 0 {
				t.Errorf("%s as %v: %d, did %q", path, who, w.Code, h.did)
			}
		}
	}
}

func TestATokenIsShownOnce(t *testing.T) {
	h := manyHouse()
	w := post(h, owner(), "/tokens", url.Values{"name": {"tablet"}, "scope": {"view", "talk"}, "camera": {"drive", "nobody"}, "days": {"30"}})
	if w.Code != 201 || !strings.Contains(w.Body.String(), "plt_shown-this-once") || !slices.Equal(h.did, []string{"token tablet [view talk] [drive] false"}) {
		t.Errorf("%d, did %q\n%s", w.Code, h.did, w.Body)
	}
	lawful(t, w.Body.String())
	w = post(h, owner(), "/tokens", url.Values{"name": {""}, "scope": {"talk"}})
	if w.Code < 400 || !strings.Contains(w.Body.String(), "E-TOKEN-INVALID") || !strings.Contains(w.Body.String(), `value="talk" checked`) {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
	h = manyHouse()
	if w := post(h, owner(), "/tokens/a1/revoke", nil); w.Code != 303 || !slices.Equal(h.did, []string{"revoke a1"}) {
		t.Errorf("%d, did %q", w.Code, h.did)
	}
	for _, path := range []string{"/tokens", "/tokens/a1/revoke"} {
		h := manyHouse()
		if w := post(h, &access.Identity{User: "anna", Role: access.RoleMember}, path, url.Values{"name": {"x"}, "scope": {"admin"}}); w.Code != 403 || len(h.did) > 0 {
			t.Errorf("%s as a member: %d, did %q", path, w.Code, h.did)
		}
	}
}

// What is found by looking afresh stands in the page that the button was on, or in its
// part alone where the script asks for that.
func TestLookingAfresh(t *testing.T) {
	for path, want := range map[string][2]string{
		"/cameras/front_door/test":             {"look front_door", "set the I-frame interval to 2 s"},
		"/cameras/front_door/test?part=report": {"look front_door", "It works, with 1 warning"},
		"/health":                              {"doctor", "1 thing to mend, 1 warning"},
		"/health?part=report":                  {"doctor", "<code>sudo apt install ffmpeg</code>"},
	} {
		h := manyHouse()
		w := post(h, owner(), path, nil)
		if w.Code != 200 || !strings.Contains(w.Body.String(), want[1]) || !slices.Equal(h.did, []string{want[0]}) {
			t.Errorf("%s: %d, did %q, lacks %q\n%s", path, w.Code, h.did, want[1], w.Body)
		}
		if whole := strings.Contains(w.Body.String(), "<html"); w.Code == 200 && whole == strings.Contains(path, "?") {
			t.Errorf("%s: whole page %t", path, whole)
		}
		lawful(t, w.Body.String())
		h = manyHouse()
		if w := post(h, &access.Identity{User: "guest", Role: access.RoleGuest}, path, nil); w.Code != 403 || len(h.did) > 0 {
			t.Errorf("%s as a guest: %d, did %q", path, w.Code, h.did)
		}
	}
}

func TestWhereACameraStandsInTheConfig(t *testing.T) {
	for _, c := range []struct {
		text        string
		first, last int
	}{
		{"cameras:\n  a:\n    name: A\n  b: {}\n", 2, 3},
		{"cameras:\n\n  b:\n    x: 1\n\n  # about a\n  a: {name: A}\nhub:\n", 7, 7},
		{"cameras:\n  a:\n    # why\n\n    name: A\n\n\nchimes:\n  a: {}\n", 2, 5},
		{"chimes:\n  a: {}\ncameras:\n  'a' : {name: A}\n", 4, 4},
		{"cameras: {a: {name: A}}\n", 1, 1},
		{"cameras:\n  b:\n    a: 1\n", 0, 0}, // a key of another camera
		{"cameras:\n  b:\n    a: 1\n  a:\n    b: 1\n", 4, 5},
		{"hub:\n  a: 1\n", 0, 0},
		{"cameras:\n  ab: {}\n", 0, 0},
		{"", 0, 0},
	} {
		if first, last := entry(c.text, "cameras", "a"); first != c.first || last != c.last {
			t.Errorf("%q: %d to %d, want %d to %d", c.text, first, last, c.first, c.last)
		}
	}
}

func TestARoomsErrorIsToldWithItsCode(t *testing.T) {
	w := post(troubledHouse(), owner(), "/plugins/gate/restart", nil)
	if w.Code != 500 || !strings.Contains(w.Body.String(), "E-API-INTERNAL") || strings.Contains(w.Body.String(), "not for the page") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
}

func TestSignIn(t *testing.T) {
	w := post(demoHouse(), nil, "/login", url.Values{"password": {"wrong"}, "next": {"/events"}})
	if w.Code != 401 || !strings.Contains(w.Body.String(), "E-ACCESS-WRONG") || !strings.Contains(w.Body.String(), `value="/events"`) || strings.Contains(w.Body.String(), "wrong\"") {
		t.Errorf("wrong password: %d\n%s", w.Code, w.Body)
	}
	w = post(demoHouse(), nil, "/login", url.Values{"password": {"porch and lamp"}, "next": {"/events"}})
	if w.Code != 303 || w.Header().Get("Location") != "/events" {
		t.Errorf("right password: %d to %q", w.Code, w.Header().Get("Location"))
	}
	w = post(demoHouse(), nil, "/login", url.Values{"password": {"porch and lamp"}, "next": {"//elsewhere.example"}})
	if w.Header().Get("Location") != "/" {
		t.Errorf("led out of the house: %q", w.Header().Get("Location"))
	}
	if w = post(demoHouse(), owner(), "/setup", url.Values{"password": {"short"}}); w.Code != 422 || !strings.Contains(w.Body.String(), "E-ACCESS-WEAK") {
		t.Errorf("weak password: %d", w.Code)
	}
	if w = post(demoHouse(), owner(), "/setup", url.Values{"password": {"porch and lamp"}}); w.Code != 303 {
		t.Errorf("new password: %d", w.Code)
	}
	if w = post(demoHouse(), owner(), "/logout", nil); w.Header().Get("Location") != "/login" {
		t.Errorf("sign out: %d", w.Code)
	}
}

// A first visit costs little: the page, its style, its script and its icons.
func TestTheFirstPageIsLight(t *testing.T) {
	const budget = 150 << 10
	w := httptest.NewRecorder()
	serveAs(demoHouse(), owner()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	sum := w.Body.Len()
	assets := static.New()
	for _, name := range assets.Names() {
		sum += assets.Zipped(name)
	}
	t.Logf("%d bytes, at most %d", sum, budget)
	if sum > budget {
		t.Errorf("%d bytes, at most %d", sum, budget)
	}
}

func TestNoGoldenPageIsLeftOver(t *testing.T) {
	names, err := filepath.Glob("testdata/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(scenes(), func(s scene) bool { return filepath.Base(name) == s.name+".html" }) {
			t.Errorf("%s belongs to no scene", name)
		}
	}
}

// An answer begins only when the page is whole.
func TestAPartThatDoesNotExist(t *testing.T) {
	w := httptest.NewRecorder()
	serveAs(demoHouse(), owner()).ServeHTTP(w, httptest.NewRequest("GET", "/?part=nothing", nil))
	b, _ := io.ReadAll(w.Result().Body)
	if w.Code != 404 || bytes.Contains(b, []byte("<html")) {
		t.Errorf("%d %s", w.Code, b)
	}
}
