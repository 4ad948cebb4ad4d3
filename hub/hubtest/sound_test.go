//go:build cgo && speaker

package hubtest_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/plugintest/ear"
)

// The two bells of ding_dong, in Hz.
const (
	ding = 659.255
	dong = 523.251
)

// usual age limit of a ring.
const usual = 15 * time.Second

// loudHouse is a real hub with a doorbell, a chime on the loudspeaker, and a second
// chime that only notes what it is asked to sound.
type loudHouse struct {
	*hubtest.Hub
	t       *testing.T
	bin     string
	server  *ear.Server
	rec     *ear.Recording
	speaker string // folder of porchlight-speaker
	noter   string
	notes   string
}

const loudYAML = `version: 1
hub: {listen: "127.0.0.1:0", data_dir: ./data, plugin_path: [%q], webrtc: {port: 0}, rtsp: {port: 0}}
plugins:
  bell: {path: %q, permissions: {publish: []}, config: {notes: %q}}
cameras:
  porch: {name: Porch, kind: doorbell, plugin: demo, ring: {debounce: 0s, ignore_older_than: %s}}
chimes:
  hall: {plugin: speaker, sound: %q, volume: 100}
  attic: {plugin: bell}
`

func (h *loudHouse) yaml(sound string, oldest time.Duration) string {
	return fmt.Sprintf(loudYAML, h.speaker, h.noter, h.notes, oldest, sound)
}

// use lets the chime sound a file that beeps so long.
func (h *loudHouse) use(seconds int, oldest time.Duration) {
	h.t.Helper()
	wav := filepath.Join(h.Dir, fmt.Sprintf("beep%d.wav", seconds))
	if err := os.WriteFile(wav, beep(880, seconds), 0o600); err != nil {
		h.t.Fatal(err)
	}
	h.Save(h.yaml(wav, oldest))
	hubtest.Eventually(h.t, "the new sound is taken", func() bool {
		list, _, err := h.Client.Chimes(h.t.Context())
		return err == nil && len(list) == 2 && list[1].Sound == wav
	})
}

func newLoudHouse(t *testing.T) *loudHouse {
	t.Helper()
	h := &loudHouse{t: t, server: ear.Open(t), speaker: t.TempDir(), noter: hubtest.Build(t, "./hub/hubtest/testdata/noter")}
	cmd := exec.Command("go", "build", "-buildvcs=false", "-tags", "speaker", "-o", filepath.Join(h.speaker, "porchlight-speaker"), "./plugins/speaker")
	cmd.Dir, cmd.Env = hubtest.Root(), append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the speaker: %v\n%s", err, out)
	}
	h.bin = hubtest.Binary(t)
	dir := hubtest.Dir(t, "version: 1\n")
	h.notes = filepath.Join(dir, "notes")
	file := filepath.Join(dir, "porchlight.yaml")
	if err := os.WriteFile(file, []byte(h.yaml("ding_dong", usual)), 0o600); err != nil {
		t.Fatal(err)
	}
	hub := exec.Command(h.bin, "run", "--config", file)
	hub.Env = h.server.Env()
	h.Hub = hubtest.LaunchCommand(t, dir, hub)
	h.WaitReady()
	for _, name := range []string{"demo", "bell", "speaker"} {
		hubtest.Eventually(t, name+" is running", func() bool { return h.plugin(name).State == "running" })
	}
	h.rec = h.server.Record(t)
	return h
}

func (h *loudHouse) plugin(name string) api.Plugin {
	p, err := h.Client.Plugin(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// ring rings so often, as many fingers at once, and gives the events' ids.
func (h *loudHouse) ring(times int) []string {
	h.t.Helper()
	ids := make([]string, times)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() {
			var err error
			if ids[i], err = h.Client.Ring(h.t.Context(), "porch", false); err != nil {
				h.t.Error(err)
			}
		})
	}
	wg.Wait()
	if h.t.Failed() {
		h.t.FailNow()
	}
	return ids
}

// hop is what a chime did for a ring.
func (h *loudHouse) hop(id, chime string) (hop api.Hop) {
	h.t.Helper()
	hubtest.Eventually(h.t, "the trace tells of chime "+chime, func() bool {
		tr, err := h.Client.Trace(h.t.Context(), id)
		if err != nil {
			return false
		}
		for _, hop = range tr.Hops {
			if hop.Who == "chime "+chime {
				return true
			}
		}
		return false
	})
	return hop
}

