package hubtest_test

import (
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// TestReader counts a camera's own packets, of which none is missing on loopback.
func TestReader(t *testing.T) {
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: "secret", Digest: true,
		Streams: map[string]hubtest.CameraStream{"/main": {Sound: "pcmu", Width: 320, Height: 176, FPS: 15}}})
	if _, err := hubtest.OpenReader("rtsp://"+cam.Address()+"/main", false); err == nil {
		t.Error("it reads without a login")
	}
	for _, udp := range []bool{false, true} {
		r := hubtest.StartReader(t, "rtsp://cam:secret@"+cam.Address()+"/main", udp)
		hubtest.Eventually(t, "packets", func() bool { return r.Missing().Packets > 100 })
		if m := r.Missing(); m.Gaps != 0 || m.Tracks != 2 {
			t.Errorf("udp %v: %s", udp, m)
		}
		if !udp {
			r.Freeze()
			hubtest.Eventually(t, "it stands still", func() bool {
				n := r.Missing().Packets
				more := hubtest.StartReader(t, "rtsp://cam:secret@"+cam.Address()+"/main", false)
				hubtest.Eventually(t, "another one's packets", func() bool { return more.Missing().Packets > 20 })
				more.Close()
				return r.Missing().Packets == n
			})
			n := r.Missing().Packets
			r.Thaw()
			hubtest.Eventually(t, "it goes on", func() bool { return r.Missing().Packets > n+20 })
		}
	}
}
