package sdk

import "github.com/porchlight-hub/porchlight/sdk/event"

// The words for what happens in the house; see package event for each.
type (
	Event        = event.Event
	EventType    = event.Type
	Class        = event.Class
	Ring         = event.Ring
	Motion       = event.Motion
	Detection    = event.Detection
	Audio        = event.Audio
	Online       = event.Online
	Talk         = event.Talk
	ChimeResult  = event.ChimeResult
	DeviceStatus = event.DeviceStatus
	RuleFired    = event.RuleFired
	Visit        = event.Visit
	Mode         = event.Mode
	Quiet        = event.Quiet
	Schedule     = event.Schedule
	PluginState  = event.PluginState
	Hop          = event.Hop
	Alert        = event.Alert
	System       = event.System
	Debug        = event.Debug
	Delivery     = event.Delivery
	Result       = event.Result
)

// The types of events.
const (
	TypeRing     = event.TypeRing
	TypeMotion   = event.TypeMotion
	TypePerson   = event.TypePerson
	TypeParcel   = event.TypeParcel
	TypeVehicle  = event.TypeVehicle
	TypeAnimal   = event.TypeAnimal
	TypeAudio    = event.TypeAudio
	TypeOnline   = event.TypeOnline
	TypeTalk     = event.TypeTalk
	TypeChime    = event.TypeChime
	TypeStatus   = event.TypeStatus
	TypeRule     = event.TypeRule
	TypeVisit    = event.TypeVisit
	TypeMode     = event.TypeMode
	TypeQuiet    = event.TypeQuiet
	TypeSchedule = event.TypeSchedule
	TypePlugin   = event.TypePlugin
	TypeHop      = event.TypeHop
	TypeAlert    = event.TypeAlert
	TypeSystem   = event.TypeSystem
	TypeDebug    = event.TypeDebug
)

// The answers to a publish that is no error.
const (
	Durable            = event.Durable
	AcceptedNotDurable = event.AcceptedNotDurable
	Duplicate          = event.Duplicate
	Accepted           = event.Accepted
)

// NewEvent makes an event of a camera with a fresh id, observed now.
func NewEvent(t EventType, camera string, data event.Data) Event { return event.New(t, camera, data) }
