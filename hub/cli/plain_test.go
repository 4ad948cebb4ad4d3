package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/web/api"
)

func TestTerminalsAreNotCommanded(t *testing.T) {
	var b strings.Builder
	n, err := fmt.Fprintf(plain{&b}, "gate\t\x1b]0;owned\x07\x1b[2J\u009b31m \u202etxt.exe ä 日本\n")
	if err != nil || n != len("gate\t\x1b]0;owned\x07\x1b[2J\u009b31m \u202etxt.exe ä 日本\n") {
		t.Fatal(n, err)
	}
	if got := b.String(); got != "gate\t\ufffd]0;owned\ufffd\ufffd[2J\ufffd31m \ufffdtxt.exe ä 日本\n" {
		t.Errorf("%q", got)
	}
	b.Reset()
	explainError(&b, errors.New("plugin said \x1b[31mno"))
	if strings.Contains(b.String(), "\x1b") {
		t.Errorf("%q", b.String())
	}
}

func TestWhatStandsStillHasNoFigures(t *testing.T) {
	s := api.Source{State: "live", Codec: "h264", Width: 640, Height: 360, FPS: 10, BitrateKbps: 59, Sound: []string{"aac"}}
	if got := pictures(s); got != "live h264 640x360 10/s 59 kb/s + aac" {
		t.Errorf("%q", got)
	}
	s.State = "locked"
	if got := pictures(s); got != "locked h264 640x360 + aac" {
		t.Errorf("%q", got)
	}
}
