package host

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// A ring that only names another's camera, under a subject of the plugin's own, would
// start that camera's debounce: the next real press would be taken for a repeat.
func TestForgedEventsOfOtherCamerasAreRefused(t *testing.T) {
	f := newHost(t)
	f.grant(t, "other", manifest.Permissions{Publish: []string{"camera.**", "chime.**", "device.**", "plugin.**", "neighborhood.**"}})
	of := func(typ event.Type, subject, camera string, d event.Data) event.Event {
		return event.Event{ID: event.NewID(), Type: typ, Subject: subject, Camera: camera, Data: d}
	}
	for name, e := range map[string]event.Event{
		"ring by its chime":             of(event.TypeRing, "chime.hall.ring", "porch", event.Ring{}),
		"ring of no camera by its name": of(event.TypeRing, "plugin.other.ring", "", event.Ring{}),
		"ring by its own name":          of(event.TypeRing, "plugin.other.ring", "porch", event.Ring{}),
		"ring by the neighborhood":      of(event.TypeRing, "neighborhood.alert", "porch", event.Ring{}),
		"chime's word for a camera":     of(event.TypeChime, "chime.hall.played", "porch", event.ChimeResult{}),
		"another chime inside":          of(event.TypeChime, "chime.hall.failed", "", event.ChimeResult{Chime: "kitchen"}),
		"another device inside":         of(event.TypeStatus, "device.yard.status", "", event.DeviceStatus{Device: "porch"}),
		"a rule that fired":             of(event.TypeRule, "camera.yard.rule", "yard", event.RuleFired{Rule: "ring"}),
		"another plugin's state":        of(event.TypePlugin, "camera.yard.plugin", "yard", event.PluginState{Plugin: "bell", State: "failed"}),
		"the hub's own word":            of(event.TypeSystem, "camera.yard.system", "yard", event.System{Kind: "disk"}),
		"a state by its name":           of(event.TypePlugin, "plugin.other.state", "", event.PluginState{}),
		"an alert with a camera":        of(event.TypeAlert, "neighborhood.alert", "porch", event.Alert{}),
	} {
		if r := f.publish(t, "other", e.Class() == event.ClassCritical, e); r.GetError().GetCode() != pb.Code_CODE_DENIED {
			t.Errorf("%s: %s %q", name, r.GetOutcome(), r.GetError().GetMessage())
		}
	}
	for name, e := range map[string]event.Event{
		"its chime":  of(event.TypeChime, "chime.hall.played", "", event.ChimeResult{Chime: "hall", Played: true}),
		"its device": of(event.TypeStatus, "device.yard.status", "yard", event.DeviceStatus{Device: "yard"}),
		"an alert":   of(event.TypeAlert, "neighborhood.alert", "", event.Alert{Text: "a fox"}),
	} {
		if r := f.publish(t, "other", false, e); r.GetError() != nil {
			t.Errorf("%s: %v", name, r.GetError())
		}
	}
	step := of(event.TypeHop, "camera.yard.hop", "yard", event.Hop{Taker: "plugin bell", Outcome: "failed"})
	if r := f.publish(t, "other", false, step); r.GetError() != nil {
		t.Fatal(r.GetError())
	}
	kept, err := f.bus.Event(t.Context(), step.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := kept.Data.(event.Hop).Taker; got != "plugin other" {
		t.Errorf("a hop names %q as its taker", got)
	}
}

func TestNumbersThatAreNoneAreRefused(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Publish: []string{"camera.**"}, Media: manifest.Media{Publish: true}})
	for name, e := range map[string]event.Event{
		"score":   event.New(event.TypeMotion, "porch", event.Motion{Score: float32(math.NaN())}),
		"sure":    event.New(event.TypePerson, "porch", event.Detection{Score: float32(math.Inf(1))}),
		"sound":   event.New(event.TypeAudio, "porch", event.Audio{Score: float32(math.Inf(-1))}),
		"heard":   event.New(event.TypeTalk, "porch", event.Talk{HeardSeconds: math.NaN()}),
		"loudest": event.New(event.TypeTalk, "porch", event.Talk{LevelDBFS: math.Inf(-1)}),
	} {
		if r := f.publish(t, "bell", false, e); r.GetError().GetCode() != pb.Code_CODE_INVALID {
			t.Errorf("%s: %s", name, r.GetOutcome())
		}
	}
	for _, s := range []float64{math.NaN(), math.Inf(-1), -1, 0} {
		if d := seconds(s); d != 0 {
			t.Errorf("%v seconds are %v", s, d)
		}
	}
	for _, s := range []float64{math.Inf(1), math.MaxFloat64, 1e12} {
		if d := seconds(s); d != time.Hour {
			t.Errorf("%v seconds are %v", s, d)
		}
	}
	hold := func(stream string) *pb.HubReply {
		return f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_HoldPrebuffer{HoldPrebuffer: &pb.HoldPrebuffer{Camera: "porch", Stream: stream, Seconds: math.Inf(1)}}})
	}
	if r := hold("s1"); r.GetError().GetCode() != pb.Code_CODE_INVALID {
		t.Errorf("a stream of the plugin's invention is held: %v", r)
	}
	if r := hold(""); r.GetHoldPrebuffer().GetSeconds() != 30 {
		t.Errorf("hold for ever: %v", r)
	}
}

