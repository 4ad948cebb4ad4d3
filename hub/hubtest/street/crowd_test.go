//go:build linux

package street

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// crowd reads one camera by RTSP on the hub's own machine while the day goes on: 32 at
// once, 8 of them by UDP, two of those and three others programs of others, and one frozen.
type crowd struct {
	s        *street
	from     time.Time
	readers  []*hubtest.Reader
	watchers []*hubtest.Watcher
	frozen   *hubtest.Reader
	skipped  atomic.Uint64 // GOPs of the frozen one, as its statistics have them
}

// least is how long the crowd reads.
const least = 60 * time.Second

// stream makes a stream password and gives the address that has it.
func (s *street) stream(name, host, path string) string {
	s.t.Helper()
	p, err := s.Client.NewStreamPassword(s.t.Context(), name, false, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	u := url.URL{Scheme: "rtsp", User: url.UserPassword(p.User, p.Password), Host: net.JoinHostPort(host, rtspPort), Path: path}
	return u.String()
}

func (s *street) gather() *crowd {
	t := s.t
	t.Helper()
	c := &crowd{s: s, from: time.Now()}
	url := s.stream("recorders", "127.0.0.1", "/porch/main")
	for i := range 26 { // 20 by TCP, 6 by UDP
		c.readers = append(c.readers, hubtest.StartReader(t, url, i >= 20))
	}
	c.watchers = []*hubtest.Watcher{
		hubtest.WatchFFmpeg(t, nil, url, "tcp"), hubtest.WatchFFmpeg(t, nil, url, "udp"),
		hubtest.WatchGStreamer(t, nil, url, "tcp"), hubtest.WatchGStreamer(t, nil, url, "udp"),
		// As VLC asks: prefers TCP, and names itself.
		hubtest.WatchFFmpeg(t, nil, url, "tcp", "-rtsp_flags", "prefer_tcp", "-user_agent", "LibVLC/3.0.21 (LIVE555 Streaming Media v2016.11.28)"),
	}
	c.frozen = hubtest.StartReader(t, s.stream("frozen", "127.0.0.1", "/porch/main"), false)
	for _, w := range c.watchers {
		if err := w.Play(); err != nil {
			t.Error(err)
		}
	}
	hubtest.Eventually(t, "the last reader has pictures", func() bool { return c.frozen.Missing().Packets > 10 })
	c.frozen.Freeze()
	go c.watch(t) // ends with the test
	return c
}

// watch keeps what the hub tells of the frozen one, which it ends some time.
func (c *crowd) watch(t *testing.T) {
	for t.Context().Err() == nil {
		all, err := c.s.watching(t.Context())
		for _, v := range all {
			if err == nil && strings.Contains(v.By, "frozen") {
				c.skipped.Store(max(c.skipped.Load(), v.SkippedGOPs))
			}
		}
		select {
		case <-t.Context().Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (c *crowd) judge() {
	t := c.s.t
	hubtest.Eventually(t, "a minute has passed", func() bool { return time.Since(c.from) >= least })
	var packets, gaps int
	fewest, slowest := -1, time.Duration(0)
	for i, r := range c.readers {
		m := r.Missing()
		if m.Gaps > 0 || m.Tracks != 2 {
			t.Errorf("reader %d (udp %v): %s", i, r.UDP, m)
		}
		packets, gaps, slowest = packets+m.Packets, gaps+m.Gaps, max(slowest, m.First)
		if fewest < 0 || m.Packets < fewest {
			fewest = m.Packets
		}
	}
	for _, w := range c.watchers {
		m, err := w.End()
		if err != nil || m.Gaps > 0 || m.Packets == 0 {
			t.Errorf("%s: %s %v", w.Name, m, err)
		}
		gaps += m.Gaps
	}
	t.Logf("%d readers and %d programs in %s: %d packets, the fewest of one reader %d, %d gaps; the slowest first packet after %s; the frozen one skipped %d GOPs",
		len(c.readers), len(c.watchers), time.Since(c.from).Round(time.Second), packets, fewest, gaps, slowest.Round(time.Millisecond), c.skipped.Load())
	if want := int(least/time.Second) * 15; fewest < want { // each picture is at least one
		t.Errorf("a reader has %d packets of %d", fewest, want)
	}
	if c.skipped.Load() == 0 {
		t.Error("nothing tells that the frozen one missed something")
	}
	for _, r := range append(c.readers, c.frozen) {
		r.Close()
	}
}

// players are what people open streams with, on the phone.
func (s *street) players(t *testing.T) {
	house := house4.Addr().String()
	with := s.stream("VLC in the hall", house, "/porch/main")
	for _, transport := range []string{"tcp", "udp"} {
		for _, w := range []*hubtest.Watcher{hubtest.WatchFFmpeg(t, s.phone.Start, with, transport), hubtest.WatchGStreamer(t, s.phone.Start, with, transport)} {
			if err := w.Play(); err != nil {
				t.Error(err)
			}
			if m, err := w.End(); err != nil || m.Packets == 0 || m.Gaps > 0 {
				t.Errorf("%s: %s %v", w.Name, m, err)
			}
		}
	}
	out, err := s.phone.Output(exec.Command("ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name,width,height", "-of", "compact=p=0:nk=1", with))
	if err != nil || !strings.Contains(string(out), "h264|640|360") || !strings.Contains(string(out), "aac") {
		t.Errorf("ffprobe: %v\n%s", err, out)
	}
	u, err := url.Parse(with)
	if err != nil {
		t.Fatal(err)
	}
	none, wrong := *u, *u
	none.User, wrong.User = nil, url.UserPassword(u.User.Username(), password) // that of the pages
	for _, without := range []url.URL{none, wrong} {
		w := hubtest.WatchFFmpeg(t, s.phone.Start, without.String(), "tcp")
		if err := w.Play(); err == nil {
			t.Errorf("%s plays", without.Redacted())
		} else if !strings.Contains(err.Error(), "401") {
			t.Errorf("%s: %v", without.Redacted(), err)
		}
	}
	if strings.Contains(s.Output(), u.User.String()) {
		t.Error("the log has the stream password")
	}
}

// door speaks to the porch camera by RTSP, as a door phone's program does, with a stream
// password that may; one that may not is refused.
func (s *street) door(t *testing.T) {
	const rate = 8000 // of PCMU
	for _, may := range []bool{false, true} {
		p, err := s.Client.NewStreamPassword(t.Context(), "the door phone", may, nil)
		if err != nil {
			t.Fatal(err)
		}
		u := url.URL{Scheme: "rtsp", User: url.UserPassword(p.User, p.Password), Host: net.JoinHostPort("127.0.0.1", rtspPort), Path: "/porch/main"}
		from := len(hubtest.Heard(t, s.heard))
		speech, err := hubtest.Speak(t, u.String(), voice)
		if !may {
			if err == nil {
				t.Error("a password that may not talk talks")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		hubtest.Eventually(t, "the camera hears the program", func() bool {
			pcm := hubtest.Heard(t, s.heard)[from:]
			if len(pcm) < rate {
				return false
			}
			hz, part := hubtest.Pitch(pcm[len(pcm)-rate:], rate)
			return math.Abs(hz-voice) <= 10 && part > 0.9
		})
		speech.Close()
	}
}

// tools read a camera with a token by HTTPS.
func (s *street) tools(t *testing.T) {
	token, err := s.Client.NewToken(t.Context(), "a tool", []string{"view"}, nil, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	web := s.web(&tls.Config{RootCAs: roots})
	read := func(path string, n int64) (string, []byte) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url("/api/v1/cameras/porch/"+path), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token.Secret)
		res, err := web.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(io.LimitReader(res.Body, n))
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v %.300s", path, res.Status, err, b)
		}
		return res.Header.Get("Content-Type"), b
	}
	from := time.Now()
	out, err := s.phone.Output(exec.Command("ffprobe", "-v", "error", "-ca_file", s.ca, "-tls_verify", "1", "-headers", "Authorization: Bearer "+token.Secret+"\r\n", "-analyzeduration", "1000000", "-probesize", "32768",
		"-show_entries", "stream=codec_name,width", "-of", "compact=p=0:nk=1", s.url("/api/v1/cameras/porch/stream.mp4")))
	if err != nil || !strings.Contains(string(out), "h264|640") || !strings.Contains(string(out), "aac") {
		t.Errorf("MP4: %v\n%s", err, out)
	}
	t.Logf("MP4 after %s", time.Since(from).Round(time.Millisecond))
	kind, b := read("stream.mjpeg", 2000)
	if !strings.HasPrefix(kind, "multipart/x-mixed-replace") || !bytes.Contains(b, []byte("\xff\xd8\xff")) {
		t.Errorf("%s, %.80q", kind, b)
	}
}
