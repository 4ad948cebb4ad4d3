// Command crowd is a plugin for the flood's test. By its config it is a bell that
// rings steadily, one that floods the house, or a chime; it notes in a file what it
// did and when, one line a fact.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

func main() { sdk.Serve(func() sdk.Plugin { return &crowd{ready: make(chan struct{})} }) }

// sides is how many publish at once in a flood: more than the protocol has credits.
const sides = 400

type settings struct {
	Notes   string `json:"notes"`   // file
	Every   string `json:"every"`   // a bell's pace; empty: it never rings
	Motions int    `json:"motions"` // of a flood
	Rings   int    `json:"rings"`
	After   string `json:"after"` // a file: all begins when it is there
	Until   string `json:"until"` // a file: all ends when it is there
}

type crowd struct {
	ready chan struct{} // closed when notes may be taken
	set   settings
	notes *os.File
}

func (*crowd) Manifest() manifest.Manifest {
	return manifest.Manifest{
		ID: "org.example.crowd", Name: "Crowd", Version: "1.0.0",
		Capabilities: []manifest.Capability{manifest.Camera, manifest.Chime},
		Permissions:  manifest.Permissions{Publish: []string{"camera.*.ring", "camera.*.motion"}},
	}
}

// note appends one line, with one call; the moment comes second.
func (c *crowd) note(word string, more ...any) {
	line := fmt.Sprintln(append([]any{word, time.Now().UnixNano()}, more...)...)
	if _, err := c.notes.WriteString(line); err != nil {
		panic(err)
	}
}

func there(file string) bool {
	_, err := os.Stat(file)
	return file != "" && err == nil
}

// Run does what the config says.
func (c *crowd) Run(ctx context.Context, hub *sdk.Hub) error {
	if err := hub.Config(&c.set); err != nil {
		return err
	}
	f, err := os.OpenFile(c.set.Notes, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	c.notes = f
	close(c.ready)
	for range sdk.Every(ctx, 20*time.Millisecond) {
		if c.set.After == "" || there(c.set.After) {
			break
		}
	}
	switch {
	case c.set.Every != "":
		err = c.ring(ctx, hub)
	case c.set.Motions > 0:
		err = c.flood(ctx, hub)
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (c *crowd) ring(ctx context.Context, hub *sdk.Hub) error {
	every, err := time.ParseDuration(c.set.Every)
	if err != nil {
		return err
	}
	for range sdk.Every(ctx, every) {
		if there(c.set.Until) {
			return nil
		}
		e := sdk.NewEvent(sdk.TypeRing, hub.Devices()[0].ID, sdk.Ring{})
		c.note("sent", e.ID)
		r, err := hub.Publish(ctx, e)
		if err != nil {
			c.note("refused", e.ID, err)
			continue
		}
		c.note("acked", e.ID, r.Outcome)
	}
	return nil
}

// flood publishes from all sides until everything is gone or Until is there.
func (c *crowd) flood(ctx context.Context, hub *sdk.Hub) error {
	c.note("begin")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	taken := map[sdk.EventType]*atomic.Int64{sdk.TypeMotion: {}, sdk.TypeRing: {}}
	var refused atomic.Int64
	publish := func(t sdk.EventType, data func() sdk.Event, left *atomic.Int64) {
		for ctx.Err() == nil && left.Add(-1) >= 0 {
			switch _, err := hub.Publish(ctx, data()); {
			case err == nil:
				taken[t].Add(1)
			case ctx.Err() == nil:
				refused.Add(1)
			}
		}
	}
	camera := hub.Devices()[0].ID
	var motions, rings atomic.Int64
	motions.Store(int64(c.set.Motions))
	rings.Store(int64(c.set.Rings))
	for range sides {
		wg.Go(func() {
			publish(sdk.TypeMotion, func() sdk.Event { return sdk.NewEvent(sdk.TypeMotion, camera, sdk.Motion{Active: true}) }, &motions)
		})
		wg.Go(func() {
			publish(sdk.TypeRing, func() sdk.Event { return sdk.NewEvent(sdk.TypeRing, camera, sdk.Ring{}) }, &rings)
		})
	}
	for range sdk.Every(ctx, 20*time.Millisecond) {
		if there(c.set.Until) {
			break
		}
	}
	cancel()
	wg.Wait()
	c.note("end", taken[sdk.TypeMotion].Load(), taken[sdk.TypeRing].Load(), refused.Load())
	return nil
}

// Play notes the sound.
func (c *crowd) Play(ctx context.Context, r sdk.PlayRequest) (sdk.PlayResult, error) {
	select {
	case <-c.ready:
	case <-ctx.Done():
		return sdk.PlayResult{}, ctx.Err()
	}
	c.note("played", r.EventID, r.Camera)
	return sdk.PlayResult{Played: true, Sound: r.Sound}, nil
}
