package house_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/doctor"
	"github.com/porchlight-hub/porchlight/hub/hooks"
	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/pull"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/registry"
	"github.com/porchlight-hub/porchlight/hub/sources"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/house"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// pulls stands for connections to cameras.
type pulls struct {
	status  []pull.Status
	retried []string
}

func (p *pulls) Status() []pull.Status { return p.status }
func (p *pulls) Retry(camera string)   { p.retried = append(p.retried, camera) }

// words stands for what plugins say of sources.
type words map[string]sources.State

func (w words) State(camera string) sources.State { return w[camera] }

func h264() av.Track {
	return av.Track{ID: 1, Kind: av.Video, Codec: av.H264, ClockRate: 90000, Width: 1280, Height: 720, SPS: []byte{0x67, 0x4d, 0x40, 0x1f, 0}, PPS: []byte{0x68, 0}}
}

func TestDevicesTellWherePicturesComeFrom(t *testing.T) {
	m := media.New(media.Limits{})
	r := registry.New(openBus(t), slog.New(slog.DiscardHandler), time.Now)
	r.Apply([]registry.Device{
		{ID: "bell", Name: "Bell", Kind: "doorbell"}, {ID: "demo", Kind: "camera", Plugin: "demo"}, {ID: "front", Kind: "doorbell", Plugin: "rtsp"},
		{ID: "garden", Kind: "camera", Plugin: "rtsp"}, {ID: "odd", Kind: "camera", Plugin: "rtsp"}, {ID: "parcel", Kind: "camera", Plugin: "demo"},
	})
	r.SetOnline(t.Context(), "parcel", false, "its plugin is starting")
	since := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	p := &pulls{status: []pull.Status{
		{Camera: "front", Stream: "main", State: "live", Since: since, Policy: pull.Always, Address: "192.0.2.10:554", Transport: "tcp", Server: "Cam/1", Worked: []string{"no range"}, Reconnects: 3},
		{Camera: "front", Stream: "sub", State: "off", Policy: pull.OnDemand},
		{Camera: "garden", Stream: "main", State: "locked", Code: "E-RTSP-LOGIN", Reason: "the camera refused the password", Fix: "check it", NextTry: since.Add(5 * time.Minute)},
	}}
	w := words{
		"odd":    {Err: &rtsp.Fault{Kind: rtsp.Address, Act: "address", Why: "not a url"}},
		"parcel": {Known: true, Push: true},
		"front":  {Known: true, Err: errors.New("the plugin is away")},
	}
	for _, camera := range []string{"front", "demo"} {
		out, err := m.Stream(camera, "main").Begin([]av.Track{h264(), {ID: 2, Kind: av.Sound, Codec: av.AAC, ClockRate: 16000, SampleRate: 16000, Channels: 1}})
		if err != nil {
			t.Fatal(err)
		}
		defer out.End("test")
	}
	room := house.Devices{Registry: r, Media: m, Puller: p, Described: w,
		Rotate: func(camera string) int { return map[string]int{"front": 180}[camera] }, Snapshot: func(camera string) bool { return camera == "garden" }}
	got := map[string]api.Camera{}
	for _, c := range room.Cameras() {
		got[c.ID] = c
		one, ok := room.Camera(c.ID)
		a, _ := json.Marshal(c)
		b, _ := json.Marshal(one)
		if !ok || string(a) != string(b) || strings.Contains(string(a), "null") {
			t.Errorf("in the list %s, alone %s", a, b)
		}
	}
	if c := got["bell"]; !c.Button || len(c.Sources) != 0 {
		t.Errorf("a bare button: %+v", c)
	}
	c := got["front"]
	if c.Button || c.Rotate != 180 || len(c.Sources) != 2 || c.Snapshot {
		t.Fatalf("front: %+v", c)
	}
	if s := c.Sources[0]; s.Stream != "main" || s.State != "live" || s.Code != "" || s.Address != "192.0.2.10:554" || s.Codec != "h264" || s.CodecName != "avc1.4d401f" ||
		s.Width != 1280 || strings.Join(s.Sound, " ") != "aac" || s.Pull != "always" || s.Reconnects != 3 || s.Worked[0] != "no range" || !s.Since.Equal(since) {
		t.Errorf("front main: %+v", s)
	}
	if s := c.Sources[1]; s.Stream != "sub" || s.State != "off" || s.Reason != "the plugin is away" || s.Sound == nil || s.Worked == nil {
		t.Errorf("front sub: %+v", s)
	}
	if s := got["garden"].Sources; len(s) != 1 || s[0].State != "locked" || s[0].Code != "E-RTSP-LOGIN" || s[0].Fix != "check it" || s[0].NextTry.IsZero() || !got["garden"].Snapshot {
		t.Errorf("garden: %+v", got["garden"])
	}
	if s := got["odd"].Sources; len(s) != 1 || s[0].State != "unknown" || s[0].Code != "E-RTSP-ADDRESS" || s[0].Fix == "" || s[0].Reason == "" {
		t.Errorf("odd: %+v", s)
	}
	if s := got["demo"].Sources; len(s) != 1 || s[0].State != "pushed" || s[0].Codec != "h264" {
		t.Errorf("demo: %+v", s)
	}
	if s := got["parcel"].Sources; len(s) != 1 || s[0].State != "waiting" || s[0].Reason != "its plugin is starting" {
		t.Errorf("parcel: %+v", s)
	}
	r.SetOnline(t.Context(), "parcel", true, "")
	if c, _ := room.Camera("parcel"); len(c.Sources) != 1 || c.Sources[0].State != "off" || c.Sources[0].Reason != "" {
		t.Errorf("parcel, with its plugin: %+v", c.Sources)
	}
}

