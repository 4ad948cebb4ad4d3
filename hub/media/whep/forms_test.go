package whep

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// sdpOf is an offer of a browser that takes the given video formats, by payload type.
func sdpOf(audio string, video ...string) string {
	var b strings.Builder
	b.WriteString("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n")
	if len(video) > 0 {
		b.WriteString("m=video 9 UDP/TLS/RTP/SAVPF")
		for i := range video {
			fmt.Fprintf(&b, " %d", 96+i)
		}
		b.WriteString("\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\n")
		for i, v := range video {
			name, fmtp, _ := strings.Cut(v, " ")
			fmt.Fprintf(&b, "a=rtpmap:%d %s/90000\r\n", 96+i, name)
			if fmtp != "" {
				fmt.Fprintf(&b, "a=fmtp:%d %s\r\n", 96+i, fmtp)
			}
		}
	}
	if audio != "" {
		b.WriteString("m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=" + audio + "\r\na=rtpmap:111 opus/48000/2\r\n")
	}
	return b.String()
}

const (
	cb   = "H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
	main = "H264 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=4d001f"
)

// made is Renditions that write down what is asked, and make it of another stream.
type made struct {
	core *media.Core
	mu   sync.Mutex
	want []av.Rendition
	fail error
}

func (m *made) Open(_ context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.want = append(m.want, want)
	st := m.core.Stream(camera, stream)
	if w, err := media.Fit(st.Tracks(), want); err == nil {
		o.Want = w
		return media.NewRendering(st.Open(o), want, media.Copy, nil), nil
	}
	if m.fail != nil {
		return nil, m.fail
	}
	return media.NewRendering(m.core.Stream(camera, "made").Open(o), want, "converted: for a test", nil), nil
}

func reordered(t *testing.T) av.Track {
	tr := track264(t)
	tr.Reordered = true
	return tr
}

// TestConverted: what a browser cannot show is converted, and the answer says so.
func TestConverted(t *testing.T) {
	core := media.New(media.Limits{})
	m := &made{core: core}
	h := newHouse(t, Options{Core: core, Renditions: m})
	newDoor(t, core, "door", "main", reordered(t), av.Track{ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: 16000, SampleRate: 16000, Channels: 1}).show(1)
	d := newDoor(t, core, "door", "made", track264(t), av.OpusTrack(2, 1))
	d.show(3)
	v := h.watch(t, "door", viewing{})
	await(t, "the picture", func() bool { return len(v.seen()) == 3 })
	d.show(1)
	await(t, "the sound", func() bool { return len(v.heard()) > 0 })
	if v.how != "converted: for a test" || h.Stats()[0].Rendition != v.how {
		t.Errorf("%q", v.how)
	}
	if w := m.want[0]; w.Audio.Codec != av.Opus || w.Video.Codec != av.H264 || !w.Video.InOrder {
		t.Errorf("%+v", w)
	}
}

// busy is what a room that converts may say.
type busy struct{}

func (busy) Error() string { return "two films are made already" }
func (busy) Code() string  { return "E-TEST-BUSY" }
func (busy) Hint() string  { return "wait" }

