package httpcam

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait: far longer than anything takes, so that only what hangs fails.
const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// door asks for a login as a camera does.
type door struct {
	user, password string
	offers         []string // basic, MD5, SHA-256, none (a Digest without an algorithm)
	oneLine        bool     // all offers in one header
	stale          bool     // each nonce serves once

	mu     sync.Mutex
	nonces map[string]bool
	asked  int      // requests
	logins []string // schemes with which somebody tried, right or wrong
}

func (d *door) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.asked++
		auth := r.Header.Get("Authorization")
		if auth != "" {
			d.logins = append(d.logins, strings.Fields(auth)[0])
		}
		stale, ok := d.check(r, auth)
		if ok {
			d.mu.Unlock()
			next.ServeHTTP(w, r)
			return
		}
		var offers []string
		for _, o := range d.offers {
			offers = append(offers, d.challenge(o, stale))
		}
		d.mu.Unlock()
		if d.oneLine {
			offers = []string{strings.Join(offers, ", ")}
		}
		w.Header()["Www-Authenticate"] = offers
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "<html>go away</html>")
	})
}

func (d *door) challenge(offer string, stale bool) string {
	if offer == "basic" {
		return `Basic realm="a \"door\", with commas"`
	}
	nonce := rand.Text()
	if d.nonces == nil {
		d.nonces = map[string]bool{}
	}
	d.nonces[nonce] = true
	c := `Digest realm="a \"door\", with commas", nonce="` + nonce + `", qop="auth,auth-int"`
	if offer != "none" {
		c += ", algorithm=" + offer
	}
	if stale {
		c += ", stale=true"
	}
	return c
}

func param(auth, name string) string {
	m := regexp.MustCompile(`[ ,]` + name + `="?((?:[^",\\]|\\.)*)"?`).FindStringSubmatch(auth)
	if m == nil {
		return ""
	}
	return m[1]
}

// check works RFC 7616 3.4 out by itself.
func (d *door) check(r *http.Request, auth string) (stale, ok bool) {
	if user, pass, basic := r.BasicAuth(); basic {
		return false, user == d.user && pass == d.password && strings.Contains(strings.Join(d.offers, " "), "basic")
	}
	if !strings.HasPrefix(auth, "Digest ") {
		return false, false
	}
	var h hash.Hash = md5.New()
	if param(auth, "algorithm") == "SHA-256" {
		h = sha256.New()
	}
	sum := func(s string) string {
		h.Reset()
		h.Write([]byte(s))
		return hex.EncodeToString(h.Sum(nil))
	}
	nonce := param(auth, "nonce")
	if !d.nonces[nonce] {
		return true, false
	}
	if d.stale {
		delete(d.nonces, nonce)
	}
	a1, a2 := sum(d.user+`:a "door", with commas:`+d.password), sum(r.Method+":"+r.URL.RequestURI())
	want := sum(a1 + ":" + nonce + ":" + param(auth, "nc") + ":" + param(auth, "cnonce") + ":" + param(auth, "qop") + ":" + a2)
	return false, param(auth, "response") == want && param(auth, "uri") == r.URL.RequestURI()
}

func (d *door) tried() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.logins...)
}

// pictureServer answers with one JPEG.
func pictureServer(b []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/jpeg")
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		_, _ = w.Write(b)
	})
}

// streamServer answers with the pictures one after the other, and then, as told, ends or freezes.
func streamServer(freeze bool, pictures ...[]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=--frame")
		pace := time.NewTicker(2 * closest) // as a camera has one; nearer ones count as one
		defer pace.Stop()
		for _, b := range pictures {
			fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(b), b)
			w.(http.Flusher).Flush()
			<-pace.C
		}
		if freeze {
			<-r.Context().Done()
		}
	})
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func request(t *testing.T) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://h/p?q=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
