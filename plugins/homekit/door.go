package homekit

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/plugins/homekit/camera"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/sdk"
)

// door is one camera as Home sees it: what is kept of it, what it offers, and the
// server that controllers speak to. It ends with close and is then made anew.
type door struct {
	serving
	camera   string // the hub's id
	id       string // under which its identity is kept
	title    string // what Home calls it
	settings accessorySettings
	kind     string // doorbell, camera
	shape    shape  // the house's own goroutine's

	cam  *camera.Camera
	bell *bell

	mu     sync.Mutex
	moving map[sdk.EventType]bool
	online time.Time // since when; zero: it is not
}

// openDoor starts the accessory of a camera. ctx ends it.
func (h *house) openDoor(ctx context.Context, c sdk.CameraInfo, s settings, sh shape, m sdk.MediaDescription) (*door, error) {
	own := s.Accessories[c.ID]
	d := &door{
		serving: serving{name: c.ID, log: h.log.With("camera", c.ID)},
		camera:  c.ID, id: s.id(c.ID), title: nameOf(c, s), settings: own, shape: sh, kind: c.Kind,
		moving: map[sdk.EventType]bool{},
	}
	for _, other := range h.all() {
		if other.id == d.id {
			return nil, &shared{d.id, other.camera}
		}
	}
	var err error
	if d.keep, err = h.store.Accessory(d.id); err != nil {
		return nil, err
	}
	if err := h.setCode(ctx, d.keep, own.SetupCode); err != nil {
		return nil, fmt.Errorf("setup code of %s: %w", c.ID, err)
	}
	d.cam, err = camera.New(camera.Options{
		Camera: c.ID, Name: d.title, Doorbell: sh.Doorbell, Talk: sh.Talk, Motion: sh.Motion, Long: sh.Long, Double: sh.Double,
		NightVision: sh.NightVision, Indicator: sh.Indicator, Media: sh.offers(m), Hub: h.hub, Keep: d.keep, Log: d.log, Now: h.now,
		Info: d.info(sh),
	})
	if err != nil {
		return nil, err
	}
	ctx, d.stop = context.WithCancel(ctx)
	d.bell = &bell{accessory: d.id, ledger: h.ledger, c: d.cam.Bell(), listening: map[uint64]bool{}, told: h.told, ctx: ctx}
	d.srv, err = server.New(server.Options{
		Book: d.keep, Accessories: []*accessory.A{d.cam.Accessory()}, Category: d.cam.Category(), Name: d.title, Model: cmp.Or(sh.Model, "Porchlight"),
		Port: own.Port, Announcer: h.announcer, Resource: d.cam.Resource, Identify: func() { d.log.Info("a controller asks which one this is") },
		Subscribed: func(p *server.Peer, c *characteristic.C) { d.bell.subscribed(d.srv, p, c, &d.work) }, Log: d.log, Now: h.now,
	})
	if err != nil {
		d.stop()
		d.cam.Close()
		return nil, err
	}
	d.setOnline(c.Online, h.now())
	for mode, value := range modesOf(c.Status) {
		d.cam.SetMode(mode, value)
	}
	d.work.Go(func() { d.run(ctx) })
	return d, nil
}

// nameOf is what Home calls a camera.
func nameOf(c sdk.CameraInfo, s settings) string {
	return cmp.Or(s.Accessories[c.ID].Name, c.Name, c.ID)
}

// close ends the accessory; its listeners are owed what they were not told.
func (d *door) close() {
	d.bell.close()
	d.stop()
	d.cam.Close()
	d.work.Wait()
	d.bell.ledger.Rest(d.id)
}

// info is the accessory's plate.
func (d *door) info(sh shape) accessory.Info {
	return accessory.Info{
		Name: d.title, Manufacturer: cmp.Or(sh.Manufacturer, "Porchlight"), Model: cmp.Or(sh.Model, "Camera"),
		SerialNumber: cmp.Or(sh.Serial, d.keep.Identity().Device), Firmware: firmware(sh.Firmware),
	}
}

// setShape takes what changed of the camera, where the accessory is built as before.
func (d *door) setShape(sh shape) {
	d.shape = sh
	plate, now := d.cam.Accessory().Info, d.info(sh)
	plate.Manufacturer.SetValue(now.Manufacturer)
	plate.Model.SetValue(now.Model)
	plate.SerialNumber.SetValue(now.SerialNumber)
	plate.FirmwareRevision.SetValue(now.Firmware)
}

// setOnline tells Home whether the camera answers.
func (d *door) setOnline(on bool, now time.Time) {
	d.mu.Lock()
	switch {
	case !on:
		d.online = time.Time{}
		clear(d.moving)
	case d.online.IsZero():
		d.online = now
	}
	d.mu.Unlock()
	d.cam.SetOnline(on)
	if !on {
		d.cam.SetMotion(false) // whoever saw it begin cannot see it end
	}
}

// settled says whether what the camera is without, it has not.
func (d *door) settled(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.online.IsZero() && now.Sub(d.online) >= settle
}

// move tells Home of motion; it moves while anything does.
func (d *door) move(t sdk.EventType, active bool) {
	d.mu.Lock()
	if active {
		d.moving[t] = true
	} else {
		delete(d.moving, t)
	}
	any := len(d.moving) > 0
	d.mu.Unlock()
	d.cam.SetMotion(any)
}

// shared is a camera whose accessory is another camera's already.
type shared struct{ id, other string }

func (s *shared) Error() string {
	return fmt.Sprintf("its accessory %q is the one of camera %s", s.id, s.other)
}

// Hint says how to mend it.
func (s *shared) Hint() string {
	return "give each camera an id of its own below plugins.homekit.config.accessories"
}

// modesOf are the modes among a device's status values, by their id.
func modesOf(status map[string]string) map[string]string {
	out := map[string]string{}
	for _, mode := range []string{"night_vision", "indicator"} {
		if v, ok := status["mode."+mode]; ok {
			out[mode] = v
		}
	}
	return out
}

// firmware is three numbers, as HAP wants them (HAP 8.1, FirmwareRevision).
func firmware(v string) string {
	var n [3]int
	if k, _ := fmt.Sscanf(v, "%d.%d.%d", &n[0], &n[1], &n[2]); k == 0 {
		return "1.0.0"
	}
	return fmt.Sprintf("%d.%d.%d", n[0], n[1], n[2])
}
