package plugins

import (
	"github.com/porchlight-hub/porchlight/plugins/demo"
	"github.com/porchlight-hub/porchlight/plugins/homekit"
	"github.com/porchlight-hub/porchlight/plugins/rtsp"
	"github.com/porchlight-hub/porchlight/plugins/speaker/about"
	"github.com/porchlight-hub/porchlight/plugins/webhook"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// Entry is one bundled plugin. The hub runs New in a child of its own binary
// (porchlight plugin run NAME). Where New is nil the plugin is a program of its
// own, because it needs what the hub must not (cgo); Binary is then its file name,
// looked for in hub.plugin_path, beside the hub's binary and in ./bin.
type Entry struct {
	Name   string
	New    func() sdk.Plugin
	Binary string
	// Manifest is the plugin's, without starting it.
	Manifest func() manifest.Manifest
}

// Bundled lists what ships, by name.
func Bundled() []Entry {
	return []Entry{
		{Name: "demo", New: demo.New, Manifest: func() manifest.Manifest { return demo.New().Manifest() }},
		{Name: "homekit", New: homekit.New, Manifest: func() manifest.Manifest { return homekit.New().Manifest() }},
		{Name: "rtsp", New: rtsp.New, Manifest: func() manifest.Manifest { return rtsp.New().Manifest() }},
		{Name: "speaker", Binary: "porchlight-speaker", Manifest: about.Manifest},
		{Name: "webhook", New: webhook.New, Manifest: func() manifest.Manifest { return webhook.New().Manifest() }},
	}
}
