package app

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/convert"
	"github.com/porchlight-hub/porchlight/hub/media/convert/still"
	"github.com/porchlight-hub/porchlight/hub/media/mse"
	"github.com/porchlight-hub/porchlight/hub/media/snapshot"
	"github.com/porchlight-hub/porchlight/hub/media/socket"
	"github.com/porchlight-hub/porchlight/sdk/av"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// streamNames of a camera, the best first.
func streamNames() []string { return []string{"main", "sub"} }

// ringTime is what every ring keeps for readers to come or to lag in, beyond the running
// GOP. Who wants more of the past holds it: 16 cameras of 4 Mb/s take 10 MB for each second.
const ringTime = 4 * time.Second

func (h *Hub) openMedia() {
	h.media = media.New(media.Limits{RingTime: ringTime})
	h.renditions = convert.NewRenditions(convert.RenditionOptions{Core: h.media, Log: h.log})
	h.socket = socket.New(h.media, h.renditions, h.log)
	h.mse = mse.New(h.media, h.renditions, h.log)
	h.stills = still.New(still.Options{Log: h.log})
	h.pictures = snapshot.New(snapshot.Options{Core: h.media, URL: h.snapshotURL, Plugin: h.takePicture, Stills: h.stills, Sleeps: h.sleeps, Trouble: h.trouble,
		Dir: filepath.Join(h.opts.DataDir, "pictures"), Log: h.log})
}

// takePicture asks the plugin that speaks for a camera for a JPEG.
func (h *Hub) takePicture(ctx context.Context, camera string, width, height int) (media.Picture, error) {
	d, ok := h.registry.Device(camera)
	if !ok || d.Plugin == "" {
		return media.Picture{}, fmt.Errorf("camera %s: snapshot: %w", camera, snapshot.ErrNone)
	}
	if c, ok := h.sources.Camera(camera); ok && !c.Push && !c.SnapshotByPlugin {
		return media.Picture{}, fmt.Errorf("camera %s: snapshot: %w", camera, snapshot.ErrNone)
	}
	token, wait, err := h.socket.SnapshotToken(d.Plugin, camera)
	if err != nil {
		return media.Picture{}, fmt.Errorf("camera %s: snapshot: %w", camera, err)
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(3 * time.Second)
	}
	reply, err := h.super.Command(ctx, d.Plugin, &pb.Command{Deadline: durationpb.New(time.Until(deadline)), C: &pb.Command_CameraSnapshot{
		CameraSnapshot: &pb.CameraSnapshot{Camera: camera, Width: uint32(width), Height: uint32(height), Reason: "owner", Token: token}}})
	if err != nil {
		return media.Picture{}, err
	}
	if e := reply.GetError(); e.GetCode() == pb.Code_CODE_UNSUPPORTED {
		return media.Picture{}, fmt.Errorf("camera %s: snapshot: %w", camera, snapshot.ErrNone)
	} else if e != nil {
		return media.Picture{}, &actionError{plugin: d.Plugin, action: "snapshot", err: e}
	}
	p, err := wait(ctx)
	if err == nil && reply.GetSnapshot().GetTaken().IsValid() {
		p.Taken = reply.GetSnapshot().GetTaken().AsTime()
	}
	return p, err
}

// mediaDesk is media as the host knows it.
type mediaDesk struct{ h *Hub }

func (m mediaDesk) PublishToken(plugin, camera, stream string, _ []av.Track) (string, error) {
	return m.h.socket.Token(plugin, socket.Grant{Direction: av.Publish, Camera: camera, Stream: stream})
}

func (m mediaDesk) ReadToken(plugin string, r host.MediaRead) (host.MediaGrant, error) {
	until := media.Never
	if r.Start.From == av.FromSecondsBack && !r.Follow {
		until = media.RingEnd
	}
	if r.Start.From == 0 {
		r.Start.From = av.FromKeyFrame
	}
	g := socket.Grant{Direction: av.Read, Camera: r.Camera, Stream: r.Stream, Start: r.Start, Until: until, Rendition: r.Rendition}
	preview, err := m.h.socket.Preview(g)
	if err != nil {
		return host.MediaGrant{}, err
	}
	token, err := m.h.socket.Token(plugin, g)
	if err != nil {
		return host.MediaGrant{}, err
	}
	return host.MediaGrant{Token: token, Rendition: preview.How, Tracks: preview.Tracks}, nil
}

func (m mediaDesk) SnapshotToken(ctx context.Context, plugin, camera string, width, height int, maxAge time.Duration, now bool) (host.Snapshot, error) {
	p, err := m.h.pictures.Get(ctx, camera, snapshot.Want{Width: width, Height: height, MaxAge: maxAge, Now: now})
	if err != nil {
		return host.Snapshot{}, err
	}
	token, err := m.h.socket.PictureToken(plugin, camera, p.Picture)
	return host.Snapshot{Token: token, Taken: p.Taken, Width: p.Width, Height: p.Height}, err
}

func (m mediaDesk) Describe(camera string) []host.Stream {
	var out []host.Stream
	for _, name := range streamNames() {
		s, ok := m.h.media.Lookup(camera, name)
		if !ok {
			continue
		}
		d := s.Describe()
		out = append(out, host.Stream{Name: name, Live: d.Live, Tracks: d.Tracks, KeyInterval: d.KeyInterval,
			Bitrate: uint64(d.Bitrate), Prebuffer: d.Prebuffer})
	}
	return out
}

// Hold replaces what the plugin held of that stream before.
func (m mediaDesk) Hold(plugin, camera, stream string, d time.Duration) (time.Duration, error) {
	key := holdKey{plugin, camera, stream}
	m.h.holdMu.Lock()
	defer m.h.holdMu.Unlock()
	if release, ok := m.h.holds[key]; ok {
		release()
		delete(m.h.holds, key)
	}
	if d <= 0 {
		return 0, nil
	}
	kept, release := m.h.media.Stream(camera, stream).Hold(d)
	m.h.holds[key] = release
	return kept, nil
}

// holdKey names one held prebuffer.
type holdKey struct{ plugin, camera, stream string }

// releaseHolds lets go of what a plugin held that is gone.
func (h *Hub) releaseHolds(plugin string) {
	h.holdMu.Lock()
	defer h.holdMu.Unlock()
	for key, release := range h.holds {
		if key.plugin == plugin {
			release()
			delete(h.holds, key)
		}
	}
}
