package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/chimes"
	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/registry"
	"github.com/porchlight-hub/porchlight/hub/supervisor"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// restartOverloadedAfter: a plugin that is over its rates for so long is started anew.
const restartOverloadedAfter = time.Minute

func (h *Hub) openSupervisor() error {
	c := h.opts.Config
	var err error
	h.super, err = supervisor.New(supervisor.Options{
		Exe:           h.opts.Exe,
		RunDir:        os.Getenv("XDG_RUNTIME_DIR"),
		PluginDataDir: filepath.Join(h.opts.DataDir, "plugin-data"),
		PluginPath:    append(slices.Clone(c.Hub.PluginPath), "bin"),
		Host:          pluginSide{h},
		Log:           h.log,
		HubVersion:    h.opts.Version,
		HubName:       c.Hub.Name,
		Timezone:      c.Hub.Timezone,
		Mask:          h.secrets.Redact,
	})
	return err
}

// pluginSide is the host as the supervisor knows it. The two rooms do not know each
// other; this is the wall between them.
type pluginSide struct{ h *Hub }

func (p pluginSide) Grant(s supervisor.Spec, d *pb.Description) (*pb.Grant, error) {
	if s.Path != "" {
		if err := p.h.checkPath(s.Name, d); err != nil {
			return nil, err
		}
	}
	return p.h.host.Grant(s.Name, s.Path == "", s.Permissions, d)
}

func (p pluginSide) Started(plugin, instanceDir string, _ int) {
	if err := p.h.socket.Listen(plugin, instanceDir); err != nil {
		p.h.log.Error("plugin has no media socket: it can neither push nor read pictures", "plugin", plugin, "err", err)
	}
}

func (p pluginSide) Stopped(plugin string) {
	if err := p.h.socket.Close(plugin); err != nil {
		p.h.log.Warn("media socket not closed", "plugin", plugin, "err", err)
	}
	p.h.releaseHolds(plugin)
}

func (p pluginSide) Publish(ctx context.Context, plugin string, urgent bool, ev *pb.Event, done func(*pb.PublishResult)) {
	p.h.host.Publish(ctx, plugin, urgent, ev, done)
}

func (p pluginSide) Call(ctx context.Context, plugin string, c *pb.HubCall) *pb.HubReply {
	return p.h.host.Call(ctx, plugin, c)
}

func (p pluginSide) Connected(plugin string, out supervisor.Outbox) supervisor.Session {
	s, err := p.h.host.Connected(plugin, out)
	if err != nil {
		p.h.log.Error("plugin gets no events", "plugin", plugin, "err", err)
		return nothing{}
	}
	return s
}

// Refused devices are left out of the plugin's config; their owner is told where the
// fault stands.
func (p pluginSide) Refused(plugin string, devices map[string][]*pb.Problem) {
	faults := map[string]error{}
	var all []refusal
	for id, list := range devices {
		for _, x := range list {
			r := refusal{device: id, key: key(id, x.GetPath()), message: p.h.secrets.Redact(x.GetMessage()), fix: p.h.secrets.Redact(x.GetFix())}
			all = append(all, r)
			if faults[id] == nil {
				faults[id] = &r
			}
		}
	}
	p.h.state.refuse(plugin, all)
	p.h.sources.Refused(plugin, faults)
	p.h.web.Changed()
}

// key is what stands behind the device in a path such as devices/yard/url, as the
// config writes it.
func key(device, path string) string {
	_, rest, _ := strings.Cut(path, "devices/"+device+"/")
	return strings.ReplaceAll(rest, "/", ".")
}

// Configured: what it says of its cameras may be another now.
func (p pluginSide) Configured(plugin string) {
	p.h.sources.Configured(plugin)
	p.h.described.Configured(plugin)
}

// nothing is the session of a plugin whose entry went while it connected.
type nothing struct{}

func (nothing) Ack(bool, *pb.EventAck) {}
func (nothing) Close()                 {}

func (p pluginSide) Log(string, *pb.Log) {} // the supervisor keeps the lines

func (p pluginSide) Repair(plugin string, r *pb.Repair) {
	mask := p.h.secrets.Redact
	p.h.host.Repair(plugin, &pb.Repair{Key: r.GetKey(), Closed: r.GetClosed(), Title: mask(r.GetTitle()), Effect: mask(r.GetEffect()), Fix: mask(r.GetFix()), Action: r.GetAction()})
}

