package rtsp

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/porchlight-hub/porchlight/sdk"
)

func decoded(t testing.TB, source string) settings {
	t.Helper()
	var s settings
	if err := json.Unmarshal([]byte(source), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// noSecrets is a house without any.
func noSecrets(name string) (string, error) { return "", fmt.Errorf("%s: %w", name, sdk.ErrNotFound) }

func TestSourcesOfCameras(t *testing.T) {
	pin := "sha256:" + strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		source string
		want   sdk.Source
	}{
		"a URL": {`{"url": "rtsp://192.168.1.40/stream1"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsp://192.168.1.40/stream1"}}}},
		"all keys": {`{"url": "rtsps://cam.lan:322/a?b=c", "sub": "/small", "username": "viewer", "password": "p@:/#", "transport": "udp", "fingerprint": "SHA256:` + strings.Repeat("AB:", 31) + `AB", "snapshot_url": "https://cam.lan/now.jpg", "pull": "battery"}`,
			sdk.Source{Streams: []sdk.StreamSource{
				{Name: "main", URL: "rtsps://cam.lan:322/a?b=c", Credential: sdk.Credential{Username: "viewer", Password: "p@:/#"}, Transport: "udp", Fingerprint: pin},
				{Name: "sub", URL: "rtsps://cam.lan:322/small", Credential: sdk.Credential{Username: "viewer", Password: "p@:/#"}, Transport: "udp", Fingerprint: pin}},
				SnapshotURL: "https://cam.lan/now.jpg", SnapshotCredential: sdk.Credential{Username: "viewer", Password: "p@:/#"}, SnapshotFingerprint: pin, Pull: "battery"}},
		"a secret is the hub's to look up": {`{"url": "rtsp://h.lan/", "username": "viewer", "password": "secret://front_door"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsp://h.lan/", Credential: sdk.Credential{Username: "viewer", Secret: "front_door"}}}}},
		"a preset": {`{"address": "192.168.1.41", "preset": "hikvision", "channel": 2, "username": "viewer", "password": "x"}`,
			sdk.Source{Streams: []sdk.StreamSource{
				{Name: "main", URL: "rtsp://192.168.1.41/Streaming/Channels/201", Credential: sdk.Credential{Username: "viewer", Password: "x"}},
				{Name: "sub", URL: "rtsp://192.168.1.41/Streaming/Channels/202", Credential: sdk.Credential{Username: "viewer", Password: "x"}}},
				SnapshotURL: "http://192.168.1.41/ISAPI/Streaming/channels/201/picture", SnapshotCredential: sdk.Credential{Username: "viewer", Password: "x"}}},
		"a preset with a port and an own picture": {`{"address": "[fd00::7]:8554", "preset": "tapo", "snapshot_url": "/p.jpg"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsp://[fd00::7]:8554/stream1"}, {Name: "sub", URL: "rtsp://[fd00::7]:8554/stream2"}}, SnapshotURL: "http://[fd00::7]/p.jpg"}},
		"a bare IPv6 address": {`{"address": "fd00::7", "preset": "reolink"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsp://[fd00::7]/Preview_01_main"}, {Name: "sub", URL: "rtsp://[fd00::7]/Preview_01_sub"}}}},
		"a channel by name": {`{"address": "console.lan", "preset": "unifi", "channel": "AbC dE"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsps://console.lan:7441/AbC%20dE?enableSrtp"}}}},
		"a doorbell that one may watch": {`{"address": "192.168.1.9", "preset": "doorbird"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsp://192.168.1.9/mpeg/720p/media.amp"}}, SnapshotURL: "http://192.168.1.9/bha-api/image.cgi", Pull: "on_demand"}},
		"the owner's word on it": {`{"address": "192.168.1.9", "preset": "doorbird", "pull": "always"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsp://192.168.1.9/mpeg/720p/media.amp"}}, SnapshotURL: "http://192.168.1.9/bha-api/image.cgi", Pull: "always"}},
		"HTTP is pushed": {`{"url": "http://192.168.1.42:8080/video", "snapshot_url": "/one"}`,
			sdk.Source{Push: true, Pull: "always", SnapshotURL: "http://192.168.1.42:8080/one"}},
		"a web server at two ports": {`{"address": "192.168.1.43", "preset": "esp32cam"}`,
			sdk.Source{Push: true, Pull: "always", SnapshotURL: "http://192.168.1.43/capture"}},
		"an @ in the path": {`{"url": "rtsp://h.lan/a@b"}`,
			sdk.Source{Streams: []sdk.StreamSource{{Name: "main", URL: "rtsp://h.lan/a@b"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := source(decoded(t, c.source), noSecrets)
			if err != nil {
				t.Fatal(err)
			}
			if x, y := shown(got), shown(c.want); x != y {
				t.Errorf("got  %s\nwant %s", x, y)
			}
		})
	}
}

// shown prints with passwords, which the types themselves hide.
func shown(s sdk.Source) string {
	out := fmt.Sprintf("push %v pull %s snapshot %s %s %s %s", s.Push, s.Pull, s.SnapshotURL, s.SnapshotFingerprint, s.SnapshotCredential.Username, s.SnapshotCredential.Password.Reveal())
	for _, x := range s.Streams {
		out += fmt.Sprintf("; %s %s %s/%s/%s %s %s", x.Name, x.URL, x.Credential.Username, x.Credential.Secret, x.Credential.Password.Reveal(), x.Transport, x.Fingerprint)
	}
	return out
}

func TestProblemsNameTheKeyAndTheFix(t *testing.T) {
	for source, want := range map[string]string{
		`{}`:                                  "url",
		`{"address": "h"}`:                    "preset",
		`{"address": "h", "preset": "nikon"}`: "preset",
		`{"address": "http://h/", "preset": "tapo"}`:                                    "address",
		`{"address": "h:99999", "preset": "tapo"}`:                                      "address",
		`{"address": "h", "preset": "dahua", "channel": "x"}`:                           "channel",
		`{"address": "h", "preset": "dahua", "channel": 0}`:                             "channel",
		`{"address": "h", "preset": "unifi"}`:                                           "channel",
		`{"url": "rtsp://h/", "address": "h"}`:                                          "address",
		`{"url": "rtsp:/h"}`:                                                            "url",
		`{"url": "ftp://h/"}`:                                                           "url",
		`{"url": "rtsp:///x"}`:                                                          "url",
		`{"url": "rtsp://h/%zz"}`:                                                       "url",
		`{"url": "rtsp://h/a#b"}`:                                                       "url",
		`{"url": "rtsp://h/", "preset": "nikon"}`:                                       "preset",
		`{"url": "rtsp://h/", "sub": "http://h/"}`:                                      "sub",
		`{"url": "rtsp://h/", "sub": "rtsp://u:geheim@h.lan/"}`:                         "sub",
		`{"url": "rtsp://h/", "snapshot_url": "rtsp://h/"}`:                             "snapshot_url",
		`{"url": "rtsp://h/", "snapshot_url": "http://u:geheim@h.lan/"}`:                "snapshot_url",
		`{"url": "rtsp://h/", "password": "geheim"}`:                                    "username",
		`{"url": "rtsp://h/", "transport": "http"}`:                                     "transport",
		`{"url": "rtsp://h/", "pull": "never"}`:                                         "pull",
		`{"url": "rtsps://h/", "fingerprint": "sha1:aa"}`:                               "fingerprint",
		`{"url": "rtsp://h/", "fingerprint": "sha256:` + strings.Repeat("a", 64) + `"}`: "fingerprint",
		`{"url": "http://h/", "every": "1"}`:                                            "every",
		`{"url": "http://h/", "every": "1ms"}`:                                          "every",
	} {
		_, bad := decoded(t, source).plan()
		if len(bad) != 1 || bad[0].key != want || bad[0].message == "" || bad[0].fix == "" {
			t.Errorf("%s: %+v, want one problem at %s, with its fix", source, bad, want)
		}
		if strings.Contains(fmt.Sprint(bad), "geheim") {
			t.Errorf("%s: the problem shows the password: %+v", source, bad)
		}
		if _, err := fromSource(t, source); !errors.Is(err, sdk.ErrInvalid) {
			t.Errorf("%s: source: %v", source, err)
		}
	}
}

func fromSource(t *testing.T, s string) (sdk.Source, error) { return source(decoded(t, s), noSecrets) }

// TestLoginsInURLsAreTakenApart: whatever stands in the password, the rest is told and
// the password is not.
func TestLoginsInURLsAreTakenApart(t *testing.T) {
	schema := schema(t)
	for _, password := range []string{"geheim", "p@:/#geheim", "geheim@192.168.1.1/x", "ge:heim", "geheim?", "#geheim", "ge/heim", "geheim%41", "ge heim", "@@geheim@", "ge[heim]", "\\geheim\"'"} {
		for _, tail := range []string{"192.168.1.40/stream1", "192.168.1.40:554/a/b?c=geheim", "cam.lan", "[fd00::1]:8554/x"} {
			raw := "rtsp://admin:" + password + "@" + tail
			clean, found := login(raw)
			want, _, _ := strings.Cut("rtsp://"+tail, "?")
			if !found || clean != want {
				t.Errorf("%s: found %v, %q, want %q", raw, found, clean, want)
			}
			b, _ := json.Marshal(map[string]string{"url": raw})
			if schema.Validate(plain(t, string(b))) == nil {
				t.Errorf("%s: the schema takes it, and the file would be taken", raw)
			}
			_, bad := settings{URL: raw}.plan()
			if len(bad) != 1 || bad[0].key != "url" || strings.Contains(fmt.Sprint(bad), "heim") {
				t.Errorf("%s: %+v", raw, bad)
			}
		}
	}
	for _, raw := range []string{"rtsp://192.168.1.40/a", "rtsp://h.lan:554/user@place", "http://h.lan/?to=a@b.c", "rtsp://[fd00::1]/@", "nothing"} {
		if _, found := login(raw); found {
			t.Errorf("%s: a login where there is none", raw)
		}
	}
}

func FuzzLogin(f *testing.F) {
	f.Add("admin:p@:/#", "192.168.1.40/x")
	f.Add("a", "b@c/d@e")
	f.Fuzz(func(t *testing.T, user, tail string) {
		clean, found := login("rtsp://" + user + "@" + tail)
		if found && clean != "" && !strings.HasSuffix("rtsp://"+user+"@"+tail, tail[max(0, len(tail)-1):]) {
			t.Fatal(clean)
		}
		s := settings{URL: "rtsp://" + user + "@" + tail}
		if p, bad := s.plan(); len(bad) == 0 {
			if _, after, _ := strings.Cut(p.main, "://"); strings.Contains(strings.FieldsFunc(after+"/", func(r rune) bool { return r == '/' || r == '?' })[0], "@") {
				t.Fatalf("a login is left in %q", p.main)
			}
		}
	})
}

func TestSecretsAreRevealed(t *testing.T) {
	have := map[string]string{"where": "rtsp://10.0.0.9/x?user=u&password=p\n", "who": "viewer"}
	secret := func(name string) (string, error) {
		if v, ok := have[name]; ok {
			return v, nil
		}
		return noSecrets(name)
	}
	s := decoded(t, `{"url": "secret://where", "username": "secret://who", "password": "secret://pw"}`)
	got, err := source(s, secret)
	if err != nil || got.Streams[0].URL != "rtsp://10.0.0.9/x?user=u&password=p" || got.Streams[0].Credential != (sdk.Credential{Username: "viewer", Secret: "pw"}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := source(decoded(t, `{"url": "secret://nowhere"}`), secret); !errors.Is(err, sdk.ErrNotFound) || !strings.Contains(err.Error(), "secret nowhere") {
		t.Error(err)
	}
}

func TestPresetsAreWhole(t *testing.T) {
	s := schema(t)
	names := presetNames()
	if !slices.IsSorted(names) || len(slices.Compact(names)) != len(names) {
		t.Errorf("not in order, or twice: %v", names)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range presets() {
		config := map[string]any{"address": "192.168.1.2", "preset": p.Name}
		if p.Alias != "" {
			config["channel"] = "porch"
		}
		b, _ := json.Marshal(config)
		pl, bad := decoded(t, string(b)).plan()
		if len(bad) > 0 || regexp.MustCompile(`[{}]`).MatchString(pl.main+pl.sub+pl.snapshot) || p.Title == "" {
			t.Errorf("%s: %+v, %v", p.Name, pl, bad)
		}
		if err := s.Validate(plain(t, string(b))); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if !strings.Contains(string(readme), "`"+p.Name+"`") {
			t.Errorf("README.md does not name the preset %s", p.Name)
		}
	}
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("device.json", plain(t, string(deviceSchema()))); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("device.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func plain(t *testing.T, b string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Each key that the plugin reads stands in the schema, with a title and words, and no other.
func TestTheSchemaIsTheSettings(t *testing.T) {
	var s struct {
		Properties map[string]struct{ Title, Description string }
	}
	if err := json.Unmarshal(deviceSchema(), &s); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(settings{})
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	_ = json.Unmarshal(b, &keys)
	for k := range keys {
		if p, ok := s.Properties[k]; !ok || p.Title == "" || p.Description == "" && k != "username" {
			t.Errorf("%s: not told in the schema", k)
		}
		delete(s.Properties, k)
	}
	if len(s.Properties) > 0 {
		t.Errorf("nobody reads %v", s.Properties)
	}
	for source, good := range map[string]bool{
		`{"address": "h", "preset": "go2rtc", "channel": "a"}`: true, `{"address": "h", "preset": "go2rtc"}`: false, `{"address": "h", "preset": "dahua", "channel": "a"}`: false,
		`{"address": "h", "preset": "dahua", "channel": "2"}`: true, `{}`: false, `{"address": "h"}`: false, `{"url": "rtsp://h/", "address": "h"}`: false,
		`{"url": "rtsp://h/", "password": "x"}`: false, `{"url": "rtsp://[fd00::1%25eth0]:554/a@b?c"}`: true, `{"url": "rtsps://h:322"}`: true, `{"url": "rtsp://h/a#b"}`: false,
		`{"url": "rtsp://h/", "sub": "/x", "snapshot_url": "https://h/"}`: true, `{"url": "rtsp://h/", "snapshot_url": "rtsp://h/"}`: false, `{"url": "secret://x"}`: true, `{"url": "h/x"}`: false, `{"urls": "rtsp://h/"}`: false,
		`{"address": "h", "preset": "nikon"}`: false, `{"channel": 0}`: false, `{"transport": "sctp"}`: false,
	} {
		if err := schema(t).Validate(plain(t, source)); (err == nil) != good {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestTalk(t *testing.T) {
	for given, want := range map[string]string{
		`{"url": "rtsp://h.lan/a"}`:                 "rtsp_backchannel",
		`{"url": "rtsp://h.lan/a", "talk": "auto"}`: "rtsp_backchannel",
		`{"url": "rtsp://h.lan/a", "talk": "off"}`:  "",
		`{"url": "http://h.lan/a"}`:                 "",
	} {
		got, err := source(decoded(t, given), noSecrets)
		if err != nil || got.Talk != want {
			t.Errorf("%s: talk %q, %v", given, got.Talk, err)
		}
	}
	if _, bad := decoded(t, `{"url": "rtsp://h.lan/a", "talk": "loud"}`).plan(); len(bad) != 1 || bad[0].key != "talk" {
		t.Errorf("%v", bad)
	}
}
