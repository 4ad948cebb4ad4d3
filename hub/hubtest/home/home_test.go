//go:build linux

package home

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/hubtest"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller"
	"github.com/porchlight-hub/porchlight/hub/hubtest/controller/browse"
	"github.com/porchlight-hub/porchlight/hub/hubtest/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }

// The house has its hub, the garden its phones: another machine, so that packets take
// the way that they take at home.
var (
	house4  = netip.MustParsePrefix("10.78.0.1/24")
	house6  = netip.MustParsePrefix("fd78::1/64")
	garden4 = netip.MustParsePrefix("10.78.0.2/24")
	garden6 = netip.MustParsePrefix("fd78::2/64")
)

// head of the configs. On a network of its own all ports are free.
const head = `version: 1
hub: {name: Elm, listen: "127.0.0.1:8480", data_dir: ./data, webrtc: {port: 0}, rtsp: {port: 8554}}
`

// site is a house with a hub, a garden, and the cable between.
type site struct {
	*hubtest.Hub
	whole  *testing.T // which the hub lives as long as
	t      *testing.T // its part that runs
	bin    string
	cable  *netns.Cable
	garden *netns.Host
}

// newSite starts a hub on the rest of a config.
func newSite(t *testing.T, rest string) *site {
	t.Helper()
	s := newLand(t)
	s.start(hubtest.Dir(t, head+rest))
	return s
}

// start runs a hub on the config in dir. What its plugin logs is told with a failure, and
// is one where it tells of a panic or a data race.
func (s *site) start(dir string) {
	s.t.Helper()
	s.Hub = hubtest.Start(s.whole, s.bin, dir)
	h, t := s.Hub, s.whole
	t.Cleanup(func() {
		if strings.Contains(h.Output(), "DATA RACE") {
			t.Error("the hub tells of a data race")
		}
		ctx, cancel := context.WithTimeout(context.Background(), hubtest.Within)
		defer cancel()
		lines, err := h.Client.Logs(ctx, "homekit", 1000)
		if err != nil {
			return // this hub was ended in the story
		}
		for i, l := range lines {
			if strings.Contains(l.Text, "DATA RACE") || strings.Contains(l.Text, "panic") || strings.Contains(l.Text, "went wrong") {
				t.Errorf("homekit: %+v", l)
			}
			if i > len(lines)-60 && t.Failed() {
				t.Logf("homekit: %+v", l)
			}
		}
	})
}

// newLand is a site without a hub yet.
func newLand(t *testing.T) *site {
	t.Helper()
	netns.Need(t)
	s := &site{whole: t, t: t, garden: netns.NewHost(t, "garden"), bin: hubtest.Binary(t)}
	s.cable = netns.Join(t,
		netns.End{Host: netns.House(t), Interface: "eth0", Addresses: []netip.Prefix{house4, house6}},
		netns.End{Host: s.garden, Interface: "wlan0", Addresses: []netip.Prefix{garden4, garden6}})
	return s
}

// part runs one part of a story on the same hub.
func (s *site) part(name string, f func(t *testing.T)) {
	whole := s.t
	whole.Run(name, func(t *testing.T) {
		s.t = t
		defer func() { s.t = whole }()
		f(t)
	})
}

// phone makes a controller in the garden.
func (s *site) phone(name string) *controller.Controller {
	c := controller.New(name)
	c.Dial = s.garden.DialContext
	c.ListenPacket = func(network, address string) (conn net.PacketConn, err error) {
		err = s.garden.Do(func() error {
			conn, err = net.ListenPacket(network, address)
			return err
		})
		return conn, err
	}
	return c
}

// accessory is what the plugin tells of one.
type accessory struct {
	Camera       string
	ID           string
	Name         string
	Category     int
	Port         int
	Device       string
	Paired       bool
	Announced    string
	ConfigNumber uint32 `json:"config_number"`
	Controllers  []struct {
		ID          string
		Admin       bool
		Connections int
		Subscribed  int
		LastError   string `json:"last_error"`
	}
	Watching []struct {
		Controller, Stream, How string
		Width, Height           int
		Talking                 bool
	}
	Active  bool
	Problem *struct{ Code, Message string }
	Choices []string
}

// status of all accessories; nothing while the plugin is away.
func (s *site) status() (out struct {
	Accessories []accessory
	Bridge      *accessory
}) {
	b, err := s.Client.Act(s.t.Context(), "homekit", "status", nil)
	if err != nil {
		return out
	}
	if err := json.Unmarshal(b, &out); err != nil {
		s.t.Fatalf("%v: status %s", err, b)
	}
	return out
}

// accessory of a camera; the zero one while there is none.
func (s *site) accessory(camera string) accessory {
	for _, a := range s.status().Accessories {
		if a.Camera == camera {
			return a
		}
	}
	return accessory{}
}

// ready waits until the accessory of a camera can be found.
func (s *site) ready(camera string) accessory {
	s.t.Helper()
	var a accessory
	hubtest.Eventually(s.t, camera+" is announced", func() bool {
		a = s.accessory(camera)
		return a.Port != 0 && a.Announced != ""
	})
	return a
}

