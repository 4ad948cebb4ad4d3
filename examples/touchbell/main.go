// Command touchbell is a doorbell without a doorbell: it rings when a file is touched.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func main() { sdk.Serve(New) }

// New makes the plugin.
func New() sdk.Plugin { return bell{} }

type bell struct{}

// source is what stands under a camera's `source`.
type source struct {
	File string `json:"file"`
}

func (bell) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "org.example.touchbell", Name: "Touch bell", Version: "0.1.0",
		Capabilities: []manifest.Capability{manifest.Camera},
		Permissions:  manifest.Permissions{Publish: []string{"camera.*.ring"}},
		DeviceSchema: json.RawMessage(`{
			"type": "object", "additionalProperties": false, "required": ["file"],
			"properties": {"file": {"type": "string", "title": "File that is touched to ring"}}
		}`),
	}
}

// Source: there are no pictures.
func (bell) Source(context.Context, string) (sdk.Source, error) { return sdk.Source{}, nil }

// Check says what a schema cannot.
func (bell) Check(_ context.Context, c sdk.Config) []sdk.Problem {
	var out []sdk.Problem
	for _, d := range c.Devices {
		var s source
		if err := d.Decode(&s); err == nil && !filepath.IsAbs(s.File) {
			out = append(out, sdk.Problem{Path: "devices/" + d.ID + "/file", Message: "is not an absolute path", Fix: "begin it with /"})
		}
	}
	return out
}

// Run watches the file of every camera that names this plugin.
func (bell) Run(ctx context.Context, hub *sdk.Hub) error {
	return hub.Each(ctx, func(ctx context.Context, d sdk.Device) error {
		var s source
		if err := d.Decode(&s); err != nil {
			return err
		}
		last, err := touched(s.File) // what was touched before the start is no ring
		if err != nil {
			return err
		}
		for range sdk.Every(ctx, 100*time.Millisecond) {
			at, err := touched(s.File)
			if err != nil {
				return err // logged; Each tries again, later and later
			}
			if at.Equal(last) {
				continue
			}
			last = at
			r, err := hub.Ring(ctx, d.ID)
			if err != nil {
				return err
			}
			hub.Log().Info("rang", "camera", d.ID, "outcome", r.Outcome.String())
		}
		return nil
	})
}

// touched is when the file was; zero where there is none.
func touched(file string) (time.Time, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) || file == "" {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
