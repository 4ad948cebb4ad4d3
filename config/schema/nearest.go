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
