package controller_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

// lamp is an accessory of another's making.
type lamp struct {
	address string
	input   io.Writer // a line switches it off
}

const code = "101-48-005"

func startLamp(t *testing.T) *lamp {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &lamp{address: ln.Addr().String()}
	ln.Close()
	cmd := exec.Command(hubtest.Build(t, "./hub/hubtest/controller/testdata/lamp"), strings.ReplaceAll(code, "-", ""), b.address)
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	b.input = input
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		input.Close()
		_ = cmd.Wait() // it ends with its input
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
func (b *lamp) pair(t *testing.T, c *controller.Controller) (a controller.Accessory) {
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

// verified connects. This accessory may swallow requests around the moment at which a
// connection is sealed, and is then asked again on another.
func (b *lamp) verified(t *testing.T, c *controller.Controller) (*controller.Conn, controller.Database) {
	t.Helper()
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		x, err := c.Verify(ctx, b.address)
		if controller.Refused(err) != 0 {
			t.Fatal(err)
		}
		var db controller.Database
		if err == nil {
			db, err = x.Accessories(ctx)
		}
		cancel()
		if err == nil {
			t.Cleanup(x.Close)
			return x, db
		}
		t.Log("asked again:", err)
		if x != nil {
			x.Close()
		}
	}
	t.Fatal("no answer")
	return nil, controller.Database{}
}

// TestAgainstAnother holds the controller against an accessory server that is not ours.
func TestAgainstAnother(t *testing.T) {
	b := startLamp(t)
	c := controller.New("phone")
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Within)
	defer cancel()
	if _, err := c.Verify(ctx, b.address); controller.Refused(err) != controller.RefusedAuthentication {
		t.Fatalf("a stranger: %v", err)
	}
	if _, err := c.Pair(ctx, b.address, "101-48-006"); err == nil {
		t.Fatal("a wrong code is taken")
	}
	a := b.pair(t, c)
	if len(a.ID) != 17 {
		t.Fatalf("%+v", a)
	}
	x, db := b.verified(t, c)
	on, ok := db.Find("43", "25")
	if !ok || len(db.Services("43")[0].Characteristics) < 60 {
		t.Fatalf("%+v", db)
	}
	if err := x.Set(ctx, on, "true"); err != nil {
		t.Fatal(err)
	}
	got, err := x.Get(ctx, on)
	if err != nil || len(got) != 1 || string(got[0].Value) != "true" && string(got[0].Value) != "1" {
		t.Fatalf("%+v %v", got, err)
	}
	if err := x.Set(ctx, controller.ID{AID: 1, IID: 999}, "true"); !errors.Is(err, controller.ErrStatus) {
		t.Errorf("what is not there is set: %v", err)
	}
	if err := x.Subscribe(ctx, on); err != nil {
		t.Fatal(err)
	}
	if _, err := b.input.Write([]byte("off\n")); err != nil {
		t.Fatal(err)
	}
	e := <-x.Events()
	if len(e.Values) != 1 || e.Values[0].ID() != on {
		t.Errorf("%+v", e)
	}
	if err := x.Prepare(ctx, 5000, 7); err != nil {
		t.Error(err)
	}
	if _, err := x.PutTimed(ctx, 7, controller.Write{AID: on.AID, IID: on.IID, Value: []byte("true")}); err != nil {
		t.Error(err)
	}
	guest := controller.New("guest")
	if err := x.AddPairing(ctx, controller.Pairing{Name: guest.Name, Key: guest.Key()}); err != nil {
		t.Fatal(err)
	}
	guest.Know(a)
	b.verified(t, guest)
	if err := x.RemovePairing(ctx, guest.Name); err != nil {
		t.Fatal(err)
	}
	if _, err := guest.Verify(ctx, b.address); controller.Refused(err) != controller.RefusedAuthentication {
		t.Errorf("who was put out: %v", err)
	}
}
