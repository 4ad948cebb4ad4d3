package restream

import (
	"encoding/base64"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/base"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// still is a house whose camera sends pictures that nobody decodes, each when told.
func still(t testing.TB, change func(*Options)) (*house, *media.Writer) {
	t.Helper()
	h := newHouse(t, change)
	w, err := h.core.Stream("front", "main").Begin([]av.Track{track(t), av.PCMTrack(2, av.PCMU, 8000, 1)})
	if err != nil {
		t.Fatal(err)
	}
	put(t, w, true, 0)
	return h, w
}

func put(t testing.TB, w *media.Writer, key bool, at int64) {
	t.Helper()
	if err := w.Put(picture(key, at, 4000)); err != nil {
		t.Fatal(err)
	}
}

func status(t testing.TB, res *base.Response, want base.StatusCode, what string) {
	t.Helper()
	if res.StatusCode != want {
		t.Errorf("%s: %d %s, want %d", what, res.StatusCode, res.StatusMessage, want)
	}
}

func TestNobodyComesInWithoutThePassword(t *testing.T) {
	h, _ := still(t, nil)
	url := "rtsp://" + h.Addr().String() + "/front/main"
	for _, c := range []struct {
		name   string
		change func(*peer)
	}{
		{"another password", func(p *peer) { p.pass = "secret word" }},
		{"no password", func(p *peer) { p.pass = "" }},
		{"another user", func(p *peer) { p.user = "guest" }},
		{"no user", func(p *peer) { p.user = "" }},
		{"by SHA-256", func(p *peer) { p.pass, p.sha = "x", true }},
		{"the local one", func(p *peer) { p.user = localUser }},
	} {
		p := dial(t, h)
		c.change(p)
		status(t, p.login("front/main"), base.StatusUnauthorized, c.name)
		if c.name != "no user" {
			status(t, p.ask("SETUP", url+"/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1"), base.StatusUnauthorized, c.name+": setup")
		}
		p.session = "0"
		res, err := p.try("PLAY", url)
		if err == nil {
			status(t, res, base.StatusSessionNotFound, c.name+": play")
		}
	}
	p := dial(t, h)
	res := p.ask("DESCRIBE", url, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("owner:secret words")))
	status(t, res, base.StatusUnauthorized, "Basic")
	if h.Stats().Refused < 5 || h.logins.wrong < 5 {
		t.Errorf("refused %d, counted %d", h.Stats().Refused, h.logins.wrong)
	}
	// The fourth wrong one finds nobody.
	p = dial(t, h)
	p.pass = "wrong"
	p.login("front/main")
	p.ask("DESCRIBE", url)
	p.ask("DESCRIBE", url)
	if res, err := p.try("DESCRIBE", url); err == nil {
		t.Errorf("a fourth try: %+v", res)
	}
	// An answer to an old challenge.
	p = dial(t, h)
	p.login("front/main")
	old := p.nonce
	p = dial(t, h)
	p.nonce = old
	status(t, p.ask("DESCRIBE", url), base.StatusUnauthorized, "the challenge of another connection")
}

