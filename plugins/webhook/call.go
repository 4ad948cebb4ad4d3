package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/httpcam"
)

// Headers that each request carries.
const (
	headerEvent     = "X-Porchlight-Event"     // the ring's id: one that comes twice is one ring
	headerTime      = "X-Porchlight-Time"      // Unix seconds; part of what is signed
	headerSignature = "X-Porchlight-Signature" // with sign_with
)

const (
	// betweenTries where no connection came about.
	betweenTries = 200 * time.Millisecond
	// maxAnswer is how much of an answer is read; none of it is used.
	maxAnswer = 16 << 10
)

// caller is one receiver with its secrets in clear.
type caller struct {
	settings settings
	client   *http.Client
}

// newCaller takes settings whose secrets were looked up.
func newCaller(s settings) (*caller, error) {
	if bad := checkURL(s.URL); len(bad) > 0 { // it may have come out of a secret
		return nil, bad[0]
	}
	var login httpcam.Login
	if s.Username != "" {
		login = httpcam.Login{Username: s.Username, Password: s.Password}
	}
	// Once: a kept connection that had gone would have a GET sent again by itself.
	// Answer is longer than any timeout, which each ring keeps by its context.
	client, err := httpcam.Client(httpcam.Options{URL: plainWords().ReplaceAllString(s.URL, "x"), Login: login, Fingerprint: s.Fingerprint, Answer: 2 * longestTimeout, Once: true})
	if err != nil {
		return nil, err
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &caller{settings: s, client: client}, nil
}

// ring calls the receiver once. It is called again only where no connection came
// about, and goes on to another path of the same host once.
func (c *caller) ring(ctx context.Context, w words) error {
	ctx, cancel := context.WithTimeout(ctx, c.settings.timeout())
	defer cancel()
	target := w.fill(c.settings.URL, url.QueryEscape)
	resp, err := c.connect(ctx, target, w)
	if err != nil {
		return err
	}
	if next := c.elsewhere(resp, target); next != "" {
		if resp, err = c.connect(ctx, next, w); err != nil {
			return err
		}
	}
	u, err := url.Parse(target)
	if err != nil {
		return problem{"url", "cannot be read once the ring's words stand in it", "put them behind a ?"}
	}
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300, resp.StatusCode == http.StatusSeeOther: // done; what there is to see is of no use
		return nil
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return &httpcam.Fault{Kind: httpcam.Redirected, Address: u.Host, Status: resp.StatusCode, Reason: "it sends on to another address", Fix: "give that address itself as url"}
	}
	return httpcam.Answered(u.Host, resp.StatusCode, httpcam.Login{Username: c.settings.Username})
}

// connect sends the request, and again while no connection comes about.
func (c *caller) connect(ctx context.Context, target string, w words) (*http.Response, error) {
	for {
		r, err := c.request(ctx, target, w)
		if err != nil {
			return nil, err
		}
		reached := false
		resp, err := c.client.Do(r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { reached = true },
		})))
		if err == nil {
			_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
			_ = resp.Body.Close()
			return resp, nil
		}
		fault := httpcam.Explain(ctx, r.URL.Host, err)
		var dial *net.OpError
		if !errors.As(fault, &dial) || dial.Op != "dial" {
			return nil, late(ctx, r.URL.Host, reached, fault)
		}
		select {
		case <-ctx.Done():
			return nil, fault
		case <-time.After(betweenTries):
		}
	}
}

// late says so in an owner's words where the time ran out.
func late(ctx context.Context, host string, reached bool, err error) error {
	switch {
	case ctx.Err() == nil:
		return err
	case !reached:
		return &httpcam.Fault{Kind: httpcam.Unreachable, Address: host, Reason: "no connection came about in time", Fix: "look whether it has power and network, and whether its address changed"}
	}
	return &httpcam.Fault{Kind: httpcam.Silent, Address: host, Reason: "it did not answer in time; whether it rang is not known", Fix: "look whether the receiver is slow, or give it a longer timeout"}
}

// elsewhere is where a redirect to the same host leads, if to there.
func (c *caller) elsewhere(resp *http.Response, from string) string {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return ""
	}
	if resp.Header.Get("Location") == "" {
		return ""
	}
	old, err := url.Parse(from)
	if err != nil {
		return ""
	}
	next, err := old.Parse(resp.Header.Get("Location"))
	if err != nil || next.Hostname() != old.Hostname() || next.User != nil || old.Scheme == "https" && next.Scheme != "https" || next.Scheme != "http" && next.Scheme != "https" {
		return ""
	}
	return next.String()
}

func (c *caller) request(ctx context.Context, target string, w words) (*http.Request, error) {
	method := c.settings.method()
	kind := "application/json"
	for name, v := range c.settings.Headers {
		if http.CanonicalHeaderKey(name) == "Content-Type" {
			kind = v
		}
	}
	var body []byte
	switch {
	case method == http.MethodGet:
	case c.settings.Body != nil:
		body = []byte(w.fill(*c.settings.Body, escapeFor(kind)))
	default:
		body = w.json()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return nil, problem{"url", "cannot be read once the ring's words stand in it", "put them behind a ?"}
	}
	r.Header.Set("User-Agent", "Porchlight")
	if method != http.MethodGet {
		r.Header.Set("Content-Type", kind)
	}
	for name, v := range c.settings.Headers {
		r.Header.Set(name, w.fill(v, oneLine))
	}
	stamp := strconv.FormatInt(w.at.Unix(), 10)
	r.Header.Set(headerEvent, w.EventID)
	r.Header.Set(headerTime, stamp)
	if c.settings.SignWith != "" {
		m := hmac.New(sha256.New, []byte(c.settings.SignWith))
		m.Write([]byte(stamp + "."))
		m.Write(body)
		r.Header.Set(headerSignature, "sha256="+hex.EncodeToString(m.Sum(nil)))
	}
	return r, nil
}

// escapeFor is how a word stands in a body of that kind.
func escapeFor(kind string) func(string) string {
	switch kind = strings.ToLower(kind); {
	case strings.Contains(kind, "json"):
		return func(s string) string {
			b, _ := json.Marshal(s) // a string marshals
			return string(b[1 : len(b)-1])
		}
	case strings.Contains(kind, "x-www-form-urlencoded"):
		return url.QueryEscape
	}
	return func(s string) string { return s }
}

// oneLine keeps a word from beginning another header.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
