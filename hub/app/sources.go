package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/pull"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/media/snapshot"
	"github.com/porchlight-hub/porchlight/hub/sources"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// warmFor is how long a camera is kept running after a press, before anybody has looked.
const warmFor = 30 * time.Second

// openSources makes what pulls, and what knows where from.
func (h *Hub) openSources() {
	h.puller = pull.New(pull.Options{Core: h.media, Pull: rtsp.Pull, Memory: memory{h}, Log: h.log,
		Redescribe: func(camera, why string) { h.sources.Again(camera) }})
	h.sources = sources.New(sources.Options{Ask: h.askSource, Tell: h.tellDemand, Secret: houseSecrets{h}.Get, Taker: taker{h},
		Remember: h.rememberSource, Recall: h.recallSource,
		Log: h.log.With("part", "sources"), Now: time.Now})
	h.media.OnDemand(func(d media.Demand) { h.sources.Heard(d.Camera, d.Stream, d.N, d.Why) })
}

// wishes are the cameras that have pictures.
func wishes(c *config.Config) []sources.Wish {
	var out []sources.Wish
	for id, cam := range c.Cameras {
		out = append(out, sources.Wish{Camera: id, Plugin: cam.Plugin, Doorbell: cam.Kind == "doorbell", Pull: cam.Pull,
			NoMain: cam.Streams.Main == "off", NoSub: cam.Streams.Sub == "off", Settings: string(orEmpty(cam.Source.JSON()))})
	}
	return out
}

func (h *Hub) askSource(ctx context.Context, plugin, camera string) (*pb.SourceDescriptor, error) {
	reply, err := h.super.Command(ctx, plugin, &pb.Command{C: &pb.Command_CameraSource{CameraSource: &pb.CameraSource{Camera: camera}}})
	if err != nil {
		return nil, err
	}
	if e := reply.GetError(); e != nil {
		return nil, &sources.Refused{Code: e.GetCode(), Message: e.GetMessage(), RetryAfter: e.GetRetryAfter().AsDuration()}
	}
	if reply.GetSource() == nil {
		return nil, fmt.Errorf("plugin %s: its answer is empty", plugin)
	}
	return reply.GetSource(), nil
}

func (h *Hub) tellDemand(ctx context.Context, d sources.Demand) error {
	deadline := 15 * time.Second
	if at, ok := ctx.Deadline(); ok {
		deadline = time.Until(at)
	}
	reply, err := h.super.Command(ctx, d.Plugin, &pb.Command{Deadline: durationpb.New(deadline), C: &pb.Command_CameraDemand{
		CameraDemand: &pb.CameraDemand{Camera: d.Camera, Stream: d.Stream, Wanted: d.Wanted, Reason: d.Reason}}})
	if err != nil {
		return err
	}
	if e := reply.GetError(); e != nil && e.GetCode() != pb.Code_CODE_UNSUPPORTED {
		return &actionError{plugin: d.Plugin, action: "demand", err: e}
	}
	return nil
}

// taker hands descriptions to the puller.
type taker struct{ h *Hub }

func (t taker) Take(c sources.Camera) {
	out := pull.Camera{ID: c.ID, Policy: c.Policy, Limit: c.Limit, Doorbell: c.Doorbell}
	for _, s := range c.Streams {
		out.Streams = append(out.Streams, pull.Stream{Name: s.Name, Policy: s.Policy, Target: target(s),
			Talk: c.Talk == sources.TalkByRTSP && s.Name == c.Streams[0].Name})
	}
	t.h.puller.Apply(out)
}

func target(s sources.Stream) rtsp.Target {
	return rtsp.Target{URL: s.URL.URL, Username: s.URL.Username, Password: s.URL.Password, Transport: s.Transport,
		Fingerprint: s.URL.Fingerprint, Quirks: s.Quirks}
}

func (t taker) Retry(camera string) { t.h.puller.Retry(camera) }

// Remove ends a camera that is gone from the config, watched or not.
func (t taker) Remove(camera string) {
	t.h.puller.Remove(camera)
	t.h.media.Remove(camera, "the camera is no longer in the config")
	t.h.pictures.Forget(camera)
}

