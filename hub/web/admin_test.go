package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// serveAdmin runs the admin socket and dials it.
func (x *fixture) serveAdmin() *client.Client {
	x.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.t.Context()))
	done := make(chan error, 1) // its one result
	go func() { done <- x.web.ServeAdmin(ctx) }()
	x.t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			x.t.Errorf("admin: %v", err)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		c, err := client.Dial(x.t.Context(), x.data)
		if err == nil {
			x.t.Cleanup(c.Close)
			return c
		}
		var not *client.NotRunning
		if !errors.As(err, &not) || time.Now().After(deadline) {
			x.t.Fatalf("dial: %v", err)
		}
		select {
		case err := <-done:
			x.t.Fatalf("admin: %v", err)
		default:
		}
	}
}

func TestAdminSocket(t *testing.T) {
	x := newFixture(t)
	c := x.serveAdmin()
	for path, want := range map[string]fs.FileMode{"run": 0o700 | fs.ModeDir, "run/admin.sock": 0o600 | fs.ModeSocket} {
		info, err := os.Stat(filepath.Join(x.data, path))
		if err != nil || info.Mode() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	ctx := t.Context()
	cameras, err := c.Cameras(ctx)
	if err != nil || len(cameras) != 1 {
		t.Errorf("cameras %v, %v", cameras, err)
	}
	id, err := c.Ring(ctx, "front_door", true)
	if err != nil {
		t.Fatal(err)
	}
	list, err := c.Events(ctx, client.Query{Since: time.Now().Add(-time.Hour), Kinds: []string{"ring"}, Camera: "front_door", Limit: 5})
	if err != nil || len(list.Events) != 1 || list.Events[0].ID != id {
		t.Errorf("events %+v, %v", list, err)
	}
	if tr, err := c.Trace(ctx, id); err != nil || len(tr.Hops) == 0 || tr.Event.ID != id {
		t.Errorf("trace %+v, %v", tr, err)
	}
	if e, err := c.Event(ctx, id); err != nil || e.ID != id {
		t.Errorf("event %+v, %v", e, err)
	}
	if list, err := c.Plugins(ctx); err != nil || len(list) != 1 {
		t.Errorf("plugins %v, %v", list, err)
	}
	if p, err := c.Plugin(ctx, "demo"); err != nil || p.Restarts != 2 {
		t.Errorf("plugin %+v, %v", p, err)
	}
	if lines, err := c.Logs(ctx, "demo", 10); err != nil || len(lines) != 1 {
		t.Errorf("logs %v, %v", lines, err)
	}
	if out, err := c.Act(ctx, "demo", "tune", json.RawMessage(`{"up":1}`)); err != nil || string(out) != `{"got":{"up":1}}` {
		t.Errorf("act %s, %v", out, err)
	}
	if q, err := c.SetQuiet(ctx, time.Hour); err != nil || !q.On {
		t.Errorf("quiet %+v, %v", q, err)
	}
	if err := c.MuteChime(ctx, "browser", true); err != nil {
		t.Error(err)
	}
	if list, q, err := c.Chimes(ctx); err != nil || !q.On || len(list) != 1 || !list[0].Muted {
		t.Errorf("chimes %+v %+v, %v", list, q, err)
	}
	if p, err := c.TestChime(ctx, "browser"); err != nil || p.Played || p.Reason == "" {
		t.Errorf("test %+v, %v", p, err)
	}
	if err := errors.Join(c.EndQuiet(ctx), c.Restart(ctx, "demo")); err != nil {
		t.Error(err)
	}
	if cfg, err := c.Config(ctx); err != nil || cfg.YAML != "version: 1\n" || !cfg.Valid {
		t.Errorf("config %+v, %v", cfg, err)
	}
	if ps, err := c.Validate(ctx, []byte("pasword: x\n")); err != nil || len(ps) != 1 || ps[0].Line != 3 {
		t.Errorf("validate %+v, %v", ps, err)
	}
	if ex, err := c.Explain(ctx, "e-web-host"); err != nil || ex.Title == "" {
		t.Errorf("explain %+v, %v", ex, err)
	}
	_, err = c.Ring(ctx, "back_door", false)
	var p *api.Problem
	if !errors.As(err, &p) || p.Code() != "E-API-NOT-FOUND" || err.Error() != `camera "back_door" is not known` {
		t.Errorf("unknown camera: %v", err)
	}
}

func TestSetupLinkBySocket(t *testing.T) {
	x := newFixture(t)
	c := x.serveAdmin()
	link, err := c.SetupLink(t.Context(), false)
	if err != nil || !strings.HasPrefix(link.URL, "http://127.0.0.1:8480/setup?token=") || time.Until(link.Expires) < 29*time.Minute {
		t.Fatalf("link %+v, %v", link, err)
	}
	b := x.browser()
	path := strings.TrimPrefix(link.URL, "http://127.0.0.1:8480")
	if res := b.do("GET", path, ""); res.code != http.StatusOK {
		t.Fatalf("open: %d", res.code)
	}
	if res := b.do("POST", "/api/v1/me/password", `{"password":"a porch light burns"}`); res.code != 204 {
		t.Fatalf("password: %d", res.code)
	}
	r := b.stream("")
	r.next("hello")
	moving := b.watch()
	reset, err := c.SetupLink(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if m := r.next("bye"); !strings.Contains(m.data, `"session"`) {
		t.Errorf("the open stream: %s", m.data)
	}
	<-moving // the picture ends too
	if res := b.do("GET", "/api/v1/me", ""); res.code != http.StatusUnauthorized {
		t.Errorf("after the reset: %d", res.code)
	}
	if res := b.do("POST", "/api/v1/login", `{"password":"a porch light burns"}`); res.code != http.StatusUnauthorized {
		t.Errorf("the lost password: %d", res.code)
	}
	if res := x.browser().do("GET", strings.TrimPrefix(reset.URL, "http://127.0.0.1:8480"), ""); res.code != http.StatusOK {
		t.Errorf("the new link: %d", res.code)
	}
}

func TestTail(t *testing.T) {
	x := newFixture(t)
	c := x.serveAdmin()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var want []string
	first := publish(t, x, 1)
	after := get[api.Event](x.owner(), "/api/v1/events/"+first[0]).Seq
	want = append(want, publish(t, x, 2)...)
	var got []string
	for e, err := range c.TailEvents(ctx, after) {
		if err != nil {
			t.Fatal(err)
		}
		if got = append(got, e.ID); len(got) == 2 {
			want = append(want, publish(t, x, 2)...)
		}
		if len(got) == 4 {
			break
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("tail gave %v, want %v", got, want)
	}
}

func TestPprofOnlyBySocket(t *testing.T) {
	x := newFixture(t)
	x.serveAdmin()
	socket, _, err := client.AdminSocket(x.data)
	if err != nil {
		t.Fatal(err)
	}
	h := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer h.CloseIdleConnections()
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/goroutine?debug=1", "/metrics", "/healthz"} {
		res, err := h.Get("http://porchlight" + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if res := x.owner().do("GET", "/debug/pprof/", ""); res.code != http.StatusNotFound {
		t.Errorf("pprof for a browser: %d", res.code)
	}
}

// TestSocketRefusesPlugins dials from a process that stands for a plugin: this test
// program again.
func TestSocketRefusesPlugins(t *testing.T) {
	if data := os.Getenv("PORCHLIGHT_TEST_LEAVE"); data != "" {
		leaveConnection(t, data)
		return
	}
	if data := os.Getenv("PORCHLIGHT_TEST_DIAL"); data != "" {
		_, err := client.Dial(t.Context(), data)
		fmt.Printf("dialled: %v\n", err)
		return
	}
	x := newFixture(t)
	x.serveAdmin()
	run := func(plugin bool, script string) string {
		// The shell waits for the word to go on, so that its pid is known before it dials.
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", script, os.Args[0])
		cmd.Env = append(os.Environ(), "PORCHLIGHT_TEST_DIAL="+x.data)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		x.house.mu.Lock()
		x.house.plugins[0].PID = 0
		if plugin {
			x.house.plugins[0].PID = cmd.Process.Pid
		}
		x.house.mu.Unlock()
		if _, err := io.WriteString(in, "go\n"); err != nil {
			t.Fatal(err)
		}
		said, err := io.ReadAll(out)
		if err := errors.Join(err, in.Close(), cmd.Wait()); err != nil {
			t.Fatal(err)
		}
		return string(said)
	}
	const dial = `"$0" -test.run '^TestSocketRefusesPlugins$'`
	if said := run(true, "read go; "+dial+"; true"); !strings.Contains(said, "dialled: the admin socket is for the user who runs the hub, and not for plugins") {
		t.Errorf("a child of a plugin: %s", said)
	}
	// The hub starts nothing but plugins, and adopts what they leave behind.
	if said := run(false, "read go; "+dial+"; true"); !strings.Contains(said, "and not for plugins") {
		t.Errorf("a child of the hub: %s", said)
	}
	const leave = `PORCHLIGHT_TEST_LEAVE="$PORCHLIGHT_TEST_DIAL" "$0" -test.run '^TestSocketRefusesPlugins$'`
	if said := run(true, "read go; "+leave+"; true"); !strings.Contains(said, "answered: HTTP/1.1 403") {
		t.Errorf("a connection that a plugin's process left to another: %s", said)
	}
	adopting(t)
	if said := run(true, "read go; setsid "+dial+" &"); !strings.Contains(said, "and not for plugins") {
		t.Errorf("a grandchild that a plugin left behind: %s", said)
	}
}

// leaveConnection connects, leaves the connection to a child, and ends before the
// child asks by it.
func leaveConnection(t *testing.T, data string) {
	if dead := os.Getenv("PORCHLIGHT_TEST_AFTER"); dead != "" {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for _, err := os.Stat("/proc/" + dead); err == nil; _, err = os.Stat("/proc/" + dead) {
			<-tick.C
		}
		c := os.NewFile(3, "left")
		fmt.Fprint(c, "GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		b, err := io.ReadAll(c)
		fmt.Printf("answered: %.80s %v\n", b, err)
		return
	}
	socket, _, err := client.AdminSocket(data)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	heir := exec.Command(os.Args[0], "-test.run", "^TestSocketRefusesPlugins$")
	heir.Env = append(os.Environ(), fmt.Sprintf("PORCHLIGHT_TEST_AFTER=%d", os.Getpid()))
	heir.ExtraFiles, heir.Stdout, heir.Stderr = []*os.File{f}, os.Stdout, os.Stderr
	if err := heir.Start(); err != nil {
		t.Fatal(err)
	}
}

func TestNoHub(t *testing.T) {
	dir := t.TempDir()
	_, err := client.Dial(t.Context(), dir)
	var not *client.NotRunning
	if !errors.As(err, &not) || not.Code() != "E-CLI-NOT-RUNNING" {
		t.Errorf("dial: %v", err)
	}
	// What a hub that was killed leaves.
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "run", "admin.sock")})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	if _, err := client.Dial(t.Context(), dir); !errors.As(err, &not) {
		t.Errorf("dial a dead socket: %v", err)
	}
	x := newFixture(t, func(d *web.Deps) { d.DataDir = dir })
	x.data = dir
	x.serveAdmin()
}

func TestLongDataDir(t *testing.T) {
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	x := newFixture(t, func(d *web.Deps) { d.DataDir = dir })
	x.data = dir
	x.serveAdmin()
	b, err := os.ReadFile(filepath.Join(dir, "run", "admin.path"))
	if err != nil || !strings.HasPrefix(string(b), runtime) {
		t.Errorf("admin.path: %s, %v", b, err)
	}
	// The command line may see another runtime folder, as under sudo.
	t.Setenv("XDG_RUNTIME_DIR", "/nowhere")
	c, err := client.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}
