package pages

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"rsc.io/qr"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/static"
)

// TrustPath is the page that shows devices how to trust the hub's certificate. It is
// for whoever comes, and without TLS: before a device trusts, it has nothing else.
const TrustPath = "/trust"

// Files of TrustPath. The first is PEM, which every system takes by this ending.
const (
	trustCert    = "/porchlight-ca.crt"
	trustDER     = "/porchlight-ca.der"
	trustProfile = "/porchlight.mobileconfig"
)

// Trust is what the page tells.
type Trust struct {
	TLS     bool   // the hub speaks it
	Secure  bool   // this request came by it
	Here    bool   // from the hub's own machine
	Address string // where the pages are
	Clear   string // where this page is without TLS; empty: nowhere
	Issuer  string // who signed the certificate
	Trouble error  // why there is no good one
	CA      *TrustCA
}

// TrustCA is the hub's own authority.
type TrustCA struct {
	Name, SHA256 string
	PEM, DER     []byte
	Until        time.Time
}

// trustBody is the page's own part.
type trustBody struct {
	Trust
	Device string        // which instructions are open
	Prints []string      // the fingerprint in groups
	QR     template.HTML // of Clear, for a phone; empty: this is one
	Err    *api.Problem
}

// NewTrust gives the handler of TrustPath and what is below.
func NewTrust(d Deps, tell func(*http.Request) Trust) http.Handler {
	p := &pages{
		rooms: d.Rooms, door: d.Door, programs: d.Tokens, version: d.Version, log: cmp.Or(d.Log, slog.New(slog.DiscardHandler)),
		zone: cmp.Or(d.Zone, time.Local), now: d.Now, assets: static.New(), sets: map[string]*template.Template{},
	}
	if p.now == nil {
		p.now = time.Now
	}
	for _, name := range []string{"trust", "oops"} {
		p.sets[name] = template.Must(template.New("layout").Funcs(p.funcs()).ParseFS(templates, "layout.html", "pieces.html", name+".html"))
	}
	file := func(kind string, content func(*TrustCA) []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ca := tell(r).CA
			if ca == nil {
				p.missing(w, r)
				return
			}
			w.Header().Set("Content-Type", kind)
			w.Header().Set("Content-Disposition", `attachment; filename="`+r.URL.Path[len(TrustPath)+1:]+`"`)
			_, _ = w.Write(content(ca)) // the peer is gone if this fails
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+TrustPath, func(w http.ResponseWriter, r *http.Request) { p.trust(w, r, tell(r)) })
	mux.HandleFunc("GET "+TrustPath+trustCert, file("application/x-x509-ca-cert", func(c *TrustCA) []byte { return c.PEM }))
	mux.HandleFunc("GET "+TrustPath+trustDER, file("application/x-x509-ca-cert", func(c *TrustCA) []byte { return c.DER }))
	mux.HandleFunc("GET "+TrustPath+trustProfile, file("application/x-apple-aspen-config", profile))
	mux.HandleFunc("/", p.missing)
	return mux
}

func (p *pages) trust(w http.ResponseWriter, r *http.Request, t Trust) {
	b := trustBody{Trust: t, Device: device(r.UserAgent())}
	if t.Trouble != nil {
		b.Err = api.Describe(t.Trouble)
	}
	if t.CA != nil {
		for part := range strings.SplitSeq(t.CA.SHA256, ":") {
			if n := len(b.Prints); n > 0 && len(b.Prints[n-1]) < len("AB CD EF 01") {
				b.Prints[n-1] += " " + part
			} else {
				b.Prints = append(b.Prints, part)
			}
		}
	}
	if b.Device != "iphone" && b.Device != "android" && t.Clear != "" {
		b.QR = qrCode(t.Clear, "A code for your phone's camera: "+t.Clear)
	}
	p.show(w, r, http.StatusOK, "trust", frame{Title: "Trust this hub", Bare: true, Body: b})
}

// device guesses whose instructions are wanted. An iPad says that it is a Mac.
func device(agent string) string {
	for _, d := range [][2]string{
		{"iPhone", "iphone"}, {"iPad", "iphone"}, {"iPod", "iphone"}, {"Android", "android"}, {"Firefox", "firefox"},
		{"Macintosh", "mac"}, {"Windows", "windows"}, {"CrOS", "chromeos"}, {"Linux", "linux"},
	} {
		if strings.Contains(agent, d[0]) {
			return d[1]
		}
	}
	return ""
}

// profile is the authority as Apple's devices install it (Configuration Profile
// Reference, com.apple.security.root). The same authority is always the same profile,
// so that a second time replaces the first.
func profile(ca *TrustCA) []byte {
	sum := sha256.Sum256(ca.DER)
	uuid := func(n byte) string {
		b := sha256.Sum256(append(sum[:], n))
		b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80 // RFC 9562, version 8: of our own making
		h := strings.ToUpper(hex.EncodeToString(b[:16]))
		return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
	}
	id, name := "porchlight.ca."+hex.EncodeToString(sum[:4]), template.HTMLEscapeString(ca.Name)
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>PayloadContent</key>
	<array>
		<dict>
			<key>PayloadCertificateFileName</key><string>porchlight-ca.cer</string>
			<key>PayloadContent</key><data>%s</data>
			<key>PayloadDescription</key><string>Lets this device know the pages of your Porchlight hub. It is valid for names and addresses of a house only.</string>
			<key>PayloadDisplayName</key><string>%s</string>
			<key>PayloadIdentifier</key><string>%s.root</string>
			<key>PayloadType</key><string>com.apple.security.root</string>
			<key>PayloadUUID</key><string>%s</string>
			<key>PayloadVersion</key><integer>1</integer>
		</dict>
	</array>
	<key>PayloadDescription</key><string>The certificate authority of your Porchlight hub.</string>
	<key>PayloadDisplayName</key><string>%s</string>
	<key>PayloadIdentifier</key><string>%s</string>
	<key>PayloadRemovalDisallowed</key><false/>
	<key>PayloadType</key><string>Configuration</string>
	<key>PayloadUUID</key><string>%s</string>
	<key>PayloadVersion</key><integer>1</integer>
</dict>
</plist>
`, base64.StdEncoding.EncodeToString(ca.DER), name, id, uuid(1), name, id, uuid(0))
}

// qrCode draws text as one path, dark on light whatever the page's colours are, with
// the quiet zone of four modules that readers want. Label is for ears.
func qrCode(text, label string) template.HTML {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "" // too long for a code; the address stands beside it
	}
	const quiet = 4
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quiet, y+quiet, x-from, x-from)
			}
		}
	}
	size := code.Size + 2*quiet
	return template.HTML(fmt.Sprintf(`<svg class="qr" viewBox="0 0 %d %d" role="img" aria-label="%s" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="%s"/></svg>`,
		size, size, template.HTMLEscapeString(label), size, size, path.String()))
}
