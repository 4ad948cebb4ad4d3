package web_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

type fakeRestream struct {
	mu    sync.Mutex
	lan   bool
	err   error
	ended []string
}

func (f *fakeRestream) Where() (int, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return 8554, f.lan, f.err
}

func (f *fakeRestream) End(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = append(f.ended, id)
}

func (f *fakeRestream) set(lan bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lan, f.err = lan, err
}

type taken struct{}

func (taken) Error() string { return "restream: port 8554 is taken" }
func (taken) Code() string  { return "E-RESTREAM-PORT-TAKEN" }
func (taken) Hint() string  { return "another port" }

func read[T any](t *testing.T, res response, code int) T {
	t.Helper()
	var out T
	if res.code != code {
		t.Fatalf("%d %s", res.code, res.body)
	}
	if res.body != "" {
		if err := json.Unmarshal([]byte(res.body), &out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestStreamPasswords(t *testing.T) {
	rtsp := &fakeRestream{}
	x := newFixture(t, func(d *web.Deps) { d.Rooms.Restream = rtsp })
	b := x.owner()
	made := read[api.StreamPassword](t, b.do(http.MethodPost, "/api/v1/stream-passwords", `{"name":"VLC in the hall","cameras":["front_door"]}`), http.StatusCreated)
	if made.Password == "" || made.User != access.Owner || len(made.URLs) == 0 {
		t.Fatalf("%+v", made)
	}
	for _, u := range made.URLs {
		if want := "rtsp://owner:" + made.Password + "@127.0.0.1:8554/front_door/"; u.Camera != "front_door" || !strings.HasPrefix(u.URL, want) {
			t.Errorf("%+v, want %s", u, want)
		}
	}
	if strings.Contains(x.log.String(), made.Password) {
		t.Error("the password stands in the log")
	}

	res := b.do(http.MethodGet, "/api/v1/stream-passwords", "")
	list := read[api.StreamPasswords](t, res, http.StatusOK)
	if len(list.Passwords) != 1 || list.Passwords[0].ID != made.ID || list.LAN || len(list.Streams) == 0 || strings.Contains(res.body, made.Password) {
		t.Errorf("%s", res.body)
	}
	rtsp.set(true, nil)
	list = read[api.StreamPasswords](t, b.do(http.MethodGet, "/api/v1/stream-passwords", ""), http.StatusOK)
	if !list.LAN {
		t.Errorf("%+v", list)
	}
	rtsp.set(true, taken{})
	list = read[api.StreamPasswords](t, b.do(http.MethodGet, "/api/v1/stream-passwords", ""), http.StatusOK)
	if list.Code != "E-RESTREAM-PORT-TAKEN" || list.Why == "" || list.Fix == "" || len(list.Streams) != 0 {
		t.Errorf("%+v", list)
	}

	for body, code := range map[string]int{
		`{"name":""}`:                         http.StatusUnprocessableEntity,
		`{"name":"x","cameras":["no_such"]}`:  http.StatusNotFound,
		`{"name":"x","cameras":"front_door"}`: http.StatusUnprocessableEntity,
		`{}`:                                  http.StatusUnprocessableEntity,
	} {
		if res := b.do(http.MethodPost, "/api/v1/stream-passwords", body); res.code != code {
			t.Errorf("%s: %d %s", body, res.code, res.body)
		}
	}
	if res := b.do(http.MethodDelete, "/api/v1/stream-passwords/"+made.ID, ""); res.code != http.StatusNoContent || len(rtsp.ended) != 1 || rtsp.ended[0] != made.ID {
		t.Errorf("revoke: %d, ended %v", res.code, rtsp.ended)
	}
	if res := b.do(http.MethodDelete, "/api/v1/stream-passwords/"+made.ID, ""); res.code != http.StatusNotFound {
		t.Errorf("revoke again: %d", res.code)
	}
}
