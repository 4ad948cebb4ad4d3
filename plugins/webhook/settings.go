package webhook

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/httpcam"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

const (
	defaultTimeout  = 5 * time.Second
	shortestTimeout = 100 * time.Millisecond
	longestTimeout  = 30 * time.Second
	// maxBody of a request, in bytes.
	maxBody = 64 << 10
)

// settings are a chime's own keys, as written.
type settings struct {
	URL         string            `json:"url"`
	Method      string            `json:"method"`
	Headers     map[string]string `json:"headers"`
	Body        *string           `json:"body"`
	Timeout     string            `json:"timeout"`
	SignWith    string            `json:"sign_with"`
	Username    string            `json:"username"`
	Password    string            `json:"password"`
	Fingerprint string            `json:"fingerprint"`
	Sound       string            `json:"sound"`
}

func (s settings) same(o settings) bool {
	a, b := s, o
	a.Headers, b.Headers, a.Body, b.Body = nil, nil, nil, nil
	body := func(s settings) string {
		if s.Body == nil {
			return "\x00"
		}
		return *s.Body
	}
	x, _ := json.Marshal(a) // only texts
	y, _ := json.Marshal(b)
	return string(x) == string(y) && maps.Equal(s.Headers, o.Headers) && body(s) == body(o)
}

func (s settings) method() string {
	if s.Method == "" {
		return http.MethodPost
	}
	return s.Method
}

func (s settings) timeout() time.Duration {
	if d, err := time.ParseDuration(s.Timeout); err == nil {
		return d
	}
	return defaultTimeout
}

// problem at one key.
type problem struct{ key, message, fix string }

func (p problem) Error() string { return p.key + ": " + p.message }

// check tells all that is wrong; no message holds a value that could be a secret.
func (s settings) check() (bad []problem) {
	add := func(key, message, fix string) { bad = append(bad, problem{key, message, fix}) }
	if s.URL == "" {
		add("url", "is missing", "write url: http://192.168.1.60/ring")
	} else if _, secret := secretName(s.URL); !secret {
		bad = append(bad, checkURL(s.URL)...)
		if s.Fingerprint != "" && !strings.HasPrefix(s.URL, "https://") {
			add("fingerprint", "is given, but url is not https://", "use https://, or leave it out")
		}
	}
	switch s.Method {
	case "", http.MethodGet, http.MethodPost, http.MethodPut:
	default:
		add("method", "is not GET, POST or PUT", "leave it out for POST")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		if !headerName().MatchString(name) || slices.Contains(ownHeaders(), http.CanonicalHeaderKey(name)) {
			add("headers", fmt.Sprintf("%.40q cannot be set", name), "leave it out")
		}
		if strings.ContainsAny(s.Headers[name], "\r\n\x00") {
			add("headers", fmt.Sprintf("%.40q holds a line break", name), "write it in one line")
		}
		bad = append(bad, unknownWords("headers", s.Headers[name])...)
	}
	if s.Body != nil {
		if s.method() == http.MethodGet {
			add("body", "stands beside method GET, which sends none", "use POST, or put the words into url")
		}
		if len(*s.Body) > maxBody {
			add("body", "is larger than 64KiB", "make it shorter")
		}
		bad = append(bad, unknownWords("body", *s.Body)...)
	}
	if d, err := time.ParseDuration(s.Timeout); s.Timeout != "" && (err != nil || d < shortestTimeout || d > longestTimeout) {
		add("timeout", "is not a length of time from 100ms to 30s", "for example 5s")
	}
	if s.Password != "" && s.Username == "" {
		add("username", "is missing beside a password", "write the user's name")
	}
	if _, err := httpcam.ParseFingerprint(s.Fingerprint); s.Fingerprint != "" && err != nil {
		add("fingerprint", "is not sha256: and 64 hex digits", "a refused certificate's message names the fingerprint to pin")
	}
	return bad
}

func checkURL(raw string) []problem {
	u, err := url.Parse(plainWords().ReplaceAllString(raw, "x"))
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return []problem{{"url", "is no address such as http://192.168.1.60/ring", "begin it with http:// or https:// and a host"}}
	case u.User != nil:
		return []problem{{"url", "holds a user name or a password", "username: and password: are keys of their own"}}
	}
	// What stands in the host decides who is called: no words of a ring there.
	if _, rest, _ := strings.Cut(raw, "://"); strings.Contains(strings.SplitN(rest, "/", 2)[0], "{{") {
		return []problem{{"url", "has {{…}} in its host", "put it into the path or behind a ?"}}
	}
	return unknownWords("url", raw)
}

// secretName of secret://name.
func secretName(s string) (string, bool) { return strings.CutPrefix(s, "secret://") }

// hidden tells whether something lies in a secret.
func (s settings) hidden() bool {
	for _, v := range s.secretKeys() {
		if _, ok := secretName(*v); ok {
			return true
		}
	}
	for _, v := range s.Headers {
		if _, ok := secretName(v); ok {
			return true
		}
	}
	return false
}

