package web_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hooks"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	adapter "github.com/porchlight-hub/porchlight/hub/web/house"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// hook gives the path of a camera's hook.
func (b *browser) hook(method, camera string) string {
	b.t.Helper()
	res := b.do(method, "/api/v1/cameras/"+camera+"/hook", "")
	var h api.Hook
	if err := json.Unmarshal([]byte(res.body), &h); err != nil || res.code != 200 {
		b.t.Fatalf("hook of %s: %d %s", camera, res.code, res.body)
	}
	path, ok := strings.CutPrefix(h.URL, "http://127.0.0.1:8480")
	if !ok || h.Camera != camera || h.Created.IsZero() {
		b.t.Fatalf("hook of %s: %+v", camera, h)
	}
	return path
}

func TestHookRings(t *testing.T) {
	x := newFixture(t)
	x.house.setMore(api.Camera{ID: "gate", Name: "Gate", Kind: "doorbell", Button: true})
	owner, anybody := x.owner(), x.browser()
	path := owner.hook("GET", "gate")
	if again := owner.hook("GET", "gate"); again != path {
		t.Errorf("asked again it is another: %s, %s", path, again)
	}
	if other := owner.hook("GET", "front_door"); other == path {
		t.Error("two cameras have one hook")
	}
	for _, body := range []string{"", "{}", "no json", strings.Repeat("x", 4<<10)} {
		res := anybody.do("POST", path, body)
		var rung struct{ Event string }
		if err := json.Unmarshal([]byte(res.body), &rung); err != nil || res.code != http.StatusAccepted || rung.Event == "" {
			t.Fatalf("%.20q: %d %s", body, res.code, res.body)
		}
	}
	// A button on a dashboard of another site may ring too, and nothing else.
	if res := anybody.do("POST", path, "", "Sec-Fetch-Site", "cross-site", "Origin", "https://dashboard.example"); res.code != http.StatusAccepted {
		t.Errorf("from another page: %d %s", res.code, res.body)
	}
	list := get[api.EventList](owner, "/api/v1/events?kind=ring").Events
	if len(list) == 0 || list[0].Camera != "gate" || list[0].Type != string(event.TypeRing) || strings.Contains(string(list[0].Data), `"test":true`) {
		t.Errorf("rings %+v", list)
	}
	if h := get[api.Hook](owner, "/api/v1/cameras/gate/hook"); h.LastUsed.IsZero() {
		t.Error("the last use is not told")
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		for _, p := range []string{path, "/hooks/wrong"} {
			res := anybody.do(method, p, "")
			if res.code != http.StatusMethodNotAllowed || res.header.Get("Allow") != "POST" || method != "HEAD" && !strings.Contains(res.body, "curl -X POST") {
				t.Errorf("%s %s: %d %s", method, p, res.code, res.body)
			}
		}
	}
	if n := len(get[api.EventList](owner, "/api/v1/events?kind=ring").Events); n != len(list) {
		t.Errorf("looking rings: %d, then %d", len(list), n)
	}
	renewed := owner.hook("POST", "gate")
	if res := anybody.do("POST", path, ""); res.code != http.StatusNotFound {
		t.Errorf("the old address after a renewal: %d", res.code)
	}
	if res := anybody.do("POST", renewed, ""); res.code != http.StatusAccepted {
		t.Errorf("the new address: %d %s", res.code, res.body)
	}
	for _, secret := range []string{path, renewed} {
		if strings.Contains(x.log.String(), strings.TrimPrefix(secret, api.HookPath)) {
			t.Error("a hook's token is in the log")
		}
	}
}

