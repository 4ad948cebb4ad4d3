package doctor

import (
	"errors"
	"time"

	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
)

// Watch is how long a look watches a stream, so that two key frames are seen.
const Watch = 15 * time.Second

// StreamOf makes what rtsp.Look found into what is judged.
func StreamOf(camera, stream string, encrypted bool, r rtsp.Report, err error) Stream {
	s := Stream{
		Camera: camera, Stream: stream, Err: err, Encrypted: encrypted,
		Address: r.Address, Server: r.Server, Transport: r.Transport, Auth: r.Auth,
		Worked: append(append([]string{}, r.Worked...), r.Repairs...), Tracks: r.Tracks,
		FPS: r.FPS, Kbps: int(r.Bitrate / 1000), GOP: r.GOP, ClockOff: r.ClockOffset, ClockKnown: r.ClockKnown,
	}
	// One key frame and no second within the time: they are further apart than that.
	if err == nil && r.FirstKey > 0 && r.GOP == 0 {
		s.GOP = Watch
	}
	return s
}

// Hopeless tells whether a camera's other stream is not worth a try: the machine is not
// there, or it has just refused the password, and each try more counts towards a lock-out.
func Hopeless(err error) bool {
	var f *rtsp.Fault
	return errors.As(err, &f) && (f.Kind == rtsp.Login || f.Kind == rtsp.Unreachable || f.Kind == rtsp.Refused)
}
