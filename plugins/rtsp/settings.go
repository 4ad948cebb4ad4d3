package rtsp

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/httpcam"
)

// When a camera is pulled, as the protocol names it.
const (
	always   = "always"
	onDemand = "on_demand"
	battery  = "battery"
)

// Whether the camera is asked if it can be talked to.
const (
	talkAuto = "auto"
	talkOff  = "off"
)

// Every bounds how often a JPEG is fetched.
const (
	everyShortest = 100 * time.Millisecond
	everyLongest  = time.Hour
)

// settings are cameras.<id>.source, as written.
type settings struct {
	URL         string `json:"url"`
	Sub         string `json:"sub"`
	Address     string `json:"address"`
	Preset      string `json:"preset"`
	Channel     text   `json:"channel"`
	Username    string `json:"username"`
	Password    string `json:"password"`
	Transport   string `json:"transport"`
	Fingerprint string `json:"fingerprint"`
	SnapshotURL string `json:"snapshot_url"`
	Pull        string `json:"pull"`
	Talk        string `json:"talk"`
	Every       string `json:"every"`
}

// text is a JSON string or number.
type text string

// UnmarshalJSON takes either.
func (t *text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if err := json.Unmarshal(b, &n); err != nil {
		return &json.UnmarshalTypeError{Value: "a list or a block", Field: "channel"}
	}
	*t = text(n.String())
	return nil
}

// secretName of secret://name.
func secretName(s string) (string, bool) { return strings.CutPrefix(s, "secret://") }

// reveal puts the values of secrets into all keys but the password, which the hub
// can look up by itself where it pulls.
func (s settings) reveal(secret func(name string) (string, error)) (settings, error) {
	for _, v := range []*string{&s.URL, &s.Sub, &s.Address, &s.Username, &s.SnapshotURL} {
		name, ok := secretName(*v)
		if !ok {
			continue
		}
		value, err := secret(name)
		if err != nil {
			return s, fmt.Errorf("secret %s: %w", name, err)
		}
		*v = strings.TrimSpace(value)
	}
	return s, nil
}

// hidden tells whether something that decides where the camera is lies in a secret, so
// that it cannot be looked at before the hub gave it.
func (s settings) hidden() bool {
	for _, v := range []string{s.URL, s.Sub, s.Address, s.SnapshotURL} {
		if _, ok := secretName(v); ok {
			return true
		}
	}
	return false
}

// plan is what the settings mean.
type plan struct {
	main, sub, snapshot string
	http                bool // pushed by this plugin
	pull                string
	every               time.Duration
	preset              preset
}

// problem at one key of the settings.
type problem struct{ key, message, fix string }

func (p problem) Error() string { return p.key + ": " + p.message }

// plan makes sense of the settings, or tells all that is wrong with them. No message
// holds a value that could be a secret.
func (s settings) plan() (plan, []problem) {
	p := plan{main: strings.TrimSpace(s.URL), pull: s.Pull}
	var bad []problem
	add := func(key, message, fix string) { bad = append(bad, problem{key, message, fix}) }
	var subDefault, snapshotDefault string
	switch {
	case s.URL != "" && s.Address != "":
		add("address", "stands beside url", "keep url, or address and preset")
	case s.URL == "" && s.Address == "":
		add("url", "is missing", "write url: rtsp://192.168.1.40/path, or address and preset")
	case s.URL == "":
		var err *problem
		if p.preset, p.main, subDefault, snapshotDefault, err = s.fromPreset(); err != nil {
			bad = append(bad, *err)
		}
	default: // a preset beside url only says which brand it is
		if _, ok := presetNamed(s.Preset); s.Preset != "" && !ok {
			add("preset", "is not known", "one of: "+strings.Join(presetNames(), ", "))
		}
	}
	if len(bad) > 0 {
		return p, append(bad, s.rest(&p)...)
	}
	bad = append(bad, s.urls(&p, subDefault, snapshotDefault)...)
	return p, append(bad, s.rest(&p)...)
}

