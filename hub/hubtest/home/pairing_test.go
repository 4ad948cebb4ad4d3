//go:build linux

package home

import (
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/browse"
)

const twoDoors = `
plugins:
  homekit: {builtin: homekit}
cameras:
  gate: {name: Gate, kind: doorbell, plugin: demo, ring: {debounce: 0s}}
  yard: {name: Yard, kind: camera, plugin: demo}
`

// TestPairing is how phones come into the house, and out of it.
func TestPairing(t *testing.T) {
	s := newSite(t, twoDoors)
	s.ready("gate")
	s.ready("yard")
	s.part("what is announced", s.announced)
	s.part("nothing is told before pairing", s.refusals)
	s.part("half-open and idle pairers", s.halfOpen)
	s.part("wrong codes", s.wrongCodes)
	s.part("the right code", s.rightCode)
	s.part("admins and guests", s.guests)
	s.part("the last admin goes", s.lastAdmin)
	s.part("the owner puts out and begins anew", s.ownerDecides)
}

func (s *site) announced(t *testing.T) {
	b := s.hears()
	for camera, category := range map[string]string{"gate": "18", "yard": "17"} {
		var a accessory
		var last browse.Service
		hubtest.Eventually(t, "mDNS tells of "+camera+" what it is", func() bool {
			a = s.ready(camera) // which may change while the camera is looked at for the first time
			_, uri := s.code(camera)
			sum := sha512.Sum512([]byte(uri[len(uri)-4:] + a.Device))
			want := map[string]string{"id": a.Device, "ci": category, "c#": strconv.Itoa(int(a.ConfigNumber)), "s#": "1", "sf": "1", "ff": "0", "pv": "1.1",
				"sh": base64.StdEncoding.EncodeToString(sum[:4]), "md": last.Text["md"]}
			last = s.heard(b, a.Device, func(browse.Service) bool { return true })
			return maps.Equal(last.Text, want) && last.Text["md"] != "" && last.Port == uint16(a.Port) && slices.Contains(last.Addresses, house4.Addr())
		})
		t.Logf("%s: %+v", camera, last)
	}
}

// refusals: who is not verified gets 470, and the connection goes on.
func (s *site) refusals(t *testing.T) {
	x, err := s.phone("stranger").Open(t.Context(), at(s.accessory("gate")))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	for _, r := range []struct{ method, path, kind, body string }{
		{"GET", "/accessories", "", ""},
		{"GET", "/characteristics?id=1.2", "", ""},
		{"PUT", "/characteristics", controller.JSON, `{"characteristics":[{"aid":1,"iid":2,"value":true}]}`},
		{"PUT", "/prepare", controller.JSON, `{"ttl":1000,"pid":1}`},
		{"POST", "/resource", controller.JSON, `{"aid":1,"resource-type":"image","image-width":640,"image-height":360}`},
		{"POST", "/pairings", controller.TLV8, "\x06\x01\x01\x00\x01\x05"},
	} {
		var body []byte
		if r.body != "" {
			body = []byte(r.body)
		}
		a, err := x.Ask(within(t), r.method, r.path, r.kind, body)
		if err != nil || a.Status != 470 {
			t.Errorf("%s %s before pairing: HTTP %d %s %v", r.method, r.path, a.Status, a.Body, err)
		}
	}
	if a, err := x.Ask(within(t), "POST", "/identify", "", []byte{}); err != nil || a.Status != 204 {
		t.Errorf("which one is it? HTTP %d %s %v", a.Status, a.Body, err)
	}
	if _, err := s.phone("stranger").Verify(within(t), at(s.accessory("gate"))); controller.Refused(err) != controller.RefusedAuthentication {
		t.Errorf("pair-verify before pairing: %v", err)
	}
}

// halfOpen: a pairer that stops half-way holds the place only as long as it is there,
// and one that says nothing holds nothing.
func (s *site) halfOpen(t *testing.T) {
	address := at(s.accessory("gate"))
	var idle []*controller.Conn
	for range 5 {
		x, err := s.phone("idle").Open(t.Context(), address)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		idle = append(idle, x)
	}
	if _, err := idle[0].Challenge(within(t)); err != nil {
		t.Fatalf("with connections that say nothing: %v", err)
	}
	if _, err := idle[1].Challenge(within(t)); controller.Refused(err) != controller.RefusedBusy {
		t.Errorf("while another pairs: %v", err)
	}
	idle[0].Close()
	hubtest.Eventually(t, "the place is free again", func() bool {
		_, err := idle[1].Challenge(within(t))
		if err != nil && controller.Refused(err) != controller.RefusedBusy {
			t.Fatal(err)
		}
		return err == nil
	})
}

