package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// grace is how late the kit takes an answer that has a deadline: a busy machine is
// not the plugin's fault.
const grace = 5 * time.Second

// Start runs the plugin inside the test, configured and with both streams open,
// until the test ends. All methods of the hub may be called at once.
func Start(t testing.TB, newPlugin func() sdk.Plugin, o Options) *Hub {
	t.Helper()
	s, err := newSession(t.Context(), inProcess{newPlugin}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.end()
		if t.Failed() {
			t.Logf("the plugin's stderr:\n%s", s.run.stderr())
		}
	})
	if err := s.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s.hub
}

// session is one running plugin with its hub and its folders.
type session struct {
	run  *running
	hub  *Hub
	o    Options
	made []string // folders to remove
	over bool
}

// newSession starts a plugin and describes it.
func newSession(ctx context.Context, t target, o Options) (*session, error) {
	s := &session{o: o}
	for _, d := range []*string{&s.o.DataDir, &s.o.InstanceDir} {
		if *d != "" {
			continue
		}
		dir, err := os.MkdirTemp("", "plt")
		if err != nil {
			return nil, err
		}
		s.made, *d = append(s.made, dir), dir
	}
	var err error
	if s.run, err = t.start(s.o.InstanceDir, s.o.Env); err != nil {
		s.clean()
		if s.run != nil && s.run.stderr != nil {
			return nil, fmt.Errorf("%w; stderr: %.400s", err, s.run.stderr())
		}
		return nil, err
	}
	if s.hub, err = newHub(s.run, s.o); err == nil {
		err = s.hub.describe(ctx)
	}
	if err != nil {
		s.end()
		return nil, fmt.Errorf("%w; stderr: %.400s", err, s.run.stderr())
	}
	if s.hub.o.Entry == "" {
		words := strings.Split(s.hub.desc.GetId(), ".")
		s.hub.o.Entry = words[len(words)-1]
	}
	return s, nil
}

// ready configures the plugin with all that it asks for, and opens the streams.
func (s *session) ready(ctx context.Context) error {
	r, err := s.hub.configure(ctx, s.o.Config, true)
	switch {
	case err != nil:
		return fmt.Errorf("configure: %w", err)
	case r.GetError() != nil:
		return fmt.Errorf("configure: %s", r.GetError().GetMessage())
	case r.GetOutcome() != pb.ConfigureResult_OUTCOME_APPLIED:
		return fmt.Errorf("configure: the first config was answered %s, want applied", r.GetOutcome())
	}
	return s.hub.open(context.WithoutCancel(ctx))
}

func (s *session) end() {
	if s.over {
		return
	}
	s.over = true
	if s.hub != nil {
		s.hub.breakStreams()
	}
	s.run.kill()
	if s.hub != nil && s.hub.media != nil {
		s.hub.media.close()
	}
	s.clean()
}

func (s *session) clean() {
	for _, d := range s.made {
		_ = os.RemoveAll(d)
	}
}

// alive tells whether the plugin still runs.
func (s *session) alive() bool {
	select {
	case <-s.run.exited:
		return false
	default:
		return true
	}
}

// Manifest is the plugin's own.
func (h *Hub) Manifest() manifest.Manifest { return h.man }

// Events are what the plugin has published so far, without repeats.
func (h *Hub) Events() []sdk.Event { return h.snapshotEvents() }

