package hubtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// hardPassword has every character that addresses stumble over.
const hardPassword = "p@:/#"

// porch is a running hub, a foreign camera, and the wire between them.
type porch struct {
	*hubtest.Hub
	t      *testing.T
	camera *hubtest.Camera
	tap    *hubtest.Tap
	web    *http.Client
}

// newPorch starts a hub without cameras, and a camera that it does not know yet.
func newPorch(t *testing.T, streams map[string]hubtest.CameraStream) *porch {
	t.Helper()
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: hardPassword, Digest: true, Streams: streams})
	p := &porch{t: t, camera: cam, tap: hubtest.NewTap(t, cam.Address())}
	p.Hub = hubtest.Start(t, hubtest.Binary(t), hubtest.Dir(t, hubtest.Config("")))
	p.web = login(t, p.Hub)
	return p
}

// five lines are all that a camera takes.
func (p *porch) five(password string) string {
	return fmt.Sprintf("cameras:\n  porch:\n    source:\n      url: rtsp://%s/main\n      username: cam\n      password: %q\n", p.tap.Address(), password)
}

// source is the main one of a camera, the zero value where there is none yet.
func (p *porch) source(id string) api.Source {
	c, err := p.Client.Camera(p.t.Context(), id)
	if err != nil || len(c.Sources) == 0 {
		return api.Source{}
	}
	return c.Sources[0]
}

func (p *porch) until(id, state string) api.Source {
	p.t.Helper()
	var s api.Source
	hubtest.Eventually(p.t, fmt.Sprintf("%s is %s", id, state), func() bool {
		s = p.source(id)
		return s.State == state
	})
	return s
}

// known waits until the hub has the camera, so that a page can be opened on it.
func (p *porch) known(id string) {
	p.t.Helper()
	hubtest.Eventually(p.t, id+" is known", func() bool {
		_, err := p.Client.Camera(p.t.Context(), id)
		return err == nil
	})
}

// plugin waits until it runs as another process than before, and gives that.
func (p *porch) plugin(name string, before int) int {
	p.t.Helper()
	pid := 0
	hubtest.Eventually(p.t, name+" runs", func() bool {
		got, err := p.Client.Plugin(p.t.Context(), name)
		pid = got.PID
		return err == nil && got.State == "running" && got.PID != 0 && got.PID != before
	})
	return pid
}

// doctor runs the command beside the hub.
func (p *porch) doctor() string {
	p.t.Helper()
	cmd := exec.Command(hubtest.Binary(p.t), "doctor", "--config", filepath.Join(p.Dir, "porchlight.yaml"))
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		p.t.Fatal(err)
	}
	return string(out)
}

