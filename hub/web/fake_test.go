package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/hooks"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/hub/timeline"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/house"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// fakeHouse stands for the rooms behind walls (processes, media, YAML); bus, journal,
// timeline and access are the real ones.
type fakeHouse struct {
	bus *bus.Bus

	mu      sync.Mutex
	plugins []api.Plugin
	chimes  []api.Chime
	quiet   api.Quiet
	state   api.ConfigState
	sounds  []chan api.Sound
	sounded []string
	notYet  error
	fail    error        // what Restart answers
	more    []api.Camera // beside front_door
	tested  []string     // cameras that were tested and tried again
	ringing func()       // called by a ring; nil: nothing
}

func (f *fakeHouse) Cameras() []api.Camera {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]api.Camera{{ID: "front_door", Name: "Front door", Kind: "doorbell", Plugin: "demo", Online: true, Known: true, Streams: []string{"main"}}}, f.more...)
}

func (f *fakeHouse) Camera(id string) (api.Camera, bool) {
	list := f.Cameras()
	i := slices.IndexFunc(list, func(c api.Camera) bool { return c.ID == id })
	return list[max(0, i)], i >= 0
}

// setMore replaces the cameras beside front_door.
func (f *fakeHouse) setMore(more ...api.Camera) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.more = more
}

// fakeSources are the cameras' connections.
type fakeSources struct{ *fakeHouse }

func (f fakeSources) Test(_ context.Context, camera string) (api.CameraReport, error) {
	f.note("test " + camera)
	return api.CameraReport{Camera: camera, OK: true}, nil
}

func (f fakeSources) Retry(_ context.Context, camera string) error {
	f.note("retry " + camera)
	return nil
}

func (f *fakeHouse) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tested = append(f.tested, what)
}

// fakeDoctor finds what it is asked for, of two areas.
type fakeDoctor struct{}

func (fakeDoctor) Check(_ context.Context, areas []string) []api.Check {
	all := []api.Check{{Area: "clock", State: "ok", What: "the clock is right"}, {Area: "storage", State: "fail", What: "the disk is full", Fix: "make room"}}
	return slices.DeleteFunc(all, func(c api.Check) bool { return len(areas) > 0 && !slices.Contains(areas, c.Area) })
}

func (f *fakeHouse) Ring(ctx context.Context, camera string, test bool) (string, error) {
	if f.ringing != nil {
		f.ringing()
	}
	e := event.New(event.TypeRing, camera, event.Ring{Test: test})
	_, err := f.bus.PublishWait(ctx, e)
	return e.ID, err
}

func (f *fakeHouse) Chimes() []api.Chime {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.chimes)
}

func (f *fakeHouse) Quiet() api.Quiet { f.mu.Lock(); defer f.mu.Unlock(); return f.quiet }

func (f *fakeHouse) SetQuiet(_ context.Context, until time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.quiet = api.Quiet{On: !until.IsZero(), Until: until}
	return nil
}

func (f *fakeHouse) Mute(_ context.Context, id string, on bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chimes[0].Muted = on
	return nil
}

func (f *fakeHouse) Test(context.Context, string) (api.Played, error) {
	return api.Played{Reason: "no page is open"}, nil
}

func (f *fakeHouse) Listen() (api.Listener, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := make(chan api.Sound, 4) // a test sends fewer
	f.sounds = append(f.sounds, c)
	return fakeListener{c}, nil
}

func (f *fakeHouse) Sounded(eventID, chime string, took time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sounded = append(f.sounded, fmt.Sprintf("%s %s %s", eventID, chime, took))
}

type fakeListener struct{ c chan api.Sound }

func (l fakeListener) Next(ctx context.Context) (api.Sound, error) {
	select {
	case s := <-l.c:
		return s, nil
	case <-ctx.Done():
		return api.Sound{}, ctx.Err()
	}
}

func (l fakeListener) Close() {}

func (f *fakeHouse) Plugins() []api.Plugin {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.plugins)
}

func (f *fakeHouse) Plugin(name string) (api.Plugin, bool) {
	for _, p := range f.Plugins() {
		if p.Name == name {
			return p, true
		}
	}
	return api.Plugin{}, false
}

func (f *fakeHouse) Restart(context.Context, string) error { return f.fail }

func (f *fakeHouse) Logs(string, int) []api.LogLine {
	return []api.LogLine{{Level: "info", Text: "started"}}
}

func (f *fakeHouse) Act(ctx context.Context, _, action string, input json.RawMessage) (json.RawMessage, error) {
	if action == "panic" {
		panic("a handler's mistake")
	}
	return json.RawMessage(`{"got":` + string(input) + `}`), nil
}

func (f *fakeHouse) State() api.ConfigState { f.mu.Lock(); defer f.mu.Unlock(); return f.state }

func (f *fakeHouse) Effective() []byte { return []byte("version: 1\n") }

func (f *fakeHouse) Files() []api.ConfigFile {
	return []api.ConfigFile{{Name: "porchlight.yaml", Path: "/etc/porchlight.yaml", Main: true, Text: "version: 1\n"}}
}

func (f *fakeHouse) Validate(_ context.Context, yaml []byte) []api.ConfigProblem {
	if strings.Contains(string(yaml), "pasword") {
		return []api.ConfigProblem{{File: "porchlight.yaml", Line: 3, Column: 5, Severity: "error", Code: "E-CFG-UNKNOWN-KEY", Message: "unknown key"}}
	}
	return nil
}

