package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startWithin is how long a hub may take to print its link on a busy machine.
const startWithin = 60 * time.Second

// tools are what the tests need of the machine.
type tools struct{ node, chromium string }

// need finds the tools, or skips by the name of what is missing; CI has them all.
func need(t *testing.T) tools {
	t.Helper()
	if testing.Short() {
		t.Skip("a real browser takes minutes: not with -short")
	}
	missing := func(what, mend string) {
		t.Helper()
		text := fmt.Sprintf("%s is missing (%s): nothing is tried in a real browser", what, mend)
		if os.Getenv("CI") == "true" {
			t.Fatal(text)
		}
		t.Skip(text)
	}
	var found tools
	for _, name := range []string{os.Getenv("PORCHLIGHT_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			found.chromium = path
			break
		}
	}
	if found.chromium == "" {
		missing("chromium", "apt install chromium")
	}
	var err error
	if found.node, err = exec.LookPath("node"); err != nil {
		missing("node", "apt install nodejs npm")
	}
	for _, name := range []string{"playwright-core", "axe-core", "typescript"} {
		if _, err := os.Stat(filepath.Join("node_modules", name, "package.json")); err != nil {
			missing("node_modules/"+name, "npm ci in hub/web/browser")
		}
	}
	return found
}

// built is the folder of the binary, made by TestMain.
var built string

// binary builds the hub once for all tests, as it is shipped.
var binary = sync.OnceValues(func() (string, error) {
	out := filepath.Join(built, "porchlight")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", out, "github.com/porchlight-hub/porchlight/hub")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the hub: %w\n%s", err, text)
	}
	return out, nil
})

func TestMain(m *testing.M) {
	var err error
	if built, err = os.MkdirTemp("", "porchlight-browser-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(built)
	os.Exit(code)
}

// hub is a running one with a person signed in.
type hub struct {
	t      *testing.T
	tools  tools
	binary string
	env    []string
	dir    string
	url    string
	cookie string
	file   string // its config, if it has one
}

// start runs the real hub in an empty folder with this config, none for the demo, and
// opens its setup link. More are files beside it, each a name and its text.
func start(t *testing.T, yaml string, more ...string) *hub {
	h := &hub{t: t, tools: need(t), dir: t.TempDir()}
	var err error
	if h.binary, err = binary(); err != nil {
		t.Fatal(err)
	}
	// A fixed list: what the tester's shell has set is not the hub's.
	h.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "XDG_STATE_HOME=" + filepath.Join(h.dir, "state"), "TZ=UTC", "PORCHLIGHT_WEBRTC_PORT=0", "PORCHLIGHT_RTSP_PORT=0"}
	args := []string{"run", "--listen", "127.0.0.1:0", "--demo"}
	for i := 0; i+1 < len(more); i += 2 {
		name := filepath.Join(h.dir, more[i])
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(more[i+1]), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if yaml != "" {
		h.file = filepath.Join(h.dir, "porchlight.yaml")
		if err := os.WriteFile(h.file, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		args = []string{"run", "--listen", "127.0.0.1:0", "--config", h.file}
	}
	link := h.run(args)
	h.url = link[:strings.Index(link, "/setup")]
	h.cookie = claim(t, link)
	return h
}

// run starts the process, keeps its output for a failure, and gives the link it prints.
func (h *hub) run(args []string) string {
	t := h.t
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, h.binary, args...)
	cmd.Dir, cmd.Env = h.dir, h.env
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 15 * time.Second
	var log tail
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	links := make(chan string, 1) // the one link
	var reader sync.WaitGroup
	reader.Go(func() {
		find := regexp.MustCompile(`http://\S+/setup\?token=\S+`)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			fmt.Fprintln(&log, lines.Text())
			if link := find.FindString(lines.Text()); link != "" {
				select {
				case links <- link:
				default:
				}
			}
		}
	})
	t.Cleanup(func() {
		cancel()
		reader.Wait()
		if err := cmd.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the hub ended badly: %v", err)
		}
		if t.Failed() {
			t.Logf("the hub's last words:\n%s", log.String())
		}
	})
	select {
	case link := <-links:
		return link
	case <-time.After(startWithin):
		t.Fatalf("no link within %s", startWithin)
		return ""
	}
}

// claim opens the link and gives the cookie as name=value.
func claim(t *testing.T, link string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", link, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, c := range resp.Cookies() {
		return c.Name + "=" + c.Value
	}
	b, _ := io.ReadAll(resp.Body)
	t.Fatalf("the link set no cookie: %s\n%s", resp.Status, b)
	return ""
}

// link asks the running hub for a fresh one, as a person in a terminal does.
func (h *hub) link() string {
	args := []string{"setup-link"}
	if h.file != "" {
		args = append(args, "--config", h.file)
	}
	cmd := exec.CommandContext(h.t.Context(), h.binary, args...)
	cmd.Dir, cmd.Env = h.dir, h.env
	out, err := cmd.CombinedOutput()
	link := regexp.MustCompile(`http://\S+/setup\?token=\S+`).Find(out)
	if err != nil || link == nil {
		h.t.Fatalf("setup-link: %v\n%s", err, out)
	}
	return string(link)
}

