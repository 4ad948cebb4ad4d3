package dialog

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// Names of the ways to log in, the strongest last.
const (
	Basic        = "basic"
	DigestMD5    = "digest-md5"
	DigestSHA256 = "digest-sha256"
)

// challenge is one offer of WWW-Authenticate (RFC 7616, RFC 7617).
type challenge struct {
	way       string
	session   bool   // the -sess variant
	realm     string // as it stands between the quotes, escapes included: that is what is hashed
	nonce     string
	opaque    string
	algorithm string // as the server spells it
	qop       bool   // auth is offered
	stale     bool
}

// challenges reads the offers of an answer. One header may hold several, and a realm may
// hold quotes, escaped or not.
func challenges(values []string) []challenge {
	var out []challenge
	for _, v := range values {
		for v = strings.TrimSpace(v); v != ""; {
			scheme, rest, _ := strings.Cut(v, " ")
			var params map[string]string
			params, v = parameters(rest)
			if c, ok := newChallenge(strings.TrimRight(scheme, ","), params); ok {
				out = append(out, c)
			}
		}
	}
	return out
}

func newChallenge(scheme string, p map[string]string) (challenge, bool) {
	c := challenge{realm: p["realm"], nonce: p["nonce"], opaque: p["opaque"], algorithm: p["algorithm"]}
	switch strings.ToLower(scheme) {
	case "basic":
		c.way = Basic
		return c, true
	case "digest":
		alg := strings.ToLower(c.algorithm)
		alg, c.session = strings.CutSuffix(alg, "-sess")
		switch alg {
		case "", "md5":
			c.way = DigestMD5
		case "sha-256", "sha256":
			c.way = DigestSHA256
		default:
			return c, false
		}
		for q := range strings.SplitSeq(p["qop"], ",") {
			c.qop = c.qop || strings.TrimSpace(q) == "auth"
		}
		c.stale = strings.EqualFold(p["stale"], "true")
		return c, c.nonce != ""
	}
	return c, false
}

// parameters reads key=value pairs up to the next scheme, which is returned with what follows.
func parameters(s string) (p map[string]string, rest string) {
	p = make(map[string]string)
	for {
		s = strings.TrimLeft(s, " ,\t")
		eq := strings.IndexByte(s, '=')
		if eq < 0 {
			return p, ""
		}
		if key := s[:eq]; strings.ContainsAny(strings.TrimSpace(key), " \t") {
			return p, s // a scheme stands before the next key
		}
		key := strings.ToLower(strings.TrimSpace(s[:eq]))
		var value string
		value, s = parameter(strings.TrimLeft(s[eq+1:], " \t"))
		if _, twice := p[key]; !twice {
			p[key] = value
		}
	}
}

// parameter reads one value. A quoted one ends at a quote that a comma or the end follows,
// so that a realm may hold quotes that nobody escaped.
func parameter(s string) (value, rest string) {
	if s == "" || s[0] != '"' {
		i := strings.IndexByte(s, ',')
		if i < 0 {
			return strings.TrimSpace(s), ""
		}
		return strings.TrimSpace(s[:i]), s[i:]
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			after := strings.TrimLeft(s[i+1:], " \t")
			if after == "" || after[0] == ',' {
				return s[1:i], s[i+1:]
			}
		}
	}
	return s[1:], ""
}

// strongest picks one offer.
func strongest(all []challenge) (challenge, bool) {
	if len(all) == 0 {
		return challenge{}, false
	}
	order := []string{Basic, DigestMD5, DigestSHA256}
	return slices.MaxFunc(all, func(a, b challenge) int {
		return slices.Index(order, a.way) - slices.Index(order, b.way)
	}), true
}

// authorization answers c for one request; count tells how often this nonce was used.
func (c challenge) authorization(user, pass, method, uri string, count int) string {
	if c.way == Basic {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+pass))
	}
	h := md5.New
	if c.way == DigestSHA256 {
		h = sha256.New
	}
	cnonce := rand.Text()[:16]
	ha1 := digest(h, user+":"+c.realm+":"+pass)
	if c.session {
		ha1 = digest(h, ha1+":"+c.nonce+":"+cnonce)
	}
	ha2 := digest(h, method+":"+uri)
	nc := fmt.Sprintf("%08x", count)
	response := digest(h, ha1+":"+c.nonce+":"+ha2)
	if c.qop {
		response = digest(h, ha1+":"+c.nonce+":"+nc+":"+cnonce+":auth:"+ha2)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`,
		quoted(user), c.realm, c.nonce, uri, response)
	if c.algorithm != "" {
		b.WriteString(", algorithm=" + c.algorithm)
	}
	if c.opaque != "" {
		b.WriteString(`, opaque="` + c.opaque + `"`)
	}
	if c.qop {
		b.WriteString(", qop=auth, nc=" + nc + `, cnonce="` + cnonce + `"`)
	} else if c.session {
		b.WriteString(`, cnonce="` + cnonce + `"`)
	}
	return b.String()
}

func quoted(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\r", "", "\n", "").Replace(s)
}

func digest(h func() hash.Hash, s string) string {
	sum := h()
	sum.Write([]byte(s))
	return hex.EncodeToString(sum.Sum(nil))
}
