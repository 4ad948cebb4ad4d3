package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// sinkEnv makes the test binary a sink: oto is the real one, fake plays at once and
// silently, and ends every sound when its gate file appears; broken cannot open.
const sinkEnv = "SPEAKER_TEST_SINK"

func TestMain(m *testing.M) {
	switch mode, gate, _ := strings.Cut(os.Getenv(sinkEnv), ":"); mode {
	case "oto":
		os.Exit(runSink(os.Stdin, os.Stdout))
	case "fake":
		os.Exit(fakeSink(gate))
	case "broken":
		fmt.Println("error the card is on fire")
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// fakeSink speaks the sink's lines. A gate is a named pipe: each byte in it lets one
// sound end; a byte 'x' ends the sink instead. Without a gate sounds end at once.
func fakeSink(gate string) int {
	var g *os.File
	if gate != "" {
		var err error
		if g, err = os.OpenFile(gate, os.O_RDWR, 0); err != nil {
			fmt.Println("error", err)
			return 1
		}
	}
	fmt.Println("ready")
	r := bufio.NewReader(os.Stdin)
	for {
		o, err := readOrder(r)
		if err != nil {
			return 0
		}
		if o.op != opPlay {
			continue
		}
		fmt.Println("first", o.id)
		if g != nil {
			var b [1]byte
			if _, err := g.Read(b[:]); err != nil || b[0] == 'x' {
				return 3
			}
		}
		fmt.Println("done", o.id)
	}
}

func sinkAs(mode string, env ...string) func() (*exec.Cmd, error) {
	return func() (*exec.Cmd, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), append(env, sinkEnv+"="+mode)...)
		return cmd, nil
	}
}

func somethingPlugged() string { return "a card" }

// patience bounds every wait: far longer than anything takes, so that only what hangs fails.
const patience = 30 * time.Second

func start(t *testing.T, s *speaker, o plugintest.Options) (*plugintest.Hub, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return plugintest.Start(t, func() sdk.Plugin { return s }, o), ctx
}

// until waits for a condition.
func until(t *testing.T, ctx context.Context, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// opened waits until the device is open.
func opened(t *testing.T, ctx context.Context, h *plugintest.Hub) {
	t.Helper()
	until(t, ctx, "the device is open", func() bool {
		parts, err := h.Health(ctx)
		return err == nil && len(parts) > 0 && parts[0].State == sdk.PartOK && parts[0].Reason == ""
	})
}

func TestContract(t *testing.T) {
	plugintest.InProcess(t, func() sdk.Plugin { return newSpeaker(sinkAs("fake"), somethingPlugged) }, plugintest.Options{})
}

func TestContractWithoutACard(t *testing.T) {
	plugintest.InProcess(t, func() sdk.Plugin { return newSpeaker(sinkAs("broken"), func() string { return "" }) }, plugintest.Options{Events: 100})
}

func TestARingSoundsAndSaysHowSoon(t *testing.T) {
	s := newSpeaker(sinkAs("fake"), somethingPlugged)
	h, ctx := start(t, s, plugintest.Options{Devices: []sdk.Device{{ID: "hallway", JSON: json.RawMessage(`{"sound": "gong", "volume": 30}`)}}})
	opened(t, ctx, h)
	r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || !r.Played || r.Sound != "gong" || r.Took <= 0 {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway", Sound: "knock"}, false); err != nil || r.Sound != "knock" {
		t.Errorf("another sound: %+v, %v", r, err)
	}
	if _, err := h.Play(ctx, sdk.PlayRequest{Chime: "attic"}, false); err == nil {
		t.Error("a chime that is not there sounded")
	}
}

func TestWithoutACardTheReasonIsTold(t *testing.T) {
	s := newSpeaker(sinkAs("broken"), somethingPlugged)
	h, ctx := start(t, s, plugintest.Options{})
	until(t, ctx, "the device has failed", func() bool {
		parts, err := h.Health(ctx)
		return err == nil && len(parts) > 0 && strings.Contains(parts[0].Reason, "on fire") && parts[0].State == sdk.PartDegraded && parts[0].Fix != ""
	})
	r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || r.Played || !strings.Contains(r.Reason, "on fire") {
		t.Errorf("%+v, %v", r, err)
	}
	if m := newSpeaker(nil, func() string { return "" }).Missing(); len(m) != 1 || m[0].Fatal || m[0].Fix == "" {
		t.Errorf("missing: %+v", m)
	}
}

// TestACardThatComesIsFound changes what is plugged in, and waits for the sound.
func TestACardThatComesIsFound(t *testing.T) {
	var mu sync.Mutex
	mode, cards := "broken", ""
	s := newSpeaker(func() (*exec.Cmd, error) {
		mu.Lock()
		defer mu.Unlock()
		return sinkAs(mode)()
	}, func() string {
		mu.Lock()
		defer mu.Unlock()
		return cards
	})
	h, ctx := start(t, s, plugintest.Options{})
	until(t, ctx, "no card is found", func() bool {
		parts, err := h.Health(ctx)
		return err == nil && len(parts) > 0 && strings.Contains(parts[0].Reason, "no sound card")
	})
	mu.Lock()
	mode, cards = "fake", "pcm0p"
	mu.Unlock()
	opened(t, ctx, h)
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false); err != nil || !r.Played {
		t.Errorf("%+v, %v", r, err)
	}
}

