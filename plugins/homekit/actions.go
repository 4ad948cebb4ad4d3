package homekit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/porchlight-hub/porchlight/plugins/homekit/announce"
	"github.com/porchlight-hub/porchlight/plugins/homekit/camera"
	"github.com/porchlight-hub/porchlight/plugins/homekit/server"
	"github.com/porchlight-hub/porchlight/plugins/homekit/setup"
	"github.com/porchlight-hub/porchlight/plugins/homekit/store"
	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

const (
	cameraInput = `{"type":"object","title":"Accessory","additionalProperties":false,"properties":{"camera":{"type":"string","title":"Camera","description":"Its id, or bridge; left out: all."}}}`
	unpairInput = `{"type":"object","title":"Controller","additionalProperties":false,"required":["controller"],"properties":{"controller":{"type":"string","minLength":1,"maxLength":64,"title":"Controller","description":"Its id, as the status tells it."},"camera":{"type":"string","title":"Camera","description":"Left out: of all."}}}`
)

func actions() []manifest.Action {
	open := json.RawMessage(`{"type":"object","title":"Answer"}`)
	return []manifest.Action{
		{Name: "status", Title: "Accessories of Apple Home, and who uses them", Role: "view", ReadOnly: true, OutputSchema: open},
		{Name: "qr", Title: "Setup codes", Role: "admin", ReadOnly: true, InputSchema: json.RawMessage(cameraInput), OutputSchema: open},
		{Name: "unpair", Title: "Remove a controller", Role: "admin", InputSchema: json.RawMessage(unpairInput), OutputSchema: open},
		{Name: "reset", Title: "Make an accessory a new one, with another code", Role: "admin", InputSchema: json.RawMessage(cameraInput), OutputSchema: open},
	}
}

// bridgeName stands for the bridge where a camera is named.
const bridgeName = "bridge"

// accessoryStatus is one accessory in the answer of the action status.
type accessoryStatus struct {
	Camera       string             `json:"camera"`
	ID           string             `json:"id"`
	Name         string             `json:"name"`
	Kind         string             `json:"kind"` // doorbell, camera, bridge
	Category     byte               `json:"category"`
	Port         int                `json:"port"`
	Device       string             `json:"device"`
	Paired       bool               `json:"paired"`
	Announced    string             `json:"announced"` // empty: not announced
	ConfigNumber uint32             `json:"config_number"`
	Controllers  []controllerStatus `json:"controllers"`
	Watching     []watchStatus      `json:"watching"`
	Active       bool               `json:"active"`
	Problem      *problemStatus     `json:"problem"`
	LastRing     *lastRing          `json:"last_ring"`
	Choices      []string           `json:"choices"`
}

type controllerStatus struct {
	ID          string    `json:"id"`
	Admin       bool      `json:"admin"`
	Connections int       `json:"connections"`
	Addresses   []string  `json:"addresses"`
	Subscribed  int       `json:"subscribed"`
	LastSeen    time.Time `json:"last_seen,omitzero"`
	LastError   string    `json:"last_error"`
	LastErrorAt time.Time `json:"last_error_at,omitzero"`
}

type watchStatus struct {
	Controller string    `json:"controller"`
	Since      time.Time `json:"since"`
	Stream     string    `json:"stream"`
	How        string    `json:"how"`
	Width      int       `json:"width"`
	Height     int       `json:"height"`
	FPS        int       `json:"fps"`
	Kbps       int       `json:"kbps"`
	Sound      bool      `json:"sound"`
	Talking    bool      `json:"talking"`
}

type problemStatus struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Fix     string `json:"fix"`
}

type interfaceStatus struct {
	Name      string   `json:"name"`
	Addresses []string `json:"addresses"`
	Used      bool     `json:"used"`
	Why       string   `json:"why"`
}

// problemOf gives an error as people read it; nil of nil.
func problemOf(err error) *problemStatus {
	if err == nil {
		return nil
	}
	p := &problemStatus{Code: "E-HOMEKIT-ACCESSORY", Message: err.Error(), Fix: "porchlight plugins logs homekit tells more"}
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		p.Code = coded.Code()
	}
	var hint interface{ Hint() string }
	if errors.As(err, &hint) {
		p.Fix = hint.Hint()
	}
	return p
}

