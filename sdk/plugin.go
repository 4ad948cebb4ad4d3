package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/porchlight-hub/porchlight/sdk/av"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
)

// Plugin is what every plugin is. Manifest is called before there is a config
// and must do nothing but answer. Run begins after the first config is there;
// its ctx ends when the hub stops the plugin, and Run then returns soon. A plugin
// whose work is all in its other methods may return nil from Run at once; an
// error from Run ends the process, and the hub starts it again.
type Plugin interface {
	Manifest() manifest.Manifest
	Run(ctx context.Context, hub *Hub) error
}

// Camera says where the pictures of a camera come from. A plugin that pushes them
// itself (Hub.PublishMedia) answers Source{Push: true}.
type Camera interface {
	Source(ctx context.Context, camera string) (Source, error)
}

// Snapshotter takes a picture now.
type Snapshotter interface {
	Snapshot(ctx context.Context, r SnapshotRequest) (Image, error)
}

// Talker plays speech at the door until the reader ends. Its ctx ends with the
// plugin. The reader is closed by the sdk when Talk returns.
type Talker interface {
	Talk(ctx context.Context, r TalkRequest, speech *av.Reader) error
}

// TalkChooser says in which form a Talker wants the speech that is offered;
// without it the speech comes as offered.
type TalkChooser interface {
	TalkTrack(ctx context.Context, r TalkRequest) (av.Track, error)
}

// KeyFramer asks a camera for a key frame.
type KeyFramer interface {
	RequestKeyFrame(ctx context.Context, camera, stream string) error
}

// Demander begins and ends pushing as pictures are wanted (Source{Push: true, Pull:
// "on_demand" or "battery"}).
type Demander interface {
	Demand(ctx context.Context, d Demand) error
}

// DeviceDescriber tells what a device is and can do, so that pages and bridges offer
// it. When the answer changes, call Hub.DeviceChanged.
type DeviceDescriber interface {
	DescribeDevice(ctx context.Context, device string) (DeviceDescription, error)
}

// Chime sounds. A replay, and a ring older than its limit, never reaches Play.
type Chime interface {
	Play(ctx context.Context, r PlayRequest) (PlayResult, error)
}

// ChimeStopper silences a chime that sounds.
type ChimeStopper interface {
	StopPlaying(ctx context.Context, chime string) error
}

// Bridge takes the events that the manifest's subscribe filters name. Calls for
// one class come one after the other, in order; different classes run side by
// side. An error makes the hub send the event again later, marked Replay.
type Bridge interface {
	HandleEvent(ctx context.Context, d Delivery) error
}

// Notifier tells people.
type Notifier interface {
	Notify(ctx context.Context, n Notification) (Notified, error)
}

// Identifier makes a device show itself: a blink, a beep.
type Identifier interface {
	Identify(ctx context.Context, device string) error
}

// Actuator moves things: RelayPulse, LightSet, PTZPreset, ModeSet, HangUp.
type Actuator interface {
	Act(ctx context.Context, device string, a Act) error
}

// ActionHandler answers the actions that the manifest lists.
type ActionHandler interface {
	Action(ctx context.Context, c ActionCall) (json.RawMessage, error)
}

// Checker looks at a config before it is used, and changes nothing. The hub checks the
// manifest's JSON schemas of bundled plugins before; of others it does not do so yet.
type Checker interface {
	Check(ctx context.Context, c Config) []Problem
}

// Reconfigurer takes a changed config while it runs; Hub.Config and Hub.Devices
// answer the new one once it returned nil. Without it, or when it returns
// ErrRestart, the plugin is started anew.
type Reconfigurer interface {
	Reconfigure(ctx context.Context, c Config) error
}

// Healther tells how its parts are. It is asked every few seconds and must not block.
type Healther interface {
	Health(ctx context.Context) []Part
}

// SelfChecker examines itself for the doctor.
type SelfChecker interface {
	SelfCheck(ctx context.Context, thorough bool) []CheckLine
}

// Preflighter tells what this machine lacks: a library, a card. No side effects.
type Preflighter interface {
	Missing() []Missing
}

// Config is an entry's settings with its devices.
type Config struct {
	Revision uint64
	JSON     json.RawMessage
	Devices  []Device
}

// Decode fills v from the settings; no settings leave v as it is.
func (c Config) Decode(v any) error { return decode("config", c.JSON, v) }

// Device is one entry of cameras or chimes that names this plugin.
type Device struct {
	ID   string
	Name string // as people call it
	Kind string // doorbell, camera, chime
	JSON json.RawMessage
}

// Decode fills v from the entry's own keys (a camera's source, a chime's sound and device).
func (d Device) Decode(v any) error { return decode("device "+d.ID, d.JSON, v) }

func decode(what string, b json.RawMessage, v any) error {
	if len(b) == 0 {
		return nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: decode: %w", what, err)
	}
	return nil
}

// Problem is one thing wrong with a config. Path is a JSON pointer inside the
// config ("/address"), or "devices/<id>/…".
type Problem struct {
	Path, Message, Fix string
}

// Missing is something that the machine lacks.
type Missing struct {
	What, Fix string
	Fatal     bool // of no use without it
}

