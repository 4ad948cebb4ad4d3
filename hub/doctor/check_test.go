package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// fault is an error as rooms make them.
type fault struct{ text, code, hint string }

func (f fault) Error() string { return f.text }
func (f fault) Code() string  { return f.code }
func (f fault) Hint() string  { return f.hint }

func parse(t *testing.T, yaml string) (*config.Config, []config.Problem) {
	t.Helper()
	return config.Parse("porchlight.yaml", []byte(yaml), config.Options{Builtins: []string{"demo", "rtsp", "speaker"}})
}

// valid is a config that must be good, in a folder that is there.
func valid(t *testing.T, yaml string) *config.Config {
	t.Helper()
	c, problems := parse(t, yaml)
	if c == nil {
		t.Fatal(config.Text(problems, ""))
	}
	return c
}

func listen(ctx context.Context, addr string, _ bool) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fault{"port is taken by sshd (pid 1)", "E-WEB-PORT-TAKEN", "stop it"}
	}
	return ln, nil
}

// has finds a line of that area and state whose text holds the words.
func has(found []Finding, area string, state State, words ...string) bool {
	return slices.ContainsFunc(found, func(f Finding) bool {
		text := f.What + " — " + f.Why + " — " + f.Fix + " [" + f.Code + "]"
		return f.Area == area && f.State == state && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
	})
}

func wants(t *testing.T, found []Finding, area string, state State, words ...string) {
	t.Helper()
	if !has(found, area, state, words...) {
		t.Errorf("no line %s %s with %q in:\n%s", state, area, words, text(found))
	}
}

func text(found []Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%s %s %s — %s — %s [%s]\n", f.State, f.Area, f.What, f.Why, f.Fix, f.Code)
	}
	return b.String()
}

func TestEveryAreaTellsSomething(t *testing.T) {
	found := Check(t.Context(), Deps{})
	for _, area := range Areas() {
		if !slices.ContainsFunc(found, func(f Finding) bool { return f.Area == area }) {
			t.Errorf("%s says nothing", area)
		}
	}
	for _, f := range Check(t.Context(), Deps{}, Tools, Clock) {
		if f.Area != Tools && f.Area != Clock {
			t.Errorf("%s was not asked for", f.Area)
		}
	}
	order := make([]string, 0, len(found))
	for _, f := range found {
		order = append(order, f.Area)
	}
	if order = slices.Compact(order); !slices.Equal(order, Areas()) {
		t.Errorf("order %v", order)
	}
}

func TestConfigProblemsStandWithTheirPlace(t *testing.T) {
	_, problems := parse(t, "version: 1\ncamera:\n  porch: {plugin: demo}\n")
	found := Check(t.Context(), Deps{File: "porchlight.yaml", Problems: problems}, Config)
	wants(t, found, Config, Fail, "porchlight.yaml:2:1", "did you mean", "E-CFG-UNKNOWN-KEY")
	if has(found, Config, OK) {
		t.Errorf("a broken file is called good:\n%s", text(found))
	}
	wants(t, Check(t.Context(), Deps{File: "porchlight.yaml", Config: valid(t, "version: 1\n")}, Config), Config, Warn, "no chime")
}

func TestPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := Deps{Config: valid(t, fmt.Sprintf("version: 1\nhub: {listen: %q}\n", ln.Addr())), Listen: listen}
	wants(t, Check(t.Context(), d, Network), Network, Fail, "sshd", "stop it", "E-WEB-PORT-TAKEN")
	d.Config = valid(t, "version: 1\nhub: {listen: \"127.0.0.1:0\"}\n")
	found := Check(t.Context(), d, Network)
	wants(t, found, Network, OK, "is free")
	wants(t, found, Network, OK, "from this machine only")
	d.Config = valid(t, "version: 1\nhub: {listen: \"0.0.0.0:0\", insecure: true}\n")
	wants(t, Check(t.Context(), d, Network), Network, Warn, "without TLS", "mode: local-ca")
}

