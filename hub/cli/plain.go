package cli

import (
	"io"
	"strings"
	"unicode"
)

// plain writes what cannot command a terminal: names, reasons and log lines come from
// plugins and cameras.
type plain struct{ w io.Writer }

func (p plain) Write(b []byte) (int, error) {
	clean := strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) {
			return unicode.ReplacementChar
		}
		return r
	}, string(b))
	if _, err := io.WriteString(p.w, clean); err != nil {
		return 0, err
	}
	return len(b), nil
}
