package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/porchlight-hub/porchlight/sdk"
)

func TestProblemsNameTheKeyAndTheFix(t *testing.T) {
	for source, want := range map[string]string{
		`{}`:                                                                            "url",
		`{"url": "192.168.1.60/ring"}`:                                                  "url",
		`{"url": "ftp://h/"}`:                                                           "url",
		`{"url": "http://u:geheim@h/"}`:                                                 "url",
		`{"url": "http://{{camera}}.evil/"}`:                                            "url",
		`{"url": "http://h/{{cam}}"}`:                                                   "url",
		`{"url": "http://h/", "method": "DELETE"}`:                                      "method",
		`{"url": "http://h/", "headers": {"Host": "x"}}`:                                "headers",
		`{"url": "http://h/", "headers": {"a b": "x"}}`:                                 "headers",
		`{"url": "http://h/", "headers": {"A": "x\r\nB: geheim"}}`:                      "headers",
		`{"url": "http://h/", "method": "GET", "body": "x"}`:                            "body",
		`{"url": "http://h/", "body": "{{camera.name}}"}`:                               "body",
		`{"url": "http://h/", "timeout": "1h"}`:                                         "timeout",
		`{"url": "http://h/", "timeout": "5"}`:                                          "timeout",
		`{"url": "http://h/", "password": "geheim"}`:                                    "username",
		`{"url": "https://h/", "fingerprint": "x"}`:                                     "fingerprint",
		`{"url": "http://h/", "fingerprint": "sha256:` + strings.Repeat("0", 64) + `"}`: "fingerprint",
	} {
		var s settings
		if err := json.Unmarshal([]byte(source), &s); err != nil {
			t.Fatal(err)
		}
		bad := s.check()
		if len(bad) != 1 || bad[0].key != want || bad[0].message == "" || bad[0].fix == "" || strings.Contains(fmt.Sprint(bad), "geheim") {
			t.Errorf("%s: %+v, want one problem at %s", source, bad, want)
		}
		problems := New().(sdk.Checker).Check(t.Context(), sdk.Config{Devices: []sdk.Device{{ID: "up", JSON: json.RawMessage(source)}}})
		if len(problems) != 1 || problems[0].Path != "devices/up/"+want {
			t.Errorf("%s: %+v", source, problems)
		}
	}
}

