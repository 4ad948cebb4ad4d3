package rtsp

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Target is what to pull. Credentials stand beside the URL, never in it, so that no
// character of a password needs escaping.
type Target struct {
	URL                string // rtsp:// or rtsps://
	Username, Password string
	Transport          string // "" or tcp: interleaved; udp
	// Fingerprint pins the certificate of rtsps: "sha256:" and the hex digest of the leaf's DER.
	Fingerprint string
	// Quirks are known beforehand, by the names that Memory.Worked uses; no_sound besides.
	Quirks []string
}

// Sink takes what comes. Pull calls it from one goroutine at a time and stops at its first error.
type Sink interface {
	// Begin describes the tracks, once, before the first unit.
	Begin(tracks []av.Track) error
	// SetTrack describes a track anew; the units that follow belong to it.
	SetTrack(av.Track) error
	// Put hands a unit over; it is not changed afterwards.
	Put(*av.Unit) error
}

// Options of a pull; the zero value is good.
type Options struct {
	Log      *slog.Logger
	Memory   Memory       // what worked the last time
	Remember func(Memory) // called when what worked has changed, after the first unit
	// ReadTimeout is how long a camera may be silent; 5 s.
	ReadTimeout time.Duration
	// Dial opens connections; a plain net.Dialer if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Now  func() time.Time
	// Talk asks for the description of the camera's back channel too.
	Talk bool
	// Play is how long Look watches at most; 0: it does not ask for pictures.
	Play time.Duration
	// Progress, if set, is told the state of the pull: connecting, playing.
	Progress func(Progress)

	without map[string]bool // repairs that a test has switched off
}

// Progress of a pull that works.
type Progress struct {
	Address   string // host and port that were dialled
	Transport string // tcp or udp
	Server    string // what the camera calls itself
	Auth      string // none, basic, digest-md5, digest-sha256
	Worked    []string
	// Talk is what the camera takes by its back channel, in its own order, if Options.Talk
	// asked for it.
	Talk []av.Track
}

// Limits of what a Target may say.
const (
	maxURL    = 2048
	pinPrefix = "sha256:"
)

// address is a checked Target URL.
type address struct {
	url *url.URL
	tls bool
}

func (t Target) check() (address, *Fault) {
	bad := func(why, hint string) (address, *Fault) {
		return address{}, &Fault{Kind: Address, Act: "address", Why: why, hint: hint}
	}
	if len(t.URL) > maxURL {
		return bad("the url is too long", "")
	}
	u, err := url.Parse(strings.TrimSpace(t.URL))
	if err != nil {
		return bad("not a url", "write it as rtsp://192.0.2.10/stream1, with the user and the password in keys of their own")
	}
	switch {
	case u.Scheme != "rtsp" && u.Scheme != "rtsps":
		return bad("the url begins with neither rtsp:// nor rtsps://", "")
	case u.Hostname() == "":
		return bad("the url names no host", "")
	case u.User != nil:
		return bad("the url holds a user or a password", "move them out of the url into username and password; there any character may stand as it is")
	case t.Transport != "" && t.Transport != "tcp" && t.Transport != "udp":
		return bad(fmt.Sprintf("transport %q is neither tcp nor udp", t.Transport), "")
	}
	if t.Fingerprint != "" {
		pin, ok := strings.CutPrefix(strings.ToLower(t.Fingerprint), pinPrefix)
		if b, err := hex.DecodeString(strings.ReplaceAll(pin, ":", "")); !ok || err != nil || len(b) != 32 {
			return bad("the fingerprint is not sha256: and 64 hex digits", "")
		}
		if u.Scheme != "rtsps" {
			return bad("a fingerprint can be checked with rtsps:// only", "")
		}
	}
	u.Fragment, u.RawFragment = "", ""
	return address{url: u, tls: u.Scheme == "rtsps"}, nil
}

// shown is the address without its query, which may hold secrets, and of the path what
// stands before a value: some cameras want /user=admin_password=x_channel=1.
func (a address) shown() string {
	if a.url == nil {
		return ""
	}
	path, _, values := strings.Cut(a.url.EscapedPath(), "=")
	if values {
		path += "=***"
	}
	return a.url.Scheme + "://" + a.url.Host + path
}