// gated starts a speaker whose sounds last until let is called.
func gated(t *testing.T) (s *speaker, h *plugintest.Hub, ctx context.Context, let func(b byte)) {
	t.Helper()
	gate := filepath.Join(t.TempDir(), "gate")
	if err := mkfifo(gate); err != nil {
		t.Skipf("no named pipes here: %v", err)
	}
	g, err := os.OpenFile(gate, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	s = newSpeaker(sinkAs("fake:"+gate), somethingPlugged)
	h, ctx = start(t, s, plugintest.Options{Devices: []sdk.Device{{ID: "hallway"}, {ID: "attic"}}})
	opened(t, ctx, h)
	return s, h, ctx, func(b byte) {
		if _, err := g.Write([]byte{b}); err != nil {
			t.Error(err)
		}
	}
}

func waiting(s *speaker) int {
	_, n := s.queue.sounding()
	return n
}

func TestOneAfterTheOtherAndNotMoreThanEightWait(t *testing.T) {
	s, h, ctx, let := gated(t)
	first, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || !first.Played {
		t.Fatalf("%+v, %v", first, err)
	}
	results := make(chan sdk.PlayResult, maxWaiting) // one of each
	for range maxWaiting {
		go func() {
			r, err := h.Play(ctx, sdk.PlayRequest{Chime: "attic"}, false)
			if err != nil {
				r.Reason = err.Error()
			}
			results <- r
		}()
	}
	until(t, ctx, "eight wait", func() bool { return waiting(s) == maxWaiting })
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "attic"}, false); err != nil || r.Played || !strings.Contains(r.Reason, "queue full") {
		t.Errorf("the tenth: %+v, %v", r, err)
	}
	select {
	case r := <-results:
		t.Fatalf("a second sound began while the first was on: %+v", r)
	default:
	}
	for i := range maxWaiting {
		let('n')
		if r := <-results; !r.Played {
			t.Errorf("sound %d: %+v", i+2, r)
		}
	}
	let('n')
}

func TestStopTakesWhatWaits(t *testing.T) {
	s, h, ctx, let := gated(t)
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false); err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	got := make(chan sdk.PlayResult, 1) // the one
	go func() { r, _ := h.Play(ctx, sdk.PlayRequest{Chime: "attic"}, false); got <- r }()
	until(t, ctx, "one waits", func() bool { return waiting(s) == 1 })
	if err := h.StopPlaying(ctx, "attic"); err != nil {
		t.Fatal(err)
	}
	if r := <-got; r.Played || !strings.Contains(r.Reason, "stopped") {
		t.Errorf("%+v", r)
	}
	if sounding, _ := s.queue.sounding(); sounding != "hallway" {
		t.Errorf("sounding: %q, want hallway to go on", sounding)
	}
	let('n')
}

func TestASoundThatComesTooLateIsTakenOut(t *testing.T) {
	s, _, ctx, let := gated(t)
	if r, err := s.Play(ctx, sdk.PlayRequest{Chime: "hallway"}); err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	short, cancel := context.WithCancel(ctx)
	got := make(chan sdk.PlayResult, 1) // the one
	go func() { r, _ := s.Play(short, sdk.PlayRequest{Chime: "hallway"}); got <- r }()
	until(t, ctx, "it waits", func() bool { return waiting(s) == 1 })
	cancel()
	if r := <-got; r.Played || !strings.Contains(r.Reason, "waited too long") {
		t.Errorf("%+v", r)
	}
	if waiting(s) != 0 {
		t.Error("it still waits")
	}
	let('n')
}

