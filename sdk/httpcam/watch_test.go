package httpcam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

const awkward = `p@:/#"\%&ä`

func TestWatchFindsOutWhatItIs(t *testing.T) {
	a, b := drawn(t, 32, 24, 1), drawn(t, 24, 32, 2)
	enough := errors.New("enough")
	for name, h := range map[string]http.Handler{"a JPEG": pictureServer(a), "MJPEG": streamServer(true, a, b, a)} {
		t.Run(name, func(t *testing.T) {
			var got []Picture
			err := Watch(within(t), Options{URL: serve(t, h).URL + "/x?y=1", Every: time.Millisecond}, func(p Picture) error {
				if got = append(got, p); len(got) == 3 {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) || len(got) != 3 || got[0].Width != 32 || !bytes.Equal(got[2].JPEG, a) {
				t.Errorf("%d pictures, %v", len(got), err)
			}
		})
	}
}

func TestTheShortForms(t *testing.T) {
	a := drawn(t, 32, 24, 1)
	enough := errors.New("enough")
	n := 0
	take := func(jpeg []byte, at time.Time) error {
		if !bytes.Equal(jpeg, a) || at.IsZero() {
			t.Error("another picture")
		}
		if n++; n%2 == 0 {
			return enough
		}
		return nil
	}
	if err := MJPEG(within(t), Options{URL: serve(t, streamServer(true, a, a)).URL}, take); !errors.Is(err, enough) {
		t.Error(err)
	}
	if err := JPEG(within(t), Options{URL: serve(t, pictureServer(a)).URL, Every: time.Millisecond}, take); !errors.Is(err, enough) {
		t.Error(err)
	}
	for _, h := range []http.Handler{pictureServer(a), streamServer(true, a)} {
		if p, err := Get(within(t), Options{URL: serve(t, h).URL}); err != nil || !bytes.Equal(p.JPEG, a) {
			t.Error(err)
		}
	}
}

func TestLogins(t *testing.T) {
	a := drawn(t, 16, 16, 1)
	for name, c := range map[string]struct {
		door *door
		want string
	}{
		"basic":                       {&door{offers: []string{"basic"}}, "Basic"},
		"MD5":                         {&door{offers: []string{"MD5"}}, "Digest"},
		"no algorithm":                {&door{offers: []string{"none"}}, "Digest"},
		"SHA-256":                     {&door{offers: []string{"SHA-256"}}, "Digest"},
		"the strongest of all":        {&door{offers: []string{"basic", "MD5", "SHA-256"}}, "Digest"},
		"all in one header":           {&door{offers: []string{"basic", "MD5", "SHA-256"}, oneLine: true}, "Digest"},
		"an algorithm nobody knows":   {&door{offers: []string{"SHA-1024", "basic"}}, "Basic"},
		"each nonce serves only once": {&door{offers: []string{"MD5"}, stale: true}, "Digest"},
	} {
		t.Run(name, func(t *testing.T) {
			c.door.user, c.door.password = "viewer", awkward
			s := serve(t, c.door.wrap(pictureServer(a)))
			n, enough := 0, errors.New("enough")
			err := JPEG(within(t), Options{URL: s.URL + "/a?b=c&d=%20", Login: Login{"viewer", awkward}, Every: time.Millisecond}, func([]byte, time.Time) error {
				if n++; n == 3 {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) {
				t.Fatal(err)
			}
			for _, scheme := range c.door.tried() {
				if scheme != c.want {
					t.Errorf("logged in by %v, want %s only", c.door.tried(), c.want)
				}
			}
		})
	}
}

// One wrong password is one try: more would lock the device.
func TestAWrongPasswordIsTriedOnce(t *testing.T) {
	for _, offer := range []string{"basic", "MD5", "SHA-256"} {
		d := &door{user: "viewer", password: "right", offers: []string{offer}}
		s := serve(t, d.wrap(pictureServer(drawn(t, 16, 16, 1))))
		err := Watch(within(t), Options{URL: s.URL + "/secretpath?token=hidden", Login: Login{"viewer", awkward}}, func(Picture) error { return nil })
		if KindOf(err) != LoginNeeded || len(d.tried()) != 1 {
			t.Errorf("%s: %v, tried %v", offer, err, d.tried())
		}
		for _, secret := range []string{awkward, "hidden", "secretpath"} {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
				t.Errorf("%s: the error shows %q: %#v", offer, secret, err)
			}
		}
	}
	var f *Fault
	s := serve(t, (&door{offers: []string{"MD5"}}).wrap(pictureServer(nil)))
	if _, err := Get(within(t), Options{URL: s.URL}); !errors.As(err, &f) || f.Kind != LoginNeeded || f.Reason != "it asks for a login" || f.Hint() == "" {
		t.Errorf("without a login: %v", err)
	}
}

func TestPrintedALoginShowsNoPassword(t *testing.T) {
	o := Options{URL: "http://h/", Login: Login{"viewer", "geheim"}}
	for _, form := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if s := fmt.Sprintf(form, o) + fmt.Sprintf(form, o.Login); strings.Contains(s, "geheim") {
			t.Errorf("%s: %s", form, s)
		}
	}
}

func TestRedirectsStayAtHome(t *testing.T) {
	a := drawn(t, 16, 16, 1)
	d := &door{user: "u", password: "p", offers: []string{"basic"}}
	mux := http.NewServeMux()
	mux.Handle("/picture", pictureServer(a))
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/picture", http.StatusFound) })
	mux.HandleFunc("/round", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/round", http.StatusFound) })
	s := serve(t, d.wrap(mux))
	strangers := 0
	stranger := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { strangers++ }))
	away := strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1) + "/steal"
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, away, http.StatusFound) })
	mux.HandleFunc("/beside", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, stranger.URL+"/steal", http.StatusFound)
	})
	o := Options{Login: Login{"u", "p"}}
	for path, want := range map[string]Kind{"/here": "", "/round": Redirected, "/away": Redirected, "/beside": Redirected} {
		o.URL = s.URL + path
		if _, err := Get(within(t), o); KindOf(err) != want {
			t.Errorf("%s: %v", path, err)
		} else if err != nil && strings.Contains(err.Error(), "steal") {
			t.Errorf("%s: the error shows a path: %v", path, err)
		}
	}
	if strangers > 0 {
		t.Error("another host was asked")
	}
}

