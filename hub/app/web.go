package app

import (
	"context"
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/hub/web"
	"github.com/porchlight-hub/porchlight/hub/web/api"
	"github.com/porchlight-hub/porchlight/hub/web/house"
)

func (h *Hub) openWeb(ctx context.Context) error {
	var err error
	if h.access, err = access.Open(ctx, h.db, access.Options{Log: h.log}); err != nil {
		return err
	}
	chimes, sounds := house.Chimes(h.chimes)
	h.web, err = web.New(web.Deps{
		Rooms: api.Rooms{
			Cameras: house.Cameras(h.registry, h.media), Events: house.Events(h.timeline), Feed: house.Feed(h.bus),
			Ringer: h, Chimes: chimes, Sounds: sounds, Plugins: house.Plugins(h.super), Config: h.state,
			Pictures: house.Pictures{OnSnapshot: h.pictures.ServeJPEG, OnMJPEG: h.pictures.ServeMJPEG, OnMSE: h.mse.ServeWS},
			Explain:  house.Explain(),
		},
		Access: h.access, Listen: h.ln.Addr().String(), PublicURL: h.opts.Config.Hub.PublicURL, Insecure: h.opts.Config.Hub.Insecure,
		DataDir: h.opts.DataDir, Version: h.opts.Version, Bus: h.bus, Log: h.log, Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("web: %w", err)
	}
	return nil
}
