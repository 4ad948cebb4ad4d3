//go:build cgo && speaker

package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
	"github.com/porchlight-hub/porchlight/sdk/plugintest/ear"
)

const (
	ding = 659.255
	dong = 523.251
)

func loud(t *testing.T, server *ear.Server) (*plugintest.Hub, context.Context) {
	t.Helper()
	sink := func() (*exec.Cmd, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(server.Env(), sinkEnv+"=oto")
		return cmd, nil
	}
	s := newSpeaker(sink, func() string { return strings.Join(seenSockets(server.Socket), "\n") })
	h, ctx := start(t, s, plugintest.Options{Devices: []sdk.Device{{ID: "hallway", JSON: json.RawMessage(`{"volume": 100}`)}}})
	opened(t, ctx, h)
	return h, ctx
}

func TestTheChimeHasItsPitchAndLength(t *testing.T) {
	server := ear.Open(t)
	h, ctx := loud(t, server)
	rec := server.Record(t)
	r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	t.Logf("first sample after %s", r.Took)
	until(t, ctx, "it has sounded", func() bool { return ear.Ended(rec.From(0), 500*time.Millisecond) })
	pcm, gaps := ear.WithoutGaps(ear.Sound(rec.From(0)))
	if d := ear.Seconds(pcm); math.Abs(d-2.6) > 0.1 {
		t.Errorf("it lasted %.2f s, want 2.6", d)
	}
	t.Logf("%d gaps, as a busy machine makes them", gaps)
	if hz := ear.Pitch(pcm[ear.Rate/20:ear.Rate/2], 400, 800); math.Abs(hz-ding) > 3 {
		t.Errorf("first strike: %.0f Hz, want %.0f", hz, ding)
	}
	if hz := ear.Pitch(pcm[ear.Rate*8/10:ear.Rate*13/10], 400, 800); math.Abs(hz-dong) > 3 {
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
	server := ear.Open(t)
	h, ctx := loud(t, server)
	rec := server.Record(t)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false); err != nil || !r.Played {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	until(t, ctx, "both have sounded", func() bool { return ear.Ended(rec.From(0), 500*time.Millisecond) })
	pcm, _ := ear.WithoutGaps(ear.Sound(rec.From(0)))
	if d := ear.Seconds(pcm); math.Abs(d-5.2) > 0.2 {
		t.Errorf("both lasted %.2f s, want twice 2.6", d)
	}
	if at := ear.Strikes(pcm, ding); len(at) != 2 || at[1]-at[0] < 2.5 {
		t.Errorf("the first bell is struck at %v s, want twice, 2.6 s apart", at)
	}
}

func TestASoundServerThatComesBackIsFound(t *testing.T) {
	server := ear.Open(t)
	h, ctx := loud(t, server)
	server.Kill()
	until(t, ctx, "its absence is noticed", func() bool {
		parts, err := h.Health(ctx)
		return err == nil && parts[0].State == sdk.PartDegraded
	})
	r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway"}, false)
	if err != nil || r.Played || !strings.Contains(r.Reason, "no sound device") {
		t.Errorf("without a server: %+v, %v", r, err)
	}
	server.Start()
	opened(t, ctx, h)
	rec := server.Record(t)
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway", Sound: "knock"}, false); err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	until(t, ctx, "it is heard", func() bool { return ear.Sound(rec.From(0)) != nil })
}

func TestStopSilencesAtOnce(t *testing.T) {
	server := ear.Open(t)
	h, ctx := loud(t, server)
	rec := server.Record(t)
	if r, err := h.Play(ctx, sdk.PlayRequest{Chime: "hallway", Sound: "gong", Repeat: 2}, false); err != nil || !r.Played {
		t.Fatalf("%+v, %v", r, err)
	}
	until(t, ctx, "it is heard", func() bool { return ear.Seconds(ear.Sound(rec.From(0))) > 0.2 })
	if err := h.StopPlaying(ctx, "hallway"); err != nil {
		t.Fatal(err)
	}
	until(t, ctx, "it is silent", func() bool { return ear.Ended(rec.From(0), 500*time.Millisecond) })
	if d := ear.Seconds(ear.Sound(rec.From(0))); d > 3 {
		t.Errorf("it went on for %.1f s", d)
	}
}