// see drives one script.
func (h *hub) see(t *testing.T, script string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), h.tools.node, filepath.Join("scripts", script+".mjs"))
	cmd.Env = append(os.Environ(), "PORCHLIGHT_URL="+h.url, "PORCHLIGHT_COOKIE="+h.cookie, "PORCHLIGHT_LINK="+h.link(),
		"PORCHLIGHT_FILE="+h.file, "CHROMIUM="+h.tools.chromium)
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	t.Logf("%s", bytes.TrimSpace(out))
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
}

func (h *hub) get(path string, into any) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "GET", h.url+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Cookie", h.cookie)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		h.t.Fatalf("%s: %v", path, err)
	}
}

// tail keeps the last lines of an output.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	const most = 32 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if len(t.b) > most {
		t.b = t.b[len(t.b)-most:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// The modules are plain JavaScript whose types stand in comments; here they are checked.
func TestModulesAreTyped(t *testing.T) {
	node := need(t).node
	static := filepath.Join("..", "static", "js")
	cmd := exec.CommandContext(t.Context(), node, filepath.Join("node_modules", "typescript", "bin", "tsc"),
		"--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler",
		"--lib", "es2023,dom,dom.iterable,webworker.asynciterable", filepath.Join(static, "main.js"), filepath.Join(static, "feed-worker.js"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestDemo(t *testing.T) {
	h := start(t, "")
	for _, script := range []string{"first", "ring", "fallback", "live", "talk", "axe", "stale", "killed", "keyboard"} { // keyboard last: it sets a password
		t.Run(script, func(t *testing.T) { h.see(t, script) })
	}
}

func TestTypo(t *testing.T) {
	h := start(t, "version: 1\ncameras:\n  demo_porch: {name: Demo porch, kind: doorbell, plugin: demo}\nchimes:\n  browser:\n    builtin: browser\n    sound: ding_dong\n")
	h.see(t, "typo")
}

func TestEmpty(t *testing.T) {
	h := start(t, "version: 1\nchimes:\n  browser: {builtin: browser}\n")
	h.see(t, "empty")
}

// A house with several cameras, one of them hung on its side, and a bare button; the
// second file is one that the first includes.
func TestSeveral(t *testing.T) {
	h := start(t, `version: 1
include: [conf.d/*.yaml]
cameras:
  front_door: {name: Front door, kind: doorbell, plugin: demo}
  drive: {name: Drive, plugin: demo, rotate: 90}
  side_bell: {name: Side bell}
chimes:
  browser: {builtin: browser, sound: ding_dong}
`, "conf.d/garden.yaml", `cameras:
  garden:
    name: Garden
    plugin: demo
  back: {name: Back yard, plugin: demo}
`)
	for _, script := range []string{"several", "button", "unshown", "files"} { // files last: it removes a camera
		t.Run(script, func(t *testing.T) { h.see(t, script) })
	}
}

// A house in Apple Home, before anybody has scanned a code.
func TestHomeKit(t *testing.T) {
	h := start(t, `version: 1
cameras:
  front_door: {name: Front door, kind: doorbell, plugin: demo}
  drive: {name: Drive, plugin: demo}
chimes:
  browser: {builtin: browser, sound: ding_dong}
plugins:
  homekit: {builtin: homekit}
`)
	h.see(t, "homekit")
}

// Three tabs cost the demo no more than one: it sends each access unit once.
func TestThreeTabsCostTheCameraNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a process writes is read from /proc, which only Linux has")
	}
	h := start(t, "")
	cmd := exec.CommandContext(t.Context(), h.tools.node, filepath.Join("scripts", "tabs.mjs"))
	cmd.Env = append(os.Environ(), "PORCHLIGHT_URL="+h.url, "PORCHLIGHT_COOKIE="+h.cookie, "CHROMIUM="+h.tools.chromium)
	cmd.Stderr = os.Stderr
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
	lines := bufio.NewScanner(out)
	// The script says how many tabs are live, and waits for a line before it opens more.
	rate := func(tabs int) float64 {
		t.Helper()
		if !lines.Scan() || lines.Text() != fmt.Sprintf("live %d", tabs) {
			t.Fatalf("want %d live tabs, the script says %q", tabs, lines.Text())
		}
		defer fmt.Fprintln(in)
		var demo struct {
			PID int `json:"pid"`
		}
		h.get("/api/v1/plugins/demo", &demo)
		return written(t, demo.PID)
	}
	one, three := rate(1), rate(3)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("the demo writes %.0f B/s for one tab, %.0f B/s for three", one, three)
	// Sent once a tab it would be three times as much; the loop itself varies by a third.
	if three > 1.8*one {
		t.Errorf("three tabs make the demo write %.1f times as much as one", three/one)
	}
}

// written is how many bytes a second a process writes, over one whole loop of the demo's film.
func written(t *testing.T, pid int) float64 {
	t.Helper()
	count := func() (float64, time.Time) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
		if err != nil {
			t.Fatal(err)
		}
		m := regexp.MustCompile(`(?m)^wchar: (\d+)$`).FindSubmatch(b)
		if m == nil {
			t.Fatalf("no wchar in %s", b)
		}
		n, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			t.Fatal(err)
		}
		return n, time.Now()
	}
	before, from := count()
	const loop = 10 * time.Second
	select {
	case <-time.After(loop):
	case <-t.Context().Done():
	}
	after, to := count()
	return (after - before) / to.Sub(from).Seconds()
}
