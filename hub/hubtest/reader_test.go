package hubtest_test

import (
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
)

// TestReader counts a camera's own packets.
func TestReader(t *testing.T) {
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: "secret", Digest: true,
		Streams: map[string]hubtest.CameraStream{"/main": {Sound: "pcmu", Width: 320, Height: 176, FPS: 15}}})
	if _, err := hubtest.OpenReader("rtsp://"+cam.Address()+"/main", false); err == nil {
		t.Error("it reads without a login")
	}
	for _, udp := range []bool{false, true} {
		r := hubtest.StartReader(t, "rtsp://cam:secret@"+cam.Address()+"/main", udp)
		hubtest.Eventually(t, "packets", func() bool { return r.Missing().Packets > 100 })
		if m := r.Missing(); m.Gaps > 5 || m.Tracks != 2 {
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

// TestWatchers are programs of others, on a camera that is not ours either.
func TestWatchers(t *testing.T) {
	cam := hubtest.StartCamera(t, hubtest.CameraWish{User: "cam", Password: "secret", Digest: true,
		Streams: map[string]hubtest.CameraStream{"/main": {Sound: "pcmu", Width: 320, Height: 176, FPS: 15}}})
	url := "rtsp://cam:secret@" + cam.Address() + "/main"
	all := []*hubtest.Watcher{
		hubtest.WatchGStreamer(t, nil, url, "tcp"), hubtest.WatchGStreamer(t, nil, url, "udp"),
		hubtest.WatchFFmpeg(t, nil, url, "tcp"), hubtest.WatchFFmpeg(t, nil, url, "udp"),
	}
	for _, w := range all {
		if err := w.Play(); err != nil {
			t.Error(err)
		}
	}
	for _, w := range all {
		// What this camera's server leaves out for who comes late is its own affair.
		if m, err := w.End(); err != nil || m.Packets == 0 {
			t.Errorf("%s: %s %v", w.Name, m, err)
		}
	}
	for _, w := range []*hubtest.Watcher{hubtest.WatchGStreamer(t, nil, "rtsp://cam:wrong@"+cam.Address()+"/main", "tcp"), hubtest.WatchFFmpeg(t, nil, "rtsp://"+cam.Address()+"/main", "tcp")} {
		if err := w.Play(); err == nil {
			t.Errorf("%s plays without the password", w.Name)
		} else if !strings.Contains(err.Error(), "nauthorized") {
			t.Errorf("%s says %v", w.Name, err)
		}
	}
}