func (s *settings) secretKeys() []*string {
	return []*string{&s.URL, &s.SignWith, &s.Username, &s.Password}
}

// reveal puts the values of secrets into their places.
func (s settings) reveal(secret func(name string) (string, error)) (settings, error) {
	value := func(v string) (string, error) {
		name, ok := secretName(v)
		if !ok {
			return v, nil
		}
		value, err := secret(name)
		if err != nil {
			return "", fmt.Errorf("secret %s: %w", name, err)
		}
		return strings.TrimSpace(value), nil
	}
	var err error
	for _, v := range s.secretKeys() {
		if *v, err = value(*v); err != nil {
			return s, err
		}
	}
	headers := map[string]string{}
	for name, v := range s.Headers {
		if headers[name], err = value(v); err != nil {
			return s, err
		}
	}
	s.Headers = headers
	return s, nil
}

func headerName() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`) }

// ownHeaders are those that the request makes by itself.
func ownHeaders() []string {
	return []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer",
		headerEvent, headerTime, headerSignature}
}

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Webhook chime",
  "description": "It has no settings of its own; each chime has some.",
  "type": "object",
  "additionalProperties": false,
  "properties": {}
}`

const deviceSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Chime that calls a URL",
  "type": "object",
  "additionalProperties": false,
  "required": ["url"],
  "properties": {
    "url": {"type": "string", "minLength": 1, "maxLength": 2048, "writeOnly": true, "pattern": "^secret://.|^https?://(\\[[0-9A-Za-z:.%]+\\]|[^/?#@:{\\[\\]\\s]+)(:[0-9]{1,5})?([/?].*)?$",
      "patternErrorMessage": "write an address such as http://192.168.1.60/ring; user name and password are keys of their own, username and password, where any characters may stand", "title": "URL", "examples": ["http://192.168.1.60/ring"],
      "description": "What is called at each ring. It is not shown, since many receivers know who calls by their address alone. It may hold {{camera}}, {{camera_name}}, {{event_id}}, {{test}}, {{time}}, {{chime}}, {{chime_name}}, {{sound}}, {{volume}} and {{house}}."},
    "method": {"type": "string", "enum": ["POST", "GET", "PUT"], "default": "POST", "title": "Method"},
    "headers": {"type": "object", "maxProperties": 32, "title": "Headers", "description": "More headers; a value may be secret://name.",
      "propertyNames": {"pattern": "^[A-Za-z0-9-]{1,64}$"}, "additionalProperties": {"type": "string", "maxLength": 4096, "writeOnly": true}, "examples": [{"Authorization": "secret://gong"}]},
    "body": {"type": "string", "maxLength": 65536, "title": "Body", "examples": ["{\"text\": \"{{camera_name}} rings\"}"],
      "description": "With the same words as url, escaped as the content type wants it. By default a JSON object of all of them."},
    "timeout": {"type": "string", "format": "duration-with-unit", "default": "5s", "title": "Timeout", "description": "100ms to 30s."},
    "sign_with": {"type": "string", "minLength": 1, "maxLength": 1024, "writeOnly": true, "title": "Key to sign with", "examples": ["secret://hook"],
      "description": "Adds X-Porchlight-Signature: sha256= and the HMAC-SHA256, in hex, of X-Porchlight-Time, a dot and the body."},
    "username": {"type": "string", "maxLength": 255, "title": "User name", "description": "For Basic or Digest, as the receiver asks."},
    "password": {"type": "string", "maxLength": 1024, "writeOnly": true, "title": "Password", "examples": ["secret://gong"]},
    "fingerprint": {"type": "string", "maxLength": 128, "pattern": "^[sS][hH][aA]256:[0-9a-fA-F:]+$", "title": "Fingerprint of the certificate", "description": "For https:// with a certificate of the receiver's own."},
    "sound": {"type": "string", "minLength": 1, "maxLength": 64, "title": "Sound", "description": "Handed on as {{sound}}."},
    "volume": {"type": "integer", "minimum": 0, "maximum": 100, "title": "Volume", "description": "Handed on as {{volume}}."}
  },
  "dependentSchemas": {"password": {"required": ["username"]}}
}`

// Manifest says what the plugin is and what it may do.
func (p *plugin) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "dev.porchlight.webhook", Name: "Webhook chime", Version: "1.0.0", License: "Apache-2.0",
		Capabilities: []manifest.Capability{manifest.Chime},
		ConfigSchema: json.RawMessage(configSchema), DeviceSchema: json.RawMessage(deviceSchema),
		Permissions: manifest.Permissions{
			Network: []manifest.Network{
				{To: "lan", Proto: manifest.Protos{"tcp"}, Why: "call the URLs of your chimes"},
				{To: "internet", Proto: manifest.Protos{"tcp"}, Optional: true, Why: "call those of your chimes that are outside the house"},
			},
			Secrets: "own",
		},
	}
}
