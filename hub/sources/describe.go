package sources

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

const (
	// maxURL, maxStreams and maxQuirks bound a description.
	maxURL     = 2048
	maxStreams = 2
	maxQuirks  = 32
	maxTalk    = 8 // tracks
	// defaultLimit is how long a battery camera is kept awake where its plugin does not say.
	defaultLimit = time.Minute
)

// Camera is where the pictures of a camera come from, with all that a dial needs.
type Camera struct {
	ID       string
	Doorbell bool
	// Push: its plugin sends the pictures itself; Streams is empty.
	Push bool
	// Policy of a camera that pushes: always, on_demand or battery.
	Policy  string
	Limit   time.Duration // with battery, how long it is kept awake at a time
	Streams []Stream
	// Snapshot is nil where no JPEG can be fetched.
	Snapshot *URL
	// SnapshotByPlugin: the plugin answers camera.snapshot.
	SnapshotByPlugin bool
	// Talk is how people can talk to who stands there: TalkByRTSP, TalkByPlugin, or TalkNone.
	Talk string
	// TalkTracks are what the device takes, best first, with TalkByPlugin.
	TalkTracks []av.Track
}

// Ways of talking, as the protocol names them.
const (
	TalkNone     = ""
	TalkByRTSP   = "rtsp_backchannel" // in one of what the camera's description offers
	TalkByPlugin = "plugin"
)

// Stream is one quality, main or sub.
type Stream struct {
	Name      string
	URL       URL
	Transport string // tcp, udp
	Policy    string // always, on_demand, battery
	Quirks    []string
}

// URL with the credential that belongs to it.
type URL struct {
	URL, Username, Password string
	Fingerprint             string // sha256:… of the peer's certificate; empty: checked as usual
}

// String hides the password and what stands in a query.
func (u URL) String() string {
	p, err := url.Parse(u.URL)
	if err != nil {
		return "***"
	}
	p.User, p.RawQuery, p.Fragment = nil, "", ""
	return p.String()
}

// GoString hides it too.
func (u URL) GoString() string { return u.String() }

// Fault says why a camera has no source.
type Fault struct {
	code, reason, fix string
	cause             error
}

func (f *Fault) Error() string { return f.reason }
func (f *Fault) Unwrap() error { return f.cause }

// Code and Hint are for people.
func (f *Fault) Code() string { return f.code }
func (f *Fault) Hint() string { return f.fix }

// codes of Fault.
const (
	codeBad    = "E-SOURCE-BAD"
	codeSecret = "E-SOURCE-SECRET"
	codePlugin = "E-SOURCE-PLUGIN"
)

func bad(w Wish, format string, args ...any) error {
	return &Fault{code: codeBad, reason: fmt.Sprintf("plugin %s describes camera %s wrongly: ", w.Plugin, w.Camera) + fmt.Sprintf(format, args...),
		fix: "look at the camera's source in the config; if that is right, it is a fault of the plugin"}
}

var fingerprintOK = regexp.MustCompile(`^sha256:[0-9a-fA-F]{64}$`)

// describe makes a Camera of a wish and what the plugin says, or a *Fault.
func describe(w Wish, d *pb.SourceDescriptor, secret func(plugin, name string) (string, error)) (Camera, error) {
	c := Camera{ID: w.Camera, Doorbell: w.Doorbell, Push: d.GetPush(), Limit: d.GetPullLimit().AsDuration()}
	if c.Limit <= 0 {
		c.Limit = defaultLimit
	}
	said := d.GetPull()
	switch said {
	case "", "always", "on_demand", "battery":
	default:
		return Camera{}, bad(w, "pull %.32q, want always, on_demand or battery", said)
	}
	c.Policy = policy(w.Pull, said, "main")
	if len(d.GetStreams()) > maxStreams {
		return Camera{}, bad(w, "%d streams, at most %d", len(d.GetStreams()), maxStreams)
	}
	seen := map[string]bool{}
	for _, s := range d.GetStreams() {
		switch name := s.GetName(); {
		case name != "main" && name != "sub":
			return Camera{}, bad(w, "stream %.32q, want main or sub", name)
		case seen[name]:
			return Camera{}, bad(w, "stream %s twice", name)
		}
		seen[s.GetName()] = true
		if s.GetName() == "main" && w.NoMain || s.GetName() == "sub" && w.NoSub || c.Push {
			continue
		}
		u, err := address(w, s.GetUrl(), s.GetFingerprint(), s.GetCredential(), secret, "rtsp", "rtsps")
		if err != nil {
			return Camera{}, err
		}
		transport := cmp.Or(s.GetTransport(), "tcp")
		if transport != "tcp" && transport != "udp" {
			return Camera{}, bad(w, "transport %.32q, want tcp or udp", transport)
		}
		if len(d.GetQuirks()) > maxQuirks {
			return Camera{}, bad(w, "%d quirks, at most %d", len(d.GetQuirks()), maxQuirks)
		}
		c.Streams = append(c.Streams, Stream{Name: s.GetName(), URL: u, Transport: transport, Policy: policy(w.Pull, said, s.GetName()),
			Quirks: d.GetQuirks()})
	}
	if !c.Push && len(seen) == 0 {
		return Camera{}, bad(w, "it names no stream, and does not push either")
	}
	if err := talkOf(w, d, &c); err != nil {
		return Camera{}, err
	}
	err := snapshotOf(w, d, secret, &c)
	return c, err
}