func TestSecretsAreLookedUp(t *testing.T) {
	have := map[string]string{"u": "http://127.0.0.1/{{camera}}\n", "k": "key", "a": "Bearer geheim", "p": "pw", "bad": "http://x:y@h/"}
	secret := func(name string) (string, error) {
		if v, ok := have[name]; ok {
			return v, nil
		}
		return "", sdk.ErrNotFound
	}
	caller := func(s settings) (*caller, error) {
		s, err := s.reveal(secret)
		if err != nil {
			return nil, err
		}
		return newCaller(s)
	}
	c, err := caller(settings{URL: "secret://u", SignWith: "secret://k", Headers: map[string]string{"Authorization": "secret://a"}, Username: "u", Password: "secret://p"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWords(sdk.PlayRequest{Camera: "gate"}, "", "", "", time.Unix(7, 0))
	r, err := c.request(t.Context(), w.fill(c.settings.URL, func(s string) string { return s }), w)
	if err != nil || r.URL.Path != "/gate" || r.Header.Get("Authorization") != "Bearer geheim" || r.Header.Get(headerTime) != "7" || r.Header.Get(headerSignature) == "" {
		t.Errorf("%v %v, %v", r.URL, r.Header, err)
	}
	for _, s := range []settings{{URL: "secret://none"}, {URL: "http://h/", SignWith: "secret://none"}, {URL: "http://h/", Headers: map[string]string{"A": "secret://none"}}, {URL: "http://h/", Username: "u", Password: "secret://none"}} {
		if _, err := caller(s); !errors.Is(err, sdk.ErrNotFound) {
			t.Errorf("%+v: %v", s, err)
		}
	}
	if _, err := caller(settings{URL: "secret://bad"}); err == nil || strings.Contains(err.Error(), "x:y") {
		t.Errorf("a login in a secret's URL: %v", err)
	}
}

// safe is a hub whose secrets change, or cannot be had.
type safe struct {
	value string
	err   error
}

func (s *safe) Secret(context.Context, string) (sdk.Secret, error) { return sdk.Secret(s.value), s.err }

func TestASecretThatChangesCountsAtTheNextRing(t *testing.T) {
	c := &chime{settings: settings{URL: "http://h/", SignWith: "secret://k"}}
	s := &safe{value: "one"}
	first, err := c.ready(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := c.ready(t.Context(), s); err != nil || same != first {
		t.Errorf("made anew without need, %v", err)
	}
	s.value = "two"
	if now, err := c.ready(t.Context(), s); err != nil || now.settings.SignWith != "two" {
		t.Errorf("%+v, %v", now, err)
	}
	s.err = sdk.ErrUnavailable
	if now, err := c.ready(t.Context(), s); err != nil || now.settings.SignWith != "two" {
		t.Errorf("where none can be had: %v", err)
	}
	if _, err := (&chime{settings: c.settings}).ready(t.Context(), s); !errors.Is(err, sdk.ErrUnavailable) {
		t.Error(err)
	}
}

// Each key that the plugin reads stands in the schema, and no other but volume, which
// comes with the ring.
func TestTheSchemaIsTheSettings(t *testing.T) {
	var s struct {
		Properties map[string]struct{ Title string }
	}
	if err := json.Unmarshal([]byte(deviceSchema), &s); err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(settings{})
	var keys map[string]any
	if err := json.Unmarshal(b, &keys); err != nil {
		t.Fatal(err)
	}
	for k := range keys {
		if s.Properties[k].Title == "" {
			t.Errorf("%s: not told in the schema", k)
		}
		delete(s.Properties, k)
	}
	delete(s.Properties, "volume")
	if len(s.Properties) > 0 {
		t.Errorf("nobody reads %v", s.Properties)
	}
	c := jsonschema.NewCompiler()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(deviceSchema))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("d.json", v); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("d.json")
	if err != nil {
		t.Fatal(err)
	}
	for source, good := range map[string]bool{
		`{"url": "http://h/", "headers": {"A": "b"}}`: true, `{"url": "secret://x", "volume": 3}`: true, `{"url": "http://[fd00::1]:80?a={{camera}}"}`: true, `{"url": "http://u:p@h/"}`: false, `{"url": "http://{{camera}}.x/"}`: false, `{"url": "http://u:p/x@h/"}`: false,
		`{"url": "http://h/", "password": "x"}`: false, `{}`: false, `{"url": "http://h/", "headers": {"A": 1}}`: false,
		`{"url": "http://h/", "header": {}}`: false, `{"url": "h/"}`: false, `{"url": "http://h/", "method": "PATCH"}`: false,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(source))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled.Validate(v); (err == nil) != good {
			t.Errorf("%s: %v", source, err)
		}
	}
	// All words are told where they can be used.
	for _, w := range wordNames() {
		if w != "event" && !strings.Contains(deviceSchema, "{{"+w+"}}") {
			t.Errorf("the schema does not tell of {{%s}}", w)
		}
	}
}

// FuzzFill: whatever a camera is called and a template holds, JSON stays JSON, and
// headers stay one line.
func FuzzFill(f *testing.F) {
	f.Add(`{{camera_name}}`, `a "b" \ {{event_id}}`)
	f.Add("{{ x }}{{{{camera}}}}", "\x00\r\n\xff")
	f.Fuzz(func(t *testing.T, template, name string) {
		w := newWords(sdk.PlayRequest{CameraName: name, Camera: name, EventID: "id"}, name, name, name, time.Unix(0, 0))
		if !json.Valid(w.json()) {
			t.Fatalf("%q", w.json())
		}
		if got := w.fill(`{"a": "{{camera_name}}", "b": "{{camera}}"}`, escapeFor("application/json")); !json.Valid([]byte(got)) {
			t.Fatalf("%q", got)
		}
		if got := w.fill("{{camera_name}}", oneLine); strings.ContainsAny(got, "\r\n") {
			t.Fatalf("%q", got)
		}
		w.fill(template, func(s string) string { return s })
		settings{URL: "http://h/" + template, Body: &template}.check()
	})
}

// What lets somebody call the receiver is shown by no page: an address such as
// https://chat.example/hooks/T0/B1/key is all that many of them ask for.
func TestWhatIsNeverShown(t *testing.T) {
	var schema struct {
		Properties map[string]struct {
			WriteOnly            bool `json:"writeOnly"`
			AdditionalProperties struct {
				WriteOnly bool `json:"writeOnly"`
			} `json:"additionalProperties"`
		} `json:"properties"`
	}
	if err := json.Unmarshal([]byte(deviceSchema), &schema); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"url", "password", "sign_with"} {
		if !schema.Properties[key].WriteOnly {
			t.Errorf("%s is shown", key)
		}
	}
	if !schema.Properties["headers"].AdditionalProperties.WriteOnly {
		t.Error("headers are shown")
	}
}