// TestNoConversion: why nothing converts is told with its own code and hint.
func TestNoConversion(t *testing.T) {
	core := media.New(media.Limits{})
	h := newHouse(t, Options{Core: core, Renditions: &made{core: core, fail: busy{}}})
	newDoor(t, core, "door", "main", reordered(t)).show(1)
	resp, body := h.ask(t, http.MethodPost, "/door/whep", sdpOf("", cb), map[string]string{"Content-Type": typeSDP})
	if resp.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(body, "E-TEST-BUSY") || !strings.Contains(body, `"wait"`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestSmallerStream: where nothing converts, the camera's sub stream is shown if it suits,
// and sound that cannot be had costs no picture.
func TestSmallerStream(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", reordered(t)).show(1)
	newDoor(t, h.core, "door", "sub", track264(t), av.Track{ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: 16000, SampleRate: 16000, Channels: 1}).show(2)
	v := h.watch(t, "door", viewing{})
	await(t, "the picture", func() bool { return len(v.seen()) == 2 })
	if !strings.HasPrefix(v.how, "copy of the smaller stream; no sound: ") || h.Stats()[0].Stream != "sub" {
		t.Errorf("%q", v.how)
	}
	newDoor(t, h.core, "gate", "main", reordered(t)).show(1)
	resp, body := h.ask(t, http.MethodPost, "/gate/whep", sdpOf("", cb), map[string]string{"Content-Type": typeSDP})
	if resp.StatusCode != http.StatusUnsupportedMediaType || !strings.Contains(body, "B-frames") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// TestAnotherCodec: when the camera changes to a codec that was not promised, the session
// is over, and a new offer gets the new one.
func TestAnotherCodec(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", track264(t)).show(1)
	v := h.watch(t, "door", viewing{})
	await(t, "the picture", func() bool { return len(v.seen()) == 1 })
	newDoor(t, h.core, "door", "main", av.Track{ID: 1, Kind: av.Video, Codec: av.H265, ClockRate: 90000, SPS: []byte{33 << 1, 1, 4}}).show(1)
	await(t, "the end", func() bool { return len(h.Stats()) == 0 })
}

// TestNewWriter: a camera that comes back goes on in the same session.
func TestNewWriter(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t))
	d.show(3)
	v := h.watch(t, "door", viewing{})
	await(t, "the picture", func() bool { return len(v.seen()) == 3 })
	d.w.End("the camera has gone")
	newDoor(t, h.core, "door", "main", track264(t)).show(3)
	await(t, "more pictures", func() bool { return len(v.seen()) == 6 })
	for i, f := range v.seen() {
		if i > 0 && int32(f.ts-v.seen()[i-1].ts) <= 0 {
			t.Errorf("picture %d: time goes back", i)
		}
	}
}

// TestFull: there is an end to sessions.
func TestFull(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", track264(t)).show(1)
	h.mu.Lock()
	h.opening = maxSessions
	h.mu.Unlock()
	resp, body := h.ask(t, http.MethodPost, "/door/whep", sdpOf("", cb), map[string]string{"Content-Type": typeSDP})
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, CodeFull) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	h.mu.Lock()
	h.opening = 0
	h.mu.Unlock()
}

// TestBodies: the whole route with offers of which a few bytes are wrong. It is no fuzz
// target, since what pion does in the background makes its coverage change by itself.
func TestBodies(t *testing.T) {
	h := newHouse(t, Options{})
	newDoor(t, h.core, "door", "main", track264(t)).show(1)
	const ice = "c=IN IP4 0.0.0.0\r\na=fingerprint:sha-256 10:F2:04:AD:97:EE:F5:73:56:80:A4:AF:6A:A7:93:38:52:F9:1D:1C:11:46:92:1B:77:A3:1C:59:E7:37:E9:01\r\n" +
		"a=setup:actpass\r\na=ice-ufrag:UziI\r\na=ice-pwd:xMtCb/lZ6EXwnU/V3Js6P8Ji\r\na=rtcp-mux\r\n"
	sdp := strings.ReplaceAll(sdpOf("sendrecv", main), "c=IN IP4 0.0.0.0\r\n", ice)
	random := rand.New(rand.NewPCG(1, 2))
	answered := 0
	for i := range 2000 {
		text := []byte(sdp)
		for range min(i, 3) {
			text[random.IntN(len(text))] = byte(random.Uint32())
		}
		w := &answerer{head: http.Header{}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/door/whep", bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", typeSDP)
		h.ServeOffer(w, r, "door", "main", Viewer{Key: "a", MayTalk: true})
		switch {
		case w.status == http.StatusCreated:
			answered++
			h.endAll("the test goes on")
		case w.status == http.StatusServiceUnavailable: // the last ones are still ending
		case i == 0:
			t.Fatalf("%d %s", w.status, w.body)
		case w.status < 400 || w.status >= 500:
			t.Errorf("%d %s to %q", w.status, w.body, text)
		}
	}
	if answered == 0 {
		t.Error("no offer was answered")
	}
	await(t, "the end of all", func() bool { return len(h.Stats()) == 0 })
}

// answerer keeps an answer.
type answerer struct {
	head   http.Header
	status int
	body   []byte
}

func (a *answerer) Header() http.Header { return a.head }
func (a *answerer) WriteHeader(s int)   { a.status = s }
func (a *answerer) Write(b []byte) (int, error) {
	a.body = append(a.body, b...)
	return len(b), nil
}
