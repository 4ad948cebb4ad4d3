//go:build cgo && speaker

package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/speaker/decode"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// pulse is a sound server of the test's own, whose only loudspeaker is a recorder.
type pulse struct {
	dir, server string
	cmd         *exec.Cmd
}

func newPulse(t *testing.T) *pulse {
	t.Helper()
	for _, tool := range []string{"pulseaudio", "parec"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatalf("%s is not installed: apt-get install pulseaudio pulseaudio-utils libasound2-plugins", tool)
			}
			t.Skipf("LOUDLY: %s is not installed (apt-get install pulseaudio pulseaudio-utils libasound2-plugins), the sound is not measured", tool)
		}
	}
	dir, err := os.MkdirTemp("", "pls") // short: a socket's path is limited
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &pulse{dir: dir, server: filepath.Join(dir, "native")}
	p.start(t)
	t.Cleanup(p.stop)
	return p
}

func (p *pulse) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.Command("pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n", "--system=false", "--use-pid-file=no",
		"-L", "module-native-protocol-unix auth-anonymous=1 socket="+p.server,
		"-L", "module-null-sink sink_name=porch rate=48000 channels=2")
	p.cmd.Env = p.env()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	until(t, ctx, "the sound server answers", func() bool {
		c, err := net.Dial("unix", p.server)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
}

func (p *pulse) stop() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = os.Remove(p.server)
	p.cmd = nil
}

func (p *pulse) env() []string {
	return append(os.Environ(), "HOME="+p.dir, "XDG_RUNTIME_DIR="+p.dir, "PULSE_SERVER=unix:"+p.server)
}

func (p *pulse) plugged() string { return strings.Join(seenSockets(p.server), "\n") }

// recording is what the loudspeaker got, one channel.
type recording struct {
	mu  sync.Mutex
	pcm []float32
}

func (p *pulse) record(t *testing.T, ctx context.Context) *recording {
	t.Helper()
	cmd := exec.Command("parec", "--device=porch.monitor", "--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=20", "--raw")
	cmd.Env = p.env()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &recording{}
	var wg sync.WaitGroup
	wg.Go(func() {
		buf := make([]byte, 1920)
		for {
			n, err := io.ReadFull(out, buf)
			r.mu.Lock()
			for i := 0; i+1 < n; i += 2 {
				r.pcm = append(r.pcm, float32(int16(binary.LittleEndian.Uint16(buf[i:])))/32768)
			}
			r.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		wg.Wait()
		_ = cmd.Wait()
	})
	until(t, ctx, "the recorder runs", func() bool { return len(r.all()) > 0 })
	return r
}

func (r *recording) all() []float32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pcm
}

// span is from the first to the last sample that is heard.
func (r *recording) span() (from, to int) {
	pcm := r.all()
	from = -1
	for i, v := range pcm {
		if math.Abs(float64(v)) > 0.003 {
			if from < 0 {
				from = i
			}
			to = i
		}
	}
	return from, to
}

// silentFor tells whether something was heard, and then nothing for so long.
func (r *recording) silentFor(d time.Duration) bool {
	from, to := r.span()
	return from >= 0 && len(r.all())-to > int(d.Seconds()*decode.Rate)
}

// withoutGaps takes out what a sound server puts in when the machine was too busy to
// feed it in time: more than 2 ms of nothing at all.
func withoutGaps(pcm []float32) (out []float32, gaps int) {
	for i := 0; i < len(pcm); {
		j := i
		for j < len(pcm) && pcm[j] == 0 {
			j++
		}
		if j-i > decode.Rate/500 {
			gaps++
		} else {
			j = max(j, i+1)
			out = append(out, pcm[i:j]...)
		}
		i = j
	}
	return out, gaps
}

// tone is the amplitude of a pitch (Goertzel's algorithm).
func tone(pcm []float32, hz float64) float64 {
	w := 2 * math.Pi * hz / decode.Rate
	var s1, s2 float64
	for _, v := range pcm {
		s1, s2 = float64(v)+2*math.Cos(w)*s1-s2, s1
	}
	return 2 * math.Sqrt(max(0, s1*s1+s2*s2-2*math.Cos(w)*s1*s2)) / float64(len(pcm))
}

// strongest finds the pitch that is strongest between two.
func strongest(pcm []float32, from, to float64) (best float64) {
	loudest := 0.0
	for hz := from; hz <= to; hz++ {
		if a := tone(pcm, hz); a > loudest {
			loudest, best = a, hz
		}
	}
	return best
}

const (
	ding = 659.255
	dong = 523.251
)

