package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/porchlight-hub/porchlight/sdk/event"
)

// Camera is a device with pictures. Times are absent where nothing is known.
type Camera struct {
	ID     string `json:"id" example:"front_door"`
	Name   string `json:"name" example:"Front door"`
	Kind   string `json:"kind" enum:"doorbell,camera"`
	Plugin string `json:"plugin"`
	Online bool   `json:"online"`
	// Known: whether it is online was told at least once.
	Known bool `json:"known"`
	// OfflineReason is a sentence for people, empty while online.
	OfflineReason string    `json:"offline_reason,omitempty"`
	LastSeen      time.Time `json:"last_seen,omitzero"`
	LastEvent     time.Time `json:"last_event,omitzero"`
	Streams       []string  `json:"streams" nullable:"false"` // main, sub; empty until media arrived
	Talk          Talking   `json:"talk"`
	Snapshot      bool      `json:"snapshot"`
	// Button: it has neither plugin nor source, and is rung by its hook.
	Button bool `json:"button"`
	// Rotate is how far its picture is turned clockwise for people, in degrees.
	Rotate  int      `json:"rotate" enum:"0,90,180,270"`
	Sources []Source `json:"sources" nullable:"false"` // main first
}

// Talking is whether people can speak at a camera, and who does. What the asker may is
// not in it.
type Talking struct {
	Can   bool      `json:"can"`
	Why   string    `json:"why,omitempty"` // why not
	Code  string    `json:"code,omitempty"`
	Fix   string    `json:"fix,omitempty"`
	By    string    `json:"by,omitempty" example:"the owner, on a phone"` // who speaks now
	Since time.Time `json:"since,omitzero"`
}

// TalkBegun is a talk that goes on until it is ended.
type TalkBegun struct {
	ID     string `json:"id"`
	Camera string `json:"camera"`
	By     string `json:"by"`
	Codec  string `json:"codec" example:"pcmu"` // what the door takes
	// Socket is where the sound goes where no live session sends it: binary messages of
	// L16 (network byte order), 16 kHz, mono, 20 ms each.
	Socket string `json:"socket,omitempty"`
}

// Viewing is one reader who watches now. Figures are zero where they are not known.
type Viewing struct {
	Kind      string    `json:"kind" enum:"webrtc,rtsp"`
	ID        string    `json:"id"`
	Camera    string    `json:"camera"`
	Stream    string    `json:"stream"`
	By        string    `json:"by,omitempty"`
	Address   string    `json:"address,omitempty"`
	Transport string    `json:"transport,omitempty" example:"udp"`
	Rendition string    `json:"rendition,omitempty" example:"copy"` // or "converted: " and why
	Since     time.Time `json:"since,omitzero"`
	Bytes     uint64    `json:"bytes"`
	Packets   uint64    `json:"packets"`
	// Loss is the part of the packets lost on the way of late, 0 to 1; Repeated were sent again.
	Loss     float64 `json:"loss"`
	Repeated uint64  `json:"repeated"`
	// SkippedGOPs are those that it was too slow for.
	SkippedGOPs uint64 `json:"skipped_gops"`
}

