package supervisor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// house is the binary of testdata/house, built once a run without cgo.
var house = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "house")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // one test runs it as another user
		return "", err
	}
	path := filepath.Join(dir, "house")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, "./testdata/house")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build testdata/house: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := house(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func houseBinary(t *testing.T) string {
	t.Helper()
	path, err := house()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// pathPlugin copies the house under a name, which is its mode.
func pathPlugin(t *testing.T, mode string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), mode)
	raw, err := os.ReadFile(houseBinary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// guest is a Host that notes everything.
type guest struct {
	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at each note
	states   map[string][]Status
	logs     map[string][]string
	calls    []string
	acks     []uint64
	events   map[string]int
	refused  map[string][]*pb.Problem // of the newest config
	running  int
	most     int
	out      map[string]Outbox
	grantErr error
	publish  func(ctx context.Context, plugin string, urgent bool, ev *pb.Event, done func(*pb.PublishResult))
	call     func(ctx context.Context) *pb.HubReply
}

func newGuest() *guest {
	return &guest{changed: make(chan struct{}), states: map[string][]Status{}, logs: map[string][]string{}, events: map[string]int{}, out: map[string]Outbox{}}
}

func (g *guest) note(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
	close(g.changed)
	g.changed = make(chan struct{})
}

// until waits for a condition over what was noted.
func (g *guest) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		g.mu.Lock()
		done, changed := ok(), g.changed
		g.mu.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			g.mu.Lock()
			defer g.mu.Unlock()
			t.Fatalf("waited in vain for: %s\ncalls %v\nstates %+v\nlogs %.2000v", what, g.calls, g.states, g.logs)
		}
	}
}

func (g *guest) outbox(name string) Outbox {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.out[name]
}

func (g *guest) last(name string) Status {
	if all := g.states[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return Status{}
}

func (g *guest) Grant(s Spec, _ *pb.Description) (*pb.Grant, error) {
	g.note(func() { g.calls = append(g.calls, "grant "+s.Name) })
	return &pb.Grant{}, g.grantErr
}

func (g *guest) Started(name, dir string, pid int) {
	g.note(func() { g.calls = append(g.calls, "started "+name) })
}
func (g *guest) Stopped(name string) {
	g.note(func() { g.calls = append(g.calls, "stopped "+name) })
}

func (g *guest) Publish(ctx context.Context, name string, urgent bool, ev *pb.Event, done func(*pb.PublishResult)) {
	if g.publish != nil {
		g.publish(ctx, name, urgent, ev, done)
		return
	}
	g.note(func() { g.events[fmt.Sprint(name, " ", urgent)]++ })
	done(&pb.PublishResult{EventId: ev.GetId(), Outcome: pb.PublishResult_OUTCOME_DURABLE})
}

func (g *guest) Call(ctx context.Context, name string, c *pb.HubCall) *pb.HubReply {
	g.note(func() {
		g.calls = append(g.calls, "call "+name)
		g.running++
		g.most = max(g.most, g.running)
	})
	defer g.note(func() { g.running-- })
	if g.call != nil {
		return g.call(ctx)
	}
	return &pb.HubReply{}
}

func (g *guest) Connected(name string, out Outbox) Session {
	g.note(func() {
		g.calls = append(g.calls, "connected "+name)
		g.out[name] = out
	})
	return seat{g, name}
}

func (g *guest) Refused(_ string, devices map[string][]*pb.Problem) {
	g.note(func() { g.refused = devices })
}

func (g *guest) Configured(name string) {
	g.note(func() { g.calls = append(g.calls, "configured "+name) })
}

func (g *guest) Log(name string, l *pb.Log) {
	g.note(func() { g.logs[name] = append(g.logs[name], l.GetMessage()) })
}
func (g *guest) Repair(string, *pb.Repair) {}
func (g *guest) StateChanged(st Status) {
	g.note(func() { g.states[st.Name] = append(g.states[st.Name], st) })
}

type seat struct {
	g    *guest
	name string
}

func (s seat) Ack(_ bool, a *pb.EventAck) {
	s.g.note(func() { s.g.acks = append(s.g.acks, a.GetSeq()) })
}
func (s seat) Close() { s.g.note(func() { s.g.calls = append(s.g.calls, "closed "+s.name) }) }

// open starts a supervisor that ends, children and all, with the test.
func open(t *testing.T, g *guest, change func(*Options)) *Supervisor {
	t.Helper()
	o := Options{Exe: houseBinary(t), RunDir: t.TempDir(), PluginDataDir: t.TempDir(), Host: g, Mask: func(s string) string {
		return strings.ReplaceAll(s, "hunter2", "***")
	}}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(s.place.Path()); err == nil {
			t.Errorf("left in the run directory: %v", left)
		}
	})
	return s
}

// patient gives a busy machine time, where time is not what is tested.
func patient(spec Spec) Spec {
	spec.Limits.Start = time.Minute
	spec.Health.Every = time.Second
	spec.Health.Misses = 30
	return spec
}

func apply(t *testing.T, s *Supervisor, specs ...Spec) {
	t.Helper()
	if err := s.Apply(t.Context(), specs); err != nil {
		t.Fatal(err)
	}
}

func (g *guest) untilState(t *testing.T, name string, want ...State) Status {
	t.Helper()
	var st Status
	g.until(t, fmt.Sprint(name, " to be ", want), func() bool {
		st = g.last(name)
		return slices.Contains(want, st.State)
	})
	return st
}

// eventually waits for a condition outside of our own notes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}

// fakeClock moves only when told to.
type fakeClock struct {
	mu      sync.Mutex
	now     time.Time
	waiting map[chan time.Time]time.Time
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), waiting: map[chan time.Time]time.Time{}}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(d time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fired := make(chan time.Time, 1)
	c.waiting[fired] = c.now.Add(d)
	return fired, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.waiting, fired)
	}
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for fired, at := range c.waiting {
		if !at.After(c.now) {
			fired <- c.now
			delete(c.waiting, fired)
		}
	}
}
