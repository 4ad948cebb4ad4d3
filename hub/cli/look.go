package cli

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/doctor"
	"github.com/porchlight-hub/porchlight/hub/media/rtsp"
)

// written is what a camera's own lines say of where its pictures are.
type written struct {
	URL         string `json:"url"`
	Sub         string `json:"sub"`
	Username    string `json:"username"`
	Password    string `json:"password"`
	Transport   string `json:"transport"`
	Fingerprint string `json:"fingerprint"`
}

// lookFrom looks at cameras over connections of its own, for when no hub runs. It goes
// by the config alone: what only a plugin knows is told by a running hub.
func lookFrom(c *config.Config) func(context.Context, string) []doctor.Stream {
	return func(ctx context.Context, id string) []doctor.Stream {
		camera := c.Cameras[id]
		var w written
		if json.Unmarshal(camera.Source.JSON(), &w) != nil || !strings.HasPrefix(w.URL, "rtsp") {
			return nil
		}
		if name, ok := strings.CutPrefix(w.Password, "secret://"); ok {
			if w.Password, ok = c.Secret(name); !ok {
				return nil // the config's own check tells of it
			}
		}
		var out []doctor.Stream
		for _, s := range []struct{ name, url string }{{"main", w.URL}, {"sub", w.Sub}} {
			if !strings.HasPrefix(s.url, "rtsp") {
				continue
			}
			r, err := rtsp.Look(ctx, rtsp.Target{URL: s.url, Username: w.Username, Password: w.Password, Transport: w.Transport, Fingerprint: w.Fingerprint},
				rtsp.Options{Play: doctor.Watch})
			out = append(out, doctor.StreamOf(id, s.name, strings.HasPrefix(s.url, "rtsps:"), r, err))
			if doctor.Hopeless(err) {
				return out
			}
		}
		return out
	}
}
