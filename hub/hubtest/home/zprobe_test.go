//go:build linux

package home

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

func TestZProbe(t *testing.T) {
	s := newLand(t)
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: "secret", Digest: true,
		Streams: map[string]hubtest.CameraStream{"/main": {Width: 1920, Height: 1080, FPS: 25, Key: 4, Kbps: 4000}}})
	s.start(hubtest.Dir(t, head+fmt.Sprintf("plugins:\n  homekit: {}\n  demo: {}\ncameras:\n  porch: {kind: doorbell, plugin: demo}\n  gate: {kind: doorbell, source: {url: \"rtsp://%s/main\", username: cam, password: secret}}\n", cam.Address())))
	for _, id := range []string{"porch", "gate"} {
		s.ready(id)
		p := s.phone("phone-" + id)
		s.pair(p, id)
		x := s.verified(p, id)
		for _, every := range []time.Duration{10500 * time.Millisecond, 3 * time.Second} {
			var took []time.Duration
			for range 9 {
				began := time.Now()
				if _, err := x.Resource(t.Context(), 1, 640, 360, 0); err != nil {
					t.Error(err)
				}
				took = append(took, time.Since(began))
				time.Sleep(every)
			}
			first := took[0]
			slices.Sort(took)
			t.Logf("%s every %s: first %s median %s max %s", id, every, first, took[len(took)/2], took[len(took)-1])
		}
	}
}
