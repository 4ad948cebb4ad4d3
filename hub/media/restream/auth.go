package restream

import (
	"context"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"

	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/headers"

	"github.com/porchlight-hub/porchlight/hub/media/restream/ask"
)

const (
	// localUser and localID are of the password that the server makes for this machine.
	localUser = "local"
	localID   = "local"
	// wrongAtMost is how many wrong passwords one connection may try.
	wrongAtMost = 3
)

// HA1 is what is kept of a password: it lets in by Digest, and by Digest in this realm
// only (RFC 7616 3.4.2).
func HA1(user, password string) (md5Hex, sha256Hex string) {
	text := user + ":" + Realm + ":" + password
	return hashMD5(text), hashSHA256(text)
}

func hashMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

func hashSHA256(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func nonce() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// challenge asks for Digest. MD5 stands last, because programs that know one algorithm
// take the last challenge, whatever it is; the others take the one they like.
func (c *conn) challenge(reason string) *base.Response {
	d := `Digest realm="` + Realm + `", nonce="` + c.nonce + `"`
	return &base.Response{
		StatusCode: base.StatusUnauthorized, StatusMessage: reason,
		Header: base.Header{"WWW-Authenticate": base.HeaderValue{d + `, algorithm=SHA-256`, d + `, algorithm=MD5`}},
	}
}

// authorize finds who asks; a response says no.
func (c *conn) authorize(ctx context.Context, req *base.Request) *base.Response {
	var h headers.Authorization
	if h.Unmarshal(req.Header["Authorization"]) != nil || h.Method != headers.AuthMethodDigest || h.Nonce != c.nonce {
		return c.challenge("")
	}
	if c.who != nil && h.Username == c.who.Viewer.User && c.who.answers(h, req.Method) {
		return c.sameURL(req, h)
	}
	if h.Username == localUser {
		if c.loopback && c.s.local.answers(h, req.Method) {
			c.know(&c.s.local)
			return c.sameURL(req, h)
		}
		return c.wrong(h.Username)
	}
	all, wait := c.s.o.Logins.Credentials(ctx, h.Username, c.host)
	var right *Credential
	for i := range all { // all of them, so that the time tells nothing
		if all[i].answers(h, req.Method) {
			right = &all[i]
		}
	}
	if len(all) == 0 {
		c.s.local.answers(h, req.Method)
	}
	if right == nil && wait != nil {
		c.s.refused.Add(1)
		c.last = true
		return refusal(base.StatusForbidden, wait)
	}
	if right == nil {
		return c.wrong(h.Username)
	}
	c.s.o.Logins.Used(ctx, right.ID, c.host)
	c.know(right)
	return c.sameURL(req, h)
}

// answers tells whether h is the right answer to the nonce in it (RFC 2069 2.4, which is
// RFC 7616 without qop).
func (k *Credential) answers(h headers.Authorization, m base.Method) bool {
	sum, ha1 := hashMD5, k.MD5
	if h.Algorithm != nil && *h.Algorithm == headers.AuthAlgorithmSHA256 {
		sum, ha1 = hashSHA256, k.SHA256
	}
	want := sum(ha1 + ":" + h.Nonce + ":" + sum(string(m)+":"+h.URI))
	return subtle.ConstantTimeCompare([]byte(want), []byte(h.Response)) == 1
}

// sameURL keeps an answer for one camera from opening another. Programs differ in which
// of a stream's URLs they sign, so the camera and stream count.
func (c *conn) sameURL(req *base.Request, h headers.Authorization) *base.Response {
	signed, err := base.ParseURL(h.URI)
	if err != nil || req.URL == nil {
		return c.challenge("")
	}
	a, b := ask.AddressOf(signed), ask.AddressOf(req.URL)
	if a.Camera != b.Camera || a.Stream != b.Stream {
		return c.challenge("")
	}
	return nil
}

func (c *conn) wrong(user string) *base.Response {
	c.s.o.Logins.Wrong(c.host)
	c.s.refused.Add(1)
	c.s.log.Warn("wrong stream password", "user", clip(user, 64), "address", c.host)
	c.tries++
	if c.tries >= wrongAtMost {
		c.last = true
	}
	return c.challenge("Wrong stream password")
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// refusal is a response that says no in people's words.
func refusal(code base.StatusCode, err error) *base.Response {
	res := &base.Response{StatusCode: code, StatusMessage: oneLine(err.Error())}
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		res.Header = base.Header{"X-Porchlight-Code": base.HeaderValue{coded.Code()}}
	}
	return res
}

// oneLine is text for a status line.
func oneLine(s string) string {
	b := []byte(clip(s, 120))
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = ' '
		}
	}
	return string(b)
}
