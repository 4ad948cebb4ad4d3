package runner

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

func TestPumpCutsLongLinesAndGoesOn(t *testing.T) {
	in := "one\n" + strings.Repeat("x", MaxLine+1000) + "\n\ntwo"
	var got []string
	pump(iotest.OneByteReader(strings.NewReader(in)), func(line []byte, cut bool) {
		got = append(got, fmt.Sprintf("%d %v", len(line), cut))
	})
	if want := "[3 false 4096 true 0 false 3 false]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

// TestLineWithoutEndIsGivenOn: a reader that waits for the end would wait for ever.
func TestLineWithoutEndIsGivenOn(t *testing.T) {
	lines := 0
	s := &splitter{each: func([]byte, bool) { lines++ }}
	for range 100 {
		if _, err := s.Write(bytes.Repeat([]byte("x"), MaxLine)); err != nil {
			t.Fatal(err)
		}
	}
	if lines != 1 || cap(s.line) > 2*MaxLine {
		t.Errorf("%d lines, %d bytes held", lines, cap(s.line))
	}
}

func TestLimiterCountsWhatItDrops(t *testing.T) {
	now := time.Unix(100, 0)
	l := NewLimiter(func() time.Time { return now })
	passed := 0
	for range 3 * LinesPerSecond {
		if l.Allow() {
			passed++
		}
	}
	if passed != LinesPerSecond || l.Dropped() != 2*LinesPerSecond {
		t.Errorf("%d passed, %d dropped", passed, l.Dropped())
	}
	now = now.Add(time.Second)
	if !l.Allow() {
		t.Error("the next second lets nothing through")
	}
}

// FuzzPump: whatever is written, lines are bounded, hold no line end, and nothing is
// given on twice.
func FuzzPump(f *testing.F) {
	f.Add([]byte("1|1|unix|/run/x|grpc|\nnoise\n"), 3)
	f.Add([]byte("\n\n\r\n\xff\xfe"), 1)
	f.Add(bytes.Repeat([]byte("long"), 4000), 4096)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		size = max(1, min(size, 64<<10))
		total := 0
		s := &splitter{each: func(line []byte, _ bool) {
			if len(line) > MaxLine || bytes.IndexByte(line, '\n') >= 0 {
				t.Fatalf("line of %d bytes: %.40q", len(line), line)
			}
			total += len(line)
		}}
		for rest := in; len(rest) > 0; {
			n := min(size, len(rest))
			_, _ = s.Write(rest[:n])
			rest = rest[n:]
		}
		if total+len(s.line) > len(in) {
			t.Fatalf("%d bytes out of %d", total+len(s.line), len(in))
		}
	})
}

// FuzzReadHandshake: a line that is read as a handshake is one.
func FuzzReadHandshake(f *testing.F) {
	f.Add("1|1|unix|/run/x|grpc|MIIB")
	f.Add("1|1")
	f.Add("Hello|a|b|c")
	f.Add("99999999999999999999|1|unix|x")
	f.Fuzz(func(t *testing.T, head string) {
		h, ok := ReadHandshake(head)
		if ok && !strings.Contains(head, "|") {
			t.Fatalf("%q gave %v", head, h)
		}
	})
}
