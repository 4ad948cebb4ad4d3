package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// settleTime is how long the kit looks on while a plugin does what it does by itself.
const settleTime = 500 * time.Millisecond

// look waits for settleTime, or for ctx.
func look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	<-ctx.Done()
}

// device is the first one of a kind; chimes are kind chime.
func (s *session) device(chime bool) string {
	for _, d := range s.hub.o.Devices {
		if (d.Kind == "chime") == chime {
			return d.ID
		}
	}
	return "none"
}

// commandsBy makes a harmless command of each name. camera.talk is left out: it needs a talker.
func (s *session) commandsBy() map[string]*pb.Command {
	camera, chime := s.device(false), s.device(true)
	return map[string]*pb.Command{
		"camera.source":    {C: &pb.Command_CameraSource{CameraSource: &pb.CameraSource{Camera: camera}}},
		"camera.snapshot":  {C: &pb.Command_CameraSnapshot{CameraSnapshot: &pb.CameraSnapshot{Camera: camera, Reason: "owner", Token: s.hub.media.token(camera, "snapshot")}}},
		"camera.key_frame": {C: &pb.Command_CameraKeyFrame{CameraKeyFrame: &pb.CameraKeyFrame{Camera: camera, Stream: "main"}}},
		"chime.play":       {C: &pb.Command_ChimePlay{ChimePlay: &pb.ChimePlay{Chime: chime, EventId: event.NewID(), Test: true}}},
		"chime.stop":       {C: &pb.Command_ChimeStop{ChimeStop: &pb.ChimeStop{Chime: chime}}},
		"camera.demand":    {C: &pb.Command_CameraDemand{CameraDemand: &pb.CameraDemand{Camera: camera, Stream: "main", Reason: "viewer"}}},
		"device.describe":  {C: &pb.Command_DeviceDescribe{DeviceDescribe: &pb.DeviceDescribe{Device: camera}}},
		"notify.send":      {C: &pb.Command_NotifySend{NotifySend: &pb.NotifySend{Title: "Conformance test", Body: "Nothing happened.", Priority: "low"}}},
		"device.identify":  {C: &pb.Command_DeviceIdentify{DeviceIdentify: &pb.DeviceIdentify{Device: camera}}},
		"device.act":       {C: &pb.Command_DeviceAct{DeviceAct: &pb.DeviceAct{Device: camera, Act: &pb.DeviceAct_LightSet{LightSet: &pb.LightSet{Light: "light"}}}}},
		"test.selfcheck":   {C: &pb.Command_Selfcheck{Selfcheck: &pb.SelfCheck{}}},
		"action":           {C: &pb.Command_Action{Action: &pb.Action{Name: "no.such.action", Caller: "test", Role: "admin"}}},
	}
}

func ruleCommands(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		var errs []error
		for name, c := range s.commandsBy() {
			r, err := s.hub.command(ctx, c)
			listed := slices.Contains(s.hub.desc.GetCommands(), name)
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			case r.GetError() == nil && r.GetR() == nil:
				errs = append(errs, fmt.Errorf("%s: the reply is empty", name))
			case !listed && r.GetError() == nil:
				errs = append(errs, fmt.Errorf("%s: answered, though Describe does not list it", name))
			case name == "action" && listed && r.GetError() == nil:
				errs = append(errs, errors.New("action: an action that the plugin does not have was answered as done"))
			}
		}
		return errors.Join(errs...)
	})
}

func ruleDeadline(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		var errs []error
		for name, c := range s.commandsBy() {
			c.Deadline = durationpb.New(50 * time.Millisecond)
			if _, err := s.hub.command(ctx, c); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
		return errors.Join(errs...)
	})
}

func ruleRepeatedCommand(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		tried := 0
		for _, name := range []string{"chime.play", "notify.send", "device.identify"} {
			if !slices.Contains(s.hub.desc.GetCommands(), name) {
				continue
			}
			tried++
			c := s.commandsBy()[name]
			c.IdempotencyKey = event.NewID()
			first, err := s.hub.command(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			again, err := s.hub.command(ctx, c)
			if err != nil {
				return fmt.Errorf("%s again: %w", name, err)
			}
			first.Id, again.Id = "", ""
			if first.GetError() == nil && !proto.Equal(first, again) {
				return fmt.Errorf("%s under the same key was answered (%v), and at first (%v)", name, again, first)
			}
		}
		if tried == 0 {
			return skip("the plugin answers no command that must not be carried out twice")
		}
		return nil
	})
}