func TestRunningHubIsAskedAtItsAddress(t *testing.T) {
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(status)
	}))
	d := Deps{Address: srv.Listener.Addr().String(), Config: valid(t, "version: 1\n"), Listen: listen}
	wants(t, Check(t.Context(), d, Network), Network, OK, "the hub answers on 127.0.0.1")
	d.Ways = func() []Finding { return []Finding{{State: Warn, What: "port 8554 is taken"}} }
	wants(t, Check(t.Context(), d, Network), Network, Warn, "port 8554 is taken")
	d.Config = valid(t, "version: 1\nhub: {webrtc: {interfaces: [nowhere7]}}\n")
	wants(t, Check(t.Context(), d, Network), Network, Warn, "names nowhere7", "lo")
	status = http.StatusServiceUnavailable
	wants(t, Check(t.Context(), d, Network), Network, Warn, "not ready", "503")
	srv.Close()
	wants(t, Check(t.Context(), d, Network), Network, Fail, "does not answer")
	if got := reachable("[::]:8480"); got != "localhost:8480" {
		t.Error(got)
	}
}

func TestClockThatWentBack(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journal.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	d := Deps{DataDir: dir, Now: func() time.Time { return time.Now().Add(-time.Hour) }}
	wants(t, Check(t.Context(), d, Clock), Clock, Fail, "journal.db", "timedatectl")
	d.Now = nil
	if found := Check(t.Context(), d, Clock); Failed(found) {
		t.Error(text(found))
	}
}

func TestHardwareClock(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		apart time.Duration
		warns bool
	}{{0, false}, {30 * time.Second, false}, {2 * time.Hour, true}, {-10 * time.Minute, true}} {
		root := t.TempDir()
		dir := filepath.Join(root, "sys/class/rtc/rtc0")
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "since_epoch"), fmt.Appendf(nil, "%d\n", now.Add(-c.apart).Unix()), 0o644)); err != nil {
			t.Fatal(err)
		}
		found := Check(t.Context(), Deps{Root: root, Now: func() time.Time { return now }}, Clock)
		if has(found, Clock, Warn, "hardware clock", "hwclock --systohc") != c.warns {
			t.Errorf("%s apart:\n%s", c.apart, text(found))
		}
	}
	wants(t, Check(t.Context(), Deps{Now: func() time.Time { return now }, Config: valid(t, "version: 1\nhub: {timezone: Europe/Berlin}\n")}, Clock), Clock, OK, "Europe/Berlin", "13:00")
}

func TestStorage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	wants(t, Check(t.Context(), Deps{DataDir: dir}, Storage), Storage, OK, "will be made")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	found := Check(t.Context(), Deps{DataDir: dir}, Storage)
	wants(t, found, Storage, OK, "the hub's own")
	if !has(found, Storage, OK, "keeps a small write") && !has(found, Storage, Warn, "keeps a small write") {
		t.Error(text(found))
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the doctor left %v in the data folder (%v)", left, err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "hub.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "hub.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	found = Check(t.Context(), Deps{DataDir: dir}, Storage)
	wants(t, found, Storage, Warn, "chmod go-w "+dir)
	wants(t, found, Storage, Warn, "hub.db", "chmod go-rwx")
	file := filepath.Join(dir, "hub.db")
	wants(t, Check(t.Context(), Deps{DataDir: file}, Storage), Storage, Fail, "not a folder", "E-HUB-DATA-FOLDER")
}

func TestConfigFileWithPasswordsIsPrivate(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "porchlight.yaml")
	yaml := "version: 1\nhub: {data_dir: " + dir + "}\ncameras:\n  porch: {plugin: rtsp, source: {url: rtsp://192.0.2.1/, password: tOpSeCret}}\n"
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(file, config.Options{Builtins: []string{"rtsp"}})
	if c == nil {
		t.Fatal(config.Text(problems, ""))
	}
	d := Deps{File: file, DataDir: dir, Config: c}
	if found := Check(t.Context(), d, Storage); has(found, Storage, Warn, "porchlight.yaml") {
		t.Error(text(found))
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	wants(t, Check(t.Context(), d, Storage), Storage, Warn, "chmod go-rwx "+file)
}

