package snapshot

import (
	"fmt"
	"net/http"
	"strconv"
)

// placeholder answers with a drawing in place of a picture that is not there, for pages
// that want to show something; the header says why there is none.
func placeholder(w http.ResponseWriter, r *http.Request, code string, want Want) {
	width, height := 640, 360
	switch {
	case want.Width > 0 && want.Height > 0:
		width, height = want.Width, want.Height
	case want.Width > 0:
		width, height = want.Width, want.Width*9/16
	case want.Height > 0:
		width, height = want.Height*16/9, want.Height
	}
	b := fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 320 180" role="img" aria-label="no picture">`+
		`<rect width="320" height="180" fill="#30343b"/>`+
		`<g fill="none" stroke="#aab1bd" stroke-width="4" stroke-linecap="round" stroke-linejoin="round">`+
		`<path d="M118 62h62a8 8 0 0 1 8 8v34a8 8 0 0 1-8 8h-62a8 8 0 0 1-8-8V70a8 8 0 0 1 8-8z"/><path d="M188 82l24-12v34l-24-12"/><path d="M104 124L220 50"/></g>`+
		`<text x="160" y="154" fill="#d5d9e0" font-family="system-ui,sans-serif" font-size="13" text-anchor="middle">%s</text></svg>`, width, height, code)
	h := w.Header()
	h.Set("Content-Type", "image/svg+xml")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Porchlight-Placeholder", code)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // the peer is gone if this fails
	}
}