// Source says where the hub pulls a camera's pictures from.
type Source struct {
	Push        bool // the plugin pushes by Hub.PublishMedia; Streams may be empty
	Streams     []StreamSource
	Talk        string // none, rtsp_backchannel, plugin
	SnapshotURL string // fetched by the hub; never with credentials in it
	Snapshot    string // none, url, plugin; empty: url where there is one
	Pull        string // always, on_demand, battery; empty: as the owner says
	Quirks      []string
	// PullLimit: with battery, the longest that the camera is kept awake; 0: 60 s.
	PullLimit time.Duration
	// TalkTracks: with Talk plugin, what the device takes, best first.
	TalkTracks          []av.Track
	SnapshotCredential  Credential
	SnapshotFingerprint string // as StreamSource.Fingerprint
}

// Credential is how the hub logs in, by Basic or Digest as the peer asks: the
// password is the value of a secret that the plugin's config refers to, or is given
// here. Printed, it shows no password.
type Credential struct {
	Username string
	Secret   string // front_door for secret://front_door
	Password Secret
}

// StreamSource is one quality of a camera.
type StreamSource struct {
	Name        string // main, sub
	URL         string // rtsp:// or rtsps://, without credentials
	Credential  Credential
	Transport   string // tcp (default), udp
	Fingerprint string // sha256: and 64 hex digits, of an rtsps peer; empty: checked as usual
}

// Demand says that pictures of a pushed stream are wanted, or no longer.
type Demand struct {
	Camera, Stream string
	Wanted         bool
	Reason         string // viewer, event, recording, snapshot
}

// DeviceDescription is what a device is and can do; what is empty is not known, or
// is not there.
type DeviceDescription struct {
	Manufacturer, Model, Serial, Firmware string

	EventTypes []EventType // that may come of it
	Presses    []string    // beside the plain one: long, double
	Buttons    []Choice    // where there is more than one; Ring.Button names them
	Relays     []Choice
	Lights     []Choice // Values: brightness, where it can be dimmed
	Presets    []Choice
	Modes      []Choice // Values: those that it takes
	Identify   bool
	Battery    bool
}

// Choice is one part of a device by its id, with its name for people. Modes that
// bridges know: night_vision (auto, on, off), indicator and privacy (on, off).
type Choice struct {
	ID, Name string
	Values   []string
}

// SnapshotRequest asks for a JPEG. Zero width and height: the camera's own.
type SnapshotRequest struct {
	Camera        string
	Width, Height int
	MaxAge        time.Duration // an older picture will not do; zero: taken now
	Reason        string        // periodic, event (of this moment, whatever it costs), owner
	Handle        string        // towards the hub: an event's Snapshot; empty: as of now
}

// Image is a JPEG.
type Image struct {
	JPEG          []byte
	Taken         time.Time
	Width, Height int
}

// TalkRequest says who speaks to which door, and in which form.
type TalkRequest struct {
	Camera, Talker string
	Track          av.Track
}

// PlayRequest asks for one sound.
type PlayRequest struct {
	Chime, Sound string
	Volume       *int // 0 to 100; nil: the chime's own
	EventID      string
	Camera       string
	CameraName   string
	Age          time.Duration // of the ring when the command left the hub
	Test         bool
	Repeat       int // times more; 0: once
}

// PlayResult tells what a chime did. Took runs from the command's arrival to the first sample.
type PlayResult struct {
	Played bool
	Sound  string
	Reason string // why not
	Took   time.Duration
}

// Notification is a message to people.
type Notification struct {
	Channel, Title, Body string
	Priority             string // low, normal, high
	Link                 string // page of the hub
	Snapshot             string // handle for Hub.Snapshot; empty: no picture
	EventID              string
	Camera, CameraName   string
	Thread               string // a later one of the same thread takes the earlier one's place
}

// Notified says how many of how many were reached.
type Notified struct {
	Reached, Of int
	Detail      string
}

// Act is what an Actuator does: one of RelayPulse, LightSet, PTZPreset, ModeSet, HangUp.
type Act interface{ isAct() }

// RelayPulse closes a relay for a while (a door opener); For 0: as the device is set.
type RelayPulse struct {
	Relay string
	For   time.Duration
}

// LightSet switches a light. Brightness 0 to 100; nil: as it was.
type LightSet struct {
	Light      string
	On         bool
	Brightness *int
}

// PTZPreset turns a camera to a position that it knows.
type PTZPreset struct{ Preset string }

// ModeSet changes a mode of the device.
type ModeSet struct{ Mode, Value string }

// HangUp refuses or ends the call that a door station holds open.
type HangUp struct{}

func (HangUp) isAct()     {}
func (RelayPulse) isAct() {}
func (LightSet) isAct()   {}
func (PTZPreset) isAct()  {}
func (ModeSet) isAct()    {}

// ActionCall is one call of an action of the manifest.
type ActionCall struct {
	Name   string
	Input  json.RawMessage
	Caller string // a login's name, cli, webhook (see Hub.RegisterWebhook), owner (see Hub.AskOwner)
	Role   string // view, control, admin; hub with webhook and owner
}

// Decode fills v from the input; no input leaves v as it is.
func (c ActionCall) Decode(v any) error { return decode("action "+c.Name, c.Input, v) }

// Part is how one part of a plugin is.
type Part struct {
	Name   string
	State  PartState
	Reason string
	Fix    string
	Since  time.Time
}

// PartState of a Part.
type PartState uint8

// The states, with the numbers of the protocol.
const (
	PartOK       PartState = 1
	PartDegraded PartState = 2
	PartFailed   PartState = 3
)

// CheckLine is one line of a self-check.
type CheckLine struct {
	State          string // ok, warn, fail
	What, Why, Fix string
}
