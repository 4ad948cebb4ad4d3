package plugintest_test

import (
	"context"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

type smoke struct{}

func (smoke) Manifest() manifest.Manifest {
	return manifest.Manifest{ID: "test.smoke", Name: "Smoke", Version: "1.0.0", Capabilities: []manifest.Capability{manifest.Camera},
		Permissions: manifest.Permissions{Publish: []string{"camera.*.ring"}}}
}
func (smoke) Run(ctx context.Context, hub *sdk.Hub) error {
	hub.Log().Info("hello", "who", hub.Entry())
	_, err := hub.Ring(ctx, hub.Devices()[0].ID)
	return err
}

func TestSmoke(t *testing.T) {
	h := plugintest.Start(t, func() sdk.Plugin { return smoke{} }, plugintest.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	e, err := h.Await(ctx, func(e sdk.Event) bool { return e.Type == sdk.TypeRing })
	t.Log(e, err, h.Logs())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(h.Stop(ctx))
}
