package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/hub/media/pull"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
	"github.com/porchlight-hub/porchlight/hub/sources"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Looker looks at the cameras of a hub that runs.
type Looker struct {
	Sources *sources.Sources
	Puller  *pull.Puller
	Media   *media.Core
	// Target is what a stream's description means for a pull, Memory what worked with it.
	Target func(sources.Stream) rtsp.Target
	Memory func(camera, stream string) rtsp.Memory
}

// Look looks at a camera over connections of its own. A password that was refused a
// while ago is not tried again: what is known is told.
func (l Looker) Look(ctx context.Context, camera string) []Stream {
	c, ok := l.Sources.Camera(camera)
	if !ok {
		if err := l.Sources.State(camera).Err; err != nil {
			return []Stream{{Camera: camera, Stream: "main", Err: err}}
		}
		return nil
	}
	if c.Push {
		return l.pushed(camera)
	}
	var out []Stream
	for _, s := range c.Streams {
		if st, ok := l.Pulled(camera, s.Name); ok && st.State == "locked" {
			return append(out, Stream{Camera: camera, Stream: s.Name, Address: st.Address, Err: &refused{st}})
		}
		r, err := rtsp.Look(ctx, l.Target(s), rtsp.Options{Memory: l.Memory(camera, s.Name), Play: Watch})
		out = append(out, StreamOf(camera, s.Name, encrypted(s), r, err))
		if Hopeless(err) {
			break // the other stream is on the same machine, with the same password
		}
	}
	return out
}

func encrypted(s sources.Stream) bool { return strings.HasPrefix(s.URL.URL, "rtsps:") }

// Running looks at what runs as it runs, so that a camera that serves only one is not
// asked for two.
func (l Looker) Running(ctx context.Context, camera string) []Stream {
	c, ok := l.Sources.Camera(camera)
	if !ok || c.Push {
		return l.Look(ctx, camera)
	}
	var out []Stream
	for _, s := range c.Streams {
		st, ok := l.Pulled(camera, s.Name)
		switch {
		case ok && st.State == "live":
			out = append(out, l.running(st, s))
		case ok && st.State == "off":
			out = append(out, Stream{Camera: camera, Stream: s.Name, Off: true})
		default:
			return l.Look(ctx, camera)
		}
	}
	return out
}

func (l Looker) running(st pull.Status, s sources.Stream) Stream {
	figures := l.Media.Stream(st.Camera, st.Stream).Stats()
	return Stream{Camera: st.Camera, Stream: st.Stream, Address: st.Address, Server: st.Server, Transport: st.Transport, Auth: st.Auth,
		Encrypted: encrypted(s), Worked: st.Worked, Tracks: figures.Tracks,
		FPS: figures.FPS, Kbps: int(figures.Bitrate / 1000), GOP: figures.GOP}
}

func (l Looker) pushed(camera string) []Stream {
	var out []Stream
	for _, name := range []string{"main", "sub"} {
		s, ok := l.Media.Lookup(camera, name)
		if !ok {
			continue
		}
		figures := s.Stats()
		out = append(out, Stream{Camera: camera, Stream: name, Pushed: true, Off: !figures.State.Live, Tracks: figures.Tracks,
			FPS: figures.FPS, Kbps: int(figures.Bitrate / 1000), GOP: figures.GOP})
	}
	picture, _ := l.Media.Image(camera)
	if len(out) == 0 && picture.JPEG != nil { // it sends JPEGs alone
		out = append(out, Stream{Camera: camera, Stream: "main", Pushed: true, Tracks: []av.Track{av.MJPEGTrack(0, 0, 0, 0)}})
	}
	return out
}

// Pulled is how one stream is pulled; false: nobody pulls it.
func (l Looker) Pulled(camera, stream string) (pull.Status, bool) {
	all := l.Puller.Of(camera)
	i := slices.IndexFunc(all, func(st pull.Status) bool { return st.Stream == stream })
	if i < 0 {
		return pull.Status{}, false
	}
	return all[i], true
}

// Trouble is why no stream of a camera can come now; nil where one comes, or may.
func (l Looker) Trouble(camera string) error {
	var err error
	for _, st := range l.Puller.Of(camera) {
		if st.State == "live" || st.State == "connecting" || st.State == "pushed" || st.Code == "" {
			return nil
		}
		if err == nil {
			err = &refused{st}
		}
	}
	return err
}

// refused is what the puller knows of a camera that does not let the hub in.
type refused struct{ st pull.Status }

func (r *refused) Error() string { return r.st.Reason }
func (r *refused) Code() string  { return r.st.Code }
func (r *refused) Hint() string  { return r.st.Fix }
