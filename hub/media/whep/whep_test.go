package whep

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/pion/webrtc/v4"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// TestFromTheKeyFrame: a viewer has the pictures of the ring from its newest key frame on
// at once, whole and in order, with the parameter sets, and what comes after with true times.
func TestFromTheKeyFrame(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t), av.OpusTrack(2, 1))
	d.show(25 + 10)
	v := h.watch(t, "door", viewing{})
	if v.how != media.Copy {
		t.Errorf("rendition %q", v.how)
	}
	await(t, "the past", func() bool { return len(v.seen()) == 10 })
	d.show(5)
	await(t, "the present", func() bool { return len(v.seen()) == 15 })
	await(t, "sound", func() bool { return len(v.heard()) >= 10 })
	frames := v.seen()
	if !bytes.Contains(frames[0].data, d.video.SPS) || !bytes.Contains(frames[0].data, d.video.PPS) {
		t.Error("no parameter sets in front")
	}
	for i, f := range frames {
		if !bytes.HasSuffix(f.data, d.picture(25+i)) {
			t.Errorf("picture %d is not %d", i, 25+i)
		}
		if i > 0 && int32(f.ts-frames[i-1].ts) <= 0 {
			t.Errorf("picture %d: time goes back", i)
		}
		if i >= 10 && f.ts-frames[i-1].ts != 3600 {
			t.Errorf("picture %d: %d ticks after the one before", i, f.ts-frames[i-1].ts)
		}
	}
	v.mu.Lock()
	mime := v.mime
	v.mu.Unlock()
	if mime[webrtc.RTPCodecTypeVideo] != webrtc.MimeTypeH264 || mime[webrtc.RTPCodecTypeAudio] != webrtc.MimeTypeOpus {
		t.Error(mime)
	}
	st := h.Stats()
	if len(st) != 1 || st[0].Transport != "udp" || st[0].First == 0 || st[0].Rendition != media.Copy {
		t.Errorf("%+v", st)
	}
	resp, _ := h.ask(t, http.MethodDelete, v.loc, "", nil)
	if resp.StatusCode != http.StatusOK || len(h.Stats()) != 0 {
		t.Errorf("delete: %d", resp.StatusCode)
	}
}
