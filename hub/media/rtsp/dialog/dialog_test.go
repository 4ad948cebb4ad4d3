package dialog

import (
	"bufio"
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		name, in string
		status   int
		check    func(*Message) bool
	}{
		{"by the book", "RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody", 200, func(m *Message) bool { return string(m.Body) == "body" && m.Header.Get("cseq") == "3" }},
		{"LF alone", "RTSP/1.0 200 OK\nCSeq: 3\n\n", 200, func(m *Message) bool { return m.Header.Get("cseq") == "3" }},
		{"no reason", "RTSP/1.0 401\r\ncseq:3\r\n\r\n", 401, func(m *Message) bool { return m.Header.Get("cseq") == "3" }},
		{"folded", "RTSP/1.0 200 OK\r\nPublic: OPTIONS,\r\n PLAY\r\n\r\n", 200, func(m *Message) bool { return m.Header.Get("public") == "OPTIONS, PLAY" }},
		{"a line that is no header", "RTSP/1.0 200 OK\r\nwhat is this\r\nA: b\r\n\r\n", 200, func(m *Message) bool { return m.Header.Get("a") == "b" }},
		{"a request", "OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 1\r\n\r\n", 0, func(m *Message) bool { return m.Method == "OPTIONS" && m.URL == "rtsp://x" }},
		{"a length that is none", "RTSP/1.0 200 OK\r\nContent-Length: many\r\n\r\n", 200, func(m *Message) bool { return len(m.Body) == 0 }},
		{"a description longer than it says", "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\nm=video\r\n", 200, func(m *Message) bool { return bytes.Contains(m.Body, []byte("m=video")) }},
	} {
		m, err := readMessage(bufio.NewReader(strings.NewReader(c.in)))
		if err != nil || m.Status != c.status || !c.check(m) {
			t.Errorf("%s: %+v %v", c.name, m, err)
		}
	}
	for _, in := range []string{"", "RTSP/1.0", "RTSP/1.0 abc\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "RTSP/1.0 200 OK\r\nContent-Length: 9999999999\r\n\r\n"} {
		if m, err := readMessage(bufio.NewReader(strings.NewReader(in))); err == nil {
			t.Errorf("%q became %+v", in, m)
		}
	}
}

// TestFixtureAnswers: whole answers of real devices.
func TestFixtureAnswers(t *testing.T) {
	root := os.Getenv("PORCHLIGHT_FIXTURES")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "..", "shared", "fixtures")
	}
	files, _ := filepath.Glob(filepath.Join(root, "rtsp", "retina", "*.txt"))
	if len(files) == 0 {
		t.Skipf("NO FIXTURES at %s: set PORCHLIGHT_FIXTURES to their folder", root)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.HasPrefix(b, []byte("v=0")) {
			continue
		}
		m, err := readMessage(bufio.NewReader(bytes.NewReader(b)))
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(file), err)
			continue
		}
		switch name := filepath.Base(file); {
		case strings.Contains(name, "unauthorized"):
			if all := challenges(m.Header["www-authenticate"]); len(all) != 1 || all[0].realm != "Surveillance Server" || all[0].nonce != "98481030" {
				t.Errorf("%s: %+v", name, all)
			}
		case strings.Contains(name, "setup"):
			if SessionTimeout(m) != time.Minute || m.Header.Get("session") == "" {
				t.Errorf("%s: %v", name, m.Header)
			}
		case strings.Contains(name, "describe"):
			if m.Status != 200 || !bytes.Contains(m.Body, []byte("m=video")) {
				t.Errorf("%s: %d, %d bytes", name, m.Status, len(m.Body))
			}
		}
	}
}

func TestChallenges(t *testing.T) {
	for _, c := range []struct {
		in    []string
		realm string
		way   string
	}{
		{[]string{`Basic realm="a, b"`}, "a, b", Basic},
		{[]string{`Basic realm=bare`}, "bare", Basic},
		{[]string{`Digest realm="Login to "x"", nonce="1"`}, `Login to "x"`, DigestMD5},
		{[]string{`Digest realm="a \"b\" c", nonce="1"`}, `a \"b\" c`, DigestMD5},
		{[]string{`Digest realm="r",nonce="1",algorithm=SHA-256`, `Basic realm="b"`}, "r", DigestSHA256},
		{[]string{`Basic realm="b", Digest realm="r", nonce="1", algorithm="MD5"`}, "r", DigestMD5},
		{[]string{`Digest realm="sha512", nonce="1", algorithm=SHA-512-256`, `Basic realm="b"`}, "b", Basic},
		{[]string{`digest REALM="r", NONCE="1", stale=TRUE`}, "r", DigestMD5},
	} {
		got, ok := strongest(challenges(c.in))
		if !ok || got.realm != c.realm || got.way != c.way {
			t.Errorf("%q: %+v", c.in, got)
		}
	}
	if _, ok := strongest(challenges([]string{"", "Kerberos x", `Digest realm="no nonce"`})); ok {
		t.Error("an offer out of nothing")
	}
}

