package instance

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// When stdin closes the hub is gone: the author's code is told, and the process ends.
func TestLifeline(t *testing.T) {
	told, code := make(chan struct{}), make(chan int, 1)
	in := newInstance(func(*Instance) Author { return Author{} }, io.Discard, func(c int) { code <- c })
	in.Begin(func() {
		<-in.Context().Done()
		close(told)
	})
	r, w := io.Pipe()
	go in.lifeline(r)
	w.Close()
	<-told
	if c := <-code; c != exitHubGone {
		t.Errorf("code %d", c)
	}
}

// A hub that lost its Link and does not come back is gone too.
func TestUnlinked(t *testing.T) {
	code := make(chan int, 1)
	in := newInstance(func(*Instance) Author { return Author{} }, io.Discard, func(c int) { code <- c })
	in.unlinked()
	if c := <-code; c != exitHubGone {
		t.Errorf("code %d", c)
	}
}

func TestLogWithoutLink(t *testing.T) {
	var b bytes.Buffer
	in := newInstance(func(*Instance) Author { return Author{} }, &b, func(int) {})
	in.log.Info("early", "n", 1)
	if !strings.Contains(b.String(), "early") || !strings.Contains(b.String(), "n=1") {
		t.Errorf("stderr: %s", b.String())
	}
}

func TestByHand(t *testing.T) {
	var b bytes.Buffer
	byHand(&b, "frontgate")
	for _, want := range []string{"plugin of Porchlight", "porchlight.yaml", "frontgate: {path:"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
}
