package demo

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

// heard is a hub that takes events and has no media.
type heard struct {
	mu     sync.Mutex
	events []sdk.Event
	tries  int
}

func (h *heard) PublishMedia(context.Context, string, string, ...av.Track) (*av.Publisher, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tries++
	return nil, errors.New("no media here")
}

func (h *heard) Publish(_ context.Context, e sdk.Event) (sdk.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, e)
	return sdk.Result{Outcome: sdk.Durable}, nil
}

func (h *heard) motions() (out []bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.events {
		out = append(out, e.Data.(sdk.Motion).Active)
	}
	return out
}

func inBubble(t *testing.T, f func(t *testing.T, c *camera, h *heard)) {
	p := testPictures(t)
	synctest.Test(t, func(t *testing.T) {
		f(t, newCamera(sdk.Device{ID: "porch"}, deviceSettings{}, p, 0, time.UTC), &heard{})
	})
}

// TestAYoungCameraIsNoFault: a fresh hub does not look broken for its first seconds.
func TestAYoungCameraIsNoFault(t *testing.T) {
	inBubble(t, func(t *testing.T, c *camera, _ *heard) {
		if p := c.part(); p.State != sdk.PartOK {
			t.Errorf("at its begin: %+v", p)
		}
		time.Sleep(settles)
		if p := c.part(); p.State != sdk.PartDegraded || p.Reason != notYet {
			t.Errorf("after %s without a picture: %+v", settles, p)
		}
	})
}

func TestWithoutRequestNothingMoves(t *testing.T) {
	inBubble(t, func(t *testing.T, c *camera, h *heard) {
		ctx, stop := context.WithCancel(t.Context())
		go c.motionEvents(ctx, h, false, func(error) {})
		time.Sleep(48 * time.Hour)
		if got := h.motions(); len(got) != 0 {
			t.Errorf("motion by itself: %v", got)
		}
		stop()
	})
}

func TestMotionOnRequestLastsAsLongAsItIsAskedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, c *camera, h *heard) {
		ctx, stop := context.WithCancel(t.Context())
		go c.motionEvents(ctx, h, false, func(error) {})
		c.requestMotion(5 * time.Second)
		synctest.Wait()
		if got := h.motions(); len(got) != 1 || !got[0] {
			t.Fatalf("after the request: %v", got)
		}
		time.Sleep(3 * time.Second)
		c.requestMotion(5 * time.Second) // it goes on: no second beginning
		time.Sleep(4 * time.Second)
		if got := h.motions(); len(got) != 1 {
			t.Fatalf("it was prolonged: %v", got)
		}
		time.Sleep(1100 * time.Millisecond)
		if got := h.motions(); len(got) != 2 || got[1] {
			t.Errorf("at its end: %v", got)
		}
		stop()
	})
}

func TestMotionFollowsTheVisitorWhenConfigured(t *testing.T) {
	inBubble(t, func(t *testing.T, c *camera, h *heard) {
		ctx, stop := context.WithCancel(t.Context())
		go c.motionEvents(ctx, h, true, func(error) {})
		time.Sleep(10*loopLength + time.Millisecond)
		if got := h.motions(); len(got) != 20 || !got[0] || got[19] {
			t.Errorf("%d motion events in ten rounds, want 20: %v", len(got), got)
		}
		stop()
	})
}

func TestNoMediaIsToldAndTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c *camera, h *heard) {
		ctx, stop := context.WithCancel(t.Context())
		warned := 0
		go c.stream(ctx, h, func(error) { warned++ })
		time.Sleep(time.Minute)
		synctest.Wait()
		if warned != 1 || h.tries < 10 || h.tries > 30 {
			t.Errorf("warned %d times in %d tries; want once, and a try each 5 s", warned, h.tries)
		}
		if got := c.part(); got.State != sdk.PartDegraded || got.Reason == "" || got.Fix == "" {
			t.Errorf("health: %+v", got)
		}
		stop()
	})
}

func TestASleepOfTheMachineIsNotHurriedAfter(t *testing.T) {
	inBubble(t, func(t *testing.T, c *camera, _ *heard) {
		time.Sleep(10 * time.Second)
		if got := c.catchUp(9500 * time.Millisecond); got != 10*time.Second {
			t.Errorf("half a second late: at %s, want 10s", got)
		}
		time.Sleep(time.Hour)
		if got := c.catchUp(10 * time.Second); got != 10*time.Second {
			t.Errorf("an hour late: at %s, want to go on at 10s", got)
		}
	})
}