// Source is where one stream of a camera comes from, and how that goes. Figures are
// zero where they are not known.
type Source struct {
	Stream string `json:"stream" enum:"main,sub"`
	// State: off (nobody wants it), connecting, live, waiting (for the next try), locked
	// (the password was refused), pushed (its plugin sends it), unknown.
	State   string    `json:"state" example:"live"`
	Code    string    `json:"code,omitempty"` // E-… ; GET /explain/{code}
	Reason  string    `json:"reason,omitempty"`
	Fix     string    `json:"fix,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	NextTry time.Time `json:"next_try,omitzero"`
	Pull    string    `json:"pull,omitempty" example:"always"` // always, on_demand, battery
	Address string    `json:"address,omitempty"`               // host and port, never a credential

	Transport string   `json:"transport,omitempty" example:"tcp"`
	Server    string   `json:"server,omitempty"` // as the camera names itself
	Codec     string   `json:"codec,omitempty" example:"h264"`
	CodecName string   `json:"codec_name,omitempty" example:"avc1.4d401f"` // RFC 6381
	Sound     []string `json:"sound" nullable:"false"`
	Width     int      `json:"width,omitempty"`
	Height    int      `json:"height,omitempty"`
	// Worked are the deviations that were worked around, as docs/protocol.md names them.
	Worked []string `json:"worked" nullable:"false"`

	FPS         float64 `json:"fps,omitempty"`
	BitrateKbps int     `json:"bitrate_kbps,omitempty"`
	GOPMS       int64   `json:"gop_ms,omitempty"`
	LastFrameMS int64   `json:"last_frame_ms,omitempty"` // its age
	RingMS      int64   `json:"ring_ms,omitempty"`
	RingBytes   int64   `json:"ring_bytes,omitempty"`
	NoPrebuffer bool    `json:"no_prebuffer,omitempty"` // one GOP is bigger than the ring may be
	Readers     int     `json:"readers"`
	SkippedGOPs uint64  `json:"skipped_gops"`
	Reconnects  uint64  `json:"reconnects"`
	Repairs     uint64  `json:"repairs"` // of time stamps
}

// CameraReport is what a fresh look at a camera found.
type CameraReport struct {
	Camera  string   `json:"camera"`
	OK      bool     `json:"ok"`
	Checks  []Check  `json:"checks" nullable:"false"`
	Sources []Source `json:"sources" nullable:"false"`
}

// Check is one line of the doctor: what was looked at, and what to do about it.
type Check struct {
	Area  string `json:"area" example:"cameras"` // network, cameras, homekit, audio, storage, clock, tools, config, plugins
	State string `json:"state" enum:"ok,warn,fail,skip"`
	What  string `json:"what"`
	Why   string `json:"why,omitempty"` // why it matters
	Fix   string `json:"fix,omitempty"` // the exact thing to do
	Code  string `json:"code,omitempty"`
}

// Hook lets anything ring a camera or a bare button by one POST.
type Hook struct {
	Camera   string    `json:"camera"`
	URL      string    `json:"url"` // holds its token: a secret
	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"`
}

// Token lets a program use the API. The secret itself is shown once, when it is made.
type Token struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Scopes   []string  `json:"scopes" nullable:"false"`  // view, talk, control, config, admin
	Cameras  []string  `json:"cameras" nullable:"false"` // empty: all
	Created  time.Time `json:"created"`
	Expires  time.Time `json:"expires,omitzero"`
	LastUsed time.Time `json:"last_used,omitzero"`
	Secret   string    `json:"secret,omitempty" example:"plt_…"`
}

// Event as the API tells it. Data depends on the type; see sdk/event.
type Event struct {
	ID           string    `json:"id"`
	Type         string    `json:"type" example:"ring"`
	Class        string    `json:"class" enum:"unknown,critical,normal,state,debug"`
	Subject      string    `json:"subject" example:"camera.front_door.ring"`
	Source       string    `json:"source,omitempty"`
	Camera       string    `json:"camera,omitempty"`
	CameraName   string    `json:"camera_name,omitempty"`
	Time         time.Time `json:"time,omitzero"`
	Observed     time.Time `json:"observed,omitzero"`
	Received     time.Time `json:"received,omitzero"`
	TimeReplaced bool      `json:"time_replaced,omitempty"`
	Seq          uint64    `json:"seq"`
	Correlation  string    `json:"correlation,omitempty"`
	Snapshot     string    `json:"snapshot,omitempty"`
	Data         RawJSON   `json:"data,omitempty"`
}

// At is when the event happened, as well as the hub knows: the device's time, else
// the plugin's, else the hub's.
func (e Event) At() time.Time {
	for _, t := range []time.Time{e.Time, e.Observed} {
		if !t.IsZero() {
			return t
		}
	}
	return e.Received
}

// FromEvent makes the API's shape of an event of the bus.
func FromEvent(e *event.Event) Event {
	out := Event{
		ID: e.ID, Type: string(e.Type), Class: e.Class().String(), Subject: e.Subject, Source: e.Source,
		Camera: e.Camera, CameraName: e.CameraName, Time: e.Time, Observed: e.Observed, Received: e.Received,
		TimeReplaced: e.TimeReplaced, Seq: e.Seq, Correlation: e.Correlation, Snapshot: e.Snapshot,
	}
	if e.Data != nil {
		// The structs of sdk/event hold nothing that json refuses, but floats that are
		// not numbers; such data is left out rather than the event.
		if b, err := json.Marshal(e.Data); err == nil {
			out.Data = b
		}
	}
	return out
}

// StreamEvent is an event in the live stream.
type StreamEvent struct {
	Event
	// Replay: sent before, or from the journal. Show it, sound nothing.
	Replay bool `json:"replay"`
	// AgeMS is how long ago the hub received it, in milliseconds, by the hub's clock.
	AgeMS int64 `json:"age_ms"`
}

