package store

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errCut = errors.New("the power went")

// cutAt lets n steps pass, then fails all that follow, as if nothing ran any more.
func cutAt(n int) func(string) error {
	passed := 0
	return func(string) error {
		if passed++; passed > n {
			return errCut
		}
		return nil
	}
}

// state is what an accessory tells, without what chance made of a new one.
type state struct {
	Identity Identity
	Names    []string
	Port     int
	Tries    int
	Shape    string
	IIDs     map[string]uint64
	Values   map[string]string
}

func stateOf(a *Accessory) state {
	s := state{Identity: a.Identity(), Port: a.Port(), Tries: a.Tries(), Shape: a.kept.shape, IIDs: a.kept.services.Of, Values: map[string]string{}}
	for _, p := range a.Pairings() {
		s.Names = append(s.Names, p.Name)
	}
	for k, v := range a.kept.values {
		s.Values[k] = string(v)
	}
	return s
}

// TestPowerCut ends every kind of write after each of its steps. What is found
// afterwards is what was before or what was to be, never anything else, and everything
// can be written again.
func TestPowerCut(t *testing.T) {
	for name, write := range map[string]func(a *Accessory) error{
		"pair":   func(a *Accessory) error { return a.Pair(controller("third", false)) },
		"change": func(a *Accessory) error { return a.Pair(controller("guest", true)) },
		"unpair": func(a *Accessory) error { _, err := a.Unpair("guest"); return err },
		"last":   func(a *Accessory) error { _, err := a.Unpair("phone"); return err },
		"port":   func(a *Accessory) error { return a.SetPort(7) },
		"try":    func(a *Accessory) error { _, err := a.Try(); return err },
		"code":   func(a *Accessory) error { return a.SetCode("518-08-582") },
		"value":  func(a *Accessory) error { return a.SetValue("21B", 1) },
		"iids":   func(a *Accessory) error { return a.ReserveIIDs([]string{"x", "y"}) },
	} {
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				h, dir := house(t)
				a := opened(t, h, "a")
				must(t, a.Pair(controller("phone", true)))
				must(t, a.Pair(controller("guest", false)))
				must(t, a.SetValue("kept", true))
				before := stateOf(a)
				h.cut = cutAt(n)
				err := write(a)
				if err != nil && !errors.Is(err, errCut) {
					t.Fatal(err)
				}
				told := stateOf(a)
				b := again(t, dir, "a")
				found := stateOf(b)
				must(t, write(b))
				after := stateOf(b)
				if name == "try" && !cmp.Equal(found, before) {
					after = found
				}
				if !cmp.Equal(found, before) && !cmp.Equal(found, after) {
					t.Errorf("after %d steps: found %+v\nbefore %+v\nafter %+v", n, found, before, after)
				}
				if err == nil {
					if !cmp.Equal(told, found) || !cmp.Equal(found, after) {
						t.Errorf("what was done is not there: %s", cmp.Diff(told, found))
					}
					for file := range files(t, dir) {
						if strings.Contains(file, temp) {
							t.Errorf("%s was left", file)
						}
					}
					return
				}
			}
		})
	}
}

// TestPowerCutWhileMade: an identity is there as a whole or not at all.
func TestPowerCutWhileMade(t *testing.T) {
	for n := 0; ; n++ {
		h, dir := house(t)
		h.cut = cutAt(n)
		_, err := h.Accessory("a")
		if err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		first := again(t, dir, "a").Identity()
		if d := cmp.Diff(first, again(t, dir, "a").Identity()); d != "" {
			t.Fatal(d)
		}
		if err == nil {
			return
		}
	}
}

// TestPowerCutDuringReset: the old identity with all its pairings, or the new one with
// none; and the accessory is listed all the time.
func TestPowerCutDuringReset(t *testing.T) {
	for n := 0; ; n++ {
		h, dir := house(t)
		a := opened(t, h, "a")
		must(t, a.Pair(controller("phone", true)))
		before := a.Identity()
		h.cut = cutAt(n)
		err := a.Reset()
		if err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		if ids, err := h.IDs(); err != nil || !slices.Equal(ids, []string{"a"}) {
			t.Fatalf("listed %v, %v", ids, err)
		}
		b := again(t, dir, "a")
		old := b.Identity().Device == before.Device
		if old != (len(b.Pairings()) == 1) {
			t.Errorf("after %d steps: old %v with %d pairings", n, old, len(b.Pairings()))
		}
		if err == nil {
			if old {
				t.Error("a reset that was done is undone")
			}
			return
		}
	}
}

func TestPowerCutWhileRemoved(t *testing.T) {
	for n := 0; ; n++ {
		h, dir := house(t)
		opened(t, h, "a")
		before, err := os.ReadFile(dir + "/a/uuid")
		must(t, err)
		h.cut = cutAt(n)
		err = h.Remove("a")
		if err != nil && !errors.Is(err, errCut) {
			t.Fatal(err)
		}
		a := again(t, dir, "a") // whole, whichever it is
		if err == nil {
			if a.Identity().Device == string(before) {
				t.Error("it was not removed")
			}
			return
		}
	}
}

// TestKilled kills a process that writes without end, again and again.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	a := again(t, dir, "a")
	must(t, a.Pair(controller("phone", true)))
	id := a.Identity()
	for range 12 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriterForKilled$")
		cmd.Env = append(os.Environ(), "PORCHLIGHT_STORE="+dir)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		acked := 0
		lines := bufio.NewScanner(out)
		for i := 0; i < 40 && lines.Scan(); i++ {
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acked = n
			}
		}
		must(t, cmd.Process.Kill())
		rest, _ := io.ReadAll(out) // what was acknowledged before it died
		_ = cmd.Wait()
		for line := range strings.SplitSeq(string(rest), "\n") {
			if n, err := strconv.Atoi(line); err == nil {
				acked = max(acked, n)
			}
		}
		b := again(t, dir, "a")
		if d := cmp.Diff(id, b.Identity()); d != "" {
			t.Fatal(d)
		}
		var n int
		if ok, err := b.Value("n", &n); !ok || err != nil || n < acked {
			t.Fatalf("%d was acknowledged, %d is kept (%v)", acked, n, err)
		}
		if _, ok := b.Pairing("phone"); !ok {
			t.Fatal("the pairing is gone")
		}
	}
}

// TestWriterForKilled is the process of TestKilled.
func TestWriterForKilled(t *testing.T) {
	dir := os.Getenv("PORCHLIGHT_STORE")
	if dir == "" {
		t.Skip("this is a process of TestKilled")
	}
	a := again(t, dir, "a")
	var n int
	_, err := a.Value("n", &n)
	must(t, err)
	for {
		n++
		must(t, a.SetValue("n", n))
		must(t, a.Pair(controller("guest"+strconv.Itoa(n%4), n%2 == 0)))
		_, err := a.Unpair("guest" + strconv.Itoa((n+1)%4))
		must(t, err)
		if _, err := fmt.Println(n); err != nil {
			return
		}
	}
}
