package httpcam

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/icholy/digest"
)

const (
	// maxRefusal is how much of a refusal's body is read before its connection is used again.
	maxRefusal = 64 << 10
	// maxChallenges of one answer are looked at.
	maxChallenges = 8
)

// loginTransport logs in as the peer asks. The first request goes without credentials,
// so that they are only ever given to who asked, in the strongest form that was offered.
type loginTransport struct {
	next  http.RoundTripper
	login Login
	host  string // only it is given credentials

	mu     sync.Mutex
	digest *digest.Challenge // of the last answer; nil: none yet
	basic  bool
	count  int // how often this challenge was used
}

// RoundTrip sends the request, and once more where it has to log in.
func (t *loginTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.login == (Login{}) || r.URL.Hostname() != t.host {
		return t.next.RoundTrip(r)
	}
	first, err := t.signed(r)
	if err != nil {
		return nil, err
	}
	used := first.Header.Get("Authorization")
	resp, err := t.next.RoundTrip(first)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	// A second login with the same words makes no sense; one with a new nonce does.
	if !t.learn(resp.Header.Values("WWW-Authenticate"), used) {
		return resp, nil
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxRefusal)
	_ = resp.Body.Close()
	second, err := t.signed(r)
	if err != nil {
		return nil, err
	}
	return t.next.RoundTrip(second)
}

// signed is a copy of the request with the credentials that the last challenge asks for.
func (t *loginTransport) signed(r *http.Request) (*http.Request, error) {
	out := r.Clone(r.Context())
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		out.Body = body
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.digest != nil:
		t.count++
		c, err := digest.Digest(t.digest, digest.Options{
			Method: r.Method, URI: requestURI(r.URL), GetBody: r.GetBody, Count: t.count,
			Username: t.login.Username, Password: t.login.Password,
		})
		if err != nil {
			return nil, err
		}
		out.Header.Set("Authorization", c.String())
	case t.basic:
		out.SetBasicAuth(t.login.Username, t.login.Password)
	}
	return out, nil
}

// requestURI is the URI as it stands in the request line.
func requestURI(u *url.URL) string { return u.RequestURI() }

// learn takes the strongest challenge; false where another try would be no better.
func (t *loginTransport) learn(headers []string, used string) bool {
	var best *digest.Challenge
	basic := false
	for _, text := range challenges(headers) {
		scheme, rest, _ := strings.Cut(text, " ")
		switch strings.ToLower(scheme) {
		case "basic":
			basic = true
		case "digest":
			c, err := digest.ParseChallenge(digest.Prefix + strings.TrimSpace(rest))
			if err != nil {
				continue
			}
			for i := range c.QOP { // some write "auth, auth-int"
				c.QOP[i] = strings.TrimSpace(c.QOP[i])
			}
			if digest.CanDigest(c) && (best == nil || strength(c) > strength(best)) {
				best = c
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case best != nil:
		if used != "" && t.digest != nil && t.digest.Nonce == best.Nonce && !best.Stale {
			return false
		}
		t.digest, t.basic, t.count = best, false, 0
		return true
	case basic && used == "":
		t.digest, t.basic = nil, true
		return true
	}
	return false
}

func strength(c *digest.Challenge) int {
	return slices.Index([]string{"", "MD5", "SHA-256", "SHA-512-256", "SHA-512"}, strings.ToUpper(c.Algorithm))
}

// challenges takes headers apart that hold several, as RFC 9110 11.6.1 allows: each
// begins with a scheme, and a comma outside of quotes stands between them.
func challenges(headers []string) []string {
	var out []string
	for _, h := range headers {
		begin, quoted := 0, false
		for i := 0; i < len(h) && len(out) < maxChallenges; i++ {
			switch {
			case h[i] == '\\' && quoted:
				i++
			case h[i] == '"':
				quoted = !quoted
			case h[i] == ',' && !quoted && beginsChallenge(h[i+1:]):
				out = append(out, strings.TrimSpace(h[begin:i]))
				begin = i + 1
			}
		}
		out = append(out, strings.TrimSpace(h[begin:]))
	}
	return out
}

// beginsChallenge: a word that is no parameter; some schemes stand alone (Negotiate).
func beginsChallenge(s string) bool {
	s, _, _ = strings.Cut(s, ",")
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return word != "" && !strings.ContainsAny(word, `="`)
}