func (f *fakeHouse) Snapshot(w http.ResponseWriter, _ *http.Request, _ string) {
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = io.WriteString(w, "jpeg")
}

func (f *fakeHouse) MJPEG(w http.ResponseWriter, _ *http.Request, _ string) {
	_, _ = io.WriteString(w, "frames")
}

// MSE takes the connection over and holds it, where that is asked for.
func (f *fakeHouse) MSE(w http.ResponseWriter, r *http.Request, _, stream string) {
	if r.URL.Query().Get("hold") == "" {
		_, _ = io.WriteString(w, "stream "+stream)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	_, _ = rw.WriteString("HTTP/1.1 200 OK\r\n\r\n!")
	_ = rw.Flush()
	_, _ = io.Copy(io.Discard, conn)
}

// fixture is a web on a real listener, and browsers of it.
type fixture struct {
	t      *testing.T
	house  *fakeHouse
	access *access.Access
	web    *web.Server
	http   *httptest.Server
	data   string
	log    *logged
	ahead  atomic.Int64 // how far access's clock is ahead, in ms
}

func (x *fixture) now() time.Time {
	return time.Now().Add(time.Duration(x.ahead.Load()) * time.Millisecond)
}

// logged is all that the hub logged, from debug on.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newFixture(t *testing.T, change ...func(*web.Deps)) *fixture {
	t.Helper()
	data := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(data, "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	x := &fixture{t: t, data: data}
	a, err := access.Open(t.Context(), db, access.Options{Now: x.now})
	if err != nil {
		t.Fatal(err)
	}
	room, err := hooks.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeHouse{
		bus:    openBus(t, data),
		state:  api.ConfigState{Valid: true, Demo: true},
		chimes: []api.Chime{{ID: "browser", Name: "Browser", Builtin: "browser", Volume: 70}},
		plugins: []api.Plugin{{Name: "demo", State: "running", Restarts: 2, Actions: []api.Action{
			{Name: "look", Role: "view"}, {Name: "tune", Role: "admin"}, {Name: "panic", Role: "admin"},
		}}},
	}
	line := timeline.New(f.bus)
	log := &logged{}
	d := web.Deps{
		Rooms: api.Rooms{
			Cameras: f, Events: house.Events(line), Feed: house.Feed(f.bus), Ringer: f, Chimes: f, Sounds: f, Plugins: f, Config: f,
			Pictures: f, Explain: house.Explain(), Ready: func() error { return f.notYet },
			Hooks: house.Hooks(room, f, f), Sources: fakeSources{f}, Doctor: fakeDoctor{},
		},
		Access: a, Listen: "127.0.0.1:8480", DataDir: data, Version: "test", Bus: f.bus,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&d)
	}
	s, err := web.New(d)
	if err != nil {
		t.Fatal(err)
	}
	x.house, x.access, x.web, x.http, x.log = f, a, s, httptest.NewServer(s.Handler()), log
	t.Cleanup(x.http.Close)
	return x
}

func openBus(t *testing.T, data string) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Journal: filepath.Join(data, "journal.db")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1) // Serve's one result
	go func() { done <- b.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("bus: %v", err)
		}
	})
	return b
}

// browser keeps cookies and follows no redirect.
type browser struct {
	*fixture
	client *http.Client
}

func (x *fixture) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		x.t.Fatal(err)
	}
	return &browser{x, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// owner is a browser that opened the setup link.
func (x *fixture) owner() *browser {
	x.t.Helper()
	token, _, err := x.access.NewSetupToken(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	b := x.browser()
	if res := b.do(http.MethodGet, "/setup?token="+token, ""); res.code != http.StatusOK || res.header.Get("Refresh") != "0; url=/" {
		x.t.Fatalf("setup link: %d %v", res.code, res.header)
	}
	return b
}

// watch looks at a moving picture; the channel is closed when it was cut.
func (b *browser) watch() <-chan struct{} {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.http.URL+"/api/v1/ws?camera=front_door&hold=1", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := io.ReadFull(res.Body, first); err != nil || first[0] != '!' {
		b.t.Fatalf("picture: %q, %v", first, err)
	}
	over := make(chan struct{}) // closed once
	go func() {
		defer close(over)
		defer res.Body.Close()
		_, _ = io.Copy(io.Discard, res.Body)
	}()
	b.t.Cleanup(func() { <-over })
	return over
}

type response struct {
	code   int
	header http.Header
	body   string
}

// problem reads the body as one.
func (r response) problem(t *testing.T) api.Problem {
	t.Helper()
	var p api.Problem
	if err := json.Unmarshal([]byte(r.body), &p); err != nil {
		t.Fatalf("no problem: %d %s", r.code, r.body)
	}
	return p
}

func (b *browser) do(method, path, body string, header ...string) response {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.http.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response{res.StatusCode, res.Header, string(text)}
}

// get reads the answer as JSON.
func get[T any](b *browser, path string) T {
	b.t.Helper()
	res := b.do(http.MethodGet, path, "")
	var out T
	if res.code != http.StatusOK {
		b.t.Fatalf("GET %s: %d %s", path, res.code, res.body)
	}
	if err := json.Unmarshal([]byte(res.body), &out); err != nil {
		b.t.Fatalf("GET %s: %v\n%s", path, err, res.body)
	}
	return out
}
