package server

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"slices"
	"testing"

	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/service"
)

// TestARestartChangesNothing: port, numbers, configuration number; and what was changed is.
func TestARestartChangesNothing(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	before := p.call(t, d).must(t, 200, "GET", "/accessories", "")
	port := d.Port()
	d.stop()
	if d.book.Port() != port {
		t.Errorf("port %d is kept, not %d", d.book.Port(), port)
	}
	d = openDoor(t, d.book, nil)
	if after := p.call(t, d).must(t, 200, "GET", "/accessories", ""); !bytes.Equal(before.body, after.body) {
		t.Errorf("before %s\nafter  %s", before.body, after.body)
	}
	if d.Port() != port || d.Status().ConfigNumber != 1 {
		t.Errorf("port %d, was %d; c# %d", d.Port(), port, d.Status().ConfigNumber)
	}
	d.stop()

	// Another service in front of the others: all keep their numbers, and c# grows.
	bell, motion := d.bell.Id, d.motion.Id
	d = openDoor(t, d.book, func(_ *door, o *Options) {
		a := o.Accessories[0]
		a.Ss = slices.Insert(a.Ss, 1, service.NewOutlet().S)
	})
	if d.bell.Id != bell || d.motion.Id != motion || d.Status().ConfigNumber != 2 {
		t.Errorf("bell %d was %d, motion %d was %d, c# %d", d.bell.Id, bell, d.motion.Id, motion, d.Status().ConfigNumber)
	}
	d.stop()

	// The port is somebody else's now: another one, and that is kept.
	l, err := net.Listen("tcp", fmt.Sprint(":", port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d = openDoor(t, d.book, nil)
	if d.Port() == port || d.book.Port() != d.Port() {
		t.Errorf("port %d, kept %d", d.Port(), d.book.Port())
	}
	p.call(t, d).must(t, 200, "GET", "/accessories", "")
}

// TestTheSameAccessoriesTwice: a server that is made anew over them, while callbacks and
// events of the first are still hooked in.
func TestTheSameAccessoriesTwice(t *testing.T) {
	calls := 0
	var as []*accessory.A
	d := newDoor(t, func(d *door, o *Options) {
		d.volume.SetValueRequestFunc = func(any, *http.Request) (any, int) { calls++; return nil, 0 }
		as = o.Accessories
	})
	p := d.invite(t, "phone", true)
	volume, bell := d.volume, d.bell
	d.stop()
	d = openDoor(t, d.book, func(_ *door, o *Options) { o.Accessories = as })
	l, other := p.call(t, d), p.call(t, d)
	other.subscribe(t, volume.C)
	other.subscribe(t, bell.C)
	for range 2 {
		l.must(t, 204, "PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":44}]}`, volume.Id))
	}
	bell.SetValue(0)
	events := 0
	if _, err := other.do("GET", "/accessories", "", func(message) { events++ }); err != nil {
		t.Fatal(err)
	}
	if calls != 2 || events != 2 {
		t.Errorf("%d calls, %d events", calls, events)
	}
}

// TestABridge: things behind it are known by their serial numbers, whatever their order.
func TestABridge(t *testing.T) {
	thing := func(serial string) *accessory.A {
		return accessory.NewSwitch(accessory.Info{Name: "Chime " + serial, SerialNumber: serial}).A
	}
	open := func(d *door, order ...string) *door {
		change := func(_ *door, o *Options) {
			o.Category = accessory.TypeBridge
			o.Accessories = []*accessory.A{accessory.NewBridge(accessory.Info{Name: "Porchlight"}).A}
			for _, s := range order {
				o.Accessories = append(o.Accessories, thing(s))
			}
		}
		if d == nil {
			return newDoor(t, change)
		}
		d.stop()
		return openDoor(t, d.book, change)
	}
	numbers := func(d *door) map[string]string {
		out := map[string]string{}
		for _, a := range d.o.Accessories[1:] {
			out[a.Info.SerialNumber.Value()] = fmt.Sprint(a.Id, a.Ss[0].Id, a.Ss[1].Id, a.Ss[1].Cs[0].Id)
		}
		return out
	}
	d := open(nil, "a", "b")
	before := numbers(d)
	d = open(d, "c", "b", "a")
	after := numbers(d)
	for _, s := range []string{"a", "b"} {
		if before[s] != after[s] {
			t.Errorf("%s was %s, is %s", s, before[s], after[s])
		}
	}
	if after["c"] == after["a"] || d.o.Accessories[0].Id != 1 {
		t.Errorf("%v", after)
	}
	o := d.o
	o.Accessories = append(o.Accessories, thing("a"))
	if _, err := New(o); err == nil {
		t.Error("two things of one serial number")
	}
}
