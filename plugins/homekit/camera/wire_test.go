package camera

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/brutella/hap/accessory"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/sdk"
)

// deaf announces to nobody.
type deaf struct{}

func (deaf) Announce(context.Context, server.Announcement) (server.Announced, error) {
	return deaf{}, nil
}
func (deaf) Update(map[string]string) error { return nil }
func (deaf) Name() string                   { return "" }
func (deaf) Close()                         {}

// porch is a camera behind a real server, with a real store.
type porch struct {
	*Camera
	keep    *store.Accessory
	address string
}

func newPorch(t *testing.T, h *house, dir string) *porch {
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	p := &porch{}
	if p.keep, err = s.Accessory("porch"); err != nil {
		t.Fatal(err)
	}
	p.Camera = door(t, h, func(o *Options) { o.Keep = p.keep })
	srv, err := server.New(server.Options{Book: p.keep, Accessories: []*accessory.A{p.Accessory()}, Category: p.Category(),
		Name: "Front door", Model: "Door", Announcer: deaf{}, Resource: p.Resource})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1) // Run's
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		p.Camera.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	await(t, "the server listens", func() bool { return srv.Port() != 0 })
	p.address = fmt.Sprintf("127.0.0.1:%d", srv.Port())
	return p
}

func verified(t *testing.T, c *controller.Controller, address string) *controller.Conn {
	t.Helper()
	x, err := c.Verify(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return x
}

// heard waits for an event with that value.
func heard(t *testing.T, x *controller.Conn, id controller.ID, want string) {
	t.Helper()
	for {
		select {
		case e, ok := <-x.Events():
			if !ok {
				t.Fatalf("the connection has ended: %v", x.Err())
			}
			if slices.ContainsFunc(e.Values, func(v controller.Value) bool { return v.ID() == id && string(v.Value) == want }) {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("no event %+v %s", id, want)
		}
	}
}

// put writes one value, and says with which status it was taken.
func put(t *testing.T, x *controller.Conn, id controller.ID, value string) int {
	t.Helper()
	out, err := x.Put(t.Context(), controller.Write{AID: id.AID, IID: id.IID, Value: json.RawMessage(value)})
	if err != nil && len(out) == 0 {
		t.Fatal(err)
	}
	if len(out) == 1 && out[0].Status != nil {
		return *out[0].Status
	}
	return 0
}

func usual(service int) controller.StreamWish {
	w := controller.Usual()
	w.Service, w.Kbps = service, 2000
	return w
}

// TestOverTheWire is all of it with a controller that shares no code with us.
func TestOverTheWire(t *testing.T) {
	h := newHouse(t)
	still := jpegOf(t, 640, 360)
	h.snapshot = func(sdk.SnapshotRequest) (sdk.Image, error) { return sdk.Image{JPEG: still, Taken: time.Now()}, nil }
	dir := t.TempDir()
	p := newPorch(t, h, dir)
	owner, guest := controller.New("owner"), controller.New("guest")
	a, err := owner.Pair(t.Context(), p.address, string(p.keep.Identity().Code))
	if err != nil {
		t.Fatal(err)
	}
	x := verified(t, owner, p.address)
	if err := x.AddPairing(t.Context(), controller.Pairing{Name: "guest", Key: guest.Key()}); err != nil {
		t.Fatal(err)
	}
	guest.Know(a)
	y := verified(t, guest, p.address)
	db, err := x.Accessories(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	find := func(service, characteristic string) controller.ID {
		id, ok := db.Find(service, characteristic)
		if !ok {
			t.Fatalf("no %s in %s", characteristic, service)
		}
		return id
	}
	status, _ := db.Services("110")[0].Find("120")
	active, motion, alive, light := find("21A", "21B"), find("85", "22"), find("85", "75"), find("21A", "21D")
	if err := y.Subscribe(t.Context(), status, active, motion, alive); err != nil {
		t.Fatal(err)
	}

	one, err := x.Stream(t.Context(), usual(0))
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	heard(t, y, status, `"AQEB"`)
	taken, err := y.SetUp(t.Context(), usual(0))
	if err != nil || taken.Status != controller.Busy {
		t.Errorf("a service in use answers %d, %v", taken.Status, err)
	}
	two, err := y.Stream(t.Context(), usual(1))
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	for _, s := range []*controller.Stream{one, two} {
		await(t, "pictures come", func() bool { f := s.Video().Frames; return len(f) > 3 && f[0].Key() && f[0].SPS() != nil })
	}
	if w := p.Watching(); len(w) != 2 || w[0].Controller != "owner" || w[1].Controller != "guest" || w[0].How != "copy" {
		t.Errorf("watching %+v", w)
	}
	if b, err := y.Resource(t.Context(), 1, 640, 360, controller.Periodic); err != nil || len(b) != len(still) {
		t.Errorf("a picture of %d bytes, %v", len(b), err)
	}

	p.SetMotion(true)
	heard(t, y, motion, "true")
	if got := put(t, x, light, "true"); got == 0 || len(h.acts) != 0 {
		t.Errorf("a light that wants to be announced was switched without: %d", got)
	}
	if err := x.Prepare(t.Context(), 5000, 7); err != nil {
		t.Fatal(err)
	}
	if _, err := x.PutTimed(t.Context(), 7, controller.Write{AID: light.AID, IID: light.IID, Value: json.RawMessage("true")}); err != nil || len(h.acts) != 1 {
		t.Errorf("the light: %v, acts %v", err, h.acts)
	}

	if got := put(t, y, active, "0"); got != statusPrivileges || !p.Active() {
		t.Errorf("a guest switches the camera off: %d", got)
	}
	if got := put(t, x, active, "0"); got != 0 || p.Active() {
		t.Errorf("the owner switches the camera off: %d", got)
	}
	heard(t, y, status, `"AQEA"`)
	if len(p.Watching()) != 0 {
		t.Errorf("watching %+v", p.Watching())
	}
	if _, err := y.Resource(t.Context(), 1, 640, 360, controller.ForEvent); err == nil || !strings.Contains(err.Error(), "70412") {
		t.Errorf("a picture while the owner's switch is off: %v", err)
	}
	for _, v := range []struct {
		id   controller.ID
		want string
	}{{motion, "false"}, {alive, "false"}, {active, "0"}} {
		if got, err := y.Get(t.Context(), v.id); err != nil || string(got[0].Value) != v.want {
			t.Errorf("%+v is %+v, %v; want %s", v.id, got, err, v.want)
		}
	}

	again := newPorch(t, h, dir)
	if again.Active() {
		t.Error("the owner's switch was forgotten")
	}
	z := verified(t, owner, again.address)
	if got := put(t, z, active, "1"); got != 0 { // the same number as before
		t.Errorf("switched on again: %d", got)
	}
	three, err := z.Stream(t.Context(), usual(0))
	if err != nil {
		t.Fatal(err)
	}
	defer three.Close()
	await(t, "pictures come", func() bool { return len(three.Video().Frames) > 3 })
	z.Close()
	await(t, "who has hung up watches no more", func() bool { return len(again.Watching()) == 0 })
}