// EventList is one page of events, newest first. Next is empty on the last page.
type EventList struct {
	Events []Event `json:"events" nullable:"false"`
	Next   string  `json:"next,omitempty" doc:"cursor of the following, older page"`
}

// Trace is what happened to one event, hop by hop.
type Trace struct {
	Event Event `json:"event"`
	Hops  []Hop `json:"hops" nullable:"false"`
}

// Hop is one step of an event's way.
type Hop struct {
	At           time.Time `json:"at"`
	SincePressUS int64     `json:"since_press_us"` // microseconds since the event was observed
	Who          string    `json:"who"`            // device, plugin demo, bus, rule ring_everything, chime hallway, …
	What         string    `json:"what"`
	Outcome      string    `json:"outcome" example:"ok"` // ok, failed, skipped, pending
	Detail       string    `json:"detail,omitempty"`
	Fix          string    `json:"fix,omitempty"`
	TookUS       int64     `json:"took_us,omitempty"`
	Replay       bool      `json:"replay,omitempty"`
}

// Plugin is one plugin process and how it fares.
type Plugin struct {
	Name         string    `json:"name"`
	ID           string    `json:"id,omitempty"`
	Title        string    `json:"title,omitempty"` // display name
	Version      string    `json:"version,omitempty"`
	Optional     bool      `json:"optional,omitempty"` // its absence is a warning only
	Warning      bool      `json:"warning,omitempty"`  // what is wrong hurts nobody
	State        string    `json:"state" example:"running"`
	Code         string    `json:"code,omitempty"`   // E-… ; GET /explain/{code}
	Reason       string    `json:"reason,omitempty"` // a sentence
	Fix          string    `json:"fix,omitempty"`    // how to mend it
	PID          int       `json:"pid,omitempty"`
	Since        time.Time `json:"since,omitzero"`
	Restarts     int       `json:"restarts"`
	NextTry      time.Time `json:"next_try,omitzero"`
	Capabilities []string  `json:"capabilities" nullable:"false"`
	Parts        []Part    `json:"parts" nullable:"false"`
	Actions      []Action  `json:"actions" nullable:"false"`
	Missing      []string  `json:"missing,omitempty"`  // what it lacks on this machine, with the fix
	LastLog      []string  `json:"last_log,omitempty"` // of the process that failed
	Sandbox      string    `json:"sandbox,omitempty"`
	Grants       []string  `json:"grants,omitempty"` // what it may do, a sentence each
	CPUPercent   float64   `json:"cpu_percent,omitempty"`
	MemoryBytes  int64     `json:"memory_bytes,omitempty"`
}

// Part is a piece of a plugin with a health of its own.
type Part struct {
	Name   string    `json:"name"`
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
	Fix    string    `json:"fix,omitempty"`
	Since  time.Time `json:"since,omitzero"`
}

// Action is something that a plugin lets people do with it.
type Action struct {
	Name        string  `json:"name"`
	Title       string  `json:"title,omitempty"`
	Role        string  `json:"role,omitempty"` // who may: view, control, admin
	ReadOnly    bool    `json:"read_only,omitempty"`
	InputSchema RawJSON `json:"input_schema,omitempty"`
}

// LogLine is one line that a plugin logged.
type LogLine struct {
	Time   time.Time `json:"time"`
	Level  string    `json:"level"`  // debug, info, warn, error
	Origin string    `json:"origin"` // log, stderr, stdout, hub
	Text   string    `json:"text"`
	// Fields as key=value text, sorted by key.
	Fields string `json:"fields,omitempty"`
}

// Chime is a thing that sounds.
type Chime struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Builtin string `json:"builtin,omitempty"`
	Plugin  string `json:"plugin,omitempty"`
	Sound   string `json:"sound,omitempty"`
	Volume  int    `json:"volume"` // 0 to 100
	Muted   bool   `json:"muted"`
}

// Played is what came of letting a chime sound.
type Played struct {
	Played bool   `json:"played"`
	Reason string `json:"reason,omitempty"` // why it did not sound
	TookMS int64  `json:"took_ms,omitempty"`
}

// Quiet tells whether the house is kept quiet, and until when.
type Quiet struct {
	On    bool      `json:"on"`
	Until time.Time `json:"until,omitzero"`
}

// Sound asks open pages to sound; one of them does, and posts to /chimes/{id}/sounded.
type Sound struct {
	Chime      string `json:"chime"`
	Sound      string `json:"sound"`
	Volume     int    `json:"volume"`
	EventID    string `json:"event_id,omitempty"`
	Camera     string `json:"camera,omitempty"`
	CameraName string `json:"camera_name,omitempty"`
	Test       bool   `json:"test,omitempty"`
}

