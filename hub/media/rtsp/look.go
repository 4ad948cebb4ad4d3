package rtsp

import (
	"context"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
)

// Report of a look at a camera.
type Report struct {
	Progress
	Tracks  []av.Track
	Left    []string // what the description offers and the house does not carry
	Talk    []string // codecs of the back channel
	Repairs []string // of its description

	// What follows is known only if Options.Play was set.
	FirstKey    time.Duration // from the dial to the first key frame; 0: none came
	GOP         time.Duration // between the first two key frames; 0: only one came
	FPS         float64
	Bitrate     float64       // bit a second, all tracks
	Lost        uint64        // RTP packets
	ClockOffset time.Duration // the camera's clock minus ours, by its sender reports
	ClockKnown  bool
}

// Look connects, logs in and asks for the description; with o.Play it watches for as long, or
// until the second key frame. What it has learned is in the Report also beside an error.
func Look(ctx context.Context, t Target, o Options) (Report, error) {
	return Report{}, Pull(ctx, t, nil, o)
}