// memory keeps what worked with a camera.
type memory struct{ h *Hub }

func (m memory) Load(camera, stream string) (out rtsp.Memory) {
	m.h.notes.Get(camera, "rtsp/"+stream, &out)
	return out
}

func (m memory) Save(camera, stream string, v rtsp.Memory) {
	ctx, cancel := context.WithTimeout(context.Background(), noteTime)
	defer cancel()
	if err := m.h.notes.Put(ctx, camera, "rtsp/"+stream, v); err != nil {
		m.h.log.Warn("what worked with a camera is not kept; it is found out again at the next start", "camera", camera, "err", err)
	}
}

func (h *Hub) rememberSource(camera string, r sources.Remembered) {
	ctx, cancel := context.WithTimeout(context.Background(), noteTime)
	defer cancel()
	if err := h.notes.Put(ctx, camera, "source", r); err != nil {
		h.log.Warn("where a camera is was not kept; its plugin is asked at the next start", "camera", camera, "err", err)
	}
}

func (h *Hub) recallSource(camera string) (r sources.Remembered, ok bool) {
	ok = h.notes.Get(camera, "source", &r)
	return r, ok
}

// noteTime bounds the writing of a note.
const noteTime = 5 * time.Second

// snapshotURL is where a camera itself serves a JPEG.
func (h *Hub) snapshotURL(camera string) (snapshot.URL, bool) {
	c, ok := h.sources.Camera(camera)
	if !ok || c.Snapshot == nil {
		return snapshot.URL{}, false
	}
	return snapshot.URL{URL: c.Snapshot.URL, Username: c.Snapshot.Username, Password: c.Snapshot.Password, Fingerprint: c.Snapshot.Fingerprint}, true
}

// houseSecrets are the owner's, as far as a plugin's own config refers to them, and
// those that a plugin keeps itself.
type houseSecrets struct{ h *Hub }

func (s houseSecrets) Get(plugin, name string) (string, error) {
	c, _ := s.h.state.running()
	if slices.Contains(c.SecretNames(plugin), name) {
		if v, ok := c.Secret(name); ok {
			s.h.secrets.Know(v)
			return v, nil
		}
	}
	return s.h.secrets.Get(plugin, name)
}

// warm lets a press wake its camera: whoever opens the notice a moment later finds the
// picture running, and a JPEG of the visitor. It stands beside the press's way, never in it.
func (h *Hub) warm(ctx context.Context) error {
	sub, err := h.bus.Subscribe(bus.SubscribeOptions{Filters: []string{"camera.*.ring"}, From: bus.FromNow, Tap: true})
	if err != nil {
		return err
	}
	defer sub.Close()
	for {
		d, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if d.Replay {
			continue
		}
		h.warmUp(ctx, d.Event.Camera)
	}
}

func (h *Hub) warmUp(ctx context.Context, camera string) {
	c, ok := h.sources.Camera(camera)
	if !ok {
		return
	}
	if c.Push {
		// The plugin is told, and pushes; what it pushes is the snapshot too.
		time.AfterFunc(warmFor, h.media.Stream(camera, "main").Ask("event"))
		return
	}
	h.puller.Wake(camera)
	h.warming.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, warmFor)
		defer cancel()
		if _, err := h.pictures.Get(ctx, camera, snapshot.Want{Now: true}); err != nil && !errors.Is(err, context.Canceled) {
			h.log.Debug("no picture of a press", "camera", camera, "err", err)
		}
	})
}

// watchPull tells the pages when a stream's state is another.
func (h *Hub) watchPull(ctx context.Context) error {
	for {
		changed := h.puller.Changed()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
			h.web.Changed()
		}
	}
}

// sleeps: a battery camera is not woken for a picture that somebody merely looks at.
func (h *Hub) sleeps(camera string) bool {
	c, ok := h.sources.Camera(camera)
	if !ok {
		return false
	}
	if c.Push {
		return c.Policy == "battery"
	}
	return len(c.Streams) > 0 && c.Streams[0].Policy == "battery"
}
