//go:build linux

package home

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

// next is the next value of a characteristic that a phone is told.
func next(t *testing.T, x *controller.Conn, of controller.ID) string {
	t.Helper()
	for {
		select {
		case e := <-x.Events():
			for _, v := range e.Values {
				if v.ID() == of {
					return string(v.Value)
				}
			}
		case <-within(t).Done():
			t.Fatalf("no event of %v", of)
		}
	}
}

// motion begins and ends for who subscribed.
func (s *site) motion(t *testing.T, x *controller.Conn, db controller.Database) {
	moves := find(t, db, "85", "22")
	if err := x.Subscribe(within(t), moves); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client.Act(t.Context(), "demo", "motion", []byte(`{"camera":"gate","seconds":0.3}`)); err != nil {
		t.Fatal(err)
	}
	if began, ended := next(t, x, moves), next(t, x, moves); began != "true" && began != "1" || ended != "false" && ended != "0" {
		t.Errorf("motion is told as %s and %s", began, ended)
	}
}

// nightVision is set by one phone, told to the other, and kept by the camera.
func (s *site) nightVision(t *testing.T, x, other *controller.Conn, db controller.Database) {
	night := find(t, db, "21A", "11B")
	if err := other.Subscribe(within(t), night); err != nil {
		t.Fatal(err)
	}
	was, err := x.Get(within(t), night)
	if err != nil {
		t.Fatal(err)
	}
	to := "true"
	if v := string(was[0].Value); v == "true" || v == "1" {
		to = "false"
	}
	if err := x.Set(within(t), night, to); err != nil {
		t.Fatal(err)
	}
	told := next(t, other, night)
	is, err := x.Get(within(t), night)
	if err != nil || string(is[0].Value) != told || string(is[0].Value) == string(was[0].Value) {
		t.Errorf("night vision was %s, set to %s, told as %s and is read as %s %v", was[0].Value, to, told, is[0].Value, err)
	}
}

// chimes are silenced by a switch of the bridge, and whoever else silences them moves it.
func (s *site) chimes(t *testing.T, phone *controller.Controller) {
	var bridge accessory
	hubtest.Eventually(t, "the bridge is announced", func() bool {
		if b := s.status().Bridge; b != nil {
			bridge = *b
		}
		return bridge.Port != 0 && bridge.Announced != ""
	})
	code, uri := s.code("bridge")
	if !strings.HasPrefix(uri, "X-HM://") || bridge.Category != 2 {
		t.Errorf("%+v %q", bridge, uri)
	}
	if _, err := phone.Pair(within(t), at(bridge), code); err != nil {
		t.Fatal(err)
	}
	x, err := phone.Verify(within(t), at(bridge))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	db, err := x.Accessories(within(t))
	if err != nil {
		t.Fatal(err)
	}
	mute := find(t, db, "49", "25")
	if len(db.Accessories) != 2 || mute.AID == 1 {
		t.Errorf("the bridge has %d accessories, its switch is %v", len(db.Accessories), mute)
	}
	quiet := func() bool {
		_, q, err := s.Client.Chimes(t.Context())
		return err == nil && q.On
	}
	if err := x.Set(within(t), mute, "true"); err != nil {
		t.Fatal(err)
	}
	hubtest.Eventually(t, "the house is quiet", quiet)
	if err := x.Subscribe(within(t), mute); err != nil {
		t.Fatal(err)
	}
	if err := s.Client.EndQuiet(t.Context()); err != nil {
		t.Fatal(err)
	}
	if v := next(t, x, mute); v != "false" && v != "0" {
		t.Errorf("the switch is told as %s", v)
	}
}

// privacyStays: what was switched off in Home is off in the plugin's next life too. A press
// that is older than its limit by then calls nobody.
func (s *site) privacyStays(t *testing.T, x *controller.Conn, phone *controller.Controller, db controller.Database) {
	camera := find(t, db, "21A", "21B")
	if err := x.Set(within(t), camera, "0"); err != nil {
		t.Fatal(err)
	}
	was := s.pid("homekit")
	err := syscall.Kill(was, syscall.SIGKILL)
	if _, ringing := s.Client.Ring(t.Context(), "gate", false); errors.Join(err, ringing) != nil {
		t.Fatal(err, ringing)
	}
	s.back(was)
	y := s.verified(phone, "gate")
	s.listen(y)
	got, err := y.Get(within(t), camera)
	if err != nil || len(got) != 1 || string(got[0].Value) != "0" && string(got[0].Value) != "false" {
		t.Errorf("after kill -9 the privacy switch is read as %s %v", told(got), err)
	}
	a, err := y.Ask(within(t), "POST", "/resource", controller.JSON, []byte(`{"aid":1,"resource-type":"image","image-width":640,"image-height":360}`))
	if err != nil || a.Status != 207 || !strings.Contains(string(a.Body), "-70412") {
		t.Errorf("a picture: HTTP %d %.100s %v", a.Status, a.Body, err)
	}
	if s.accessory("gate").Active {
		t.Error("the status tells of no privacy")
	}
	if err := y.Set(within(t), camera, "1"); err != nil {
		t.Error(err)
	}
	select {
	case e := <-y.Events():
		t.Errorf("the old press is told: %+v", e)
	default:
	}
	if _, err := s.Client.Ring(t.Context(), "gate", false); err != nil {
		t.Fatal(err)
	}
	if v := next(t, y, find(t, db, "121", "73")); v != "0" {
		t.Errorf("the new press is told as %s", v)
	}
	y.Close()
	for e := range y.Events() {
		t.Errorf("more is told: %+v", e)
	}
}