// wrongCodes: each is refused and counted, on whichever connection, and after 100 nobody
// pairs until the owner makes the accessory a new one.
func (s *site) wrongCodes(t *testing.T) {
	const most = 100
	right, _ := s.code("yard")
	before := s.accessory("yard")
	wrong := "111-22-334"
	if right == wrong {
		wrong = "111-22-335"
	}
	tried := 0
	for {
		x, err := s.phone("guesser").Open(t.Context(), at(before))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 { // several on one connection
			_, err = x.Pair(within(t), wrong)
			if controller.Refused(err) != controller.RefusedAuthentication {
				break
			}
			tried++
		}
		x.Close()
		if controller.Refused(err) == controller.RefusedAuthentication || controller.Refused(err) == controller.RefusedBusy {
			continue // the last connection's end is seen a moment later
		}
		if controller.Refused(err) != controller.RefusedMaxTries {
			t.Fatalf("after %d wrong codes: %v", tried, err)
		}
		break
	}
	if tried != most {
		t.Errorf("%d wrong codes could be tried, want %d", tried, most)
	}
	if _, err := s.phone("late").Pair(within(t), at(before), right); controller.Refused(err) != controller.RefusedMaxTries {
		t.Errorf("the right code after that: %v", err)
	}
	if _, err := s.Client.Act(t.Context(), "homekit", "reset", []byte(`{"camera":"yard"}`)); err != nil {
		t.Fatal(err)
	}
	after := s.ready("yard")
	if fresh, _ := s.code("yard"); fresh == right || after.Device == before.Device {
		t.Errorf("the reset kept the code or the device id %s", after.Device)
	}
	s.pair(s.phone("owner"), "yard")
}

func (s *site) rightCode(t *testing.T) {
	b := s.hears()
	a := s.accessory("gate")
	phone := s.phone("first")
	s.pair(phone, "gate")
	s.heard(b, a.Device, func(v browse.Service) bool { return v.Text["sf"] == "0" })
	code, _ := s.code("gate")
	if _, err := s.phone("second").Pair(within(t), at(a), code); controller.Refused(err) != controller.RefusedUnavailable {
		t.Errorf("a second pairing by the right code: %v", err)
	}
	if _, err := s.phone("first").Verify(within(t), at(a)); controller.Refused(err) != controller.RefusedAuthentication {
		t.Errorf("the same name with another key: %v", err)
	}
	y, err := s.phone("stranger").Open(t.Context(), at(a))
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	if a, err := y.Ask(within(t), "POST", "/identify", "", []byte{}); err != nil || a.Status != 400 || !strings.Contains(string(a.Body), "-70401") {
		t.Errorf("a stranger asks which one it is: HTTP %d %s %v", a.Status, a.Body, err)
	}
	x := s.verified(phone, "gate")
	if _, err := x.Accessories(within(t)); err != nil {
		t.Error(err)
	}
	list, err := x.Pairings(within(t))
	if err != nil || len(list) != 1 || list[0].Name != "first" || !list[0].Admin || !list[0].Key.Equal(phone.Key()) {
		t.Errorf("%+v %v", list, err)
	}
	x.Close()
	s.verifiedAgain(phone)
}

// verifiedAgain leaves the accessory unpaired, as the next part wants it.
func (s *site) verifiedAgain(phone *controller.Controller) {
	s.t.Helper()
	x := s.verified(phone, "gate")
	if err := x.RemovePairing(within(s.t), phone.Name); err != nil {
		s.t.Fatal(err)
	}
	s.ended(x, "of who put itself out")
}

// ended waits for the end of a connection, which must come by the accessory.
func (s *site) ended(x *controller.Conn, which string) {
	s.t.Helper()
	select {
	case <-x.Done():
		if !errors.Is(x.Err(), io.EOF) && !strings.Contains(x.Err().Error(), "reset") {
			s.t.Errorf("the connection %s ended with %v", which, x.Err())
		}
	case <-within(s.t).Done():
		s.t.Fatalf("the connection %s goes on", which)
	}
}

