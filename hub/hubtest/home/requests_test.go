//go:build linux

package home

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

// TestRequests is what a paired phone asks, in every size and order.
func TestRequests(t *testing.T) {
	s := newSite(t, `
plugins:
  homekit: {builtin: homekit, config: {chime_mute_switch: true}, limits: {restart: {first: 2s, longest: 2s}}}
cameras:
  gate: {name: Gate, kind: doorbell, plugin: demo, ring: {debounce: 0s, ignore_older_than: 1s}}
  yard: {name: Yard, kind: camera, plugin: demo}
`)
	phone := s.phone("phone")
	s.pair(phone, "gate")
	x := s.verified(phone, "gate")
	db := s.listen(x)
	s.part("what a doorbell has", func(t *testing.T) { s.database(t, x, db) })
	s.part("requests of every size", func(t *testing.T) { s.sizes(t, x, db) })
	s.part("requests that do not wait", func(t *testing.T) { s.pipelined(t, x) })
	s.part("five hundred connections", func(t *testing.T) { s.connects(t, phone) })
	s.part("what is refused", func(t *testing.T) { s.wrongRequests(t, x, db) })
	x = s.verified(phone, "gate") // the last one may have ended with what was wrong
	s.part("timed writes", func(t *testing.T) { s.timed(t, x, db) })
	s.part("motion", func(t *testing.T) { s.motion(t, x, db) })
	s.part("night vision", func(t *testing.T) { s.nightVision(t, x, s.verified(phone, "gate"), db) })
	s.part("chimes", func(t *testing.T) { s.chimes(t, phone) })
	s.part("privacy outlives the plugin", func(t *testing.T) { s.privacyStays(t, x, phone, db) })
	x = s.verified(phone, "gate")
	s.part("snapshots", func(t *testing.T) { s.snapshots(t, x) })
}

// database is section 3 of HAP's doorbell, as far as a home hub looks at it.
func (s *site) database(t *testing.T, x *controller.Conn, db controller.Database) {
	want := map[string][]string{
		"3E":  {"14", "20", "21", "23", "30", "52"},
		"121": {"73"},
		"110": {"114", "115", "116", "117", "118", "120", "B0"},
		"112": {"11A"},
		"113": {"11A"},
		"85":  {"22", "75"},
		"21A": {"21B", "223", "225", "11B", "21D"},
	}
	for kind, list := range want {
		services := db.Services(kind)
		if n := len(services); n != 1 && (kind != "110" || n != 2) {
			t.Errorf("%d services of type %s", n, kind)
		}
		for _, service := range services {
			for _, c := range list {
				if _, ok := service.Find(c); !ok {
					t.Errorf("a service %s has no %s", kind, c)
				}
			}
		}
	}
	if info := db.Services("3E"); len(info) != 1 || info[0].IID != 1 || info[0].AID != 1 {
		t.Errorf("AccessoryInformation: %+v", info)
	}
	bell := db.Services("121")[0]
	if !bell.Primary {
		t.Error("the doorbell is not the primary service")
	}
	for _, c := range bell.Characteristics {
		if c.Type == "73" && (!slices.Equal(c.Perms, []string{"pr", "ev"}) || string(c.Value) != "null") {
			t.Errorf("ProgrammableSwitchEvent: %+v", c)
		}
	}
	got, err := x.Get(within(t), find(t, db, "121", "73"))
	if err != nil || len(got) != 1 || string(got[0].Value) != "null" {
		t.Errorf("a press is read as %+v %v", got, err)
	}
	seen := map[uint64]bool{}
	for _, a := range db.Accessories {
		for _, v := range a.Services {
			for _, c := range v.Characteristics {
				if seen[c.IID] || c.IID == 0 {
					t.Errorf("iid %d is there twice", c.IID)
				}
				seen[c.IID] = true
			}
		}
	}
}

