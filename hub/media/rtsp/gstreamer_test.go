package rtsp_test

import (
	"context"
	"io"
	"math"
	"path/filepath"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/media/sound"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// tone says 1 kHz for seconds in the form of to.
func tone(t *testing.T, to av.Track, seconds int) func(context.Context) (*av.Unit, error) {
	t.Helper()
	tr, err := sound.New(av.PCMTrack(to.ID, av.L16, 16000, 1), av.AudioRendition{Codec: to.Codec, SampleRate: to.SampleRate})
	if err != nil {
		t.Fatal(err)
	}
	var ready []*av.Unit
	at := 0
	return func(context.Context) (*av.Unit, error) {
		for len(ready) == 0 {
			if at >= seconds*16000 {
				return nil, io.EOF
			}
			var data []byte
			for i := range 320 {
				v := int16(12000 * math.Sin(2*math.Pi*1000*float64(at+i)/16000))
				data = append(data, byte(uint16(v)>>8), byte(v))
			}
			if ready, err = tr.Convert(&av.Unit{Track: to.ID, PTS: int64(at), DTS: int64(at), Data: data}); err != nil {
				return nil, err
			}
			at += 320
		}
		u := ready[0]
		ready = ready[1:]
		return u, nil
	}
}

// A back channel of other hands hears the tone that was said, in each codec that it may
// take, by TCP and by UDP.
func TestSpeakToGStreamer(t *testing.T) {
	dir := t.TempDir()
	streams := map[string]hubtest.CameraStream{}
	codecs := map[string]av.Codec{"pcmu": av.PCMU, "pcma": av.PCMA, "opus": av.Opus, "l16": av.L16}
	for name := range codecs {
		for _, transport := range []string{"tcp", "udp"} {
			streams["/"+name+transport] = hubtest.CameraStream{Sound: "pcmu", Talk: name, Heard: filepath.Join(dir, name+transport)}
		}
	}
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "viewer", Password: "p@:/#", Digest: true, Streams: streams})
	for name, codec := range codecs {
		for _, transport := range []string{"tcp", "udp"} {
			t.Run(name+" "+transport, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				target := rtsp.Target{URL: "rtsp://" + cam.Address() + "/" + name + transport, Username: "viewer", Password: "p@:/#", Transport: transport}
				report, err := rtsp.Look(ctx, target, rtsp.Options{Talk: true})
				if err != nil || len(report.Progress.Talk) != 1 || report.Progress.Talk[0].Codec != codec {
					t.Fatalf("it takes %+v, %v", report.Progress.Talk, err)
				}
				track := report.Progress.Talk[0]
				if err := rtsp.Speak(ctx, target, rtsp.Speech{Track: track, Next: tone(t, track, 2)}, rtsp.Options{}); err != nil {
					t.Fatal(err)
				}
				pcm := hubtest.Heard(t, filepath.Join(dir, name+transport))
				if hz, part := hubtest.Pitch(pcm, float64(track.ClockRate)); hz != 1000 || part < 0.9 || len(pcm) < int(track.ClockRate) {
					t.Errorf("%d samples of %.0f Hz, %.2f of all", len(pcm), hz, part)
				}
			})
		}
	}
}
