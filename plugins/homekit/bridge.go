package homekit

import (
	"context"
	"net/http"

	"github.com/brutella/hap/accessory"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/attribute"
	"github.com/porchlight-hub/porchlight/sdk"
)

// bridge shows what of the house has no picture: the switch that silences the chimes.
type bridge struct {
	serving
	mute *accessory.Switch
}

// followChimes opens the bridge where the owner wants it, and closes it where not.
func (h *house) followChimes(ctx context.Context, s settings) error {
	h.mu.Lock()
	b := h.bridge
	h.mu.Unlock()
	switch {
	case b == nil && s.ChimeMuteSwitch:
		b, err := h.openBridge(ctx)
		h.mu.Lock()
		h.bridge, h.fault = b, err
		h.mu.Unlock()
		return err
	case !s.ChimeMuteSwitch:
		h.mu.Lock()
		h.bridge, h.fault = nil, nil
		h.mu.Unlock()
		if b != nil {
			b.close()
		}
	}
	return nil
}

func (h *house) openBridge(ctx context.Context) (*bridge, error) {
	keep, err := h.store.Accessory(bridgeID)
	if err != nil {
		return nil, err
	}
	name := h.hub.Name()
	b := &bridge{serving: serving{name: bridgeName, keep: keep, log: h.log.With("accessory", "bridge")}}
	top := accessory.NewBridge(accessory.Info{Name: name, Manufacturer: "Porchlight", Model: "Hub", SerialNumber: keep.Identity().Device, Firmware: "1.0.0"})
	b.mute = accessory.NewSwitch(accessory.Info{Name: "Mute chimes", Manufacturer: "Porchlight", Model: "Chimes", SerialNumber: keep.Identity().Device + "-mute", Firmware: "1.0.0"})
	asking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	now, err := h.hub.House(asking)
	if err != nil {
		return nil, err
	}
	b.mute.Switch.On.SetValue(now.Quiet.Active)
	b.mute.Switch.On.SetValueRequestFunc = func(v any, r *http.Request) (any, int) {
		on, ok := v.(bool)
		if !ok {
			return nil, attribute.Invalid
		}
		ctx, cancel := context.WithTimeout(r.Context(), askWithin)
		defer cancel()
		if err := h.hub.SetQuiet(ctx, "", on, 0); err != nil {
			h.log.Warn("the chimes could not be silenced", "error", err)
			return nil, attribute.Unreachable
		}
		return nil, 0
	}
	if b.srv, err = server.New(server.Options{
		Book: keep, Accessories: []*accessory.A{top.A, b.mute.A}, Category: accessory.TypeBridge, Name: name, Model: "Porchlight",
		Announcer: h.announcer, Identify: func() {}, Log: b.log, Now: h.now,
	}); err != nil {
		return nil, err
	}
	ctx, b.stop = context.WithCancel(ctx)
	b.work.Go(func() { b.run(ctx) })
	return b, nil
}

func (b *bridge) close() {
	b.stop()
	b.work.Wait()
}

// quiet moves the switch when the house is silenced, or rings again.
func (h *house) quiet(q sdk.Quiet) {
	h.mu.Lock()
	b := h.bridge
	h.mu.Unlock()
	if b != nil && q.Chime == "" {
		b.mute.Switch.On.SetValue(q.Active)
	}
}
