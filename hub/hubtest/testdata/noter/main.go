// Command noter is a plugin for tests. By its config it publishes rings, takes
// them, or is a chime, and notes what it does in a file: one line a fact, written
// with one call, so that a SIGKILL loses none that it has noted.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func main() { sdk.Serve(func() sdk.Plugin { return &noter{ready: make(chan struct{})} }) }

type settings struct {
	Notes string `json:"notes"` // file
	// Every is how often each camera rings; empty: never.
	Every string `json:"every"`
	// Motion rings nothing: it floods with motion as fast as it can, so many in all.
	Motion int `json:"motion"`
	// After is a file; publishing begins when it is there.
	After string `json:"after"`
	// Until is a file; publishing ends when it is there.
	Until string `json:"until"`
}

type noter struct {
	ready chan struct{} // closed when notes may be taken
	set   settings
	notes *os.File
}

func (*noter) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "org.example.noter", Name: "Noter", Version: "1.0.0",
		Capabilities: []manifest.Capability{manifest.Camera, manifest.Chime, manifest.Bridge},
		Permissions: manifest.Permissions{
			Publish: []string{"camera.*.ring", "camera.*.motion"}, Subscribe: []string{"camera.*.ring"},
		},
	}
}

func (n *noter) note(words ...any) {
	if _, err := n.notes.WriteString(fmt.Sprintln(words...)); err != nil {
		panic(err)
	}
}

// Run publishes, where the config says so.
func (n *noter) Run(ctx context.Context, hub *sdk.Hub) error {
	if err := hub.Config(&n.set); err != nil {
		return err
	}
	f, err := os.OpenFile(n.set.Notes, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n.notes = f
	close(n.ready)
	n.note("start", os.Getpid())
	if n.set.Motion > 0 {
		return n.flood(ctx, hub)
	}
	if n.set.Every == "" {
		<-ctx.Done()
		return nil
	}
	every, err := time.ParseDuration(n.set.Every)
	if err != nil {
		return err
	}
	return hub.Each(ctx, func(ctx context.Context, d sdk.Device) error {
		for range sdk.Every(ctx, every) {
			if there(n.set.Until) {
				return nil
			}
			if n.set.After == "" || there(n.set.After) {
				n.ring(ctx, hub, d.ID)
			}
		}
		return nil
	})
}

func there(file string) bool {
	_, err := os.Stat(file)
	return file != "" && err == nil
}

func (n *noter) ring(ctx context.Context, hub *sdk.Hub, camera string) {
	e := sdk.NewEvent(sdk.TypeRing, camera, sdk.Ring{})
	n.note("sent", e.ID, camera)
	r, err := hub.Publish(ctx, e)
	if err != nil {
		n.note("refused", e.ID, err)
		return
	}
	n.note("acked", e.ID, r.Outcome)
}

// flood publishes motion from many goroutines, as a broken plugin would.
func (n *noter) flood(ctx context.Context, hub *sdk.Hub) error {
	done := make(chan struct{}, 64) // one for each goroutine
	each := n.set.Motion / cap(done)
	for range cap(done) {
		go func() {
			defer func() { done <- struct{}{} }()
			for range each {
				for _, d := range hub.Devices() {
					if ctx.Err() != nil {
						return
					}
					// A refusal is what a flooder has to expect.
					_, _ = hub.Publish(ctx, sdk.NewEvent(sdk.TypeMotion, d.ID, sdk.Motion{Active: true}))
				}
			}
		}()
	}
	for range cap(done) {
		<-done
	}
	n.note("flooded", n.set.Motion)
	<-ctx.Done()
	return nil
}

// HandleEvent notes when it begins and when it is done.
func (n *noter) HandleEvent(ctx context.Context, d sdk.Delivery) error {
	select {
	case <-n.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	n.note("began", d.Event.ID, d.Replay)
	n.note("handled", d.Event.ID, d.Replay)
	return nil
}

// Play notes the sound.
func (n *noter) Play(ctx context.Context, r sdk.PlayRequest) (sdk.PlayResult, error) {
	select {
	case <-n.ready:
	case <-ctx.Done():
		return sdk.PlayResult{}, ctx.Err()
	}
	n.note("played", r.EventID, r.Camera)
	return sdk.PlayResult{Played: true, Sound: r.Sound}, nil
}
