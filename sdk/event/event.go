package event

import (
	"time"

	"github.com/google/uuid"
)

// Type says what happened. A type has one class and one shape of data.
type Type string

// The types of protocol 1.
const (
	TypeRing     Type = "ring"     // Ring, critical
	TypeMotion   Type = "motion"   // Motion, normal
	TypePerson   Type = "person"   // Detection, normal
	TypeParcel   Type = "parcel"   // Detection, normal
	TypeVehicle  Type = "vehicle"  // Detection, normal
	TypeAnimal   Type = "animal"   // Detection, normal
	TypeAudio    Type = "audio"    // Audio, normal
	TypeOnline   Type = "online"   // Online, state
	TypeTalk     Type = "talk"     // Talk, normal
	TypeVisit    Type = "visit"    // Visit, normal; the hub's own
	TypeChime    Type = "chime"    // ChimeResult, normal
	TypeStatus   Type = "status"   // DeviceStatus, state
	TypeRule     Type = "rule"     // RuleFired, normal
	TypeMode     Type = "mode"     // Mode, state; the hub's own
	TypeQuiet    Type = "quiet"    // Quiet, state; the hub's own
	TypeSchedule Type = "schedule" // Schedule, state; the hub's own
	TypePlugin   Type = "plugin"   // PluginState, state
	TypeHop      Type = "hop"      // Hop, normal
	TypeAlert    Type = "alert"    // Alert, normal
	TypeSystem   Type = "system"   // System, normal
	TypeDebug    Type = "debug"    // Debug, debug
)

// Class decides how an event is delivered and kept.
type Class uint8

// The classes, with the numbers of the protocol.
const (
	ClassUnknown  Class = 0
	ClassCritical Class = 1 // fan-out first, never dropped, synced before it is acknowledged
	ClassNormal   Class = 2 // fan-out first, group commit
	ClassState    Class = 3 // latest value of a subject wins
	ClassDebug    Class = 4 // best effort, not journalled
)

func (c Class) String() string {
	return [...]string{"unknown", "critical", "normal", "state", "debug"}[min(int(c), 4)%5]
}

// Class of a type; ClassUnknown for a type that protocol 1 does not have.
func (t Type) Class() Class {
	switch t {
	case TypeRing:
		return ClassCritical
	case TypeMotion, TypePerson, TypeParcel, TypeVehicle, TypeAnimal, TypeAudio, TypeTalk, TypeVisit,
		TypeChime, TypeRule, TypeHop, TypeAlert, TypeSystem:
		return ClassNormal
	case TypeOnline, TypeStatus, TypeMode, TypeQuiet, TypeSchedule, TypePlugin:
		return ClassState
	case TypeDebug:
		return ClassDebug
	}
	return ClassUnknown
}

// MaxSize is the most bytes an encoded event may have.
const MaxSize = 64 << 10

// Event is one thing that happened. Its id is made where it is born and is the
// key by which repeats are known. A value is not changed after it was published.
type Event struct {
	ID          string    `json:"id"`
	Type        Type      `json:"type"`
	Subject     string    `json:"subject"`
	Source      string    `json:"source,omitempty"` // plugin entry; set by the hub
	Camera      string    `json:"camera,omitempty"`
	CameraName  string    `json:"camera_name,omitempty"` // set by the hub
	Time        time.Time `json:"time,omitzero"`         // device clock; zero: none
	Observed    time.Time `json:"observed,omitzero"`     // plugin clock
	Received    time.Time `json:"received,omitzero"`     // hub clock; set by the hub
	Seq         uint64    `json:"seq,omitempty"`         // set by the bus
	Correlation string    `json:"correlation,omitempty"` // the ring's id for all that follows from it
	// TTL: older than this it is shown, not acted upon; 0: no limit. Set by the hub for rings.
	TTL      time.Duration `json:"-"`
	Snapshot string        `json:"snapshot,omitempty"` // handle of the picture kept of it; set by the hub
	Hub      string        `json:"hub,omitempty"`      // where it happened; empty: this hub. Set by the hub
	// TimeReplaced: the device time was more than 24 h off and Received took its place.
	TimeReplaced bool `json:"time_replaced,omitempty"`
	Data         Data `json:"data,omitempty"`
}

// Class of the event, by its type.
func (e *Event) Class() Class { return e.Type.Class() }

// Data is what an event of a type carries: one of the structs of this package.
type Data interface{ isData() }

// Ring: somebody asks to be let in.
type Ring struct {
	Test   bool   `json:"test,omitempty"` // asked for on a page or in a terminal
	Button string `json:"button,omitempty"`
	Long   bool   `json:"long,omitempty"`   // held
	Double bool   `json:"double,omitempty"` // pressed twice
}

// Motion begins (Active) and ends; whoever publishes the beginning publishes the end.
type Motion struct {
	Active bool     `json:"active"`
	Score  float32  `json:"score,omitempty"` // 0 to 1; 0: not known
	Zones  []string `json:"zones,omitempty"`
}

// Detection of a person, parcel, vehicle or animal.
type Detection struct {
	Label  string   `json:"label"`
	Active bool     `json:"active"`
	Score  float32  `json:"score,omitempty"` // 0 to 1; 0: not known
	Zones  []string `json:"zones,omitempty"`
}

// Audio is a recognised sound.
type Audio struct {
	Label string  `json:"label"`
	Score float32 `json:"score,omitempty"`
}

// Online tells whether a camera answers.
type Online struct {
	Online bool   `json:"online"`
	Reason string `json:"reason,omitempty"`
	Code   string `json:"code,omitempty"` // E-… of the reason
}

