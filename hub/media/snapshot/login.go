package snapshot

import (
	"errors"
	"net/http"
	"strings"

	"github.com/icholy/digest"
)

// maxChallenges of one answer are looked at.
const maxChallenges = 8

// challenge is how a camera wants to be logged in to.
type challenge struct {
	digest *digest.Challenge // nil: Basic (RFC 7617)
	n      int               // answers so far
}

// pick chooses the strongest challenge that is known: SHA-256, MD5 (RFC 7616), Basic.
func pick(h http.Header) (*challenge, error) {
	var best *challenge
	strength := 0
	for _, c := range challenges(h.Values("WWW-Authenticate")) {
		scheme, rest, _ := strings.Cut(c, " ")
		rank := 0
		var d *digest.Challenge
		switch strings.ToLower(scheme) {
		case "basic":
			rank = 1
		case "digest":
			var err error
			if d, err = digest.ParseChallenge(digest.Prefix + rest); err != nil {
				continue
			}
			for i := range d.QOP {
				d.QOP[i] = strings.TrimSpace(d.QOP[i])
			}
			if !digest.CanDigest(d) {
				continue
			}
			if rank = 2; strings.HasPrefix(strings.ToUpper(d.Algorithm), "SHA-") {
				rank = 3
			}
		}
		if rank > strength {
			best, strength = &challenge{digest: d}, rank
		}
	}
	if best == nil {
		return nil, errors.New("no Digest and no Basic")
	}
	return best, nil
}

// challenges takes lines apart that hold several: each begins with a scheme,
// and a comma outside of quotes stands between them (RFC 9110 11.6.1).
func challenges(lines []string) []string {
	var out []string
	for _, line := range lines {
		start, quoted := 0, false
		for i := 0; i < len(line) && len(out) < maxChallenges; i++ {
			switch {
			case quoted && line[i] == '\\':
				i++
			case line[i] == '"':
				quoted = !quoted
			case line[i] == ',' && !quoted && beginsScheme(line[i+1:]):
				out = append(out, strings.TrimSpace(line[start:i]))
				start = i + 1
			}
		}
		out = append(out, strings.TrimSpace(line[start:]))
	}
	return out
}

// beginsScheme: a word without a value.
func beginsScheme(s string) bool {
	s, _, _ = strings.Cut(s, ",")
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return word != "" && !strings.ContainsAny(word, `="`)
}

// answer logs req in.
func (c *challenge) answer(req *http.Request, username, password string) error {
	if c.digest == nil {
		req.SetBasicAuth(username, password)
		return nil
	}
	c.n++
	cred, err := digest.Digest(c.digest, digest.Options{
		Method: req.Method, URI: req.URL.RequestURI(), Count: c.n, Username: username, Password: password,
	})
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", cred.String())
	return nil
}