// settled waits until an accessory that is new is what its camera is: in its first
// moments the hub does not know yet what the camera can.
func (s *site) settled(camera string) {
	s.t.Helper()
	var last accessory
	var since time.Time
	hubtest.Eventually(s.t, camera+" is looked at", func() bool {
		c, err := s.Client.Camera(s.t.Context(), camera)
		a := s.accessory(camera)
		if err != nil || !c.Online || len(c.Streams) == 0 || a.Announced == "" || a.Port != last.Port || a.ConfigNumber != last.ConfigNumber {
			last, since = a, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	})
}

// code of an accessory, as its page shows it.
func (s *site) code(camera string) (code, uri string) {
	s.t.Helper()
	b, err := s.Client.Act(s.t.Context(), "homekit", "qr", fmt.Appendf(nil, `{"camera":%q}`, camera))
	if err != nil {
		s.t.Fatal(err)
	}
	var out struct{ Accessories []struct{ Code, URI string } }
	if err := json.Unmarshal(b, &out); err != nil || len(out.Accessories) != 1 {
		s.t.Fatalf("qr of %s: %s %v", camera, b, err)
	}
	return out.Accessories[0].Code, out.Accessories[0].URI
}

// at is where an accessory listens.
func at(a accessory) string { return netip.AddrPortFrom(house4.Addr(), uint16(a.Port)).String() }

// pair makes a phone the first admin of a camera's accessory.
func (s *site) pair(c *controller.Controller, camera string) controller.Accessory {
	s.t.Helper()
	s.settled(camera)
	address := at(s.ready(camera))
	code, _ := s.code(camera)
	a, err := c.Pair(s.t.Context(), address, code)
	if err != nil {
		s.t.Fatalf("pair %s with %s: %v", c.Name, camera, err)
	}
	return a
}

// verified connects a phone until the test ends.
func (s *site) verified(c *controller.Controller, camera string) *controller.Conn {
	s.t.Helper()
	x, err := c.Verify(s.t.Context(), at(s.ready(camera)))
	if err != nil {
		s.t.Fatalf("verify %s with %s: %v", c.Name, camera, err)
	}
	s.t.Cleanup(x.Close)
	return x
}

// admit lets phones in, by an admin.
func (s *site) admit(x *controller.Conn, phones ...*controller.Controller) {
	s.t.Helper()
	for _, p := range phones {
		if err := x.AddPairing(s.t.Context(), controller.Pairing{Name: p.Name, Key: p.Key(), Admin: true}); err != nil {
			s.t.Fatal(err)
		}
		p.Know(x.Accessory)
	}
}

// listen reads an accessory and subscribes to its bell.
func (s *site) listen(x *controller.Conn) controller.Database {
	s.t.Helper()
	db, err := x.Accessories(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := x.Subscribe(s.t.Context(), find(s.t, db, "121", "73")); err != nil {
		s.t.Fatal(err)
	}
	return db
}

func find(t *testing.T, db controller.Database, service, characteristic string) controller.ID {
	t.Helper()
	id, ok := db.Find(service, characteristic)
	if !ok {
		t.Fatalf("no characteristic %s in a service %s", characteristic, service)
	}
	return id
}

// pid of the plugin, as the hub sees it.
func (s *site) pid(plugin string) int {
	s.t.Helper()
	p, err := s.Client.Plugin(s.t.Context(), plugin)
	if err != nil {
		s.t.Fatal(err)
	}
	return p.PID
}

// killPlugin ends the plugin with SIGKILL and waits until another one runs.
func (s *site) killPlugin() {
	s.t.Helper()
	was := s.pid("homekit")
	if err := syscall.Kill(was, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	s.back(was)
}

// back waits until the plugin runs as another process.
func (s *site) back(was int) {
	s.t.Helper()
	hubtest.Eventually(s.t, "the plugin runs again", func() bool {
		p, err := s.Client.Plugin(s.t.Context(), "homekit")
		return err == nil && (p.State == "running" || p.State == "degraded") && p.PID != was
	})
}

// sockets are how many descriptors of sockets a process has; they say what it left open.
func sockets(t *testing.T, pid int) (n int) {
	t.Helper()
	dir := filepath.Join("/proc", fmt.Sprint(pid), "fd")
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if to, err := os.Readlink(filepath.Join(dir, f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// hears opens a browser of mDNS in the garden.
func (s *site) hears() *browse.Browser {
	s.t.Helper()
	var b *browse.Browser
	err := s.garden.Do(func() (err error) {
		b, err = browse.Open("wlan0", browse.HAP)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(b.Close)
	return b
}

// heard waits until an accessory's record is heard, and is as asked for.
func (s *site) heard(b *browse.Browser, device string, is func(browse.Service) bool) browse.Service {
	s.t.Helper()
	var got browse.Service
	hubtest.Eventually(s.t, "mDNS tells of "+device, func() bool {
		if err := b.Ask(); err != nil {
			s.t.Fatal(err)
		}
		i := slices.IndexFunc(b.Services(), func(v browse.Service) bool { return v.Text["id"] == device && is(v) })
		if i >= 0 {
			got = b.Services()[i]
		}
		return i >= 0
	})
	return got
}

// within bounds a step that must not hang.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), hubtest.Within)
	t.Cleanup(cancel)
	return ctx
}
