package event

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// ToProto makes the protocol's message of an event.
func ToProto(e *Event) *pb.Event {
	m := &pb.Event{
		Id: e.ID, Type: string(e.Type), Subject: e.Subject, Source: e.Source,
		Camera: e.Camera, CameraName: e.CameraName, Seq: e.Seq, Correlation: e.Correlation,
		Time: stamp(e.Time), Observed: stamp(e.Observed), Received: stamp(e.Received),
		Class: pb.Class(e.Class()), Schema: 1, TimeReplaced: e.TimeReplaced, Snapshot: e.Snapshot, Hub: e.Hub,
	}
	if e.TTL > 0 {
		m.Ttl = durationpb.New(e.TTL)
	}
	switch d := e.Data.(type) {
	case Ring:
		m.Data = &pb.Event_Ring{Ring: &pb.Ring{Test: d.Test, Button: d.Button, Long: d.Long, Double: d.Double}}
	case Motion:
		m.Data = &pb.Event_Motion{Motion: &pb.Motion{Active: d.Active, Score: d.Score, Zones: d.Zones}}
	case Detection:
		m.Data = &pb.Event_Detection{Detection: &pb.Detection{Label: d.Label, Active: d.Active, Score: d.Score, Zones: d.Zones}}
	case Audio:
		m.Data = &pb.Event_Audio{Audio: &pb.AudioEvent{Label: d.Label, Score: d.Score}}
	case Online:
		m.Data = &pb.Event_Online{Online: &pb.Online{Online: d.Online, Reason: d.Reason, Code: d.Code}}
	case Talk:
		m.Data = &pb.Event_Talk{Talk: &pb.Talk{Active: d.Active, HeardSeconds: d.HeardSeconds, LevelDbfs: d.LevelDBFS, Talker: d.Talker}}
	case Visit:
		m.Data = &pb.Event_Visit{Visit: &pb.Visit{Id: d.ID, Active: d.Active, Began: stamp(d.Began), Ended: stamp(d.Ended), EventTypes: d.EventTypes}}
	case ChimeResult:
		m.Data = &pb.Event_Chime{Chime: &pb.ChimeResult{Chime: d.Chime, Played: d.Played, Sound: d.Sound, Reason: d.Reason, Took: durationpb.New(d.Took)}}
	case DeviceStatus:
		m.Data = &pb.Event_Status{Status: &pb.DeviceStatus{Device: d.Device, Values: d.Values}}
	case RuleFired:
		m.Data = &pb.Event_Rule{Rule: &pb.RuleFired{Rule: d.Rule, Name: d.Name, Actions: d.Actions}}
	case Mode:
		m.Data = &pb.Event_Mode{Mode: &pb.Mode{Mode: d.Mode, Previous: d.Previous, By: d.By}}
	case Quiet:
		m.Data = &pb.Event_Quiet{Quiet: &pb.Quiet{Active: d.Active, Until: stamp(d.Until), Chime: d.Chime, By: d.By}}
	case Schedule:
		m.Data = &pb.Event_Schedule{Schedule: &pb.Schedule{Schedule: d.Schedule, Active: d.Active}}
	case PluginState:
		m.Data = &pb.Event_Plugin{Plugin: &pb.PluginState{Plugin: d.Plugin, State: d.State, Code: d.Code, Reason: d.Reason}}
	case Hop:
		m.Data = &pb.Event_Hop{Hop: &pb.Hop{EventId: d.EventID, Taker: d.Taker, Outcome: d.Outcome, Detail: d.Detail, Took: durationpb.New(d.Took), Replay: d.Replay}}
	case Alert:
		m.Data = &pb.Event_Alert{Alert: &pb.Alert{Neighborhood: d.Neighborhood, Text: d.Text, Category: d.Category, Place: d.Place}}
	case System:
		m.Data = &pb.Event_System{System: &pb.System{Kind: d.Kind, Text: d.Text}}
	case Debug:
		m.Data = &pb.Event_Debug{Debug: &pb.Debug{Kind: d.Kind, Json: d.JSON}}
	}
	return m
}

