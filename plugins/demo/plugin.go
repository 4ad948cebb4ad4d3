package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

const (
	version = "1.0.0"
	// motionDefault and motionLongest bound motion on request.
	motionDefault = 5 * time.Second
	motionLongest = 10 * time.Minute
)

// New makes the plugin.
func New() sdk.Plugin { return &plugin{running: map[string]*run{}, ready: make(chan struct{})} }

// plugin is all demo cameras of a house.
type plugin struct {
	film  filmOnce
	ready chan struct{} // closed when Run has started the cameras

	mu       sync.Mutex
	ctx      context.Context // Run's; nil before it
	hub      *sdk.Hub
	pictures *pictures
	running  map[string]*run
	work     sync.WaitGroup
}

// run is one camera with what ends it.
type run struct {
	*camera
	stop   context.CancelFunc
	follow bool
	index  int
}

// settings are plugins.<name>.config.
type settings struct {
	Motion bool `json:"motion"`
}

// deviceSettings are cameras.<id>.source.
type deviceSettings struct {
	Caption string `json:"caption"`
}

const configSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Demo",
  "description": "A doorbell for trying things out. It rings only when asked to.",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "motion": {"type": "boolean", "default": false, "title": "Motion follows the visitor", "description": "Report motion each time the visitor of the film walks up; otherwise only on request."}
  }
}`

const deviceSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Demo camera",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "caption": {"type": "string", "maxLength": 40, "title": "Caption", "description": "What stands beside the clock in the pictures; by default the camera's name.", "examples": ["Elm Street 12"]}
  }
}`

const cameraInput = `{"type":"object","title":"Camera","additionalProperties":false,"properties":{"camera":{"type":"string","title":"Camera","description":"Its id; may be left out where there is only one."}%s}}`

func input(more string) json.RawMessage {
	if more != "" {
		more = "," + more
	}
	return json.RawMessage(fmt.Sprintf(cameraInput, more))
}

// Manifest says what the demo is and what it may do.
func (p *plugin) Manifest() manifest.Manifest {
	published := json.RawMessage(`{"type":"object","title":"Published","properties":{"event":{"type":"string","title":"Id of the event"},"outcome":{"type":"string","title":"Outcome"}}}`)
	return manifest.Manifest{
		ID: "dev.porchlight.demo", Name: "Demo doorbell", Version: version, License: "Apache-2.0",
		Capabilities: []manifest.Capability{manifest.Camera},
		ConfigSchema: json.RawMessage(configSchema), DeviceSchema: json.RawMessage(deviceSchema),
		Permissions: manifest.Permissions{
			Publish: []string{"camera.*.ring", "camera.*.motion", "camera.*.parcel", "camera.*.talk.started", "camera.*.talk.ended", "device.*.status"},
			Media:   manifest.Media{Publish: true},
			Talk:    true,
		},
		Actions: []manifest.Action{
			{Name: "ring", Title: "Ring the doorbell", Role: "control", OutputSchema: published,
				InputSchema: input(`"test":{"type":"boolean","title":"Only a test"}`)},
			{Name: "motion", Title: "Move before the camera", Role: "control",
				InputSchema: input(`"seconds":{"type":"number","minimum":0.1,"maximum":600,"default":5,"title":"For how many seconds"}`)},
			{Name: "parcel", Title: "Put down a parcel, or take it away", Role: "control", OutputSchema: published,
				InputSchema: input(`"present":{"type":"boolean","default":true,"title":"It lies there"}`)},
			{Name: "talk_status", Title: "What was heard at the door", Role: "view", ReadOnly: true, InputSchema: input(""),
				OutputSchema: json.RawMessage(`{"type":"object","title":"Talk","properties":{"heard_seconds":{"type":"number","title":"Heard, in seconds"},"level_dbfs":{"type":"number","title":"Level, in dB of full scale"},"level_known":{"type":"boolean","title":"The level could be measured"},"tone_hz":{"type":"number","title":"Pitch of the last second, if it is a tone"},"talking":{"type":"boolean","title":"Somebody talks now"}}}`)},
		},
	}
}

// Check finds values of the wrong kind; the schemas know the rest.
func (p *plugin) Check(_ context.Context, c sdk.Config) []sdk.Problem {
	var out []sdk.Problem
	wrong := func(prefix string, err error) {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			prefix += "/" + kind.Field
		}
		if err != nil {
			out = append(out, sdk.Problem{Path: prefix, Message: err.Error()})
		}
	}
	wrong("", c.Decode(&settings{}))
	for _, d := range c.Devices {
		wrong("devices/"+d.ID, d.Decode(&deviceSettings{}))
	}
	return out
}

// Run shows the film on every camera until ctx ends.
func (p *plugin) Run(ctx context.Context, hub *sdk.Hub) error {
	film, err := p.film.get()
	if err != nil {
		return err
	}
	pictures, err := newPictures(film)
	if err != nil {
		return err
	}
	var s settings
	if err := hub.Config(&s); err != nil {
		return err
	}
	p.mu.Lock()
	p.ctx, p.hub, p.pictures = ctx, hub, pictures
	p.mu.Unlock()
	err = p.apply(s, hub.Devices())
	close(p.ready)
	if err == nil {
		<-ctx.Done()
	}
	p.apply(settings{}, nil)
	p.work.Wait()
	return err
}

// Reconfigure starts and stops exactly the cameras that differ.
func (p *plugin) Reconfigure(_ context.Context, c sdk.Config) error {
	var s settings
	if err := c.Decode(&s); err != nil {
		return err
	}
	return p.apply(s, c.Devices)
}

