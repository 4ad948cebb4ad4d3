package homekit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/announce"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/sdk"
)

const (
	// heardWithin is how long an accessory's own record is listened for.
	heardWithin = 3 * time.Second
	// reachWithin bounds one connection to an own port.
	reachWithin = time.Second
	// errorsFor is how long a controller's last error is worth telling.
	errorsFor = 24 * time.Hour
)

// mdns is the announcer as the servers take it; it remembers what it announced, to listen for it.
type mdns struct {
	*announce.Announcer
	*announced
}

type announced struct {
	mu       sync.Mutex
	services map[string]*announce.Service // by device id
}

func newMDNS(a *announce.Announcer) mdns {
	return mdns{a, &announced{services: map[string]*announce.Service{}}}
}

// Announce makes an accessory known.
func (m mdns) Announce(ctx context.Context, a server.Announcement) (server.Announced, error) {
	s, err := m.Announcer.Announce(ctx, announce.Record{Name: a.Name, Port: a.Port, TXT: a.TXT})
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.services[a.TXT["id"]] = s
	return s, nil
}

func (m mdns) service(device string) *announce.Service {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.services[device]
}

// health tells of the accessories that nobody can reach.
func (h *house) health() []sdk.Part {
	var out []sdk.Part
	add := func(name string, err error) {
		p := sdk.Part{Name: name, State: sdk.PartOK}
		if q := problemOf(err); q != nil {
			p.State, p.Reason, p.Fix = sdk.PartFailed, q.Message, q.Fix
		}
		out = append(out, p)
	}
	for _, d := range h.all() {
		add("accessory "+d.camera, d.problem())
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, err := range h.refused {
		add("accessory "+id, err)
	}
	switch {
	case h.bridge != nil:
		add("bridge", h.bridge.problem())
	case h.fault != nil:
		add("bridge", h.fault)
	}
	if h.unheard != nil {
		add("mDNS", h.unheard)
	}
	if err := h.ledger.Fault(); err != nil {
		out = append(out, sdk.Part{Name: "rings", State: sdk.PartDegraded, Reason: err.Error(), Fix: "make room on the disk of the hub's data folder: a ring may be told twice after a crash"})
	}
	slices.SortStableFunc(out, func(a, b sdk.Part) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// selfCheck is what the doctor tells of Apple Home.
func (h *house) selfCheck(ctx context.Context, _ bool) []sdk.CheckLine {
	s := h.configured()
	interfaces, err := announce.Interfaces(s.Interfaces)
	out := []sdk.CheckLine{checkInterfaces(interfaces, s.Interfaces, err)}
	h.mu.Lock()
	unheard := problemOf(h.unheard)
	h.mu.Unlock()
	if unheard != nil {
		out = append(out, sdk.CheckLine{State: "fail", What: "mDNS", Why: unheard.Message, Fix: unheard.Fix})
	}
	if cameras, err := h.hub.Cameras(ctx); err == nil {
		out = append(out, checkNames(s, cameras)...)
	}
	doors := h.all()
	if len(doors) == 0 {
		out = append(out, sdk.CheckLine{State: "warn", What: "accessories", Why: "Apple Home sees no camera of this house",
			Fix: "add one below cameras; with expose below plugins.homekit.config only the named ones are seen"})
	}
	lines := make([][]sdk.CheckLine, len(doors))
	var work sync.WaitGroup
	for i, d := range doors {
		work.Go(func() { lines[i] = h.checkDoor(ctx, d, interfaces) })
	}
	work.Wait()
	out = append(out, slices.Concat(lines...)...)
	for id, err := range h.refusals() {
		p := problemOf(err)
		out = append(out, sdk.CheckLine{State: "fail", What: id, Why: p.Message, Fix: p.Fix})
	}
	return out
}

func (h *house) refusals() map[string]error {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]error{}
	for id, err := range h.refused {
		out[id] = err
	}
	return out
}

// checkNames finds settings of cameras that the house has not: a typing error leaves a
// camera out of Home, and does nothing else that anybody could see.
func checkNames(s settings, cameras []sdk.CameraInfo) (out []sdk.CheckLine) {
	there := map[string]bool{}
	for _, c := range cameras {
		if c.Hub == "" {
			there[c.ID] = true
		}
	}
	fix := "write a camera's id: the house has " + strings.Join(slices.Sorted(maps.Keys(there)), ", ")
	if len(there) == 0 {
		fix = "add it below cameras, or take it out"
	}
	missing := func(path, camera string) {
		if !there[camera] {
			out = append(out, sdk.CheckLine{State: "warn", What: "config", Why: fmt.Sprintf("%s below plugins.homekit.config names %q, and no camera has this id", path, camera), Fix: fix})
		}
	}
	if s.Expose != nil {
		for _, c := range *s.Expose {
			missing("expose", c)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(s.Accessories)) {
		missing("accessories", c)
	}
	return out
}

func checkInterfaces(all []announce.Interface, named []string, err error) sdk.CheckLine {
	var used, not []string
	for _, i := range all {
		if i.Used {
			used = append(used, i.Name)
		} else {
			not = append(not, i.Name+" ("+i.Why+")")
		}
	}
	l := sdk.CheckLine{State: "ok", What: "network interfaces", Why: "found on " + strings.Join(used, ", ")}
	if len(not) > 0 {
		l.Why += "; not on " + strings.Join(not, ", ")
	}
	switch {
	case err != nil:
		l.State, l.Why, l.Fix = "fail", err.Error(), "see that the machine is on a network"
	case len(used) == 0:
		l.State, l.Why, l.Fix = "fail", strings.TrimPrefix(l.Why, "found on ; "), "connect the machine to the network that the phones are in"
		if len(named) > 0 {
			l.Fix = "correct interfaces below plugins.homekit.config: it names " + strings.Join(named, ", ")
		}
	default:
		if lost := slices.DeleteFunc(slices.Clone(named), func(n string) bool { return slices.Contains(used, n) }); len(lost) > 0 {
			l.State, l.Fix = "warn", "correct interfaces below plugins.homekit.config, or connect what it names: "+strings.Join(lost, ", ")
		}
	}
	return l
}

// checkDoor looks at one accessory from outside: by its port, and by its record.
func (h *house) checkDoor(ctx context.Context, d *door, interfaces []announce.Interface) []sdk.CheckLine {
	if err := d.problem(); err != nil {
		p := problemOf(err)
		return []sdk.CheckLine{{State: "fail", What: d.camera, Why: p.Message, Fix: p.Fix}}
	}
	st := d.srv.Status()
	var others []sdk.CheckLine
	var listening sync.WaitGroup
	listening.Go(func() { others = h.checkOthers(ctx, d, st) })
	out := []sdk.CheckLine{reach(ctx, d.camera, st.Port, interfaces), h.checkHeard(ctx, d, st)}
	listening.Wait()
	out = append(out, others...)
	for _, c := range st.Controllers {
		if c.LastError != "" && h.now().Sub(c.LastErrorAt) < errorsFor {
			out = append(out, sdk.CheckLine{State: "warn", What: d.camera + ": controller " + c.ID, Why: "its last error, " + c.LastErrorAt.In(h.hub.Location()).Format("15:04:05") + ": " + c.LastError})
		}
	}
	if !d.cam.Active() {
		out = append(out, sdk.CheckLine{State: "ok", What: d.camera + ": camera", Why: "switched off in Apple Home: it has no picture there until somebody switches it on"})
	}
	for _, c := range d.cam.LastChoice() {
		out = append(out, sdk.CheckLine{State: "ok", What: d.camera + ": picture", Why: told(c, h.hub.Location())})
	}
	return out
}

// reach connects to the accessory's port on every address that it is found at.
func reach(ctx context.Context, camera string, port int, interfaces []announce.Interface) sdk.CheckLine {
	l := sdk.CheckLine{State: "ok", What: camera + ": port", Why: fmt.Sprintf("TCP port %d answers", port)}
	if port == 0 {
		l.State, l.Why, l.Fix = "fail", "its server does not listen yet", "ask again in a moment; porchlight plugins logs homekit tells more"
		return l
	}
	for _, i := range interfaces {
		for _, a := range i.Addrs {
			if !i.Used || a.Is6() {
				continue
			}
			if err := dial(ctx, netip.AddrPortFrom(a, uint16(port))); err != nil {
				l.State, l.Why = "fail", fmt.Sprintf("TCP port %d does not answer at %s: %v", port, a, err)
				l.Fix = fmt.Sprintf("let the firewall of this machine pass TCP port %d, and UDP port 5353", port)
				return l
			}
		}
	}
	return l
}

func dial(ctx context.Context, a netip.AddrPort) error {
	d := net.Dialer{Timeout: reachWithin}
	c, err := d.DialContext(ctx, "tcp", a.String())
	if err != nil {
		return err
	}
	return c.Close()
}

// checkHeard listens for the accessory's own record, as a phone would.
func (h *house) checkHeard(ctx context.Context, d *door, st server.Status) sdk.CheckLine {
	l := sdk.CheckLine{State: "ok", What: d.camera + ": mDNS", Why: "its record is heard back"}
	s := h.announcer.service(d.keep.Identity().Device)
	if s == nil || st.Announced == "" {
		l.State, l.Why, l.Fix = "fail", "it is not announced", "porchlight plugins logs homekit tells why"
		return l
	}
	ctx, cancel := context.WithTimeout(ctx, heardWithin)
	defer cancel()
	heard, err := h.announcer.Heard(ctx, s)
	var back, not []string
	neighbours := 0
	for _, on := range heard.On {
		neighbours += on.Neighbours
		if on.Back {
			back = append(back, on.Interface)
		} else {
			not = append(not, on.Interface)
		}
	}
	switch {
	case err != nil || len(back) == 0:
		l.State, l.Why = "fail", "its record is not heard back: phones do not find it"
		l.Fix = fmt.Sprintf("let the firewall pass UDP port 5353 and TCP port %d (nft: udp dport 5353 accept; ufw allow 5353/udp and ufw allow %d/tcp)", st.Port, st.Port)
	case len(not) > 0:
		l.State, l.Why, l.Fix = "warn", "its record is heard back on "+strings.Join(back, ", ")+", not on "+strings.Join(not, ", "), "name the interfaces that the phones are on in plugins.homekit.config.interfaces"
	default:
		l.Why += " on " + strings.Join(back, ", ")
		if neighbours == 0 { // what comes back never crossed the network
			l.Why += "; no other machine was heard meanwhile"
		}
	}
	return l
}

// checkOthers listens for who uses the accessory's name, or is the same accessory.
func (h *house) checkOthers(ctx context.Context, d *door, st server.Status) (out []sdk.CheckLine) {
	at := "another device"
	if s := h.announcer.service(d.keep.Identity().Device); s != nil && st.Announced != "" {
		ctx, cancel := context.WithTimeout(ctx, heardWithin)
		defer cancel()
		others, err := h.announcer.Duplicates(ctx, s)
		if err != nil {
			h.log.Debug("others of the same name were not asked for", "camera", d.camera, "error", err)
		}
		for _, o := range others {
			switch {
			case o.Port == 0: // heard in part: it may be our own
			case o.SameID:
				out = append(out, sdk.CheckLine{State: "fail", What: d.camera + ": duplicate", Why: fmt.Sprintf("%q at %s is the same accessory: Home speaks now to the one, now to the other", o.Name, o.Addr),
					Fix: "one backup runs on two machines: stop the other hub, or reset the accessory on one of them (porchlight homekit reset " + d.camera + ")"})
			default:
				at = "the device at " + o.Addr.String()
			}
		}
	}
	if st.Announced != "" && st.Announced != d.title {
		out = append(out, sdk.CheckLine{State: "warn", What: d.camera + ": name", Why: fmt.Sprintf("%s calls itself %q, so this one is announced as %q", at, d.title, st.Announced),
			Fix: "if it is this house's own, from another hub or an older one, switch that off"})
	}
	return out
}