func TestLogins(t *testing.T) {
	h, _ := still(t, nil)
	for _, sha := range []bool{false, true} {
		p := dial(t, h)
		p.sha = sha
		status(t, p.login("front/main"), base.StatusOK, "the right password")
	}
	p := dial(t, h)
	p.user, p.pass = h.Local()
	status(t, p.login("front/main"), base.StatusOK, "a helper")

	// Signed for one camera, sent for another.
	h2 := newLogins("owner", "secret words", Viewer{User: "owner", Cameras: []string{"front"}})
	h, _ = still(t, func(o *Options) { o.Logins = h2 })
	p = dial(t, h)
	status(t, p.login("front"), base.StatusOK, "its camera, main by no name")
	status(t, p.ask("DESCRIBE", "rtsp://"+p.host+"/back/main"), base.StatusNotFound, "another camera")
	status(t, p.ask("DESCRIBE", "rtsp://"+p.host+"/front/secret"), base.StatusNotFound, "another stream")

	// VLC signs the stream's own URL when it asks for a track, and with a slash for playing.
	p = dial(t, h)
	status(t, p.login("front/main", "User-Agent: LibVLC/3.0.20 (LIVE555 Streaming Media v2016.11.28)", "Accept: application/sdp"), base.StatusOK, "VLC: describe")
	p.sign = "rtsp://" + p.host + "/front/main/"
	status(t, p.ask("SETUP", "rtsp://"+p.host+"/front/main/trackID=0", "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"), base.StatusOK, "VLC: setup")
	status(t, p.ask("PLAY", "rtsp://"+p.host+"/front/main/", "Range: npt=0.000-"), base.StatusOK, "VLC: play")
	status(t, p.ask("GET_PARAMETER", "rtsp://"+p.host+"/front/main/"), base.StatusOK, "VLC: still there?")
	status(t, p.ask("TEARDOWN", "rtsp://"+p.host+"/front/main/"), base.StatusOK, "VLC: goodbye")
	p = dial(t, h)
	p.login("front/main")
	p.sign = "rtsp://" + p.host + "/front/sub"
	status(t, p.ask("SETUP", "rtsp://"+p.host+"/front/main/trackID=0", "Transport: RTP/AVP/TCP;interleaved=0-1"), base.StatusUnauthorized, "signed for another stream")

	// Who tried too often is told so.
	h2.mu.Lock()
	h2.wait = waitError{}
	h2.mu.Unlock()
	p = dial(t, h)
	p.pass = "guessed"
	res := p.login("front/main")
	status(t, res, base.StatusForbidden, "too many tries")
	if _, err := p.try("OPTIONS", "*"); err == nil {
		t.Error("who tries too often stays")
	}
	status(t, dial(t, h).login("front/main"), base.StatusOK, "the right password, from where somebody tries too often")
	if got := res.Header["X-Porchlight-Code"]; len(got) != 1 || got[0] != "E-ACCESS-WAIT" {
		t.Errorf("%+v", res)
	}
}

type waitError struct{}

func (waitError) Error() string { return "too many tries;\r\nthe next one" }
func (waitError) Code() string  { return "E-ACCESS-WAIT" }

func TestRevokedWhilePlaying(t *testing.T) {
	h, w := still(t, nil)
	for _, udp := range []bool{false, true} {
		p := dial(t, h)
		p.watch("front/main", udp, 0)
		put(t, w, false, 3600)
		if udp {
			await(t, "a reader", func() bool { return len(h.Stats().Readers) == 1 })
			h.logins.revoke() // found by the next look
		} else {
			h.End("1")
		}
		if err := p.nc.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for {
			if err := p.frame(); err != nil {
				if isTimeout(err) {
					t.Error("it reads on")
				}
				break
			}
		}
		await(t, "no reader", func() bool { return len(h.Stats().Readers) == 0 })
		ended := h.Stats().Ended
		if got := ended[len(ended)-1]; !strings.Contains(got.Ended, "revoked") {
			t.Errorf("%+v", got)
		}
	}
}

func TestRemovedCamera(t *testing.T) {
	there := map[string]bool{"front": true}
	gone := make(chan struct{})
	h, w := still(t, func(o *Options) {
		o.Cameras = func(id string) bool {
			select {
			case <-gone:
				return false
			default:
				return there[id]
			}
		}
	})
	p := dial(t, h)
	p.watch("front/main", false, 0, 1)
	put(t, w, false, 3600)
	h.core.Remove("front", "removed from the config")
	close(gone)
	_ = p.nc.SetReadDeadline(time.Now().Add(20 * time.Second))
	for {
		if err := p.frame(); err != nil {
			if isTimeout(err) {
				t.Error("it reads on")
			}
			break
		}
	}
	p = dial(t, h)
	status(t, p.login("front/main"), base.StatusNotFound, "a camera that was removed")
}

// What a stranger sends before the password costs a moment, not a place for ever.
func TestStrangerHasNotForEver(t *testing.T) {
	h, _ := still(t, nil)
	nc, err := net.Dial("tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	await(t, "a connection", func() bool { return len(h.all()) == 1 })
	c := h.all()[0]
	if left := time.Until(c.deadline()); left > strangerTime {
		t.Errorf("%v", left)
	}
}

// However many come and say nothing, who has a password comes in, and who reads stays.
func TestStrangersKeepNobodyOut(t *testing.T) {
	h, w := still(t, nil)
	first := dial(t, h)
	first.watch("front/main", false, 0)
	for range maxConns + 8 {
		nc, err := net.Dial("tcp", h.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = nc.Close() })
	}
	await(t, "a full house", func() bool { return h.refused.Load() > 0 })
	dial(t, h).watch("front/main", false, 0)
	put(t, w, true, 3600)
	if err := first.frame(); err != nil {
		t.Error("a reader had to go:", err)
	}
	if n := len(h.all()); n > maxConns {
		t.Errorf("%d connections", n)
	}
}
