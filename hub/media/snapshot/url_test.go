package snapshot

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/icholy/digest"

	"github.com/porchlight-hub/porchlight/hub/media"
)

// maxHops: what httpcam follows on the camera itself, and the first.
const maxHops = 4

const password = "p@:/#?&\"ü\\ %41"

// door is a camera's web server.
type door struct {
	*httptest.Server
	t      *testing.T
	offers []string // WWW-Authenticate; none: anybody may
	answer http.HandlerFunc

	mu      sync.Mutex
	nonce   int
	asked   int // requests
	logins  int // of them with credentials
	refused int // of those
	used    []string
}

func newDoor(t *testing.T, offers ...string) *door {
	d := &door{t: t, offers: offers}
	d.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(picture(t, 64, 48)) }
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	d.asked++
	auth := r.Header.Get("Authorization")
	ok := len(d.offers) == 0
	if auth != "" {
		d.logins++
		if ok = d.check(auth, r); !ok {
			d.refused++
		}
	}
	nonce := d.nonce
	d.mu.Unlock()
	if !ok {
		for _, o := range d.offers {
			w.Header().Add("WWW-Authenticate", strings.ReplaceAll(o, "NONCE", fmt.Sprint("n", nonce)))
		}
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	d.answer(w, r)
}

// check is the server's side of RFC 7616, written from the RFC.
func (d *door) check(auth string, r *http.Request) bool {
	if user, pass, ok := r.BasicAuth(); ok {
		d.used = append(d.used, "Basic")
		return user == "admin" && pass == password
	}
	c, err := digest.ParseCredentials(auth)
	if err != nil {
		d.t.Error(err)
		return false
	}
	d.used = append(d.used, c.Algorithm)
	var h hash.Hash = md5.New()
	if c.Algorithm == "SHA-256" {
		h = sha256.New()
	}
	sum := func(s string) string { h.Reset(); io.WriteString(h, s); return hex.EncodeToString(h.Sum(nil)) } //nolint:errcheck // a hash takes all
	a1, a2 := sum("admin:"+c.Realm+":"+password), sum(r.Method+":"+r.RequestURI)
	want := sum(a1 + ":" + c.Nonce + ":" + a2)
	if c.QOP != "" {
		want = sum(fmt.Sprintf("%s:%s:%08x:%s:%s:%s", a1, c.Nonce, c.Nc, c.Cnonce, c.QOP, a2))
	}
	return c.Response == want && c.URI == r.RequestURI && c.Nonce == fmt.Sprint("n", d.nonce)
}

func (d *door) counts() (asked, logins, refused int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.asked, d.logins, d.refused
}

// shop is a store with one camera "door" that has a URL.
func shop(t *testing.T, u *URL, log *slog.Logger) *Store {
	s := New(Options{Core: media.New(media.Limits{}), Log: log, URL: func(string) (URL, bool) { return *u, u.URL != "" }})
	t.Cleanup(s.Close)
	return s
}

// later lets the time pass after which the camera may be asked again.
func (s *Store) later(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.camera("door")
	c.image.Received, c.asked = c.image.Received.Add(-d), c.asked.Add(-d)
	if c.link != nil {
		c.link.mu.Lock()
		defer c.link.mu.Unlock()
		c.link.asked = c.link.asked.Add(-d)
	}
}

func TestLogins(t *testing.T) {
	const md, sha = `Digest realm="the \"door\", front", nonce="NONCE", qop="auth, auth-int", algorithm=MD5`, `Digest realm="d", nonce="NONCE", qop="auth", algorithm=SHA-256`
	for name, c := range map[string]struct {
		offers []string
		use    string
	}{
		"none":            {nil, ""},
		"Basic":           {[]string{`Basic realm="x"`}, "Basic"},
		"basic":           {[]string{`basic realm="x"`}, "Basic"},
		"MD5":             {[]string{md}, "MD5"},
		"old MD5":         {[]string{`digest realm="d", nonce="NONCE"`}, ""},
		"SHA-256":         {[]string{sha}, "SHA-256"},
		"both":            {[]string{`Basic realm="x"`, md, sha}, "SHA-256"},
		"both in a line":  {[]string{`Basic realm="a, Digest b", ` + md + `, Negotiate`}, "MD5"},
		"one not known":   {[]string{`Digest realm="d", nonce="NONCE", algorithm=SHA-1024`, `Basic realm="x"`}, "Basic"},
		"one broken":      {[]string{`Digest realm="d`, `Basic realm="x"`}, "Basic"},
		"userhash, SHA-2": {[]string{sha + `, opaque="o", stale=false, charset=UTF-8`}, "SHA-256"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, c.offers...)
			u := URL{URL: d.URL + "/snap.jpg?channel=1&x=%20", Username: "admin", Password: password}
			s := shop(t, &u, nil)
			for range 3 {
				img := get(t, s, Want{})
				if img.Width != 64 || img.Way != FromURL {
					t.Fatalf("%+v", img.Way)
				}
				s.later(2 * time.Second)
			}
			asked, logins, refused := d.counts()
			if want := 3 + min(1, len(c.offers)); asked != want || refused != 0 {
				t.Errorf("%d requests, %d logins, %d refused", asked, logins, refused)
			}
			for _, use := range d.used {
				if use != c.use {
					t.Errorf("logged in by %q", use)
				}
			}
			// The camera's nonces are used up: one more round, no refusal counted against us.
			d.mu.Lock()
			d.nonce++
			d.mu.Unlock()
			get(t, s, Want{})
		})
	}
}

