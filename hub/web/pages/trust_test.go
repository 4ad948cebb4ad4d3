package pages

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// trustHouse is a hub with an authority of its own, asked by http from the network.
func trustHouse() Trust {
	return Trust{TLS: true, Address: "https://192.0.2.5:8480", Clear: "http://192.0.2.5:8480/trust", Issuer: "Porchlight Elm <12> 0A1B",
		CA: &TrustCA{Name: "Porchlight Elm <12> 0A1B", SHA256: strings.TrimSuffix(strings.Repeat("AB:", 32), ":"),
			PEM: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), DER: []byte{0, 0, 0}, Until: noon().AddDate(10, 0, 0)}}
}

const (
	iPhone  = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
	pixel   = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36"
	macBook = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15"
	desktop = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)

func askTrust(t *testing.T, house Trust, agent, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("User-Agent", agent)
	NewTrust(Deps{Rooms: demoHouse().rooms()}, func(*http.Request) Trust { return house }).ServeHTTP(w, r)
	return w.Result()
}

func TestTrustInEveryState(t *testing.T) {
	foreign, off, broken := trustHouse(), Trust{}, trustHouse()
	foreign.CA, foreign.Issuer = nil, "Example CA"
	broken.CA, broken.Trouble = nil, errors.New("the disk said something")
	for name, x := range map[string]struct {
		house    Trust
		agent    string
		has, not []string
	}{
		"trust-iphone":  {trustHouse(), iPhone, []string{"Get the profile", "<details open><summary>", "Certificate Trust Settings", "AB AB AB AB", "Elm &lt;12&gt;"}, []string{"<12>", "class=\"qr\""}},
		"trust-android": {trustHouse(), pixel, []string{"Download the certificate", "Install anyway"}, []string{"class=\"qr\""}},
		"trust-mac":     {trustHouse(), macBook, []string{"Profile for iPhone and iPad", "class=\"qr\"", "http://192.0.2.5:8480/trust"}, nil},
		"trust-linux":   {trustHouse(), desktop, []string{"certutil", "class=\"qr\""}, nil},
		"trust-files":   {foreign, desktop, []string{"Nothing to install", "Example CA", "https://192.0.2.5:8480"}, []string{"Download"}},
		"trust-off":     {off, desktop, []string{"does not use HTTPS", "tls: {mode: local-ca}"}, []string{"Download"}},
		"trust-broken":  {broken, desktop, []string{"not in order", "E-API-INTERNAL"}, []string{"Nothing to install", "disk said"}},
	} {
		res := askTrust(t, x.house, x.agent, TrustPath)
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatal(name, res.Status, err)
		}
		if _, err := html.Parse(bytes.NewReader(body)); err != nil {
			t.Error(name, err)
		}
		for _, want := range x.has {
			if !bytes.Contains(body, []byte(want)) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		for _, no := range append(x.not, "<script", "style=") {
			if bytes.Contains(body, []byte(no)) {
				t.Errorf("%s has %q", name, no)
			}
		}
		if n := bytes.Count(body, []byte("<details open>")); n > 1 {
			t.Errorf("%s: %d instructions are open", name, n)
		}
	}
}

func TestTrustFiles(t *testing.T) {
	for path, kind := range map[string]string{
		"/trust/porchlight-ca.crt": "application/x-x509-ca-cert", "/trust/porchlight-ca.der": "application/x-x509-ca-cert",
		"/trust/porchlight.mobileconfig": "application/x-apple-aspen-config",
	} {
		res := askTrust(t, trustHouse(), desktop, path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind || !strings.Contains(res.Header.Get("Content-Disposition"), filepath.Base(path)) {
			t.Errorf("%s: %s %v", path, res.Status, res.Header)
		}
		if res := askTrust(t, Trust{TLS: true}, desktop, path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s without an authority: %s", path, res.Status)
		}
	}
	if res := askTrust(t, trustHouse(), desktop, "/trust/ca.key"); res.StatusCode != http.StatusNotFound {
		t.Error(res.Status)
	}
}

// TestProfile is what an iPhone reads: XML whose parts are in place, the same each time.
func TestProfile(t *testing.T) {
	house := trustHouse()
	house.CA.Name = `A & B "<x>"`
	first := profile(house.CA)
	if !bytes.Equal(first, profile(house.CA)) {
		t.Error("another profile the second time")
	}
	other := *house.CA
	other.DER = []byte{1}
	uuids := regexp.MustCompile(`<string>([0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12})</string>`)
	a, b := uuids.FindAllStringSubmatch(string(first), -1), uuids.FindAllStringSubmatch(string(profile(&other)), -1)
	if len(a) != 2 || len(b) != 2 || a[0][1] == a[1][1] || a[0][1] == b[0][1] {
		t.Errorf("%v %v", a, b)
	}
	d := xml.NewDecoder(bytes.NewReader(first))
	var texts []string
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c, ok := tok.(xml.CharData); ok {
			texts = append(texts, string(c))
		}
	}
	all := strings.Join(texts, "|")
	for _, want := range []string{"com.apple.security.root", "Configuration", base64.StdEncoding.EncodeToString(house.CA.DER), house.CA.Name} {
		if !strings.Contains(all, want) {
			t.Errorf("the profile lacks %q", want)
		}
	}
}