func TestQuotedForAShell(t *testing.T) {
	for in, want := range map[string]string{"/srv/data": "/srv/data", "/a b": "'/a b'", "/it's": `'/it'\''s'`, "/$(x)": "'/$(x)'"} {
		if got := quote(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

// program puts a shell script into a folder of its own, as ffmpeg.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFFmpeg(t *testing.T) {
	for _, c := range []struct {
		script string
		state  State
		words  []string
	}{
		{`case "$2" in -version) echo "ffmpeg version 7.1 Copyright (c)";; *) printf ' D.V.LS h264 x\n DEV.L. hevc y\n DEVIL. mjpeg z\n';; esac`, OK, []string{"ffmpeg version 7.1"}},
		{`case "$2" in -version) echo "ffmpeg version 7.1 Copyright (c)";; *) printf ' .EV.LS h264 x\n DEV.L. hevc y\n D.VIL. mjpeg z\n';; esac`, Warn, []string{"without h264, mjpeg", "apt install ffmpeg"}},
		{`echo "libx.so: cannot open" >&2; exit 127`, Warn, []string{"does not run", "libx.so"}},
	} {
		wants(t, Check(t.Context(), Deps{FFmpeg: program(t, c.script)}, Tools), Tools, c.state, c.words...)
	}
	wants(t, Check(t.Context(), Deps{FFmpeg: "no-such-ffmpeg"}, Tools), Tools, Warn, "not found", "sudo apt install ffmpeg", "E-CONV-NO-FFMPEG")
}

func TestAudio(t *testing.T) {
	t.Setenv("PULSE_SERVER", "")
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	root := t.TempDir()
	plain := valid(t, "version: 1\nchimes: {browser: {builtin: browser}}\n")
	loud := valid(t, "version: 1\nchimes: {hall: {plugin: speaker, sound: gong}}\n")
	wants(t, Check(t.Context(), Deps{Root: root, Config: plain}, Audio), Audio, Skip, "no sound card")
	wants(t, Check(t.Context(), Deps{Root: root, Config: loud}, Audio), Audio, Warn, "no sound card", "chime hall")
	if err := errors.Join(os.MkdirAll(filepath.Join(root, "dev/snd"), 0o755), os.WriteFile(filepath.Join(root, "dev/snd/pcmC0D0p"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	wants(t, Check(t.Context(), Deps{Root: root, Config: loud}, Audio), Audio, OK, "pcmC0D0p")
	if os.Geteuid() != 0 {
		if err := os.Chmod(filepath.Join(root, "dev/snd/pcmC0D0p"), 0); err != nil {
			t.Fatal(err)
		}
		wants(t, Check(t.Context(), Deps{Root: root, Config: loud}, Audio), Audio, Warn, "usermod -aG audio")
	}
	short, err := os.MkdirTemp("", "pld") // a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(short) })
	t.Setenv("PULSE_SERVER", "unix:"+filepath.Join(short, "native"))
	ln, err := net.Listen("unix", filepath.Join(short, "native"))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := Deps{Root: root, Config: loud, Plugins: func() []Plugin {
		return []Plugin{{Name: "speaker", State: "blocked", Reason: "no sound card", Fix: "plug one in", Code: "E-PLUGIN-DEVICE", Optional: true}}
	}}
	found := Check(t.Context(), d, Audio)
	wants(t, found, Audio, OK, "a sound server runs")
	wants(t, found, Audio, Warn, "speaker is blocked", "plug one in")
}

func TestPlugins(t *testing.T) {
	d := Deps{Plugins: func() []Plugin {
		return []Plugin{{Name: "a", State: "running"}, {Name: "b", State: "failed", Reason: "it ended 5 times", Code: "E-PLUGIN-CRASHED"},
			{Name: "c", State: "running", Missing: []string{"a camera"}}, {Name: "d", State: "disabled"}, {Name: "e", State: "backoff", Optional: true}}
	}}
	found := Check(t.Context(), d, Plugins)
	wants(t, found, Plugins, OK, "a is running")
	wants(t, found, Plugins, Fail, "b is failed: it ended 5 times", "porchlight plugins logs b", "E-PLUGIN-CRASHED")
	wants(t, found, Plugins, Warn, "it lacks a camera")
	wants(t, found, Plugins, Skip, "d is disabled")
	wants(t, found, Plugins, Warn, "e is backoff")

	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"good": 0o755, "plain": 0o644, "open": 0o777} {
		if err := errors.Join(os.WriteFile(filepath.Join(dir, name), nil, mode), os.Chmod(filepath.Join(dir, name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	c := valid(t, fmt.Sprintf("version: 1\nplugins:\n  good: {path: %[1]s/good}\n  plain: {path: %[1]s/plain}\n  open: {path: %[1]s/open}\n  gone: {path: %[1]s/gone}\n  demo: {builtin: demo}\n", dir))
	found = Check(t.Context(), Deps{Config: c}, Plugins)
	wants(t, found, Plugins, OK, "good is there")
	wants(t, found, Plugins, OK, "demo is bundled")
	wants(t, found, Plugins, Fail, "plain", "chmod +x")
	wants(t, found, Plugins, Fail, "gone", "no such file")
	wants(t, found, Plugins, Warn, "open", "chmod o-w")
}

func TestCameras(t *testing.T) {
	h264 := av.Track{Kind: av.Video, Codec: av.H264, Width: 1920, Height: 1080}
	aac := av.Track{Kind: av.Sound, Codec: av.AAC}
	good := Stream{Camera: "porch", Stream: "main", Address: "192.0.2.5:554", Auth: "digest-sha256", Transport: "tcp", Server: "Foo/1.0",
		Tracks: []av.Track{h264, aac}, FPS: 25, Kbps: 4000, GOP: 2 * time.Second}
	sub := good
	sub.Stream = "sub"
	for _, c := range []struct {
		name   string
		change func(*Stream)
		state  State
		words  []string
	}{
		{"good", func(*Stream) {}, OK, []string{"porch main: a key frame each 2s, 25 pictures a second, 4.0 Mb/s"}},
		{"reached", func(*Stream) {}, OK, []string{"192.0.2.5:554 answers", "Foo/1.0", "digest-sha256", "tcp"}},
		{"h265", func(s *Stream) { s.Tracks = []av.Track{{Kind: av.Video, Codec: av.H265}} }, Warn, []string{"h265", "set the video encoding to H.264", "sub stream"}},
		{"mjpeg", func(s *Stream) { s.Tracks = []av.Track{{Kind: av.Video, Codec: av.MJPEG}} }, Warn, []string{"mjpeg", "bandwidth"}},
		{"b-frames", func(s *Stream) { s.Tracks = []av.Track{{Kind: av.Video, Codec: av.H264, Reordered: true}} }, Warn, []string{"B-frames"}},
		{"no picture", func(s *Stream) { s.Tracks = []av.Track{aac} }, Fail, []string{"sends no picture"}},
		{"long gop", func(s *Stream) { s.GOP = 8 * time.Second }, Warn, []string{"key frame each 8s", "2 s (50 frames at 25 a second)"}},
		{"smart codec", func(s *Stream) { s.GOP = 60 * time.Second }, Warn, []string{"smart codec", "H.264+"}},
		{"slow", func(s *Stream) { s.FPS = 3 }, Warn, []string{"3.0 pictures a second", "exposure"}},
		{"fat", func(s *Stream) { s.Kbps = 20000 }, Warn, []string{"20.0 Mb/s"}},
		{"open", func(s *Stream) { s.Auth = "none" }, Warn, []string{"asks for no login"}},
		{"basic", func(s *Stream) { s.Auth = "basic" }, Warn, []string{"in clear", "digest"}},
		{"g711", func(s *Stream) { s.Tracks = []av.Track{h264, {Kind: av.Sound, Codec: av.PCMU}} }, OK, []string{"has sound: pcmu"}},
		{"clock", func(s *Stream) { s.ClockKnown, s.ClockOff = true, -2*time.Hour }, Warn, []string{"2h0m0s behind", "NTP"}},
		{"quirks", func(s *Stream) { s.Worked = []string{"no_range"} }, OK, []string{"worked around: no_range"}},
		{"pushed", func(s *Stream) { s.Pushed = true }, OK, []string{"its plugin sends pictures"}},
		{"off", func(s *Stream) { s.Off = true }, Skip, []string{"when somebody watches"}},
		{"login", func(s *Stream) { s.Err = fault{"login refused", "E-RTSP-LOGIN", "check username and password"} }, Fail, []string{"login refused", "check username", "E-RTSP-LOGIN"}},
		{"other", func(s *Stream) { s.Err = errors.New("strange") }, Fail, []string{"strange", "porchlight cameras test porch"}},
	} {
		s := good
		c.change(&s)
		found := CameraFindings("porch", []Stream{s, sub})
		if !has(found, Cameras, c.state, c.words...) {
			t.Errorf("%s: no %s with %q in:\n%s", c.name, c.state, c.words, text(found))
		}
		if c.name == "good" && (Failed(found) || has(found, Cameras, Warn)) {
			t.Errorf("a good camera is blamed:\n%s", text(found))
		}
	}
	if has(CameraFindings("porch", []Stream{{Camera: "porch", Stream: "main", Auth: "basic", Encrypted: true, Tracks: []av.Track{h264}}}), Cameras, Warn) {
		t.Error("basic over TLS is blamed")
	}
}

// TestHouseOfCameras: a camera that panics, one that hangs and a bare button each cost
// only themselves, and not all are looked at together.
func TestHouseOfCameras(t *testing.T) {
	yaml := "version: 1\ncameras:\n  bell: {name: Bell}\n"
	for i := range 20 {
		yaml += fmt.Sprintf("  c%02d: {plugin: rtsp, source: {url: rtsp://192.0.2.%d/}}\n", i, i)
	}
	began, over := make(chan struct{}, 40), make(chan struct{})
	d := Deps{Config: valid(t, yaml), Look: func(ctx context.Context, id string) []Stream {
		switch id {
		case "c03":
			panic("broken camera")
		case "c04":
			<-over // hangs until the others are done
			return []Stream{{Camera: id, Stream: "main", Err: context.DeadlineExceeded}}
		}
		began <- struct{}{}
		if len(began) == 18 {
			close(over)
		}
		return []Stream{{Camera: id, Stream: "main", Tracks: []av.Track{{Kind: av.Video, Codec: av.H264}}}}
	}}
	found := Check(t.Context(), d, Cameras)
	wants(t, found, Cameras, Fail, "stumbled", "broken camera")
	wants(t, found, Cameras, Fail, "c04 main", "deadline")
	wants(t, found, Cameras, OK, "bell is a bare button")
	wants(t, found, Cameras, OK, "c19 main sends h264")
}

// TestSecretsAreNotTold plants one everywhere a text can come from.
func TestSecretsAreNotTold(t *testing.T) {
	const secret = "p@:/#s3cret"
	c := valid(t, "version: 1\ncameras:\n  porch: {plugin: rtsp, source: {url: rtsp://192.0.2.1/, password: \""+secret+"\"}}\n")
	d := Deps{Config: c, File: "porchlight.yaml", Secrets: []string{"another-One"},
		Problems: []config.Problem{{Message: "bad " + secret, Severity: config.Warning, Hint: "not " + secret}},
		Plugins: func() []Plugin {
			return []Plugin{{Name: "x", State: "failed", Reason: "GET http://admin:" + secret + "@192.0.2.1/?pwd=hidden1: no, another-One", Fix: "curl http://h/hooks/hidden2"}}
		},
		Look: func(context.Context, string) []Stream {
			return []Stream{{Camera: "porch", Stream: "main", Err: fault{"rtsp://u:hid/den3@192.0.2.1/ plt_hidden4 " + strings.ReplaceAll(secret, "#", "%23"), "E", "https://h/setup?token=hidden5"}}}
		}}
	all := text(Check(t.Context(), d))
	for _, s := range []string{secret, "s3cret", "another-One", "hidden", "hid/den3"} {
		if strings.Contains(all, s) {
			t.Errorf("%s is told:\n%s", s, all)
		}
	}
	if !strings.Contains(all, "192.0.2.1") || !strings.Contains(all, masked) {
		t.Errorf("too much was masked:\n%s", all)
	}
}
