package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/streams"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

func config(text string) json.RawMessage { return json.RawMessage(`{"say":"` + text + `"}`) }

// configOf asks a plugin what it was configured with.
func configOf(t *testing.T, s *Supervisor, name string) string {
	t.Helper()
	r, err := s.Command(t.Context(), name, &pb.Command{C: &pb.Command_Action{Action: &pb.Action{Name: "config"}}})
	if err != nil {
		t.Fatal(err)
	}
	return r.GetAction().GetOutput()
}

func TestConfigReachesOnlyTheEntryThatDiffers(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	one, two := patient(Spec{Name: "one", Builtin: "good", Config: config("a")}), patient(Spec{Name: "two", Builtin: "good", Config: config("a")})
	apply(t, s, one, two)
	before := g.untilState(t, "one", Running)
	other := g.untilState(t, "two", Running)

	one.Config = config("b")
	apply(t, s, one, two)
	eventually(t, "the new config", func() bool { return configOf(t, s, "one") == string(config("b")) })
	if st, _ := s.Plugin("one"); st.PID != before.PID {
		t.Error("an applied config started the process again")
	}
	g.until(t, "word of both configs of one", func() bool {
		told := 0
		for _, c := range g.calls {
			if c == "configured one" {
				told++
			}
		}
		return told == 2
	})

	one.Config = config("restart")
	apply(t, s, one, two)
	g.until(t, "a second life of one", func() bool { st := g.last("one"); return st.State == Running && st.PID != before.PID })
	if got := configOf(t, s, "one"); got != string(config("restart")) {
		t.Error("config after the restart:", got)
	}
	if st, _ := s.Plugin("one"); st.Restarts != 1 {
		t.Errorf("%d restarts", st.Restarts)
	}
	if st, _ := s.Plugin("two"); st.PID != other.PID || configOf(t, s, "two") != string(config("a")) {
		t.Error("two was touched")
	}
}

func TestRefusedConfigLeavesTheOldOneRunning(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	spec := patient(Spec{Name: "gate", Builtin: "good", Config: config("a")})
	apply(t, s, spec)
	before := g.untilState(t, "gate", Running)
	spec.Config = config("wrong")
	apply(t, s, spec)
	g.untilState(t, "gate", Degraded)
	if st, _ := s.Plugin("gate"); st.Code != fault.Config || st.PID != before.PID || !strings.Contains(st.Reason, "last good config") {
		t.Errorf("%+v", st)
	}
	if got := configOf(t, s, "gate"); got != string(config("a")) {
		t.Error("config", got)
	}
	spec.Config = config("c")
	apply(t, s, spec)
	g.untilState(t, "gate", Running)
	if got := configOf(t, s, "gate"); got != string(config("c")) {
		t.Error("config", got)
	}
}

func TestFatalConfigGivesWayToTheLastGood(t *testing.T) {
	g := newGuest()
	clock := newFakeClock()
	s := open(t, g, func(o *Options) { o.Clock = clock })
	spec := patient(Spec{Name: "gate", Builtin: "good", Config: config("a")})
	apply(t, s, spec)
	g.untilState(t, "gate", Running)
	clock.advance(provenAfter)
	eventually(t, "the config to be proven", func() bool { return hasLine(s, "proven") })
	spec.Config = config("fatal")
	apply(t, s, spec)
	st := g.untilState(t, "gate", Degraded)
	if st.Code != fault.Crash || !strings.Contains(st.Reason, "last good config") {
		t.Errorf("%+v", st)
	}
	if got := configOf(t, s, "gate"); got != string(config("a")) {
		t.Error("config", got)
	}
}

