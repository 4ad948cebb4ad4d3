package plugintest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	plugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// bad is the good plugin but for one thing: each rule has an author who breaks it.
// Where the sdk keeps the rule for him, raw below breaks it instead.
type bad struct {
	*good
	manifest func(*manifest.Manifest)
	run      func(context.Context, *sdk.Hub) error
	handle   func(context.Context, sdk.Delivery) error
	check    func() []sdk.Problem
	health   func() []sdk.Part
	action   func() (json.RawMessage, error)
}

func (b *bad) Manifest() manifest.Manifest {
	m := b.good.Manifest()
	if b.manifest != nil {
		b.manifest(&m)
	}
	return m
}

func (b *bad) Run(ctx context.Context, hub *sdk.Hub) error {
	if b.run != nil {
		b.good.hub = hub
		close(b.good.started)
		return b.run(ctx, hub)
	}
	return b.good.Run(ctx, hub)
}

func (b *bad) HandleEvent(ctx context.Context, d sdk.Delivery) error {
	if b.handle != nil {
		return b.handle(ctx, d)
	}
	return b.good.HandleEvent(ctx, d)
}

func (b *bad) Check(ctx context.Context, c sdk.Config) []sdk.Problem {
	if b.check != nil {
		return b.check()
	}
	return b.good.Check(ctx, c)
}

func (b *bad) Health(ctx context.Context) []sdk.Part {
	if b.health != nil {
		return b.health()
	}
	return b.good.Health(ctx)
}

func (b *bad) Action(ctx context.Context, c sdk.ActionCall) (json.RawMessage, error) {
	if b.action != nil {
		return b.action()
	}
	return b.good.Action(ctx, c)
}

// badAuthors break a rule by what an author can write with the sdk.
func badAuthors() map[string]func() sdk.Plugin {
	make := func(change func(*bad)) func() sdk.Plugin {
		return func() sdk.Plugin {
			b := &bad{good: newGood().(*good)}
			change(b)
			return b
		}
	}
	called := new(atomic.Int64)
	return map[string]func() sdk.Plugin{
		"describe": make(func(b *bad) { b.manifest = func(m *manifest.Manifest) { m.ID = "Not An Id" } }),
		"describe-pure": make(func(b *bad) {
			b.manifest = func(m *manifest.Manifest) { m.Name = fmt.Sprint("call ", called.Add(1)) }
		}),
		"schema": make(func(b *bad) {
			b.manifest = func(m *manifest.Manifest) { m.ConfigSchema = json.RawMessage(`{"type":"lamp"}`) }
		}),
		"schema-titles": make(func(b *bad) {
			b.manifest = func(m *manifest.Manifest) {
				m.ConfigSchema = json.RawMessage(`{"type":"object","properties":{"level":{"type":"integer"}}}`)
			}
		}),
		"bad-config": make(func(b *bad) { b.check = func() []sdk.Problem { return []sdk.Problem{{Message: "something is wrong"}} } }),
		"health":     make(func(b *bad) { b.health = func() []sdk.Part { return []sdk.Part{{State: sdk.PartOK}} } }),
		"commands":   make(func(b *bad) { b.action = func() (json.RawMessage, error) { return json.RawMessage(`{}`), nil } }),
		"publishes-declared": make(func(b *bad) {
			b.run = func(ctx context.Context, hub *sdk.Hub) error {
				_, err := hub.Publish(ctx, sdk.NewEvent(sdk.TypePerson, "front_door", sdk.Detection{Label: "person", Active: true}))
				return err
			}
		}),
		"denied": make(func(b *bad) {
			b.run = func(ctx context.Context, hub *sdk.Hub) error {
				_, err := hub.Ring(ctx, "front_door")
				return err
			}
		}),
		"not-yet": make(func(b *bad) {
			b.run = func(ctx context.Context, hub *sdk.Hub) error {
				_, err := hub.HoldPrebuffer(ctx, "front_door", "main", 4e9)
				return err
			}
		}),
		"growth": make(func(b *bad) {
			b.handle = func(ctx context.Context, d sdk.Delivery) error {
				go func() { <-ctx.Done() }()
				return nil
			}
		}),
		"stdout": make(func(b *bad) {
			b.run = func(ctx context.Context, hub *sdk.Hub) error {
				_, err := syscall.Write(1, []byte("it works!\n")) // os.Stdout itself leads to stderr
				return err
			}
		}),
		"signals": make(func(b *bad) {
			b.run = func(context.Context, *sdk.Hub) error {
				signal.Reset()
				return nil
			}
		}),
	}
}

// raw speaks the protocol without the sdk, in the way that its fault says.
type raw struct {
	pluginv1grpc.UnimplementedPluginServer
	fault      string
	configured atomic.Bool
	played     atomic.Int64
	handled    map[string]bool // by the one Link
}

func rawFaults() []string {
	return []string{"configure", "deadline", "repeated-command", "silent-replay", "unknown-ignored", "reconnect", "handled-once", "stop", "lifeline", "killed"}
}

func serveRaw(fault string) int {
	ignored := make(chan os.Signal, 1) // never read
	signal.Notify(ignored, os.Interrupt, syscall.SIGTERM)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: wire.Handshake(), GRPCServer: func(o []grpc.ServerOption) *grpc.Server { return wire.NewServer(o) },
		Plugins: wire.Serving(&raw{fault: fault, handled: map[string]bool{}}),
	})
	return 0
}

func (r *raw) Describe(context.Context, *pb.DescribeRequest) (*pb.Description, error) {
	m := (*good)(nil).Manifest().Complete()
	return &pb.Description{
		Id: m.ID, Name: m.Name, Version: m.Version, Capabilities: []string{"camera", "chime", "bridge", "notifier"},
		Manifest: string(m.JSON()), ConfigSchema: string(m.ConfigSchema), Commands: []string{"camera.source", "chime.play", "notify.send"},
	}, nil
}

func (r *raw) Check(context.Context, *pb.CheckRequest) (*pb.CheckResult, error) {
	return &pb.CheckResult{}, nil
}

func (r *raw) Configure(context.Context, *pb.ConfigureRequest) (*pb.ConfigureResult, error) {
	if r.configured.Swap(true) && r.fault == "configure" {
		return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_RESTART_NEEDED}, nil
	}
	return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_APPLIED}, nil
}

func (r *raw) Health(context.Context, *pb.HealthRequest) (*pb.HealthReport, error) {
	return &pb.HealthReport{}, nil
}

func (r *raw) Stop(ctx context.Context, _ *pb.StopRequest) (*pb.StopResult, error) {
	if r.fault == "stop" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &pb.StopResult{}, nil
}

func (r *raw) Urgent(s pluginv1grpc.Plugin_UrgentServer) error {
	if r.fault == "reconnect" && r.played.Add(1) == 1 {
		e := event.New(event.TypeRing, "front_door", event.Ring{})
		_ = s.Send(&pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Publish{Publish: &pb.Publish{Event: event.ToProto(&e)}}})
	}
	for {
		m, err := s.Recv()
		if err != nil {
			return nil
		}
		switch x := m.GetM().(type) {
		case *pb.UrgentFromHub_Deliver:
			_ = s.Send(&pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Ack{Ack: &pb.EventAck{Seq: x.Deliver.GetEvent().GetSeq()}}})
		case *pb.UrgentFromHub_Command:
			if r.fault == "deadline" {
				continue
			}
			p := &pb.ChimePlayed{Played: true, Sound: fmt.Sprint(r.played.Add(1))}
			if c := x.Command.GetChimePlay(); r.fault != "silent-replay" && (c.GetReplay() || c.GetIgnoreOlderThan() != nil) {
				p = &pb.ChimePlayed{Reason: "replay"}
			}
			_ = s.Send(&pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Reply{Reply: &pb.Reply{Id: x.Command.GetId(), R: &pb.Reply_ChimePlayed{ChimePlayed: p}}}})
		case nil:
			if r.fault == "unknown-ignored" {
				os.Exit(1)
			}
		}
	}
}

func (r *raw) Link(s pluginv1grpc.Plugin_LinkServer) error {
	for {
		m, err := s.Recv()
		if err != nil {
			return nil
		}
		switch x := m.GetM().(type) {
		case *pb.FromHub_Deliver:
			d := x.Deliver.GetEvent()
			if !r.handled[d.GetId()] || r.fault == "handled-once" {
				r.handled[d.GetId()] = true
				e := event.New(event.TypeMotion, "front_door", event.Motion{})
				e.Correlation = d.GetId()
				_ = s.Send(&pb.FromPlugin{M: &pb.FromPlugin_Publish{Publish: &pb.Publish{Event: event.ToProto(&e)}}})
			}
			_ = s.Send(&pb.FromPlugin{M: &pb.FromPlugin_Ack{Ack: &pb.EventAck{Seq: d.GetSeq()}}})
		case *pb.FromHub_Command:
			reply := &pb.Reply{Id: x.Command.GetId(), Error: &pb.Error{Code: pb.Code_CODE_INVALID, Message: "not mine"}}
			if x.Command.GetCameraSource() != nil || x.Command.GetNotifySend() != nil {
				reply.Error, reply.R = nil, &pb.Reply_Done{Done: &pb.Done{}}
			}
			_ = s.Send(&pb.FromPlugin{M: &pb.FromPlugin_Reply{Reply: reply}})
		}
	}
}

var errNoSuchChild = errors.New("no such child")

// child is the main of this binary when it is a plugin.
func child(name string) int {
	switch name {
	case "good":
		return sdk.Main(newGood)
	case "handshake":
		fmt.Println("Welcome to my plugin!")
		return 0
	case "by-hand":
		if os.Getenv(wire.CookieKey) == "" {
			return 0
		}
		return sdk.Main(newGood)
	case "panic":
		return sdk.Main(func() sdk.Plugin {
			return &bad{good: newGood().(*good), run: func(context.Context, *sdk.Hub) error { panic("the author erred") }}
		})
	}
	if author, ok := badAuthors()[name]; ok {
		return sdk.Main(author)
	}
	for _, f := range rawFaults() {
		if f == name {
			return serveRaw(name)
		}
	}
	fmt.Fprintln(os.Stderr, errNoSuchChild, name)
	return 3
}
