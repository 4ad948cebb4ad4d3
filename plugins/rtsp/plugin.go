package rtsp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
)

// New makes the plugin.
func New() sdk.Plugin {
	return &plugin{cameras: map[string]*camera{}, ready: make(chan struct{})}
}

// plugin is all cameras that name it.
type plugin struct {
	ready chan struct{} // closed when Run has started the cameras

	mu      sync.Mutex
	ctx     context.Context // Run's; nil before it
	hub     *sdk.Hub
	cameras map[string]*camera
	work    sync.WaitGroup
}

// camera is one entry, with the casts that push its pictures where the hub does not pull them.
type camera struct {
	settings settings
	raw      string // the settings as they came
	fault    string // why nothing can be done with it; empty: nothing is wrong
	fix      string
	casts    []*cast
	stop     context.CancelFunc
}

// Check finds what the schema cannot.
func (p *plugin) Check(_ context.Context, c sdk.Config) []sdk.Problem {
	var out []sdk.Problem
	if err := c.Decode(&struct{}{}); err != nil {
		out = append(out, sdk.Problem{Path: "/", Message: "the settings are no block of keys", Fix: "leave them out: this plugin has none"})
	}
	for _, d := range c.Devices {
		at := "devices/" + d.ID
		var s settings
		if err := d.Decode(&s); err != nil {
			out = append(out, wrongKind(at, err))
			continue
		}
		if s.hidden() {
			continue // looked at when the hub gives the secret
		}
		_, bad := s.plan()
		for _, b := range bad {
			out = append(out, sdk.Problem{Path: at + "/" + b.key, Message: b.message, Fix: b.fix})
		}
	}
	return out
}

func wrongKind(at string, err error) sdk.Problem {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) && kind.Field != "" {
		return sdk.Problem{Path: at + "/" + kind.Field, Message: "is a " + kind.Value + ", not text"}
	}
	return sdk.Problem{Path: at, Message: "the source is no block of keys", Fix: "write source: and below it url: rtsp://…"}
}

// Run keeps the casts going until ctx ends.
func (p *plugin) Run(ctx context.Context, hub *sdk.Hub) error {
	p.mu.Lock()
	p.ctx, p.hub = ctx, hub
	p.mu.Unlock()
	p.apply(hub.Devices())
	close(p.ready)
	<-ctx.Done()
	p.apply(nil)
	p.work.Wait()
	return ctx.Err()
}

// Reconfigure touches only the cameras that differ.
func (p *plugin) Reconfigure(_ context.Context, c sdk.Config) error {
	p.mu.Lock()
	begun := p.ctx != nil
	p.mu.Unlock()
	if !begun {
		return sdk.ErrRestart // Run has not begun: let it begin with the new config
	}
	p.apply(c.Devices)
	return nil
}

func (p *plugin) apply(devices []sdk.Device) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		devices = nil // it is stopping: nothing may begin any more
	}
	for id, c := range p.cameras {
		i := slices.IndexFunc(devices, func(d sdk.Device) bool { return d.ID == id })
		if i < 0 || string(devices[i].JSON) != c.raw {
			c.stop()
			delete(p.cameras, id)
		}
	}
	for _, d := range devices {
		if c := p.cameras[d.ID]; c != nil {
			for _, x := range c.casts {
				x.look() // a secret may have another value now
			}
			continue
		}
		p.cameras[d.ID] = p.begin(d)
	}
}

// begin needs p.mu held.
func (p *plugin) begin(d sdk.Device) *camera {
	ctx, stop := context.WithCancel(p.ctx)
	c := &camera{raw: string(d.JSON), stop: stop}
	if err := d.Decode(&c.settings); err != nil {
		w := wrongKind("", err)
		c.fault, c.fix = strings.TrimPrefix(w.Path+" ", "/")+w.Message, w.Fix
		return c
	}
	if c.settings.hidden() {
		// What it is shows when the hub gives the secret; a cast that finds RTSP ends.
		c.casts = []*cast{newCast(p.hub, d.ID, "main", c.settings), newCast(p.hub, d.ID, "sub", c.settings)}
	} else {
		pl, bad := c.settings.plan()
		if len(bad) > 0 {
			c.fault, c.fix = bad[0].Error(), bad[0].fix
			return c
		}
		if pl.http {
			c.casts = []*cast{newCast(p.hub, d.ID, "main", c.settings)}
			if pl.sub != "" {
				c.casts = append(c.casts, newCast(p.hub, d.ID, "sub", c.settings))
			}
		}
	}
	for _, x := range c.casts {
		p.work.Go(func() { x.serve(ctx) })
	}
	return c
}

