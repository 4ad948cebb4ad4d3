package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/homekit"
)

func TestHomesAreTold(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := homekit.Status{
		Accessories: []homekit.Accessory{
			{Camera: "front_door", Name: "Front door", Kind: "doorbell", Port: 51826, Announced: "Front door (2)", Paired: true, Active: true,
				Controllers: []homekit.Controller{
					{ID: "C4B1F2A0-5E61", Admin: true, Connections: 1, Addresses: []string{"192.0.2.3"}, LastSeen: at},
					{ID: "7D1C5E20-0C1D", LastSeen: at.Add(-time.Hour), LastError: "it did not take an event within 5 s", LastErrorAt: at.Add(-time.Hour)},
				},
				Watching: []homekit.Watch{{Controller: "7D1C5E20-0C1D", Stream: "main", How: "converted: B-frames", Width: 640, Height: 360, FPS: 30, Kbps: 299.6, Talking: true}},
				LastRing: &homekit.Ring{At: at, Told: 1}, Choices: []string{"converted: B-frames"}},
			{Camera: "drive", Name: "Drive", Kind: "camera", Problem: &homekit.Problem{Code: "E-HOMEKIT-STORE", Message: "keypair does not parse", Fix: "put it back"}},
		},
		Interfaces: []homekit.Interface{{Name: "eth0", Addresses: []string{"192.0.2.1"}, Used: true}, {Name: "docker0", Why: "it belongs to containers"}},
	}
	var b bytes.Buffer
	printHomes(&b, s, time.UTC)
	want := `Front door (doorbell, port 51826, announced as "Front door (2)"): paired with 2 controllers
  C4B1F2A0-5E61, admin, connected from 192.0.2.3
  7D1C5E20-0C1D, last here 2026-11-24 11:00:00
    last error: it did not take an event within 5 s, 2026-11-24 11:00:00
  watched by 7D1C5E20: main 640 x 360, 30 fps, 300 kb/s, converted: B-frames, talking
  last ring 2026-11-24 12:00:00, told 1 controller
  picture: converted: B-frames
Drive (camera): not in Apple Home
  wrong: keypair does not parse [E-HOMEKIT-STORE]
  to mend it: put it back
announced on eth0 (192.0.2.1)
not announced on docker0: it belongs to containers
`
	if b.String() != want {
		t.Errorf("told\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	printHomes(&b, homekit.Status{}, time.UTC)
	if !strings.HasPrefix(b.String(), "no accessories") {
		t.Errorf("%q", b.String())
	}
}

// A code is drawn by blocks alone where no terminal takes colours, and through plain,
// which would take the colours out.
func TestCodesAreDrawn(t *testing.T) {
	var b bytes.Buffer
	printCodes(plain{&b}, []homekit.Code{{Camera: "front_door", Name: "Front \x1bdoor", Kind: "doorbell", Paired: true, Code: "314-15-926", URI: "X-HM://00HVRPEPUPRCH"}})
	text := b.String()
	if strings.ContainsRune(text, '\x1b') || strings.Contains(text, "X-HM") {
		t.Errorf("%q", text)
	}
	for _, want := range []string{"(doorbell), in a home already", "\n314-15-926\n", "█", "Add Accessory"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
	}
	drawn := 0
	for line := range strings.Lines(text) {
		if strings.Trim(line, "█▀▄ \n") == "" && line != "\n" {
			drawn++
			if n := len([]rune(line)); n != 26 { // version 1 has 21 modules, and 2 on each side
				t.Errorf("%d wide: %q", n, line)
			}
		}
	}
	if drawn != 13 {
		t.Errorf("%d lines, want 13", drawn)
	}
	b.Reset()
	printCodes(&b, nil)
	if !strings.HasPrefix(b.String(), "no accessories") {
		t.Errorf("%q", b.String())
	}
}
