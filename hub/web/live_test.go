package web_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// street stands for the rooms behind WebRTC and talk.
type street struct {
	mu       sync.Mutex
	sessions map[string]chan struct{}
	asked    []string
	ended    []string
	talks    map[string]*fakeTalk
}

func newStreet() *street {
	return &street{sessions: map[string]chan struct{}{}, talks: map[string]*fakeTalk{}}
}

// withStreet gives a house the rooms of one.
func withStreet(s *street) func(*web.Deps) {
	return func(d *web.Deps) {
		d.Rooms.Live, d.Rooms.Talks, d.Rooms.MP4 = s, s, s
		d.Rooms.Viewers = func() []api.Viewing {
			return []api.Viewing{{Kind: "rtsp", ID: "1", Camera: "front_door", Stream: "main", Bytes: 10, SkippedGOPs: 3}, {Kind: "rtsp", ID: "2", Camera: "front_door", Stream: "main", Bytes: 5}}
		}
	}
}

func (s *street) ServeOffer(w http.ResponseWriter, r *http.Request, camera, stream string, v api.Viewer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "v=0" {
		http.Error(w, "no offer", http.StatusBadRequest)
		return
	}
	id := fmt.Sprint("x", len(s.sessions)+1)
	s.sessions[id] = make(chan struct{})
	s.asked = append(s.asked, fmt.Sprintf("%s %s talk %v by %s", camera, stream, v.MayTalk, v.Key))
	w.Header().Set("Location", r.URL.Path+"/"+id)
	w.WriteHeader(http.StatusCreated)
	_, _ = io.WriteString(w, "answer")
}

func (s *street) ServeSession(w http.ResponseWriter, r *http.Request, id string, v api.Viewer) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method+" "+id+" by "+v.Key)
	s.mu.Unlock()
	if r.Method == http.MethodDelete {
		s.End(id, "asked")
	}
}

func (s *street) End(id, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.sessions[id]; c != nil {
		s.ended = append(s.ended, id+" "+reason)
		delete(s.sessions, id)
		close(c)
	}
}

func (s *street) Done(id string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[id]
}

func (s *street) ServeMP4(w http.ResponseWriter, r *http.Request, camera, stream string) {
	_, _ = io.WriteString(w, "film of "+camera+" "+stream+" "+r.URL.Query().Get("sound"))
}

func (s *street) Begin(_ context.Context, camera string, by api.Viewer, session string) (api.Talk, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.talks {
		if t.camera == camera && t.by.Key != by.Key {
			return nil, &api.TalkBusy{Name: t.by.Name, Since: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)}
		}
	}
	t := &fakeTalk{street: s, id: fmt.Sprint("t", len(s.talks)+1), camera: camera, by: by, session: session, done: make(chan struct{}), units: make(chan *av.Unit, 100)}
	s.talks[t.id] = t
	return t, nil
}

func (s *street) Talk(id string) (api.Talk, bool) {
	t := s.talk(id)
	return t, t != nil
}

func (s *street) talk(id string) *fakeTalk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.talks[id]
}

func (s *street) log() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Concat(s.asked, s.ended)
}

type fakeTalk struct {
	street              *street
	id, camera, session string
	by                  api.Viewer
	done                chan struct{}
	units               chan *av.Unit // as many as a test sends
	err                 error
}

func (t *fakeTalk) ID() string            { return t.id }
func (t *fakeTalk) Camera() string        { return t.camera }
func (t *fakeTalk) By() api.Viewer        { return t.by }
func (t *fakeTalk) Takes() av.Track       { return av.PCMTrack(1, av.PCMU, 8000, 1) }
func (t *fakeTalk) Done() <-chan struct{} { return t.done }
func (t *fakeTalk) Err() error            { return t.err }

func (t *fakeTalk) Put(u *av.Unit) error {
	t.units <- u
	return nil
}

func (t *fakeTalk) Close(reason string) { t.end(nil) }

func (t *fakeTalk) end(err error) {
	t.street.mu.Lock()
	defer t.street.mu.Unlock()
	if t.street.talks[t.id] == t {
		delete(t.street.talks, t.id)
		t.err = err
		close(t.done)
	}
}

func TestWithoutTheRoomsTheRoutesSaySo(t *testing.T) {
	b := newFixture(t).owner()
	for _, c := range [][2]string{
		{"POST", "/api/v1/cameras/front_door/whep"}, {"PATCH", "/api/v1/cameras/front_door/whep/x1"}, {"DELETE", "/api/v1/cameras/front_door/whep/x1"},
		{"GET", "/api/v1/cameras/front_door/stream.mp4"}, {"POST", "/api/v1/cameras/front_door/talk"}, {"DELETE", "/api/v1/cameras/front_door/talk/t1"},
		{"GET", "/api/v1/cameras/front_door/talk/t1/ws"},
	} {
		if res := b.do(c[0], c[1], ""); res.code != http.StatusNotImplemented || res.problem(t).ErrCode != "E-API-NOT-YET" {
			t.Errorf("%s %s: %d %s", c[0], c[1], res.code, res.body)
		}
	}
	if res := b.do("GET", "/api/v1/viewers", ""); res.code != http.StatusOK || !strings.Contains(res.body, `"viewers":[]`) {
		t.Errorf("viewers: %d %s", res.code, res.body)
	}
}

