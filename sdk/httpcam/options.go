package httpcam

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"
)

// What holds where Options says nothing.
const (
	defaultEvery   = time.Second
	defaultAnswer  = 10 * time.Second
	defaultSilence = 15 * time.Second
	// MaxPicture is the most bytes that a picture, or a part of another kind, may have:
	// what one unit of the media socket takes.
	MaxPicture = 8 << 20
)

// Login is how to log in, by Basic or Digest as the peer asks. Printed, it shows no password.
type Login struct {
	Username, Password string
}

func (l Login) String() string               { return "login of " + l.Username }
func (l Login) GoString() string             { return l.String() }
func (l Login) LogValue() slog.Value         { return slog.StringValue(l.String()) }
func (l Login) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// Options say what to fetch and how. Only URL is needed.
type Options struct {
	URL   string // http:// or https://, without credentials
	Login Login
	// Fingerprint of the peer's certificate, sha256: and 64 hex digits of its DER form, for
	// https. Empty: checked as usual.
	Fingerprint string
	// Every is how often JPEG asks for a picture; 0: 1 s.
	Every time.Duration
	// Answer bounds the wait for an answer, and for the whole of a single picture; 0: 10 s.
	Answer time.Duration
	// Silence is how long an endless answer may bring no picture; 0: 15 s.
	Silence time.Duration
	// MaxPicture in bytes; 0: the constant of that name.
	MaxPicture int
	// Once: a fresh connection for each request, so that no request is ever sent twice
	// because an old connection had gone.
	Once bool
	// Dial makes connections, for example sdk.Hub.Dial; nil: directly.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) settled() Options {
	if o.Every <= 0 {
		o.Every = defaultEvery
	}
	if o.Answer <= 0 {
		o.Answer = defaultAnswer
	}
	if o.Silence <= 0 {
		o.Silence = defaultSilence
	}
	if o.MaxPicture <= 0 || o.MaxPicture > MaxPicture {
		o.MaxPicture = MaxPicture
	}
	return o
}

// target is the URL taken apart; the error holds nothing of it that could be secret.
func (o Options) target() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil:
		// The parser's own words quote the URL, and with it what may be a password.
		return nil, &Fault{Kind: BadURL, Reason: "the address cannot be read", Fix: "write it as http://192.168.1.40/path, without user name and password"}
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, &Fault{Kind: BadURL, Reason: "the address is not http:// or https:// and a host", Fix: "write it as http://192.168.1.40/path"}
	case u.User != nil:
		return nil, &Fault{Kind: BadURL, Address: u.Host, Reason: "the address holds a user name", Fix: "give user name and password on their own, not in the address"}
	case o.Fingerprint != "" && u.Scheme != "https":
		return nil, &Fault{Kind: BadURL, Address: u.Host, Reason: "a fingerprint is given, but the address is not https://", Fix: "use https://, or leave the fingerprint out"}
	}
	return u, nil
}

// ParseFingerprint reads sha256: and 64 hex digits; colons between the digits are taken.
func ParseFingerprint(s string) ([32]byte, error) {
	var out [32]byte
	digits, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(s)), "sha256:")
	b, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if !ok || err != nil || len(b) != len(out) {
		return out, fmt.Errorf("fingerprint: want sha256: and 64 hex digits")
	}
	copy(out[:], b)
	return out, nil
}
