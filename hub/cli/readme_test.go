package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/format"
	"image/jpeg"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/api/client"
)

// motionPause is longer than the demo's motion lasts.
const motionPause = 4 * time.Second

// mostLines of the README's plugin: an evening's work fits on a page.
const mostLines = 80

func readme(t *testing.T) string {
	t.Helper()
	return read(t, "README.md")
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(hubtest.Root(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadmePlugin(t *testing.T) {
	_, rest, ok := strings.Cut(readme(t), "<!-- plugin:begin -->\n```go\n")
	listing, _, ok2 := strings.Cut(rest, "```\n<!-- plugin:end -->")
	if !ok || !ok2 {
		t.Fatal("README.md shows no plugin")
	}
	if listing != read(t, "examples/frontgate/main.go") {
		t.Error("the README's plugin is not examples/frontgate/main.go")
	}
	pretty, err := format.Source([]byte(listing))
	if err != nil || string(pretty) != listing {
		t.Errorf("the README's plugin is not formatted: %v", err)
	}
	if n := strings.Count(listing, "\n"); n >= mostLines {
		t.Errorf("the README's plugin has %d lines, want less than %d", n, mostLines)
	}
}

// step is one thing that the README tells its reader to do.
type step struct{ kind, text string } // kind: command, yaml

var (
	fence   = regexp.MustCompile("(?ms)^ *```(\\w+)\n(.*?)^ *```$")
	command = regexp.MustCompile("`(bin/porchlight [^`]+)`")
)

// steps are the README's commands and YAML blocks, in its order.
func steps(text string) []step {
	var out []step
	prose := func(s string) {
		for _, m := range command.FindAllStringSubmatch(s, -1) {
			out = append(out, step{"command", m[1]})
		}
	}
	at := 0
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		prose(text[at:m[0]])
		at = m[1]
		switch body := text[m[4]:m[5]]; text[m[2]:m[3]] {
		case "yaml":
			out = append(out, step{"yaml", body})
		case "sh":
			for line := range strings.Lines(body) {
				line, _, _ = strings.Cut(line, "#")
				out = append(out, step{"command", strings.TrimSpace(line)})
			}
		}
	}
	prose(text[at:])
	return out
}

// reader does what the README says, in a folder of their own.
type reader struct {
	t     *testing.T
	dir   string
	hub   *hubtest.Hub
	event string
	yamls int
	apple string // what stands of Apple Home in the file
	// camera is the one that the README adds while the hub runs.
	camera string
	secure bool // its pages were HTTPS
}

// TestReadme follows the README from its first command to its last.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real binary")
	}
	t.Parallel()
	r := &reader{t: t, dir: hubtest.Dir(t, "")}
	for _, err := range []error{os.Remove(filepath.Join(r.dir, "porchlight.yaml")), os.Mkdir(filepath.Join(r.dir, "bin"), 0o700),
		os.Symlink(absolute(t, hubtest.Binary(t)), filepath.Join(r.dir, "bin", "porchlight"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	did := 0
	for _, s := range steps(readme(t)) {
		switch {
		case s.kind == "yaml" && strings.HasPrefix(s.text, "  listen:"):
			r.open(s.text)
			continue
		case s.kind == "yaml" && strings.HasPrefix(s.text, "  homekit:"):
			r.home(s.text)
			continue
		case s.kind == "yaml" && strings.HasPrefix(s.text, " "):
			r.insert(s.text)
			continue
		case s.kind == "yaml":
			r.save(s.text)
			continue
		}
		did++
		r.run(s.text)
	}
	if did < 13 || r.yamls != 2 || r.camera == "" || !r.secure {
		t.Errorf("the README has %d commands and %d files; the test does not find all", did, r.yamls)
	}
}

func absolute(t *testing.T, file string) string {
	t.Helper()
	abs, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

func (r *reader) env() []string {
	return append(os.Environ(), "PORCHLIGHT_LISTEN=127.0.0.1:0", "PORCHLIGHT_WEBRTC_PORT=0", "PORCHLIGHT_RTSP_PORT=0", "XDG_STATE_HOME="+filepath.Join(r.dir, "state"))
}

func (r *reader) run(line string) {
	t := r.t
	switch {
	case line == "make run":
		r.start()
		return
	case strings.HasPrefix(line, "make "):
		if target := strings.Fields(line)[1]; !strings.Contains(read(t, "Makefile"), "\n"+target+":") {
			t.Errorf("%s: there is no such target", line)
		}
		return
	case strings.HasPrefix(line, "go build -o bin/frontgate "):
		return // save does it, with the name the YAML gives
	case strings.Contains(line, " CONTROLLER"):
		return // no phone is paired here
	case strings.HasSuffix(line, "events tail"):
		r.tail(line)
		return
	}
	line = strings.ReplaceAll(line, "EVENT_ID", r.event)
	cmd := exec.Command(filepath.Join(r.dir, "bin/porchlight"), strings.Fields(line)[1:]...)
	cmd.Dir, cmd.Env = r.dir, r.env()
	cmd.Stdin = strings.NewReader("p@:/#\n") // who asks for a secret gets one
	if strings.HasSuffix(line, " init") {
		cmd.Dir = t.TempDir()
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == 1 && (strings.Contains(line, " cameras test ") || strings.HasSuffix(line, " doctor")):
		// The README's camera is not there, and they say so.
		if !strings.Contains(string(out), "E-RTSP-REFUSED") {
			t.Errorf("%s: does not say what is wrong with the camera:\n%s", line, out)
		}
	case errors.As(err, &exit) && exit.ExitCode() == 1 && strings.HasSuffix(line, " doctor homekit"):
		// Loopback carries no multicast, and it says so.
		if !strings.Contains(string(out), "not heard back") {
			t.Errorf("%s: does not say that nobody hears the accessory:\n%s", line, out)
		}
	case err != nil:
		t.Errorf("%s: %v\n%s", line, err, out)
	}
	if m := regexp.MustCompile(`\(event (\S+)\)`).FindSubmatch(out); m != nil {
		r.event = string(m[1])
	}
	if strings.Contains(line, "plugins ls") && r.yamls == 0 {
		r.killDemo()
	}
}

func (r *reader) start() {
	if r.hub != nil {
		r.hub.Stop()
	}
	cmd := exec.Command(filepath.Join(r.dir, "bin/porchlight"), "run") // what make run runs
	cmd.Env = r.env()
	r.hub = hubtest.LaunchCommand(r.t, r.dir, cmd)
	if r.yamls == 0 {
		r.hub.DataDir = filepath.Join(r.dir, "state", "porchlight")
	}
	r.hub.WaitReady()
}

// tail shows events until Ctrl-C; a ring is one.
func (r *reader) tail(line string) {
	cmd := exec.Command(filepath.Join(r.dir, "bin/porchlight"), strings.Fields(line)[1:]...)
	cmd.Dir, cmd.Env = r.dir, r.env()
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	// A motion that goes on is no second event, and one before the connection is not shown.
	next := time.Now().Add(motionPause / 4)
	hubtest.Eventually(r.t, line+" shows a motion", func() bool {
		if time.Now().After(next) {
			next = time.Now().Add(motionPause)
			if _, err := r.hub.Client.Act(r.t.Context(), "demo", "motion", json.RawMessage(`{"camera":"demo_porch"}`)); err != nil {
				r.t.Fatal(err)
			}
		}
		return strings.Contains(out.String(), "motion")
	})
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		r.t.Error(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(out.String(), "motion") {
		r.t.Errorf("%s: %v\n%s", line, err, out.String())
	}
}

// killDemo: the picture comes back, and nothing rings.
func (r *reader) killDemo() {
	ctx := r.t.Context()
	pid := running(r.t, r.hub, "demo", 0)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	running(r.t, r.hub, "demo", pid)
	r.picture("demo_porch")
	list, err := r.hub.Client.Events(ctx, client.Query{Kinds: []string{"ring"}})
	if err != nil || len(list.Events) != 1 {
		r.t.Errorf("after one press and a kill there are %d rings: %v", len(list.Events), err)
	}
}

// save writes porchlight.yaml. The first time the hub is started again, as step 5
// says; then a save takes effect at once.
func (r *reader) save(yaml string) {
	t := r.t
	r.yamls++
	file := filepath.Join(r.dir, "porchlight.yaml")
	if strings.Contains(yaml, "bin/frontgate") {
		if err := os.Symlink(hubtest.Build(t, "./examples/frontgate"), filepath.Join(r.dir, "bin/frontgate")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	if r.yamls == 1 {
		r.start()
		r.ready("demo")
		return
	}
	if r.secure { // a stranger to this certificate fetches the pictures below
		r.start()
	}
	r.ready("frontgate")
	r.picture("gate")
	hubtest.Eventually(t, "the visitor rings at the gate", func() bool {
		list, err := r.hub.Client.Events(t.Context(), client.Query{Camera: "gate", Kinds: []string{"ring"}})
		return err == nil && len(list.Events) == 1 && list.Events[0].Source == "frontgate"
	})
}

// home puts Apple Home below the file's plugins, in place of what stood there of it. A
// test's machine has not the README's network card.
func (r *reader) home(lines string) {
	file := filepath.Join(r.dir, "porchlight.yaml")
	have, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(have), "\nplugins:\n")
	if !ok {
		r.t.Fatal("the README's file has no plugins")
	}
	after = strings.TrimPrefix(after, r.apple)
	r.apple = strings.ReplaceAll(lines, "[eth0]", "[lo]")
	if err := os.WriteFile(file, []byte(before+"\nplugins:\n"+r.apple+after), 0o600); err != nil {
		r.t.Fatal(err)
	}
	r.ready("homekit")
	ctx := r.t.Context()
	hubtest.Eventually(r.t, "the porch is an accessory of Apple Home", func() bool {
		out, err := r.hub.Client.Act(ctx, "homekit", "status", nil)
		return err == nil && strings.Contains(string(out), `"camera":"porch"`) && strings.Contains(string(out), `"bridge":null`) != strings.Contains(lines, "mute_switch")
	})
}

// open puts lines into the hub's section, and starts it again: its pages are HTTPS then,
// and still only here, since the test's environment says where to listen.
func (r *reader) open(lines string) {
	t := r.t
	file := filepath.Join(r.dir, "porchlight.yaml")
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(have), "hub:\n")
	if !ok {
		t.Fatal("the README's file has no hub section")
	}
	if err := os.WriteFile(file, []byte(before+"hub:\n"+lines+after), 0o600); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.ready("demo")
	if r.secure = strings.HasPrefix(r.hub.SetupURL, "https://"); !r.secure {
		t.Errorf("the link is %s", r.hub.SetupURL)
	}
}

// insert puts lines into the file's cameras while the hub runs. Nobody is at the address
// that they name; a test must not look for one there.
func (r *reader) insert(lines string) {
	t := r.t
	file := filepath.Join(r.dir, "porchlight.yaml")
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, after, ok := strings.Cut(string(have), "cameras:\n")
	if !ok {
		t.Fatal("the README's file has no cameras")
	}
	if strings.Count(lines, "\n") > 5 {
		t.Error("the README promises five lines")
	}
	lines = strings.ReplaceAll(lines, "192.168.1.40", "127.0.0.1:1") // tcpmux: closed on any machine of today
	if err := os.WriteFile(file, []byte(before+"cameras:\n"+lines+after), 0o600); err != nil {
		t.Fatal(err)
	}
	r.camera, _, _ = strings.Cut(strings.TrimSpace(lines), ":")
	pid := running(t, r.hub, "demo", 0)
	r.ready("rtsp")
	hubtest.Eventually(t, "the hub has tried the new camera", func() bool {
		list, err := r.hub.Client.Cameras(t.Context())
		return err == nil && slices.ContainsFunc(list, func(c api.Camera) bool {
			return c.ID == r.camera && len(c.Sources) > 0 && c.Sources[0].Code == "E-RTSP-REFUSED"
		})
	})
	if now := running(t, r.hub, "demo", 0); now != pid {
		t.Error("the new camera has restarted the demo")
	}
}

func (r *reader) ready(plugin string) {
	hubtest.Eventually(r.t, plugin+" runs", func() bool {
		p, err := r.hub.Client.Plugin(r.t.Context(), plugin)
		return err == nil && p.State == "running"
	})
	got, err := r.hub.Client.Config(r.t.Context())
	if err != nil || !got.Valid || slices.ContainsFunc(got.Problems, func(p api.ConfigProblem) bool { return p.Severity == string(config.Error) }) {
		r.t.Errorf("the README's file is not valid: %v %+v", err, got.Problems)
	}
}

// picture of a camera as a browser that opened a setup link gets it.
func (r *reader) picture(camera string) {
	t := r.t
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	link, err := r.hub.Client.SetupLink(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	get(t.Context(), browser, link.URL)
	hubtest.Eventually(t, "a picture of "+camera, func() bool {
		status, body := get(t.Context(), browser, r.hub.BaseURL()+"/api/v1/cameras/"+camera+"/snapshot.jpg")
		if status != http.StatusOK {
			return false
		}
		img, err := jpeg.Decode(bytes.NewReader(body))
		return err == nil && img.Bounds().Dx() >= 320
	})
}

// get gives status 0 where there was no answer.
func get(ctx context.Context, c *http.Client, url string) (int, []byte) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil
	}
	res, err := c.Do(req)
	if err != nil {
		return 0, fmt.Append(nil, err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		return 0, nil
	}
	return res.StatusCode, b.Bytes()
}

// lockedBuffer takes what a running child writes while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestDocsNameWhatIsThere: a tour that leads to a file that went loses its visitor.
func TestDocsNameWhatIsThere(t *testing.T) {
	named := regexp.MustCompile("`((?:hub|sdk|plugins|config|examples|docs)/[\\w./-]*\\w)`")
	linked := regexp.MustCompile(`\]\(([\w./-]+)(?:#[\w-]+)?\)`)
	for _, doc := range []string{"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/tour.md", "docs/protocol.md", "docs/plugin-guide/README.md", "examples/README.md"} {
		text := read(t, doc)
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(hubtest.Root(), m[1])); err != nil {
				t.Errorf("%s names %s, which is not there", doc, m[1])
			}
		}
		for _, m := range linked.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(hubtest.Root(), filepath.Dir(doc), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, m[1])
			}
		}
	}
}
