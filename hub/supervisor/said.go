package supervisor

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// saidMost bounds a reason or a fix that a plugin names, in bytes.
	saidMost = 1000
	// maxParts of a plugin's health, its actions and what it lacks are shown.
	maxParts = 64
)

// printable makes one line of at most n bytes of what a plugin says. Terminals obey
// control characters, and signs that turn the direction of writing make a text look
// like another: neither passes.
func printable(s string, n int) string {
	const rest = " … (cut)"
	most := n + len(rest) // what was cut before stays as it is
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return utf8.RuneError
		}
		return r
	}, head(s, 2*most))
	if len(s) <= most {
		return s
	}
	return head(s, n) + rest
}

// head is at most n bytes of s, in whole characters.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// tidy cleans what of a status are a plugin's own words, and masks secrets in them.
func (st *Status) tidy(mask func(string) string) {
	say := func(s *string) { *s = printable(mask(*s), saidMost) }
	for _, s := range []*string{&st.Reason, &st.Fix, &st.Title, &st.Version, &st.ID} {
		say(s)
	}
	if len(st.Parts) > maxParts {
		st.Parts = st.Parts[:maxParts]
	}
	for i := range st.Parts {
		say(&st.Parts[i].Name)
		say(&st.Parts[i].Reason)
		say(&st.Parts[i].Fix)
	}
	if len(st.Missing) > maxParts {
		st.Missing = st.Missing[:maxParts]
	}
	for i := range st.Missing {
		say(&st.Missing[i])
	}
	if len(st.Actions) > maxParts {
		st.Actions = st.Actions[:maxParts]
	}
	for i := range st.Actions {
		say(&st.Actions[i].Title)
	}
}
