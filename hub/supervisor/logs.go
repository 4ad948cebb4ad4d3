package supervisor

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
)

// logLines is how many lines of a plugin are kept.
const logLines = 500

// What is kept of the attributes of one line.
const (
	maxAttrs = 32
	attrName = 64  // bytes
	attrText = 512 // bytes
)

// LogLine is one line that a plugin wrote or that the hub wrote about it.
type LogLine struct {
	Time   time.Time         `json:"time"`
	Level  string            `json:"level"`  // debug, info, warn, error
	Origin string            `json:"origin"` // log, stderr, stdout, hub
	Text   string            `json:"text"`
	Attrs  map[string]string `json:"attrs,omitempty"`
}

// logbook keeps the last lines of one plugin over all its lives.
type logbook struct {
	mask func(string) string

	mu    sync.Mutex
	lines []LogLine // a ring once it is full
	next  int
}

func newLogbook(mask func(string) string) *logbook {
	if mask == nil {
		mask = func(s string) string { return s }
	}
	return &logbook{mask: mask}
}

// add keeps a line and returns it as it is kept: masked.
func (b *logbook) add(l LogLine) LogLine {
	l.Text = printable(b.mask(l.Text), runner.MaxLine)
	l.Attrs = b.attrs(l.Attrs)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.lines) < logLines {
		b.lines = append(b.lines, l)
		return l
	}
	b.lines[b.next] = l
	b.next = (b.next + 1) % logLines
	return l
}

// attrs keeps what is bounded of them, masked.
func (b *logbook) attrs(in map[string]string) map[string]string {
	if len(in) == 0 {
		return nil
	}
	out := make(map[string]string, min(len(in), maxAttrs))
	for _, k := range slices.Sorted(maps.Keys(in))[:min(len(in), maxAttrs)] {
		out[printable(k, attrName)] = printable(b.mask(in[k]), attrText)
	}
	return out
}

// last gives at most n lines, oldest first; n <= 0: all that are kept.
func (b *logbook) last(n int) []LogLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]LogLine, 0, len(b.lines))
	all = append(append(all, b.lines[b.next:]...), b.lines[:b.next]...)
	if n > 0 && n < len(all) {
		all = all[len(all)-n:]
	}
	return all
}
