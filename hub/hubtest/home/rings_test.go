//go:build linux

package home

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
)

const (
	listeners = 8 // phones; the first one's person has two
	rings     = 200
)

// listener is a phone that is always there: it hears the bell, reads the house meanwhile,
// and comes back when its connection ends.
type listener struct {
	phone   *controller.Controller
	address string
	bell    controller.ID

	mu      sync.Mutex
	presses int
	asked   int // requests that were answered
	times   int // connections
	last    time.Time
	odd     []string
	here    bool // it is subscribed
}

func (l *listener) count() (presses, asked int, here bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.presses, l.asked, l.here
}

// run lives until ctx ends.
func (l *listener) run(ctx context.Context) {
	for ctx.Err() == nil {
		x, err := l.phone.Verify(ctx, l.address)
		if err == nil {
			err = x.Subscribe(ctx, l.bell)
			if err == nil {
				l.hear(ctx, x)
			}
			x.Close()
		}
		l.mu.Lock()
		l.here = false
		l.mu.Unlock()
		if err != nil {
			select { // the accessory is away; a phone does not ask faster
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// hear counts presses until the connection ends, and reads meanwhile.
func (l *listener) hear(ctx context.Context, x *controller.Conn) {
	l.mu.Lock()
	l.here = true
	l.times++
	l.mu.Unlock()
	var reading sync.WaitGroup
	reading.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			<-tick.C
			var err error
			switch n % 3 {
			case 0:
				_, err = x.Accessories(ctx)
			case 1:
				_, err = x.Get(ctx, l.bell)
			case 2:
				if n%15 == 2 {
					_, err = x.Resource(ctx, 1, 320, 180, controller.ForEvent)
				}
			}
			if err != nil {
				if errors.Is(err, controller.ErrStatus) || errors.Is(err, controller.ErrAnswer) {
					l.note("reading: " + err.Error())
				}
				return // else the connection has ended
			}
			l.mu.Lock()
			l.asked++
			l.mu.Unlock()
		}
	})
	stop := context.AfterFunc(ctx, func() { _ = x.Raw().Close() })
	defer stop()
	for e := range x.Events() {
		for _, v := range e.Values {
			if v.ID() != l.bell || string(v.Value) != "0" {
				l.note(fmt.Sprintf("event %d.%d %s", v.AID, v.IID, v.Value))
				continue
			}
			l.mu.Lock()
			l.presses++
			l.last = e.At
			l.mu.Unlock()
		}
	}
	reading.Wait()
}

func (l *listener) note(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.odd) < 10 {
		l.odd = append(l.odd, what)
	}
}

// crowd are the listeners of a house, and another's controller.
type crowd struct {
	*site
	all  []*listener
	peer *peer
	sent int
}

func (s *site) gather() *crowd {
	s.t.Helper()
	s.settled("gate")
	c := &crowd{site: s}
	admin := s.phone("phone 0")
	c.peer = s.startPeer("gate", admin)
	x := s.verified(admin, "gate")
	db, err := x.Accessories(within(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	phones := []*controller.Controller{admin}
	for n := 1; n < listeners; n++ {
		phones = append(phones, s.phone(fmt.Sprintf("phone %d", n)))
	}
	s.admit(x, phones[1:]...)
	x.Close()
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	for _, p := range append(phones, s.secondDevice(admin)) {
		l := &listener{phone: p, address: at(s.ready("gate")), bell: find(s.t, db, "121", "73")}
		c.all = append(c.all, l)
		wg.Go(func() { l.run(ctx) })
	}
	s.t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	c.gathered()
	return c
}

// secondDevice is another one of the same person: it has the same pairing, and an address
// of its own.
func (s *site) secondDevice(of *controller.Controller) *controller.Controller {
	own := netip.MustParsePrefix("10.78.0.3/24")
	s.cable.B.Give(own)
	return of.On(func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		err = s.garden.Do(func() error {
			dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(own.Addr(), 0))}
			conn, err = dialer.DialContext(ctx, network, address)
			return err
		})
		return conn, err
	})
}