func TestCrashTouchesOnlyTheOneThatCrashed(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "one", Builtin: "good"}), patient(Spec{Name: "two", Builtin: "good"}))
	one, two := g.untilState(t, "one", Running), g.untilState(t, "two", Running)
	if err := syscall.Kill(one.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	g.until(t, "one to be back", func() bool { st := g.last("one"); return st.State == Running && st.PID != one.PID })
	if st, _ := s.Plugin("two"); st.PID != two.PID || st.Restarts != 0 {
		t.Errorf("two: %+v", st)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	var crashed Status
	for _, st := range g.states["one"] {
		if st.State == Backoff {
			crashed = st
		}
	}
	if crashed.Code != fault.Crash || !strings.Contains(crashed.Reason, "signal 9 (killed)") {
		t.Errorf("%+v", crashed)
	}
}

func TestManyCrashesEndInFailedWithAWayBack(t *testing.T) {
	g := newGuest()
	clock := newFakeClock()
	s := open(t, g, func(o *Options) { o.Clock = clock })
	spec := patient(Spec{Name: "gate", Builtin: "crashes", Restart: Restart{Max: 3}})
	apply(t, s, spec)
	lives := func() (n int) {
		for _, st := range g.states["gate"] {
			if st.State == Starting {
				n++
			}
		}
		return n
	}
	for n := 1; n <= 3; n++ {
		g.until(t, fmt.Sprint("crash ", n), func() bool { return lives() == n && g.last("gate").State == Backoff })
		clock.advance(g.last("gate").NextTry.Sub(clock.Now()))
	}
	st := g.untilState(t, "gate", Failed)
	if st.Code != fault.Crash || !strings.HasPrefix(st.Reason, "stopped after 3 restarts within 10m0s: it ended with exit code 9") || len(st.LastLog) == 0 {
		t.Fatalf("%+v", st)
	}
	if pause := st.NextTry.Sub(clock.Now()); pause != slowTry {
		t.Errorf("slow try after %s", pause)
	}
	// The slow try is one life, and fails at once again.
	clock.advance(slowTry - time.Second)
	clock.advance(time.Second)
	g.until(t, "the slow try", func() bool {
		return lives() == 5 && g.last("gate").State != Starting && g.last("gate").State != Configuring
	})
	// A person's word begins the ladder anew.
	if err := s.Restart(t.Context(), "gate"); err != nil {
		t.Fatal(err)
	}
	g.until(t, "backoff after Restart", func() bool { return lives() >= 6 && g.last("gate").State == Backoff })
	if err := s.Restart(t.Context(), "nobody"); codeOf(err) != fault.Unknown {
		t.Error(err)
	}
}

func codeOf(err error) string {
	var f *fault.Failure
	if errors.As(err, &f) {
		return f.Code()
	}
	return ""
}

func TestLadder(t *testing.T) {
	r := Spec{}.withDefaults().Restart
	want := []time.Duration{100 * time.Millisecond, 500 * time.Millisecond, 2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, time.Minute}
	for step, d := range want {
		if got := rung(step, r); got != d {
			t.Errorf("rung %d is %s, want %s", step, got, d)
		}
	}
	if got := rung(6, Restart{First: 10 * time.Millisecond, Longest: time.Second}); got != time.Second {
		t.Errorf("longest is not kept: %s", got)
	}
	var l ladder
	now := time.Unix(0, 0)
	for range 5 {
		d, again := l.next(now, r)
		if !again {
			t.Fatal("gave up too early")
		}
		if base := rung(l.step-1, r); d < base*79/100 || d > base*121/100 {
			t.Errorf("%s is not within a fifth of %s", d, base)
		}
		now = now.Add(d)
	}
	if _, again := l.next(now, r); again {
		t.Error("a sixth death within ten minutes is not the end")
	}
	if _, again := l.next(now.Add(11*time.Minute), r); !again {
		t.Error("deaths older than the window count")
	}
	l.rest()
	if d, _ := l.next(now, r); d > 121*time.Millisecond {
		t.Error("rest did not forget", d)
	}
}

func playCommand() *pb.Command {
	return &pb.Command{C: &pb.Command_ChimePlay{ChimePlay: &pb.ChimePlay{Sound: "ding"}}}
}

func TestLateRepliesAreDroppedAndCounted(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "bell", Builtin: "late"}), patient(Spec{Name: "good", Builtin: "good"}))
	g.untilState(t, "bell", Running)
	g.untilState(t, "good", Running)
	play := playCommand()
	r, err := s.Command(t.Context(), "good", play)
	if err != nil || r.GetChimePlayed().GetSound() != "ding" {
		t.Fatal(r, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Command(ctx, "bell", play); codeOf(err) != fault.Slow {
		t.Fatal(err)
	}
	eventually(t, "the late reply to be counted", func() bool { st, _ := s.Plugin("bell"); return st.LateReplies == 1 })
	apply(t, s, patient(Spec{Name: "good", Builtin: "good", Disabled: true}))
	g.untilState(t, "good", Disabled)
	if _, err := s.Command(t.Context(), "good", play); codeOf(err) != fault.NotRunning {
		t.Fatal(err)
	}
}

// TestRingPassesThePluginsOwnFlood: the host stops reading the Link, the ring comes
// over Urgent all the same.
func TestRingPassesThePluginsOwnFlood(t *testing.T) {
	g := newGuest()
	var motions atomic.Int64
	rung := make(chan struct{})
	g.publish = func(ctx context.Context, _ string, urgent bool, ev *pb.Event, done func(*pb.PublishResult)) {
		if urgent {
			close(rung)
			done(&pb.PublishResult{EventId: ev.GetId()})
			return
		}
		if motions.Add(1) > 10 {
			<-ctx.Done() // paced to a standstill
		}
		done(&pb.PublishResult{EventId: ev.GetId()})
	}
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "flood"}))
	select {
	case <-rung:
	case <-t.Context().Done():
		t.Fatal("no ring")
	}
	g.untilState(t, "gate", Running) // Health is answered beside it
	if n := motions.Load(); n > 11 {
		t.Errorf("%d motions were read while the host paced", n)
	}
}

