package hubtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Watcher is a program of somebody else that reads a stream by RTSP.
type Watcher struct {
	Name    string
	cmd     *exec.Cmd
	stop    func() // asks it to end in order
	done    chan struct{}
	playing chan struct{} // closed when something came
	once    sync.Once

	mu    sync.Mutex
	lines []string // what it told
	errs  bytes.Buffer
}

// WatchGStreamer reads with GStreamer's rtspsrc, by "tcp" or "udp", until the test ends.
func WatchGStreamer(tb testing.TB, start func(*exec.Cmd) error, url, transport string) *Watcher {
	tb.Helper()
	w := &Watcher{Name: "gstreamer by " + transport}
	w.cmd = exec.Command(gstreamerPython(tb), filepath.Join(Root(), "hub", "hubtest", "testdata", "watcher.py"))
	in := w.run(tb, start, func(line string) bool { return line == "playing" })
	w.stop = func() { in.Close() }
	if err := json.NewEncoder(in).Encode(map[string]string{"url": url, "protocols": transport}); err != nil {
		tb.Fatal(err)
	}
	return w
}

// WatchFFmpeg reads with ffmpeg, as ffplay does, by "tcp" or "udp", until the test ends;
// more are options before the address.
func WatchFFmpeg(tb testing.TB, start func(*exec.Cmd) error, url, transport string, more ...string) *Watcher {
	tb.Helper()
	w := &Watcher{Name: "ffmpeg by " + transport}
	args := append([]string{"-hide_banner", "-nostats", "-loglevel", "warning", "-progress", "pipe:1", "-rtsp_transport", transport}, more...)
	w.cmd = exec.Command("ffmpeg", append(args, "-i", url, "-c", "copy", "-f", "null", "-")...)
	frame := regexp.MustCompile(`^frame=[1-9]`)
	in := w.run(tb, start, frame.MatchString)
	w.stop = func() { _, _ = io.WriteString(in, "q\n") } // it may have ended already
	return w
}

func (w *Watcher) run(tb testing.TB, start func(*exec.Cmd) error, plays func(string) bool) io.WriteCloser {
	tb.Helper()
	w.done, w.playing = make(chan struct{}), make(chan struct{})
	w.cmd.Stderr = &lockedWriter{mu: &w.mu, w: &w.errs}
	in, err := w.cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := w.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if start == nil {
		start = (*exec.Cmd).Start
	}
	if err := start(w.cmd); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = w.cmd.Process.Kill() // it may be gone already
		<-w.done
		in.Close()
		if tb.Failed() {
			tb.Logf("%s: %s", w.Name, w.Said())
		}
	})
	go func() { // ends with the process
		defer close(w.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			w.mu.Lock()
			w.lines = append(w.lines[max(0, len(w.lines)-40):], lines.Text())
			w.mu.Unlock()
			if plays(lines.Text()) {
				w.once.Do(func() { close(w.playing) })
			}
		}
		_ = w.cmd.Wait() // what it told is what counts
	}()
	return in
}

// Said is what it wrote, for a person.
func (w *Watcher) Said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.lines, "\n") + "\n" + w.errs.String()
}

// Play waits until it has something of the stream, or gives what it says instead.
func (w *Watcher) Play() error {
	select {
	case <-w.playing:
		return nil
	case <-w.done:
	case <-time.After(Within):
	}
	return fmt.Errorf("%s does not play: %s", w.Name, w.Said())
}

// End ends it in order and gives what it counted.
func (w *Watcher) End() (Missing, error) {
	w.stop()
	select {
	case <-w.done:
	case <-time.After(Within):
		return Missing{}, fmt.Errorf("%s does not end: %s", w.Name, w.Said())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var m Missing
	if len(w.lines) == 0 {
		return m, errors.New(w.errs.String())
	}
	if json.Unmarshal([]byte(w.lines[len(w.lines)-1]), &m) == nil {
		return m, nil
	}
	// ffmpeg counts pictures, and warns of each hole in the sequence.
	for _, line := range w.lines {
		if n, ok := strings.CutPrefix(line, "frame="); ok {
			m.Packets, _ = strconv.Atoi(n) // 0 before the first
		}
	}
	for _, hole := range regexp.MustCompile(`RTP: missed (-?\d+) packets`).FindAllStringSubmatch(w.errs.String(), -1) {
		m.Gaps++
		n, _ := strconv.Atoi(hole[1]) // digits
		m.Lost += n
	}
	return m, nil
}
