package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
)

// side is go2rtc's.
func (r *rival) side() *side {
	ws := strings.Replace(r.base, "http", "ws", 1)
	return &side{name: rivalName, pid: r.cmd.Process.Pid, view: func(way string, i int) *part.View {
		id := cameraID(i)
		switch way {
		case part.RTSP:
			return &part.View{Way: way, URL: "rtsp://" + r.rtsp + "/" + id}
		case part.MSE:
			return &part.View{Way: way, URL: ws + "/api/ws?src=" + id, Hello: mseHello}
		case part.MP4:
			return &part.View{Way: way, URL: r.base + "/api/stream.mp4?src=" + id}
		case part.WebRTC:
			return &part.View{Way: way, URL: r.base + "/api/webrtc?src=" + id}
		}
		return nil // it has no RTSP by UDP
	}}
}

// mseHello is what go2rtc's page says first.
const mseHello = `{"type":"mse","value":"avc1.640029,avc1.64002A,avc1.640033,avc1.42E01E,mp4a.40.2,mp4a.40.5,flac,opus"}`

// side is ours. The pages' ways need the cookie of a login, RTSP a stream password.
func (h *house) side(ctx context.Context, web *http.Client) (*side, error) {
	base, err := url.Parse(h.base)
	if err != nil {
		return nil, err
	}
	var cookies []string
	for _, c := range web.Jar.Cookies(base) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	pages := map[string]string{"Cookie": strings.Join(cookies, "; ")}
	user, password, err := h.streamPassword(ctx, web)
	if err != nil {
		return nil, err
	}
	api := h.base + "/api/v1/cameras/"
	ws := strings.Replace(h.base, "http", "ws", 1)
	return &side{name: "ours", pid: h.cmd.Process.Pid, profile: h.profile, view: func(way string, i int) *part.View {
		id := cameraID(i)
		switch way {
		case part.RTSP, part.RTSPUDP:
			return &part.View{Way: way, URL: "rtsp://" + h.rtsp + "/" + id + "/main", User: user, Password: password}
		case part.MSE:
			return &part.View{Way: way, URL: ws + "/api/v1/ws?camera=" + id + "&stream=main", Header: pages}
		case part.MP4:
			return &part.View{Way: way, URL: api + id + "/stream.mp4?stream=main", Header: pages}
		}
		return &part.View{Way: way, URL: api + id + "/whep?stream=main", Header: pages}
	}}, nil
}

// profile writes the hub's processor profile of so long, by its admin socket.
func (h *house) profile(d time.Duration, to string) error {
	admin := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(h.data, "run", "admin.sock"))
	}}}
	res, err := admin.Get(fmt.Sprintf("http://hub/debug/pprof/profile?seconds=%d", max(1, int(d.Seconds()+0.5))))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("profile: status %s", res.Status)
	}
	return errors.Join(err, os.WriteFile(to, b, 0o600))
}

// streamPassword makes one, as a person does on the page.
func (h *house) streamPassword(ctx context.Context, web *http.Client) (user, password string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.base+"/api/v1/stream-passwords", strings.NewReader(`{"name":"bench"}`))
	if err != nil {
		return "", "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := web.Do(req)
	if err != nil {
		return "", "", err
	}
	defer res.Body.Close()
	var made struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || made.Password == "" {
		return "", "", fmt.Errorf("stream password: status %s: %v", res.Status, err)
	}
	return made.User, made.Password, nil
}

// bareSide is the floor's: RTSP alone.
func bareSide(c *child) *side {
	return &side{name: "the floor", pid: c.cmd.Process.Pid, view: func(way string, i int) *part.View {
		return &part.View{Way: way, URL: fmt.Sprintf("rtsp://%s/%d", c.first, i)}
	}}
}

// three are ours, go2rtc and the floor on the same cameras, all running.
type three struct {
	house *house
	web   *http.Client
	rival *rival
	bare  *child

	ours, peer, floor *side
}

func (b *bench) newThree(bin string, urls []string) (t *three, err error) {
	t = &three{}
	defer func() {
		if err != nil {
			t.end()
		}
	}()
	h, web, err := b.hot(urls)
	if err != nil {
		return t, err
	}
	t.house, t.web = h, web
	if t.ours, err = h.side(b.ctx, web); err != nil {
		return t, h.failed(err)
	}
	if err := t.addRival(b, bin, urls); err != nil {
		return t, err
	}
	if t.bare, err = b.startChild(true, append([]string{"bare"}, urls...)...); err != nil {
		return t, err
	}
	t.floor = bareSide(t.bare)
	return t, nil
}

func (t *three) addRival(b *bench, bin string, urls []string) error {
	r, err := b.newRival(bin, urls)
	if err != nil {
		return err
	}
	if err := r.launch(); err != nil {
		return err
	}
	t.rival, t.peer = r, r.side()
	ctx, cancel := context.WithTimeout(b.ctx, hang)
	defer cancel()
	return r.ready(ctx)
}

func (t *three) end() {
	if t.bare != nil {
		t.bare.end()
	}
	if t.rival != nil {
		t.rival.stop()
	}
	if t.house != nil {
		t.house.stop()
	}
}
