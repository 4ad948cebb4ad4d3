package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/hub/certs"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/house"
)

func (h *Hub) openWeb(ctx context.Context) error {
	var err error
	zone := time.Local
	if name := h.opts.Config.Hub.Timezone; name != "" {
		if zone, err = time.LoadLocation(name); err != nil {
			return fmt.Errorf("hub.timezone: %w", err)
		}
	}
	chimes, sounds := house.Chimes(h.chimes)
	cameras := house.Devices{Registry: h.registry, Media: h.media, Puller: h.puller, Described: h.sources, Rotate: h.rotate, Snapshot: h.hasSnapshot,
		Order: h.order, CanTalk: h.canTalk, Talker: house.Talker(h.talk)}
	var certificates web.Certificates // a nil *certs.Certs would not be nil in it
	if h.certs != nil {
		certificates = h.certs
	}
	h.web, err = web.New(web.Deps{
		Rooms: api.Rooms{
			Cameras: cameras, Hooks: house.Hooks(h.hooks, cameras, hookRinger{h}), Sources: house.Sources(h.puller, h.looker().Look), Doctor: house.Doctor(h.doctor), Events: house.Events(h.timeline), Feed: house.Feed(h.bus),
			Ringer: h, Chimes: chimes, Sounds: sounds, Plugins: cards{house.Plugins(h.super), h.host.Repairs(), h.host.Permissions}, Config: h.state,
			Pictures: house.Pictures{OnSnapshot: h.pictures.ServeJPEG, OnMJPEG: h.pictures.ServeMJPEG, OnMSE: h.mse.ServeWS},
			Live:     house.Live(h.live), Talks: house.Talks(h.talk, h.live), MP4: h.mse, Viewers: house.Viewers(h.live, h.restream), Restream: h.restream,
			Explain: house.Explain(), Ready: h.ready, Cards: h.ownCards,
		},
		Access: h.access, Listen: h.addr.String(), PublicURL: h.opts.Config.Hub.PublicURL, Insecure: h.opts.Config.Hub.Insecure, Certs: certificates,
		DataDir: h.opts.DataDir, Version: h.opts.Version, Bus: h.bus, Zone: zone, Log: h.log, Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	return nil
}

// beyond tells whether other machines may be let in: the hub speaks TLS, or the owner
// accepts that it does not.
func (h *Hub) beyond() bool { return h.opts.Config.Hub.Insecure || h.opts.Config.Hub.TLS.On() }

func (h *Hub) openCerts() error {
	c := h.opts.Config.Hub
	if !c.TLS.On() {
		return nil
	}
	var err error
	h.certs, err = certs.Open(filepath.Join(h.opts.DataDir, "tls"), certs.Options{Mode: c.TLS.Mode, CertFile: c.TLS.Cert, KeyFile: c.TLS.Key, House: c.Name,
		Names: func() []string { return certs.Names(c.Name, c.PublicURL) }, Log: h.log})
	return err
}

// ready tells why the house cannot be used yet.
func (h *Hub) ready() error {
	switch {
	case !h.serving.Load():
		return errors.New("the bus does not run")
	case !h.applied.Load():
		return errors.New("the plugins were not told their config")
	}
	return nil
}

// serveWeb answers browsers. After an error the tree starts it again, and it listens
// anew at the same address.
func (h *Hub) serveWeb(ctx context.Context) error {
	ln := h.takeListener()
	if ln == nil {
		var err error
		if ln, err = web.Listen(ctx, h.addr.String(), h.beyond()); err != nil {
			return err
		}
	}
	return h.web.Serve(ctx, ln)
}

// takeListener hands over the listener that open made, once.
func (h *Hub) takeListener() net.Listener {
	h.lnMu.Lock()
	defer h.lnMu.Unlock()
	ln := h.ln
	h.ln = nil
	return ln
}
