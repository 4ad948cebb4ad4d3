package homekit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/announce"
	"github.com/porchlight-hub/porchlight/plugins/homekit/ledger"
	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/sdk"
)

const (
	// look is how often the cameras are looked at without being told to.
	look = 30 * time.Second
	// worth is how old a ring may be told where its camera names no limit.
	worth = 15 * time.Second
	// greet is how long a camera that Home never saw may take to tell what it can.
	greet = 5 * time.Second
	// askWithin bounds a question to the hub.
	askWithin = 8 * time.Second
)

// house is all accessories. They follow what the hub tells of its cameras and what
// the owner wrote; ring and motion find their door by the camera's id.
type house struct {
	hub       *sdk.Hub
	log       *slog.Logger
	now       func() time.Time
	store     *store.House
	ledger    *ledger.Ledger
	announcer mdns
	wake      chan struct{} // 1: a look that is due already is enough
	orders    chan func()   // 0: who orders waits for its turn
	ended     chan struct{} // closed when no order is taken any more
	soon      time.Duration // run's own: after how long to look again; 0: with the next tick

	mu       sync.Mutex
	settings settings
	doors    map[string]*door          // by the camera's id
	refused  map[string]error          // cameras whose accessory could not be made
	first    map[string]time.Time      // when a camera that Home never saw was first looked at
	names    map[string]sdk.CameraInfo // as the hub told of them last
	bridge   *bridge
	fault    error // why the bridge could not be made
	unheard  error // why mDNS did not begin
	work     sync.WaitGroup
}

func newHouse(hub *sdk.Hub, s settings, now func() time.Time) (*house, error) {
	h := &house{
		hub: hub, log: hub.Log(), now: now, settings: s, wake: make(chan struct{}, 1), orders: make(chan func()), ended: make(chan struct{}),
		doors: map[string]*door{}, refused: map[string]error{}, first: map[string]time.Time{},
	}
	var err error
	if h.store, err = store.Open(filepath.Join(hub.DataDir(), "accessories")); err != nil {
		return nil, err
	}
	if h.ledger, err = ledger.Open(filepath.Join(hub.DataDir(), "rings"), now); err != nil {
		return nil, err
	}
	a, err := announce.New(announce.Options{Interfaces: s.Interfaces, Log: hub.Log()})
	if err != nil {
		h.ledger.Close()
		return nil, err
	}
	h.announcer = newMDNS(a)
	return h, nil
}

// run keeps the accessories what the house is, until ctx ends.
func (h *house) run(ctx context.Context) {
	h.work.Go(func() { h.announce(ctx) })
	every := time.NewTicker(look)
	defer every.Stop()
	told := "" // of the last look
	for ctx.Err() == nil {
		h.soon = 0
		err := h.follow(ctx)
		switch {
		case err == nil:
			told = ""
		case ctx.Err() != nil:
		default:
			level := slog.LevelWarn
			if err.Error() == told {
				level = slog.LevelDebug // a fault that stays is said once
			}
			h.log.Log(ctx, level, "the cameras could not be looked at; tried again", "error", err, "after", again)
			told = err.Error()
			h.later(again)
		}
		var due <-chan time.Time
		if h.soon > 0 {
			due = time.After(h.soon)
		}
		select {
		case <-ctx.Done():
		case <-every.C:
		case <-due:
		case <-h.wake:
		case order := <-h.orders:
			order()
		}
	}
	close(h.ended)
	h.mu.Lock()
	doors := slices.Collect(maps.Values(h.doors))
	b := h.bridge
	h.mu.Unlock()
	for _, d := range doors {
		d.close()
	}
	if b != nil {
		b.close()
	}
	h.work.Wait()
	h.ledger.Close()
}

// announce keeps mDNS running; whoever has its port may let it go.
func (h *house) announce(ctx context.Context) {
	for told := false; ; {
		err := h.announcer.Run(ctx) // one that cannot begin ends at once
		if ctx.Err() != nil {
			return
		}
		h.setUnheard(err)
		if !told {
			told = true
			h.log.Error("Apple Home does not find the accessories; tried again", "error", err, "every", again)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(again):
			h.setUnheard(nil)
		}
	}
}

func (h *house) setUnheard(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unheard = err
}

// order does f between two looks, so that nothing else opens or closes accessories
// meanwhile; the next look follows at once.
func (h *house) order(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case h.orders <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-h.ended:
		return errors.New("the plugin is stopping")
	}
}

