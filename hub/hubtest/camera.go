package hubtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// aptGStreamer installs what testdata/camera.py runs on.
const aptGStreamer = "apt-get install python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-tools gstreamer1.0-libav gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"

// CameraStream is one stream of a Camera; zero fields have the defaults of camera.py.
type CameraStream struct {
	Video  string  `json:"video,omitempty"` // h264, h265, mjpeg
	Sound  string  `json:"sound,omitempty"` // aac, opus, pcma, pcmu, l16; empty: none
	Width  int     `json:"width,omitempty"`
	Height int     `json:"height,omitempty"`
	FPS    int     `json:"fps,omitempty"`
	Key    float64 `json:"key,omitempty"` // seconds between key frames
	// Pattern of the picture; snow takes all the bits that it may, a ball few.
	Pattern string  `json:"pattern,omitempty"`
	Kbps    int     `json:"kbps,omitempty"`
	Tone    float64 `json:"tone,omitempty"`  // Hz of its sound; 0: it ticks
	Talk    string  `json:"talk,omitempty"`  // pcmu, pcma, opus, l16: it has an ONVIF back channel
	Heard   string  `json:"heard,omitempty"` // the file to which that appends what it hears, s16 of this machine
}

// CameraWish says how a Camera shall be.
type CameraWish struct {
	Port     int                     `json:"port"` // 0: the kernel's choice, kept by Again
	User     string                  `json:"user,omitempty"`
	Password string                  `json:"password,omitempty"`
	Digest   bool                    `json:"digest"` // else Basic
	Streams  map[string]CameraStream `json:"streams"`
}

// Camera is a foreign RTSP server, GStreamer's, in a process of its own on loopback.
type Camera struct {
	wish   CameraWish
	python string
	tb     testing.TB

	mu      sync.Mutex
	cmd     *exec.Cmd
	hold    io.Closer // the process ends when it is closed
	done    chan struct{}
	clients int // of all lives
	errs    bytes.Buffer
}

// StartCamera runs one until the test ends. It skips the test loudly where GStreamer is
// missing, and fails it where everything was to be installed.
func StartCamera(tb testing.TB, w CameraWish) *Camera {
	tb.Helper()
	c := &Camera{wish: w, tb: tb, python: gstreamerPython(tb)}
	tb.Cleanup(c.Kill)
	c.Again()
	return c
}

// gstreamerPython finds the Python that has GStreamer's bindings.
func gstreamerPython(tb testing.TB) string {
	tb.Helper()
	var why string
	for _, python := range []string{"python3", "/usr/bin/python3"} { // another one may hide the system's, which has the bindings
		out, err := exec.Command(python, "-c", "import gi\nfor n in ('Gst', 'GstRtspServer'): gi.require_version(n, '1.0')\n"+
			"from gi.repository import Gst, GstRtspServer\nGst.init(None)\n"+
			"lack = [e for e in ('videotestsrc', 'x264enc', 'x265enc', 'avenc_aac', 'rtph264pay', 'h264parse', 'rtspsrc') if not Gst.ElementFactory.find(e)]\n"+
			"assert not lack, 'lacks ' + ', '.join(lack)").CombinedOutput()
		if err == nil {
			return python
		}
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		why = fmt.Sprintf("%v: %s", err, lines[len(lines)-1])
	}
	if os.Getenv("CI") == "true" {
		tb.Fatalf("no GStreamer RTSP server (%s); %s", why, aptGStreamer)
	}
	tb.Skipf("SKIPPED: no GStreamer RTSP server (%s); %s", why, aptGStreamer)
	return ""
}

// Again starts it, on the port that it had before.
func (c *Camera) Again() {
	c.tb.Helper()
	cmd := exec.Command(c.python, filepath.Join(Root(), "hub", "hubtest", "testdata", "camera.py"))
	cmd.Stderr = &lockedWriter{mu: &c.mu, w: &c.errs}
	in, err := cmd.StdinPipe()
	if err != nil {
		c.tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.tb.Fatal(err)
	}
	done, port := make(chan struct{}), make(chan int, 1) // one port
	c.mu.Lock()
	c.cmd, c.hold, c.done = cmd, in, done
	c.mu.Unlock()
	if err := json.NewEncoder(in).Encode(c.wish); err != nil {
		c.tb.Fatal(err)
	}
	go func() { // ends with the process, which Kill sees to
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			word, n, _ := strings.Cut(lines.Text(), " ")
			number, _ := strconv.Atoi(n)
			switch word {
			case "listening":
				port <- number
			case "client":
				c.mu.Lock()
				c.clients++
				c.mu.Unlock()
			}
		}
		_ = cmd.Wait() // killed, mostly
	}()
	select {
	case c.wish.Port = <-port:
	case <-done:
		c.tb.Fatalf("camera ended at its start:\n%s", c.said())
	case <-time.After(Within):
		c.tb.Fatalf("camera does not listen:\n%s", c.said())
	}
}

func (c *Camera) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errs.String()
}

// Kill ends it with SIGKILL, as a power cut does, and waits until it is gone.
func (c *Camera) Kill() {
	c.mu.Lock()
	cmd, hold, done := c.cmd, c.hold, c.done
	c.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Kill() // it may be gone already
	<-done
	_ = hold.Close()
}

// Signal sends one to its process: STOP and CONT freeze and thaw it, USR1 closes all
// its connections.
func (c *Camera) Signal(sig syscall.Signal) {
	c.tb.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.tb.Fatal(err)
	}
}

// Address is its host and port.
func (c *Camera) Address() string { return fmt.Sprintf("127.0.0.1:%d", c.wish.Port) }

// Clients is how many connections it took, in all its lives.
func (c *Camera) Clients() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clients
}

// lockedWriter lets a process write while others read.
type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