func ruleSilentReplay(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		if !s.hub.man.Has(manifest.Chime) {
			return skip("the plugin is no chime")
		}
		for what, m := range map[string]*pb.ChimePlay{
			"a replay":                      {Replay: true},
			"a ring of 60 s, with 15 asked": {Age: durationpb.New(time.Minute), IgnoreOlderThan: durationpb.New(15 * time.Second)},
		} {
			m.Chime, m.EventId = s.device(true), event.NewID()
			r, err := s.hub.command(ctx, &pb.Command{C: &pb.Command_ChimePlay{ChimePlay: m}})
			switch {
			case err != nil:
				return err
			case r.GetChimePlayed().GetPlayed():
				return fmt.Errorf("%s was played", what)
			case r.GetChimePlayed().GetReason() == "":
				return fmt.Errorf("%s was not played, and the answer does not say why", what)
			}
		}
		return nil
	})
}

// provoke has the plugin do what it can: it gets time, and an event of each kind it hears.
func (s *session) provoke(ctx context.Context) error {
	for _, e := range s.heard(3) {
		if err := s.hub.deliver(e, 0, false); err != nil {
			return err
		}
	}
	for name, c := range s.commandsBy() {
		if slices.Contains(s.hub.desc.GetCommands(), name) {
			if _, err := s.hub.command(ctx, c); err != nil {
				return err
			}
		}
	}
	look(ctx)
	return nil
}

// heard makes n events that the manifest's subscribe filters take.
func (s *session) heard(n int) []sdk.Event {
	var out []sdk.Event
	kinds := []sdk.Event{
		event.New(event.TypeRing, "front_door", event.Ring{}),
		event.New(event.TypeMotion, "front_door", event.Motion{Active: true}),
		event.New(event.TypePerson, "front_door", event.Detection{Label: "person", Active: true}),
		event.New(event.TypeOnline, "front_door", event.Online{Online: true}),
		{Type: event.TypeSystem, Subject: "system.time", Data: event.System{Kind: "time"}},
		{Type: event.TypeAlert, Subject: "neighborhood.alert", Data: event.Alert{Text: "test"}},
	}
	taken := slices.DeleteFunc(kinds, func(e sdk.Event) bool { return !event.MatchAny(s.hub.man.Permissions.Subscribe, e.Subject) })
	for i := 0; len(taken) > 0 && i < n; i++ {
		e := taken[i%len(taken)]
		e.ID, e.Seq, e.Received = event.NewID(), s.hub.nextSeq(), time.Now()
		out = append(out, e)
	}
	return out
}

func rulePublishes(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		if err := s.provoke(ctx); err != nil {
			return err
		}
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		s.hub.media.mu.Lock()
		defer s.hub.media.mu.Unlock()
		if bad := append(slices.Clone(s.hub.bad), s.hub.media.bad...); len(bad) > 0 {
			return fmt.Errorf("%d were wrong, first: %s", len(bad), bad[0])
		}
		return nil
	})
}

func ruleUnknown(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		// Field 1000, which no protocol 1 has, with one byte in it.
		raw := protowire.AppendBytes(protowire.AppendTag(nil, 1000, protowire.BytesType), []byte{1})
		newer, newerUrgent := &pb.FromHub{}, &pb.UrgentFromHub{}
		newer.ProtoReflect().SetUnknown(raw)
		newerUrgent.ProtoReflect().SetUnknown(raw)
		if err := errors.Join(s.hub.link.put(newer), s.hub.urgent.put(newerUrgent)); err != nil {
			return err
		}
		r, err := s.hub.command(ctx, &pb.Command{})
		if err != nil {
			return fmt.Errorf("a command of a newer hub: %w", err)
		}
		if r.GetError() == nil {
			return errors.New("a command of a newer hub was answered as done")
		}
		// An answer over Urgent comes after what was sent there before it.
		if _, err := s.hub.command(ctx, &pb.Command{C: &pb.Command_ChimeStop{ChimeStop: &pb.ChimeStop{Chime: s.device(true)}}}); err != nil {
			return fmt.Errorf("a command over Urgent after a message of a newer hub: %w", err)
		}
		if len(s.hub.man.Permissions.Subscribe) > 0 {
			if err := s.newerEvent(ctx); err != nil {
				return err
			}
		}
		return s.healthy(ctx)
	})
}

// newerEvent delivers an event of a type that protocol 1 did not have at first.
func (s *session) newerEvent(ctx context.Context) error {
	e := event.New("eclipse", "front_door", nil)
	e.Seq = s.hub.nextSeq()
	if err := s.hub.deliver(e, 0, false); err != nil {
		return err
	}
	a, err := s.hub.acked(ctx, e.Seq)
	if err != nil {
		return fmt.Errorf("an event of a type that it does not know: %w", err)
	}
	if a.GetError() != nil {
		return fmt.Errorf("an event of a type that it does not know was refused, and would come again: %s", a.GetError().GetMessage())
	}
	return nil
}