// later makes run look again before its next tick. It is called in a look.
func (h *house) later(after time.Duration) {
	if h.soon == 0 || after < h.soon {
		h.soon = after
	}
}

func (h *house) lookAgain() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// apply takes other settings.
func (h *house) apply(s settings) {
	h.mu.Lock()
	h.settings = s
	h.mu.Unlock()
	h.lookAgain()
}

// follow opens, changes and closes accessories.
func (h *house) follow(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	cameras, err := h.hub.Cameras(asking)
	if err != nil {
		return err
	}
	s := h.configured()
	want := map[string]sdk.CameraInfo{}
	for _, c := range cameras {
		if c.Hub == "" && s.exposes(c.ID) {
			want[c.ID] = c
		}
	}
	h.mu.Lock()
	h.names = want
	h.mu.Unlock()
	h.closeOthers(want, s)
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(want)) {
		m, err := h.describe(ctx, id)
		if err != nil {
			errs = append(errs, fmt.Errorf("camera %s: %w", id, err))
			continue
		}
		if err := h.fit(ctx, want[id], s, m); err != nil {
			errs = append(errs, fmt.Errorf("camera %s: %w", id, err))
		}
	}
	return errors.Join(append(errs, h.followChimes(ctx, s))...)
}

// describe asks with a limit of its own, so that one slow answer costs its camera alone.
func (h *house) describe(ctx context.Context, camera string) (sdk.MediaDescription, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	return h.hub.DescribeMedia(ctx, camera)
}

// closeOthers ends the accessories whose camera is gone, or is told to be another one.
func (h *house) closeOthers(want map[string]sdk.CameraInfo, s settings) {
	for _, d := range h.all() {
		if _, there := want[d.camera]; there && d.id == s.id(d.camera) {
			continue
		}
		h.mu.Lock()
		delete(h.doors, d.camera)
		h.mu.Unlock()
		h.log.Info("accessory taken away", "camera", d.camera)
		d.close()
	}
	h.mu.Lock()
	maps.DeleteFunc(h.refused, func(id string, _ error) bool { _, there := want[id]; return !there })
	h.mu.Unlock()
}

// fit makes a camera's accessory what the camera is now; one that is so already is left alone.
func (h *house) fit(ctx context.Context, c sdk.CameraInfo, s settings, m sdk.MediaDescription) error {
	h.mu.Lock()
	d := h.doors[c.ID]
	h.mu.Unlock()
	seen := shapeOf(c, m)
	if d != nil {
		d.setOnline(c.Online, h.now())
		next := d.shape.with(seen, d.settled(h.now()))
		if d.settings == s.Accessories[c.ID] && next.build() == d.shape.build() && nameOf(c, s) == d.title {
			h.adjust(d, next, m)
			return nil
		}
		h.mu.Lock()
		delete(h.doors, c.ID)
		h.mu.Unlock()
		d.close()
		seen = next
	} else {
		kept := h.kept(s.id(c.ID))
		if kept == (shape{}) && seen.Width == 0 && h.waits(c.ID) {
			h.later(time.Second)
			return nil
		}
		seen = kept.with(seen, false)
	}
	d, err := h.openDoor(ctx, c, s, seen, m)
	if err == nil {
		h.keepShape(d, seen)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		h.refused[c.ID] = err
		return err
	}
	delete(h.refused, c.ID)
	delete(h.first, c.ID)
	h.doors[c.ID] = d
	h.log.Info("accessory ready", "camera", c.ID, "port", d.srv.Port())
	return nil
}

// waits says whether a camera that Home never saw is given a moment to tell what it
// can, so that its accessory is not made twice.
func (h *house) waits(camera string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first[camera].IsZero() {
		h.first[camera] = h.now()
	}
	return h.now().Sub(h.first[camera]) < greet
}

// adjust takes what a running accessory can take: no controller notices.
func (h *house) adjust(d *door, next shape, m sdk.MediaDescription) {
	d.cam.SetMedia(next.offers(m))
	if next == d.shape {
		return
	}
	d.setShape(next)
	h.keepShape(d, next)
}

func (h *house) keepShape(d *door, s shape) {
	if err := d.keep.SetValue(shapeKey, s); err != nil {
		h.log.Warn("what the accessory is could not be kept", "camera", d.camera, "error", err)
	}
}

