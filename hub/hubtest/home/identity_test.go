//go:build linux

package home

import (
	"bytes"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/browse"
)

// self is all by which phones know an accessory: bytes in the store, and what it tells.
type self struct {
	files map[string]string // by name: keys, pairings, numbers, setup code
	parts string            // aid, iid and type of all that it has
	text  map[string]string // as announced
	port  int
}

func (s *site) store(accessory string) string {
	return filepath.Join(s.DataDir, "plugin-data", "homekit", "accessories", accessory)
}

// self reads it, by a phone that must not have to pair for that.
func (s *site) self(phone *controller.Controller, camera, id string) self {
	s.t.Helper()
	s.settled(camera)
	a := s.ready(camera)
	if a.ID != id {
		s.t.Errorf("camera %s is accessory %q, want %q", camera, a.ID, id)
	}
	x, err := phone.Verify(within(s.t), at(a))
	if err != nil {
		s.t.Fatalf("%s without pairing again: %v", camera, err)
	}
	defer x.Close()
	db, err := x.Accessories(within(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	out := self{files: map[string]string{}, port: a.Port}
	list, err := os.ReadDir(s.store(id))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, f := range list {
		if f.Name() == "values" { // what changes by itself, and is no part of what it is
			continue
		}
		b, err := os.ReadFile(filepath.Join(s.store(id), f.Name()))
		if err != nil {
			s.t.Fatal(err)
		}
		out.files[f.Name()] = string(b)
	}
	var parts strings.Builder
	for _, v := range db.Accessories {
		for _, service := range v.Services {
			fmt.Fprintf(&parts, "%d.%d %s\n", v.AID, service.IID, service.Type)
			for _, c := range service.Characteristics {
				fmt.Fprintf(&parts, "%d.%d %s %v %s\n", v.AID, c.IID, c.Type, c.Perms, c.Format)
			}
		}
	}
	out.parts = parts.String()
	b := s.hears()
	out.text = s.heard(b, a.Device, func(v browse.Service) bool { return v.Port == uint16(a.Port) }).Text
	return out
}

// same holds what an accessory is against what it was.
func (s *site) same(when string, was, is self) {
	s.t.Helper()
	if len(was.files) < 8 {
		s.t.Fatalf("only %v are kept", slices.Sorted(maps.Keys(was.files)))
	}
	if !maps.Equal(was.files, is.files) {
		for name := range was.files {
			if was.files[name] != is.files[name] {
				s.t.Errorf("%s: %s is another one", when, name)
			}
		}
		s.t.Errorf("%s: kept were %v, and are %v", when, slices.Sorted(maps.Keys(was.files)), slices.Sorted(maps.Keys(is.files)))
	}
	if was.parts != is.parts {
		s.t.Errorf("%s: it has other parts:\n%s\nand had\n%s", when, is.parts, was.parts)
	}
	if !maps.Equal(was.text, is.text) || was.port != is.port {
		s.t.Errorf("%s: announced is %v on port %d, and was %v on port %d", when, is.text, is.port, was.text, was.port)
	}
}

const identities = `
plugins:
  homekit: {builtin: homekit, config: {%s}, limits: {restart: {max: 100, per: 10m, first: 10ms, longest: 100ms}}}
cameras:
  %s: {name: %s, kind: doorbell, plugin: demo}
  yard: {name: Yard, kind: camera, plugin: demo}
%s`

// TestIdentity: an accessory is the same one, byte for byte, whatever happens around it.
func TestIdentity(t *testing.T) {
	s := newSite(t, fmt.Sprintf(identities, "", "gate", "Gate", ""))
	phone := s.phone("phone")
	s.pair(phone, "gate")
	s.pair(phone, "yard")
	was, yard := s.self(phone, "gate", "gate"), s.self(phone, "yard", "yard")

	s.killPlugin()
	s.same("after kill -9 of the plugin", was, s.self(phone, "gate", "gate"))
	s.killHub()
	s.same("after kill -9 of the hub", was, s.self(phone, "gate", "gate"))

	s.Save(head + fmt.Sprintf(identities, "", "gate", "Front gate", ""))
	hubtest.Eventually(t, "the new name is taken", func() bool { return s.accessory("gate").Name == "Front gate" })
	s.same("with another name", was, s.self(phone, "gate", "gate"))

	s.Save(head + fmt.Sprintf(identities, "accessories: {front: {id: gate}}", "front", "Front gate", ""))
	hubtest.Eventually(t, "the camera has another id", func() bool { return s.accessory("front").ID == "gate" && s.accessory("gate").Port == 0 })
	s.same("with another id of its camera", was, s.self(phone, "front", "gate"))
	s.same("the other accessory, meanwhile", yard, s.self(phone, "yard", "yard"))

	s.part("added and removed while it runs", func(*testing.T) { s.addAndRemove(phone) })
	s.part("another machine", func(*testing.T) {
		s.move()
		s.same("on another machine", was, s.self(phone, "front", "gate"))
		s.same("on another machine", yard, s.self(phone, "yard", "yard"))
	})
	s.part("its port is taken", func(*testing.T) { s.portTaken(phone) })
	s.part("the house has another address", func(*testing.T) { s.otherAddress(phone) })
	was, yard = s.self(phone, "front", "gate"), s.self(phone, "yard", "yard") // on other ports, perhaps
	s.part("a damaged store", func(*testing.T) { s.damage(phone, was, yard) })
}

// addAndRemove: a third accessory comes, is paired, goes, and comes back as itself; the
// others' connections do not notice.
func (s *site) addAndRemove(phone *controller.Controller) {
	x := s.verified(phone, "front")
	front := "accessories: {front: {id: gate}}"
	more := "  shed: {name: Shed, kind: camera, plugin: demo}\n"
	s.Save(head + fmt.Sprintf(identities, front, "front", "Front gate", more))
	s.pair(phone, "shed")
	was := s.self(phone, "shed", "shed")
	b := s.hears()
	s.heard(b, was.text["id"], func(browse.Service) bool { return true })
	s.Save(head + fmt.Sprintf(identities, front, "front", "Front gate", ""))
	hubtest.Eventually(s.t, "the accessory is gone", func() bool {
		return s.accessory("shed").Port == 0 && !slices.ContainsFunc(b.Services(), func(v browse.Service) bool { return v.Text["id"] == was.text["id"] })
	})
	s.Save(head + fmt.Sprintf(identities, front, "front", "Front gate", more))
	s.same("taken away and back", was, s.self(phone, "shed", "shed"))
	if _, err := x.Accessories(within(s.t)); err != nil {
		s.t.Errorf("the front's phone noticed: %v", err)
	}
	s.Save(head + fmt.Sprintf(identities, front, "front", "Front gate", ""))
	hubtest.Eventually(s.t, "the accessory is gone again", func() bool { return s.accessory("shed").Port == 0 })
}

// move copies all that the hub has to another folder and starts it there.
func (s *site) move() {
	s.Stop()
	dir, err := os.MkdirTemp("", "plt")
	if err != nil {
		s.t.Fatal(err)
	}
	s.whole.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.CopyFS(filepath.Join(dir, "new"), os.DirFS(s.Dir)); err != nil {
		s.t.Fatal(err)
	}
	s.start(filepath.Join(dir, "new"))
}

// portTaken: then it is another one, and announced.
func (s *site) portTaken(phone *controller.Controller) {
	was := s.accessory("front")
	s.Stop()
	ln, err := net.Listen("tcp", ":"+strconv.Itoa(was.Port))
	if err != nil {
		s.t.Fatal(err)
	}
	defer ln.Close()
	s.start(s.Dir)
	is := s.ready("front")
	if is.Port == was.Port || is.Device != was.Device {
		s.t.Errorf("%+v, and was %+v", is, was)
	}
	s.heard(s.hears(), is.Device, func(v browse.Service) bool { return v.Port == uint16(is.Port) })
	s.verified(phone, "front")
}

// otherAddress: as a router gives it one; a phone finds the house there.
func (s *site) otherAddress(phone *controller.Controller) {
	b := s.hears()
	a := s.ready("front")
	s.heard(b, a.Device, func(v browse.Service) bool { return slices.Contains(v.Addresses, house4.Addr()) })
	next := netip.MustParsePrefix("10.78.0.9/24")
	s.cable.A.Replace(house4, next)
	defer s.cable.A.Replace(next, house4)
	s.heard(b, a.Device, func(v browse.Service) bool { return slices.Contains(v.Addresses, next.Addr()) })
	x, err := phone.Verify(within(s.t), netip.AddrPortFrom(next.Addr(), uint16(a.Port)).String())
	if err != nil {
		s.t.Fatal(err)
	}
	x.Close()
}

// damage breaks one accessory's files in turn: it stops, says which, and never becomes
// another one; the other accessory does not notice.
func (s *site) damage(phone *controller.Controller, was, yard self) {
	file := filepath.Join(s.store("gate"), "keypair")
	whole, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	broken := whole[:len(whole)/2]
	if err := os.WriteFile(file, broken, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.killPlugin()
	var a accessory
	hubtest.Eventually(s.t, "the damage is told", func() bool {
		a = s.accessory("front")
		return a.Problem != nil
	})
	if a.Problem.Code != "E-HOMEKIT-STORE" || !strings.Contains(a.Problem.Message, "keypair") {
		s.t.Errorf("%+v", *a.Problem)
	}
	s.same("beside a damaged one", yard, s.self(phone, "yard", "yard"))
	if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, broken) {
		s.t.Errorf("the damaged file was changed: %v", err)
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.killPlugin()
	s.same("mended", was, s.self(phone, "front", "gate"))
}
