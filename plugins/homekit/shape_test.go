package homekit

import (
	"testing"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// What is not known yet takes nothing away; what a camera has shown for a while counts.
func TestShapeGrowsAtOnceAndShrinksSlowly(t *testing.T) {
	full := shapeOf(sdk.CameraInfo{Kind: "doorbell", Talk: true, Device: &sdk.DeviceDescription{
		Manufacturer: "Acme", EventTypes: []sdk.EventType{sdk.TypeRing, sdk.TypePerson}, Presses: []string{"long"},
		Modes: []sdk.Choice{{ID: "night_vision"}, {ID: "indicator"}, {ID: "volume"}},
	}}, sdk.MediaDescription{Streams: []sdk.StreamDescription{
		{Name: "sub", Tracks: []sdk.TrackDescription{{Track: av.Track{Width: 640, Height: 360}}}},
		{Name: "main", Tracks: []sdk.TrackDescription{{Track: av.Track{Width: 1920, Height: 1080, FPS: 24.98}}}},
	}})
	want := shape{Doorbell: true, Talk: true, Motion: true, Long: true, NightVision: true, Indicator: true, Width: 1920, Height: 1080, FPS: 25, Manufacturer: "Acme"}
	if full != want {
		t.Fatalf("have %+v\nwant %+v", full, want)
	}
	unknown := shapeOf(sdk.CameraInfo{Kind: "doorbell"}, sdk.MediaDescription{})
	if got := full.with(unknown, false); got != full {
		t.Errorf("a camera that starts took something away: %+v", got)
	}
	if got := (shape{}).with(full, false); got != full {
		t.Errorf("a new ability waits: %+v", got)
	}
	still := shape{Doorbell: true, Motion: true, Width: 1920, Height: 1080, FPS: 25}
	if got := full.with(unknown, true); got != still {
		t.Errorf("what it has not had for long: %+v", got)
	}
	deaf := shapeOf(sdk.CameraInfo{Device: &sdk.DeviceDescription{EventTypes: []sdk.EventType{sdk.TypeRing, sdk.TypeParcel}}}, sdk.MediaDescription{})
	if deaf.Motion || deaf.Doorbell {
		t.Errorf("a camera that tells of no motion: %+v", deaf)
	}
}

func TestFirmware(t *testing.T) {
	for in, want := range map[string]string{"": "1.0.0", "1.2.3": "1.2.3", "V5.6": "1.0.0", "5.6": "5.6.0", "4.1.2-beta": "4.1.2"} {
		if got := firmware(in); got != want {
			t.Errorf("firmware(%q) = %q, want %q", in, got, want)
		}
	}
}