func TestASinkThatDiesIsReplaced(t *testing.T) {
	_, h, ctx, let := gated(t)
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false); err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	let('x')
	until(t, ctx, "a sound is played by the next sink", func() bool {
		r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
		let('n')
		return err == nil && r.Played
	})
}

func TestABadFileIsReplacedAndNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.wav")
	devices := []sdk.Device{{ID: "hallway", JSON: json.RawMessage(fmt.Sprintf(`{"sound": %q}`, file))}}
	s := newSpeaker(sinkAs("fake"), somethingPlugged)
	problems := s.Check(t.Context(), sdk.Config{Devices: append(devices, sdk.Device{ID: "attic", JSON: json.RawMessage(`{"sound": "ding"}`)}, sdk.Device{ID: "shed", JSON: json.RawMessage(`{"volume": "loud"}`)})})
	if len(problems) != 3 || problems[0].Path != "devices/hallway/sound" || problems[0].Fix == "" || !strings.Contains(problems[1].Fix, "westminster") || problems[2].Path != "devices/shed" {
		t.Errorf("%+v", problems)
	}
	h, ctx := start(t, s, plugintest.Options{Devices: devices})
	opened(t, ctx, h)
	r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || !r.Played || r.Sound != defaultSound {
		t.Errorf("%+v, %v", r, err)
	}
	parts, err := h.Health(ctx)
	if err != nil || len(parts) != 2 || parts[1].Name != "chime hallway" || parts[1].State != sdk.PartDegraded {
		t.Errorf("%+v, %v", parts, err)
	}
}

func TestQueueKeepsWhatHadNotBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		a, _ := q.add("hallway", nil)
		b, _ := q.add("attic", nil)
		for range 2 { // a sink dies before the first sample: once it is tried again
			if j, err := q.next(t.Context()); err != nil || j != a {
				t.Fatal("the first is not first")
			}
			q.lost("gone")
		}
		<-a.started
		if a.reason != "gone" || !a.at.IsZero() {
			t.Errorf("a: %q", a.reason)
		}
		j, err := q.next(t.Context())
		if err != nil || j != b {
			t.Fatal("the second is not next")
		}
		q.first(b.id)
		q.lost("gone")
		if _, n := q.sounding(); n != 0 || b.reason != "" {
			t.Error("a sound that had begun is tried again")
		}
		q.close("no card")
		if _, why := q.add("hallway", nil); why != "no card" {
			t.Errorf("closed: %q", why)
		}
	})
}

func TestGain(t *testing.T) {
	n := func(v int) *int { return &v }
	for _, c := range []struct {
		request, chime *int
		want           float64
	}{{nil, nil, 0.49}, {nil, n(50), 0.25}, {n(100), n(50), 1}, {n(0), nil, 0}, {n(1000), nil, 1}, {n(-5), nil, 0}} {
		if got := gain(c.request, c.chime); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}

func TestOnlyAHandfulOfClipsIsKept(t *testing.T) {
	var c clips
	dir := t.TempDir()
	wav := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data\x04\x00\x00\x00\x01\x00\x02\x00")
	for i := range 2 * maxClips {
		f := filepath.Join(dir, fmt.Sprint(i, ".wav"))
		if err := os.WriteFile(f, wav, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.get(f); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.kept) != maxClips {
		t.Errorf("%d clips are kept, want %d", len(c.kept), maxClips)
	}
}

func TestBrokenOrdersAreRefused(t *testing.T) {
	for _, b := range []string{"", "\x01\x01", "\x01\x01\x00\x00\x00\x04\x00\x00\x00abc", "\x02\x00\x00\x00\x00\xff\xff\xff\xff"} {
		if _, err := readOrder(strings.NewReader(b)); err == nil {
			t.Errorf("%q was read as an order", b)
		}
	}
	var b strings.Builder
	want := order{op: opPlay, id: 7, pcm: []byte("abcd")}
	if err := want.write(&b); err != nil {
		t.Fatal(err)
	}
	if o, err := readOrder(strings.NewReader(b.String())); err != nil || o.id != 7 || string(o.pcm) != "abcd" {
		t.Errorf("%+v, %v", o, err)
	}
}
