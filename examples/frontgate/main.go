// Command frontgate is a whole camera plugin: it pushes pictures that it draws
// itself, with a visitor who walks through them and rings three times a minute.
package main

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func main() { sdk.Serve(New) }

// New makes the plugin.
func New() sdk.Plugin { return gate{} }

// period of the visitor's visits.
const period = 20 * time.Second

type gate struct{}

func (gate) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "org.example.frontgate", Name: "Front gate", Version: "0.1.0",
		Capabilities: []manifest.Capability{manifest.Camera},
		Permissions: manifest.Permissions{
			Publish: []string{"camera.*.ring"},
			Media:   manifest.Media{Publish: true},
		},
	}
}

// Source tells the hub that there is nothing to pull: Run pushes.
func (gate) Source(context.Context, string) (sdk.Source, error) {
	return sdk.Source{Push: true}, nil
}

// Run films every camera of porchlight.yaml that names this plugin.
func (gate) Run(ctx context.Context, hub *sdk.Hub) error {
	return hub.Each(ctx, func(ctx context.Context, d sdk.Device) error {
		out, err := hub.PublishMedia(ctx, d.ID, "main")
		if err != nil {
			return err
		}
		defer out.Close()
		rang := time.Now().Add(-period / 2).Truncate(period) // nobody rings because the plugin starts
		for at := range sdk.Every(ctx, 100*time.Millisecond) {
			unit := &av.Unit{Track: av.ImageTrack, Key: true, Data: frame(at), Wall: at}
			if err := out.Write(ctx, unit); err != nil {
				return err
			}
			if visit := at.Truncate(period); at.Sub(visit) > period/2 && visit != rang { // he is at the button
				rang = visit
				if _, err := hub.Ring(ctx, d.ID); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// frame draws the gate with the visitor where he is at that moment of his visit.
func frame(at time.Time) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 640, 360))
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{R: 30, G: 40, B: 60, A: 255}), image.Point{}, draw.Src)
	x := int(at.Sub(at.Truncate(period)) * 640 / period)
	draw.Draw(img, image.Rect(x-20, 120, x+20, 300), image.NewUniform(color.RGBA{R: 240, G: 180, B: 60, A: 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	_ = jpeg.Encode(&b, img, nil) // a buffer takes all
	return b.Bytes()
}
