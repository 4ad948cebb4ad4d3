package homekit

import (
	"cmp"
	"slices"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// settle is how long a camera must have been there without an ability before its
// accessory loses it: what a camera can do is not known while it starts, and an
// accessory that changes its shape makes every controller read it anew.
const settle = time.Minute

// shape is what an accessory is made of. It is kept, so that an accessory is the
// same one before its camera was reached.
type shape struct {
	Doorbell    bool `json:"doorbell"`
	Talk        bool `json:"talk"`
	Motion      bool `json:"motion"`
	Long        bool `json:"long,omitempty"`
	Double      bool `json:"double,omitempty"`
	NightVision bool `json:"night_vision,omitempty"`
	Indicator   bool `json:"indicator,omitempty"`
	Width       int  `json:"width,omitempty"` // of the main stream; 0: never seen
	Height      int  `json:"height,omitempty"`
	FPS         int  `json:"fps,omitempty"`

	Manufacturer string `json:"manufacturer,omitempty"`
	Model        string `json:"model,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Firmware     string `json:"firmware,omitempty"`
}

// shapeOf is what the hub tells of a camera now.
func shapeOf(c sdk.CameraInfo, m sdk.MediaDescription) shape {
	s := shape{Doorbell: c.Kind == "doorbell", Talk: c.Talk, Motion: true}
	if d := c.Device; d != nil {
		s.Manufacturer, s.Model, s.Serial, s.Firmware = d.Manufacturer, d.Model, d.Serial, d.Firmware
		s.Motion = len(d.EventTypes) == 0 || slices.ContainsFunc(d.EventTypes, moves)
		s.Long, s.Double = slices.Contains(d.Presses, "long"), slices.Contains(d.Presses, "double")
		for _, mode := range d.Modes {
			s.NightVision = s.NightVision || mode.ID == "night_vision"
			s.Indicator = s.Indicator || mode.ID == "indicator"
		}
	}
	for _, stream := range m.Streams {
		for _, t := range stream.Tracks {
			if stream.Name == "main" && t.Width > 0 {
				s.Width, s.Height, s.FPS = t.Width, t.Height, int(t.FPS+0.5)
			}
		}
	}
	return s
}

// build is what cannot change while controllers are connected.
func (s shape) build() shape {
	s.Width, s.Height, s.FPS = 0, 0, 0
	s.Manufacturer, s.Model, s.Serial, s.Firmware = "", "", "", ""
	return s
}

// offers are the camera's streams; one that is not reached yet has the size that it had.
func (s shape) offers(m sdk.MediaDescription) sdk.MediaDescription {
	if s.Width == 0 || shapeOf(sdk.CameraInfo{}, m).Width > 0 {
		return m
	}
	was := av.Track{Kind: av.Video, Codec: av.H264, Width: s.Width, Height: s.Height, FPS: float64(s.FPS)}
	return sdk.MediaDescription{Talk: m.Talk, Streams: append([]sdk.StreamDescription{{Name: "main", Tracks: []sdk.TrackDescription{{Track: was}}}}, m.Streams...)}
}

// moves says whether an event of this type moves Home's motion sensor.
func moves(t sdk.EventType) bool {
	return t == sdk.TypeMotion || t == sdk.TypePerson || t == sdk.TypeVehicle || t == sdk.TypeAnimal
}

// with is the shape after the camera was looked at again. What came is taken at
// once, what went only if the camera was there long enough to be believed.
func (s shape) with(seen shape, settled bool) shape {
	if s.FPS != 0 && seen.Width == s.Width && seen.Height == s.Height {
		seen.FPS = s.FPS // what is measured swings
	}
	if settled {
		seen.Width, seen.Height, seen.FPS = cmp.Or(seen.Width, s.Width), cmp.Or(seen.Height, s.Height), cmp.Or(seen.FPS, s.FPS)
		return seen
	}
	s.Doorbell = seen.Doorbell // the owner's word
	s.Talk, s.Motion, s.Long, s.Double = s.Talk || seen.Talk, s.Motion || seen.Motion, s.Long || seen.Long, s.Double || seen.Double
	s.NightVision, s.Indicator = s.NightVision || seen.NightVision, s.Indicator || seen.Indicator
	if seen.Width > 0 {
		s.Width, s.Height, s.FPS = seen.Width, seen.Height, cmp.Or(seen.FPS, s.FPS)
	}
	s.Manufacturer, s.Model = cmp.Or(seen.Manufacturer, s.Manufacturer), cmp.Or(seen.Model, s.Model)
	s.Serial, s.Firmware = cmp.Or(seen.Serial, s.Serial), cmp.Or(seen.Firmware, s.Firmware)
	return s
}