func ruleDenied(ctx context.Context, b *bench) error { return b.refused(ctx, pb.Code_CODE_DENIED) }
func ruleNotYet(ctx context.Context, b *bench) error { return b.refused(ctx, pb.Code_CODE_NOT_YET) }

// refused gives the plugin no permission at all and refuses what it asks.
func (b *bench) refused(ctx context.Context, code pb.Code) error {
	return b.with(ctx, false, func(s *session) error {
		s.hub.note(func() { s.hub.refuse = code })
		if r, err := s.hub.configure(ctx, s.o.Config, code == pb.Code_CODE_NOT_YET); err != nil || r.GetError() != nil {
			return errors.Join(errors.New("configure without permissions"), err, answered(r.GetError()))
		}
		if err := s.hub.open(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		if err := s.provoke(ctx); err != nil {
			return err
		}
		if !s.alive() {
			return errors.New("the plugin ended")
		}
		return s.healthy(ctx)
	})
}

func ruleReconnect(ctx context.Context, b *bench) error {
	return b.with(ctx, false, func(s *session) error {
		// Nothing is answered at first, so that what the plugin publishes stays unanswered.
		s.hub.note(func() { s.hub.answer = func(*pb.Event) *pb.PublishResult { return nil } })
		if err := s.ready(ctx); err != nil {
			return err
		}
		if err := s.hub.deliverAll(s.heard(3)); err != nil {
			return err
		}
		look(ctx)
		s.hub.breakStreams()
		var open []string
		s.hub.note(func() {
			s.hub.answer = nil
			for id := range s.hub.repeats {
				open = append(open, id)
			}
		})
		if err := s.hub.open(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("new streams: %w", err)
		}
		if err := s.healthy(ctx); err != nil {
			return fmt.Errorf("after new streams: %w", err)
		}
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		for _, id := range open {
			if err := s.hub.await(ctx, func() bool { return s.hub.repeats[id] > 1 }); err != nil {
				return fmt.Errorf("event %s was not answered before the streams broke, and was not sent again", id)
			}
		}
		return nil
	})
}

func (h *Hub) deliverAll(es []sdk.Event) error {
	for _, e := range es {
		if err := h.deliver(e, 0, false); err != nil {
			return err
		}
	}
	return nil
}

func ruleHandledOnce(ctx context.Context, b *bench) error {
	return b.with(ctx, true, func(s *session) error {
		es, err := s.settled(ctx)
		if err != nil {
			return err
		}
		before := s.effects(es)
		s.hub.breakStreams()
		if err := s.hub.open(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("new streams: %w", err)
		}
		return s.again(ctx, es, before)
	})
}

// settled delivers some events and waits for their acks.
func (s *session) settled(ctx context.Context) ([]sdk.Event, error) {
	es := s.heard(20)
	if len(es) == 0 {
		return nil, skip("the plugin subscribes to nothing that the kit can send")
	}
	if err := s.hub.deliverAll(es); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, e := range es {
		a, err := s.hub.acked(ctx, e.Seq)
		if err != nil {
			return nil, err
		}
		if a.GetError() != nil {
			return nil, fmt.Errorf("event %s was refused: %s", e.Subject, a.GetError().GetMessage())
		}
	}
	look(ctx)
	return es, nil
}

// again delivers the events as replays: each is acknowledged, and nothing more comes of it.
func (s *session) again(ctx context.Context, es []sdk.Event, before map[string]int) error {
	for _, e := range es {
		if err := s.hub.deliver(e, 0, true); err != nil {
			return err
		}
	}
	actx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, e := range es {
		if _, err := s.hub.acked(actx, e.Seq); err != nil {
			return fmt.Errorf("delivered again: %w", err)
		}
	}
	look(ctx)
	for id, n := range s.effects(es) {
		if n > before[id] {
			return fmt.Errorf("event %s was handled again: %d events with it as correlation, %d before", id, n, before[id])
		}
	}
	return nil
}

// effects counts what the plugin published in answer to each event.
func (s *session) effects(es []sdk.Event) map[string]int {
	out := make(map[string]int)
	for _, p := range s.hub.snapshotEvents() {
		if slices.ContainsFunc(es, func(e sdk.Event) bool { return e.ID == p.Correlation }) {
			out[p.Correlation]++
		}
	}
	return out
}