// StateChanged makes a plugin's state an event of the house, and tells the log what
// an owner wants to read tomorrow.
func (p pluginSide) StateChanged(st supervisor.Status) {
	switch st.State {
	case supervisor.Backoff, supervisor.Degraded:
		p.h.log.Warn("plugin is "+string(st.State), "plugin", st.Name, "code", st.Code, "reason", st.Reason)
	case supervisor.Failed, supervisor.Blocked:
		level := slog.LevelError
		if st.Optional {
			level = slog.LevelWarn
		}
		p.h.log.Log(context.Background(), level, "plugin is "+string(st.State), "plugin", st.Name, "code", st.Code, "reason", st.Reason, "fix", st.Fix)
	case supervisor.Running:
		p.h.log.Info("plugin is running", "plugin", st.Name, "pid", st.PID)
	}
	e := event.Event{ID: event.NewID(), Type: event.TypePlugin, Subject: "plugin." + st.Name + ".state", Observed: time.Now(),
		Data: event.PluginState{Plugin: st.Name, State: string(st.State), Code: st.Code, Reason: st.Reason}}
	select {
	case p.h.states <- e:
	default: // watchDevices is behind by many; the next change tells the latest
	}
}

// lookAgain is how often a press looks whether the chime's plugin is up.
const lookAgain = 20 * time.Millisecond

// player reaches plugin chimes.
type player struct{ h *Hub }

