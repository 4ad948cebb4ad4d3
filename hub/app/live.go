package app

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/config"
	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/media/restream"
	"github.com/porchlight-hub/porchlight/hub/media/talk"
	"github.com/porchlight-hub/porchlight/hub/media/whep"
	"github.com/porchlight-hub/porchlight/hub/web/house"
)

// openLive makes the ways by which people and programs see cameras, and speak to them.
func (h *Hub) openLive() {
	h.live = whep.New(whep.Options{Core: h.media, Renditions: h.renditions, Settings: whepSettings(h.opts.Config), Log: h.log})
	h.talk = talk.New(talk.Options{Core: h.media, Sink: h.sink, Tell: h.talked, Log: h.log})
	h.restream = restream.New(restream.Options{Core: h.media, Renditions: h.renditions, Settings: restreamSettings(h.opts.Config), Logins: house.StreamLogins(h.access), Talk: restreamTalk{h},
		Cameras: func(id string) bool { _, ok := h.registry.Device(id); return ok }, Log: h.log})
}

// applyLive takes what the config says of ports; it needs no new start.
func (h *Hub) applyLive(c *config.Config) {
	h.live.Apply(whepSettings(c))
	h.restream.Apply(restreamSettings(c))
}

// isLive tells whether a hub key is taken up while the hub runs.
func isLive(key string) bool {
	return key == "log.level" || strings.HasPrefix(key, "webrtc.") || strings.HasPrefix(key, "rtsp.")
}

// whepSettings: who can reach the pages can reach the pictures, and nobody else.
func whepSettings(c *config.Config) whep.Settings {
	w := c.Hub.WebRTC
	return whep.Settings{Off: !w.Enabled, Port: w.Port, NoTCP: !w.TCP, Loopback: config.Loopback(c.Hub.Listen), Interfaces: w.Interfaces, STUN: w.STUN}
}

func restreamSettings(c *config.Config) restream.Settings {
	return restream.Settings{Port: c.Hub.Restream.Port, LAN: c.Hub.Restream.LAN}
}

// lookAtPorts is how often it is looked whether a port is taken.
const lookAtPorts = 2 * time.Second

// watchPorts tells on the pages what hinders the ways in, until nothing does.
func (h *Hub) watchPorts(ctx context.Context) error {
	tick := time.NewTicker(lookAtPorts)
	defer tick.Stop()
	open := map[string]string{}
	for {
		for key, about := range h.ports() {
			err := about.trouble()
			text := ""
			if err != nil {
				text = err.Error()
			}
			if open[key] == text {
				continue
			}
			open[key] = text
			if err == nil {
				h.host.Repairs().Close(hubOwner, key)
			} else {
				h.host.Repairs().Open(hubOwner, repairOf(key, about.effect, err))
			}
			h.web.Changed()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// port is a way into the hub that may be closed to it.
type port struct {
	trouble func() error
	effect  string
}

func (h *Hub) ports() map[string]port {
	return map[string]port{
		"webrtc": {h.live.Trouble, "live pictures come by another way, a moment later and without talk by WebRTC"},
		"rtsp":   {h.restream.Trouble, "other programs cannot read the cameras from the hub"},
		"tls":    {h.CertificateTrouble, "browsers warn of the pages, or will when the certificate is over"},
	}
}

func repairOf(key, effect string, err error) host.Repair {
	r := host.Repair{Key: key, Title: err.Error(), Effect: effect}
	var coded interface {
		Code() string
		Hint() string
	}
	if errors.As(err, &coded) {
		r.Code, r.Fix = coded.Code(), coded.Hint()
	}
	return r
}