// camera finds one. A command may come before Run has begun, so it waits for that.
func (p *plugin) camera(ctx context.Context, id string) (*camera, *sdk.Hub, error) {
	select {
	case <-p.ready:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("rtsp is starting: %w", sdk.ErrUnavailable)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.cameras[id]
	if c == nil {
		return nil, nil, fmt.Errorf("camera %q: %w", id, sdk.ErrNotFound)
	}
	if c.fault != "" {
		return nil, nil, fmt.Errorf("camera %s: %s; %s: %w", id, c.fault, c.fix, sdk.ErrInvalid)
	}
	return c, p.hub, nil
}

// Source says where the hub pulls the pictures, or that they are pushed.
func (p *plugin) Source(ctx context.Context, id string) (sdk.Source, error) {
	c, hub, err := p.camera(ctx, id)
	if err != nil {
		return sdk.Source{}, err
	}
	return source(c.settings, secretsOf(ctx, hub))
}

// secretsOf looks secrets up at the hub.
func secretsOf(ctx context.Context, hub *sdk.Hub) func(string) (string, error) {
	return func(name string) (string, error) {
		s, err := hub.Secret(ctx, name)
		return s.Reveal(), err
	}
}

// source makes the descriptor of settings.
func source(s settings, secret func(string) (string, error)) (sdk.Source, error) {
	s, err := s.reveal(secret)
	if err != nil {
		return sdk.Source{}, err
	}
	pl, bad := s.plan()
	if len(bad) > 0 {
		return sdk.Source{}, fmt.Errorf("source: %w; %s: %w", bad[0], bad[0].fix, sdk.ErrInvalid)
	}
	out := sdk.Source{Pull: pl.pull, SnapshotURL: pl.snapshot}
	if pl.snapshot != "" {
		out.SnapshotCredential = s.credential()
		if strings.HasPrefix(pl.snapshot, "https://") {
			out.SnapshotFingerprint = s.pinned()
		}
	}
	if pl.http {
		out.Push = true
		if out.Pull == "" {
			out.Pull = always
		}
		return out, nil
	}
	if s.Talk != talkOff {
		out.Talk = "rtsp_backchannel"
	}
	for name, url := range map[string]string{"main": pl.main, "sub": pl.sub} {
		if url == "" {
			continue
		}
		stream := sdk.StreamSource{Name: name, URL: url, Credential: s.credential(), Transport: s.Transport}
		if encrypted(url) {
			stream.Fingerprint = s.pinned()
		}
		out.Streams = append(out.Streams, stream)
	}
	slices.SortFunc(out.Streams, func(a, b sdk.StreamSource) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Demand begins and ends pushing as pictures are wanted.
func (p *plugin) Demand(ctx context.Context, d sdk.Demand) error {
	c, _, err := p.camera(ctx, d.Camera)
	if err != nil {
		return err
	}
	found := false
	for _, x := range c.casts {
		if d.Stream == "" || x.stream == d.Stream {
			x.demand(d.Wanted)
			found = true
		}
	}
	if !found {
		return fmt.Errorf("camera %s: stream %q is not pushed: %w", d.Camera, d.Stream, sdk.ErrUnsupported)
	}
	return nil
}

// Health tells of the cameras whose pictures are pushed, and of those with which
// nothing can be done. What the hub pulls it knows itself.
func (p *plugin) Health(context.Context) []sdk.Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []sdk.Part
	for _, id := range slices.Sorted(maps.Keys(p.cameras)) {
		c := p.cameras[id]
		if c.fault != "" {
			out = append(out, sdk.Part{Name: "camera " + id, State: sdk.PartFailed, Reason: c.fault, Fix: c.fix})
		}
		for _, x := range c.casts {
			if part, ok := x.part(); ok {
				out = append(out, part)
			}
		}
	}
	return out
}

// SelfCheck tells the doctor of each camera.
func (p *plugin) SelfCheck(ctx context.Context, _ bool) []sdk.CheckLine {
	var out []sdk.CheckLine
	told := map[string]bool{}
	for _, part := range p.Health(ctx) {
		l := sdk.CheckLine{State: "ok", What: part.Name, Why: part.Reason, Fix: part.Fix}
		switch part.State {
		case sdk.PartDegraded:
			l.State = "warn"
		case sdk.PartFailed:
			l.State = "fail"
		}
		told[part.Name] = true
		out = append(out, l)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(p.cameras)) {
		if c := p.cameras[id]; !told["camera "+id] && c.fault == "" {
			out = append(out, sdk.CheckLine{State: "ok", What: "camera " + id, Why: "the hub pulls it itself; its own check tells more"})
		}
	}
	return out
}

// Action answers which brands are known.
func (p *plugin) Action(_ context.Context, c sdk.ActionCall) (json.RawMessage, error) {
	if c.Name != "presets" {
		return nil, fmt.Errorf("action %q: %w", c.Name, sdk.ErrNotFound)
	}
	type entry struct {
		Name     string `json:"name"`
		Title    string `json:"title"`
		Main     string `json:"main"`
		Sub      string `json:"sub,omitempty"`
		Snapshot string `json:"snapshot,omitempty"`
		Channel  string `json:"channel,omitempty"`
		Note     string `json:"note,omitempty"`
	}
	var out []entry
	for _, x := range presets() {
		main, sub, snapshot, bad := x.filled("HOST", 0, map[bool]string{true: "NAME"}[x.Alias != ""])
		if bad != nil {
			return nil, bad
		}
		out = append(out, entry{x.Name, x.Title, main, sub, snapshot, x.Alias, x.Note})
	}
	return json.Marshal(out)
}

// settled says since when something is as it is.
func settled(part *sdk.Part, state sdk.PartState, reason, fix string) (news bool) {
	if part.State == state && part.Reason == reason {
		return false
	}
	*part = sdk.Part{Name: part.Name, State: state, Reason: reason, Fix: fix, Since: time.Now()}
	return true
}