// gathered waits until all hear the bell.
func (c *crowd) gathered() {
	c.t.Helper()
	hubtest.Eventually(c.t, "all phones hear the bell", func() bool {
		for _, l := range c.all {
			if _, _, here := l.count(); !here {
				return false
			}
		}
		return c.peer.listening()
	})
}

// press rings so often; a press that the hub could not take, because it is not there, is
// tried again.
func (c *crowd) press(n int) {
	c.t.Helper()
	for range n {
		hubtest.Eventually(c.t, "the hub takes a press", func() bool {
			_, err := c.Client.Ring(c.t.Context(), "gate", false)
			return err == nil
		})
		c.sent++
	}
}

// heardAll waits until everybody heard every press, and holds that nobody heard more.
func (c *crowd) heardAll(when string) {
	c.t.Helper()
	defer func() {
		for i, l := range c.all {
			presses, asked, _ := l.count()
			if presses != c.sent || len(l.odd) > 0 {
				c.t.Errorf("%s: phone %d heard %d of %d presses, read %d times on %d connections; %q", when, i, presses, c.sent, asked, l.times, l.odd)
			}
		}
		if n := c.peer.presses(); n != c.sent {
			c.t.Errorf("%s: the other's controller heard %d of %d presses", when, n, c.sent)
		}
	}()
	hubtest.Eventually(c.t, when+": every press is heard", func() bool {
		for _, l := range c.all {
			if presses, _, _ := l.count(); presses < c.sent {
				return false
			}
		}
		return c.peer.presses() >= c.sent
	})
}

// TestRings: eight phones that read all the time, and another's controller, hear two
// hundred presses, each once, while the plugin and the hub are killed.
func TestRings(t *testing.T) {
	s := newSite(t, `
plugins:
  homekit: {builtin: homekit, limits: {restart: {max: 100, per: 10m, first: 10ms, longest: 100ms}}}
  demo: {builtin: demo, limits: {rates: {critical: {per_second: 10000, burst: 10000}}}}
cameras:
  gate: {name: Gate, kind: doorbell, plugin: demo, ring: {debounce: 0s}}
`)
	c := s.gather()
	began := time.Now()
	c.press(100)
	c.heardAll("in a row")
	t.Logf("100 presses in %s", time.Since(began).Round(time.Millisecond))
	c.press(1)
	c.heardAll("before the plugin is killed")
	for range 3 { // killed at rest, and pressed while it is away
		was := s.pid("homekit")
		if err := syscall.Kill(was, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		c.press(5)
		s.back(was)
		c.gathered()
		c.heardAll("with the plugin killed")
	}
	c.press(1)
	c.heardAll("before the hub is killed")
	for range 2 {
		s.killHub()
		c.press(5) // the first ones before anybody is back
		c.gathered()
		c.heardAll("with the hub killed")
	}
	c.press(rings - c.sent)
	c.heardAll("at the end")
	for i, l := range c.all {
		_, asked, _ := l.count()
		t.Logf("phone %d read %d times on %d connections", i, asked, l.times)
		if want := 1 + 3 + 2; l.times != want {
			t.Errorf("phone %d had %d connections, and one for each life of the plugin is %d", i, l.times, want)
		}
	}
	c.killedWhileItRings()
}

// killHub kills the hub and starts it again on its data.
func (s *site) killHub() {
	s.t.Helper()
	s.Hub.Kill()
	s.start(s.Dir)
}

// killedWhileItRings kills in the middle of presses. What was being written to a phone
// at that moment may be lost to it, one press at most for each kill; nothing is heard twice.
func (c *crowd) killedWhileItRings() {
	c.t.Helper()
	const kills = 4
	for range kills {
		was := c.pid("homekit")
		c.press(5)
		if err := syscall.Kill(was, syscall.SIGKILL); err != nil {
			c.t.Fatal(err)
		}
		c.press(5)
		c.back(was)
		c.gathered()
	}
	c.press(1)
	defer func() {
		for i, l := range c.all {
			if presses, _, _ := l.count(); presses != c.sent {
				c.t.Logf("killed while it rings: phone %d heard %d of %d presses", i, presses, c.sent)
				if presses > c.sent {
					c.t.Errorf("phone %d heard a press twice", i)
				}
			}
		}
		if n := c.peer.presses(); n != c.sent {
			c.t.Logf("killed while it rings: the other's controller heard %d of %d presses", n, c.sent)
			if n > c.sent {
				c.t.Error("the other's controller heard a press twice")
			}
		}
	}()
	hubtest.Eventually(c.t, "the presses are heard", func() bool {
		for _, l := range c.all {
			if presses, _, _ := l.count(); presses < c.sent-kills {
				return false
			}
		}
		return c.peer.presses() >= c.sent-kills
	})
}

// peer is another's controller, in a process of its own.
type peer struct {
	cmd *exec.Cmd

	mu    sync.Mutex
	key   []byte // of the accessory
	lines []string
	n     int
	here  bool
}

func (p *peer) presses() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func (p *peer) listening() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.here
}

