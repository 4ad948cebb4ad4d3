package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// trackWait is how long who asks for a rendition waits for a stream to begin.
const trackWait = 3 * time.Second

// RenditionOptions of renditions.
type RenditionOptions struct {
	Core   *media.Core
	FFmpeg string       // path; empty: looked for in PATH, each time one is started
	Films  int          // conversions of pictures at a time; 0: half the cores, at least one
	Log    *slog.Logger // nil: nothing is logged
	Now    func() time.Time
}

// Renditions are streams in the forms that readers ask for: as they are where that
// fits, else converted, once a form however many take it.
type Renditions struct {
	opts RenditionOptions
	log  *slog.Logger
}

// NewRenditions converts nothing yet.
func NewRenditions(o RenditionOptions) *Renditions {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Renditions{opts: o, log: o.Log.With("part", "convert")}
}

// Open begins to read a stream in the form want. It waits a moment for a stream of which
// nothing is known yet, if that matters.
func (r *Renditions) Open(ctx context.Context, camera, stream string, want av.Rendition, o media.ReadOptions) (*media.Rendering, error) {
	src := r.opts.Core.Stream(camera, stream)
	wctx, cancel := context.WithTimeout(ctx, trackWait)
	w, d, err := src.AwaitFit(wctx, want)
	cancel()
	switch {
	case err != nil:
		return nil, fmt.Errorf("camera %s %s: %w", camera, stream, err)
	case d.Any():
		return nil, fmt.Errorf("camera %s %s: %w", camera, stream, &media.Unfit{Why: d.String()})
	}
	o.Want = join(o.Want, w)
	return media.NewRendering(src.Open(o), want, media.Copy, nil), nil
}

// Describe tells what Open would give, without waking anything.
func (r *Renditions) Describe(camera, stream string, want av.Rendition) (media.Preview, error) {
	src := r.opts.Core.Stream(camera, stream)
	tracks := src.Tracks()
	_, d, err := media.Compare(tracks, want)
	switch {
	case errors.Is(err, media.ErrNoTracks):
		return media.Preview{How: media.Copy}, nil
	case err != nil:
		return media.Preview{}, err
	case d.Any():
		return media.Preview{}, &media.Unfit{Why: d.String()}
	}
	return media.Preview{How: media.Copy, Tracks: tracks, Prebuffer: src.Reaches()}, nil
}

// join is what both want.
func join(a, b media.Want) media.Want {
	return media.Want{NoVideo: a.NoVideo || b.NoVideo, NoAudio: a.NoAudio || b.NoAudio, Audio: cmp.Or(b.Audio, a.Audio)}
}

// RenditionStats of one conversion that runs.
type RenditionStats struct {
	Camera, Stream string
	How            string
	Readers        int
}

// Stats of what is converted now.
func (r *Renditions) Stats() []RenditionStats { return nil }

// Close ends all conversions.
func (r *Renditions) Close() {}
