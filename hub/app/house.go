package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/chimes"
	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/registry"
	"github.com/porchlight-hub/porchlight/sdk/event"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// openHouse makes what knows what the devices are, by the word of their plugins.
func (h *Hub) openHouse() {
	h.described = registry.NewDescriber(registry.DescriberOptions{Ask: h.askDevice, Notes: h.notes,
		Changed: h.shown.look, Log: h.log.With("part", "registry")})
}

func (h *Hub) askDevice(ctx context.Context, plugin, device string) (*pb.DeviceDescription, error) {
	reply, err := h.super.Command(ctx, plugin, &pb.Command{C: &pb.Command_DeviceDescribe{DeviceDescribe: &pb.DeviceDescribe{Device: device}}})
	switch e := reply.GetError(); {
	case err != nil:
		return nil, err
	case e.GetCode() == pb.Code_CODE_UNSUPPORTED || e.GetCode() == pb.Code_CODE_NOT_YET:
		return nil, registry.ErrNothing
	case e.GetCode() != pb.Code_CODE_OK:
		return nil, &actionError{plugin: plugin, action: "describe " + device, err: e}
	case reply.GetDevice() == nil:
		return nil, registry.ErrNothing
	}
	return reply.GetDevice(), nil
}

// deviceChanged: what its plugin says of a device may be another now.
func (h *Hub) deviceChanged(device string) {
	h.sources.Again(device)
	h.described.Again(device)
}

// speakers are the devices that may be described, each with its plugin.
func speakers(c *config.Config) map[string]string {
	out := map[string]string{}
	for id, cam := range c.Cameras {
		if cam.Plugin != "" {
			out[id] = cam.Plugin
		}
	}
	return out
}

// Detail of a camera, for those who show it elsewhere.
func (l cameraList) Detail(id string) host.Detail {
	d, ok := l.h.registry.Device(id)
	if !ok {
		return host.Detail{}
	}
	can := l.h.can(id)
	out := host.Detail{OfflineReason: d.OfflineReason, Talk: can.Talk, Snapshot: can.Snapshot, Device: l.h.described.Of(id)}
	if e, ok := l.h.bus.State("device." + id + ".status"); ok && e.Source == d.Plugin {
		if s, ok := e.Data.(event.DeviceStatus); ok {
			out.Status = s.Values
		}
	}
	return out
}

// abilities are what a bridge builds a device of. While they are not known they are what
// they were: it would else show another device after each start of the hub.
type abilities struct {
	Talk     bool `json:"talk"`
	Snapshot bool `json:"snapshot"`
}

// abilitiesNote is where they are kept.
const abilitiesNote = "abilities"

// can tells what a camera can.
func (h *Hub) can(camera string) abilities {
	var was abilities
	h.notes.Get(camera, abilitiesNote, &was)
	is := abilities{Talk: was.Talk, Snapshot: was.Snapshot}
	err := h.canTalk(camera)
	if m := (*mute)(nil); !errors.As(err, &m) || m.code != "E-TALK-UNKNOWN" {
		is.Talk = err == nil
	}
	if _, known := h.sources.Camera(camera); known {
		is.Snapshot = h.hasSnapshot(camera)
	}
	return is
}

// noteAbilities keeps what is known now.
func (h *Hub) noteAbilities(ctx context.Context, camera string, a abilities) {
	if err := h.notes.Put(ctx, camera, abilitiesNote, a); err != nil && ctx.Err() == nil {
		h.log.Warn("what a camera can is not kept", "camera", camera, "err", err)
	}
}

// shown is what bridges know of the house, to tell them when they have to ask again.
type shown struct {
	changed chan struct{} // 1: somebody looks, however much changed

	mu      sync.Mutex
	cameras *pb.ListCamerasReply // as last told; nil: nobody has looked yet
	chimes  []host.Chime
}

func newShown() *shown { return &shown{changed: make(chan struct{}, 1)} }

func (s *shown) look() {
	select {
	case s.changed <- struct{}{}:
	default: // it is going to look anyway
	}
}

// lookAtHouse compares the house with what it was, and names what is another now. The
// first look tells nothing: nobody has seen it before.
func (h *Hub) lookAtHouse(ctx context.Context) (kinds []string) {
	now := &pb.ListCamerasReply{}
	list := cameraList{h}
	for _, c := range list.Cameras() {
		d := list.Detail(c.ID)
		h.noteAbilities(ctx, c.ID, abilities{Talk: d.Talk, Snapshot: d.Snapshot})
		now.Cameras = append(now.Cameras, &pb.CameraInfo{Id: c.ID, Name: c.Name, Kind: c.Kind, Talk: d.Talk, Snapshot: d.Snapshot, Device: d.Device})
	}
	sounds := chimesOf{h.chimes}.Chimes()
	for i := range sounds {
		sounds[i].Quiet = event.Quiet{} // that is told by an event of its own
	}
	h.shown.mu.Lock()
	defer h.shown.mu.Unlock()
	first := h.shown.cameras == nil
	if !first && !proto.Equal(h.shown.cameras, now) {
		kinds = append(kinds, "cameras")
	}
	if !first && !slices.Equal(h.shown.chimes, sounds) {
		kinds = append(kinds, "house")
	}
	h.shown.cameras, h.shown.chimes = now, sounds
	return kinds
}

// tellHouse publishes what is another now.
func (h *Hub) tellHouse(ctx context.Context) {
	for _, kind := range h.lookAtHouse(ctx) {
		e := event.Event{ID: event.NewID(), Type: event.TypeSystem, Subject: "system." + kind, Observed: time.Now(), Data: event.System{Kind: kind}}
		if err := h.bus.Publish(ctx, e, nil); err != nil && ctx.Err() == nil {
			h.log.Warn("a change of the house is not told", "kind", kind, "err", err)
		}
	}
}

// watchHouse looks at the house at each change that is told, and beside them.
func (h *Hub) watchHouse(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.shown.changed:
		case <-tick.C:
		}
		h.tellHouse(ctx)
	}
}

// chimesOf are the chimes as the host knows them.
type chimesOf struct{ room *chimes.Chimes }

func (c chimesOf) Chimes() []host.Chime {
	list := c.room.List()
	out := make([]host.Chime, 0, len(list))
	for _, ch := range list {
		out = append(out, host.Chime{ID: ch.ID, Name: ch.Name, Quiet: c.room.Muted(ch.ID)})
	}
	return out
}

func (c chimesOf) Quiet() event.Quiet { return c.room.Quiet() }

// quietDesk lets plugins silence the house; the pages hear of it at once.
type quietDesk struct {
	chimesOf
	h *Hub
}

func (q quietDesk) SetQuiet(ctx context.Context, set event.Quiet) error {
	defer q.h.web.Changed()
	if err := q.room.SetQuiet(ctx, set); err != nil {
		return fmt.Errorf("set quiet: %w", err)
	}
	return nil
}
