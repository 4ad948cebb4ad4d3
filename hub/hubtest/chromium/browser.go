package chromium

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// within guards against a hang of the browser; no test is judged by it.
const within = 60 * time.Second

// Options say how a browser shall be.
type Options struct {
	// Start starts its process, on another network than the test's for instance; nil: here.
	Start func(*exec.Cmd) error
	// CA is the file (PEM) of a certificate authority that its owner installed.
	CA string
	// Microphone is a WAV file that is heard again and again; empty: there is none.
	Microphone string
	// Args are more of Chromium's own.
	Args []string
}

// Browser is a Chromium with a home of its own.
type Browser struct {
	tb   testing.TB
	pipe *pipe
	Home string
}

// Path finds the browser; empty where there is none.
func Path() string {
	for _, name := range []string{os.Getenv("PORCHLIGHT_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	return ""
}

// Start runs one until the test ends. Where there is none it skips the test loudly, and
// fails it where everything was to be installed.
func Start(tb testing.TB, o Options) *Browser {
	tb.Helper()
	path := Path()
	if path == "" {
		if os.Getenv("CI") == "true" {
			tb.Fatal("no chromium")
		}
		tb.Skip("SKIPPED: no browser; apt-get install chromium")
	}
	home, err := os.MkdirTemp("", "plthome")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(home) })
	b := &Browser{tb: tb, Home: home}
	if o.CA != "" {
		b.Trust(o.CA)
	}
	args := []string{
		"--headless=new", "--log-level=3", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-default-browser-check", "--no-proxy-server",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--disable-search-engine-choice-screen",
		"--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", "--remote-debugging-pipe", "--user-data-dir=" + filepath.Join(home, "profile"),
	}
	if o.Microphone != "" {
		args = append(args, "--use-file-for-fake-audio-capture="+o.Microphone)
	}
	cmd := exec.Command(path, append(append(args, o.Args...), "about:blank")...)
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+filepath.Join(home, "config"), "XDG_CACHE_HOME="+filepath.Join(home, "cache"), "LANG=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // all its processes end together
	start := o.Start
	if start == nil {
		start = (*exec.Cmd).Start
	}
	b.launch(cmd, start)
	return b
}

func (b *Browser) launch(cmd *exec.Cmd, start func(*exec.Cmd) error) {
	b.tb.Helper()
	hear, say, err := os.Pipe()
	if err != nil {
		b.tb.Fatal(err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		b.tb.Fatal(err)
	}
	log, err := os.Create(filepath.Join(b.Home, "log"))
	if err != nil {
		b.tb.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{hear, out} // 3 and 4, as the protocol has it
	cmd.Stdout, cmd.Stderr = log, log
	err = errors.Join(start(cmd), hear.Close(), out.Close(), log.Close())
	if err != nil {
		b.tb.Fatal(err)
	}
	b.pipe = newPipe(say)
	var reading sync.WaitGroup
	reading.Go(func() { b.pipe.read(in) })
	b.tb.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone already
		_ = cmd.Wait()                                      // killed
		say.Close()
		in.Close()
		reading.Wait()
		if text, err := os.ReadFile(filepath.Join(b.Home, "log")); err == nil && b.tb.Failed() {
			b.tb.Logf("the browser wrote: %.8000s", text)
		}
	})
	if err := b.call("", "Browser.getVersion", struct{}{}, nil); err != nil {
		b.tb.Fatal(err)
	}
}

// Trust installs a certificate authority into the browser's store, as its settings do.
// Call it before Start, by Options, or for a page that is opened later.
func (b *Browser) Trust(pem string) {
	b.tb.Helper()
	db := filepath.Join(b.Home, ".pki", "nssdb")
	if err := os.MkdirAll(db, 0o700); err != nil {
		b.tb.Fatal(err)
	}
	var steps [][]string
	if _, err := os.Stat(filepath.Join(db, "cert9.db")); err != nil {
		steps = append(steps, []string{"-N", "--empty-password"})
	}
	for _, args := range append(steps, []string{"-A", "-t", "C,,", "-n", "porchlight", "-i", pem}) {
		cmd := exec.Command("certutil", append(args, "-d", "sql:"+db)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") != "true" {
				b.tb.Skip("SKIPPED: no certutil; apt-get install libnss3-tools")
			}
			b.tb.Fatalf("certutil %v: %v: %s", args, err, out)
		}
	}
}

// call bounds each question, so that a browser that hangs names what it hangs at.
func (b *Browser) call(session, method string, params, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return b.pipe.call(ctx, session, method, params, into)
}

// Open makes a page of this size in pixels in a context of its own: other cookies, other
// storage than every other page. Up to 500 px wide it is a phone with a touch screen.
func (b *Browser) Open(tb testing.TB, width, height int) *Page {
	tb.Helper()
	var made struct{ BrowserContextID string }
	if err := b.call("", "Target.createBrowserContext", struct{}{}, &made); err != nil {
		tb.Fatal(err)
	}
	p := b.tab(tb, made.BrowserContextID, width, height)
	tb.Cleanup(func() {
		_ = b.call("", "Target.disposeBrowserContext", map[string]any{"browserContextId": made.BrowserContextID}, nil) // the browser may have ended first
	})
	return p
}

func (b *Browser) tab(tb testing.TB, context string, width, height int) *Page {
	tb.Helper()
	p := &Page{tb: tb, browser: b, context: context, phone: width <= 500}
	var target struct{ TargetID string }
	var session struct{ SessionID string }
	err := b.call("", "Target.createTarget", map[string]any{"url": "about:blank", "browserContextId": context, "width": width, "height": height}, &target)
	if err == nil {
		err = b.call("", "Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &session)
	}
	if err != nil {
		tb.Fatal(err)
	}
	p.target, p.session = target.TargetID, session.SessionID
	b.pipe.mu.Lock()
	b.pipe.heard[p.session] = p.hear
	b.pipe.mu.Unlock()
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		p.Call(domain+".enable", struct{}{}, nil)
	}
	p.Call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": p.phone}, nil)
	if p.phone {
		p.Call("Emulation.setTouchEmulationEnabled", map[string]any{"enabled": true}, nil)
	}
	// A page that nobody looks at is slowed down; this one is looked at.
	p.Call("Emulation.setFocusEmulationEnabled", map[string]any{"enabled": true}, nil)
	return p
}

// Cookie gives a page's context one.
func (p *Page) Cookie(url, name, value string) {
	p.tb.Helper()
	p.Call("Network.setCookie", map[string]any{"url": url, "name": name, "value": value, "httpOnly": true, "sameSite": "Strict"}, nil)
}

// Tab opens another page beside this one, with the same cookies.
func (p *Page) Tab(width, height int) *Page {
	p.tb.Helper()
	return p.browser.tab(p.tb, p.context, width, height)
}

func (p *Page) String() string { return fmt.Sprintf("page %s", p.target) }
