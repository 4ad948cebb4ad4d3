package whep

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/whep/offer"
)

// TestOneViewerTakesNotAll: who opens as much as they can leaves room for the others.
func TestOneViewerTakesNotAll(t *testing.T) {
	s := New(Options{})
	s.ctx, s.ports = t.Context(), newHouse(t, Options{}).ports
	for i := range maxSessions {
		_, _, _, err := s.enter("eve")
		if (err == nil) != (i < maxSessionsOf) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if _, _, _, err := s.enter("anna"); err != nil {
		t.Error(err)
	}
	for range maxSessionsOf {
		s.leave("eve")
	}
	s.leave("anna")
	if len(s.of) != 0 || s.opening != 0 {
		t.Errorf("left over: %v, %d", s.of, s.opening)
	}
}

// TestCandidatesAreBounded: however many addresses a page names in however many requests,
// few are kept; restarts begin anew, each a while after the one before.
func TestCandidatesAreBounded(t *testing.T) {
	h := newHouse(t, Options{})
	d := newDoor(t, h.core, "door", "main", track264(t))
	d.show(1)
	v := h.watch(t, "door", viewing{})
	await(t, "a picture", func() bool { return len(v.seen()) == 1 })
	x := h.all()[0]
	ufrag, pwd := offer.Credentials(v.pc.LocalDescription().SDP)
	patch := func(ufrag, pwd, match string, n int) {
		var b strings.Builder
		fmt.Fprintf(&b, "a=ice-ufrag:%s\r\na=ice-pwd:%s\r\nm=video 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n", ufrag, pwd)
		for i := range 40 {
			fmt.Fprintf(&b, "a=candidate:1 1 udp 1 192.0.2.%d %d typ host\r\n", n, 1000+i)
		}
		if resp, body := h.ask(t, "PATCH", v.loc, b.String(), map[string]string{"Content-Type": typeFrag, "If-Match": match}); resp.StatusCode > 204 {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	for i := range 5 {
		patch(ufrag, pwd, v.etag, i)
	}
	told := func() int {
		x.patching.Lock()
		defer x.patching.Unlock()
		return x.told
	}
	if n := told(); n != offer.MaxCandidates {
		t.Errorf("%d candidates", n)
	}
	began := time.Now()
	for range 3 {
		patch("abcd", "0123456789012345678901", "*", 9)
		ufrag, pwd = "abcd", "0123456789012345678901"
		patch("efgh", "0123456789012345678901", "*", 9)
	}
	if n, took := told(), time.Since(began); n != 40 || took < 4*restartEvery {
		t.Errorf("%d candidates after restarts within %v", n, took)
	}
}

// heard is a log that several write.
type heard struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (h *heard) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.b.Write(b)
}

// TestLogHasNoPasswords of ICE, of either side, however much is logged.
func TestLogHasNoPasswords(t *testing.T) {
	said := &heard{}
	h := newHouse(t, Options{Log: slog.New(slog.NewTextHandler(said, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	d := newDoor(t, h.core, "door", "main", track264(t))
	d.show(1)
	v := h.watch(t, "door", viewing{})
	await(t, "a picture", func() bool { return len(v.seen()) == 1 })
	h.end()
	said.mu.Lock()
	defer said.mu.Unlock()
	for _, sdp := range []string{v.pc.LocalDescription().SDP, v.pc.RemoteDescription().SDP} {
		if _, pwd := offer.Credentials(sdp); pwd == "" || strings.Contains(said.b.String(), pwd) || !strings.Contains(said.b.String(), "ICE") {
			t.Errorf("%q is in the log, or there is none", pwd)
		}
	}
}