// Action answers what the manifest lists.
func (p *plugin) Action(ctx context.Context, c sdk.ActionCall) (json.RawMessage, error) {
	h, err := p.await(ctx)
	if err != nil {
		return nil, err
	}
	var in struct{ Camera, Controller string }
	if err := c.Decode(&in); err != nil {
		return nil, err
	}
	var out any
	switch c.Name {
	case "status":
		out, err = h.status()
	case "qr":
		out, err = h.codes(in.Camera)
	case "unpair":
		out, err = h.unpair(in.Camera, in.Controller)
	case "reset":
		if e := h.order(ctx, func() { out, err = h.reset(in.Camera) }); e != nil {
			return nil, e
		}
	default:
		return nil, fmt.Errorf("action %q: %w", c.Name, sdk.ErrUnsupported)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// status tells of every accessory, made or not.
func (h *house) status() (any, error) {
	var out struct {
		Accessories []accessoryStatus `json:"accessories"`
		Interfaces  []interfaceStatus `json:"interfaces"`
		Bridge      *accessoryStatus  `json:"bridge"`
	}
	out.Accessories = []accessoryStatus{}
	for _, d := range h.all() {
		out.Accessories = append(out.Accessories, d.status(h.hub.Location()))
	}
	h.mu.Lock()
	for id, err := range h.refused {
		out.Accessories = append(out.Accessories, accessoryStatus{Camera: id, ID: h.settings.id(id), Name: cmp.Or(h.names[id].Name, id), Kind: h.names[id].Kind, Problem: problemOf(err),
			Controllers: []controllerStatus{}, Watching: []watchStatus{}, Choices: []string{}})
	}
	b, interfaces := h.bridge, h.settings.Interfaces
	h.mu.Unlock()
	if b != nil {
		s := b.status()
		out.Bridge = &s
	}
	all, err := announce.Interfaces(interfaces)
	for _, i := range all {
		one := interfaceStatus{Name: i.Name, Used: i.Used, Why: i.Why, Addresses: []string{}}
		for _, a := range i.Addrs {
			one.Addresses = append(one.Addresses, a.String())
		}
		out.Interfaces = append(out.Interfaces, one)
	}
	return out, err
}

func (d *door) status(zone *time.Location) accessoryStatus {
	s := statusOf(d.keep, d.srv, d.title, d.kind, d.cam.Category())
	s.Camera, s.ID, s.Active, s.Problem = d.camera, d.id, d.cam.Active(), problemOf(d.problem())
	if last, ok := d.bell.lastRing(); ok {
		s.LastRing = &last
	}
	for _, w := range d.cam.Watching() {
		s.Watching = append(s.Watching, watchOf(w))
	}
	for _, c := range d.cam.LastChoice() {
		s.Choices = append(s.Choices, told(c, zone))
	}
	return s
}

func (b *bridge) status() accessoryStatus {
	s := statusOf(b.keep, b.srv, "Mute chimes", "bridge", 2)
	s.ID, s.Active, s.Problem = bridgeID, true, problemOf(b.problem())
	return s
}

func statusOf(keep *store.Accessory, srv *server.Server, name, kind string, category byte) accessoryStatus {
	st := srv.Status()
	s := accessoryStatus{
		Name: name, Kind: kind, Category: category, Port: st.Port, Device: keep.Identity().Device, Paired: st.Paired,
		Announced: st.Announced, ConfigNumber: st.ConfigNumber,
		Controllers: []controllerStatus{}, Watching: []watchStatus{}, Choices: []string{},
	}
	for _, c := range st.Controllers {
		s.Controllers = append(s.Controllers, controllerStatus{
			ID: c.ID, Admin: c.Admin, Connections: c.Connections, Addresses: append([]string{}, c.Addresses...), Subscribed: c.Subscribed,
			LastSeen: c.LastSeen, LastError: c.LastError, LastErrorAt: c.LastErrorAt,
		})
	}
	return s
}

func watchOf(w camera.Watch) watchStatus {
	how := w.How
	if strings.HasPrefix(how, "converted") && !strings.Contains(how, "the picture") {
		how = "copy" // the hub converts the sound alone; the choices tell it
	}
	return watchStatus{Controller: w.Controller, Since: w.Since, Stream: w.Stream, How: how, Width: w.Width, Height: w.Height,
		FPS: int(w.FPS + 0.5), Kbps: w.Kbps, Sound: w.Sound, Talking: w.Talking}
}

// told is one choice of a stream in people's words.
func told(c camera.Choice, zone *time.Location) string {
	var out strings.Builder
	out.WriteString(c.At.In(zone).Format(time.DateTime) + ", " + short(c.Controller) + ": ")
	switch {
	case c.Problem != "":
		out.WriteString("no picture: " + c.Problem)
	default:
		out.WriteString("the " + c.Stream + " stream, " + c.How)
	}
	why := slices.DeleteFunc(slices.Clone(c.Why), func(s string) bool { // the hub has said it already
		_, reason, ok := strings.Cut(s, ": ")
		return ok && strings.Contains(c.How, reason)
	})
	if len(why) > 0 {
		out.WriteString(" (" + strings.Join(why, "; ") + ")")
	}
	return out.String()
}

// short is as much of a controller's name as tells it from others.
func short(controller string) string {
	if r := []rune(controller); len(r) > 8 {
		return string(r[:8])
	}
	return controller
}

// isCalled says whether a question means this accessory: by its camera, by its
// identity, or because it means all.
func (d *door) isCalled(which string) bool { return which == "" || which == d.camera || which == d.id }

func isBridge(which string) bool { return which == "" || which == bridgeName || which == bridgeID }

// accessoryCode is one accessory in the answer of the action qr.
type accessoryCode struct {
	Camera string `json:"camera"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Paired bool   `json:"paired"`
	Code   string `json:"code"`
	URI    string `json:"uri"`
}

// codes tells what a phone scans. Whoever has it can pair while nobody is paired.
func (h *house) codes(which string) (any, error) {
	out := []accessoryCode{}
	add := func(camera, accessory, name, kind string, category byte, keep *store.Accessory) {
		if !slices.Contains([]string{"", camera, accessory}, which) {
			return
		}
		id := keep.Identity()
		out = append(out, accessoryCode{Camera: camera, Name: name, Kind: kind, Paired: len(keep.Pairings()) > 0,
			Code: string(id.Code), URI: setup.URI(id.Code, category, id.SetupID)})
	}
	for _, d := range h.all() {
		add(d.camera, d.id, d.title, d.kind, d.cam.Category(), d.keep)
	}
	if b := h.bridgeNow(); b != nil {
		add(bridgeName, bridgeID, "Mute chimes", "bridge", 2, b.keep)
	}
	if which != "" && len(out) == 0 {
		return nil, h.unknown(which)
	}
	return struct {
		Accessories []accessoryCode `json:"accessories"`
	}{out}, nil
}

func (h *house) bridgeNow() *bridge {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bridge
}

func (h *house) unknown(camera string) error {
	return fmt.Errorf("camera %q: %w: it is none of the cameras that Apple Home sees", camera, sdk.ErrNotFound)
}

// unpair removes a controller; of its last administrator's going all others go too.
func (h *house) unpair(which, controller string) (any, error) {
	var out struct {
		Removed int `json:"removed"`
	}
	remove := func(srv *server.Server, keep *store.Accessory) error {
		if _, there := keep.Pairing(controller); !there {
			return nil
		}
		out.Removed++
		return srv.Unpair(controller)
	}
	for _, d := range h.all() {
		if d.isCalled(which) {
			if err := remove(d.srv, d.keep); err != nil {
				return nil, err
			}
		}
	}
	if b := h.bridgeNow(); b != nil && isBridge(which) {
		if err := remove(b.srv, b.keep); err != nil {
			return nil, err
		}
	}
	if out.Removed == 0 {
		return nil, fmt.Errorf("controller %q: %w: the action status lists those that are paired", controller, sdk.ErrNotFound)
	}
	return out, nil
}

// reset, an order, makes accessories new ones: whoever was paired has to remove them from
// Home and pair again. It is also the way out for one whose files are damaged.
func (h *house) reset(which string) (any, error) {
	done := []string{}
	defer h.lookAgain()
	for _, d := range h.all() {
		if !d.isCalled(which) {
			continue
		}
		h.mu.Lock()
		delete(h.doors, d.camera)
		h.mu.Unlock()
		d.close()
		h.ledger.Forget(d.id)
		if err := d.keep.Reset(); err != nil {
			return nil, err
		}
		done = append(done, d.camera)
	}
	s := h.configured()
	for camera, why := range h.refusals() {
		var others *shared
		if which != "" && which != camera && which != s.id(camera) || errors.As(why, &others) {
			continue
		}
		if err := h.store.Remove(s.id(camera)); err != nil {
			return nil, err
		}
		done = append(done, camera)
	}
	if isBridge(which) {
		had, err := h.resetBridge()
		if err != nil {
			return nil, err
		}
		if had {
			done = append(done, bridgeName)
		}
	}
	if which != "" && len(done) == 0 {
		return nil, h.unknown(which)
	}
	return struct {
		Reset []string `json:"reset"`
	}{done}, nil
}

// resetBridge says whether there was one.
func (h *house) resetBridge() (bool, error) {
	h.mu.Lock()
	b, fault := h.bridge, h.fault
	h.bridge = nil
	h.mu.Unlock()
	switch {
	case b != nil:
		b.close()
		return true, b.keep.Reset()
	case fault != nil:
		return true, h.store.Remove(bridgeID)
	}
	return false, nil
}
