package badcam

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// login checks the login of a request; what it returns is what to ask for.
func (s *session) login(q *Request) (ask string) {
	o := s.c.o
	if o.Auth == "" {
		return ""
	}
	got := q.Header["authorization"]
	if got != "" && s.right(q, got) {
		if o.FreshNonce {
			s.nonce++
		}
		return ""
	}
	if got != "" && !strings.Contains(got, `nonce="`) || strings.Contains(got, s.nonceText()) {
		s.c.mu.Lock()
		s.c.refused++
		s.c.mu.Unlock()
	}
	realm := o.Realm
	if realm == "" {
		realm = "camera"
	}
	if o.Auth == "basic" {
		return `WWW-Authenticate: Basic realm="` + realm + `"`
	}
	more := ""
	if o.QOP {
		more = `, qop="auth,auth-int", opaque="0p4que"`
	}
	ask = fmt.Sprintf(`WWW-Authenticate: Digest realm="%s", nonce="%s"%s`, realm, s.nonceText(), more)
	if o.Auth == "sha256" {
		return ask + ", algorithm=SHA-256\n" + ask + ", algorithm=MD5"
	}
	return ask
}

func (s *session) nonceText() string { return fmt.Sprintf("n%d-once", s.nonce) }

// right checks an Authorization line by RFC 7617 and RFC 7616, by code of its own.
func (s *session) right(q *Request, got string) bool {
	o := s.c.o
	scheme, rest, _ := strings.Cut(got, " ")
	if scheme == "Basic" {
		b, err := base64.StdEncoding.DecodeString(rest)
		return err == nil && o.Auth == "basic" && string(b) == o.Username+":"+o.Password
	}
	p := map[string]string{}
	for rest != "" {
		key, after, ok := strings.Cut(strings.TrimLeft(rest, ", "), "=")
		if !ok {
			break
		}
		if strings.HasPrefix(after, `"`) {
			end := 1
			for end < len(after) && (after[end] != '"' || after[end-1] == '\\' || end+1 < len(after) && after[end+1] != ',') {
				end++
			}
			p[key], rest = after[1:min(end, len(after))], after[min(end+1, len(after)):]
		} else {
			p[key], rest, _ = strings.Cut(after, ",")
		}
	}
	h := md5.New
	if o.Auth == "sha256" {
		if p["algorithm"] != "SHA-256" {
			return false
		}
		h = sha256.New
	}
	ha1, ha2 := sum(h, o.Username+":"+p["realm"]+":"+o.Password), sum(h, q.Method+":"+q.URL)
	want := sum(h, ha1+":"+p["nonce"]+":"+ha2)
	if o.QOP {
		if p["qop"] != "auth" || p["opaque"] != "0p4que" {
			return false
		}
		want = sum(h, strings.Join([]string{ha1, p["nonce"], p["nc"], p["cnonce"], "auth", ha2}, ":"))
	}
	return p["response"] == want && p["nonce"] == s.nonceText() && p["uri"] == q.URL
}

func sum(h func() hash.Hash, s string) string {
	d := h()
	d.Write([]byte(s))
	return hex.EncodeToString(d.Sum(nil))
}