// shapeKey is where an accessory's shape is kept.
const shapeKey = "shape"

// kept is the shape of an accessory's last life; empty where it had none.
func (h *house) kept(id string) (s shape) {
	ids, err := h.store.IDs()
	if err != nil || !slices.Contains(ids, id) {
		return s
	}
	if a, err := h.store.Accessory(id); err == nil {
		a.Value(shapeKey, &s)
	}
	return s
}

// setCode gives the accessory the owner's own setup code.
func (h *house) setCode(ctx context.Context, keep *store.Accessory, from string) error {
	if from == "" {
		return nil
	}
	if m := secretRef.FindStringSubmatch(from); m != nil {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		v, err := h.hub.Secret(ctx, m[1])
		if err != nil {
			return err
		}
		from = v.Reveal()
	}
	code, err := setup.ParseCode(from)
	if err != nil || code == keep.Identity().Code {
		return err
	}
	return keep.SetCode(code)
}

// all doors, by the camera's id.
func (h *house) all() []*door {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*door
	for _, id := range slices.Sorted(maps.Keys(h.doors)) {
		out = append(out, h.doors[id])
	}
	return out
}

func (h *house) door(camera string) *door {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.doors[camera]
}

// handle is one event of the house.
func (h *house) handle(ctx context.Context, d sdk.Delivery) error {
	e := d.Event
	if e.Hub != "" {
		return nil
	}
	switch data := e.Data.(type) {
	case sdk.Ring:
		h.ring(ctx, d, data)
	case sdk.Motion:
		h.moved(d, data.Active)
	case sdk.Detection:
		h.moved(d, data.Active)
	case sdk.Online:
		if door := h.door(e.Camera); door != nil {
			door.setOnline(data.Online, h.now())
		}
		h.lookAgain()
	case sdk.DeviceStatus:
		if door := h.door(data.Device); door != nil {
			for mode, value := range modesOf(data.Values) {
				door.cam.SetMode(mode, value)
			}
		}
	case sdk.Quiet:
		h.quiet(data)
	case sdk.System:
		if data.Kind == "cameras" || data.Kind == "house" {
			h.lookAgain()
		}
	}
	return nil
}

// moved passes motion on. What is told late is told as it ended: nobody is called for it.
func (h *house) moved(d sdk.Delivery, active bool) {
	door := h.door(d.Event.Camera)
	if door == nil || !moves(d.Event.Type) || active && d.Replay {
		return
	}
	door.move(d.Event.Type, active)
}

// ring tells every listener at once. One that is known already was told, or will be
// when its listeners are back.
func (h *house) ring(ctx context.Context, d sdk.Delivery, data sdk.Ring) {
	limit := d.Event.TTL
	if limit == 0 {
		limit = worth
	}
	door := h.door(d.Event.Camera)
	id := h.configured().id(d.Event.Camera)
	if door != nil {
		id = door.id // it may follow other settings in a moment
	}
	now := h.now()
	r := ledger.Ring{ID: d.Event.ID, Accessory: id, At: now.Add(-d.Age), Until: now.Add(limit - d.Age)}
	switch {
	case data.Long:
		r.Value = 2 // HAP 9.75
	case data.Double:
		r.Value = 1
	}
	if d.Age >= limit || !h.ledger.Take(r) || door == nil {
		return
	}
	door.bell.ring(door.srv, r, &door.work)
	door.cam.Pressed(ctx)
}

// told writes into the ring's trace how many controllers heard of it.
func (h *house) told(ctx context.Context, r ledger.Ring, told, of int, took time.Duration) {
	hop := sdk.Hop{EventID: r.ID, Outcome: "ok", Took: took, Detail: fmt.Sprintf("told %d of %d controllers", told, of)}
	switch {
	case of == 0:
		hop.Outcome, hop.Detail = "skipped", "no controller of Apple Home listens"
	case told < of:
		hop.Outcome = "failed"
	}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	_, err := h.hub.Publish(ctx, sdk.Event{Type: sdk.TypeHop, Subject: "plugin." + h.hub.Entry() + ".hop", Correlation: r.ID, Data: hop})
	if err != nil {
		h.log.Debug("the ring's trace was not told", "error", err)
	}
}

// configured are the settings as they are now.
func (h *house) configured() settings {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settings
}