// ErrUnknownType: the event is of a newer protocol, and this side has nothing to do with it.
var ErrUnknownType = errors.New("unknown type")

// FromProto makes an event of the protocol's message, after checking all that a
// stranger could have got wrong: id, type, subject, size, and data that fits the type.
func FromProto(m *pb.Event) (Event, error) {
	if m == nil {
		return Event{}, errors.New("event: message is empty")
	}
	if n := proto.Size(m); n > MaxSize {
		return Event{}, fmt.Errorf("event: %d bytes, at most %d; pictures travel by reference", n, MaxSize)
	}
	id, err := uuid.Parse(m.GetId())
	if err != nil || len(m.GetId()) != 36 {
		return Event{}, fmt.Errorf("event: id %.40q is not a UUID in its 36-character form", m.GetId())
	}
	if id.Version() != 7 {
		return Event{}, fmt.Errorf("event: id %s is version %d, want 7", id, id.Version())
	}
	e := Event{
		ID: id.String(), Type: Type(m.GetType()), Subject: m.GetSubject(), Source: m.GetSource(),
		Camera: m.GetCamera(), CameraName: m.GetCameraName(), Seq: m.GetSeq(), Correlation: m.GetCorrelation(),
		TTL: m.GetTtl().AsDuration(), Snapshot: m.GetSnapshot(), TimeReplaced: m.GetTimeReplaced(),
		Hub: m.GetHub(),
	}
	if e.Type.Class() == ClassUnknown {
		return Event{}, fmt.Errorf("event: %w %.40q", ErrUnknownType, m.GetType())
	}
	if err := CheckSubject(e.Subject); err != nil {
		return Event{}, fmt.Errorf("event: %w", err)
	}
	if e.Camera != "" {
		if err := checkToken(e.Camera); err != nil {
			return Event{}, fmt.Errorf("event: camera: %w", err)
		}
	}
	if len(e.Correlation) > 64 || len(e.Snapshot) > 256 || len(e.CameraName) > 256 || len(e.Hub) > 256 {
		return Event{}, errors.New("event: correlation, snapshot, camera name or hub is too long")
	}
	for _, t := range []struct {
		from *timestamppb.Timestamp
		to   *time.Time
	}{{m.GetTime(), &e.Time}, {m.GetObserved(), &e.Observed}, {m.GetReceived(), &e.Received}} {
		if t.from == nil {
			continue
		}
		if err := t.from.CheckValid(); err != nil {
			return Event{}, fmt.Errorf("event: time: %w", err)
		}
		*t.to = t.from.AsTime()
	}
	data, fits := dataFromProto(m, e.Type)
	if !fits {
		return Event{}, fmt.Errorf("event: data %T does not belong to type %q", m.GetData(), e.Type)
	}
	if !finite(data) {
		return Event{}, fmt.Errorf("event: a number in the data of %q is infinite or none", e.Type)
	}
	e.Data = data
	return e, nil
}

// finite: JSON, in which pages and bridges read events, has no other numbers.
func finite(d Data) bool {
	number := func(f float64) bool { return f-f == 0 }
	switch d := d.(type) {
	case Motion:
		return number(float64(d.Score))
	case Detection:
		return number(float64(d.Score))
	case Audio:
		return number(float64(d.Score))
	case Talk:
		return number(d.HeardSeconds) && number(d.LevelDBFS)
	}
	return true
}

