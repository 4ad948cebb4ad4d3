package launch

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
)

// line is the hub's end of the socket, with an answer prepared.
type line struct {
	bytes.Buffer
	answer io.Reader
	closed bool
}

func (l *line) Read(p []byte) (int, error) { return l.answer.Read(p) }
func (l *line) CloseWrite() error          { l.closed = true; return nil }

func TestHand(t *testing.T) {
	for _, c := range []struct{ answer, layer string }{
		{"", ""}, // the end without a word: it became the plugin
		{`{"layer":"limits","cause":"files 256: operation not permitted","errno":1}`, "limits"},
		{"Segmentation fault", "answer"},
		{"{}", "answer"},
	} {
		l := &line{answer: strings.NewReader(c.answer)}
		err := Hand(l, Policy{Args: []string{"x"}})
		var e *Error
		if (c.layer == "") != (err == nil) || err != nil && (!errors.As(err, &e) || e.Layer != c.layer) {
			t.Errorf("answer %q: %v", c.answer, err)
		}
		if c.layer == "limits" && !errors.Is(err, syscall.EPERM) {
			t.Errorf("the kernel's answer is lost: %v", err)
		}
		if p, err := take(&l.Buffer); err != nil || p.Args[0] != "x" || !l.closed {
			t.Errorf("policy %v, %v", p, err)
		}
	}
}

func FuzzTake(f *testing.F) {
	f.Add([]byte(`{"args":["x"],"env":["A=b"],"limits":{"files":256}}`))
	f.Add([]byte(`{"args":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := take(bytes.NewReader(raw)); err == nil && len(p.Args) == 0 {
			t.Fatal("a policy without a program")
		}
	})
}
