package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

const (
	// looksAtOnce keeps a house of very many cameras from being dialled all together.
	looksAtOnce = 16
	// lookWithin bounds one camera: Watch, and the way there.
	lookWithin = 25 * time.Second
	// longGOP delays what begins at a key frame: live pictures on demand, clips.
	longGOP = 5 * time.Second
	// smartGOP is what only codecs make that stretch the distance while nothing moves.
	smartGOP = 12 * time.Second
	// lameFPS looks broken to a person.
	lameFPS = 8
	// fatKbps of one stream is more than a wireless network carries at its edge.
	fatKbps = 12000
	// cameraClock may be off by so much before the times in its picture mislead.
	cameraClock = 5 * time.Second
)

// Stream is what a look at one stream of a camera found.
type Stream struct {
	Camera, Stream string // front_door, main
	Address        string // host and port
	// Err is why there is no picture; its Code and Hint are told.
	Err error
	// Off: nobody wants it now, so it was not looked at.
	Off bool
	// Pushed: its plugin sends it, so that there is no login nor address to look at.
	Pushed bool

	Server, Transport string
	// Auth is how the camera asks for a login: none, basic, digest-md5, digest-sha256;
	// empty where it is not known.
	Auth      string
	Encrypted bool // rtsps
	Worked    []string
	Tracks    []av.Track

	FPS  float64 // figures are zero where they are not known
	Kbps int
	GOP  time.Duration
	// ClockOff is how far the camera's clock is before the hub's, where ClockKnown.
	ClockOff   time.Duration
	ClockKnown bool
}

func checkCameras(ctx context.Context, d *Deps) []Finding {
	if d.Config == nil || len(d.Config.Cameras) == 0 {
		return nil
	}
	ids := config.IDs(d.Config.Cameras)
	found := make([][]Finding, len(ids))
	var all sync.WaitGroup
	places := make(chan struct{}, looksAtOnce) // as many as may look
	for i, id := range ids {
		c := d.Config.Cameras[id]
		switch {
		case c.Plugin == "" && c.Source.IsZero():
			found[i] = []Finding{{State: OK, What: id + " is a bare button: its hook rings it"}}
		case d.Look == nil:
			found[i] = []Finding{{State: Skip, What: id + " was not looked at"}}
		default:
			all.Go(func() {
				select {
				case places <- struct{}{}:
					defer func() { <-places }()
				case <-ctx.Done():
					found[i] = []Finding{{State: Skip, What: id + " was not looked at: the time was over before its turn"}}
					return
				}
				found[i] = safely(Cameras, func() []Finding {
					ctx, cancel := context.WithTimeout(ctx, lookWithin)
					defer cancel()
					return CameraFindings(id, d.Look(ctx, id))
				})
			})
		}
	}
	all.Wait()
	return slices.Concat(found...)
}

// CameraFindings judges what was found of one camera, main first.
func CameraFindings(camera string, streams []Stream) []Finding {
	var out []Finding
	for _, s := range streams {
		out = append(out, s.findings(streams)...)
	}
	if len(out) == 0 {
		out = append(out, Finding{State: Skip, What: camera + " was not looked at: only a running hub, by its plugin, knows where its pictures come from"})
	}
	for i := range out {
		out[i].Area = Cameras
	}
	return out
}

func (s *Stream) name() string {
	return strings.TrimSpace(s.Camera + " " + s.Stream)
}

func (s *Stream) findings(all []Stream) []Finding {
	switch {
	case s.Err != nil:
		f := of(Fail, fmt.Sprintf("%s: %v", s.name(), s.Err), s.Err, "there is no picture")
		f.Fix = cmp.Or(f.Fix, "porchlight cameras test "+s.Camera+" looks again")
		return []Finding{f}
	case s.Off:
		return []Finding{{State: Skip, What: s.name() + " is pulled when somebody watches; it was not looked at"}}
	}
	out := []Finding{s.reach()}
	out = append(out, s.login()...)
	video := slices.IndexFunc(s.Tracks, func(t av.Track) bool { return t.Kind == av.Video })
	if video < 0 {
		return append(out, Finding{State: Fail, What: s.name() + " sends no picture", Why: "the address may be that of its sound alone", Fix: "take another path of the camera's; its manual or `porchlight config explain cameras` names them"})
	}
	out = append(out, s.picture(s.Tracks[video], all)...)
	out = append(out, s.pace()...)
	out = append(out, s.sound()...)
	if s.ClockKnown && s.ClockOff.Abs() > cameraClock {
		way := "behind"
		if s.ClockOff > 0 {
			way = "ahead of"
		}
		out = append(out, Finding{State: Warn, What: fmt.Sprintf("%s: the camera's clock is %s %s this machine's", s.name(), s.ClockOff.Abs().Round(time.Second), way),
			Why: "the time in its picture is wrong; the hub goes by its own", Fix: "set the camera's time server (NTP) to your router or to pool.ntp.org, and its time zone"})
	}
	return out
}

// reach is the good news: who answers, and how.
func (s *Stream) reach() Finding {
	if s.Pushed {
		return Finding{State: OK, What: s.name() + ": its plugin sends pictures"}
	}
	what := fmt.Sprintf("%s: %s answers", s.name(), cmp.Or(s.Address, "the camera"))
	var how []string
	if s.Server != "" {
		how = append(how, s.Server)
	}
	if s.Auth != "" {
		how = append(how, "login "+s.Auth)
	}
	if s.Transport != "" {
		how = append(how, "over "+s.Transport)
	}
	if len(s.Worked) > 0 {
		how = append(how, "worked around: "+strings.Join(s.Worked, ", "))
	}
	if len(how) > 0 {
		what += " (" + strings.Join(how, "; ") + ")"
	}
	return Finding{State: OK, What: what}
}

