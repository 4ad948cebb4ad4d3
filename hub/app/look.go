package app

import (
	"context"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/doctor"
	"github.com/porchlight-hub/porchlight/hub/media/pull"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/sources"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// look looks at a camera over connections of its own. A password that was refused a
// while ago is not tried again: what is known is told.
func (h *Hub) look(ctx context.Context, camera string) []doctor.Stream {
	c, ok := h.sources.Camera(camera)
	if !ok {
		if err := h.sources.State(camera).Err; err != nil {
			return []doctor.Stream{{Camera: camera, Stream: "main", Err: err}}
		}
		return nil
	}
	if c.Push {
		return h.pushed(camera)
	}
	var out []doctor.Stream
	for _, s := range c.Streams {
		if st, ok := h.pulled(camera, s.Name); ok && st.State == "locked" {
			return append(out, doctor.Stream{Camera: camera, Stream: s.Name, Address: st.Address, Err: &refused{st}})
		}
		r, err := rtsp.Look(ctx, target(s), rtsp.Options{Memory: memory{h}.Load(camera, s.Name), Play: doctor.Watch})
		out = append(out, doctor.StreamOf(camera, s.Name, strings.HasPrefix(s.URL.URL, "rtsps:"), r, err))
		if doctor.Hopeless(err) {
			break // the other stream is on the same machine, with the same password
		}
	}
	return out
}

// checked is how the doctor sees a camera: what runs is looked at as it runs, so that
// a camera that serves only one is not asked for two.
func (h *Hub) checked(ctx context.Context, camera string) []doctor.Stream {
	c, ok := h.sources.Camera(camera)
	if !ok || c.Push {
		return h.look(ctx, camera)
	}
	var out []doctor.Stream
	for _, s := range c.Streams {
		st, ok := h.pulled(camera, s.Name)
		switch {
		case ok && st.State == "live":
			out = append(out, h.running(st, s))
		case ok && st.State == "off":
			out = append(out, doctor.Stream{Camera: camera, Stream: s.Name, Off: true})
		default:
			return h.look(ctx, camera)
		}
	}
	return out
}

func (h *Hub) running(st pull.Status, s sources.Stream) doctor.Stream {
	figures := h.media.Stream(st.Camera, st.Stream).Stats()
	return doctor.Stream{Camera: st.Camera, Stream: st.Stream, Address: st.Address, Server: st.Server, Transport: st.Transport, Auth: st.Auth,
		Encrypted: strings.HasPrefix(s.URL.URL, "rtsps:"), Worked: st.Worked, Tracks: figures.Tracks,
		FPS: figures.FPS, Kbps: int(figures.Bitrate / 1000), GOP: figures.GOP}
}

func (h *Hub) pushed(camera string) []doctor.Stream {
	var out []doctor.Stream
	for _, name := range streamNames() {
		s, ok := h.media.Lookup(camera, name)
		if !ok {
			continue
		}
		figures := s.Stats()
		out = append(out, doctor.Stream{Camera: camera, Stream: name, Pushed: true, Off: !figures.State.Live, Tracks: figures.Tracks,
			FPS: figures.FPS, Kbps: int(figures.Bitrate / 1000), GOP: figures.GOP})
	}
	picture, _ := h.media.Image(camera)
	if len(out) == 0 && picture.JPEG != nil { // it sends JPEGs alone
		out = append(out, doctor.Stream{Camera: camera, Stream: "main", Pushed: true, Tracks: []av.Track{av.MJPEGTrack(0, 0, 0, 0)}})
	}
	return out
}

func (h *Hub) pulled(camera, stream string) (pull.Status, bool) {
	all := h.puller.Of(camera)
	i := slices.IndexFunc(all, func(st pull.Status) bool { return st.Stream == stream })
	if i < 0 {
		return pull.Status{}, false
	}
	return all[i], true
}

// refused is what the puller knows of a camera that does not let the hub in.
type refused struct{ st pull.Status }

func (r *refused) Error() string { return r.st.Reason }
func (r *refused) Code() string  { return r.st.Code }
func (r *refused) Hint() string  { return r.st.Fix }

// trouble is why no stream of a camera can come now; nil where one comes, or may.
func (h *Hub) trouble(camera string) error {
	var err error
	for _, st := range h.puller.Of(camera) {
		if st.State == "live" || st.State == "connecting" || st.State == "pushed" || st.Code == "" {
			return nil
		}
		if err == nil {
			err = &refused{st}
		}
	}
	return err
}

// doctor looks at the house and this machine.
func (h *Hub) doctor(ctx context.Context, areas []string) []doctor.Finding {
	c, _ := h.state.running()
	return doctor.Check(ctx, doctor.Deps{File: h.state.file, Config: c, Problems: h.state.told(), DataDir: h.opts.DataDir,
		Address: h.addr.String(), Plugins: h.patients, Look: h.checked, Secrets: h.secrets.Known()}, areas...)
}

// patients are the plugins as the doctor sees them.
func (h *Hub) patients() []doctor.Plugin {
	var out []doctor.Plugin
	for _, st := range h.super.Status() {
		out = append(out, doctor.Plugin{Name: st.Name, State: string(st.State), Code: st.Code, Reason: st.Reason, Fix: st.Fix,
			Optional: st.Optional, Missing: st.Missing})
	}
	return out
}

// rotate is how far a camera's picture is turned for people.
func (h *Hub) rotate(camera string) int {
	c, _ := h.state.running()
	return c.Cameras[camera].Rotate
}

// hasSnapshot tells whether a JPEG of the camera can be had.
func (h *Hub) hasSnapshot(camera string) bool {
	c, ok := h.sources.Camera(camera)
	if !ok {
		return false
	}
	return c.Snapshot != nil || c.SnapshotByPlugin || len(c.Streams) > 0 && h.stills.Available() == nil
}