// TestUnansweredPublishesStopTheReading: a host that keeps its results back takes in
// no more than the queue can answer.
func TestUnansweredPublishesStopTheReading(t *testing.T) {
	g := newGuest()
	var taken atomic.Int64
	all := make(chan struct{})
	g.publish = func(_ context.Context, _ string, urgent bool, _ *pb.Event, _ func(*pb.PublishResult)) {
		if !urgent && taken.Add(1) == streams.Unanswered {
			close(all)
		}
	}
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "flood"}))
	<-all
	g.untilState(t, "gate", Running)
	if n := taken.Load(); n != streams.Unanswered {
		t.Errorf("%d publishes taken in without an answer", n)
	}
}

func TestPluginThatDoesNotReadIsCutOff(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "deaf"}), patient(Spec{Name: "good", Builtin: "good"}))
	g.untilState(t, "gate", Running)
	g.untilState(t, "good", Running)
	out, good := g.outbox("gate"), g.outbox("good")
	big := &pb.Deliver{Event: &pb.Event{Id: strings.Repeat("x", 8<<10)}}
	var err error
	for n := 0; err == nil && n < 10*streams.Queued; n++ {
		err = out.Deliver(t.Context(), false, big)
	}
	if codeOf(err) != fault.Slow {
		t.Fatal(err)
	}
	if err := good.Deliver(t.Context(), true, &pb.Deliver{Event: &pb.Event{Seq: 7}}); err != nil {
		t.Fatal("another plugin suffers:", err)
	}
	apply(t, s)
	if err := out.Deliver(t.Context(), false, big); err == nil {
		t.Fatal("a dead plugin takes deliveries")
	}
}

func TestHubCallsOfOnePluginAreBounded(t *testing.T) {
	g := newGuest()
	release := make(chan struct{})
	g.call = func(context.Context) *pb.HubReply { <-release; return &pb.HubReply{} }
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "calls"}))
	g.until(t, "16 calls", func() bool { return g.running == streams.CallsAtOnce })
	g.untilState(t, "gate", Running)
	close(release)
	g.until(t, "the waiting ones", func() bool {
		n := 0
		for _, c := range g.calls {
			if c == "call gate" {
				n++
			}
		}
		return n >= streams.CallsAtOnce+streams.CallsWaiting && g.running == 0
	})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.most > streams.CallsAtOnce {
		t.Errorf("%d calls at once", g.most)
	}
}

func TestWhatAPluginWritesIsBoundedAndMasked(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "talks"}))
	g.until(t, "the log over the Link", func() bool {
		for _, l := range g.logs["gate"] {
			if strings.HasPrefix(l, "done talking") {
				return true
			}
		}
		return false
	})
	g.untilState(t, "gate", Running)
	eventually(t, "os.Stderr over the connection", func() bool { return hasLine(s, "by way of os.Stderr") })
	lines := s.Logs("gate", 0)
	if len(lines) > logLines {
		t.Errorf("%d lines kept", len(lines))
	}
	for _, l := range lines {
		if strings.Contains(l.Text, "hunter2") {
			t.Fatalf("a secret in the log: %s", l.Text)
		}
		if len(l.Text) > 4200 {
			t.Errorf("a line of %d bytes", len(l.Text))
		}
	}
	if got := s.Logs("gate", 3); len(got) != 3 {
		t.Errorf("%d of the last 3 lines", len(got))
	}
	apply(t, s)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.logs["gate"] {
		if strings.Contains(l, "hunter2") {
			t.Fatalf("the host was told a secret: %s", l)
		}
	}
	if st := g.last("gate"); st.DroppedLines < 3000 {
		t.Errorf("%d lines dropped of 6,000", st.DroppedLines)
	}
}