// sizes writes requests of each size around that of one frame and of two, in frames of
// different sizes.
func (s *site) sizes(t *testing.T, x *controller.Conn, db controller.Database) {
	mute := find(t, db, "113", "11A")
	send := func(size int) {
		t.Helper()
		body := fmt.Appendf(nil, `{"characteristics":[{"aid":%d,"iid":%d,"value":false}]}`, mute.AID, mute.IID)
		for range 2 { // the length's own digits count
			raw := controller.Request("PUT", "/characteristics", "door.local", controller.JSON, body)
			if n := size - len(raw); n > 0 {
				body = append(body[:len(body)-1], append(bytes.Repeat([]byte(" "), n), '}')...)
			} else if n < 0 {
				body = append(body[:len(body)-1+n], '}')
			}
		}
		raw := controller.Request("PUT", "/characteristics", "door.local", controller.JSON, body)
		if len(raw) != size {
			t.Fatalf("%d bytes instead of %d", len(raw), size)
		}
		if _, err := x.Write(raw); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		if a, err := x.Answer(within(t)); err != nil || a.Status != 204 {
			t.Fatalf("%d bytes: HTTP %d %s %v", size, a.Status, a.Body, err)
		}
	}
	for size := 960; size <= 1090; size++ {
		send(size)
	}
	for size := 2030; size <= 2070; size++ {
		send(size)
	}
	for _, size := range []int{3072, 4096, 10240, 60000} {
		send(size)
	}
	for _, x.FrameSize = range []int{1, 7, 511, 1023} {
		send(1024)
	}
	x.FrameSize = 1024
	// Answers of many sizes.
	name := find(t, db, "3E", "23")
	lengths := map[int]bool{}
	for n := 1; n <= 120; n++ {
		ids := slices.Repeat([]controller.ID{name}, n)
		got, err := x.Get(within(t), ids...)
		if err != nil || len(got) == 0 {
			t.Fatalf("%d times the same: %+v %v", n, got, err)
		}
		lengths[len(got)] = true
	}
}

// pipelined: a controller need not wait for an answer before it asks again.
func (s *site) pipelined(t *testing.T, x *controller.Conn) {
	const n = 20
	var all []byte
	for range n {
		all = append(all, controller.Request("GET", "/accessories", "door.local", "", nil)...)
	}
	if _, err := x.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if a, err := x.Answer(within(t)); err != nil || a.Status != 200 {
			t.Fatalf("answer %d: HTTP %d %v", i, a.Status, err)
		}
	}
}

