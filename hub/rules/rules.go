package rules

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// The built-in rule, as traces name it.
const (
	RingID   = "ring_everything"
	RingName = "Ring the house"
)

// Bus is where rings come from and firings go.
type Bus interface {
	Subscribe(o bus.SubscribeOptions) (*bus.Subscription, error)
	Publish(ctx context.Context, e event.Event, done func(event.Result, error)) error
}

// Ringer sounds the chimes and says which it asked.
type Ringer interface {
	Ring(ctx context.Context, d event.Delivery, ignoreOlderThan time.Duration) []string
}

// Rules runs the built-in rule.
type Rules struct {
	bus    Bus
	ringer Ringer
	// maxAge gives a camera's age limit of a ring.
	maxAge func(camera string) time.Duration
	log    *slog.Logger
}

// New makes the room; nothing runs before Serve.
func New(b Bus, ringer Ringer, maxAge func(camera string) time.Duration, log *slog.Logger) *Rules {
	return &Rules{bus: b, ringer: ringer, maxAge: maxAge, log: log}
}

// Serve takes rings until ctx ends. It has a cursor and a memory of handled ids
// as a plugin has: each ring is handled once, unless the hub died inside.
func (r *Rules) Serve(ctx context.Context) error {
	sub, err := r.bus.Subscribe(bus.SubscribeOptions{Name: "rules", Filters: []string{"camera.*.ring"}, From: bus.FromCursor})
	if err != nil {
		return fmt.Errorf("rules: subscribe: %w", err)
	}
	defer sub.Close()
	for {
		d, err := sub.Critical().Next(ctx)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, bus.ErrClosed) {
				return ctx.Err()
			}
			return fmt.Errorf("rules: next: %w", err)
		}
		r.ring(ctx, d)
		sub.Ack(d.Event.Seq)
	}
}

func (r *Rules) ring(ctx context.Context, d event.Delivery) {
	limit := r.maxAge(d.Event.Camera)
	switch {
	case d.Replay:
		r.skip(ctx, d, "replayed after a restart: shown, not rung")
	case limit > 0 && d.Age > limit:
		r.skip(ctx, d, fmt.Sprintf("%s old, limit %s: shown, not rung", d.Age.Round(time.Millisecond), limit))
	default:
		asked := r.ringer.Ring(ctx, d, limit)
		r.publish(ctx, &d, "rule."+RingID+".fired", event.TypeRule, event.RuleFired{Rule: RingID, Name: RingName, Actions: asked})
	}
}

func (r *Rules) skip(ctx context.Context, d event.Delivery, why string) {
	r.publish(ctx, &d, "rule."+RingID+".skipped", event.TypeHop,
		event.Hop{EventID: d.Event.ID, Taker: RingName, Outcome: "skipped", Detail: why, Replay: d.Replay})
}

func (r *Rules) publish(ctx context.Context, d *event.Delivery, subject string, t event.Type, data event.Data) {
	e := event.Event{ID: event.NewID(), Type: t, Subject: subject, Camera: d.Event.Camera, CameraName: d.Event.CameraName,
		Correlation: d.Event.ID, Observed: time.Now(), Data: data}
	if err := r.bus.Publish(ctx, e, nil); err != nil && ctx.Err() == nil {
		r.log.Warn("rule result not published", "event", d.Event.ID, "err", err)
	}
}
