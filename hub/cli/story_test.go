package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/porchlight-hub/porchlight/hub/doctor"
	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/hub/web/api"
)

// lookEvery is the pace of until; hubtest.Within bounds it.
const lookEvery = 50 * time.Millisecond

// TestStories runs what an owner does, on the real binary. The words beside those of
// testscript:
//
//	hub NAME [ARGS]         run a hub until the script ends; its output grows in NAME.log
//	stop NAME               Ctrl-C, and wait for its end
//	until PATTERN CMD ARGS  run CMD again and again until its output matches
//	json ARGS               porchlight ARGS --json prints one JSON value
//	plugin NAME STATE       wait for that state, and put the process's id into $NAME
//	signal SIG PID          send it
//	equal A B               the two words are the same
//	expand FILE             replace $NAME in a file
//	grab NAME PATTERN       put what the group matches in stdout into $NAME
//	code N CMD ARGS         CMD ends with that exit code
//	web STATUS METHOD URL [BODY]  a browser with the script's cookies asks
//	bearer TOKEN STATUS METHOD URL [BODY]  a program with that token asks
//	forget                  it has no cookies any more
//	newer FILE              a database as a newer Porchlight would leave it
//	stranger N ARGS         another user of the machine runs porchlight: exit code N
//	clock ZONE              the first time in stdout is now in that zone
//	codes                   porchlight explain lists every code
//	taken                   another program holds a port, which is put into $PORT
func TestStories(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the real binary")
	}
	bin := storyBin(t)
	root, err := os.MkdirTemp("", "pls") // short: a socket's path is bounded
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(root) })
	testscript.Run(t, testscript.Params{
		Dir: "testdata", WorkdirRoot: root, RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+e.Getenv("PATH"))
			e.Setenv("BIN", bin)
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("PORCHLIGHT_LISTEN", "127.0.0.1:0")
			e.Setenv("PORCHLIGHT_WEBRTC_PORT", "0")
			e.Setenv("PORCHLIGHT_RTSP_PORT", "0")
			e.Setenv("NO_COLOR", "1")
			e.Values[hubs{}] = map[string]*child{}
			cookies, err := cookiejar.New(nil)
			e.Values[jar{}] = &browser{cookies}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"hub": startHub, "stop": stopHub, "until": until, "json": readsJSON, "plugin": awaitPlugin,
			"signal": sendSignal, "equal": equal, "expand": expand, "taken": takePort, "codes": everyCode, "grab": grab, "code": exitsWith, "web": browse, "bearer": bear, "forget": forget, "newer": makeNewer, "clock": clock, "stranger": asStranger,
		},
	})
}

// storyBin is a folder with the program and the hostile plugins, by name.
func storyBin(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "plb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the stranger runs it too
		t.Fatal(err)
	}
	copyProgram(t, hubtest.Binary(t), filepath.Join(dir, "porchlight"))
	hostile := hubtest.Build(t, "./hub/cli/testdata/hostile")
	for name, file := range map[string]string{"noisy": hostile, "crasher": hostile, "thief": hostile} {
		abs, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(abs, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// hubs is the key of a script's children by name.
type hubs struct{}

func children(ts *testscript.TestScript) map[string]*child {
	return ts.Value(hubs{}).(map[string]*child)
}

// child is a hub that a script started.
type child struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	once sync.Once
}

func (c *child) stop() {
	c.once.Do(func() {
		_ = c.cmd.Process.Signal(os.Interrupt) // it may be gone already
		select {
		case <-c.done:
		case <-time.After(hubtest.Within):
			_ = c.cmd.Process.Kill()
			<-c.done
		}
	})
}

// startHub waits for the link, which it puts into $LINK, or for the hub's end.
func startHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: hub NAME [ARGS]")
	}
	log := ts.MkAbs(args[0] + ".log")
	out, err := os.Create(log)
	ts.Check(err)
	c := &child{cmd: exec.Command(filepath.Join(ts.Getenv("BIN"), "porchlight"), args[1:]...), done: make(chan struct{})}
	c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = ts.MkAbs("."), out, out
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "XDG_STATE_HOME", "NO_COLOR", "PORCHLIGHT_LISTEN", "PORCHLIGHT_DATA_DIR", "PORCHLIGHT_WEBRTC_PORT", "PORCHLIGHT_RTSP_PORT"} {
		if v := ts.Getenv(name); v != "" {
			c.cmd.Env = append(c.cmd.Env, name+"="+v)
		}
	}
	ts.Check(c.cmd.Start())
	ts.Check(out.Close())
	go func() {
		_ = c.cmd.Wait() // how it ended does not matter to a script
		close(c.done)
	}()
	ts.Defer(c.stop)
	ts.Setenv("HUB_"+args[0], strconv.Itoa(c.cmd.Process.Pid))
	children(ts)[args[0]] = c
	link := regexp.MustCompile(`Open +(https?://\S+/setup\?token=\S+)`)
	await(ts, "the hub's link", func() (string, bool) {
		text := ts.ReadFile(log)
		if m := link.FindStringSubmatch(text); m != nil {
			ts.Setenv("LINK", m[1])
			base, _, _ := strings.Cut(m[1], "/setup?")
			ts.Setenv("BASE", base)
			return text, true
		}
		select {
		case <-c.done:
			ts.Fatalf("the hub ended: %s", text)
		default:
		}
		return text, false
	})
}