// TestDigest is the example of RFC 2617 3.5, whose password is known to everybody.
func TestDigest(t *testing.T) {
	c := challenge{way: DigestMD5, realm: "testrealm@host.com", nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque: "5ccc069c403ebaf9f0171e9517f40e41"}
	ha1 := digest(md5.New, "Mufasa:testrealm@host.com:Circle Of Life")
	want := digest(md5.New, ha1+":"+c.nonce+":"+digest(md5.New, "GET:/dir/index.html"))
	got := c.authorization("Mufasa", "Circle Of Life", "GET", "/dir/index.html", 1)
	if ha1 != "939e7578ed9e3c518a452acee763bce9" || !strings.Contains(got, `response="`+want+`"`) || !strings.Contains(got, c.opaque) {
		t.Error(got)
	}
	if s := c.authorization("a\"b\r\nX: y", "p", "GET", "/", 1); strings.ContainsAny(s, "\r\n") || !strings.Contains(s, `username="a\"bX: y"`) {
		t.Error(s)
	}
}

func TestOneWord(t *testing.T) {
	if got := oneWord("rtsp://x/a b\r\nX: y"); got != "rtsp://x/abX:y" {
		t.Error(got)
	}
}

func FuzzMessage(f *testing.F) {
	f.Add([]byte("RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\n\r\nbody"))
	f.Add([]byte("RTSP/1.0 401 X\r\nWWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\r\nSession: 1;timeout=5\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		br := bufio.NewReaderSize(bytes.NewReader(b), frameBuffer)
		for range 4 {
			m, err := readMessage(br)
			if err != nil {
				return
			}
			if d := SessionTimeout(m); d <= 0 {
				t.Fatal(d)
			}
			if c, ok := strongest(challenges(m.Header["www-authenticate"])); ok {
				if s := c.authorization("u", "p", "PLAY", "rtsp://x", 1); strings.ContainsAny(s, "\r\n") {
					t.Fatalf("%q", s)
				}
			}
		}
	})
}

func TestControlURL(t *testing.T) {
	asked, err := url.Parse("rtsp://192.0.2.7:8554/cam/realmonitor?channel=1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		from, control string
		first         bool
		want          string
	}{
		{"rtsp://192.0.2.7:8554/live/", "track1", false, "/live/track1"},
		{"rtsp://192.0.2.7:8554/live", "track1", false, "/live/track1"},
		{"rtsp://192.0.2.7:8554/live", "*", false, "/live"},
		{"rtsp://192.0.2.7:8554/live", "", false, "/live"},
		{"rtsp://192.0.2.7:8554/live", "?ctype=video", false, "/live?ctype=video"},
		{"rtsp://192.0.2.7:8554/live/", "/live/track1", false, "/live/track1"},
		{"rtsp://192.0.2.7:8554/live/", "/track1", false, "/live/track1"},
		{"rtsp://192.0.2.7:8554/live?a=1", "track1", false, "/live?a=1/track1"},
		{"rtsp://192.0.2.7:8554/live?a=1", "track1", true, "/live/track1?a=1"},
		{"rtsp://192.0.2.7:8554/live", "rtsp://10.0.0.1/other/track1?x=y", false, "/other/track1?x=y"},
		{"rtsp://192.0.2.7:8554/live", "rtsp://rtsp://0.0.0.0:554/x", false, "/x"},
	} {
		if got := ControlURL(asked, c.from, c.control, c.first); got != "rtsp://192.0.2.7:8554"+c.want {
			t.Errorf("%s and %q (%v): %s, want %s", c.from, c.control, c.first, got, c.want)
		}
	}
	none := func(string) bool { return false }
	for header, want := range map[string]string{
		"": "/cam/realmonitor?channel=1", "rtsp://rtsp://x:554/stream0/": "/stream0/", "192.168.253.220:1935/": "/", "/media/": "/media/",
		"rtsp://::ffff:192.0.2.1:554/x/": "/x/", "rtsp://0.0.0.0/a?b=rtsp://c/d": "/a?b=rtsp://c/d",
	} {
		if got, err := ContentBase(asked, header, none); err != nil || got != "rtsp://192.0.2.7:8554"+want {
			t.Errorf("content base %q: %s %v", header, got, err)
		}
	}
}

// A server that took a digest does not get the password itself, whatever it asks for then.
func TestNoBasicAfterDigest(t *testing.T) {
	ours, theirs := net.Pipe()
	asked := make(chan []string, 1) // of the server: what it was sent, once
	go func() {
		defer theirs.Close()
		br := bufio.NewReader(theirs)
		var logins []string
		for _, answer := range []string{
			"401 x\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"1\"\r\n", "200 OK\r\n",
			"401 x\r\nWWW-Authenticate: Basic realm=\"r\"\r\n", "401 x\r\nWWW-Authenticate: Basic realm=\"r\"\r\n",
		} {
			m, err := readMessage(br)
			if err != nil {
				break
			}
			logins = append(logins, m.Header.Get("authorization"))
			fmt.Fprintf(theirs, "RTSP/1.0 %sCSeq: %s\r\n\r\n", answer, m.Header.Get("cseq"))
		}
		asked <- logins
	}()
	c, err := Dial(t.Context(), Options{Username: "viewer", Password: "hunter2", Timeout: 5 * time.Second,
		Dial: func(context.Context, string, string) (net.Conn, error) { return ours, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 401} {
		m, err := c.Do("DESCRIBE", "rtsp://h/s", nil)
		if err != nil || m.Status != want {
			t.Fatalf("%d: %+v %v", i, m, err)
		}
		c.Renew(m) // as a refused sign of life does
	}
	if !c.Tried() || !strings.HasPrefix(c.Way(), "digest") {
		t.Errorf("tried %v, by %s", c.Tried(), c.Way())
	}
	if _, err := c.Send("OPTIONS", "rtsp://h/s", nil); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	for _, l := range <-asked {
		if strings.HasPrefix(l, "Basic") {
			t.Errorf("the password was sent: %s", l)
		}
	}
}
