package words

import (
	"encoding/json"
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Capital gives a text its capital.
func Capital(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return strings.ToUpper(string(first)) + s[size:]
}

// Sentence gives a text of a room its capital and its full stop.
func Sentence(s string) string {
	s = Capital(strings.TrimSpace(s))
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "!") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// Prose is a text of a room as HTML: what stands between backticks is code.
func Prose(s string) template.HTML {
	var b strings.Builder
	for i, piece := range strings.Split(s, "`") {
		switch {
		case i%2 == 1:
			b.WriteString("<code>" + template.HTMLEscapeString(piece) + "</code>")
		default:
			b.WriteString(template.HTMLEscapeString(piece))
		}
	}
	return template.HTML(b.String())
}

// Ago says how long something is past; static/js/dom.js has the same words.
func Ago(d time.Duration) string {
	switch s := int(d.Round(time.Second) / time.Second); {
	case s < 10:
		return "just now"
	case s < 60:
		return fmt.Sprintf("%d s ago", s)
	case s < 3600:
		return fmt.Sprintf("%d min ago", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%d h ago", s/3600)
	default:
		return fmt.Sprintf("%d days ago", s/86400)
	}
}

// Short gives a duration in the unit that reads best.
func Short(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	default:
		return d.Round(time.Second).String()
	}
}

// Rough gives a wait as people say it.
func Rough(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Round(time.Second)/time.Second))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute)/time.Minute))
	default:
		return fmt.Sprintf("%d h", int(d.Round(time.Hour)/time.Hour))
	}
}

// Day names a date as people do.
func Day(t, now time.Time) string {
	y, m, d := t.Date()
	midnight := time.Date(y, m, d, 0, 0, 0, 0, t.Location())
	ny, nm, nd := now.Date()
	today := time.Date(ny, nm, nd, 0, 0, 0, 0, now.Location())
	switch {
	case midnight.Equal(today):
		return "Today"
	case midnight.Equal(today.AddDate(0, 0, -1)):
		return "Yesterday"
	case t.Year() == now.Year():
		return t.Format("Monday, 2 January")
	default:
		return t.Format("Monday, 2 January 2006")
	}
}

// ByteSize in KB or MB.
func ByteSize(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d KB", (n+1023)/1024)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/(1<<20))
}

func Count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// Bare is a reason without the address that the page names anyway.
func Bare(reason string) string {
	rest := reason
	for _, scheme := range []string{"rtsp ", "http "} { // some name the way before the address
		rest = strings.TrimPrefix(rest, scheme)
	}
	address, cause, more := strings.Cut(rest, ": ")
	scheme, host, ok := strings.Cut(address, "://")
	if more && ok && host != "" && !strings.ContainsAny(scheme+host, " \"") {
		return cause
	}
	return reason
}

// JSON of something that the API tells, for a script of the page.
func JSON(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
