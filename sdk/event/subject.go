package event

import (
	"fmt"
	"strings"
)

// CheckSubject tells what is wrong with a subject: dotted tokens of
// [a-z0-9_-]{1,64}, two to six of them.
func CheckSubject(s string) error {
	n := 0
	for tok := range strings.SplitSeq(s, ".") {
		if err := checkToken(tok); err != nil {
			return fmt.Errorf("subject %.80q: %w", s, err)
		}
		n++
	}
	if n < 2 || n > 6 {
		return fmt.Errorf("subject %.80q: has %d tokens, want 2 to 6", s, n)
	}
	return nil
}

func checkToken(tok string) error {
	if len(tok) == 0 || len(tok) > 64 {
		return fmt.Errorf("token %.80q: want 1 to 64 characters", tok)
	}
	for i := range len(tok) {
		c := tok[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return fmt.Errorf("token %.80q: only a-z, 0-9, _ and - may stand in it", tok)
		}
	}
	return nil
}

// CheckFilter tells what is wrong with a filter: as a subject, where * stands
// for one token and a final ** for one or more.
func CheckFilter(f string) error {
	toks := strings.Split(f, ".")
	for i, tok := range toks {
		if tok == "*" || tok == "**" && i == len(toks)-1 {
			continue
		}
		if err := checkToken(tok); err != nil {
			return fmt.Errorf("filter %.80q: %w", f, err)
		}
	}
	if len(toks) > 6 {
		return fmt.Errorf("filter %.80q: has %d tokens, want at most 6", f, len(toks))
	}
	return nil
}

// Match tells whether the subject falls under the filter. It does not allocate.
func Match(filter, subject string) bool {
	for {
		f, frest, fmore := strings.Cut(filter, ".")
		if f == "**" && !fmore {
			return subject != ""
		}
		s, srest, smore := strings.Cut(subject, ".")
		if f != "*" && f != s || s == "" {
			return false
		}
		if fmore != smore {
			return false
		}
		if !fmore {
			return true
		}
		filter, subject = frest, srest
	}
}

// MatchAny tells whether one of the filters takes the subject.
func MatchAny(filters []string, subject string) bool {
	for _, f := range filters {
		if Match(f, subject) {
			return true
		}
	}
	return false
}
