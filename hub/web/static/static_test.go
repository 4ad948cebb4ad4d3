package static

import (
	"compress/gzip"
	"io"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(a *Assets, path, encoding string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	r.Header.Set("Accept-Encoding", encoding)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func TestAFileIsKeptForEverByItsStamp(t *testing.T) {
	a := New()
	w := get(a, a.URL("js/main.js"), "br, gzip")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	z, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	unzipped, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if plain := get(a, a.URL("js/main.js"), "").Body.String(); plain != string(unzipped) {
		t.Error("what travels zipped is not the file")
	}
	old := get(a, "/static/000000000000/js/main.js", "")
	if old.Code != 200 || old.Header().Get("Cache-Control") != "no-cache" {
		t.Errorf("a page from before an update: %d %v", old.Code, old.Header())
	}
}

func TestWhatIsNotThere(t *testing.T) {
	a := New()
	for _, path := range []string{"/static/", "/static/x", "/static/x/../static.go", "/static/x/css/base.css", "/static/x/js/"} {
		if w := get(a, path, ""); w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	r := httptest.NewRequest("POST", a.URL("app.css"), nil)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	if w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

// A module that asks for one that is not there fails in the browser only, and late.
func TestModulesFindEachOther(t *testing.T) {
	a := New()
	imports := regexp.MustCompile(`(?:from|import\(|new URL\()\s*"(\.[^"]+)"`)
	for _, name := range a.Names() {
		if path.Ext(name) != ".js" {
			continue
		}
		for _, m := range imports.FindAllStringSubmatch(string(a.files[name].plain), -1) {
			if to := path.Join(path.Dir(name), m[1]); a.files[to] == nil {
				t.Errorf("%s asks for %s", name, to)
			}
		}
	}
}

func TestNothingNamesAnotherHost(t *testing.T) {
	a := New()
	hosts := regexp.MustCompile(`https?://[^"'\s)]+`)
	for _, name := range a.Names() {
		for _, u := range hosts.FindAllString(string(a.files[name].plain), -1) {
			if u != "http://www.w3.org/2000/svg" { // a name, not an address
				t.Errorf("%s names %s", name, u)
			}
		}
	}
}

// Each of the style's variables is one that the tokens give.
func TestTokensAreKnown(t *testing.T) {
	css := string(New().files["app.css"].plain)
	for _, m := range regexp.MustCompile(`var\((--[a-z0-9-]+)\)`).FindAllStringSubmatch(css, -1) {
		if !strings.Contains(css, m[1]+":") {
			t.Errorf("%s is not defined", m[1])
		}
	}
}

// The browser's sounds are the speaker's: each recipe's length and loudness.
func TestSoundsAreTheSpeakers(t *testing.T) {
	b, err := os.ReadFile("../../../plugins/speaker/sound/RECIPES.md")
	if err != nil {
		t.Fatal(err)
	}
	js := regexp.MustCompile(`\s+`).ReplaceAllString(string(New().files["js/recipes.js"].plain), " ")
	sounds := regexp.MustCompile(`(?m)^## (\w+) .*\n\nlength ([\d.]+) s, scale ([\d.]+)$`).FindAllStringSubmatch(string(b), -1)
	if len(sounds) < 5 {
		t.Fatalf("%d recipes read, want them all", len(sounds))
	}
	for _, s := range sounds {
		if want := s[1] + ": { length: " + s[2] + ", scale: " + s[3] + ","; !strings.Contains(js, want) {
			t.Errorf("recipes.js lacks %q", want)
		}
	}
}