func (s *Stream) login() []Finding {
	switch {
	case s.Auth == "none":
		return []Finding{{State: Warn, What: s.name() + " asks for no login", Why: "everybody on its network can watch it", Fix: "switch on RTSP authentication (digest) in the camera's settings, then write username and password under its source"}}
	case s.Auth == "basic" && !s.Encrypted:
		return []Finding{{State: Warn, What: s.name() + " asks for the password in clear (basic)", Why: "everybody on its network can read it", Fix: "set RTSP authentication to digest in the camera's settings, or use its rtsps address"}}
	}
	return nil
}

func (s *Stream) picture(v av.Track, all []Stream) []Finding {
	shape := string(v.Codec)
	if v.Width > 0 && v.Height > 0 {
		shape += fmt.Sprintf(" %dx%d", v.Width, v.Height)
	}
	switch v.Codec {
	case av.H264:
		if v.Reordered {
			return []Finding{{State: Warn, What: fmt.Sprintf("%s sends %s with B-frames", s.name(), shape), Why: "they add delay, and some apps cannot show them live", Fix: "set the profile to Baseline, or B-frames to 0, in the camera's settings"}}
		}
		return []Finding{{State: OK, What: fmt.Sprintf("%s sends %s", s.name(), shape)}}
	case av.H265:
		fix := "set the video encoding to H.264 in the camera's settings"
		for _, o := range all {
			if o.Stream != s.Stream && slices.ContainsFunc(o.Tracks, func(t av.Track) bool { return t.Codec == av.H264 }) {
				fix += ", or watch its " + o.Stream + " stream, which is H.264 already"
			}
		}
		return []Finding{{State: Warn, What: fmt.Sprintf("%s sends %s", s.name(), shape), Why: "not every browser plays it: for one that does not ffmpeg converts it, which costs this machine much", Fix: fix}}
	case av.MJPEG:
		return []Finding{{State: Warn, What: fmt.Sprintf("%s sends %s", s.name(), shape), Why: "it takes many times the bandwidth of H.264 and has no sound", Fix: "take the camera's H.264 stream where it has one"}}
	}
	return []Finding{{State: Fail, What: fmt.Sprintf("%s sends %s, which cannot be shown", s.name(), shape), Fix: "set the video encoding to H.264 in the camera's settings"}}
}

// pace judges key frames, pictures a second and bits.
func (s *Stream) pace() []Finding {
	var out []Finding
	var good []string
	switch {
	case s.GOP > smartGOP:
		out = append(out, Finding{State: Warn, What: fmt.Sprintf("%s sends a key frame each %s", s.name(), s.GOP.Round(100*time.Millisecond)),
			Why: "live pictures, clips and stills begin at one; so far apart they are set by a smart codec",
			Fix: "switch off the smart codec (H.264+, H.265+, Smart Coding, dynamic GOP) and set the I-frame interval to 2 s" + s.frames()})
	case s.GOP > longGOP:
		out = append(out, Finding{State: Warn, What: fmt.Sprintf("%s sends a key frame each %s", s.name(), s.GOP.Round(100*time.Millisecond)),
			Why: "live pictures, clips and stills begin at one", Fix: "set the I-frame interval (GOP) to 2 s" + s.frames()})
	case s.GOP > 0:
		good = append(good, fmt.Sprintf("a key frame each %s", s.GOP.Round(100*time.Millisecond)))
	}
	switch {
	case s.FPS > 0 && s.FPS < lameFPS:
		out = append(out, Finding{State: Warn, What: fmt.Sprintf("%s sends %.1f pictures a second", s.name(), s.FPS), Why: "movements look broken", Fix: "set 15 or more in the camera's settings; in the dark cameras lower it for light: limit the exposure time to 1/15 s"})
	case s.FPS > 0:
		good = append(good, fmt.Sprintf("%.0f pictures a second", s.FPS))
	}
	switch {
	case s.Kbps > fatKbps:
		out = append(out, Finding{State: Warn, What: fmt.Sprintf("%s sends %.1f Mb/s", s.name(), float64(s.Kbps)/1000), Why: "wireless networks drop pictures at such a rate, and each viewer takes as much again", Fix: "set the bit rate to 4096 to 8192 kb/s in the camera's settings"})
	case s.Kbps > 0:
		good = append(good, fmt.Sprintf("%.1f Mb/s", float64(s.Kbps)/1000))
	}
	if len(good) > 0 {
		out = append(out, Finding{State: OK, What: s.name() + ": " + strings.Join(good, ", ")})
	}
	return out
}

// frames says the distance in pictures, as most cameras want it.
func (s *Stream) frames() string {
	if s.FPS < 1 {
		return ""
	}
	return fmt.Sprintf(" (%.0f frames at %.0f a second)", 2*s.FPS, s.FPS)
}

func (s *Stream) sound() []Finding {
	var codecs []string
	for _, t := range s.Tracks {
		if t.Kind == av.Sound {
			codecs = append(codecs, string(t.Codec))
		}
	}
	if len(codecs) == 0 {
		return nil
	}
	return []Finding{{State: OK, What: s.name() + " has sound: " + strings.Join(codecs, ", ")}}
}
