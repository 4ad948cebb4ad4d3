package hubtest_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// TestForeignStreams watches what cameras send beside H.264 and AAC, by TCP and UDP.
func TestForeignStreams(t *testing.T) {
	p := newPorch(t, map[string]hubtest.CameraStream{
		"/hevc":   {Video: "h265", Sound: "opus", Width: 320, Height: 180, FPS: 10, Kbps: 200},
		"/jpeg":   {Video: "mjpeg", Width: 320, Height: 240, FPS: 5}, // RFC 2435 knows sizes in eights alone
		"/alaw":   {Sound: "pcma", Width: 320, Height: 180, FPS: 10, Kbps: 200},
		"/linear": {Sound: "l16", Width: 320, Height: 180, FPS: 10, Kbps: 200},
		"/udp":    {Sound: "aac", Width: 320, Height: 180, FPS: 10, Kbps: 200},
	})
	cases := []struct {
		id, codec, sound string
		mime             string // of MSE; empty: this stream cannot be shown so
		height           int
		more             string
	}{
		{"hevc", "h265", "opus", "hvc1.", 180, ""},
		{"jpeg", "mjpeg", "", "", 240, ""},
		{"alaw", "h264", "pcma", "avc1.", 180, ""},
		{"linear", "h264", "l16", "avc1.", 180, ""},
		{"udp", "h264", "aac", "avc1.", 180, ", transport: udp"},
	}
	yaml := "cameras:\n"
	for _, c := range cases {
		yaml += fmt.Sprintf("  %s: {source: {url: \"rtsp://%s/%s\", username: cam, password: %q%s}}\n", c.id, p.camera.Address(), c.id, hardPassword, c.more)
	}
	p.Save(hubtest.Config(yaml))
	for _, c := range cases {
		t.Run(c.id, func(t *testing.T) {
			p.t = t
			p.known(c.id)
			s := p.until(c.id, "live")
			if s.Codec != c.codec || strings.Join(s.Sound, ",") != c.sound || s.Width != 320 || s.Height != c.height {
				t.Errorf("the source tells %+v", s)
			}
			if c.more != "" && s.Transport != "udp" {
				t.Errorf("it comes by %s", s.Transport)
			}
			v := watch(t, p.Hub, p.web, c.id, "main")
			if c.mime == "" {
				hubtest.Eventually(t, "the page is told to take another way", func() bool {
					said := v.said()
					return len(said) > 0 && strings.HasPrefix(said[len(said)-1], "cannot: ")
				})
			} else {
				v.more(5)
				if init := v.init(); !strings.Contains(init.MIME, c.mime) {
					t.Errorf("the page was told %+v", init)
				}
			}
			p.snapshot(c.id, 320, c.height)
		})
	}
	p.t = t
	if told := p.doctor(); !strings.Contains(told, "hevc main sends h265 320x180 — not every browser plays it") {
		t.Errorf("the doctor says\n%s", told)
	}
}

// snapshot waits until there is one of that size.
func (p *porch) snapshot(id string, width, height int) {
	p.t.Helper()
	var last string
	hubtest.Eventually(p.t, "a snapshot of "+id, func() bool {
		res, err := p.web.Get(p.BaseURL() + "/api/v1/cameras/" + id + "/snapshot.jpg")
		if err != nil {
			p.t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			last = fmt.Sprintf("%s %s %v", res.Status, b, err)
			if strings.Contains(last, "E-CONV-NO-FFMPEG") {
				p.t.Skip("SKIPPED: no ffmpeg for stills; apt-get install ffmpeg")
			}
			return false
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width != width || c.Height != height {
			p.t.Fatalf("%s: %dx%d %v", id, c.Width, c.Height, err)
		}
		return true
	})
}

// TestFilm watches ffmpeg with B-frames, whose pictures are not sent in the order in which
// they are shown; it is killed and comes back.
func TestFilm(t *testing.T) {
	film := hubtest.StartFilm(t, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15", "-f", "lavfi", "-i", "sine=frequency=440",
		"-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-g", "30", "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac", "-ar", "16000", "-ac", "1")
	p := &porch{t: t, Hub: hubtest.Start(t, hubtest.Binary(t), hubtest.Dir(t, hubtest.Config("cameras:\n  porch: {source: {url: \""+film.URL()+"\"}}\n")))}
	p.web = login(t, p.Hub)
	p.known("porch")
	v := watch(t, p.Hub, p.web, "porch", "main")
	v.more(15)
	p.snapshot("porch", 320, 180)
	film.Kill()
	hubtest.Eventually(t, "the hub says that it is away", func() bool { s := p.source("porch"); return s.State != "live" && s.Reason != "" })
	film.Again()
	back := time.Now()
	v.more(15)
	t.Logf("back %s after the film ran again", time.Since(back).Round(10*time.Millisecond))
	p.until("porch", "live")
	told := p.doctor()
	for _, want := range []string{"B-frames", "asks for no login"} {
		if !strings.Contains(told, want) {
			t.Errorf("no word of %s:\n%s", want, told)
		}
	}
}

// TestOneEditTouchesOneCamera moves one of two cameras to another address, as a router
// does that gives out new ones, and changes the other's name.
func TestOneEditTouchesOneCamera(t *testing.T) {
	p := newPorch(t, map[string]hubtest.CameraStream{"/main": {Sound: "aac", Width: 320, Height: 180, FPS: 10, Kbps: 200}})
	other, moved := hubtest.NewTap(t, p.camera.Address()), hubtest.NewTap(t, p.camera.Address())
	entry := func(id, name string, tap *hubtest.Tap) string {
		return fmt.Sprintf("  %s: {name: %s, source: {url: \"rtsp://%s/main\", username: cam, password: %q}}\n", id, name, tap.Address(), hardPassword)
	}
	p.Save(hubtest.Config("cameras:\n" + entry("porch", "Porch", p.tap) + entry("gate", "Gate", other)))
	for _, id := range []string{"porch", "gate"} {
		p.known(id)
		p.until(id, "live")
	}
	v := watch(t, p.Hub, p.web, "gate", "main")
	v.more(5)
	told, begun := len(v.said()), v.begun()
	pid := p.plugin("rtsp", 0)

	p.Save(hubtest.Config("cameras:\n" + entry("porch", "Porch", moved) + entry("gate", "Garden gate", other)))
	hubtest.Eventually(t, "the porch is live at its new address", func() bool {
		s := p.source("porch")
		return s.State == "live" && s.Address == moved.Address()
	})
	hubtest.Eventually(t, "the gate has its new name", func() bool {
		c, err := p.Client.Camera(t.Context(), "gate")
		return err == nil && c.Name == "Garden gate"
	})
	v.more(5)
	if n := other.Connections(); n != 1 {
		t.Errorf("the gate was connected %d times", n)
	}
	if said := v.said()[told:]; len(said) > 0 || v.begun() != begun {
		t.Errorf("who watched the gate was told %q and began %d times anew", said, v.begun()-begun)
	}
	if got, err := p.Client.Plugin(t.Context(), "rtsp"); err != nil || got.PID != pid {
		t.Errorf("the plugin is another process: %+v %v", got.PID, err)
	}
	if p.tap.Open() != 0 {
		t.Error("the old connection is still open")
	}
}
