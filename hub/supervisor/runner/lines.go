package runner

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"time"
)

// What a plugin may write on stdout and stderr.
const (
	MaxLine        = 4 << 10 // bytes; the rest of a longer line is dropped
	LinesPerSecond = 200     // more are dropped and counted
	headBytes      = 800     // of stdout, kept to quote noise: 200 characters of at most 4 bytes
)

// Line is one line of stdout or stderr.
type Line struct {
	Origin string // stdout, stderr
	Text   string
	Cut    bool // it was longer than MaxLine
}

// splitter makes lines of bytes and gives each on, cut to MaxLine: a longer one as
// soon as it is so long, since its end may never come. It never holds more.
type splitter struct {
	each func(line []byte, cut bool)
	line []byte
	skip bool // the line was given on; its rest is dropped
}

func (s *splitter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		part, after, whole := bytes.Cut(rest, []byte{'\n'})
		rest = after
		if !s.skip {
			room := MaxLine - len(s.line)
			s.line = append(s.line, part[:min(len(part), room)]...)
			if len(part) > room {
				s.flush(true)
				s.skip = true
			}
		}
		if whole {
			if !s.skip {
				s.flush(false)
			}
			s.skip = false
		}
	}
	return len(p), nil
}

func (s *splitter) flush(cut bool) {
	s.each(s.line, cut)
	s.line = s.line[:0]
}

// pump reads r to its end, whatever is written there.
func pump(r io.Reader, each func(line []byte, cut bool)) {
	s := &splitter{each: each}
	chunk := make([]byte, 4<<10)
	for {
		n, err := r.Read(chunk)
		_, _ = s.Write(chunk[:n])
		if err != nil {
			if len(s.line) > 0 {
				s.flush(false)
			}
			return
		}
	}
}

// NewWriter gives what is written to it on in lines, under the same limits. It is
// for one goroutine.
func NewWriter(origin string, lines func(Line)) io.Writer {
	limit := NewLimiter(time.Now)
	return &splitter{each: func(line []byte, cut bool) {
		if len(line) > 0 && limit.Allow() {
			lines(lineOf(origin, line, cut))
		}
	}}
}

func lineOf(origin string, line []byte, cut bool) Line {
	return Line{Origin: origin, Text: strings.ToValidUTF8(strings.TrimRight(string(line), "\r"), "\uFFFD"), Cut: cut}
}

// Limiter lets LinesPerSecond lines of each second through.
type Limiter struct {
	now func() time.Time

	mu      sync.Mutex
	second  time.Time
	passed  int
	dropped uint64
}

// NewLimiter counts by that clock.
func NewLimiter(now func() time.Time) *Limiter { return &Limiter{now: now} }

// Allow counts a line.
func (l *Limiter) Allow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.second) >= time.Second {
		l.second, l.passed = now, 0
	}
	if l.passed >= LinesPerSecond {
		l.dropped++
		return false
	}
	l.passed++
	return true
}

// Dropped is how many lines did not pass.
func (l *Limiter) Dropped() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// head keeps the first bytes that pass through it.
type head struct {
	r io.Reader

	mu    sync.Mutex
	bytes []byte
}

func (h *head) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes = append(h.bytes, p[:min(n, headBytes-len(h.bytes))]...)
	return n, err
}

func (h *head) text() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.bytes)
}
