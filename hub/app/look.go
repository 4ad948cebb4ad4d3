package app

import (
	"cmp"
	"context"
	"slices"

	"github.com/porchlight-hub/porchlight/hub/doctor"
)

// looker is made anew where it is used: the puller comes after the pictures, which ask it.
func (h *Hub) looker() doctor.Looker {
	return doctor.Looker{Sources: h.sources, Puller: h.puller, Media: h.media, Target: target, Memory: memory{h}.Load}
}

// trouble is why no stream of a camera can come now.
func (h *Hub) trouble(camera string) error { return h.looker().Trouble(camera) }

// doctor looks at the house and this machine.
func (h *Hub) doctor(ctx context.Context, areas []string) []doctor.Finding {
	c, _ := h.state.running()
	return doctor.Check(ctx, doctor.Deps{File: h.state.file, Config: c, Problems: h.state.told(), DataDir: h.opts.DataDir,
		Address: h.addr.String(), Ways: h.hindered, Plugins: h.patients, SelfCheck: h.selfCheck, Look: h.looker().Running, Secrets: h.secrets.Known()}, areas...)
}

// hindered tells what the pages tell of the ways in; the certificate has an area of its own.
func (h *Hub) hindered() []doctor.Finding {
	var out []doctor.Finding
	for key, way := range h.ports() {
		if err := way.trouble(); err != nil && key != "tls" {
			r := repairOf(key, way.effect, err)
			out = append(out, doctor.Finding{State: doctor.Warn, What: r.Title, Why: r.Effect, Fix: r.Fix, Code: r.Code})
		}
	}
	slices.SortFunc(out, func(a, b doctor.Finding) int { return cmp.Compare(a.What, b.What) })
	return out
}

// patients are the plugins as the doctor sees them.
func (h *Hub) patients() []doctor.Plugin {
	var out []doctor.Plugin
	for _, st := range h.super.Status() {
		out = append(out, doctor.Plugin{Name: st.Name, ID: st.ID, State: string(st.State), Code: st.Code, Reason: st.Reason, Fix: st.Fix,
			Optional: st.Optional, Missing: st.Missing})
	}
	return out
}

// rotate is how far a camera's picture is turned for people.
func (h *Hub) rotate(camera string) int {
	c, _ := h.state.running()
	return c.Cameras[camera].Rotate
}

// order compares two cameras by where their owner wrote them.
func (h *Hub) order(a, b string) int {
	c, _ := h.state.running()
	at, than := c.Place("cameras."+a), c.Place("cameras."+b)
	files := c.Files()
	return cmp.Or(cmp.Compare(slices.Index(files, at.File), slices.Index(files, than.File)), cmp.Compare(at.Line, than.Line), cmp.Compare(at.Column, than.Column))
}

// hasSnapshot tells whether a JPEG of the camera can be had.
func (h *Hub) hasSnapshot(camera string) bool {
	c, ok := h.sources.Camera(camera)
	if !ok {
		return false
	}
	return c.Snapshot != nil || c.SnapshotByPlugin || len(c.Streams) > 0 && h.stills.Available() == nil
}
