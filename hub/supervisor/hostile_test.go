package supervisor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// still is a clock that does not go on.
type still struct{ at time.Time }

func (s still) Now() time.Time { return s.at }
func (s still) After(time.Duration) (<-chan time.Time, func()) {
	return nil, func() {}
}

// What a plugin logs by the Link is bounded as its stdout is: in lines, in bytes, in signs.
func TestFloodOfLogMessages(t *testing.T) {
	g := newGuest()
	s := &Supervisor{o: Options{Host: g, Clock: still{time.Unix(1, 0)}, Mask: func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }}}
	i := newInstance(s, Spec{Name: "gate"})
	l := &life{i: i, lines: runner.NewLimiter(s.o.Clock.Now)}
	attrs := map[string]string{}
	for n := range 200 {
		attrs[fmt.Sprintf("key\x1b[2J%d%s", n, strings.Repeat("k", 100))] = strings.Repeat("hunter2", 1000)
	}
	for range 10 * runner.LinesPerSecond {
		l.logged(&pb.Log{Level: "LOUD", Message: "\x1b[2J\x1b]0;owned\x07\n12:00:00 error forged \u202egpj\u0085" + strings.Repeat("ä hunter2 ", 2_000), Attrs: maps.Clone(attrs)})
	}
	if got := l.lines.Dropped(); got != 9*runner.LinesPerSecond {
		t.Errorf("%d lines were dropped", got)
	}
	all := i.book.last(0)
	if len(all) != runner.LinesPerSecond {
		t.Errorf("%d lines are kept", len(all))
	}
	for _, line := range all[:1] {
		if len(line.Text) > runner.MaxLine+20 || len(line.Attrs) > maxAttrs || line.Level != "info" {
			t.Errorf("a line of %d bytes and %d attributes, level %s", len(line.Text), len(line.Attrs), line.Level)
		}
		for _, text := range append(slices.Concat(slices.Collect(maps.Keys(line.Attrs)), slices.Collect(maps.Values(line.Attrs))), line.Text) {
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }) {
				t.Errorf("signs that a terminal obeys: %.60q", text)
			}
			if strings.Contains(text, "hunter2") || !utf8.ValidString(text) || len(text) > runner.MaxLine+20 {
				t.Errorf("kept: %.60q", text)
			}
		}
	}
}

func TestWordsOfAPluginInItsStatus(t *testing.T) {
	st := Status{Reason: "401 for admin:hunter2\x1b[31m" + strings.Repeat("x", 1<<20), Title: "a\nb", Parts: make([]Part, 5000), Missing: make([]string, 5000), Actions: make([]Action, 5000)}
	st.Parts[0].Fix = "write hunter2"
	mask := func(s string) string { return strings.ReplaceAll(s, "hunter2", "***") }
	st.tidy(mask)
	first := st.Reason
	st.tidy(mask) // at each change of the status
	if st.Reason != first || len(st.Reason) > saidMost+20 || strings.Contains(st.Reason, "hunter2") || strings.Contains(st.Reason, "\x1b") {
		t.Errorf("reason %.80q of %d bytes", st.Reason, len(st.Reason))
	}
	if st.Title != "a b" || st.Parts[0].Fix != "write ***" {
		t.Errorf("%q %q", st.Title, st.Parts[0].Fix)
	}
	if len(st.Parts) != maxParts || len(st.Missing) != maxParts || len(st.Actions) != maxParts {
		t.Errorf("%d parts, %d missing, %d actions", len(st.Parts), len(st.Missing), len(st.Actions))
	}
}
