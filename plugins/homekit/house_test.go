package homekit

import (
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/plugintest"
)

// patience bounds every wait: far longer than anything takes, so that only what hangs fails.
const patience = 30 * time.Second

// statusNow is how the plugin says that the house is.
func statusNow(ctx context.Context, t *testing.T, hub *plugintest.Hub) map[string]accessoryStatus {
	t.Helper()
	b, err := hub.Action(ctx, "status", nil)
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ Accessories []accessoryStatus }
	if err := json.Unmarshal(b, &in); err != nil {
		t.Fatal(err)
	}
	out := map[string]accessoryStatus{}
	for _, a := range in.Accessories {
		out[a.Camera] = a
	}
	return out
}

// until waits for the house to be so.
func until(ctx context.Context, t *testing.T, hub *plugintest.Hub, what string, is func(map[string]accessoryStatus) bool) map[string]accessoryStatus {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		all := statusNow(ctx, t, hub)
		if is(all) {
			return all
		}
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s; %+v", what, all)
		case <-tick.C:
		}
	}
}

func ready(cameras ...string) func(map[string]accessoryStatus) bool {
	return func(all map[string]accessoryStatus) bool {
		for _, c := range cameras {
			if all[c].Port == 0 || all[c].Problem != nil {
				return false
			}
		}
		return true
	}
}

// Two cameras are never one accessory: the second is refused, and is there as soon as
// it has an identity of its own. The first one's identity stays whatever is reset.
func TestTwoCamerasOfOneIdentity(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hub := plugintest.Start(t, New, plugintest.Options{Config: json.RawMessage(`{"interfaces":["lo"],"accessories":{"side":{"id":"front"}}}`)})
	if err := hub.SetCameras([]sdk.CameraInfo{{ID: "front", Kind: "doorbell", Online: true}, {ID: "side", Name: "Side", Kind: "camera", Online: true}}); err != nil {
		t.Fatal(err)
	}
	all := until(ctx, t, hub, "the second is refused", func(all map[string]accessoryStatus) bool { return ready("front")(all) && all["side"].Problem != nil })
	if p := all["side"].Problem; !strings.Contains(p.Message, "camera front") || !strings.Contains(p.Fix, "accessories") {
		t.Errorf("%+v", p)
	}
	if _, err := hub.Action(ctx, "reset", json.RawMessage(`{"camera":"side"}`)); err == nil {
		t.Error("what is another's was reset")
	}
	if is := statusNow(ctx, t, hub)["front"]; is.Device != all["front"].Device {
		t.Errorf("it is %s now, and was %s", is.Device, all["front"].Device)
	}
	if restart, err := hub.Reconfigure(ctx, json.RawMessage(`{"interfaces":["lo"]}`), nil); err != nil || restart {
		t.Fatal(restart, err)
	}
	until(ctx, t, hub, "both are there", ready("front", "side"))
}

// Many resets at once, while cameras come and go, end with one accessory for each
// camera, which is another one.
func TestResetsAtOnce(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	hub := plugintest.Start(t, New, plugintest.Options{Config: json.RawMessage(`{"interfaces":["lo"]}`)})
	cameras := []sdk.CameraInfo{{ID: "front", Kind: "doorbell", Online: true}, {ID: "side", Kind: "camera", Online: true}}
	if err := hub.SetCameras(cameras); err != nil {
		t.Fatal(err)
	}
	was := until(ctx, t, hub, "both are there", ready("front", "side"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := hub.Action(ctx, "reset", nil); err != nil {
				t.Error(err)
			}
		})
		if err := hub.SetCameras(cameras); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	is := until(ctx, t, hub, "both are there again", ready("front", "side"))
	for id := range was {
		if is[id].Device == was[id].Device || is[id].Paired {
			t.Errorf("%s: %+v after %+v", id, is[id], was[id])
		}
	}
}