func (s settings) fromPreset() (p preset, main, sub, snapshot string, bad *problem) {
	p, ok := presetNamed(s.Preset)
	switch {
	case s.Preset == "":
		return p, "", "", "", &problem{"preset", "is missing", "say which brand: " + strings.Join(presetNames(), ", ") + "; or give the whole url"}
	case !ok:
		return p, "", "", "", &problem{"preset", "is not known", "one of: " + strings.Join(presetNames(), ", ") + "; or give the whole url"}
	}
	host, port, err := splitAddress(s.Address)
	if err != nil {
		return p, "", "", "", &problem{"address", err.Error(), "write 192.168.1.40, or a name; what stands behind a colon is the port"}
	}
	main, sub, snapshot, bad = p.filled(host, port, string(s.Channel))
	return p, main, sub, snapshot, bad
}

// splitAddress takes an IP address or a name, with or without a port; the host comes
// as it stands in a URL.
func splitAddress(a string) (host string, port int, err error) {
	a = strings.TrimSpace(a)
	if ip, err := netip.ParseAddr(strings.Trim(a, "[]")); err == nil {
		if ip.Is6() {
			return "[" + strings.ReplaceAll(ip.String(), "%", "%25") + "]", 0, nil
		}
		return ip.String(), 0, nil
	}
	if h, p, e := net.SplitHostPort(a); e == nil {
		if port, err = strconv.Atoi(p); err != nil || port < 1 || port > 65535 {
			return "", 0, errors.New("its port is no number from 1 to 65535")
		}
		host, _, err = splitAddress(h)
		return host, port, err
	}
	if a == "" || strings.ContainsAny(a, "/:@?# \\") {
		return "", 0, errors.New("is neither an IP address nor a name")
	}
	return a, 0, nil
}

// urls looks at the three URLs, and completes those that are only a path.
func (s settings) urls(p *plan, sub, snapshot string) (bad []problem) {
	main, err := readURL("url", p.main, "rtsp", "rtsps", "http", "https")
	if err != nil {
		return []problem{*err}
	}
	p.main, p.http = main.String(), strings.HasPrefix(main.Scheme, "http")
	if s.Sub != "" {
		sub = beside(main, main.Scheme, main.Host, s.Sub)
	}
	if s.SnapshotURL != "" {
		scheme, host := "http", bracketed(main.Hostname())
		if p.http {
			scheme, host = main.Scheme, main.Host
		}
		snapshot = beside(main, scheme, host, s.SnapshotURL)
	}
	if sub != "" {
		u, err := readURL("sub", sub, "rtsp", "rtsps", "http", "https")
		switch {
		case err != nil:
			bad = append(bad, *err)
		case strings.HasPrefix(u.Scheme, "http") != p.http:
			bad = append(bad, problem{"sub", "is of another kind than url", "both rtsp://, or both http://"})
		default:
			p.sub = u.String()
		}
	}
	if snapshot != "" {
		u, err := readURL("snapshot_url", snapshot, "http", "https")
		if err != nil {
			bad = append(bad, *err)
		} else {
			p.snapshot = u.String()
		}
	}
	if s.Fingerprint != "" {
		if _, err := httpcam.ParseFingerprint(s.Fingerprint); err != nil {
			bad = append(bad, problem{"fingerprint", "is not sha256: and 64 hex digits", "a refused certificate's message names the fingerprint to pin"})
		} else if !encrypted(p.main) && !encrypted(p.sub) && !encrypted(p.snapshot) {
			bad = append(bad, problem{"fingerprint", "is given, but nothing here is encrypted", "use rtsps:// or https://, or leave it out"})
		}
	}
	return bad
}

func encrypted(u string) bool {
	return strings.HasPrefix(u, "rtsps://") || strings.HasPrefix(u, "https://")
}

// beside completes what is only a path on the same device.
func beside(main *url.URL, scheme, host, s string) string {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "/") {
		return scheme + "://" + host + s
	}
	return s
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + strings.ReplaceAll(host, "%", "%25") + "]"
	}
	return host
}

