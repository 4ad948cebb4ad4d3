package server

import (
	"fmt"
	"net"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/brutella/hap/characteristic"
)

// TestNoPressIsLostOrTwiceWhileAllRead: eight controllers that ask without a pause, and 200
// presses among it.
func TestNoPressIsLostOrTwiceWhileAllRead(t *testing.T) {
	d := newDoor(t, nil)
	const phones, presses = 8, 200
	var got [phones]atomic.Int32
	var wrote atomic.Int32
	stop := make(chan struct{})
	var all, begun sync.WaitGroup
	begun.Add(phones)
	for i := range phones {
		l := d.invite(t, fmt.Sprint("phone ", i), true).call(t, d)
		l.subscribe(t, d.bell.C)
		all.Go(func() {
			once := sync.OnceFunc(begun.Done)
			defer once()
			count := func(m message) {
				if iid, _ := m.value(t); iid == d.bell.Id {
					got[i].Add(1)
				}
			}
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				path := "/accessories"
				if n%2 == 1 {
					path = fmt.Sprintf("/characteristics?id=1.%d,1.%d&meta=1", d.volume.Id, d.motion.Id)
				}
				m, err := l.do("GET", path, "", count)
				if err != nil || m.status != 200 {
					t.Errorf("phone %d: %v %d", i, err, m.status)
					return
				}
				once()
			}
		})
	}
	begun.Wait()
	var latest time.Duration
	for i := range presses {
		at := time.Now()
		n := d.Press(Press{C: d.bell.C, Wrote: func(_ *Peer, err error) {
			if err == nil {
				wrote.Add(1)
			}
		}})
		if n != phones {
			t.Fatalf("press %d was handed to %d", i, n)
		}
		d.motion.SetValue(i%2 == 0)
		await(t, fmt.Sprint("press ", i), func() bool { return int(wrote.Load()) == (i+1)*phones })
		latest = max(latest, time.Since(at))
	}
	t.Logf("the slowest press was with all sockets after %v", latest)
	await(t, "the last press", func() bool {
		for i := range got {
			if got[i].Load() < presses {
				return false
			}
		}
		return true
	})
	close(stop)
	all.Wait()
	for i := range got {
		if n := got[i].Load(); n != presses {
			t.Errorf("phone %d heard %d of %d", i, n, presses)
		}
	}
}

