package server

import (
	"encoding/json"
	"fmt"
	"testing"
)

func TestWhatADoorbellSays(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	l := p.call(t, d)
	m := l.must(t, 200, "GET", "/accessories", "")
	var all struct {
		Accessories []struct {
			AID      uint64
			Services []struct {
				IID             uint64
				Type            string
				Primary         bool
				Characteristics []struct {
					IID   uint64
					Type  string
					Value json.RawMessage
				}
			}
		}
	}
	if err := json.Unmarshal(m.body, &all); err != nil {
		t.Fatal(err)
	}
	a := all.Accessories[0]
	if a.AID != 1 || a.Services[0].IID != 1 || a.Services[0].Type != "3E" || !a.Services[1].Primary {
		t.Fatalf("%s", m.body)
	}
	if v := a.Services[1].Characteristics[0]; v.Type != "73" || string(v.Value) != "null" {
		t.Fatalf("the bell reads %s", v.Value)
	}
	l.subscribe(t, d.bell.C)
	if n := d.Press(Press{C: d.bell.C, Value: 0}); n != 1 {
		t.Fatalf("handed to %d", n)
	}
	ev, err := l.read()
	if err != nil || !ev.event {
		t.Fatal(ev, err)
	}
	same(t, ev, fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":0}]}`, d.bell.Id))
}
