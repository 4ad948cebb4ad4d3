package server

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/server/frame"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server/http1"
	"github.com/porchlight-hub/porchlight/plugins/homekit/tlv"
)

// TestFiveHundredQuickConnects: each asks the moment that pair-verify is through.
func TestFiveHundredQuickConnects(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	var all sync.WaitGroup
	left := make(chan struct{}, 500)
	for range 500 {
		left <- struct{}{}
	}
	close(left)
	for range 6 { // fewer at once than are let in before pair-verify
		all.Go(func() {
			for range left {
				l, err := d.dial()
				if err != nil {
					t.Error(err)
					return
				}
				if err := p.verify(l, d); err != nil {
					t.Error(err)
					return
				}
				m, err := l.do("GET", "/accessories", "", nil)
				if err != nil || m.status != 200 {
					t.Error(m.status, err)
					return
				}
				l.net.Close()
			}
		})
	}
	all.Wait()
	await(t, "connections to be forgotten", func() bool { return d.Status().Controllers[0].Connections == 0 })
}

// TestAllComeBackAtOnce: as after a restart, more than are let in before pair-verify.
func TestAllComeBackAtOnce(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	for range 5 {
		var lines [30]*line
		var all sync.WaitGroup
		for i := range lines {
			all.Go(func() {
				l, err := d.dial()
				if err == nil {
					lines[i] = l
					err = p.verify(l, d)
				}
				if err == nil {
					_, err = l.do("GET", "/accessories", "", nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, l := range lines {
			if l != nil {
				l.net.Close()
			}
		}
		await(t, "their end", func() bool { return d.Status().Controllers[0].Connections == 0 })
	}
}

// TestRequestsOfEverySize around what a frame holds, in one write and frame by frame.
func TestRequestsOfEverySize(t *testing.T) {
	d := newDoor(t, nil)
	l := d.invite(t, "phone", true).call(t, d)
	ask := func(n int, send func(string)) {
		head := "GET /characteristics?id=1.3 HTTP/1.1\r\nHost: x\r\nX-Pad: "
		send(head + strings.Repeat("p", n-len(head)-4) + "\r\n\r\n")
		if m, err := l.read(); err != nil || m.status != 200 {
			t.Fatalf("%d bytes: %d %v", n, m.status, err)
		}
	}
	whole := func(text string) {
		if err := l.send(text); err != nil {
			t.Fatal(err)
		}
	}
	for n := 900; n <= 1100; n++ {
		ask(n, whole)
	}
	for _, n := range []int{2046, 2047, 2048, 2049, 3071, 3072, 3073, 4095, 4096, 4097, 8192, 16 << 10} {
		ask(n, whole)
	}
	ask(1024, func(text string) { // a frame for every byte
		for i := range text {
			whole(text[i : i+1])
		}
	})
	put := func(n int) {
		pad := strings.Repeat(" ", n-len(`{"characteristics":[{"aid":1,"iid":9999,"value":1}]}`))
		m := l.must(t, 207, "PUT", "/characteristics", pad+`{"characteristics":[{"aid":1,"iid":9999,"value":1}]}`)
		same(t, m, `{"characteristics":[{"aid":1,"iid":9999,"status":-70409}]}`)
	}
	for n := 900; n <= 1100; n++ {
		put(n)
	}
	put(http1.MaxBody)
}

// TestAnswersOfEverySize around what a frame holds.
func TestAnswersOfEverySize(t *testing.T) {
	var size atomic.Int32
	d := newDoor(t, func(_ *door, o *Options) {
		o.Resource = resource(func() ([]byte, int) { return bytes.Repeat([]byte{7}, int(size.Load())), 0 })
	})
	l := d.invite(t, "phone", true).call(t, d)
	for n := range 220 {
		for _, s := range []int{850 + n, 15*1024 + 900 + n} {
			size.Store(int32(s))
			m := l.must(t, 200, "POST", "/resource", `{"resource-type":"image","image-width":640,"image-height":480,"reason":1}`)
			if len(m.body) != s || m.head.Get("Content-Type") != "image/jpeg" {
				t.Fatalf("%d of %d bytes", len(m.body), s)
			}
		}
	}
}

// TestWhatIsRefusedEndsItsConnectionOnly in the clear and in frames.
func TestWhatIsRefusedEndsItsConnectionOnly(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	good := p.call(t, d)
	for name, c := range map[string]struct {
		text   string
		status int
	}{
		"no HTTP":               {"hello there\r\n\r\n", 400},
		"no version":            {"GET /accessories\r\n\r\n", 400},
		"head without end":      {"GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 20<<10), 431},
		"a line without end":    {strings.Repeat("G", 20<<10), 431},
		"body too large":        {"POST /pair-setup HTTP/1.1\r\nContent-Length: 70000\r\n\r\n", 413},
		"body of an exabyte":    {"POST /pair-setup HTTP/1.1\r\nContent-Length: 1152921504606846976\r\n\r\n", 413},
		"negative length":       {"POST /pair-setup HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
		"two lengths":           {"POST /pair-setup HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"chunks without end":    {"POST /pair-setup HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("100\r\n"+strings.Repeat("x", 256)+"\r\n", 300), 413},
		"chunk of no number":    {"POST /pair-setup HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		"chunk longer than int": {"POST /pair-setup HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400},
	} {
		for _, verified := range []bool{false, true} {
			l := d.call(t)
			if verified {
				if err := p.verify(l, d); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.send(c.text); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			m, err := l.read()
			if reset := errors.Is(err, io.EOF) || isReset(err); !reset && (err != nil || m.status != c.status) {
				t.Errorf("%s (verified: %v): %d %v", name, verified, m.status, err)
			}
			if _, err := l.read(); err == nil {
				t.Errorf("%s (verified: %v): goes on", name, verified)
			}
		}
	}
	good.must(t, 200, "GET", "/accessories", "")
}

// isReset: bytes that were not read when the socket was closed.
func isReset(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// TestForgedFramesEndTheConnection without an answer.
func TestForgedFramesEndTheConnection(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	good := p.call(t, d)
	request := []byte("GET /accessories HTTP/1.1\r\nHost: x\r\n\r\n")
	for name, forge := range map[string]func(l *line) []byte{
		"in the clear": func(*line) []byte { return request },
		"another key": func(*line) []byte {
			s, _ := frame.NewSealer([32]byte{1})
			return s.Seal(nil, request)
		},
		"too long": func(*line) []byte { return append([]byte{0, 0x10}, make([]byte, 4112)...) },
		"replayed": func(l *line) []byte {
			f := l.sealer.Seal(nil, request)
			return append(bytes.Clone(f), f...)
		},
		"noise": func(*line) []byte { b := make([]byte, 5000); rand.Read(b); return b },
	} {
		l := p.call(t, d)
		if _, err := l.net.Write(forge(l)); err != nil {
			t.Fatal(name, err)
		}
		for {
			m, err := l.read()
			if err == nil && name == "replayed" && m.status == 200 {
				continue // the first one was real
			}
			if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %d %v", name, m.status, err)
			}
			break
		}
	}
	good.must(t, 200, "GET", "/accessories", "")
	await(t, "what went wrong", func() bool { return d.Status().Controllers[0].LastError != "" })
}

// TestACrowdAtTheDoorHarmsNobody: thousands that connect and say nothing, half a request,
// or noise, while a paired controller hears every press and a new one comes in.
func TestACrowdAtTheDoorHarmsNobody(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	l := p.call(t, d)
	l.subscribe(t, d.bell.C)
	before := runtime.NumGoroutine()
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	stop := make(chan struct{})
	var came atomic.Int32
	var crowd sync.WaitGroup
	for i := range 4 {
		crowd.Go(func() {
			var open []net.Conn
			defer func() {
				for _, c := range open {
					c.Close()
				}
			}()
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := from.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", d.Port()))
				if err != nil {
					continue // the queue of the listener is full
				}
				came.Add(1)
				switch i {
				case 1:
					c.Write([]byte("POST /pair-verify HTTP/1.1\r\nContent-Le"))
				case 2:
					c.Write([]byte("\x00\xff\x00garbage\r\n\r\n"))
				case 3:
					c.Write([]byte("POST /pair-verify HTTP/1.1\r\nContent-Length: 3\r\n\r\n\x06\x01\x01"))
				}
				if open = append(open, c); len(open) > 200 {
					open[0].Close()
					open = open[1:]
				}
			}
		})
	}
	presses := 0
	for came.Load() < 3000 || presses < 200 {
		d.Press(Press{C: d.bell.C})
		presses++
		if m, err := l.read(); err != nil || !m.event {
			t.Fatal(m, err)
		}
		l.must(t, 200, "GET", "/accessories", "")
		if presses%20 == 0 {
			again := p.call(t, d)
			again.must(t, 200, "GET", "/accessories", "")
			again.net.Close()
		}
		if n := d.Status().Unverified; n > maxGuests {
			t.Fatalf("%d are let in", n)
		}
		if n := runtime.NumGoroutine(); n > before+200 { // not one for everybody who came
			t.Fatalf("%d goroutines", n)
		}
	}
	close(stop)
	crowd.Wait()
	t.Logf("%d came while %d presses were heard", came.Load(), presses)
	p.call(t, d).must(t, 200, "GET", "/accessories", "")
	await(t, "the crowd to be forgotten", func() bool { return d.Status().Unverified == 0 })
}

// TestTheOldestGuestGoes, not those who are verified.
func TestTheOldestGuestGoes(t *testing.T) {
	d := newDoor(t, nil)
	p := d.invite(t, "phone", true)
	good := p.call(t, d)
	var guests []*line
	for range maxGuests + 3 {
		l := d.call(t)
		l.must(t, http1.StatusUnverified, "GET", "/accessories", "")
		guests = append(guests, l)
	}
	for i, l := range guests {
		m, err := l.do("GET", "/accessories", "", nil)
		if gone := err != nil; gone != (i < 3) {
			t.Errorf("guest %d: %v %v", i, m.status, err)
		}
	}
	good.must(t, 200, "GET", "/accessories", "")
}

// TestTooManyVerified: the controller with most connections loses its most silent one.
func TestTooManyVerified(t *testing.T) {
	d := newDoor(t, nil)
	greedy, other := d.invite(t, "greedy", true), d.invite(t, "other", true)
	first := other.call(t, d)
	var lines []*line
	for range maxVerified - 1 {
		l := greedy.call(t, d)
		l.must(t, 200, "GET", "/characteristics?id=1.3", "")
		lines = append(lines, l)
	}
	lines[0].must(t, 200, "GET", "/characteristics?id=1.3", "")
	other.call(t, d).must(t, 200, "GET", "/accessories", "")
	if _, err := lines[1].read(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the silent one: %v", err)
	}
	lines[0].must(t, 200, "GET", "/accessories", "")
	first.must(t, 200, "GET", "/accessories", "")
	total := 0
	for _, c := range d.Status().Controllers {
		total += c.Connections
	}
	if total != maxVerified {
		t.Errorf("%d are verified", total)
	}
}

// TestAPanicOfACallbackIsItsRequestOnly.
func TestAPanicOfACallbackIsItsRequestOnly(t *testing.T) {
	d := newDoor(t, func(d *door, o *Options) {
		d.volume.SetValueRequestFunc = func(any, *http.Request) (any, int) { panic("oops") }
	})
	l := d.invite(t, "phone", true).call(t, d)
	l.must(t, 500, "PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":3}]}`, d.volume.Id))
	l.must(t, 200, "GET", "/accessories", "")
}

// TestWhoAsksWithoutEndWaits: pairing takes five requests, and a processor has other work.
func TestWhoAsksWithoutEndWaits(t *testing.T) {
	d := newDoor(t, nil)
	l := d.call(t)
	ask := func(n int) time.Duration {
		began := time.Now()
		for range n {
			l.must(t, http1.StatusUnverified, "GET", "/accessories", "")
		}
		return time.Since(began)
	}
	ask(eager)
	if took := ask(5); took < 5*lingering {
		t.Errorf("five more took %v", took)
	}
	p := d.invite(t, "phone", true)
	if err := p.verify(l, d); err != nil {
		t.Fatal(err)
	}
	l.must(t, 200, "GET", "/accessories", "")
}

// TestStrangersDoNotFillTheLog by asking again and again which one it is.
func TestStrangersDoNotFillTheLog(t *testing.T) {
	var identified atomic.Int32
	now := time.Now()
	d := newDoor(t, func(_ *door, o *Options) {
		o.Identify = func() { identified.Add(1) }
		o.Now = func() time.Time { return now }
	})
	for range 20 {
		d.call(t).must(t, 204, "POST", "/identify", "")
	}
	if n := identified.Load(); n != 1 {
		t.Errorf("it was told %d times", n)
	}
}

// TestRightsAreThoseOfNow on a connection that was open before they changed.
func TestRightsAreThoseOfNow(t *testing.T) {
	var admin atomic.Bool
	d := newDoor(t, func(d *door, _ *Options) {
		d.volume.SetValueRequestFunc = func(_ any, r *http.Request) (any, int) {
			admin.Store(PeerOf(r).Admin())
			return nil, 0
		}
	})
	owner, p := d.invite(t, "owner", true).call(t, d), d.invite(t, "phone", true)
	l := p.call(t, d)
	for _, is := range []bool{true, false, true} {
		var w tlv.Writer
		permission := byte(0)
		if is {
			permission = 1
		}
		w.Byte(6, 1).Byte(0, 3).String(1, "phone").Bytes(3, p.key.Public().(ed25519.PublicKey)).Byte(11, permission)
		owner.must(t, 200, "POST", "/pairings", string(w.Out()))
		l.must(t, 204, "PUT", "/characteristics", fmt.Sprintf(`{"characteristics":[{"aid":1,"iid":%d,"value":3}]}`, d.volume.Id))
		if admin.Load() != is {
			t.Errorf("an admin: %v, and the list says %v", admin.Load(), is)
		}
	}
}