func (p *plugin) apply(s settings, devices []sdk.Device) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		return sdk.ErrRestart // Run has not begun: let it begin with the new config
	}
	if p.ctx.Err() != nil {
		devices = nil // it is stopping: nothing may begin any more
	}
	wanted := map[string]deviceSettings{}
	for _, d := range devices {
		var ds deviceSettings
		if err := d.Decode(&ds); err != nil {
			return err
		}
		wanted[d.ID] = ds
	}
	for id, r := range p.running {
		i := slices.IndexFunc(devices, func(d sdk.Device) bool { return d.ID == id })
		if i < 0 || wanted[id] != r.settings || devices[i].Name != "" && devices[i].Name != r.name || r.follow != s.Motion {
			r.stop()
			delete(p.running, id)
		}
	}
	for _, d := range devices {
		if p.running[d.ID] == nil {
			p.start(d, wanted[d.ID], s)
		}
	}
	return nil
}

// start needs p.mu held.
func (p *plugin) start(d sdk.Device, ds deviceSettings, s settings) {
	ctx, stop := context.WithCancel(p.ctx)
	index := p.freeIndex()
	c := newCamera(d, ds, p.pictures, index, p.hub.Location())
	p.running[d.ID] = &run{camera: c, stop: stop, follow: s.Motion, index: index}
	hub := p.hub
	warn := func(err error) { hub.Log().Warn("demo camera", "camera", c.id, "error", err.Error()) }
	p.work.Go(func() { c.restoreModes(ctx, hub, warn) })
	p.work.Go(func() { c.stream(ctx, hub, warn) })
	p.work.Go(func() { c.motionEvents(ctx, hub, s.Motion, warn) })
}

// freeIndex is the lowest number that no running camera has; it decides its shift.
func (p *plugin) freeIndex() int {
	used := map[int]bool{}
	for _, r := range p.running {
		used[r.index] = true
	}
	i := 0
	for used[i] {
		i++
	}
	return i
}

// camera finds a running one; without an id, the only one. A command may come
// before Run has begun, so it waits for that.
func (p *plugin) camera(ctx context.Context, id string) (*camera, *sdk.Hub, error) {
	select {
	case <-p.ready:
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("demo is starting: %w", sdk.ErrUnavailable)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.running[id]; r != nil {
		return r.camera, p.hub, nil
	}
	if id == "" && len(p.running) == 1 {
		for _, r := range p.running {
			return r.camera, p.hub, nil
		}
	}
	return nil, nil, fmt.Errorf("camera %q: %w (have: %s)", id, sdk.ErrNotFound, strings.Join(p.ids(), ", "))
}

func (p *plugin) ids() []string {
	var out []string
	for id := range p.running {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// Source says that the pictures come by the media socket.
func (p *plugin) Source(ctx context.Context, camera string) (sdk.Source, error) {
	if _, _, err := p.camera(ctx, camera); err != nil {
		return sdk.Source{}, err
	}
	return sdk.Source{Push: true, Talk: "plugin", TalkTracks: takes(), Snapshot: "plugin", Pull: "always"}, nil
}

// Snapshot draws a picture of this moment.
func (p *plugin) Snapshot(ctx context.Context, r sdk.SnapshotRequest) (sdk.Image, error) {
	c, _, err := p.camera(ctx, r.Camera)
	if err != nil {
		return sdk.Image{}, err
	}
	if r.Width < 0 || r.Height < 0 {
		return sdk.Image{}, fmt.Errorf("snapshot: size %dx%d: %w", r.Width, r.Height, sdk.ErrInvalid)
	}
	return c.pictures.draw(c.scene(time.Now()), r.Width, r.Height)
}

// Health tells of each camera.
func (p *plugin) Health(context.Context) []sdk.Part {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []sdk.Part
	for _, id := range p.ids() {
		out = append(out, p.running[id].part())
	}
	return out
}

// actionInput is what the actions take, each its own part.
type actionInput struct {
	Camera  string   `json:"camera"`
	Test    bool     `json:"test"`
	Seconds *float64 `json:"seconds"`
	Present *bool    `json:"present"`
}

// Action does what the owner asks the demo to do.
func (p *plugin) Action(ctx context.Context, call sdk.ActionCall) (json.RawMessage, error) {
	var in actionInput
	if err := call.Decode(&in); err != nil {
		return nil, errors.Join(err, sdk.ErrInvalid)
	}
	c, hub, err := p.camera(ctx, in.Camera)
	if err != nil {
		return nil, err
	}
	switch call.Name {
	case "ring":
		return publish(ctx, hub, sdk.NewEvent(sdk.TypeRing, c.id, sdk.Ring{Test: in.Test, Button: "demo"}))
	case "motion":
		d := motionDefault
		if in.Seconds != nil {
			d = time.Duration(*in.Seconds * float64(time.Second))
		}
		if d <= 0 || d > motionLongest {
			return nil, fmt.Errorf("motion: seconds: want more than 0 and at most %.0f: %w", motionLongest.Seconds(), sdk.ErrInvalid)
		}
		c.requestMotion(d)
		return json.RawMessage(`{}`), nil
	case "parcel":
		there := in.Present == nil || *in.Present
		return publish(ctx, hub, sdk.NewEvent(sdk.TypeParcel, c.id, sdk.Detection{Label: "parcel", Active: there, Score: 0.95}))
	case "talk_status":
		return json.Marshal(c.talk.answer(c.id))
	}
	return nil, fmt.Errorf("action %q: %w", call.Name, sdk.ErrNotFound)
}

func publish(ctx context.Context, hub *sdk.Hub, e sdk.Event) (json.RawMessage, error) {
	r, err := hub.Publish(ctx, e)
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]string{"event": e.ID, "outcome": r.Outcome.String()})
}