// talkOf takes over how the device can be talked to.
func talkOf(w Wish, d *pb.SourceDescriptor, c *Camera) error {
	switch d.GetTalk() {
	case "", "none":
		return nil
	case TalkByRTSP:
		if c.Push {
			return bad(w, "talk by the back channel of streams that there are not, since it pushes")
		}
	case TalkByPlugin:
		if len(d.GetTalkTracks()) > maxTalk {
			return bad(w, "%d tracks for talk, at most %d", len(d.GetTalkTracks()), maxTalk)
		}
		for _, t := range d.GetTalkTracks() {
			c.TalkTracks = append(c.TalkTracks, av.Track{ID: uint8(t.GetId()), Kind: av.Sound, Codec: av.Codec(t.GetCodec()),
				ClockRate: t.GetClockRate(), SampleRate: int(t.GetSampleRate()), Channels: int(t.GetChannels()), AudioConfig: t.GetAudioConfig()})
		}
	default:
		return bad(w, "talk %.32q, want none, rtsp_backchannel or plugin", d.GetTalk())
	}
	c.Talk = d.GetTalk()
	return nil
}

func snapshotOf(w Wish, d *pb.SourceDescriptor, secret func(plugin, name string) (string, error), c *Camera) error {
	switch d.GetSnapshot() {
	case "none":
		return nil
	case "plugin":
		c.SnapshotByPlugin = true
		return nil
	case "", "url":
	default:
		return bad(w, "snapshot %.32q, want none, url or plugin", d.GetSnapshot())
	}
	if d.GetSnapshotUrl() == "" {
		return nil
	}
	u, err := address(w, d.GetSnapshotUrl(), d.GetSnapshotFingerprint(), d.GetSnapshotCredential(), secret, "http", "https")
	if err == nil {
		c.Snapshot = &u
	}
	return err
}

// policy: the owner's word is above the plugin's. Where both leave it open main is
// always pulled, so that a ring or a reader finds a key frame at once, and sub when
// somebody looks.
func policy(owner, plugin, stream string) string {
	if owner != "" && owner != "auto" {
		return owner
	}
	if plugin != "" {
		return plugin
	}
	if stream == "main" {
		return "always"
	}
	return "on_demand"
}

// address looks at one URL and fills in its credential.
func address(w Wish, raw, fingerprint string, cred *pb.Credential, secret func(plugin, name string) (string, error), schemes ...string) (URL, error) {
	if len(raw) > maxURL {
		return URL{}, bad(w, "a URL of %d characters, at most %d", len(raw), maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return URL{}, bad(w, "a URL that is none: %v", reason(err))
	}
	switch {
	case u.Scheme != schemes[0] && u.Scheme != schemes[1]:
		return URL{}, bad(w, "scheme %.16q, want %s", u.Scheme, strings.Join(schemes, " or "))
	case u.User != nil:
		return URL{}, bad(w, "the credential stands in the URL; it belongs beside it")
	case u.Hostname() == "":
		return URL{}, bad(w, "a URL without a host")
	case fingerprint != "" && !fingerprintOK.MatchString(fingerprint):
		return URL{}, bad(w, "the fingerprint is not sha256: and 64 hex digits")
	}
	out := URL{URL: raw, Username: cred.GetUsername(), Password: cred.GetPassword(), Fingerprint: strings.ToLower(fingerprint)}
	if name := cred.GetSecret(); name != "" {
		if out.Password != "" {
			return URL{}, bad(w, "a credential with both a secret and a password")
		}
		if out.Password, err = secret(w.Plugin, name); err != nil {
			return URL{}, &Fault{code: codeSecret, cause: err,
				reason: fmt.Sprintf("camera %s: its password is the secret %.64q, which plugin %s may not use or which is not there", w.Camera, name, w.Plugin),
				fix:    fmt.Sprintf("porchlight secrets set %.64s, and write secret://%.64s where the camera's password stands", name, name)}
		}
	}
	return out, nil
}

// reason is a parse error without the text that was parsed, which may hold a password.
func reason(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		return errors.New("it cannot be read as one")
	}
	return err
}