func TestOneTokenDoesNotCoverMany(t *testing.T) {
	for _, c := range []struct {
		granted, f string
		want       bool
	}{
		{"camera.*", "camera.**", false},
		{"camera.porch.*", "camera.porch.**", false},
		{"*", "**", false},
		{"camera.**", "camera.**", true},
		{"camera.**", "camera.porch.**", true},
		{"camera.*.**", "camera.porch.**", true},
		{"camera.*.ring", "camera.porch.ring", true},
		{"camera.*.ring", "camera.*.*", false},
		{"camera.*.*", "camera.*.ring", true},
	} {
		if got := covered([]string{c.granted}, c.f); got != c.want {
			t.Errorf("%s covers %s: %v", c.granted, c.f, got)
		}
	}
}

func TestSubscriptionsAndCursorsAreBounded(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Subscribe: []string{"camera.**"}})
	s, err := f.Connected("bell", outbox(make(chan *pb.Deliver)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ask := func(name string) *pb.HubReply {
		return f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_Subscribe{Subscribe: &pb.Subscribe{Name: name, Filters: []string{"camera.**"}}}})
	}
	for _, name := range []string{"a/b", "../other", "\x1b[31m", "ä", strings.Repeat("a", 65)} {
		if r := ask(name); r.GetError().GetCode() != pb.Code_CODE_INVALID {
			t.Errorf("cursor %q: %v", name, r)
		}
	}
	refused := 0
	for i := range 3 * maxCursors {
		r := ask(fmt.Sprintf("c%d", i))
		if r.GetError() != nil {
			refused++
			continue
		}
		f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_Unsubscribe{Unsubscribe: &pb.Unsubscribe{Subscription: r.GetSubscribe().GetSubscription()}}})
	}
	if want := 2*maxCursors + 1; refused != want { // the manifest's own cursor counts
		t.Errorf("%d cursors were refused, want %d", refused, want)
	}
	open := 1
	for range 3 * maxSubscriptions {
		if r := ask(""); r.GetError() == nil {
			open++
		} else if r.GetError().GetCode() != pb.Code_CODE_EXHAUSTED {
			t.Fatal(r.GetError())
		}
	}
	if open != maxSubscriptions {
		t.Errorf("%d subscriptions are open", open)
	}
}

// Half a character in an answer would be refused by the encoder, and end the stream.
func TestTextsOfPluginsStaySendable(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{})
	r := f.call(t, "bell", &pb.HubCall{C: &pb.HubCall_OpenMedia{OpenMedia: &pb.OpenMedia{
		Direction: pb.OpenMedia_DIRECTION_PUBLISH, Camera: strings.Repeat("ü", 100) + "x"}}})
	if _, err := proto.Marshal(r); err != nil {
		t.Errorf("the answer cannot be sent: %v", err)
	}
	for n := range 8 {
		if s := clip("ab日本語", n); !utf8.ValidString(s) {
			t.Errorf("clip to %d bytes: %q", n, s)
		}
	}
}

// For the race detector: the config may change while plugins publish and ask.
func TestConfigChangesUnderTraffic(t *testing.T) {
	f := newHost(t)
	f.grant(t, "other", manifest.Permissions{Publish: []string{"chime.**"}})
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			r := DefaultRates()
			r.Normal.Burst += i % 2
			f.Apply([]Entry{{Name: "bell", Rates: r}, {Name: "other", Rates: r, Chimes: []string{"hall"}}})
		}
	})
	for range 200 {
		e := event.Event{ID: event.NewID(), Type: event.TypeChime, Subject: "chime.hall.played", Data: event.ChimeResult{}}
		if r := f.publish(t, "other", false, e); r.GetError() != nil && r.GetError().GetCode() != pb.Code_CODE_EXHAUSTED {
			t.Error(r.GetError())
		}
	}
	cancel()
	work.Wait()
	if err := ctx.Err(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A plugin that floods is told of once a second, and not held to account for the life before.
func TestOverloadIsToldOfAtAPace(t *testing.T) {
	f := newHost(t)
	f.grant(t, "bell", manifest.Permissions{Publish: []string{"camera.**"}, Subscribe: []string{"camera.**"}})
	flood := func() {
		for range DefaultRates().Normal.Burst + 50 {
			f.publish(t, "bell", false, event.New(event.TypeMotion, "porch", event.Motion{}))
		}
	}
	flood()
	f.clock.Add(int64(2 * time.Second))
	flood()
	if n := len(f.over.names); n != 2 {
		t.Errorf("told %d times in two seconds", n)
	}
	s, err := f.Connected("bell", outbox(make(chan *pb.Deliver)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := f.Flooding(); len(got) != 0 {
		t.Errorf("a new life is flooding: %v", got)
	}
}
