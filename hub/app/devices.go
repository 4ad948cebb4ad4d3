package app

import (
	"context"
	"time"

	"github.com/porchlight-hub/porchlight/hub/bus"
	"github.com/porchlight-hub/porchlight/hub/host"
	"github.com/porchlight-hub/porchlight/hub/registry"
)

// lookEvery is how often cameras are looked at beside the changes that are told.
const lookEvery = time.Second

// watchDevices keeps the registry true: a camera is online while its plugin runs
// and, where it ever sent pictures, while they come.
func (h *Hub) watchDevices(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case e := <-h.states:
			if err := h.bus.Publish(ctx, e, nil); err != nil && ctx.Err() == nil {
				h.log.Warn("plugin state not published", "subject", e.Subject, "err", err)
			}
		case <-tick.C:
		}
		for _, d := range h.registry.Devices() {
			if d.Plugin == "" {
				continue // a bare button does not come and go
			}
			online, reason := h.reachable(d)
			h.registry.SetOnline(ctx, d.ID, online, reason)
		}
	}
}

func (h *Hub) reachable(d registry.Device) (online bool, reason string) {
	if online, reason, known := h.reached(d.ID); known {
		return online, reason // by the hub itself, whether the plugin runs or not
	}
	st, ok := h.super.Plugin(d.Plugin)
	switch {
	case !ok:
		return false, "plugin " + d.Plugin + " is not configured"
	case !st.State.Alive():
		return false, "plugin " + d.Plugin + " is " + string(st.State)
	}
	if st := h.sources.State(d.ID); !st.Known && st.Err != nil {
		return false, st.Err.Error()
	}
	for _, name := range streamNames() {
		if s, ok := h.media.Lookup(d.ID, name); ok && len(s.Tracks()) > 0 {
			if s.Live() {
				return true, ""
			}
			reason = "no picture comes from it"
		}
	}
	for _, p := range st.Parts {
		if p.Name == "camera "+d.ID && p.State != "ok" && p.Reason != "" {
			return false, p.Reason // its plugin knows better
		}
	}
	if h.idle(d.ID) {
		return true, ""
	}
	return reason == "", reason
}

// idle: its plugin pushes on demand, and nobody wants it.
func (h *Hub) idle(camera string) bool {
	c, ok := h.sources.Camera(camera)
	return ok && c.Push && c.Policy != "always" && h.media.Stream(camera, "main").Demand() == 0
}

// reached tells of a camera that the hub pulls: it is there while one of its streams
// comes, or while nobody wants one and nothing has failed.
func (h *Hub) reached(camera string) (online bool, reason string, known bool) {
	for _, st := range h.puller.Of(camera) {
		switch {
		case st.State == "live":
			return true, "", true
		case st.State == "off" && st.Code == "":
			online = true
		case reason == "":
			reason = st.Reason
		}
		known = true
	}
	if reason != "" {
		online = false
	}
	return online, reason, known
}

// watchDisk shows a card while the journal cannot be written.
func (h *Hub) watchDisk(ctx context.Context) error {
	states, stop := h.bus.Watch()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case st, ok := <-states:
			if !ok {
				return ctx.Err()
			}
			h.diskCard(st)
		}
	}
}

func (h *Hub) diskCard(st bus.JournalState) {
	defer h.web.Changed()
	if !st.Stopped {
		h.host.Repairs().Close(hubOwner, "journal")
		return
	}
	h.host.Repairs().Open(hubOwner, host.Repair{Key: "journal", Code: st.Code, Title: "The journal cannot be written",
		Effect: "rings still ring; what happens now would be lost if the hub stopped: " + st.Cause,
		Fix:    "make room on the disk of the data folder; the hub then writes what it kept, without a restart"})
}
