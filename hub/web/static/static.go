package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed css js icons.svg icon.svg manifest.webmanifest
var files embed.FS

// Prefix of all addresses.
const Prefix = "/static/"

// sheets in the order in which they are laid on each other.
func sheets() []string {
	return []string{"tokens", "base", "shell", "parts", "player", "pages", "ring", "trust", "homekit"}
}

// Assets are the files by name ("app.css", "js/main.js"). Safe for concurrent use.
type Assets struct {
	stamp string // of all content
	files map[string]*file
}

type file struct {
	kind   string
	plain  []byte
	zipped func() []byte // nil bytes where that would not be shorter
}

// New reads the embedded files. It panics where one is missing, which a test sees first.
func New() *Assets {
	a := &Assets{files: map[string]*file{}}
	a.add("app.css", bundle())
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, "css/") {
			return err
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		a.add(name, b)
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("static: embedded files: %v", err))
	}
	sum := sha256.New()
	for _, name := range a.Names() {
		fmt.Fprintf(sum, "%s %d\n", name, len(a.files[name].plain))
		sum.Write(a.files[name].plain)
	}
	a.stamp = hex.EncodeToString(sum.Sum(nil))[:12]
	return a
}

// Handler serves all addresses below Prefix.
func Handler() http.Handler { return New() }

func bundle() []byte {
	var b bytes.Buffer
	for _, name := range sheets() {
		css, err := files.ReadFile("css/" + name + ".css")
		if err != nil {
			panic(fmt.Sprintf("static: sheet %s: %v", name, err))
		}
		b.Write(css)
	}
	return b.Bytes()
}

func (a *Assets) add(name string, content []byte) {
	kind := mime.TypeByExtension(path.Ext(name))
	switch path.Ext(name) { // the machine's own list of types is not to be relied on
	case ".js":
		kind = "text/javascript; charset=utf-8"
	case ".css":
		kind = "text/css; charset=utf-8"
	case ".svg":
		kind = "image/svg+xml"
	case ".webmanifest":
		kind = "application/manifest+json"
	}
	a.files[name] = &file{kind: kind, plain: content, zipped: sync.OnceValue(func() []byte { return zip(content) })}
}

func zip(content []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic(fmt.Sprintf("static: gzip: %v", err)) // the level is a constant
	}
	_, _ = w.Write(content) // a bytes.Buffer takes all
	_ = w.Close()
	if b.Len() >= len(content) {
		return nil
	}
	return b.Bytes()
}

// Names of all files, sorted.
func (a *Assets) Names() []string {
	out := make([]string, 0, len(a.files))
	for name := range a.files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// URL of a file. It panics for one that does not exist: a page names its files in code.
func (a *Assets) URL(name string) string {
	name, part, hasPart := strings.Cut(name, "#")
	if a.files[name] == nil {
		panic(fmt.Sprintf("static: no file %q", name))
	}
	u := Prefix + a.stamp + "/" + name
	if hasPart {
		u += "#" + part
	}
	return u
}

// Zipped is how many bytes of a file travel.
func (a *Assets) Zipped(name string) int {
	f := a.files[name]
	if z := f.zipped(); z != nil {
		return len(z)
	}
	return len(f.plain)
}

// ServeHTTP answers below Prefix. An address with another stamp (an open page from
// before an update) gets the file of today, not to be kept.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	stamp, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
	f := a.files[name]
	if f == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Vary", "Accept-Encoding")
	if stamp == a.stamp {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	body := f.plain
	if z := f.zipped(); z != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = z
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the peer is gone if this fails
	}
}