// TestPorch is the first hour of an owner with a camera of his own: five lines of YAML
// and it is live, without a restart; nothing that breaks afterwards takes more with it
// than it must.
func TestPorch(t *testing.T) {
	p := newPorch(t, map[string]hubtest.CameraStream{"/main": {Sound: "aac", Width: 640, Height: 360, FPS: 15, Key: 2}})

	saved := time.Now()
	p.Save(hubtest.Config(p.five(hardPassword)))
	p.known("porch")
	v := watch(t, p.Hub, p.web, "porch", "main")
	v.more(1)
	t.Logf("live %s after the file was saved", time.Since(saved).Round(10*time.Millisecond))
	s := p.until("porch", "live")
	if s.Codec != "h264" || s.Width != 640 || s.Height != 360 || len(s.Sound) != 1 || s.Sound[0] != "aac" {
		t.Errorf("the source tells %+v", s)
	}
	if init := v.init(); !init.Sound || !strings.Contains(init.MIME, "avc1.") || !strings.Contains(init.MIME, "mp4a.40.2") {
		t.Errorf("the page was told %+v", init)
	}
	if n := p.tap.Logins(); n != 1 {
		t.Errorf("%d logins for one stream", n)
	}

	t.Run("the plugin is killed and the picture does not stop", func(t *testing.T) {
		p.t, v.t = t, t
		pid := p.plugin("rtsp", 0)
		was := p.source("porch")
		inits, connections, told := v.begun(), p.tap.Connections(), len(v.said())
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		v.more(20)
		p.plugin("rtsp", pid)
		v.more(20)
		now := p.source("porch")
		if now.State != "live" || now.Reconnects != was.Reconnects || p.tap.Connections() != connections {
			t.Errorf("after the kill: %s, %d reconnects (%d before), %d connections (%d before)", now.State, now.Reconnects, was.Reconnects, p.tap.Connections(), connections)
		}
		if said := v.said()[told:]; v.begun() != inits || len(said) > 0 {
			t.Errorf("the page was told %q and began %d times anew", said, v.begun()-inits)
		}
	})

	t.Run("the camera loses its power and comes back", func(t *testing.T) {
		p.t, v.t = t, t
		p.camera.Kill()
		hubtest.Eventually(t, "the hub says that it is away", func() bool { return p.source("porch").State != "live" })
		if s := p.source("porch"); s.Reason == "" || s.Code == "" {
			t.Errorf("away without a reason: %+v", s)
		}
		p.camera.Again()
		back := time.Now()
		v.more(1)
		t.Logf("back %s after the camera listened again; the page was told %q", time.Since(back).Round(10*time.Millisecond), v.said())
		if s := p.until("porch", "live"); s.Reconnects == 0 {
			t.Error("no reconnect was counted")
		}
	})

	t.Run("the camera freezes and thaws", func(t *testing.T) {
		p.t, v.t = t, t
		p.camera.Signal(syscall.SIGSTOP)
		hubtest.Eventually(t, "the hub says that it is silent", func() bool { return p.source("porch").State != "live" })
		p.camera.Signal(syscall.SIGCONT)
		thawed := time.Now()
		v.more(1)
		t.Logf("back %s after it thawed", time.Since(thawed).Round(10*time.Millisecond))
		p.until("porch", "live")
	})

	t.Run("a wrong password tells what to do, and is tried once", func(t *testing.T) {
		p.t, v.t = t, t
		was := p.tap.Logins()
		p.Save(hubtest.Config(p.five("wrong-" + hardPassword)))
		s := p.until("porch", "locked")
		if s.Code != "E-RTSP-LOGIN" || s.Reason == "" || !strings.Contains(s.Fix, "password") {
			t.Errorf("the owner reads %+v", s)
		}
		if in := time.Until(s.NextTry); in < 4*time.Minute {
			t.Errorf("the next try is in %s", in)
		}
		// Whatever happens now is no reason to try again: a plugin that starts anew and
		// describes the same, a page that watches, a doctor who looks.
		pid := p.plugin("rtsp", 0)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.plugin("rtsp", pid)
		w := watch(t, p.Hub, p.web, "porch", "main")
		told := p.doctor()
		w.close()
		if !strings.Contains(told, "fail  cameras  porch") || !strings.Contains(told, "E-RTSP-LOGIN") {
			t.Errorf("the doctor says\n%s", told)
		}
		if n := p.tap.Logins() - was; n != 1 {
			t.Errorf("%d logins with the wrong password", n)
		}
		p.Save(hubtest.Config(p.five(hardPassword)))
		mended := time.Now()
		p.until("porch", "live")
		t.Logf("live %s after the password was mended", time.Since(mended).Round(10*time.Millisecond))
		v.more(1)
		if told := p.doctor(); strings.Contains(told, "fail  cameras") {
			t.Errorf("the doctor says\n%s", told)
		}
	})

	t.Run("the password stands nowhere", func(t *testing.T) { p.t = t; p.searchSecret(hardPassword) })

	t.Run("it is removed while somebody watches", func(t *testing.T) {
		p.t, v.t = t, t
		p.Save(hubtest.Config(""))
		hubtest.Eventually(t, "the camera is gone", func() bool {
			_, err := p.Client.Camera(t.Context(), "porch")
			return err != nil && p.tap.Open() == 0
		})
		hubtest.Eventually(t, "the page is told", func() bool {
			select {
			case <-v.done:
				return true
			default:
				return len(v.said()) > 0
			}
		})
		n := v.seen()
		if list, err := p.Client.Cameras(t.Context()); err != nil || len(list) != 0 || v.seen() != n {
			t.Errorf("cameras %v (%v), %d more pieces", list, err, v.seen()-n)
		}
	})
}

