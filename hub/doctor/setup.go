package doctor

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/porchlight-hub/porchlight/config"
)

// sorted goes through a map by its keys.
func sorted[T any](m map[string]T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

func checkConfig(_ context.Context, d *Deps) []Finding {
	var out []Finding
	for _, p := range d.Problems {
		f := Finding{State: Warn, What: p.Message, Fix: p.Hint, Code: p.Code}
		if p.File != "" {
			f.What = config.Position{File: p.File, Line: p.Line, Column: p.Column}.String() + ": " + p.Message
		}
		if p.Suggestion != "" {
			f.Fix = fmt.Sprintf("did you mean %q?", p.Suggestion)
		}
		if p.Severity == config.Error {
			f.State = Fail
			f.Why = "until it is mended, the config that last worked stays in force"
		}
		out = append(out, f)
	}
	if errors, _ := config.Count(d.Problems); errors > 0 {
		return out
	}
	switch {
	case d.File == "":
		out = append(out, Finding{State: OK, What: "there is no porchlight.yaml: the demo is what runs", Fix: "porchlight init writes one"})
	case d.Config == nil:
		out = append(out, Finding{State: Fail, What: d.File + " cannot be used", Fix: "porchlight config validate tells why"})
	default:
		c := d.Config
		out = append(out, Finding{State: OK, What: fmt.Sprintf("%s is valid: %s, %s", d.File, plural(len(c.Cameras), "camera"), plural(len(c.Chimes), "chime"))})
	}
	if d.Config != nil && len(d.Config.Chimes) == 0 {
		out = append(out, Finding{State: Warn, What: "there is no chime", Why: "a ring makes no sound anywhere", Fix: "add chimes: {browser: {builtin: browser}}"})
	}
	return out
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
