package registry

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Device is a camera or doorbell of the house.
type Device struct {
	ID            string    `json:"id"`
	Name          string    `json:"name"`
	Kind          string    `json:"kind"` // doorbell, camera
	Plugin        string    `json:"plugin,omitempty"`
	Online        bool      `json:"online"`
	Known         bool      `json:"known"` // Online was reported at least once
	OfflineReason string    `json:"offline_reason,omitempty"`
	LastSeen      time.Time `json:"last_seen,omitzero"`
	LastEvent     time.Time `json:"last_event,omitzero"`
	Talk          bool      `json:"talk"`
	// IgnoreOlderThan: a ring older than this is shown, not rung.
	IgnoreOlderThan time.Duration `json:"-"`
}

// Publisher is the bus, as far as the registry needs it.
type Publisher interface {
	Publish(ctx context.Context, e event.Event, done func(event.Result, error)) error
}

// Registry holds the devices. Safe for concurrent use.
type Registry struct {
	bus Publisher
	log *slog.Logger
	now func() time.Time

	mu      sync.RWMutex
	devices map[string]*Device
}

// New makes an empty registry.
func New(bus Publisher, log *slog.Logger, now func() time.Time) *Registry {
	return &Registry{bus: bus, log: log, now: now, devices: map[string]*Device{}}
}

// Apply replaces the set of devices; what is known of one that stays is kept.
func (r *Registry) Apply(devices []Device) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := make(map[string]*Device, len(devices))
	for _, d := range devices {
		if old, ok := r.devices[d.ID]; ok && old.Plugin == d.Plugin {
			d.Online, d.Known, d.OfflineReason = old.Online, old.Known, old.OfflineReason
			d.LastSeen, d.LastEvent = old.LastSeen, old.LastEvent
		}
		next[d.ID] = &d
	}
	r.devices = next
}

// Devices lists all, by id.
func (r *Registry) Devices() []Device {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]Device, 0, len(r.devices))
	for _, d := range r.devices {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Device) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Device by id.
func (r *Registry) Device(id string) (Device, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	d, ok := r.devices[id]
	if !ok {
		return Device{}, false
	}
	return *d, true
}

// Of lists the devices that a plugin speaks for, by id.
func (r *Registry) Of(plugin string) []Device {
	return slices.DeleteFunc(r.Devices(), func(d Device) bool { return d.Plugin != plugin })
}

// Saw notes an event of a camera.
func (r *Registry) Saw(id string, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if d, ok := r.devices[id]; ok && at.After(d.LastEvent) {
		d.LastEvent = at
	}
}

// SetOnline notes whether a camera answers, and publishes it where that changed.
func (r *Registry) SetOnline(ctx context.Context, id string, online bool, reason string) {
	r.mu.Lock()
	d, ok := r.devices[id]
	if !ok || d.Known && d.Online == online && d.OfflineReason == reason {
		if ok && online {
			d.LastSeen = r.now()
		}
		r.mu.Unlock()
		return
	}
	changed := !d.Known || d.Online != online
	if d.Online || online {
		d.LastSeen = r.now()
	}
	d.Known, d.Online, d.OfflineReason = true, online, reason
	name := d.Name
	r.mu.Unlock()
	if !changed {
		return
	}
	e := event.New(event.TypeOnline, id, event.Online{Online: online, Reason: reason})
	e.CameraName = name
	if err := r.bus.Publish(ctx, e, nil); err != nil && ctx.Err() == nil {
		r.log.Warn("camera state not published", "camera", id, "err", err)
	}
}