// sound waits until what is heard since a place has ended, and gives it without gaps.
func (h *loudHouse) sound(place int) []float32 {
	h.t.Helper()
	hubtest.Eventually(h.t, "it has sounded", func() bool { return ear.Ended(h.rec.From(place), time.Second) })
	pcm, gaps := ear.WithoutGaps(ear.Sound(h.rec.From(place)))
	h.t.Logf("%.2f s of sound; %d gaps, as a busy machine makes them", ear.Seconds(pcm), gaps)
	return pcm
}

// sounded checks a hop of a chime that did.
func (h *loudHouse) sounded(hop api.Hop) {
	h.t.Helper()
	if hop.Outcome != "ok" || !strings.HasPrefix(hop.What, "sounded ") || hop.TookUS <= 0 || hop.TookUS > hop.SincePressUS {
		h.t.Errorf("hop %+v, want one that sounded, with a time that lies within the time since the press", hop)
	}
	h.t.Logf("%s %s: took %d ms, %d ms after the press", hop.Who, hop.What, hop.TookUS/1000, hop.SincePressUS/1000)
}

// silent checks that a ring is not heard, and why.
func (h *loudHouse) silent(outcome, why string) {
	h.t.Helper()
	place := h.rec.Len()
	hop := h.hop(h.ring(1)[0], "hall")
	if hop.Outcome != outcome || !strings.HasPrefix(hop.Detail, why) {
		h.t.Errorf("hop %+v, want it %s: %s", hop, outcome, why)
	}
	told := h.rec.Len()
	hubtest.Eventually(h.t, "half a second more is recorded", func() bool { return h.rec.Len() > told+ear.Rate/2 })
	if pcm := ear.Sound(h.rec.From(place)); pcm != nil {
		h.t.Errorf("%.2f s are heard", ear.Seconds(pcm))
	}
}

// TestTheHouseIsHeard records what the loudspeaker of a real hub gets.
func TestTheHouseIsHeard(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	h := newLoudHouse(t)
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	t.Log("two rings at once sound one after the other")
	ids := h.ring(2)
	for _, id := range ids {
		h.sounded(h.hop(id, "hall"))
	}
	pcm := h.sound(0)
	if d := ear.Seconds(pcm); math.Abs(d-5.2) > 0.2 {
		t.Errorf("both lasted %.2f s, want twice 2.6", d)
	}
	at := ear.Strikes(pcm, ding)
	if len(at) != 2 || at[1]-at[0] < 2.5 {
		t.Fatalf("the first bell is struck at %v s, want twice, 2.6 s apart", at)
	}
	for _, from := range at {
		one := pcm[int(from*ear.Rate):]
		if hz := ear.Pitch(one[ear.Rate/20:ear.Rate/2], 400, 800); math.Abs(hz-ding) > 3 {
			t.Errorf("first bell: %.0f Hz, want %.0f", hz, ding)
		}
		if hz := ear.Pitch(one[ear.Rate*8/10:ear.Rate*13/10], 400, 800); math.Abs(hz-dong) > 3 {
			t.Errorf("second bell: %.0f Hz, want %.0f", hz, dong)
		}
	}

	t.Log("a muted chime and the quiet hour are silent")
	check(h.Client.MuteChime(ctx, "hall", true))
	h.silent("skipped", "muted")
	check(h.Client.MuteChime(ctx, "hall", false))
	_, err := h.Client.SetQuiet(ctx, time.Hour)
	check(err)
	h.silent("skipped", "quiet until")
	check(h.Client.EndQuiet(ctx))

	t.Log("a file of the owner's sounds")
	h.use(1, usual)
	h.own()

	t.Log("without a sound server the house rings on, and says what is wrong")
	restarts := h.plugin("speaker").Restarts
	h.server.Kill()
	h.lost()

	t.Log("the sound server comes back, and nobody has to do anything")
	h.server.Start()
	hubtest.Eventually(t, "the speaker works again", func() bool { return h.plugin("speaker").State == "running" })
	h.rec = h.server.Record(t)
	h.own()
	if n := h.plugin("speaker").Restarts; n != restarts {
		t.Errorf("the speaker was started %d times anew for it", n-restarts)
	}

	t.Log("of a storm of rings each one's trace is true")
	h.storm(10)

	t.Log("a ring behind a sound that is longer than its age limit is given up, and says so")
	h.use(10, 4*time.Second)
	place := h.rec.Len()
	h.sounded(h.hop(h.ring(1)[0], "hall"))
	if hop := h.hop(h.ring(1)[0], "hall"); hop.Outcome != "failed" || hop.Detail != "it waited too long behind other sounds" {
		t.Errorf("hop %+v", hop)
	}
	if d := ear.Seconds(h.sound(place)); math.Abs(d-10) > 0.3 {
		t.Errorf("%.2f s are heard, want one sound of 10", d)
	}
}