// connects: each asks at once, as soon as it has its keys.
func (s *site) connects(t *testing.T, phone *controller.Controller) {
	const all, together = 500, 4
	began := time.Now()
	var wg sync.WaitGroup
	address := at(s.accessory("gate"))
	for range together {
		wg.Go(func() {
			for range all / together {
				x, err := phone.Verify(within(t), address)
				if err != nil {
					t.Error(err)
					return
				}
				_, err = x.Accessories(within(t))
				x.Close()
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d connections with a request at once in %s", all, time.Since(began).Round(time.Millisecond))
}

// wrongRequests have the statuses of HAP 6.7.1.4, each where it belongs.
func (s *site) wrongRequests(t *testing.T, x *controller.Conn, db controller.Database) {
	bell, name, setUp := find(t, db, "121", "73"), find(t, db, "3E", "23"), find(t, db, "110", "118")
	identify := find(t, db, "3E", "14")
	mute := find(t, db, "113", "11A")
	yes := true
	for _, c := range []struct {
		what  string
		write controller.Write
		want  int
	}{
		{"what is not there", controller.Write{AID: 1, IID: 9999, Value: []byte("1")}, -70409},
		{"another accessory", controller.Write{AID: 77, IID: 1, Value: []byte("1")}, -70409},
		{"what can only be read", controller.Write{AID: name.AID, IID: name.IID, Value: []byte(`"x"`)}, -70404},
		{"events of what has none", controller.Write{AID: name.AID, IID: name.IID, Events: &yes}, -70406},
		{"a press", controller.Write{AID: bell.AID, IID: bell.IID, Value: []byte("0")}, -70404},
		{"a text for a switch", controller.Write{AID: mute.AID, IID: mute.IID, Value: []byte(`"loud"`)}, -70410},
		{"a set-up that is not base64", controller.Write{AID: setUp.AID, IID: setUp.IID, Value: []byte(`"%%%"`)}, -70410},
		{"a set-up that is cut off", controller.Write{AID: setUp.AID, IID: setUp.IID, Value: []byte(`"AQH/"`)}, -70410},
	} {
		got, err := x.Put(within(t), c.write)
		if err != nil || len(got) != 1 || got[0].Status == nil || *got[0].Status != c.want {
			t.Errorf("%s: %s %v, want %d", c.what, told(got), err, c.want)
		}
	}
	got, err := x.Get(within(t), identify, name)
	if err != nil || len(got) != 2 || got[0].Status == nil || *got[0].Status != -70405 || got[1].Status == nil || *got[1].Status != 0 || got[1].Value == nil {
		t.Errorf("reading what can only be written, beside what can be read: %s %v", told(got), err)
	}
	for _, body := range []string{"", "{", "null", `{"characteristics":7}`, strings.Repeat("[", 10000), `{"characteristics":[{"aid":1,"iid":1e99}]}`, `{"characteristics":[{"aid":"1","iid":2}]}`} {
		a, err := x.Ask(within(t), "PUT", "/characteristics", controller.JSON, []byte(body))
		if err != nil || a.Status < 400 || a.Status >= 500 {
			t.Errorf("%.40q: HTTP %d %v", body, a.Status, err)
		}
	}
	for _, query := range []string{"", "?id=", "?id=1", "?id=a.b", "?id=1.2.3", "?id=" + strings.Repeat("1.2,", 20000)} {
		a, err := x.Ask(within(t), "GET", "/characteristics"+query, "", nil)
		if err != nil || a.Status < 400 || a.Status >= 500 {
			if errors.Is(err, controller.ErrAnswer) || len(query) < 1000 {
				t.Errorf("%.40q: HTTP %d %v", query, a.Status, err)
			}
		}
		if err != nil {
			break // too long a line may end the connection
		}
	}
	if a, err := x.Ask(within(t), "GET", "/nothing", "", nil); err == nil && a.Status != 404 {
		t.Errorf("a path that is not there: HTTP %d", a.Status)
	}
}

func told(list []controller.Value) string {
	var b strings.Builder
	for _, v := range list {
		status := "none"
		if v.Status != nil {
			status = fmt.Sprint(*v.Status)
		}
		fmt.Fprintf(&b, "[%d.%d %s status %s]", v.AID, v.IID, v.Value, status)
	}
	return b.String()
}

// timed writes of the lamp, which takes no others.
func (s *site) timed(t *testing.T, x *controller.Conn, db controller.Database) {
	lamp := find(t, db, "21A", "21D")
	write := controller.Write{AID: lamp.AID, IID: lamp.IID, Value: []byte("true")}
	status := func(got []controller.Value, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if len(got) == 0 {
			return 0
		}
		return *got[0].Status
	}
	if n := status(x.Put(within(t), write)); n != -70410 {
		t.Errorf("without an announcement: %d", n)
	}
	if n := status(x.PutTimed(within(t), 5, write)); n != -70410 {
		t.Errorf("with a number that was not announced: %d", n)
	}
	if err := x.Prepare(within(t), 5000, 5); err != nil {
		t.Fatal(err)
	}
	if n := status(x.PutTimed(within(t), 6, write)); n != -70410 {
		t.Errorf("with another number: %d", n)
	}
	if err := x.Prepare(within(t), 5000, 7); err != nil {
		t.Fatal(err)
	}
	if n := status(x.PutTimed(within(t), 7, write)); n != 0 {
		t.Errorf("as announced: %d", n)
	}
	if n := status(x.PutTimed(within(t), 7, write)); n != -70410 {
		t.Errorf("once more: %d", n)
	}
}

// snapshots come at once, in the size asked for, and never as an unheard-of one.
func (s *site) snapshots(t *testing.T, x *controller.Conn) {
	if _, err := x.Resource(within(t), 1, 640, 360, controller.Periodic); err != nil {
		t.Fatalf("the first picture: %v", err)
	}
	var took []time.Duration
	for i := range 60 {
		began := time.Now()
		b, err := x.Resource(within(t), 1, 640, 360, i%2)
		if err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(began))
		c, err := jpeg.DecodeConfig(bytes.NewReader(b))
		if err != nil || c.Width > 640 || c.Height > 360 || c.Width < 320 {
			t.Fatalf("%dx%d %v", c.Width, c.Height, err)
		}
	}
	slices.Sort(took)
	t.Logf("60 snapshots, half and 95 %% within %s and %s", took[30].Round(time.Microsecond), took[57].Round(time.Microsecond))
	for _, size := range [][2]int{{1, 1}, {160, 120}, {1920, 1080}, {100000, 100000}} {
		b, err := x.Resource(within(t), 1, size[0], size[1], controller.Periodic)
		if err != nil {
			t.Errorf("%v: %v", size, err)
			continue
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(b)); err != nil || c.Width > 1920 || c.Height > 1080 {
			t.Errorf("%v: %dx%d %v", size, c.Width, c.Height, err)
		}
	}
	for _, body := range []string{"{}", "[]", `{"aid":9,"resource-type":"image","image-width":640,"image-height":360}`, `{"aid":1,"resource-type":"film","image-width":640,"image-height":360}`,
		`{"aid":1,"resource-type":"image","image-width":-5,"image-height":360}`, `{"aid":1,"resource-type":"image","image-width":0,"image-height":0}`} {
		a, err := x.Ask(within(t), "POST", "/resource", controller.JSON, []byte(body))
		if err != nil || a.Status == 200 && !bytes.HasPrefix(a.Body, []byte{0xff, 0xd8}) || a.Status >= 500 && a.Status != 500 {
			t.Errorf("%s: HTTP %d %v", body, a.Status, err)
		}
	}
	// The yard's accessory is not this one's: each has its own aid 1 and its own door.
	if _, err := x.Accessories(within(t)); err != nil {
		t.Error(err)
	}
}
