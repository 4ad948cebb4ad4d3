package schema

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Nearest is the candidate that was probably meant: at most two edits away, or
// a third of the longer word's length.
func Nearest(word string, candidates []string) string {
	best, bestAt := "", 0
	for _, c := range slices.Sorted(slices.Values(candidates)) {
		d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(c))
		if d == 2 && swapped(strings.ToLower(word), strings.ToLower(c)) {
			d = 1 // one slip of two fingers
		}
		longer := max(utf8.RuneCountInString(word), utf8.RuneCountInString(c))
		if len(word) > 200 || d > 2 && d > longer/3 || d >= longer {
			continue
		}
		if best == "" || d < bestAt {
			best, bestAt = c, d
		}
	}
	return best
}

// swapped tells whether two neighbours changed places and nothing else differs.
func swapped(a, b string) bool {
	for i := range len(a) - 1 {
		if len(a) == len(b) && a[i] != b[i] {
			return a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		}
	}
	return false
}