func (s *site) guests(t *testing.T) {
	admin, second, guest := s.phone("admin"), s.phone("second admin"), s.phone("guest")
	first := s.pair(admin, "gate")
	x := s.verified(admin, "gate")
	s.admit(x, second)
	if err := x.AddPairing(within(t), controller.Pairing{Name: guest.Name, Key: guest.Key()}); err != nil {
		t.Fatal(err)
	}
	guest.Know(first)
	g, y := s.verified(guest, "gate"), s.verified(second, "gate")
	if _, err := g.Accessories(within(t)); err != nil {
		t.Errorf("a guest reads: %v", err)
	}
	_, err := g.Pairings(within(t))
	other := g.AddPairing(within(t), controller.Pairing{Name: "friend", Key: guest.Key()})
	third := g.RemovePairing(within(t), admin.Name)
	for what, err := range map[string]error{"lists": err, "adds": other, "removes": third} {
		if controller.Refused(err) != controller.RefusedAuthentication {
			t.Errorf("a guest %s: %v", what, err)
		}
	}
	list, err := y.Pairings(within(t))
	admins := 0
	for _, p := range list {
		if p.Admin {
			admins++
		}
	}
	if err != nil || len(list) != 3 || admins != 2 {
		t.Errorf("%+v %v", list, err)
	}
	if err := x.AddPairing(within(t), controller.Pairing{Name: guest.Name, Key: admin.Key()}); controller.Refused(err) == 0 {
		t.Errorf("another key under a name that is taken: %v", err)
	}
	if err := y.RemovePairing(within(t), guest.Name); err != nil {
		t.Fatal(err)
	}
	s.ended(g, "of the guest")
	if _, err := guest.Verify(within(t), at(s.accessory("gate"))); controller.Refused(err) != controller.RefusedAuthentication {
		t.Errorf("the guest comes back: %v", err)
	}
	if _, err := x.Accessories(within(t)); err != nil {
		t.Errorf("the others notice: %v", err)
	}
	if err := y.RemovePairing(within(t), second.Name); err != nil {
		t.Fatal(err)
	}
	s.ended(y, "of the second admin")
	if err := x.RemovePairing(within(t), admin.Name); err != nil {
		t.Fatal(err)
	}
	s.ended(x, "of the admin")
}

// lastAdmin: with the last admin everybody goes, of this accessory alone.
func (s *site) lastAdmin(t *testing.T) {
	b := s.hears()
	admin, guest := s.phone("admin"), s.phone("guest")
	first := s.pair(admin, "gate")
	x := s.verified(admin, "gate")
	if err := x.AddPairing(within(t), controller.Pairing{Name: guest.Name, Key: guest.Key()}); err != nil {
		t.Fatal(err)
	}
	guest.Know(first)
	g := s.verified(guest, "gate")
	if err := x.RemovePairing(within(t), admin.Name); err != nil {
		t.Fatal(err)
	}
	s.ended(x, "of the admin")
	s.ended(g, "of the guest")
	s.heard(b, first.ID, func(v browse.Service) bool { return v.Text["sf"] == "1" })
	if !s.accessory("yard").Paired {
		t.Error("the other accessory lost its pairing")
	}
	again, _ := s.code("gate")
	if a, err := s.phone("again").Pair(within(t), at(s.accessory("gate")), again); err != nil || a.ID != first.ID {
		t.Errorf("paired again: %+v %v", a, err)
	}
}

// ownerDecides: what the house's owner does without a phone.
func (s *site) ownerDecides(t *testing.T) {
	before := s.accessory("gate")
	if !before.Paired || len(before.Controllers) != 1 {
		t.Fatalf("%+v", before)
	}
	who := before.Controllers[0].ID
	if _, err := s.Client.Act(t.Context(), "homekit", "unpair", fmt.Appendf(nil, `{"camera":"gate","controller":%q}`, who)); err != nil {
		t.Fatal(err)
	}
	if a := s.accessory("gate"); a.Paired || a.Device != before.Device {
		t.Errorf("%+v", a)
	}
	phone := s.phone("zero")
	x, err := phone.Open(t.Context(), at(before))
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	code, _ := s.code("gate")
	if _, err := x.PairZero(within(t), code); err != nil {
		t.Errorf("with a public key that begins with zeros: %v", err)
	}
}