// dataFromProto tells also whether the data belongs to the type; none at all fits every type.
func dataFromProto(m *pb.Event, t Type) (Data, bool) {
	switch x := m.GetData().(type) {
	case nil:
		return nil, true
	case *pb.Event_Ring:
		d := x.Ring
		return Ring{Test: d.GetTest(), Button: d.GetButton(), Long: d.GetLong(), Double: d.GetDouble()}, t == TypeRing
	case *pb.Event_Motion:
		d := x.Motion
		return Motion{Active: d.GetActive(), Score: d.GetScore(), Zones: d.GetZones()}, t == TypeMotion
	case *pb.Event_Detection:
		d := x.Detection
		return Detection{Label: d.GetLabel(), Active: d.GetActive(), Score: d.GetScore(), Zones: d.GetZones()},
			t == TypePerson || t == TypeParcel || t == TypeVehicle || t == TypeAnimal
	case *pb.Event_Audio:
		d := x.Audio
		return Audio{Label: d.GetLabel(), Score: d.GetScore()}, t == TypeAudio
	case *pb.Event_Online:
		d := x.Online
		return Online{Online: d.GetOnline(), Reason: d.GetReason(), Code: d.GetCode()}, t == TypeOnline
	case *pb.Event_Talk:
		d := x.Talk
		return Talk{Active: d.GetActive(), HeardSeconds: d.GetHeardSeconds(), LevelDBFS: d.GetLevelDbfs(), Talker: d.GetTalker()}, t == TypeTalk
	case *pb.Event_Visit:
		d := x.Visit
		return Visit{ID: d.GetId(), Active: d.GetActive(), Began: moment(d.GetBegan()), Ended: moment(d.GetEnded()), EventTypes: d.GetEventTypes()}, t == TypeVisit
	case *pb.Event_Chime:
		d := x.Chime
		return ChimeResult{Chime: d.GetChime(), Played: d.GetPlayed(), Sound: d.GetSound(), Reason: d.GetReason(), Took: d.GetTook().AsDuration()}, t == TypeChime
	case *pb.Event_Status:
		d := x.Status
		return DeviceStatus{Device: d.GetDevice(), Values: d.GetValues()}, t == TypeStatus
	case *pb.Event_Rule:
		d := x.Rule
		return RuleFired{Rule: d.GetRule(), Name: d.GetName(), Actions: d.GetActions()}, t == TypeRule
	case *pb.Event_Mode:
		d := x.Mode
		return Mode{Mode: d.GetMode(), Previous: d.GetPrevious(), By: d.GetBy()}, t == TypeMode
	case *pb.Event_Quiet:
		d := x.Quiet
		return Quiet{Active: d.GetActive(), Until: moment(d.GetUntil()), Chime: d.GetChime(), By: d.GetBy()}, t == TypeQuiet
	case *pb.Event_Schedule:
		d := x.Schedule
		return Schedule{Schedule: d.GetSchedule(), Active: d.GetActive()}, t == TypeSchedule
	case *pb.Event_Plugin:
		d := x.Plugin
		return PluginState{Plugin: d.GetPlugin(), State: d.GetState(), Code: d.GetCode(), Reason: d.GetReason()}, t == TypePlugin
	case *pb.Event_Hop:
		d := x.Hop
		return Hop{EventID: d.GetEventId(), Taker: d.GetTaker(), Outcome: d.GetOutcome(), Detail: d.GetDetail(), Took: d.GetTook().AsDuration(), Replay: d.GetReplay()}, t == TypeHop
	case *pb.Event_Alert:
		d := x.Alert
		return Alert{Neighborhood: d.GetNeighborhood(), Text: d.GetText(), Category: d.GetCategory(), Place: d.GetPlace()}, t == TypeAlert
	case *pb.Event_System:
		d := x.System
		return System{Kind: d.GetKind(), Text: d.GetText()}, t == TypeSystem
	case *pb.Event_Debug:
		d := x.Debug
		return Debug{Kind: d.GetKind(), JSON: d.GetJson()}, t == TypeDebug
	}
	return nil, false
}

// Marshal encodes an event for a store.
func Marshal(e *Event) ([]byte, error) { return proto.Marshal(ToProto(e)) }

// Unmarshal decodes what Marshal wrote; it checks as FromProto does.
func Unmarshal(b []byte) (Event, error) {
	var m pb.Event
	if err := proto.Unmarshal(b, &m); err != nil {
		return Event{}, fmt.Errorf("event: decode: %w", err)
	}
	return FromProto(&m)
}

// moment is zero for a time that is absent or impossible.
func moment(t *timestamppb.Timestamp) time.Time {
	if t.CheckValid() != nil {
		return time.Time{}
	}
	return t.AsTime()
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
