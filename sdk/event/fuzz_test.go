package event

import (
	"reflect"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// samples has an event of every type.
func samples() []Event {
	data := map[Type]Data{
		TypeRing: Ring{Test: true, Button: "left", Long: true, Double: true}, TypeMotion: Motion{Active: true, Score: 0.5, Zones: []string{"path"}},
		TypePerson: Detection{Label: "person", Active: true}, TypeParcel: Detection{Label: "parcel"},
		TypeVehicle: Detection{Label: "car", Active: true}, TypeAnimal: Detection{Label: "dog", Score: 0.5}, TypeAudio: Audio{Label: "glass", Score: 1},
		TypeVisit: Visit{ID: "v", Active: true, Began: time.Unix(1_800_000_000, 0).UTC(), Ended: time.Unix(1_800_000_020, 0).UTC(), EventTypes: []string{"motion", "ring"}},
		TypeMode:  Mode{Mode: "away", Previous: "home", By: "kim"},
		TypeQuiet: Quiet{Active: true, Until: time.Unix(1_800_000_000, 0).UTC(), Chime: "hall", By: "kim"}, TypeSchedule: Schedule{Schedule: "quiet", Active: true},
		TypeOnline: Online{Reason: "no answer", Code: "E-CAM-PASSWORD"}, TypeTalk: Talk{Active: true, HeardSeconds: 2, LevelDBFS: -20, Talker: "phone"},
		TypeChime: ChimeResult{Chime: "hall", Played: true, Took: time.Millisecond}, TypeStatus: DeviceStatus{Device: "door", Values: map[string]string{"battery": "80"}},
		TypeRule: RuleFired{Rule: "r", Name: "n", Actions: []string{"chime"}}, TypePlugin: PluginState{Plugin: "demo", State: "running"},
		TypeHop: Hop{EventID: "e", Taker: "t", Outcome: "ok", Took: time.Second}, TypeAlert: Alert{Text: "a", Category: "theft", Place: "north"}, TypeSystem: System{Kind: "time"}, TypeDebug: Debug{Kind: "k", JSON: "{}"},
	}
	var out []Event
	for _, t := range Types() {
		e := New(t, "front_door", data[t])
		e.Observed = time.UnixMilli(1_800_000_000_000).UTC()
		e.Time, e.Received = e.Observed, e.Observed
		e.Seq, e.Correlation, e.TTL, e.Snapshot, e.CameraName, e.TimeReplaced = 7, e.ID, time.Minute, "s/1", "Front door", true
		e.Hub = "gate house"
		out = append(out, e)
	}
	return out
}

// Nothing is lost on the way to the protocol and back, whatever the type.
func TestEveryTypeTravels(t *testing.T) {
	for _, e := range samples() {
		b, err := Marshal(&e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unmarshal(b)
		if err != nil {
			t.Fatalf("%s: %v", e.Type, err)
		}
		if !reflect.DeepEqual(got, e) {
			t.Errorf("%s: have %+v, sent %+v", e.Type, got, e)
		}
	}
}

// FromProto takes any message without panicking; what it lets through keeps the
// laws of an event, and travels back and forth unchanged.
func FuzzFromProto(f *testing.F) {
	for _, e := range samples() {
		b, err := Marshal(&e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{})
	f.Add([]byte{0x0a, 0x24})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m pb.Event
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		e, err := FromProto(&m)
		if err != nil {
			return
		}
		if e.Class() == ClassUnknown || CheckSubject(e.Subject) != nil || len(e.ID) != 36 {
			t.Fatalf("let through: %+v", e)
		}
		again, err := FromProto(ToProto(&e))
		if err != nil {
			t.Fatalf("not taken back: %v, %+v", err, e)
		}
		x, _ := Marshal(&e)
		y, _ := Marshal(&again)
		if len(x) != len(y) {
			t.Errorf("%+v came back as %+v", e, again)
		}
	})
}