// own rings once and hears the owner's file.
func (h *loudHouse) own() {
	h.t.Helper()
	place := h.rec.Len()
	h.sounded(h.hop(h.ring(1)[0], "hall"))
	pcm := h.sound(place)
	if hz, d := ear.Pitch(pcm[:min(len(pcm), ear.Rate/2)], 800, 960), ear.Seconds(pcm); math.Abs(hz-880) > 3 || math.Abs(d-1) > 0.1 {
		h.t.Errorf("%.0f Hz for %.2f s, want 880 for 1", hz, d)
	}
}

// lost looks at a house whose sound server is gone.
func (h *loudHouse) lost() {
	h.t.Helper()
	var p api.Plugin
	hubtest.Eventually(h.t, "the speaker is degraded", func() bool { p = h.plugin("speaker"); return p.State == "degraded" })
	if p.Code != "E-PLUGIN-HEALTH" || !strings.Contains(p.Reason, "sound device: ") || p.Fix == "" {
		h.t.Errorf("the speaker is %s: %s [%s], fix %q", p.State, p.Reason, p.Code, p.Fix)
	}
	ls := exec.Command(h.bin, "plugins", "ls", "--config", filepath.Join(h.Dir, "porchlight.yaml"))
	out, err := ls.CombinedOutput()
	if err != nil || !strings.Contains(string(out), p.Reason) || !strings.Contains(string(out), "to mend it: ") {
		h.t.Errorf("plugins ls: %v\n%s", err, out)
	}
	h.t.Logf("%s", out)
	id := h.ring(1)[0]
	if hop := h.hop(id, "hall"); hop.Outcome != "failed" || !strings.HasPrefix(hop.Detail, "no sound device: ") || hop.Fix == "" {
		h.t.Errorf("hop %+v, want one that failed for want of a device, with what mends it", hop)
	}
	if hop := h.hop(id, "attic"); hop.Outcome != "ok" {
		h.t.Errorf("the other chime: %+v", hop)
	}
	hubtest.Eventually(h.t, "the other chime rings", func() bool {
		b, err := os.ReadFile(h.notes)
		return err == nil && strings.Contains(string(b), "played "+id)
	})
}

// storm rings often at once: what sounds is heard, what does not is told.
func (h *loudHouse) storm(rings int) {
	h.t.Helper()
	place := h.rec.Len()
	n := 0
	for _, id := range h.ring(rings) {
		switch hop := h.hop(id, "hall"); {
		case hop.Outcome == "ok":
			n++
		case !strings.HasPrefix(hop.Detail, "queue full") && !strings.HasPrefix(hop.Detail, "it waited too long"):
			h.t.Errorf("hop %+v", hop)
		}
	}
	d := ear.Seconds(h.sound(place))
	h.t.Logf("%d of %d sounded", n, rings)
	if math.Abs(d-float64(n)) > 0.1*float64(n) {
		h.t.Errorf("%d sounds of 1 s lasted %.2f s", n, d)
	}
}

// beep is a WAV file: 16 bit, mono, so many seconds of one pitch.
func beep(hz float64, seconds int) []byte {
	n := ear.Rate * seconds
	b := append([]byte("RIFF"), binary.LittleEndian.AppendUint32(nil, uint32(36+2*n))...)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint32(b, ear.Rate)
	b = binary.LittleEndian.AppendUint32(b, 2*ear.Rate)
	b = append(b, "\x02\x00\x10\x00data"...)
	b = binary.LittleEndian.AppendUint32(b, uint32(2*n))
	for i := range n {
		b = binary.LittleEndian.AppendUint16(b, uint16(int16(16000*math.Sin(2*math.Pi*hz*float64(i)/ear.Rate))))
	}
	return b
}