func TestASessionEndsWithItsLogin(t *testing.T) {
	s := newStreet()
	x := newFixture(t, withStreet(s))
	b := x.owner()
	res := b.do("POST", "/api/v1/cameras/front_door/whep?stream=sub", "v=0", "Content-Type", "application/sdp")
	at := res.header.Get("Location")
	if res.code != http.StatusCreated || res.body != "answer" || at != "/api/v1/cameras/front_door/whep/x1" {
		t.Fatalf("%d %s, at %q", res.code, res.body, at)
	}
	if res := b.do("PATCH", at, "a=x", "Content-Type", "application/trickle-ice-sdpfrag"); res.code != http.StatusOK {
		t.Errorf("patch: %d", res.code)
	}
	asked := s.log()
	_, key, _ := strings.Cut(asked[0], " by ")
	if !strings.HasPrefix(asked[0], "front_door sub talk true by session ") || asked[1] != "PATCH x1 by "+key {
		t.Errorf("asked %q", asked)
	}
	// The same person at another screen is another viewer.
	other := x.owner()
	other.do("PATCH", at, "a=x")
	if got := s.log(); got[2] == asked[1] {
		t.Errorf("both screens are %q", got[2])
	}
	over := s.Done("x1")
	if res := b.do("POST", "/api/v1/logout", ""); res.code != http.StatusNoContent {
		t.Fatalf("logout: %d", res.code)
	}
	<-over
	if got := s.log(); !slices.Contains(got, "x1 the login has ended") {
		t.Errorf("%q", got)
	}
}

func TestWhoMayLookAndTalk(t *testing.T) {
	s := newStreet()
	x := newFixture(t, withStreet(s))
	view, _ := x.token(access.TokenSpec{Name: "screen", Scopes: []access.Scope{access.ScopeView}})
	away, _ := x.token(access.TokenSpec{Name: "other", Scopes: []access.Scope{access.ScopeView, access.ScopeTalk}, Cameras: []string{"front_door"}})
	x.house.setMore(api.Camera{ID: "garden", Name: "Garden", Kind: "camera"}, api.Camera{ID: "bell", Name: "Bell", Kind: "doorbell", Button: true})
	const whep, talk = "/api/v1/cameras/front_door/whep", "/api/v1/cameras/front_door/talk"
	for _, c := range []struct {
		name, token, method, path, body string
		want                            int
	}{
		{"nobody looks", "", "POST", whep, "v=0", 401},
		{"a screen looks", view, "POST", whep, "v=0", 201},
		{"a screen talks", view, "POST", talk, "{}", 403},
		{"a screen says more", view, "GET", talk + "/t1/ws", "", 403},
		{"another camera", away, "POST", "/api/v1/cameras/garden/whep", "v=0", 404},
		{"talk at another camera", away, "POST", "/api/v1/cameras/garden/talk", "{}", 404},
		{"talk at its own", away, "POST", talk, "{}", 201},
		{"no camera", view, "POST", "/api/v1/cameras/nobody/whep", "v=0", 404},
		{"no stream", view, "POST", whep + "?stream=third", "v=0", 404},
		{"a button", view, "POST", "/api/v1/cameras/bell/whep", "v=0", 409},
		{"a film", view, "GET", "/api/v1/cameras/front_door/stream.mp4?stream=sub&sound=opus", "", 200},
		{"a film of another", away, "GET", "/api/v1/cameras/garden/stream.mp4", "", 404},
		{"an offer too large", view, "POST", whep, strings.Repeat("v", 70<<10), 400},
	} {
		res := x.browser().do(c.method, c.path, c.body, bearing(c.token)...)
		if res.code != c.want {
			t.Errorf("%s: %d %s, want %d", c.name, res.code, res.body, c.want)
		}
		if c.name == "a film" && res.body != "film of front_door sub opus" {
			t.Errorf("film: %s", res.body)
		}
	}
	if got := s.log(); !slices.ContainsFunc(got, func(l string) bool { return strings.HasPrefix(l, "front_door main talk false by token ") }) {
		t.Errorf("%q", got)
	}
}

func bearing(token string) []string {
	if token == "" {
		return nil
	}
	return []string{"Authorization", "Bearer " + token}
}