// ConfigState is the config that runs and what is wrong with the one on disk.
type ConfigState struct {
	Valid bool   `json:"valid"` // no problem of severity error
	Demo  bool   `json:"demo"`  // no file: the built-in demo runs
	File  string `json:"file,omitempty"`
	// Loaded is when the running config was read.
	Loaded time.Time `json:"loaded,omitzero"`
	// Timezone is that of the times people are shown; empty: the system's.
	Timezone string          `json:"timezone,omitempty"`
	Problems []ConfigProblem `json:"problems" nullable:"false"`
	// Plan is what the last save changed; absent before one.
	Plan *ConfigPlan `json:"plan,omitempty"`
}

// ConfigPlan is what a save changed, each entry as "camera front_door".
type ConfigPlan struct {
	At     time.Time `json:"at"`
	Start  []string  `json:"start" nullable:"false"`
	Stop   []string  `json:"stop" nullable:"false"`
	Change []string  `json:"change" nullable:"false"`
	Keep   []string  `json:"keep" nullable:"false"`
}

// ConfigFile is one file of the config as a page may show it: line by line the same,
// secrets masked.
type ConfigFile struct {
	Name string `json:"name" example:"conf.d/cameras.yaml"` // from the main file's folder
	Path string `json:"path"`
	Main bool   `json:"main"`
	Text string `json:"text"`
}

// ConfigProblem is one thing wrong at one place of a file.
type ConfigProblem struct {
	File       string `json:"file,omitempty"`
	Line       int    `json:"line,omitempty"`
	Column     int    `json:"column,omitempty"`
	Severity   string `json:"severity" enum:"error,warning"`
	Code       string `json:"code"`
	Message    string `json:"message"`
	Excerpt    string `json:"excerpt,omitempty"`    // the line with its number, carets below; secrets masked
	Suggestion string `json:"suggestion,omitempty"` // the word that was probably meant
	Hint       string `json:"hint,omitempty"`
	Path       string `json:"path,omitempty"` // as cameras.front_door.source
}

// Config is ConfigState and the effective YAML with secrets masked.
type Config struct {
	ConfigState
	YAML string `json:"yaml"`
}

// Card is something that wants a person: what is wrong, what it means, how to mend it.
type Card struct {
	Key    string    `json:"key" example:"journal"`
	Title  string    `json:"title"`
	Effect string    `json:"effect,omitempty"`
	Fix    string    `json:"fix,omitempty"`
	Code   string    `json:"code,omitempty"` // GET /explain/{code}
	Since  time.Time `json:"since,omitzero"`
}

// Explanation is the long text of an error code.
type Explanation struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	What  string `json:"what"`
	Mend  string `json:"mend"`
}

// Me is who asks.
type Me struct {
	User        string `json:"user"`
	Role        string `json:"role" enum:"owner,admin,member,guest"`
	HasPassword bool   `json:"has_password"`
	Via         string `json:"via" enum:"session,socket,token"`
	// Token, Scopes and Cameras are those of a program; no cameras: all.
	Token   string   `json:"token,omitempty"`
	Scopes  []string `json:"scopes,omitempty"`
	Cameras []string `json:"cameras,omitempty"`
}

// Version of the hub.
type Version struct {
	Version string    `json:"version"`
	Started time.Time `json:"started"`
}

// SetupLink signs its first opener in as owner.
type SetupLink struct {
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// Hello is the first message of the live stream: where it begins and how things are.
type Hello struct {
	Seq     uint64      `json:"seq"` // events after this one follow
	Version string      `json:"version"`
	Now     time.Time   `json:"now"`
	Cameras []Camera    `json:"cameras" nullable:"false"`
	Plugins []Plugin    `json:"plugins" nullable:"false"`
	Chimes  []Chime     `json:"chimes" nullable:"false"`
	Quiet   Quiet       `json:"quiet"`
	Config  ConfigState `json:"config"`
	Cards   []Card      `json:"cards" nullable:"false"`
}

// RawJSON is JSON that is passed on as it is.
type RawJSON []byte

// MarshalJSON gives the bytes, or null.
func (r RawJSON) MarshalJSON() ([]byte, error) {
	if len(r) == 0 {
		return []byte("null"), nil
	}
	return r, nil
}

// UnmarshalJSON keeps a copy of the bytes.
func (r *RawJSON) UnmarshalJSON(b []byte) error {
	*r = append((*r)[:0], b...)
	return nil
}

// Schema says that any JSON may stand here.
func (RawJSON) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }
