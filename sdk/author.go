package sdk

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/porchlight-hub/porchlight/sdk/internal/instance"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// dressed is the author's plugin in the words of the protocol.
type dressed struct {
	plugin Plugin
	in     *instance.Instance
	hub    *Hub
	since  time.Time
}

func dress(p Plugin, in *instance.Instance) instance.Author {
	d := &dressed{plugin: p, in: in, hub: &Hub{in: in}, since: time.Now()}
	a := instance.Author{
		Describe: d.describe, Check: d.check, Reconfigure: d.reconfigure, Health: d.health, Obey: d.obey, Explain: errorToProto,
		Run: func(ctx context.Context) error { return p.Run(ctx, d.hub) },
	}
	if b, ok := p.(Bridge); ok {
		a.Handle = b.HandleEvent
	}
	return a
}

func (d *dressed) describe() *pb.Description {
	m := d.plugin.Manifest().Complete()
	out := &pb.Description{
		Id: m.ID, Name: m.Name, Version: m.Version,
		ConfigSchema: string(m.ConfigSchema), DeviceSchema: string(m.DeviceSchema),
		Manifest: string(m.JSON()), Commands: d.commands(), Features: wire.Features(),
		EventTypes: eventTypes(m.Permissions.Publish),
	}
	for _, c := range m.Capabilities {
		out.Capabilities = append(out.Capabilities, string(c))
	}
	for _, a := range m.Actions {
		out.Actions = append(out.Actions, &pb.ActionDescription{
			Name: a.Name, Title: a.Title, InputSchema: string(a.InputSchema), OutputSchema: string(a.OutputSchema),
			Role: a.Role, ReadOnly: a.ReadOnly,
		})
	}
	if p, ok := d.plugin.(Preflighter); ok {
		for _, x := range p.Missing() {
			out.Missing = append(out.Missing, &pb.Missing{What: x.What, Fix: x.Fix, Fatal: x.Fatal})
		}
	}
	return out
}

func (d *dressed) check(ctx context.Context, r *pb.CheckRequest) []*pb.Problem {
	if c, ok := d.plugin.(Checker); ok {
		return problemsToProto(c.Check(ctx, Config{JSON: []byte(r.GetConfig()), Devices: devicesFrom(r.GetDevices())}))
	}
	return nil
}

func (d *dressed) reconfigure(ctx context.Context, r *pb.ConfigureRequest) (restart bool, err error) {
	re, ok := d.plugin.(Reconfigurer)
	if !ok {
		return true, nil
	}
	err = re.Reconfigure(ctx, Config{Revision: r.GetRevision(), JSON: []byte(r.GetConfig()), Devices: devicesFrom(r.GetDevices())})
	if errors.Is(err, ErrRestart) {
		return true, nil
	}
	return false, err
}

func (d *dressed) health(ctx context.Context) []*pb.PartHealth {
	h, ok := d.plugin.(Healther)
	if !ok {
		return nil
	}
	var out []*pb.PartHealth
	for _, p := range h.Health(ctx) {
		since := p.Since
		if since.IsZero() {
			since = d.since
		}
		out = append(out, &pb.PartHealth{
			Part: p.Name, State: pb.PartHealth_State(p.State), Reason: p.Reason, Fix: p.Fix, Since: timestamppb.New(since),
		})
	}
	return out
}