func TestOneTalksAndTheSecondIsToldWho(t *testing.T) {
	s := newStreet()
	x := newFixture(t, withStreet(s))
	a, b := x.owner(), x.owner()
	res := a.do("POST", "/api/v1/cameras/front_door/talk", `{"session":"x1"}`, "User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0)")
	var begun api.TalkBegun
	if err := json.Unmarshal([]byte(res.body), &begun); err != nil || res.code != http.StatusCreated {
		t.Fatalf("%d %s", res.code, res.body)
	}
	if begun.ID != "t1" || begun.By != "the owner, on an iPhone" || begun.Codec != "pcmu" || begun.Socket != "" || s.talk("t1").session != "x1" {
		t.Errorf("%+v", begun)
	}
	busy := b.do("POST", "/api/v1/cameras/front_door/talk", "{}")
	p := busy.problem(t)
	if busy.code != http.StatusConflict || p.ErrCode != "E-TALK-BUSY" || p.Who != "the owner, on an iPhone" || p.Since.IsZero() || !strings.Contains(p.Detail, "iPhone") || p.ErrHint == "" {
		t.Errorf("%d %+v", busy.code, p)
	}
	if res := b.do("DELETE", "/api/v1/cameras/front_door/talk/t1", ""); res.code != http.StatusNotFound {
		t.Errorf("somebody else ends it: %d", res.code)
	}
	if res := a.do("DELETE", "/api/v1/cameras/front_door/talk/t1", ""); res.code != http.StatusNoContent || s.talk("t1") != nil {
		t.Errorf("they end it: %d", res.code)
	}
}

// dial opens the socket of a talk as a page does.
func (b *browser) dial(path string) (*websocket.Conn, error) {
	h := http.Header{"Origin": {b.http.URL}}
	c, _, err := websocket.Dial(b.t.Context(), strings.Replace(b.http.URL, "http", "ws", 1)+path, &websocket.DialOptions{HTTPClient: b.client, HTTPHeader: h})
	return c, err
}

func (s *street) begin(b *browser) (api.TalkBegun, *fakeTalk) {
	b.t.Helper()
	var begun api.TalkBegun
	res := b.do("POST", "/api/v1/cameras/front_door/talk", "{}")
	if err := json.Unmarshal([]byte(res.body), &begun); err != nil || begun.Socket == "" {
		b.t.Fatalf("%d %s", res.code, res.body)
	}
	return begun, s.talk(begun.ID)
}

func TestAPageTalksBySocket(t *testing.T) {
	s := newStreet()
	b := newFixture(t, withStreet(s)).owner()
	begun, talk := s.begin(b)
	c, err := b.dial(begun.Socket)
	if err != nil {
		t.Fatal(err)
	}
	piece := make([]byte, 640)
	binary.BigEndian.PutUint16(piece, 1234)
	for range 3 {
		if err := c.Write(t.Context(), websocket.MessageBinary, piece); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(3) {
		u := <-talk.units
		if u.PTS < i*320 || len(u.Data) != 640 || binary.BigEndian.Uint16(u.Data) != 1234 {
			t.Errorf("unit %d: %+v", i, u)
		}
	}
	talk.end(errors.New("secret: the door has gone"))
	kind, said, err := c.Read(t.Context())
	if err != nil || kind != websocket.MessageText || !strings.Contains(string(said), `"ended"`) || strings.Contains(string(said), "secret") {
		t.Errorf("%s, %v", said, err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the end: %v", err)
	}
}

func TestATalkEndsWithItsSocket(t *testing.T) {
	s := newStreet()
	b := newFixture(t, withStreet(s)).owner()
	for name, leave := range map[string]func(c *websocket.Conn){
		"goes":               func(c *websocket.Conn) { c.CloseNow() },
		"sends no samples":   func(c *websocket.Conn) { _ = c.Write(t.Context(), websocket.MessageText, []byte("hello")) },
		"sends half samples": func(c *websocket.Conn) { _ = c.Write(t.Context(), websocket.MessageBinary, make([]byte, 641)) },
		"sends too much":     func(c *websocket.Conn) { _ = c.Write(t.Context(), websocket.MessageBinary, make([]byte, 1<<20)) },
	} {
		begun, talk := s.begin(b)
		c, err := b.dial(begun.Socket)
		if err != nil {
			t.Fatal(err)
		}
		leave(c)
		select {
		case <-talk.done:
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: the talk goes on", name)
		}
		c.CloseNow()
	}
	begun, talk := s.begin(b)
	if c, _, err := websocket.Dial(t.Context(), strings.Replace(b.http.URL, "http", "ws", 1)+begun.Socket, &websocket.DialOptions{HTTPClient: b.client, HTTPHeader: http.Header{"Origin": {"http://other.example"}}}); err == nil {
		c.CloseNow()
		t.Error("a page of another site talks")
	}
	if _, err := b.dial("/api/v1/cameras/front_door/talk/t99/ws"); err == nil {
		t.Error("a talk that is not")
	}
	talk.Close("test")
}

func TestMetricsOfViewers(t *testing.T) {
	b := newFixture(t, withStreet(newStreet())).owner()
	res := b.do("GET", "/metrics", "")
	for _, line := range []string{
		`porchlight_viewers{camera="front_door",stream="main",way="rtsp"} 2`,
		`porchlight_viewers_skipped_gops{camera="front_door",stream="main",way="rtsp"} 3`,
		`porchlight_viewers_bytes{camera="front_door",stream="main",way="rtsp"} 15`,
	} {
		if !strings.Contains(res.body, line) {
			t.Errorf("lacks %s", line)
		}
	}
	if got := get[struct{ Viewers []api.Viewing }](b, "/api/v1/viewers"); len(got.Viewers) != 2 {
		t.Errorf("%+v", got)
	}
}
