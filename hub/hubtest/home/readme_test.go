//go:build linux

package home

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

// TestReadme is what the README promises who runs the hub without a line of YAML: the
// page's code pairs the demo's doorbell, which is seen, heard, answered and heard from.
func TestReadme(t *testing.T) {
	s := &stage{camera: "demo_porch", site: newLand(t)}
	dir, err := os.MkdirTemp("", "plt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	cmd := exec.Command(s.bin, "run")
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	s.Hub = hubtest.LaunchCommand(t, dir, cmd)
	s.DataDir = filepath.Join(dir, "porchlight")
	s.WaitReady()
	s.settled("demo_porch")
	code, qr := s.page(t)
	if shown, _ := s.code("demo_porch"); !qr || shown != code {
		t.Errorf("the page shows the code %s, a QR code: %t", code, qr)
	}
	s.phone = s.site.phone("phone")
	address := at(s.ready("demo_porch"))
	if _, err := s.phone.Pair(within(t), address, code); err != nil {
		t.Fatal(err)
	}
	if _, err := s.site.phone("another").Pair(within(t), address, "111-22-334"); err == nil {
		t.Error("another controller is let in with a wrong code")
	}
	s.x = s.verified(s.phone, "demo_porch")
	s.db = s.listen(s.x)
	if b, err := s.x.Resource(within(t), 1, 640, 360, controller.Periodic); err != nil || len(b) < 1000 {
		t.Errorf("the snapshot: %d bytes %v", len(b), err)
	}
	st := s.sees(s.x, controller.Usual())
	hubtest.Eventually(t, "pictures and sound come", func() bool { return len(st.Video().Frames) > 25 && len(st.Sound().Sound) > 25 })
	if p := probe(t, st.Video().Frames); len(p.Frames) < 25 {
		t.Errorf("%d pictures can be decoded", len(p.Frames))
	}
	s.speak(t, st)
	bell := find(t, s.db, "121", "73")
	if _, err := s.Client.Ring(t.Context(), "demo_porch", false); err != nil {
		t.Fatal(err)
	}
	if v := next(t, s.x, bell); v != "0" {
		t.Errorf("the press is told as %s", v)
	}
	s.killPlugin()
	x := s.verified(s.phone, "demo_porch")
	if _, err := x.Accessories(within(t)); err != nil {
		t.Errorf("after kill -9 of the plugin: %v", err)
	}
	for e := range s.x.Events() {
		t.Errorf("more was told: %+v", e)
	}
}

// page reads the owner's page of Apple Home: the code on it, and whether there is a QR code.
func (s *site) page(t *testing.T) (code string, qr bool) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Jar: jar, Timeout: hubtest.Within}
	var text string
	for _, url := range []string{s.SetupURL, s.BaseURL() + "/homekit"} {
		res, err := web.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v", url, res.Status, err)
		}
		text = string(b)
	}
	return regexp.MustCompile(`\b\d{3}-\d{2}-\d{3}\b`).FindString(text), strings.Contains(text, "<svg") || strings.Contains(text, "/qr")
}