// rest looks at the keys that have to do with no URL.
func (s settings) rest(p *plan) (bad []problem) {
	if s.Password != "" && s.Username == "" {
		bad = append(bad, problem{"username", "is missing beside a password", "write the user's name"})
	}
	switch s.Transport {
	case "", "tcp", "udp":
	default:
		bad = append(bad, problem{"transport", "is not tcp or udp", "leave it out: tcp is right nearly always"})
	}
	switch s.Pull {
	case "":
		p.pull = s.pull()
	case always, onDemand, battery:
	default:
		bad = append(bad, problem{"pull", "is not always, on_demand or battery", "leave it out if you are not sure"})
	}
	switch s.Talk {
	case "", talkAuto, talkOff:
	default:
		bad = append(bad, problem{"talk", "is not auto or off", "leave it out: the hub finds out whether the camera can be talked to"})
	}
	p.every = time.Second
	if s.Every != "" {
		d, err := time.ParseDuration(s.Every)
		if err != nil || d < everyShortest || d > everyLongest {
			bad = append(bad, problem{"every", "is not a length of time from 100ms to 1h", "for example 1s"})
		} else {
			p.every = d
		}
	}
	return bad
}

// pull is when such a camera can be pulled: as its owner says, or else its brand.
func (s settings) pull() string {
	if s.Pull != "" || s.URL != "" {
		return s.Pull
	}
	p, _ := presetNamed(s.Preset)
	return p.Pull
}

// pinned is the fingerprint as the protocol has it, empty where there is none.
func (s settings) pinned() string {
	sum, err := httpcam.ParseFingerprint(s.Fingerprint)
	if err != nil {
		return ""
	}
	return "sha256:" + hex.EncodeToString(sum[:])
}

// credential for the hub, which looks a secret up by itself.
func (s settings) credential() sdk.Credential {
	if s.Username == "" {
		return sdk.Credential{}
	}
	c := sdk.Credential{Username: s.Username}
	if name, ok := secretName(s.Password); ok {
		c.Secret = name
	} else {
		c.Password = sdk.Secret(s.Password)
	}
	return c
}

// readURL looks at a URL; what is wrong with it is told without quoting it.
func readURL(key, raw string, schemes ...string) (*url.URL, *problem) {
	raw = strings.TrimSpace(raw)
	if clean, ok := login(raw); ok {
		fix := "user name and password are keys of their own: username: … and password: '…' (in single quotes it may hold any characters)"
		if clean != "" {
			fix = "write " + key + ": " + clean + "; " + fix
		}
		return nil, &problem{key, "holds a user name or a password", fix}
	}
	u, err := url.Parse(raw)
	wanted := strings.Join(schemes, "://, ") + "://"
	switch {
	case err != nil, u.Opaque != "":
		return nil, &problem{key, "cannot be read as an address", "write it as " + schemes[0] + "://192.168.1.40/path"}
	case !has(schemes, u.Scheme):
		return nil, &problem{key, "does not begin with " + wanted, "write it as " + schemes[0] + "://192.168.1.40/path"}
	case u.Hostname() == "":
		return nil, &problem{key, "names no host", "write it as " + schemes[0] + "://192.168.1.40/path"}
	case u.Fragment != "":
		return nil, &problem{key, "holds a #", "write %23 for it"}
	}
	return u, nil
}

func has(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// login tells whether a URL holds a login, also one that nobody escaped: in
// rtsp://viewer:p@:/#@192.168.1.40/path the last @ ends it. clean is the URL without it and
// without its query, empty where that cannot be told.
func login(raw string) (clean string, found bool) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || !strings.Contains(rest, "@") {
		return "", false
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if authority := rest[:end]; !strings.Contains(authority, "@") && plausible(authority) {
		return "", false // the @ stands in the path
	}
	for at := strings.LastIndex(rest, "@"); at >= 0; at = strings.LastIndex(rest[:at], "@") {
		after := rest[at+1:]
		host := after
		if i := strings.IndexAny(after, "/?#"); i >= 0 {
			host = after[:i]
		}
		if plausible(host) {
			after, _, _ = strings.Cut(after, "?")
			return scheme + "://" + after, true
		}
	}
	return "", true
}

// plausible tells whether it can be a host with or without a port.
func plausible(s string) bool {
	host, port, err := splitAddress(s)
	return err == nil && port >= 0 && (strings.ContainsAny(host, ".[") || host == "localhost" || len(host) > 2) && !strings.ContainsAny(host, "!$&'()*+,;=\"<>^`{|}")
}

// escaped is a channel's name as it stands in a path.
func escaped(channel string) string { return url.PathEscape(channel) }