func loud(t *testing.T, p *pulse) (*plugintest.Hub, context.Context) {
	t.Helper()
	s := newSpeaker(sinkAs("oto", "HOME="+p.dir, "XDG_RUNTIME_DIR="+p.dir, "PULSE_SERVER=unix:"+p.server), p.plugged)
	h, ctx := start(t, s, plugintest.Options{Devices: []sdk.Device{{ID: "hallway", JSON: json.RawMessage(`{"volume": 100}`)}}})
	opened(t, ctx, h)
	return h, ctx
}

func TestTheChimeHasItsPitchAndLength(t *testing.T) {
	p := newPulse(t)
	h, ctx := loud(t, p)
	rec := p.record(t, ctx)
	r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	t.Logf("first sample after %s", r.Took)
	until(t, ctx, "it has sounded", func() bool { return rec.silentFor(500 * time.Millisecond) })
	from, to := rec.span()
	pcm, gaps := withoutGaps(rec.all()[from : to+1])
	if d := float64(len(pcm)) / decode.Rate; math.Abs(d-2.6) > 0.1 {
		t.Errorf("it lasted %.2f s, want 2.6", d)
	}
	t.Logf("%d gaps, as a busy machine makes them", gaps)
	if hz := strongest(pcm[decode.Rate/20:decode.Rate/2], 400, 800); math.Abs(hz-ding) > 3 {
		t.Errorf("first strike: %.0f Hz, want %.0f", hz, ding)
	}
	if hz := strongest(pcm[decode.Rate*8/10:decode.Rate*13/10], 400, 800); math.Abs(hz-dong) > 3 {
		t.Errorf("second strike: %.0f Hz, want %.0f", hz, dong)
	}
	peak := 0.0
	for _, v := range pcm {
		peak = max(peak, math.Abs(float64(v)))
	}
	if math.Abs(peak-0.85) > 0.05 {
		t.Errorf("loudest sample %.2f, want 0.85", peak)
	}
}

func TestTwoRingsNeverOverlap(t *testing.T) {
	p := newPulse(t)
	h, ctx := loud(t, p)
	rec := p.record(t, ctx)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false); err != nil || !r.Played {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	until(t, ctx, "both have sounded", func() bool { return rec.silentFor(500 * time.Millisecond) })
	from, to := rec.span()
	pcm, _ := withoutGaps(rec.all()[from : to+1])
	if d := float64(len(pcm)) / decode.Rate; math.Abs(d-5.2) > 0.2 {
		t.Errorf("both lasted %.2f s, want twice 2.6", d)
	}
	// Strikes of the first bell: where its pitch rises from nothing.
	var strikes []float64
	const step = decode.Rate / 50
	silent := true
	for i := 0; i+2*step < len(pcm); i += step {
		switch a := tone(pcm[i:i+2*step], ding); {
		case silent && a > 0.25:
			silent = false
			strikes = append(strikes, float64(i)/decode.Rate)
		case a < 0.04:
			silent = true
		}
	}
	if len(strikes) != 2 || strikes[1]-strikes[0] < 2.5 {
		t.Errorf("the first bell is struck at %v s, want twice, 2.6 s apart", strikes)
	}
}

func TestASoundServerThatComesBackIsFound(t *testing.T) {
	p := newPulse(t)
	h, ctx := loud(t, p)
	p.stop()
	until(t, ctx, "its absence is noticed", func() bool {
		parts, err := h.Health(ctx)
		return err == nil && parts[0].State == sdk.PartDegraded
	})
	r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || r.Played || !strings.Contains(r.Reason, "no sound device") {
		t.Errorf("without a server: %+v, %v", r, err)
	}
	p.start(t)
	opened(t, ctx, h)
	rec := p.record(t, ctx)
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway", Sound: "knock"}, false); err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	until(t, ctx, "it is heard", func() bool { from, _ := rec.span(); return from >= 0 })
}

func TestStopSilencesAtOnce(t *testing.T) {
	p := newPulse(t)
	h, ctx := loud(t, p)
	rec := p.record(t, ctx)
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway", Sound: "gong", Repeat: 2}, false); err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	until(t, ctx, "it is heard", func() bool { from, to := rec.span(); return from >= 0 && to-from > decode.Rate/5 })
	if err := h.StopPlaying(ctx, "hallway"); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "it is silent", func() bool { return rec.silentFor(500 * time.Millisecond) })
	if from, to := rec.span(); to-from > decode.Rate*3 {
		t.Errorf("it went on for %.1f s", float64(to-from)/decode.Rate)
	}
}
