package restream

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"
)

// Programs that people have read the stream, by each transport.
func TestPrograms(t *testing.T) {
	f := newFilm(t, "640x360")
	h := newHouse(t, nil)
	f.show(t, h.core.Stream("front", "main"))
	for _, transport := range []string{"tcp", "udp"} {
		t.Run("ffmpeg "+transport, func(t *testing.T) {
			out := string(output(t, "ffmpeg", "-v", "warning", "-rtsp_transport", transport, "-i", h.url("front/main"), "-t", "2", "-f", "framecrc", "-"))
			if strings.Count(out, "\n0, ") < 45 || strings.Count(out, "\n1, ") < 20 {
				t.Errorf("pictures and sound: %s", out)
			}
		})
		t.Run("gstreamer "+transport, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), tool(t, "gst-launch-1.0", "gstreamer1.0-tools gstreamer1.0-plugins-good"), "-q",
				"rtspsrc", "location=rtsp://"+h.Addr().String()+"/front/main", "user-id=owner", "user-pw=secret words", "protocols="+transport,
				"!", "rtph264depay", "!", "h264parse", "!", "video/x-h264,stream-format=byte-stream,alignment=au", "!", "identity", "eos-after=50", "!", "filesink", "location=/dev/stdout")
			var errs bytes.Buffer
			cmd.Stderr = &errs
			// At its end it may send PAUSE behind its own TEARDOWN, and complain that nobody is
			// there any more: what it has read by then is what counts.
			out, err := cmd.Output()
			if bytes.Count(out, []byte{0, 0, 1}) < 50 {
				t.Errorf("%v %s: %d bytes", err, errs.Bytes(), len(out))
			}
		})
	}
	for _, st := range h.Stats().Ended {
		t.Logf("%+v", st)
	}
}
