package rtsp

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/av"
)

func drawn(t testing.TB, w, h int) []byte {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.Set(x, y, color.RGBA{uint8(x * 5), uint8(y * 7), uint8(x * y), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// house that has secrets, and takes no pictures.
type closedHouse struct {
	mu      sync.Mutex
	secrets map[string]string
	asked   int
}

func (h *closedHouse) PublishMedia(context.Context, string, string, ...av.Track) (*av.Publisher, error) {
	return nil, sdk.ErrDenied
}

func (h *closedHouse) Secret(_ context.Context, name string) (sdk.Secret, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked++
	v, ok := h.secrets[name]
	if !ok {
		return "", sdk.ErrNotFound
	}
	return sdk.Secret(v), nil
}

func (h *closedHouse) set(name, value string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.secrets[name] = value
}

func TestASecretThatChangesIsTriedAtOnce(t *testing.T) {
	d := newDevice(t)
	h := &closedHouse{secrets: map[string]string{"pw": "wrong"}}
	c := makeCast(h, "gate", "main", settings{URL: d.URL + "/mjpeg", Username: "viewer", Password: "secret://pw"})
	ctx, cancel := context.WithCancel(within(t))
	var wg sync.WaitGroup
	wg.Go(func() { c.serve(ctx) })
	defer wg.Wait()
	defer cancel()
	await := func(reason string) {
		t.Helper()
		for range sdk.Every(ctx, time.Millisecond) {
			if p, _ := c.part(); strings.Contains(p.Reason, reason) {
				return
			}
		}
		p, _ := c.part()
		t.Fatalf("%q, want %q", p.Reason, reason)
	}
	await("password is wrong")
	h.set("pw", "p@:/#")
	c.look()
	await("the hub does not take the pictures")
	if n := d.refused.Load(); n != 1 {
		t.Errorf("%d wrong logins", n)
	}
}

func TestAHiddenAddressThatIsRTSPIsLeftToTheHub(t *testing.T) {
	h := &closedHouse{secrets: map[string]string{"where": "rtsp://h.lan/x"}}
	c := makeCast(h, "gate", "main", settings{URL: "secret://where"})
	c.serve(within(t)) // it ends by itself
	if _, there := c.part(); there {
		t.Error("it has a part in the health")
	}
	h.set("where", "http://127.0.0.1:1/x")
	o, err := c.options(t.Context())
	if err != nil || o.URL != "http://127.0.0.1:1/x" {
		t.Error(o, err)
	}
	h.set("where", "http://u:geheim@h.lan/x")
	if _, err := c.options(t.Context()); err == nil || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a login in a secret's URL: %v", err)
	}
}

// The waits between tries: the ladder, whatever is wrong with the camera, and five
// minutes after a login that was refused.
func TestTheLadder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &closedHouse{secrets: map[string]string{}} // the secret is never there: each try fails at once
		c := makeCast(h, "gate", "main", settings{URL: "secret://where"})
		var waits []time.Duration
		c.tried = func(d time.Duration) time.Duration {
			waits = append(waits, d)
			return d
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { c.serve(ctx) })
		time.Sleep(5 * time.Minute) // of the test's own clock
		cancel()
		wg.Wait()
		want := append(ladder(), time.Minute, time.Minute, time.Minute)
		if len(waits) < len(want) {
			t.Fatalf("waits %v", waits)
		}
		for i, w := range want {
			if waits[i] != w {
				t.Fatalf("waits %v, want %v", waits, want)
			}
		}
		if p, _ := c.part(); p.State != sdk.PartDegraded || !strings.Contains(p.Reason, "secret where") {
			t.Errorf("%+v", p)
		}
	})
	for range 1000 {
		if d := uneven(time.Minute); d < 48*time.Second || d > 72*time.Second {
			t.Fatal(d)
		}
	}
}

func TestTellKnowsWhatMendsItself(t *testing.T) {
	c := makeCast(&closedHouse{}, "gate", "sub", settings{})
	c.tell(errors.New("odd"))
	if p, there := c.part(); !there || p.Name != "camera gate sub" || p.State != sdk.PartDegraded || p.Reason != "odd" {
		t.Errorf("%+v", p)
	}
}