func hasLine(s *Supervisor, text string) bool {
	for _, l := range s.Logs("gate", 0) {
		if strings.Contains(l.Text, text) {
			return true
		}
	}
	return false
}

func TestPartsAndLimits(t *testing.T) {
	g := newGuest()
	clock := newFakeClock()
	s := open(t, g, func(o *Options) { o.Clock = clock })
	small := patient(Spec{Name: "swells", Builtin: "swells"})
	small.Limits.Memory = 48 << 20
	below := patient(Spec{Name: "below", Builtin: "parent-swells"}) // what it starts counts as its own
	below.Limits.Memory = 64 << 20
	apply(t, s, patient(Spec{Name: "ill", Builtin: "ill"}), small, below, patient(Spec{Name: "strange", Builtin: "strange"}))
	st := g.untilState(t, "ill", Degraded)
	if st.Code != fault.Health || st.Reason != "camera gate: 401 unauthorized" || st.Fix != "check the password" || len(st.Parts) != 1 {
		t.Errorf("%+v", st)
	}
	if st, _ := s.Plugin("ill"); st.Memory == 0 || st.RSS == 0 {
		t.Errorf("no memory measured: %+v", st)
	}
	for _, name := range []string{"swells", "below"} {
		eventually(t, name+" to be killed", func() bool {
			clock.advance(sampleEvery)
			st, _ := s.Plugin(name)
			return st.Code == fault.Memory
		})
	}
	eventually(t, "unknown messages to be counted", func() bool {
		clock.advance(time.Second)
		st, _ := s.Plugin("strange")
		return st.UnknownMessages == 3
	})
}

// TestHealthIsAskedSoonAfterTheStart: what a plugin finds out in its first second is
// not hidden until the next regular question.
func TestHealthIsAskedSoonAfterTheStart(t *testing.T) {
	g := newGuest()
	clock := newFakeClock()
	s := open(t, g, func(o *Options) { o.Clock = clock })
	spec := patient(Spec{Name: "gate", Builtin: "sickens"})
	spec.Health.Every = time.Hour
	apply(t, s, spec)
	g.untilState(t, "gate", Running)
	clock.advance(soonAfter)
	g.untilState(t, "gate", Degraded)
}

func TestStubbornPluginIsKilled(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	apply(t, s, patient(Spec{Name: "gate", Builtin: "stubborn"}))
	st := g.untilState(t, "gate", Running)
	apply(t, s)
	if err := syscall.Kill(st.PID, 0); !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		t.Error("it lives:", err)
	}
	if !strings.Contains(fmt.Sprint(g.calls), "stopped gate") {
		t.Error(g.calls)
	}
}

// A device that the plugin does not accept costs only itself.
func TestRefusedDeviceIsLeftOut(t *testing.T) {
	g := newGuest()
	s := open(t, g, nil)
	device := func(id, config string) *pb.DeviceEntry {
		return &pb.DeviceEntry{Id: id, Kind: "camera", Config: config}
	}
	devices := func() string {
		r, err := s.Command(t.Context(), "gate", &pb.Command{C: &pb.Command_Action{Action: &pb.Action{Name: "devices"}}})
		if err != nil {
			t.Fatal(err)
		}
		return r.GetAction().GetOutput()
	}
	spec := patient(Spec{Name: "gate", Builtin: "good", Devices: []*pb.DeviceEntry{device("yard", `{"url":"wrong"}`), device("porch", `{}`)}})
	apply(t, s, spec)
	before := g.untilState(t, "gate", Running)
	if got := devices(); got != "porch" {
		t.Errorf("the plugin has %q", got)
	}
	g.until(t, "word of the device", func() bool {
		return len(g.refused) == 1 && len(g.refused["yard"]) == 1 && g.refused["yard"][0].GetPath() == "devices/yard/url"
	})
	spec.Devices = []*pb.DeviceEntry{device("yard", `{"url":"right"}`), device("porch", `{}`)}
	apply(t, s, spec)
	g.until(t, "nothing is refused any more", func() bool { return g.refused != nil && len(g.refused) == 0 })
	eventually(t, "the mended device", func() bool { return devices() == "yard porch" })
	if st, _ := s.Plugin("gate"); st.PID != before.PID || st.State != Running {
		t.Errorf("%+v", st)
	}
}