// await looks again and again until f holds; it gives the last that f saw to the failure.
func await(ts *testscript.TestScript, what string, f func() (string, bool)) {
	end := time.Now().Add(hubtest.Within)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		saw, ok := f()
		if ok {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("not within %s: %s; last seen:\n%s", hubtest.Within, what, saw)
		}
		<-tick.C
	}
}

func stopHub(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 || children(ts)[args[0]] == nil {
		ts.Fatalf("usage: stop NAME of a hub")
	}
	children(ts)[args[0]].stop()
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN CMD ARGS")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	await(ts, strings.Join(args, " "), func() (string, bool) {
		out := run(ts, args[1:]...)
		if pattern.MatchString(out) {
			fmt.Fprint(ts.Stdout(), out)
			return out, true
		}
		return out, false
	})
}

// run gives what a command wrote, however it ended.
func run(ts *testscript.TestScript, args ...string) string {
	out, _ := runCode(ts, args...)
	return out
}

func runCode(ts *testscript.TestScript, args ...string) (string, int) {
	path, err := exec.LookPath(args[0])
	if args[0] == "porchlight" {
		path, err = filepath.Join(ts.Getenv("BIN"), args[0]), nil
	}
	ts.Check(err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "XDG_STATE_HOME=" + ts.Getenv("XDG_STATE_HOME"), "PORCHLIGHT_LISTEN=127.0.0.1:0", "PORCHLIGHT_WEBRTC_PORT=0", "PORCHLIGHT_RTSP_PORT=0"}
	out, _ := cmd.CombinedOutput() // what it wrote is what counts
	return string(out), cmd.ProcessState.ExitCode()
}

func readsJSON(ts *testscript.TestScript, neg bool, args []string) {
	out := run(ts, append(append([]string{"porchlight"}, args...), "--json")...)
	if neg == json.Valid([]byte(out)) {
		ts.Fatalf("porchlight %s --json:\n%s", strings.Join(args, " "), out)
	}
	fmt.Fprint(ts.Stdout(), out)
}

func awaitPlugin(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: plugin NAME STATE")
	}
	await(ts, strings.Join(args, " is "), func() (string, bool) {
		out := run(ts, "porchlight", "plugins", "ls", "--json")
		var list []api.Plugin
		if json.Unmarshal([]byte(out), &list) != nil {
			return out, false
		}
		for _, p := range list {
			if p.Name == args[0] && p.State == args[1] {
				ts.Setenv(args[0], strconv.Itoa(p.PID))
				ts.Setenv(args[0]+"_restarts", strconv.Itoa(p.Restarts))
				return out, true
			}
		}
		return out, false
	})
}

func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"KILL": syscall.SIGKILL, "INT": syscall.SIGINT}
	pid, err := strconv.Atoi(args[1])
	ts.Check(err)
	if sig, ok := signals[args[0]]; neg || !ok || pid < 2 {
		ts.Fatalf("usage: signal KILL|INT PID")
	} else {
		ts.Check(syscall.Kill(pid, sig))
	}
}