func TestCertificates(t *testing.T) {
	a := drawn(t, 16, 16, 1)
	s := httptest.NewUnstartedServer(pictureServer(a))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of every refused certificate
	s.StartTLS()
	defer s.Close()
	var f *Fault
	_, err := Get(within(t), Options{URL: s.URL})
	if !errors.As(err, &f) || f.Kind != Certificate || f.Fingerprint != Fingerprint(s.Certificate().Raw) || !strings.Contains(f.Fix, f.Fingerprint) {
		t.Fatalf("unpinned: %v, %+v", err, f)
	}
	if _, err := Get(within(t), Options{URL: s.URL, Fingerprint: strings.ToUpper(f.Fingerprint)}); err != nil {
		t.Errorf("pinned: %v", err)
	}
	wrong := "sha256:" + strings.Repeat("0", 64)
	_, err = Get(within(t), Options{URL: s.URL, Fingerprint: wrong})
	if !errors.As(err, &f) || f.Kind != Certificate || f.Fingerprint != Fingerprint(s.Certificate().Raw) || f.Address == "" {
		t.Errorf("pinned to another: %v", err)
	}
	plain := serve(t, pictureServer(a))
	if _, err := Get(within(t), Options{URL: strings.Replace(plain.URL, "http", "https", 1)}); KindOf(err) != Certificate {
		t.Errorf("no TLS there: %v", err)
	}
	for _, bad := range []string{"x", "sha256:12", "sha1:" + strings.Repeat("0", 64)} {
		if _, err := Get(within(t), Options{URL: s.URL, Fingerprint: bad}); KindOf(err) != BadURL {
			t.Errorf("fingerprint %s: %v", bad, err)
		}
	}
}

func TestWhatGoesWrongHasAKind(t *testing.T) {
	a := drawn(t, 16, 16, 1)
	status := func(code int) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=x")
		fmt.Fprint(w, "<html>camera</html>")
	})
	strange := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := fmt.Fprint(w, "--x\r\nContent-Type: text/plain\r\n\r\nno picture\r\n"); err != nil {
				return
			}
		}
	})
	huge := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(a[:len(a)-2])
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	closed := httptest.NewServer(page)
	closed.Close()
	for name, c := range map[string]struct {
		url  string
		h    http.Handler
		want Kind
	}{
		"401": {h: status(401), want: LoginNeeded}, "403": {h: status(403), want: LoginNeeded}, "404": {h: status(404), want: NotFound},
		"503": {h: status(503), want: Busy}, "509": {h: status(509), want: Busy}, "500": {h: status(500), want: Refused}, "204": {h: status(204), want: Refused},
		"a page": {h: page, want: NoPictures}, "parts that are none": {h: strange, want: NoPictures}, "nothing": {h: status(200), want: NoPictures},
		"too large": {h: huge, want: Oversized}, "frozen": {h: streamServer(true, a), want: Silent}, "closed": {h: streamServer(false, a, a), want: Ended},
		"nobody listens": {url: closed.URL, want: Unreachable}, "an unknown name": {url: "http://no-such-host.invalid/", want: Unreachable},
		"not HTTP": {url: "rtsp://127.0.0.1/", want: BadURL}, "no URL": {url: "http://[::1", want: BadURL}, "a login in it": {url: "http://u:geheim@127.0.0.1/", want: BadURL},
	} {
		t.Run(name, func(t *testing.T) {
			url := c.url
			if c.h != nil {
				url = serve(t, c.h).URL
			}
			err := Watch(within(t), Options{URL: url, Silence: 100 * time.Millisecond, Answer: patience / 2, MaxPicture: 1 << 20}, func(Picture) error { return nil })
			var f *Fault
			if !errors.As(err, &f) || f.Kind != c.want || f.Reason == "" || f.Fix == "" {
				t.Errorf("%v (%+v), want %s", err, f, c.want)
			}
			if strings.Contains(fmt.Sprintf("%v %+v", err, f), "geheim") {
				t.Errorf("shows a password: %+v", f)
			}
		})
	}
}

func TestAServerThatNeverAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := Get(within(t), Options{URL: "http://" + l.Addr().String(), Answer: 50 * time.Millisecond}); KindOf(err) != Silent && KindOf(err) != Unreachable {
		t.Errorf("%v", err)
	}
}

func TestTheCallersEnd(t *testing.T) {
	a := drawn(t, 16, 16, 1)
	ctx, cancel := context.WithCancelCause(within(t))
	mine := errors.New("mine")
	err := MJPEG(ctx, Options{URL: serve(t, streamServer(true, a)).URL}, func([]byte, time.Time) error {
		cancel(mine)
		return nil
	})
	if !errors.Is(err, mine) {
		t.Errorf("ended with %v, want the cause of its context", err)
	}
}

func TestDialIsTheCallers(t *testing.T) {
	s := serve(t, pictureServer(drawn(t, 16, 16, 1)))
	dialled := ""
	o := Options{URL: "http://camera.test:8080/x", Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		dialled = network + " " + address
		return (&net.Dialer{}).DialContext(ctx, network, strings.TrimPrefix(s.URL, "http://"))
	}}
	if _, err := Get(within(t), o); err != nil || dialled != "tcp camera.test:8080" {
		t.Errorf("dialled %q, %v", dialled, err)
	}
}

// ffmpeg's multipart is a stranger's: it announces a boundary, and writes its own lengths.
func TestFFmpegsMultipart(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		t.Skip("SKIPPED: there is no ffmpeg here, and MJPEG is not tried on a stranger's server")
	}
	for _, huffman := range []string{"default", "optimal"} {
		s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "multipart/x-mixed-replace;boundary=ffmpeg")
			cmd := exec.CommandContext(r.Context(), ffmpeg, "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25",
				"-c:v", "mjpeg", "-huffman", huffman, "-f", "mpjpeg", "-")
			cmd.Stdout = flusher{w}
			_ = cmd.Run() // it is ended by the request
		}))
		var got [][]byte
		enough := errors.New("enough")
		err = MJPEG(within(t), Options{URL: s.URL}, func(jpeg []byte, _ time.Time) error {
			if got = append(got, jpeg); len(got) == 5 {
				return enough
			}
			return nil
		})
		if !errors.Is(err, enough) || slices.ContainsFunc(got, func(b []byte) bool { return !bytes.HasSuffix(b, []byte{0xFF, markEOI}) }) {
			t.Errorf("%d pictures, %v", len(got), err)
		}
	}
}

type flusher struct{ w http.ResponseWriter }

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	f.w.(http.Flusher).Flush()
	return n, err
}

func TestAlarmsAreTakenUntilTheySilence(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/mixed; boundary=boundary")
		fmt.Fprint(w, "--boundary\r\nContent-Type: application/xml\r\nContent-Length: 4\r\n\r\n<a/>\r\n--boundary\r\nContent-Type: application/json\r\n\r\n{}\r\n--boundary\r\n")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	var got []string
	err := Alarms(within(t), Options{URL: s.URL, Silence: 100 * time.Millisecond, Answer: patience / 2}, func(p Part) error {
		got = append(got, p.Header["content-type"]+" "+string(p.Body))
		return nil
	})
	if KindOf(err) != Silent || fmt.Sprint(got) != "[application/xml <a/> application/json {}]" {
		t.Errorf("%q, %v", got, err)
	}
	mine := errors.New("mine")
	if err := Alarms(within(t), Options{URL: s.URL}, func(Part) error { return mine }); !errors.Is(err, mine) {
		t.Error(err)
	}
	page := serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("<p>\n", 1<<17)) }))
	if err := Alarms(within(t), Options{URL: page.URL}, func(Part) error { return nil }); KindOf(err) != NoPictures {
		t.Error(err)
	}
}
