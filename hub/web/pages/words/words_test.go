package words

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func TestWordsForTimes(t *testing.T) {
	got := map[string]string{}
	for d, want := range map[time.Duration]string{3 * time.Second: "just now", 59 * time.Second: "59 s ago", 90 * time.Second: "1 min ago", 3 * time.Hour: "3 h ago", 72 * time.Hour: "3 days ago"} {
		if Ago(d) != want {
			got[want] = Ago(d)
		}
	}
	for d, want := range map[time.Duration]string{0: "0.00 ms", 1900 * time.Microsecond: "1.9 ms", 41 * time.Millisecond: "41 ms", 3 * time.Second: "3.0 s", 90 * time.Second: "1m30s", -1: "0 ms"} {
		if Short(d) != want {
			got[want] = Short(d)
		}
	}
	for d, want := range map[time.Duration]string{5 * time.Second: "5 s", 11 * time.Minute: "11 min", 3 * time.Hour: "3 h"} {
		if Rough(d) != want {
			got[want] = Rough(d)
		}
	}
	for want, have := range maps.All(got) {
		t.Errorf("%q, want %q", have, want)
	}
}

func TestAReasonNeedsNoAddress(t *testing.T) {
	for reason, want := range map[string]string{
		"rtsp rtsp://192.0.2.1/a: dial: no route to host":  "dial: no route to host",
		"rtsp rtsps://192.0.2.1/a: dial: no route to host": "dial: no route to host",
		"the camera did not answer for 10 s":               "the camera did not answer for 10 s",
		"http http://cam/x.jpg: 404 Not Found":             "404 Not Found",
		"rtsp://192.0.2.1:554/a: the camera refuses":       "the camera refuses",
		"rtsps://[2001:db8::1]/a: the camera refuses":      "the camera refuses",
		"it wrote: \"rtsp://\" and no more":                "it wrote: \"rtsp://\" and no more",
		"":                                                 "",
	} {
		if got := Bare(reason); got != want {
			t.Errorf("%q: %q, want %q", reason, got, want)
		}
	}
}

// What came before the pictures stopped is not told as if it came now.
func TestNoFiguresOfAStreamThatStandsStill(t *testing.T) {
	s := api.Source{State: "live", Codec: "h264", FPS: 10, BitrateKbps: 59}
	if FPS(s) != "10.0" || Bitrate(s) != "59 kb/s" {
		t.Errorf("live: %q, %q", FPS(s), Bitrate(s))
	}
	for _, state := range []string{"locked", "waiting", "connecting", "off", ""} {
		s.State = state
		if FPS(s) != "" || Bitrate(s) != "" {
			t.Errorf("%s: %q, %q", state, FPS(s), Bitrate(s))
		}
		for _, f := range Facts(s) {
			if f.Name == "Bitrate" || f.Name == "Pictures a second" {
				t.Errorf("%s: %v", state, f)
			}
		}
	}
}

// What is not known is never shown as well.
func TestAToneForEachState(t *testing.T) {
	for _, c := range []struct {
		source     api.Source
		tone, word string
	}{
		{api.Source{}, "grey", "Unknown"},
		{api.Source{State: "something new"}, "grey", "Unknown"},
		{api.Source{State: "live"}, "ok", "Live"},
		{api.Source{State: "live", LastFrameMS: 12_000}, "warn", "No picture for 12 s"},
		{api.Source{State: "pushed"}, "grey", "Sent by its plugin"},
		{api.Source{State: "pushed", Codec: "h264", LastFrameMS: 40}, "ok", "Live"},
		{api.Source{State: "pushed", Codec: "h264", LastFrameMS: 40_000}, "grey", "Sent by its plugin"},
		{api.Source{State: "connecting"}, "busy", "Connecting"},
		{api.Source{State: "waiting"}, "bad", "No connection"},
		{api.Source{State: "locked"}, "bad", "Password refused"},
		{api.Source{State: "off"}, "grey", "Resting"},
	} {
		if tone, word := State(c.source); tone != c.tone || word != c.word {
			t.Errorf("%+v: %s %q, want %s %q", c.source, tone, word, c.tone, c.word)
		}
	}
}

func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	for _, f := range Facts(api.Source{State: "connecting"}) {
		if f.Value == "" || f.Name != "Reconnects" {
			t.Errorf("%s %q", f.Name, f.Value)
		}
	}
	if n := len(Advice(api.Source{Codec: "h264", GOPMS: 2000})); n != 0 {
		t.Errorf("%d pieces of advice on a good stream", n)
	}
	if all := strings.Join(Advice(api.Source{Codec: "h265", GOPMS: 60_000, NoPrebuffer: true}), " "); !strings.Contains(all, "H.264") || !strings.Contains(all, "1m0s") || !strings.Contains(all, "before a ring") {
		t.Error(all)
	}
}

// A reader that asks for a stream does not make one.
func TestAStreamThatNobodyToldOf(t *testing.T) {
	asked := api.Source{Stream: "sub", State: "waiting", Reason: "nobody is there", GOPMS: 2000}
	c := api.Camera{Sources: []api.Source{{Stream: "main", State: "live"}, asked}}
	if _, ill := Sick(c); ill || HasSub(c) {
		t.Error("it counts as a sub stream")
	}
	c.Sources[1].Pull = "on_demand"
	if s, ill := Sick(c); !ill || s.Stream != "sub" || !HasSub(c) {
		t.Error("one that is pulled does not count")
	}
}

func TestTheFormOfAPicture(t *testing.T) {
	for _, c := range []struct {
		w, h, rotate int
		want         string
	}{{0, 0, 0, "16-9"}, {0, 0, 270, "9-16"}, {1280, 720, 0, "16-9"}, {1280, 720, 180, "16-9"}, {640, 480, 0, "4-3"}, {640, 480, 90, "3-4"}, {512, 512, 0, "1-1"}, {3632, 1632, 0, "16-9"}, {3840, 1080, 0, "32-9"}, {1080, 1920, 0, "9-16"}} {
		if got := Shape(api.Camera{Rotate: c.rotate, Sources: []api.Source{{Width: c.w, Height: c.h}}}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

func TestASentenceBeginsWithWhatItBegan(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "A.", "über uns": "Über uns.", "“Porch” is there": "“Porch” is there.", "1 thing!": "1 thing!"} {
		if got := Sentence(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestWhatABridgeMay(t *testing.T) {
	got := strings.Join(Grants(manifest.Permissions{
		Subscribe: []string{"camera.*.ring", "camera.*.vehicle", "system.quiet", "system.cameras"}, Publish: []string{"plugin.*.hop"},
		Commands: []string{"chime.quiet", "device.act", "device.describe"},
	}), " ")
	want := "It has no network. It tells of what became of a ring. It is told of rings, vehicles, quiet times and which cameras there are. It may switch what devices have: modes, lights, and the doors that they open. It may keep chimes quiet."
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
