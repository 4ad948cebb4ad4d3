// Command plugin is every plugin of the bench: a bell, a load, a chime or a taker,
// by what the owner's config gives it. It does what the bench asks over its socket.
package main

import (
	"context"
	"fmt"

	"github.com/porchlight-hub/porchlight/hub/bench/part"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func main() {
	sdk.Serve(func() sdk.Plugin { return &worker{part: part.New(event.NewID)} })
}

type worker struct{ part *part.Part }

func (*worker) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "org.example.bench", Name: "Bench", Version: "1.0.0",
		Capabilities: []manifest.Capability{manifest.Camera, manifest.Chime, manifest.Bridge},
		Permissions: manifest.Permissions{
			Publish:   []string{"camera.*.ring", "camera.*.motion"},
			Subscribe: []string{"camera.*.ring", "camera.*.motion"},
		},
	}
}

// Run obeys the bench.
func (w *worker) Run(ctx context.Context, hub *sdk.Hub) error {
	var set struct {
		Control string `json:"control"` // the bench's socket
	}
	if err := hub.Config(&set); err != nil {
		return err
	}
	w.part.Name = hub.Entry()
	b := bus{hub: hub}
	for _, d := range hub.Devices() {
		if d.Kind != "chime" {
			b.camera = d.ID
		}
	}
	w.part.Buses = map[string]part.Bus{"hub": b}
	if err := w.part.Serve(ctx, set.Control); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// HandleEvent notes what a taker was handed.
func (w *worker) HandleEvent(_ context.Context, d sdk.Delivery) error {
	w.part.Note(d.Event.ID)
	return nil
}

// Play notes what a chime would sound.
func (w *worker) Play(_ context.Context, r sdk.PlayRequest) (sdk.PlayResult, error) {
	w.part.Note(r.EventID)
	return sdk.PlayResult{Played: true, Sound: r.Sound}, nil
}

type bus struct {
	hub    *sdk.Hub
	camera string
}

func (b bus) Publish(ctx context.Context, kind, id string) error {
	var data event.Data = sdk.Motion{Active: true}
	if kind == part.Ring {
		data = sdk.Ring{}
	}
	e := sdk.NewEvent(event.Type(kind), b.camera, data)
	e.ID = id
	r, err := b.hub.Publish(ctx, e)
	if err != nil {
		return err
	}
	if r.Outcome != event.Durable {
		return fmt.Errorf("%s: %s", kind, r.Outcome)
	}
	return nil
}