// Talk started or ended.
type Talk struct {
	Active       bool    `json:"active"`
	HeardSeconds float64 `json:"heard_seconds,omitempty"`
	LevelDBFS    float64 `json:"level_dbfs,omitempty"` // dB full scale
	Talker       string  `json:"talker,omitempty"`
}

// Visit groups what happened during one stay at a camera.
type Visit struct {
	ID         string    `json:"id"`
	Active     bool      `json:"active"`
	Began      time.Time `json:"began,omitzero"`
	Ended      time.Time `json:"ended,omitzero"`
	EventTypes []string  `json:"event_types,omitempty"` // seen in it, in the order of their first
}

// ChimeResult tells what a chime did for the event named by the correlation.
type ChimeResult struct {
	Chime  string        `json:"chime"`
	Played bool          `json:"played"`
	Sound  string        `json:"sound,omitempty"`
	Reason string        `json:"reason,omitempty"`
	Took   time.Duration `json:"took_ns,omitempty"`
}

// DeviceStatus is a device's whole state as key and value: of a subject only the last
// event counts, so each carries every key. The known keys stand in event.proto.
type DeviceStatus struct {
	Device string            `json:"device"`
	Values map[string]string `json:"values,omitempty"`
}

// RuleFired names the rule and what it did.
type RuleFired struct {
	Rule    string   `json:"rule"`
	Name    string   `json:"name,omitempty"`
	Actions []string `json:"actions,omitempty"`
}

// Mode of the house: home, away, night, …
type Mode struct {
	Mode     string `json:"mode"`
	Previous string `json:"previous,omitempty"`
	By       string `json:"by,omitempty"`
}

// Quiet: the house's chimes do not sound, or one of them.
type Quiet struct {
	Active bool      `json:"active"`
	Until  time.Time `json:"until,omitzero"`  // zero: until somebody ends it
	Chime  string    `json:"chime,omitempty"` // empty: the whole house
	By     string    `json:"by,omitempty"`
}

// Schedule of the config begins (Active) and ends.
type Schedule struct {
	Schedule string `json:"schedule"`
	Active   bool   `json:"active"`
}

// PluginState is a plugin's state with its typed reason.
type PluginState struct {
	Plugin string `json:"plugin"`
	State  string `json:"state"`
	Code   string `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Hop is what one taker did with an event.
type Hop struct {
	EventID string        `json:"event_id"`
	Taker   string        `json:"taker"`
	Outcome string        `json:"outcome"` // ok, failed, skipped
	Detail  string        `json:"detail,omitempty"`
	Took    time.Duration `json:"took_ns,omitempty"`
	Replay  bool          `json:"replay,omitempty"`
}

// Alert from the neighborhood.
type Alert struct {
	Neighborhood string `json:"neighborhood"`
	Text         string `json:"text"`
	Category     string `json:"category,omitempty"` // theft, fire, lost_pet, good_deed, …
	Place        string `json:"place,omitempty"`    // name of a cell, never an address
}

// System tells of the hub itself: cameras or the house are others now, the clock was set.
type System struct {
	Kind string `json:"kind"`
	Text string `json:"text,omitempty"`
}

// Debug carries counters and diagnostics.
type Debug struct {
	Kind string `json:"kind"`
	JSON string `json:"json,omitempty"`
}

func (Ring) isData()         {}
func (Motion) isData()       {}
func (Detection) isData()    {}
func (Audio) isData()        {}
func (Online) isData()       {}
func (Talk) isData()         {}
func (ChimeResult) isData()  {}
func (DeviceStatus) isData() {}
func (RuleFired) isData()    {}
func (Visit) isData()        {}
func (Mode) isData()         {}
func (Quiet) isData()        {}
func (Schedule) isData()     {}
func (PluginState) isData()  {}
func (Hop) isData()          {}
func (Alert) isData()        {}
func (System) isData()       {}
func (Debug) isData()        {}

// NewID makes a UUIDv7 (RFC 9562 5.7). It panics only where the machine has no randomness.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// New makes an event of a camera: id, subject camera.<id>.<type>, observed now.
func New(t Type, camera string, data Data) Event {
	return Event{ID: NewID(), Type: t, Subject: "camera." + camera + "." + string(t), Camera: camera, Observed: time.Now(), Data: data}
}

// Delivery is an event on its way to one taker.
type Delivery struct {
	Event  Event
	Age    time.Duration // since it was received, by the hub's monotonic clock
	Replay bool          // sent before, or from the journal: handle it, sound nothing
	// Attempt counts from 1.
	Attempt int
}

// Result answers a publisher.
type Result struct {
	Outcome Outcome
	Seq     uint64
}

// Outcome of a publish.
type Outcome uint8

// The outcomes, with the numbers of the protocol.
const (
	Durable            Outcome = 1 // in the journal
	AcceptedNotDurable Outcome = 2 // delivered; the disk is full and the hub writes it later
	Duplicate          Outcome = 3 // same id, or within the camera's debounce
	Rejected           Outcome = 4
	Accepted           Outcome = 5 // class state or debug
)

func (o Outcome) String() string {
	return [...]string{"unknown", "durable", "accepted, not durable", "duplicate", "rejected", "accepted"}[int(o)%6]
}

// Types of protocol 1, in the order of its text.
func Types() []Type {
	return []Type{
		TypeRing, TypeMotion, TypePerson, TypeParcel, TypeVehicle, TypeAnimal, TypeAudio, TypeOnline, TypeTalk, TypeVisit,
		TypeChime, TypeStatus, TypeRule, TypeMode, TypeQuiet, TypeSchedule, TypePlugin, TypeHop, TypeAlert, TypeSystem, TypeDebug,
	}
}