// searchSecret looks where it could be read: the hub's log, what the API and the pages
// answer, the doctor, and the command lines of the hub's processes.
func (p *porch) searchSecret(secret string) {
	t := p.t
	t.Helper()
	places := map[string][]byte{"the hub's output": []byte(p.Output()), "doctor": []byte(p.doctor())}
	for _, path := range []string{"/cameras", "/cameras/porch", "/plugins", "/config", "/config/files", "/health", "/events?kind=all", "/plugins/rtsp/logs"} {
		res, err := p.web.Get(p.BaseURL() + "/api/v1" + path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s %v", path, res.Status, err)
		}
		places["GET "+path] = b
	}
	for _, page := range []string{"/", "/cameras/porch", "/config", "/health"} {
		res, err := p.web.Get(p.BaseURL() + page)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		places["page "+page] = b
	}
	for _, pid := range family(p.PID) {
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil { // it may have ended
			places[fmt.Sprintf("the command line of process %d", pid)] = b
		}
	}
	if strings.Contains(secret, "\"") || len(places) < 15 {
		t.Fatalf("%d places are too few", len(places))
	}
	for where, b := range places {
		if bytes.Contains(b, []byte(secret)) || bytes.Contains(b, []byte(url.QueryEscape(secret))) {
			t.Errorf("%s holds the password", where)
		}
	}
}

// family is a process and all that descend from it.
func family(root int) []int {
	parent := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it ended
		}
		// The name is in brackets and may hold anything; the parent is the second word after it.
		rest := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil || len(rest) < 2 {
			continue
		}
		parent[pid], _ = strconv.Atoi(rest[1]) // the kernel writes a number
	}
	out := []int{root}
	for i := 0; i < len(out); i++ {
		for pid, of := range parent {
			if of == out[i] {
				out = append(out, pid)
			}
		}
	}
	return out
}

// TestBareButton is a wired button: an entry of nothing but a name, rung by one line of curl.
func TestBareButton(t *testing.T) {
	h := hubtest.Start(t, hubtest.Binary(t), hubtest.Dir(t, hubtest.Config("")))
	h.Save(hubtest.Config("cameras:\n  gate: {name: Garden gate}\n"))
	var hook api.Hook
	hubtest.Eventually(t, "the button has a hook", func() bool {
		var err error
		hook, err = h.Client.Hook(t.Context(), "gate")
		return err == nil && hook.URL != ""
	})
	c, err := h.Client.Camera(t.Context(), "gate")
	if err != nil || !c.Button || c.Kind != "doorbell" {
		t.Errorf("%+v %v", c, err)
	}
	ring := func(hook string) (status string, event string) {
		t.Helper()
		if !strings.HasPrefix(hook, "http") {
			hook = h.BaseURL() + hook
		}
		if curl, err := exec.LookPath("curl"); err == nil {
			out, err := exec.Command(curl, "-sS", "-X", "POST", "-w", "\n%{http_code}", hook).CombinedOutput()
			if err != nil {
				t.Fatalf("curl: %v\n%s", err, out)
			}
			body, code, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			var got struct{ Event string }
			_ = json.Unmarshal([]byte(body), &got) // a refusal has none
			return strings.TrimSpace(code), got.Event
		}
		res, err := http.Post(hook, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var got struct{ Event string }
		_ = json.NewDecoder(res.Body).Decode(&got) // a refusal has none
		return fmt.Sprint(res.StatusCode), got.Event
	}
	code, id := ring(hook.URL)
	if code != "202" || id == "" {
		t.Fatalf("%s %q", code, id)
	}
	hubtest.Eventually(t, "the ring is kept", func() bool {
		e, err := h.Client.Event(t.Context(), id)
		return err == nil && e.Type == "ring" && e.Camera == "gate" && e.CameraName == "Garden gate"
	})
	renewed, err := h.Client.RenewHook(t.Context(), "gate")
	if err != nil || renewed.URL == hook.URL {
		t.Fatalf("%+v %v", renewed, err)
	}
	if code, _ := ring(hook.URL); code != "404" {
		t.Errorf("the old address answers %s", code)
	}
	if code, id := ring(renewed.URL); code != "202" || id == "" {
		t.Errorf("the new address answers %s", code)
	}
	token := hook.URL[strings.LastIndexByte(hook.URL, '/')+1:]
	if strings.Contains(h.Output(), token) || strings.Contains(h.Output(), renewed.URL) {
		t.Error("the log holds a hook")
	}
}