func TestLookAtACamera(t *testing.T) {
	p := &pulls{}
	looks := map[string][]doctor.Stream{
		"front": {{Camera: "front", Stream: "main", Address: "192.0.2.10:554", Auth: "digest-md5", Transport: "tcp", Tracks: []av.Track{h264()}, FPS: 15.04, Kbps: 2100, GOP: 2 * time.Second}},
		"garden": {{Camera: "garden", Stream: "main", Err: &rtsp.Fault{Kind: rtsp.Login, Act: "describe", Why: "the password was refused"}},
			{Camera: "garden", Stream: "sub", Off: true}},
	}
	room := house.Sources(p, func(_ context.Context, camera string) []doctor.Stream { return looks[camera] })
	good, err := room.Test(t.Context(), "front")
	if err != nil || !good.OK || good.Camera != "front" || len(good.Checks) == 0 || len(good.Sources) != 1 {
		t.Fatalf("%+v, %v", good, err)
	}
	if s := good.Sources[0]; s.State != "live" || s.Codec != "h264" || s.FPS != 15 || s.BitrateKbps != 2100 || s.GOPMS != 2000 {
		t.Errorf("source %+v", s)
	}
	bad, err := room.Test(t.Context(), "garden")
	if err != nil || bad.OK || bad.Sources[0].Code != "E-RTSP-LOGIN" || bad.Sources[0].Fix == "" || bad.Sources[1].State != "off" {
		t.Errorf("%+v, %v", bad, err)
	}
	if c := bad.Checks[0]; c.State != "fail" || c.Code != "E-RTSP-LOGIN" || c.Area != "cameras" {
		t.Errorf("check %+v", c)
	}
	if err := room.Retry(t.Context(), "garden"); err != nil || strings.Join(p.retried, " ") != "garden" {
		t.Errorf("retried %v, %v", p.retried, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := room.Test(over, "attic"); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

func TestDoctor(t *testing.T) {
	var asked []string
	d := house.Doctor(func(_ context.Context, areas []string) []doctor.Finding {
		asked = areas
		return []doctor.Finding{{Area: doctor.Clock, State: doctor.Warn, What: "a", Why: "b", Fix: "c", Code: "E-X"}}
	})
	if got := d.Check(t.Context(), []string{"clock"}); len(got) != 1 || got[0] != (api.Check{Area: "clock", State: "warn", What: "a", Why: "b", Fix: "c", Code: "E-X"}) || asked[0] != "clock" {
		t.Errorf("%+v", got)
	}
}

// doorbells stands for the registry and the ring.
type doorbells struct {
	there string
	rang  []string
}

func (d *doorbells) Cameras() []api.Camera { return nil }

func (d *doorbells) Camera(id string) (api.Camera, bool) { return api.Camera{ID: id}, id == d.there }

func (d *doorbells) Ring(_ context.Context, camera string, test bool) (string, error) {
	if test {
		camera += " as a test"
	}
	d.rang = append(d.rang, camera)
	return "event", nil
}

func TestHooks(t *testing.T) {
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	list, err := hooks.Open(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	d := &doorbells{there: "gate"}
	room := house.Hooks(list, d, d)
	hook, err := room.Hook(t.Context(), "gate")
	if err != nil || hook.Camera != "gate" {
		t.Fatalf("%+v, %v", hook, err)
	}
	token, ok := strings.CutPrefix(hook.URL, "/hooks/")
	if !ok {
		t.Fatalf("url %s", hook.URL)
	}
	if id, err := room.Ring(t.Context(), token); err != nil || id != "event" || strings.Join(d.rang, " ") != "gate" {
		t.Errorf("%s, %v, rang %v", id, err, d.rang)
	}
	if _, err := room.Ring(t.Context(), token+"x"); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("wrong: %v", err)
	}
	d.there = ""
	if _, err := room.Ring(t.Context(), token); !errors.Is(err, api.ErrNotFound) {
		t.Errorf("a camera that left: %v", err)
	}
	d.there = "gate"
	if _, err := room.Renew(t.Context(), "gate"); err != nil {
		t.Fatal(err)
	}
	if _, err := room.Ring(t.Context(), token); !errors.Is(err, api.ErrNotFound) || len(d.rang) != 1 {
		t.Errorf("renewed: %v", err)
	}
}