// TestHookGuesses: what is nobody's token, for whatever reason, gets the same answer, to
// the byte.
func TestHookGuesses(t *testing.T) {
	x := newFixture(t)
	x.house.setMore(api.Camera{ID: "gate", Name: "Gate", Button: true}, api.Camera{ID: "shed", Name: "Shed", Button: true})
	owner, guesser := x.owner(), x.browser()
	renewed := owner.hook("GET", "gate")
	right := owner.hook("POST", "gate")
	removed := owner.hook("GET", "shed")
	x.house.setMore(api.Camera{ID: "gate", Name: "Gate", Button: true})
	swapped := []byte(right)
	swapped[len(swapped)-1] ^= 1
	guesses := []string{
		renewed, removed, string(swapped), right[:len(right)-1], right + "A", right + "/", "/hooks/" + strings.ToUpper(right[len("/hooks/"):]), "/hooks/", "/hooks/gate", "/hooks/%00",
		"/hooks/" + strings.Repeat("A", 32), "/hooks/" + strings.Repeat("A", 8000), "/hooks/a/b/c", "/hooks/%2e%2e", "/hooks/" + right[len("/hooks/"):] + "%20",
		"/hooks/'%20OR%201=1--", "/hooks/plt_" + strings.Repeat("A", 32),
	}
	for i := range 60 {
		guesses = append(guesses, fmt.Sprintf("/hooks/%032d", i))
	}
	ask := func(path string) string {
		res := guesser.do("POST", path, "")
		delete(res.header, "Date")
		var head strings.Builder
		for _, k := range slices.Sorted(maps.Keys(res.header)) {
			fmt.Fprintf(&head, "%s: %v\n", k, res.header[k])
		}
		return fmt.Sprintf("%d\n%s\n%s", res.code, head.String(), res.body)
	}
	want := ask("/hooks/wrong")
	if !strings.HasPrefix(want, "404") || !strings.Contains(want, "E-HOOK-UNKNOWN") {
		t.Fatalf("a wrong token: %s", want)
	}
	for _, g := range guesses {
		if got := ask(g); got != want {
			t.Errorf("POST %s:\n%s\nwant\n%s", g, got, want)
		}
	}
	long := strings.Repeat("x", 4<<10+1)
	a, b := guesser.do("POST", "/hooks/wrong", long), guesser.do("POST", right, long)
	if a.code != http.StatusRequestEntityTooLarge || a.code != b.code || a.body != b.body {
		t.Errorf("a long body tells a right token from a wrong one: %d %s, %d %s", a.code, a.body, b.code, b.body)
	}
	if n := len(get[api.EventList](owner, "/api/v1/events?kind=ring").Events); n != 0 {
		t.Errorf("guesses rang %d times", n)
	}
	// The camera comes back, and with it the button in its wall.
	x.house.setMore(api.Camera{ID: "gate", Button: true}, api.Camera{ID: "shed", Name: "Shed", Button: true})
	if res := guesser.do("POST", removed, ""); res.code != http.StatusAccepted {
		t.Errorf("the hook of a camera that came back: %d %s", res.code, res.body)
	}
	limited := false
	for range 1000 {
		if res := guesser.do("POST", "/hooks/wrong", ""); res.code == http.StatusTooManyRequests {
			limited = res.header.Get("Retry-After") != "" && strings.Contains(res.body, "E-WEB-RATE")
			break
		}
	}
	if !limited {
		t.Error("guessing has no limit")
	}
	// Somebody who asks too much has the address of a proxy, or of the relay's network.
	if res := guesser.do("POST", removed, ""); res.code != http.StatusAccepted {
		t.Errorf("a press from where somebody guesses: %d %s", res.code, res.body)
	}
}

func TestHookTokenStaysOutOfTheLogOfAPanic(t *testing.T) {
	x := newFixture(t)
	path := x.owner().hook("GET", "front_door")
	x.house.ringing = func() { panic("a mistake") }
	res := x.browser().do("POST", path, "")
	if res.code != http.StatusInternalServerError {
		t.Errorf("%d %s", res.code, res.body)
	}
	if log := x.log.String(); !strings.Contains(log, "panicked") || strings.Contains(log, strings.TrimPrefix(path, api.HookPath)) {
		t.Errorf("log: %s", log)
	}
}

// FuzzHook posts what anybody may post; nothing of it rings, and all of it is answered.
func FuzzHook(f *testing.F) {
	for _, s := range []string{"", "x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "a/b", "..", "%00", "\xff", "a?b", "a#b", strings.Repeat("A", 5000)} {
		f.Add(s, "body", "application/json")
	}
	f.Add("x", strings.Repeat("x", 5000), "multipart/form-data; boundary=")
	db, err := store.Open(f.Context(), filepath.Join(f.TempDir(), "hub.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { db.Close() })
	room, err := hooks.Open(f.Context(), db)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := room.Token(f.Context(), "front_door"); err != nil {
		f.Fatal(err)
	}
	house := &fakeHouse{ringing: func() { panic("it rang") }}
	x := api.New(api.Options{Rooms: api.Rooms{Hooks: adapter.Hooks(room, house, house)}})
	f.Fuzz(func(t *testing.T, token, body, kind string) {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8480/hooks/x", strings.NewReader(body))
		r.URL.Path = "/hooks/" + token
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		x.ServeHook(w, r)
		if want := 404; len(body) > 4<<10 {
			if w.Code != http.StatusRequestEntityTooLarge {
				t.Errorf("a body of %d: %d", len(body), w.Code)
			}
		} else if w.Code != want || strings.Contains(w.Body.String(), "event") {
			t.Errorf("%q: %d %s", token, w.Code, w.Body)
		}
	})
}