func TestWrongPassword(t *testing.T) {
	d := newDoor(t, `Digest realm="d", nonce="NONCE", qop="auth"`, `Basic realm="x"`)
	u := URL{URL: d.URL + "/snap?user=admin&password=plantedquery", Username: "admin", Password: "plantedsecret"}
	var logged bytes.Buffer
	s := shop(t, &u, slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for range 50 {
		_, err := s.Get(t.Context(), "door", Want{})
		var none *NoPicture
		if !errors.As(err, &none) || none.Code() != "E-SNAP-LOGIN" || !strings.Contains(none.Hint(), "password") {
			t.Fatal(err)
		}
		for _, secret := range []string{"plantedquery", "plantedsecret"} {
			if strings.Contains(err.Error()+none.Hint(), secret) || strings.Contains(fmt.Sprint(u), secret) {
				t.Fatal("a secret is told", err)
			}
		}
	}
	if _, logins, _ := d.counts(); logins != 1 {
		t.Errorf("%d tries at once", logins)
	}
	s.later(loginRest - time.Minute)
	_, _ = s.Get(t.Context(), "door", Want{})
	if _, logins, _ := d.counts(); logins != 1 {
		t.Errorf("%d tries in five minutes", logins)
	}
	s.later(2 * time.Minute)
	_, _ = s.Get(t.Context(), "door", Want{})
	if _, logins, _ := d.counts(); logins != 2 {
		t.Errorf("%d tries after five minutes", logins)
	}
	if strings.Contains(logged.String(), "planted") {
		t.Error("a secret is in the log")
	}
	u.Password = password // the entry is set right: at once
	if img := get(t, s, Want{}); img.Way != FromURL {
		t.Error(img.Way)
	}
	u.Username = ""
	_, before, _ := d.counts()
	s.later(time.Minute)
	get(t, s, Want{}) // the last one
	if _, after, _ := d.counts(); after != before {
		t.Error("logged in without a user")
	}
}

// A camera that took a digest does not get the password itself, whoever answers for it.
func TestNoBasicAfterDigest(t *testing.T) {
	var digests, basics int
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		auth := r.Header.Get("Authorization")
		switch {
		case strings.HasPrefix(auth, "Basic"):
			basics++
		case strings.HasPrefix(auth, "Digest") && digests == 0:
			digests++
			_, _ = w.Write([]byte("a picture"))
			return
		case digests > 0:
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("WWW-Authenticate", `Digest realm="x", nonce="1", qop="auth"`)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer srv.Close()
	l := newLink(URL{URL: srv.URL, Username: "viewer", Password: "hunter2"})
	defer l.close()
	if _, err := l.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		var f *Fault
		if _, err := l.fetch(t.Context()); !errors.As(err, &f) || f.Code() != "E-SNAP-LOGIN" {
			t.Error(err)
		}
	}
	if digests != 1 || basics != 0 {
		t.Errorf("%d digests, the password itself %d times", digests, basics)
	}
}

func TestAnswersThatAreNoPicture(t *testing.T) {
	other := newDoor(t)
	var leaked atomic.Int32
	other.answer = func(_ http.ResponseWriter, r *http.Request) {
		if leaked.Add(1); r.Header.Get("Authorization") != "" {
			t.Error("the login went to another host")
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		code   string
	}{
		"HTML":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "E-SNAP-URL"},
		"nothing":  {func(http.ResponseWriter, *http.Request) {}, "E-SNAP-URL"},
		"404":      {http.NotFound, "E-SNAP-URL"},
		"403":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "E-SNAP-LOGIN"},
		"too much": {func(w http.ResponseWriter, r *http.Request) { endless(w, r) }, "E-SNAP-URL"},
		"a stream": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "Multipart/x-mixed-replace; boundary=x")
			endless(w, r)
		}, "E-SNAP-URL"},
		"cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9999")
			w.Write(picture(t, 8, 8))
		}, "E-SNAP-URL"},
		"a loop":       {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) }, "E-SNAP-URL"},
		"another host": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL+"/x", http.StatusFound) }, "E-SNAP-URL"},
		"by another way": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, "E-SNAP-URL"},
		"nowhere": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(302) }, "E-SNAP-URL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDoor(t, `Basic realm="x"`)
			d.answer = c.answer
			s := shop(t, &URL{URL: d.URL + "/a", Username: "admin", Password: password}, nil)
			_, err := s.Get(t.Context(), "door", Want{})
			var none *NoPicture
			if !errors.As(err, &none) || none.Code() != c.code || none.Hint() == "" || strings.Contains(err.Error(), password) {
				t.Errorf("%v", err)
			}
			before, _, _ := d.counts()
			_, _ = s.Get(t.Context(), "door", Want{})
			if after, _, _ := d.counts(); after != before || before > 2+maxHops {
				t.Errorf("%d requests, then %d", before, after)
			}
		})
	}
	t.Cleanup(func() {
		if leaked.Load() != 0 {
			t.Error("another host was asked")
		}
	})
}