// Await waits for an event that the plugin published, or will publish.
func (h *Hub) Await(ctx context.Context, want func(sdk.Event) bool) (found sdk.Event, err error) {
	err = h.await(ctx, func() bool {
		for _, e := range h.events {
			if want(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found, err
}

// AwaitUnits waits until the plugin has pushed n more units of a stream, and returns the newest ones.
func (h *Hub) AwaitUnits(ctx context.Context, camera, stream string, n int) ([]*av.Unit, []av.Track, error) {
	m, name, seen := h.media, camera+"/"+stream, 0
	var last *av.Unit
	for {
		m.mu.Lock()
		units, tracks, changed := m.pushed[name], m.tracks[name], m.changed
		m.mu.Unlock()
		if len(units) > 0 && units[len(units)-1] != last {
			last = units[len(units)-1]
			seen++
		}
		if seen >= n {
			return units, tracks, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return units, tracks, fmt.Errorf("stream %s: %d of %d units: %w", name, seen, n, ctx.Err())
		}
	}
}

// Deliver hands an event to the plugin's Bridge and waits for the ack: nil when the
// handler was content, or its error.
func (h *Hub) Deliver(ctx context.Context, e sdk.Event, replay bool) error {
	if e.ID == "" {
		e.ID = event.NewID()
	}
	if e.Seq == 0 {
		e.Seq = h.nextSeq()
	}
	if e.Received.IsZero() {
		e.Received = time.Now()
	}
	if err := h.deliver(e, 0, replay); err != nil {
		return err
	}
	a, err := h.acked(ctx, e.Seq)
	if err != nil {
		return err
	}
	return answered(a.GetError())
}

func answered(e *pb.Error) error {
	if e == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", e.GetCode(), e.GetMessage())
}

// Play sends chime.play. With replay the plugin must stay silent.
func (h *Hub) Play(ctx context.Context, r sdk.PlayRequest, replay bool) (sdk.PlayResult, error) {
	m := &pb.ChimePlay{
		Chime: r.Chime, Sound: r.Sound, EventId: r.EventID, Camera: r.Camera, CameraName: r.CameraName,
		Age: durationpb.New(r.Age), IgnoreOlderThan: durationpb.New(15 * time.Second), Replay: replay, Test: r.Test, Repeat: uint32(r.Repeat),
	}
	if r.Volume != nil {
		v := uint32(*r.Volume)
		m.Volume = &v
	}
	reply, err := h.ask(ctx, &pb.Command{C: &pb.Command_ChimePlay{ChimePlay: m}})
	p := reply.GetChimePlayed()
	return sdk.PlayResult{Played: p.GetPlayed(), Sound: p.GetSound(), Reason: p.GetReason(), Took: p.GetTook().AsDuration()}, err
}

// StopPlaying sends chime.stop.
func (h *Hub) StopPlaying(ctx context.Context, chime string) error {
	_, err := h.ask(ctx, &pb.Command{C: &pb.Command_ChimeStop{ChimeStop: &pb.ChimeStop{Chime: chime}}})
	return err
}

// Snapshot asks the plugin for a JPEG, which comes over the media socket.
func (h *Hub) Snapshot(ctx context.Context, camera string, width, height int) (sdk.Image, error) {
	token := h.media.token(camera, "snapshot")
	r, err := h.ask(ctx, &pb.Command{C: &pb.Command_CameraSnapshot{CameraSnapshot: &pb.CameraSnapshot{
		Camera: camera, Width: uint32(width), Height: uint32(height), Reason: "owner", Token: token,
	}}})
	if err != nil {
		return sdk.Image{}, err
	}
	u, err := h.media.image(ctx, token)
	if err != nil {
		return sdk.Image{}, fmt.Errorf("snapshot: answered, but no picture came over the media socket: %w", err)
	}
	s := r.GetSnapshot()
	return sdk.Image{JPEG: u.Data, Taken: s.GetTaken().AsTime(), Width: int(s.GetWidth()), Height: int(s.GetHeight())}, nil
}

// Source asks where a camera's pictures come from; true: the plugin pushes them.
func (h *Hub) Source(ctx context.Context, camera string) (push bool, err error) {
	r, err := h.ask(ctx, &pb.Command{C: &pb.Command_CameraSource{CameraSource: &pb.CameraSource{Camera: camera}}})
	return r.GetSource().GetPush(), err
}

// Action calls one of the plugin's actions.
func (h *Hub) Action(ctx context.Context, name string, input json.RawMessage) (json.RawMessage, error) {
	r, err := h.ask(ctx, &pb.Command{C: &pb.Command_Action{Action: &pb.Action{Name: name, Input: string(input), Caller: "test", Role: "admin"}}})
	return json.RawMessage(r.GetAction().GetOutput()), err
}

// Talk sends speech to the door until speech is at its end (io.EOF).
func (h *Hub) Talk(ctx context.Context, camera string, track av.Track, speech func() (*av.Unit, error)) error {
	token, conn := h.media.talkToken(track)
	_, err := h.ask(ctx, &pb.Command{C: &pb.Command_CameraTalk{CameraTalk: &pb.CameraTalk{
		Camera: camera, Talker: "test", Token: token,
		Track: &pb.Track{Id: uint32(track.ID), Kind: string(track.Kind), Codec: string(track.Codec), ClockRate: track.ClockRate, SampleRate: uint32(track.SampleRate), Channels: uint32(track.Channels)},
	}}})
	if err != nil {
		return err
	}
	select {
	case w := <-conn:
		defer w.Close()
		for {
			u, err := speech()
			if errors.Is(err, io.EOF) {
				w.End("")
				return w.Flush(grace)
			}
			if err != nil {
				return err
			}
			if err := w.Wait(ctx, len(u.Data)); err != nil {
				return err
			}
			w.Unit(u)
			if err := w.Flush(grace); err != nil {
				return err
			}
		}
	case <-ctx.Done():
		return fmt.Errorf("talk: the plugin did not come for the speech: %w", ctx.Err())
	}
}

// Reconfigure hands over a changed config; true: the plugin asks to be started anew.
func (h *Hub) Reconfigure(ctx context.Context, config json.RawMessage, devices []sdk.Device) (restart bool, err error) {
	if devices != nil {
		h.o.Devices = devices
	}
	r, err := h.configure(ctx, config, true)
	if err != nil {
		return false, err
	}
	return r.GetOutcome() == pb.ConfigureResult_OUTCOME_RESTART_NEEDED, answered(r.GetError())
}

// Check asks what is wrong with a config.
func (h *Hub) Check(ctx context.Context, config json.RawMessage) ([]sdk.Problem, error) {
	r, err := h.client.Check(ctx, &pb.CheckRequest{Config: string(config), Devices: h.devices()})
	var out []sdk.Problem
	for _, p := range r.GetProblems() {
		out = append(out, sdk.Problem{Path: p.GetPath(), Message: p.GetMessage(), Fix: p.GetFix()})
	}
	return out, err
}

// Health asks how the parts are.
func (h *Hub) Health(ctx context.Context) ([]sdk.Part, error) {
	r, err := h.client.Health(ctx, &pb.HealthRequest{})
	var out []sdk.Part
	for _, p := range r.GetParts() {
		out = append(out, sdk.Part{Name: p.GetPart(), State: sdk.PartState(p.GetState()), Reason: p.GetReason(), Fix: p.GetFix(), Since: p.GetSince().AsTime()})
	}
	return out, err
}

// Stop asks the plugin to stop, as the hub does.
func (h *Hub) Stop(ctx context.Context) error {
	_, err := h.client.Stop(ctx, &pb.StopRequest{Deadline: durationpb.New(5 * time.Second), Reason: "shutdown"})
	return err
}

// Reconnect breaks both streams and opens them anew; what was unanswered comes again.
func (h *Hub) Reconnect(ctx context.Context) error {
	h.breakStreams()
	return h.open(context.WithoutCancel(ctx))
}

// Refuse answers all calls and publishes with "not permitted" from now on, or no longer.
func (h *Hub) Refuse(on bool) {
	h.note(func() {
		h.refuse = 0
		if on {
			h.refuse = pb.Code_CODE_DENIED
		}
	})
}

// Logs are the messages that came over the Link.
func (h *Hub) Logs() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]string, len(h.logs))
	for i, l := range h.logs {
		out[i] = l.GetLevel() + ": " + l.GetMessage()
	}
	return out
}

// ask sends a command and turns a refusal into an error.
func (h *Hub) ask(ctx context.Context, c *pb.Command) (*pb.Reply, error) {
	r, err := h.command(ctx, c)
	if err != nil {
		return nil, err
	}
	return r, answered(r.GetError())
}