// command waits for a plugin that is about to run, as long as the press may be old:
// a chime that is just being started rings a moment later, not never.
func (p player) command(ctx context.Context, plugin string, c *pb.Command) (*pb.Reply, error) {
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		reply, err := p.h.super.Command(ctx, plugin, c)
		var coded interface{ Code() string }
		if !errors.As(err, &coded) || coded.Code() != "E-PLUGIN-NOT-RUNNING" {
			return reply, err
		}
		st, ok := p.h.super.Plugin(plugin)
		coming := st.State.Alive() || st.State == supervisor.Starting || st.State == supervisor.Configuring || st.State == supervisor.Backoff
		if !ok || !coming {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

func (p player) Play(ctx context.Context, plugin string, r chimes.Play) (chimes.Played, error) {
	volume := uint32(max(0, min(r.Volume, 100)))
	reply, err := p.command(ctx, plugin, &pb.Command{IdempotencyKey: r.EventID + "/" + r.Chime, C: &pb.Command_ChimePlay{ChimePlay: &pb.ChimePlay{
		Chime: r.Chime, Sound: r.Sound, Volume: &volume, EventId: r.EventID, Camera: r.Camera, CameraName: r.CameraName,
		Age: durationpb.New(r.Age), IgnoreOlderThan: durationpb.New(r.IgnoreOlderThan), Test: r.Test}}})
	if err != nil {
		return chimes.Played{}, err
	}
	if e := reply.GetError(); e != nil {
		return chimes.Played{Reason: e.GetMessage()}, nil
	}
	got := reply.GetChimePlayed()
	return chimes.Played{Played: got.GetPlayed(), Reason: got.GetReason(), Sound: got.GetSound(), Took: got.GetTook().AsDuration()}, nil
}

// cameraList is the registry as the host knows it.
type cameraList struct{ h *Hub }

func (l cameraList) Camera(id string) (host.Camera, bool) {
	d, ok := l.h.registry.Device(id)
	return camera(d), ok
}

func (l cameraList) Cameras() []host.Camera {
	var out []host.Camera
	for _, d := range l.h.registry.Devices() {
		out = append(out, camera(d))
	}
	return out
}

// Saw notes that a camera was heard of.
func (l cameraList) Saw(id string, at time.Time) { l.h.registry.Saw(id, at) }

func camera(d registry.Device) host.Camera {
	return host.Camera{ID: d.ID, Name: d.Name, Kind: d.Kind, Plugin: d.Plugin, Online: d.Online, Talk: d.Talk, IgnoreOlderThan: d.IgnoreOlderThan}
}

// manners tells of a plugin that publishes too much: first on its card, then by a restart.
type manners struct{ h *Hub }

func (m manners) Overloaded(plugin string, since time.Time, detail string) {
	m.h.host.Repairs().Open(plugin, host.Repair{Key: "overload", Title: "Plugin " + plugin + " publishes too much",
		Effect: detail + "; what is over it is refused, and nobody else is slowed",
		Fix:    "look at its log; if the rate is right, raise plugins." + plugin + ".limits.rates"})
	if time.Since(since) < restartOverloadedAfter {
		return
	}
	m.h.log.Warn("plugin is over its rates and is started again", "plugin", plugin, "since", since)
	if err := m.h.super.Restart(context.Background(), plugin); err != nil {
		m.h.log.Warn("plugin not restarted", "plugin", plugin, "err", err)
	}
}

// commander reaches the supervisor, which is built after the host.
type commander struct{ h *Hub }

func (c commander) Command(ctx context.Context, plugin string, cmd *pb.Command) (*pb.Reply, error) {
	return c.h.super.Command(ctx, plugin, cmd)
}

// Ring rings on behalf of a person. Where the plugin declares an action "ring" the
// press goes through it, as a press at the door would; else, and while the plugin is
// away, the hub makes it.
func (h *Hub) Ring(ctx context.Context, id string, test bool) (string, error) {
	d, ok := h.registry.Device(id)
	if !ok {
		return "", fmt.Errorf("camera %q: %w", id, api.ErrNotFound)
	}
	if st, ok := h.super.Plugin(d.Plugin); ok && slices.ContainsFunc(st.Actions, func(a supervisor.Action) bool { return a.Name == "ring" }) {
		id, err := h.ringByPlugin(ctx, d, test)
		var coded interface{ Code() string }
		if !errors.As(err, &coded) || coded.Code() != "E-PLUGIN-NOT-RUNNING" {
			return id, err
		}
	}
	return h.press(ctx, d, "hub", test)
}

// press publishes a ring of the hub's own. One that the camera's debounce takes for the
// press before is that press.
func (h *Hub) press(ctx context.Context, d registry.Device, source string, test bool) (string, error) {
	e := event.New(event.TypeRing, d.ID, event.Ring{Test: test})
	e.Source, e.CameraName, e.Correlation = source, d.Name, e.ID
	h.registry.Saw(d.ID, time.Now())
	result, err := h.bus.PublishWait(ctx, e)
	if err != nil {
		return "", fmt.Errorf("camera %s: ring: %w", d.ID, err)
	}
	if result.Outcome != event.Duplicate {
		return e.ID, nil
	}
	last, err := h.bus.Events(ctx, bus.Query{Camera: d.ID, Types: []event.Type{event.TypeRing}, Limit: 1})
	if err != nil || len(last) == 0 {
		return "", err
	}
	return last[0].ID, nil
}

// hookRinger rings for whoever has a hook's address: no plugin is asked, since the
// button on the wall is not the plugin's.
type hookRinger struct{ h *Hub }

func (r hookRinger) Ring(ctx context.Context, id string, test bool) (string, error) {
	d, ok := r.h.registry.Device(id)
	if !ok {
		return "", fmt.Errorf("camera %q: %w", id, api.ErrNotFound)
	}
	return r.h.press(ctx, d, "hook", test)
}

func (h *Hub) ringByPlugin(ctx context.Context, d registry.Device, test bool) (string, error) {
	input, err := json.Marshal(map[string]any{"camera": d.ID, "test": test})
	if err != nil {
		return "", err
	}
	out, err := h.Act(ctx, d.Plugin, "ring", input)
	if err != nil {
		return "", fmt.Errorf("camera %s: ring: %w", d.ID, err)
	}
	var answer struct {
		Event string `json:"event"`
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Event == "" {
		return "", fmt.Errorf("camera %s: ring: plugin %s did not name the event", d.ID, d.Plugin)
	}
	return answer.Event, nil
}

// Act calls one declared action of a plugin.
func (h *Hub) Act(ctx context.Context, plugin, action string, input json.RawMessage) (json.RawMessage, error) {
	reply, err := h.super.Command(ctx, plugin, &pb.Command{C: &pb.Command_Action{Action: &pb.Action{Name: action, Input: string(input), Caller: "owner", Role: "admin"}}})
	if err != nil {
		return nil, err
	}
	if e := reply.GetError(); e != nil {
		return nil, &actionError{plugin: plugin, action: action, err: e}
	}
	return json.RawMessage(reply.GetAction().GetOutput()), nil
}

// actionError is a plugin's own answer that something did not go.
type actionError struct {
	plugin, action string
	err            *pb.Error
}

func (e *actionError) Error() string {
	return fmt.Sprintf("plugin %s: %s: %s", e.plugin, e.action, e.err.GetMessage())
}

// Code for `porchlight explain`.
func (e *actionError) Code() string { return "E-PLUGIN-ACTION" }

// Hint says how to mend it.
func (e *actionError) Hint() string { return "porchlight plugins logs " + e.plugin + " may tell more" }