// startPeer pairs another's controller with a camera's accessory; it lets a phone in.
func (s *site) startPeer(camera string, in *controller.Controller) *peer {
	s.t.Helper()
	dir := filepath.Join(hubtest.Root(), "hub", "hubtest", "home", "testdata", "peer")
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join(dir, "node_modules", "hap-controller", "package.json"))
	}
	if err != nil {
		if os.Getenv("CI") == "true" {
			s.t.Fatal(err)
		}
		s.t.Skipf("SKIPPED: %v; apt-get install nodejs npm, then npm ci in hub/hubtest/home/testdata/peer", err)
	}
	a := s.ready(camera)
	code, _ := s.code(camera)
	p := &peer{cmd: exec.Command(node, "peer.js", a.Device, house4.Addr().String(), strconv.Itoa(a.Port), code, in.Name, hex.EncodeToString(in.Key()))}
	p.cmd.Dir, p.cmd.Stderr = dir, os.Stderr
	input, err := p.cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	output, err := p.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.garden.Start(p.cmd); err != nil {
		s.t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() { p.read(bufio.NewScanner(output)) })
	s.t.Cleanup(func() {
		input.Close()
		reading.Wait()
		_ = p.cmd.Wait() // it ends with its input
		if s.t.Failed() {
			s.t.Logf("the other's controller: %s", strings.Join(p.lines[max(0, len(p.lines)-20):], " "))
		}
	})
	hubtest.Eventually(s.t, "the other's controller listens", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.here || len(p.lines) > 0 && strings.Contains(p.lines[len(p.lines)-1], "failed")
	})
	if !p.listening() {
		s.t.Fatal(p.lines)
	}
	s.t.Logf("the other's controller: %s", strings.Join(p.lines, " "))
	in.Know(controller.Accessory{ID: a.Device, Key: p.key}) // as phones of one home tell each other
	return p
}

func (p *peer) read(lines *bufio.Scanner) {
	for lines.Scan() {
		var said struct {
			Press     json.RawMessage
			Listening bool
			Again     string
			Key       string
		}
		_ = json.Unmarshal(lines.Bytes(), &said) // what is no JSON is shown with a failure
		p.mu.Lock()
		switch {
		case said.Key != "":
			p.key, _ = hex.DecodeString(said.Key) // a wrong one is refused by the next proof
		case said.Press != nil:
			p.n++
		case said.Listening:
			p.here = true
		case said.Again != "":
			p.here = false
		}
		if said.Press == nil || string(said.Press) != "0" {
			p.lines = append(p.lines, lines.Text())
		}
		p.mu.Unlock()
	}
}
