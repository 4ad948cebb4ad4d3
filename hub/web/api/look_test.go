package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/hub/access"
	"github.com/porchlight-hub/porchlight/sdk/event"
)

// liveHouse has one camera, whose figures never stand still.
type liveHouse struct {
	calmHouse
	mu    sync.Mutex
	frame int64
	state string
}

func (h *liveHouse) Cameras() []Camera {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.frame++
	return []Camera{{ID: "front_door", Online: true, LastSeen: time.Now(), Streams: []string{}, Sources: []Source{{
		Stream: "main", State: h.state, FPS: float64(h.frame), BitrateKbps: int(h.frame), LastFrameMS: h.frame, RingBytes: h.frame, Readers: int(h.frame),
		Sound: []string{}, Worked: []string{},
	}}}}
}

func (h *liveHouse) Camera(id string) (Camera, bool) { return h.Cameras()[0], id == "front_door" }

// TestFiguresAloneAreNoNews: pages that draw anew what has changed would never rest.
func TestFiguresAloneAreNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &liveHouse{state: "live"}
		sub := calmSub{make(chan event.Delivery)}
		a := New(Options{Rooms: Rooms{Cameras: h, Feed: fixedFeed{calmHouse{}, sub}, Chimes: h, Sounds: h, Plugins: calmPlugins{}, Config: h}})
		ctx, cancel := context.WithCancel(asOwner(t.Context()))
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/events/stream", nil)
		w := &sink{head: http.Header{}}
		done := make(chan struct{}) // closed when the stream has ended
		go func() { defer close(done); a.Handler().ServeHTTP(w, r) }()
		synctest.Wait()
		if got := w.take(); !strings.Contains(got, `"fps":1`) {
			t.Errorf("begin %q", got)
		}
		for range 4 {
			time.Sleep(beat)
			synctest.Wait()
			if got := w.take(); got != ": beat\n\n" {
				t.Errorf("figures alone: %q", got)
			}
		}
		h.mu.Lock()
		h.state = "waiting"
		h.mu.Unlock()
		a.Changed()
		synctest.Wait()
		if got := w.take(); !strings.HasPrefix(got, "event: cameras\n") || !strings.Contains(got, `"state":"waiting"`) || !strings.Contains(got, `"fps":6`) {
			t.Errorf("a change: %q", got)
		}
		cancel()
		<-done
	})
}

func asOwner(ctx context.Context) context.Context {
	return access.With(ctx, access.Identity{User: access.Owner, Role: access.RoleOwner, Via: access.ViaSocket})
}

// slowDoctor looks until it is let go, and counts who is with it.
type slowDoctor struct {
	mu         sync.Mutex
	with, most int
	free       chan struct{} // closed when it may end
}

func (d *slowDoctor) Check(ctx context.Context, _ []string) []Check {
	d.mu.Lock()
	d.with++
	d.most = max(d.most, d.with)
	d.mu.Unlock()
	select {
	case <-d.free:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.with--
	return []Check{{Area: "clock", State: "ok"}}
}

// Test and Retry make it Sources too.
func (d *slowDoctor) Test(ctx context.Context, camera string) (CameraReport, error) {
	d.Check(ctx, nil)
	return CameraReport{Camera: camera}, ctx.Err()
}

func (d *slowDoctor) Retry(context.Context, string) error { return nil }

// TestLooksAreBounded: the doctor makes one look at a time, cameras are looked at four at
// a time, and whoever waits too long is told.
func TestLooksAreBounded(t *testing.T) {
	for path, most := range map[string]int{"/doctor": 1, "/cameras/front_door/test": looksAtOnce} {
		synctest.Test(t, func(t *testing.T) {
			d := &slowDoctor{free: make(chan struct{})}
			a := New(Options{Rooms: Rooms{Cameras: &liveHouse{}, Config: calmHouse{}, Sources: d, Doctor: d}})
			var all sync.WaitGroup
			var mu sync.Mutex
			codes := map[int]int{}
			for range 10 {
				all.Go(func() {
					w := httptest.NewRecorder()
					a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(asOwner(t.Context()), http.MethodPost, Prefix+path, nil))
					mu.Lock()
					defer mu.Unlock()
					codes[w.Code]++
				})
			}
			synctest.Wait()
			time.Sleep(time.Second)
			close(d.free)
			all.Wait()
			if d.most != most || codes[http.StatusOK] != 10 {
				t.Errorf("%s: %d at once, answers %v", path, d.most, codes)
			}
			d.free = make(chan struct{})
			for range 2 {
				all.Go(func() {
					w := httptest.NewRecorder()
					a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(asOwner(t.Context()), http.MethodPost, Prefix+path, nil))
					mu.Lock()
					defer mu.Unlock()
					codes[w.Code]++
				})
			}
			all.Wait() // each gives up by its own time
		})
	}
}

// TestRoomsThatAreNotThere: a hub without hooks, sources or doctor says so.
func TestRoomsThatAreNotThere(t *testing.T) {
	a := New(Options{Rooms: Rooms{Cameras: &liveHouse{}, Config: calmHouse{}}})
	for route, want := range map[string]int{
		"POST /cameras/front_door/test": 501, "POST /cameras/front_door/retry": 501, "GET /cameras/front_door/hook": 501, "POST /cameras/front_door/hook": 501,
		"POST /doctor": 501, "GET /health": 200, "POST /cameras/attic/test": 404,
	} {
		method, path, _ := strings.Cut(route, " ")
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(asOwner(t.Context()), method, Prefix+path, nil))
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != want || want == 501 && p.ErrCode != "E-API-NOT-YET" {
			t.Errorf("%s: %d %s", route, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	a.ServeHook(w, httptest.NewRequest(http.MethodPost, "/hooks/x", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("hook: %d", w.Code)
	}
}

// buttonHouse has one bare button.
type buttonHouse struct{ *liveHouse }

func (buttonHouse) Camera(id string) (Camera, bool) {
	return Camera{ID: id, Button: true}, id == "side_gate"
}

// TestABareButtonHasNoPicture: the answer is that it is a button, not that its stream is away.
func TestABareButtonHasNoPicture(t *testing.T) {
	a := New(Options{Rooms: Rooms{Cameras: buttonHouse{&liveHouse{}}, Config: calmHouse{}}})
	for _, path := range []string{"/cameras/side_gate/snapshot.jpg", "/cameras/side_gate/stream.mjpeg", "/ws?camera=side_gate"} {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(asOwner(t.Context()), http.MethodGet, Prefix+path, nil))
		if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "E-API-BUTTON") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