// TestABurstOfPresses: as many as a queue holds at once, all in their order.
func TestABurstOfPresses(t *testing.T) {
	d := newDoor(t, nil)
	l := d.invite(t, "phone", true).call(t, d)
	l.subscribe(t, d.bell.C)
	var want, got []int
	for i := range 60 {
		want = append(want, i%3)
		d.Press(Press{C: d.bell.C, Value: i % 3})
	}
	for range want {
		m, err := l.read()
		if err != nil {
			t.Fatal(err)
		}
		_, v := m.value(t)
		got = append(got, int(v.(float64)))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestAPressDoesNotWaitForAnAnswerBeingWorkedOut, on the same connection.
func TestAPressDoesNotWaitForAnAnswerBeingWorkedOut(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{})
	d := newDoor(t, func(d *door, _ *Options) {
		d.volume.ValueRequestFunc = func(*http.Request) (any, int) {
			close(asked)
			<-release
			return 7, 0
		}
	})
	l := d.invite(t, "phone", true).call(t, d)
	l.subscribe(t, d.bell.C)
	if err := l.ask("GET", fmt.Sprintf("/characteristics?id=1.%d", d.volume.Id), ""); err != nil {
		t.Fatal(err)
	}
	<-asked
	d.Press(Press{C: d.bell.C})
	if m, err := l.read(); err != nil || !m.event {
		t.Fatal(m, err)
	}
	close(release)
	if m, err := l.read(); err != nil || m.event || m.status != 200 {
		t.Fatal(m, err)
	}
}

// TestASlowPeerDelaysNobody: it asks for much and reads nothing.
func TestASlowPeerDelaysNobody(t *testing.T) {
	jpeg := make([]byte, 8<<20)
	d := newDoor(t, func(_ *door, o *Options) {
		o.Resource = resource(func() ([]byte, int) { return jpeg, 0 })
	})
	slow := d.invite(t, "slow", true).call(t, d)
	slow.subscribe(t, d.bell.C)
	slow.net.(*net.TCPConn).SetReadBuffer(4096)
	for range 3 {
		if err := slow.ask("POST", "/resource", `{"resource-type":"image","image-width":640,"image-height":480}`); err != nil {
			t.Fatal(err)
		}
	}
	quick := d.invite(t, "quick", true).call(t, d)
	quick.subscribe(t, d.bell.C)
	var handed, told atomic.Int32
	for i := range 100 {
		n := d.Press(Press{C: d.bell.C, Wrote: func(p *Peer, _ error) {
			if p.Controller() == "slow" {
				told.Add(1)
			}
		}})
		handed.Add(int32(n) - 1)
		m, err := quick.read()
		if err != nil || !m.event {
			t.Fatalf("press %d: %v %v", i, m, err)
		}
	}
	// The slow one's connection ends, because too many wait or, where a hundred presses took
	// that long, after five seconds; and each press that it was handed is told of once.
	await(t, "its end", func() bool {
		return slices.ContainsFunc(d.Status().Controllers, func(c ControllerStatus) bool {
			return c.ID == "slow" && c.Connections == 0 && c.LastError != ""
		})
	})
	await(t, "the last word", func() bool { return told.Load() == handed.Load() })
	if n := handed.Load(); n < 60 {
		t.Logf("it ended after %d presses", n)
	}
}

func TestClaimDecidesWhereAPressIsWritten(t *testing.T) {
	d := newDoor(t, nil)
	var lines []*line
	for _, name := range []string{"a", "b"} {
		l := d.invite(t, name, true).call(t, d)
		l.subscribe(t, d.bell.C)
		lines = append(lines, l)
	}
	told := make(chan string, 4)
	press := Press{
		C: d.bell.C, Value: 1,
		Claim: func(p *Peer) bool { return p.Controller() == "a" },
		Wrote: func(p *Peer, err error) { told <- fmt.Sprint(p.Controller(), " ", err) },
	}
	if n := d.Press(press); n != 2 {
		t.Fatalf("handed to %d", n)
	}
	if m, err := lines[0].read(); err != nil || !m.event {
		t.Fatal(m, err)
	}
	if got := <-told; got != "a <nil>" {
		t.Error(got)
	}
	heard := func(message) { t.Error("b heard it") }
	if _, err := lines[1].do("GET", "/accessories", "", heard); err != nil { // b's writer went past it
		t.Fatal(err)
	}
	if len(told) != 0 {
		t.Error(<-told)
	}
	d.stop()
	if n := d.Press(press); n != 0 {
		t.Errorf("handed to %d after the end", n)
	}
}

// TestSubscribedIsCalledWhenItHolds: what it presses is heard, on this connection only.
func TestSubscribedIsCalledWhenItHolds(t *testing.T) {
	var srv atomic.Pointer[Server]
	var calls atomic.Int32
	d := newDoor(t, func(d *door, o *Options) {
		o.Subscribed = func(p *Peer, c *characteristic.C) {
			calls.Add(1)
			if c == d.bell.C && !srv.Load().PressTo(p, Press{C: c, Value: 2}) {
				t.Error("not subscribed yet")
			}
		}
	})
	srv.Store(d.Server)
	p := d.invite(t, "phone", true)
	first, second := p.call(t, d), p.call(t, d)
	first.subscribe(t, d.bell.C)
	if m, err := first.read(); err != nil || !m.event {
		t.Fatal(m, err)
	}
	first.subscribe(t, d.bell.C) // again: nothing begins
	second.must(t, 200, "GET", "/accessories", "")
	if n := calls.Load(); n != 1 {
		t.Errorf("called %d times", n)
	}
	if c := d.Status().Controllers[0]; c.Connections != 2 || c.Subscribed != 1 || !slices.Equal(c.Addresses, []string{"127.0.0.1"}) {
		t.Errorf("%+v", c)
	}
}

func TestASetValueOfTheBellIsAPress(t *testing.T) {
	d := newDoor(t, nil)
	l := d.invite(t, "phone", true).call(t, d)
	l.subscribe(t, d.bell.C)
	for range 2 { // the same value twice is two presses
		d.bell.SetValue(0)
		if m, err := l.read(); err != nil || !m.event {
			t.Fatal(m, err)
		}
	}
}

func TestTheEndOfAConnectionIsSeenByWhoWorksForIt(t *testing.T) {
	asked, ended := make(chan *Peer, 1), make(chan error, 1)
	d := newDoor(t, func(d *door, _ *Options) {
		d.volume.ValueRequestFunc = func(r *http.Request) (any, int) {
			asked <- PeerOf(r)
			<-r.Context().Done()
			ended <- r.Context().Err()
			return nil, -70402
		}
	})
	l := d.invite(t, "phone", true).call(t, d)
	if err := l.ask("GET", fmt.Sprintf("/characteristics?id=1.%d", d.volume.Id), ""); err != nil {
		t.Fatal(err)
	}
	p := <-asked
	if p == nil || p.Controller() != "phone" || !p.Admin() || p.Secret() != [32]byte(l.secret) ||
		p.Remote().String() != l.net.LocalAddr().String() || p.Local().String() != l.net.RemoteAddr().String() {
		t.Errorf("%+v", p)
	}
	l.net.Close()
	if err := <-ended; err == nil {
		t.Error("not ended")
	}
	<-p.Done()
}

// TestNothingIsLeft: after connections of every kind and the end of Run.
func TestNothingIsLeft(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 3 {
		d := newDoor(t, nil)
		for i := range 5 {
			l := d.invite(t, fmt.Sprint(i), true).call(t, d)
			l.subscribe(t, d.bell.C)
			half := d.call(t)
			if err := half.send("GET /acc"); err != nil {
				t.Fatal(err)
			}
		}
		d.Press(Press{C: d.bell.C})
		d.stop()
		if n := len(d.conns); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		if d.Port() != 0 {
			t.Error("a port is left")
		}
	}
	await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestPressOfWhatIsNotThere(t *testing.T) {
	d := newDoor(t, nil)
	if n := d.Press(Press{C: characteristic.NewProgrammableSwitchEvent().C}); n != 0 {
		t.Error(n)
	}
	if d.PressTo(nil, Press{C: d.bell.C}) || d.PressTo(NewPeer(PeerInfo{ID: 1}), Press{C: d.bell.C}) {
		t.Error("pressed to nobody")
	}
}