func equal(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || (args[0] == args[1]) == neg {
		ts.Fatalf("equal: %q", args)
	}
}

func expand(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		file := ts.MkAbs(name)
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(file, []byte(text), 0o600))
	}
}

func takePort(ts *testscript.TestScript, _ bool, _ []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ln.Close() })
	_, port, err := net.SplitHostPort(ln.Addr().String())
	ts.Check(err)
	ts.Setenv("PORT", port)
}

// everyCode asks the binary for each code that has a text.
func everyCode(ts *testscript.TestScript, _ bool, _ []string) {
	list := run(ts, "porchlight", "explain")
	for _, code := range doctor.Codes() {
		if !strings.Contains(list, code+" ") {
			ts.Fatalf("explain does not list %s", code)
		}
	}
}

func grab(ts *testscript.TestScript, neg bool, args []string) {
	m := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if neg || len(m) != 2 {
		ts.Fatalf("grab: no %s in stdout", args[1])
	}
	ts.Setenv(args[0], m[1])
}

func exitsWith(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	out, got := runCode(ts, args[1:]...)
	fmt.Fprint(ts.Stdout(), out)
	if (got == want) == neg {
		ts.Fatalf("%s: exit code %d, want %d\n%s", strings.Join(args[1:], " "), got, want, out)
	}
}

// jar is the key of a script's browser.
type jar struct{}

type browser struct{ cookies *cookiejar.Jar }

func forget(ts *testscript.TestScript, _ bool, _ []string) {
	fresh, err := cookiejar.New(nil)
	ts.Check(err)
	ts.Value(jar{}).(*browser).cookies = fresh
}

func browse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: web STATUS METHOD URL [BODY]")
	}
	ask(ts, &http.Client{Jar: ts.Value(jar{}).(*browser).cookies}, "", args)
}

func bear(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: bearer TOKEN STATUS METHOD URL [BODY]")
	}
	ask(ts, &http.Client{}, args[0], args[1:])
}

// ask prints status, location and body of the answer; it fails for another status.
func ask(ts *testscript.TestScript, c *http.Client, token string, args []string) {
	c.Timeout = hubtest.Within
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	r, err := http.NewRequest(args[1], args[2], strings.NewReader(strings.Join(args[3:], " ")))
	ts.Check(err)
	if len(args) > 3 {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.Do(r)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\nlocation: %s\n%s\n", res.Status, res.Header.Get("Location"), body)
	if strconv.Itoa(res.StatusCode) != args[0] {
		ts.Fatalf("%s %s: %s, want %s\n%s", args[1], args[2], res.Status, args[0], body)
	}
}

func makeNewer(ts *testscript.TestScript, _ bool, args []string) {
	db, err := store.Open(context.Background(), ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.SQL().Exec(`UPDATE schema_versions SET version = 99`)
	ts.Check(errors.Join(err, db.Close()))
}

func clock(ts *testscript.TestScript, neg bool, args []string) {
	zone, err := time.LoadLocation(args[0])
	ts.Check(err)
	at, err := time.ParseInLocation(time.DateTime, regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`).FindString(ts.ReadFile("stdout")), zone)
	ts.Check(err)
	if away := time.Since(at).Abs(); (away < 2*hubtest.Within) == neg { // the nearest other zone is a quarter of an hour away
		ts.Fatalf("clock: the time is %s away from that of %s", away, args[0])
	}
}

// nobody is a user who owns nothing.
const nobody = 65534

// asStranger runs porchlight as another user; where this one is not root, its own user
// must do, kept out by the folder's mode.
func asStranger(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := exec.Command(filepath.Join(ts.Getenv("BIN"), "porchlight"), args[1:]...)
	cmd.Dir = "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	} else {
		closed := filepath.Join(ts.MkAbs("data"), "run")
		ts.Check(os.Chmod(closed, 0))
		defer os.Chmod(closed, 0o700)
	}
	out, err := cmd.CombinedOutput()
	fmt.Fprintf(ts.Stdout(), "%s", out)
	if got := cmd.ProcessState.ExitCode(); (got == want) == neg {
		ts.Fatalf("%s: exit code %d, want %d: %v\n%s", strings.Join(args[1:], " "), got, want, err, out)
	}
}
