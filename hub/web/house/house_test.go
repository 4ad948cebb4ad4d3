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

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/chimes"
	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/registry"
	"github.com/porchlight-hub/porchlight/hub/store"
	"github.com/porchlight-hub/porchlight/hub/supervisor"
	"github.com/porchlight-hub/porchlight/hub/timeline"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/house"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func openBus(t *testing.T) *bus.Bus {
	t.Helper()
	b, err := bus.Open(t.Context(), bus.Options{Journal: filepath.Join(t.TempDir(), "journal.db")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1) // its one result
	go func() { done <- b.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

func TestCameras(t *testing.T) {
	m := media.New(media.Limits{})
	r := registry.New(openBus(t), slog.New(slog.DiscardHandler), time.Now)
	r.Apply([]registry.Device{{ID: "front_door", Name: "Front door", Kind: "doorbell", Plugin: "demo", Talk: true}})
	cameras := house.Devices{Registry: r, Media: m}
	c, ok := cameras.Camera("front_door")
	if !ok || c.Known || c.Online || c.Streams == nil || c.Snapshot || c.Talk.Can || c.Talk.Why == "" || c.Kind != "doorbell" {
		t.Errorf("at first: %+v", c)
	}
	r.SetOnline(t.Context(), "front_door", true, "")
	w, err := m.Stream("front_door", "sub").Begin([]av.Track{{ID: 1, Kind: av.Video, Codec: av.MJPEG, ClockRate: 90000}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.End("test")
	m.PutImage("front_door", &av.Unit{Track: av.ImageTrack, Data: []byte{0xff, 0xd8, 0xff, 0xd9}})
	if c = cameras.Cameras()[0]; !c.Known || !c.Online || !c.Snapshot {
		t.Errorf("later: %+v", c)
	}
	cameras.CanTalk = func(string) error { return &rtsp.Fault{Kind: rtsp.Address, Act: "talk", Why: "no door"} }
	if c, _ = cameras.Camera("front_door"); c.Talk.Can || c.Talk.Code != "E-RTSP-ADDRESS" || c.Talk.Fix == "" {
		t.Errorf("a door that cannot: %+v", c.Talk)
	}
	cameras.CanTalk = func(string) error { return nil }
	cameras.Talker = func(string) (string, time.Time, bool) { return "Anna", time.Now(), true }
	if c, _ = cameras.Camera("front_door"); !c.Talk.Can || c.Talk.By != "Anna" || c.Talk.Since.IsZero() {
		t.Errorf("Anna talks: %+v", c.Talk)
	}
	if _, ok := cameras.Camera("attic"); ok {
		t.Error("a camera in the attic")
	}
	r.Apply([]registry.Device{{ID: "front_door", Kind: "doorbell", Plugin: "demo"}, {ID: "back_door", Kind: "doorbell", Plugin: "demo"}})
	for first, order := range map[string]func(a, b string) int{"back_door": nil, "front_door": func(a, b string) int { return strings.Compare(b, a) }} {
		cameras.Order = order
		if list := cameras.Cameras(); len(list) != 2 || list[0].ID != first {
			t.Errorf("%s is not first of %+v", first, list)
		}
	}
}

func TestWhatIsNotFound(t *testing.T) {
	b := openBus(t)
	events := house.Events(timeline.New(b))
	_, err1 := events.Event(t.Context(), event.NewID())
	_, err2 := events.Trace(t.Context(), "no id")
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	room, err := chimes.New(t.Context(), db, b, nil, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	c, _ := house.Chimes(room)
	_, err3 := c.Test(t.Context(), "attic")
	for _, err := range []error{err1, err2, err3, c.Mute(t.Context(), "attic", true)} {
		if !errors.Is(err, api.ErrNotFound) {
			t.Errorf("%v is not api.ErrNotFound", err)
		}
	}
	if c.Quiet() != (api.Quiet{}) {
		t.Errorf("quiet %+v", c.Quiet())
	}
	until := time.Now().Add(time.Hour)
	if err := c.SetQuiet(t.Context(), until); err != nil || !c.Quiet().On {
		t.Errorf("quiet %+v, %v", c.Quiet(), err)
	}
	if err := c.SetQuiet(t.Context(), time.Time{}); err != nil || c.Quiet() != (api.Quiet{}) {
		t.Errorf("quiet ended: %+v, %v", c.Quiet(), err)
	}
}

func TestSounds(t *testing.T) {
	b := openBus(t)
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "hub.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	room, err := chimes.New(t.Context(), db, b, nil, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	room.Apply([]chimes.Chime{{ID: "browser", Name: "Browser", Builtin: "browser", Sound: "ding_dong", Volume: 60}})
	c, sounds := house.Chimes(room)
	l, err := sounds.Listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	played := make(chan api.Played, 1) // one answer
	go func() {
		p, err := c.Test(context.WithoutCancel(t.Context()), "browser")
		if err != nil {
			t.Error(err)
		}
		played <- p
	}()
	s, err := l.Next(t.Context())
	if err != nil || s.Chime != "browser" || s.Sound != "ding_dong" || s.Volume != 60 || !s.Test || s.EventID == "" {
		t.Fatalf("sound %+v, %v", s, err)
	}
	sounds.Sounded(s.EventID, s.Chime, 12*time.Millisecond)
	if p := <-played; !p.Played {
		t.Errorf("played %+v", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("next after the end: %v", err)
	}
}

// wall stands for plugin processes.
type wall struct {
	status []supervisor.Status
	asked  *pb.Command
	reply  *pb.Reply
}

func (w *wall) Status() []supervisor.Status           { return w.status }
func (w *wall) Restart(context.Context, string) error { return nil }
func (w *wall) Logs(string, int) []supervisor.LogLine {
	return []supervisor.LogLine{{Level: "info", Text: "x", Attrs: map[string]string{"b": "2", "a": "1"}}}
}
func (w *wall) Plugin(string) (supervisor.Status, bool) { return w.status[0], true }

func (w *wall) Command(_ context.Context, _ string, c *pb.Command) (*pb.Reply, error) {
	w.asked = c
	return w.reply, nil
}

func TestPlugins(t *testing.T) {
	w := &wall{status: []supervisor.Status{
		{Name: "speaker", State: supervisor.Blocked, Code: "E-PLUGIN-NOT-FOUND"},
		{Name: "demo", State: supervisor.Running, Actions: []supervisor.Action{{Name: "ring", Role: "control", Input: "{}"}, {Name: "odd", Input: "{"}}},
	}}
	p := house.Plugins(w)
	list := p.Plugins()
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if list[0].Name != "demo" || list[1].Code != "E-PLUGIN-NOT-FOUND" || strings.Contains(string(b), "null") {
		t.Errorf("list %s", b)
	}
	if lines := p.Logs("demo", 1); lines[0].Fields != "a=1 b=2" {
		t.Errorf("logs %+v", lines)
	}
	for _, c := range []struct {
		who                access.Identity
		reply              *pb.Reply
		caller, role, want string
	}{
		{access.Identity{User: "owner", Role: access.RoleOwner, Via: access.ViaSocket}, &pb.Reply{R: &pb.Reply_Action{Action: &pb.ActionResult{Output: `{"ok":1}`}}}, "cli", "admin", `{"ok":1}`},
		{access.Identity{User: "kim", Role: access.RoleMember, Via: access.ViaSession}, &pb.Reply{R: &pb.Reply_Action{Action: &pb.ActionResult{}}}, "kim", "control", "null"},
		{access.Identity{User: "kim", Role: access.RoleMember}, &pb.Reply{R: &pb.Reply_Action{Action: &pb.ActionResult{Output: "no json"}}}, "kim", "control", "E-API-ACTION"},
		{access.Identity{User: "kim", Role: access.RoleMember}, &pb.Reply{Error: &pb.Error{Code: pb.Code_CODE_INVALID, Message: "no such camera"}}, "kim", "control", "E-API-ACTION"},
	} {
		w.reply = c.reply
		out, err := p.Act(access.With(t.Context(), c.who), "demo", "ring", json.RawMessage(`{"camera":"x"}`))
		got := string(out)
		if err != nil {
			got = api.Describe(err).Code()
		}
		a := w.asked.GetAction()
		if got != c.want || a.GetCaller() != c.caller || a.GetRole() != c.role || a.GetInput() != `{"camera":"x"}` || w.asked.GetDeadline().AsDuration() <= 0 {
			t.Errorf("act: %s, want %s; asked %v", got, c.want, w.asked)
		}
	}
}
