package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	masked = "***"
	// shortest secret that is looked for in free text; a shorter one would blank out
	// half of every sentence, and no text quotes it but where a value would stand.
	shortest = 4
)

// What a stranger must not read even where nobody listed it as a secret: the login in
// an address (up to the last @ of the word: a password may hold any character), the values of its query, tokens of the API and of hooks.
var (
	inAddress = regexp.MustCompile(`(\b[a-z][a-z0-9+.-]*://)[^\s"']*@`)
	inQuery   = regexp.MustCompile(`([?&][A-Za-z0-9_.-]+=)[^&\s"']+`)
	inToken   = regexp.MustCompile(`(plt_|/hooks/|token=)[A-Za-z0-9_-]+`)
)

// mask blanks out secrets in everything that is told.
func mask(d *Deps, found []Finding) []Finding {
	secrets := slices.Clone(d.Secrets)
	if d.Config != nil {
		secrets = append(secrets, d.Config.Secrets()...)
	}
	// The longest first: one secret may be a part of another.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var words []*regexp.Regexp
	for _, w := range slices.Compact(secrets) {
		if len(w) >= shortest {
			words = append(words, anyForm(w))
		}
	}
	clean := func(s string) string {
		s = inAddress.ReplaceAllString(s, "${1}"+masked+"@")
		s = inQuery.ReplaceAllString(s, "${1}"+masked)
		s = inToken.ReplaceAllString(s, "${1}"+masked)
		for _, w := range words {
			s = w.ReplaceAllString(s, masked)
		}
		return s
	}
	for i, f := range found {
		found[i].What, found[i].Why, found[i].Fix = clean(f.What), clean(f.Why), clean(f.Fix)
	}
	return found
}

// anyForm finds a secret as it is, and with any of its characters escaped as in a URL.
func anyForm(secret string) *regexp.Regexp {
	var b strings.Builder
	for _, r := range secret {
		fmt.Fprintf(&b, "(?:%s|(?i:", regexp.QuoteMeta(string(r)))
		for _, c := range []byte(string(r)) {
			fmt.Fprintf(&b, "%%%02x", c)
		}
		b.WriteString("))")
	}
	return regexp.MustCompile(b.String()) // quoted, so it always compiles
}