func endless(w http.ResponseWriter, r *http.Request) {
	b := make([]byte, 1<<16)
	for r.Context().Err() == nil {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

func TestRedirectOnTheCamera(t *testing.T) {
	d := newDoor(t, `Digest realm="d", nonce="NONCE", qop="auth"`)
	d.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b?x=1", http.StatusTemporaryRedirect)
			return
		}
		_, _ = w.Write(picture(t, 64, 48))
	}
	s := shop(t, &URL{URL: d.URL + "/a", Username: "admin", Password: password}, nil)
	if img := get(t, s, Want{}); img.Width != 64 {
		t.Error(img.Width)
	}
}

func TestBadURLs(t *testing.T) {
	for _, u := range []string{"http://", "ftp://x/y", "://", "http://admin:secret@127.0.0.1/x", "http://127.0.0.1:1/x", "http://[::1", "x"} {
		s := shop(t, &URL{URL: u}, nil)
		_, err := s.Get(t.Context(), "door", Want{})
		var none *NoPicture
		if !errors.As(err, &none) || none.Code() != "E-SNAP-URL" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestSlowCamera(t *testing.T) {
	d := newDoor(t)
	d.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	s := shop(t, &URL{URL: d.URL}, nil)
	_, err := s.Get(t.Context(), "door", Want{})
	var none *NoPicture
	if !errors.As(err, &none) || none.Code() != "E-SNAP-URL" || !strings.Contains(err.Error(), "2 s") {
		t.Error(err)
	}
}

func TestOneRequestForAll(t *testing.T) {
	d := newDoor(t)
	s := shop(t, &URL{URL: d.URL}, nil)
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() { get(t, s, Want{MaxAge: time.Nanosecond}) })
	}
	wg.Wait()
	if asked, _, _ := d.counts(); asked != 1 {
		t.Errorf("%d requests in a second", asked)
	}
}

func TestPinnedCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(picture(t, 64, 48)) }))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	srv.StartTLS()
	defer srv.Close()
	u := URL{URL: srv.URL}
	s := shop(t, &u, nil)
	_, err := s.Get(t.Context(), "door", Want{})
	var none *NoPicture
	if !errors.As(err, &none) || none.Code() != "E-SNAP-CERT" {
		t.Fatal(err)
	}
	_, pin, ok := strings.Cut(none.Hint(), "fingerprint: ")
	if !ok {
		t.Fatal(none.Hint())
	}
	u.Fingerprint = "sha256:" + strings.Repeat("00", 32)
	_, err = s.Get(t.Context(), "door", Want{})
	if !errors.As(err, &none) || none.Code() != "E-SNAP-CERT" || !strings.Contains(none.Hint(), pin) {
		t.Fatal(err)
	}
	for _, f := range []string{pin, strings.ToUpper(pin), strings.TrimPrefix(pin, "sha256:")} {
		u.Fingerprint = f
		if img := get(t, s, Want{}); img.Way != FromURL {
			t.Error(img.Way)
		}
	}
}
