package controller_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/brutella/hap"
	"github.com/brutella/hap/accessory"
	"github.com/brutella/hap/characteristic"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

// bell is an accessory of another's making.
type bell struct {
	address string
	lamp    *accessory.Lightbulb
}

const code = "101-48-005"

func startBell(t *testing.T) *bell {
	t.Helper()
	b := &bell{lamp: accessory.NewLightbulb(accessory.Info{Name: "Lamp"})}
	s, err := hap.NewServer(hap.NewMemStore(), b.lamp.A)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = ln.Addr().String()
	ln.Close()
	s.Pin, s.Addr, s.Ifaces = "10148005", b.address, []string{"lo"}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1) // one end
	go func() { done <- s.ListenAndServe(ctx) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	hubtest.Eventually(t, "the accessory listens", func() bool {
		c, err := net.Dial("tcp", b.address)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	return b
}

// pair pairs. This accessory is busy as long as it has not seen the end of another
// connection.
func (b *bell) pair(t *testing.T, c *controller.Controller) (a controller.Accessory) {
	t.Helper()
	hubtest.Eventually(t, "the accessory pairs", func() (ok bool) {
		var err error
		a, err = c.Pair(t.Context(), b.address, code)
		if err != nil && controller.Refused(err) != controller.RefusedBusy {
			t.Fatal(err)
		}
		return err == nil
	})
	return a
}

// verified connects. This accessory may swallow the first request of a connection, and is
// then asked again on another.
func (b *bell) verified(t *testing.T, c *controller.Controller) (*controller.Conn, controller.Database) {
	t.Helper()
	for range 20 {
		x, err := c.Verify(t.Context(), b.address)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		db, err := x.Accessories(ctx)
		cancel()
		if err == nil {
			t.Cleanup(x.Close)
			return x, db
		}
		t.Log("asked again:", err)
		x.Close()
	}
	t.Fatal("no answer")
	return nil, controller.Database{}
}

// TestAgainstAnother holds the controller against an accessory server that is not ours.
func TestAgainstAnother(t *testing.T) {
	b := startBell(t)
	c := controller.New("phone")
	if _, err := c.Verify(t.Context(), b.address); controller.Refused(err) != controller.RefusedAuthentication {
		t.Fatalf("a stranger: %v", err)
	}
	if _, err := c.Pair(t.Context(), b.address, "101-48-006"); err == nil {
		t.Fatal("a wrong code is taken")
	}
	a := b.pair(t, c)
	if len(a.ID) != 17 {
		t.Fatalf("%+v", a)
	}
	x, db := b.verified(t, c)
	on, ok := db.Find("43", "25")
	if !ok {
		t.Fatalf("%+v", db)
	}
	if err := x.Set(t.Context(), on, "true"); err != nil {
		t.Fatal(err)
	}
	got, err := x.Get(t.Context(), on)
	if err != nil || len(got) != 1 || string(got[0].Value) != "true" && string(got[0].Value) != "1" {
		t.Fatalf("%+v %v", got, err)
	}
	if err := x.Set(t.Context(), controller.ID{AID: 1, IID: 999}, "true"); !errors.Is(err, controller.ErrStatus) {
		t.Errorf("what is not there is set: %v", err)
	}
	if err := x.Subscribe(t.Context(), on); err != nil {
		t.Fatal(err)
	}
	b.lamp.Lightbulb.On.SetValue(false)
	e := <-x.Events()
	if len(e.Values) != 1 || e.Values[0].ID() != on {
		t.Errorf("%+v", e)
	}
	if err := x.Prepare(t.Context(), 5000, 7); err != nil {
		t.Error(err)
	}
	if _, err := x.PutTimed(t.Context(), 7, controller.Write{AID: on.AID, IID: on.IID, Value: []byte("true")}); err != nil {
		t.Error(err)
	}
	guest := controller.New("guest")
	if err := x.AddPairing(t.Context(), controller.Pairing{Name: guest.Name, Key: guest.Key()}); err != nil {
		t.Fatal(err)
	}
	guest.Know(a)
	b.verified(t, guest)
	if err := x.RemovePairing(t.Context(), guest.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := guest.Verify(t.Context(), b.address); controller.Refused(err) != controller.RefusedAuthentication {
		t.Errorf("who was put out: %v", err)
	}
}

// TestLongAnswers are of many frames.
func TestLongAnswers(t *testing.T) {
	b := startBell(t)
	for i := range 60 {
		n := characteristic.NewName()
		n.SetValue(string(make([]rune, 50)) + string(rune('a'+i%26)))
		b.lamp.Lightbulb.AddC(n.C)
	}
	c := controller.New("phone")
	b.pair(t, c)
	_, db := b.verified(t, c)
	if n := len(db.Services("43")[0].Characteristics); n < 20 {
		t.Errorf("%d characteristics", n)
	}
}
