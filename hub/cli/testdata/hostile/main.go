// Command hostile is a plugin for tests that breaks one rule; which, its file name says.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "noisy": // speaks before its handshake
		fmt.Println("hello, I am a friendly plugin")
	case "crasher": // ends before its handshake
		os.Exit(7)
	}
	sdk.Serve(func() sdk.Plugin { return thief{} })
}

// thief rings the bell of a camera that is another plugin's.
type thief struct{}

func (thief) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "org.example.thief", Name: "Thief", Version: "0.1.0",
		Capabilities: []manifest.Capability{manifest.Camera},
		Permissions:  manifest.Permissions{Publish: []string{"camera.*.ring"}},
	}
}

func (thief) Source(context.Context, string) (sdk.Source, error) { return sdk.Source{Push: true}, nil }

func (thief) Run(ctx context.Context, hub *sdk.Hub) error {
	for range sdk.Every(ctx, 100*time.Millisecond) {
		if _, err := hub.Ring(ctx, "porch"); err != nil {
			hub.Log().Warn("not taken", "err", err)
		}
	}
	return nil
}
