package server

import (
	"fmt"
	"testing"

	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

// TestAnIndependentController, which shares no code with this side, pairs, is refused with
// a wrong code, reads, subscribes, hears and removes itself.
func TestAnIndependentController(t *testing.T) {
	d := newDoor(t, func(_ *door, o *Options) {
		o.Resource = resource(func() ([]byte, int) { return []byte("JPEG"), 0 })
	})
	ctx, addr := t.Context(), fmt.Sprint("127.0.0.1:", d.Port())
	code := string(d.book.Identity().Code)
	wrong := "123-45-679"
	if wrong == code {
		wrong = "123-45-670"
	}
	phone := controller.New("phone")
	if _, err := phone.Pair(ctx, addr, wrong); controller.Refused(err) != 2 {
		t.Fatalf("wrong code: %v", err)
	}
	if _, err := phone.Pair(ctx, addr, code); err != nil {
		t.Fatal(err)
	}
	if _, err := controller.New("thief").Pair(ctx, addr, code); controller.Refused(err) != 6 {
		t.Errorf("a second one pairs: %v", err)
	}
	x, err := phone.Verify(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	db, err := x.Accessories(ctx)
	if err != nil {
		t.Fatal(err)
	}
	bell, ok := db.Find("121", "73")
	if !ok || bell.IID != d.bell.Id {
		t.Fatal(db)
	}
	if err := x.Subscribe(ctx, bell); err != nil {
		t.Fatal(err)
	}
	d.Press(Press{C: d.bell.C, Value: 2})
	if ev := <-x.Events(); len(ev.Values) != 1 || ev.Values[0].ID() != bell || string(ev.Values[0].Value) != "2" {
		t.Errorf("%+v", ev)
	}
	if jpeg, err := x.Resource(ctx, 1, 640, 480, 0); err != nil || string(jpeg) != "JPEG" {
		t.Errorf("%q %v", jpeg, err)
	}
	if list, err := x.Pairings(ctx); err != nil || len(list) != 1 {
		t.Error(list, err)
	}
	if err := x.RemovePairing(ctx, "phone"); err != nil {
		t.Error(err)
	}
	<-x.Done()
	if d.Paired() {
		t.Error("still paired")
	}
}
