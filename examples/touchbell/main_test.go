package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// The whole contract, in one line.
func TestContract(t *testing.T) { plugintest.InProcess(t, New, plugintest.Options{}) }

func TestATouchRings(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	file := filepath.Join(t.TempDir(), "bell")
	config, err := json.Marshal(source{File: file})
	if err != nil {
		t.Fatal(err)
	}
	hub := plugintest.Start(t, New, plugintest.Options{
		Devices: []sdk.Device{{ID: "gate", Name: "Gate", Kind: "doorbell", JSON: config}},
	})
	// Run looks first and then listens, so a touch may come too soon: touch until it rings.
	rang := make(chan error, 1)
	go func() {
		_, err := hub.Await(ctx, func(e sdk.Event) bool { return e.Type == sdk.TypeRing && e.Camera == "gate" })
		rang <- err
	}()
	for n := 0; ; n++ {
		if err := os.WriteFile(file, []byte{byte(n)}, 0o600); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-rang:
			if err != nil {
				t.Fatal(err)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}
