package house

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/chimes"
	"github.com/porchlight-hub/porchlight/hub/doctor"
	"github.com/porchlight-hub/porchlight/hub/timeline"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Events shows the timeline.
func Events(t *timeline.Timeline) api.Events { return events{t} }

type events struct{ timeline *timeline.Timeline }

func (e events) Events(ctx context.Context, q api.EventQuery) ([]event.Event, error) {
	return e.timeline.Events(ctx, bus.Query{Since: q.Since, Until: q.Until, Camera: q.Camera, Types: q.Types, Before: q.Before, Limit: q.Limit})
}

func (e events) Event(ctx context.Context, id string) (event.Event, error) {
	found, err := e.timeline.Event(ctx, id)
	return found, known("event", id, err)
}

func (e events) Trace(ctx context.Context, id string) (api.Trace, error) {
	t, err := e.timeline.Trace(ctx, id)
	if err != nil {
		return api.Trace{}, known("event", id, err)
	}
	out := api.Trace{Event: api.FromEvent(&t.Event), Hops: make([]api.Hop, 0, len(t.Hops))}
	for _, h := range t.Hops {
		out.Hops = append(out.Hops, api.Hop{
			At: h.At, SincePressUS: h.Since.Microseconds(), Who: h.Who, What: h.What, Outcome: h.Outcome,
			Detail: h.Detail, Fix: h.Fix, TookUS: h.Took.Microseconds(), Replay: h.Replay,
		})
	}
	return out, nil
}

// known says "not found" in the web's word where a room said it in its own.
func known(what, id string, err error) error {
	if errors.Is(err, bus.ErrNotFound) || errors.Is(err, chimes.ErrUnknown) {
		return fmt.Errorf("%s %.64s: %w", what, id, api.ErrNotFound)
	}
	return err
}

// Feed shows the bus.
func Feed(b *bus.Bus) api.Feed { return feed{b} }

type feed struct{ bus *bus.Bus }

func (f feed) LastSeq() uint64 { return f.bus.Stats().LastSeq }

func (f feed) Subscribe() (api.Subscription, error) {
	s, err := f.bus.Subscribe(bus.SubscribeOptions{Filters: []string{"**"}, From: bus.FromNow, Tap: true})
	if err != nil {
		return nil, err
	}
	return subscription{s}, nil
}

type subscription struct{ *bus.Subscription }

func (s subscription) Skipped() uint64 {
	st := s.Stats()
	return st.Critical.Skipped + st.Normal.Skipped
}

func (s subscription) Close() { s.Subscription.Close() }

// Chimes shows the chimes, and the sounds that they want of open pages.
func Chimes(c *chimes.Chimes) (api.Chimes, api.Sounds) { return chimesOf{c}, soundsOf{c} }

type chimesOf struct{ room *chimes.Chimes }

func (c chimesOf) Chimes() []api.Chime {
	list := c.room.List()
	out := make([]api.Chime, 0, len(list))
	for _, x := range list {
		out = append(out, api.Chime{ID: x.ID, Name: x.Name, Builtin: x.Builtin, Plugin: x.Plugin, Sound: x.Sound, Volume: x.Volume, Muted: x.Muted})
	}
	return out
}

func (c chimesOf) Mute(ctx context.Context, id string, on bool) error {
	return known("chime", id, c.room.SetQuiet(ctx, event.Quiet{Active: on, Chime: id, By: asker(ctx)}))
}

func (c chimesOf) SetQuiet(ctx context.Context, until time.Time) error {
	return c.room.SetQuiet(ctx, event.Quiet{Active: !until.IsZero(), Until: until, By: asker(ctx)})
}

// asker is who is signed in.
func asker(ctx context.Context) string {
	who, _ := access.From(ctx)
	return who.User
}

func (c chimesOf) Test(ctx context.Context, id string) (api.Played, error) {
	p, err := c.room.Test(ctx, id)
	return api.Played{Played: p.Played, Reason: p.Reason, TookMS: p.Took.Milliseconds()}, known("chime", id, err)
}

func (c chimesOf) Quiet() api.Quiet {
	q := c.room.Quiet()
	return api.Quiet{On: q.Active, Until: q.Until}
}

type soundsOf struct{ chimes *chimes.Chimes }

func (s soundsOf) Listen() (api.Listener, error) {
	sounds, cancel, err := s.chimes.Sounds()
	if err != nil {
		return nil, err
	}
	return listener{sounds, cancel}, nil
}

func (s soundsOf) Sounded(eventID, chime string, took time.Duration) {
	s.chimes.Sounded(eventID, chime, took)
}

type listener struct {
	sounds <-chan chimes.Sound
	cancel func()
}

func (l listener) Next(ctx context.Context) (api.Sound, error) {
	select {
	case s := <-l.sounds:
		return api.Sound{
			Chime: s.Chime, Sound: s.Sound, Volume: s.Volume, EventID: s.EventID, Camera: s.Camera, CameraName: s.CameraName, Test: s.Test,
		}, nil
	case <-ctx.Done():
		return api.Sound{}, ctx.Err()
	}
}

func (l listener) Close() { l.cancel() }

// Explain shows doctor's texts.
func Explain() api.Explainer { return explainer{} }

type explainer struct{}

func (explainer) Explain(code string) (api.Explanation, bool) {
	t, ok := doctor.Explain(code)
	return api.Explanation{Code: code, Title: t.Title, What: t.What, Mend: t.Mend}, ok
}

// Pictures are the handlers that answer with media.
type Pictures struct {
	OnSnapshot func(w http.ResponseWriter, r *http.Request, camera string)
	OnMJPEG    func(w http.ResponseWriter, r *http.Request, camera string)
	OnMSE      func(w http.ResponseWriter, r *http.Request, camera, stream string)
}

// Snapshot answers with one JPEG.
func (p Pictures) Snapshot(w http.ResponseWriter, r *http.Request, camera string) {
	p.OnSnapshot(w, r, camera)
}

// MJPEG answers with one JPEG after the other.
func (p Pictures) MJPEG(w http.ResponseWriter, r *http.Request, camera string) {
	p.OnMJPEG(w, r, camera)
}

// MSE answers by WebSocket.
func (p Pictures) MSE(w http.ResponseWriter, r *http.Request, camera, stream string) {
	p.OnMSE(w, r, camera, stream)
}
