package event

import "strings"

// Intersect is the filter that takes exactly what both take; false where no
// subject falls under both.
func Intersect(a, b string) (string, bool) {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	var out []string
	for i := 0; ; i++ {
		switch {
		case i == len(x) && i == len(y):
			return strings.Join(out, "."), true
		case i == len(x) || i == len(y):
			return "", false
		case x[i] == "**" && i == len(x)-1:
			return strings.Join(append(out, y[i:]...), "."), true
		case y[i] == "**" && i == len(y)-1:
			return strings.Join(append(out, x[i:]...), "."), true
		case x[i] == "*":
			out = append(out, y[i])
		case y[i] == "*" || x[i] == y[i]:
			out = append(out, x[i])
		default:
			return "", false
		}
	}
}
