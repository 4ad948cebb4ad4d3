package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/hub/supervisor/child"
	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	"github.com/porchlight-hub/porchlight/hub/supervisor/streams"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
)

// Deadlines of the unary calls.
const (
	checkWithin     = 5 * time.Second
	configureWithin = 10 * time.Second
	healthWithin    = 2 * time.Second
	stopWithin      = 5 * time.Second
)

// life is one process of an instance, from its start to its end.
type life struct {
	i       *instance
	spec    Spec // what the process runs with now
	p       *child.Process
	desc    *pb.Description
	streams *streams.Streams
	refused *Spec           // a wish that this process did not take
	lines   *runner.Limiter // of the log messages, as of stdout and stderr
}

// live runs one process to its end.
func (i *instance) live(ctx context.Context, spec Spec) ending {
	i.set(func(st *Status) {
		*st = bare(st, Starting)
		st.Restarts = i.lives
	})
	i.lives++
	dir, err := i.s.place.Instance(i.name)
	if err != nil {
		return ending{failure: fault.New(fault.Start, "check the space and the permissions of the run directory", "instance directory: %v", err)}
	}
	defer os.RemoveAll(dir)
	p, f := i.s.place.Start(ctx, spec.want(), dir, i.line)
	if f != nil {
		return ending{failure: f}
	}
	l := &life{i: i, spec: spec, p: p, lines: runner.NewLimiter(i.s.o.Clock.Now)}
	defer func() {
		p.End()
		i.mu.Lock()
		i.st.DroppedLines += p.Run.Dropped() + l.lines.Dropped()
		i.mu.Unlock()
	}()
	if f := l.introduce(ctx); f != nil {
		return ending{failure: f}
	}
	i.s.o.Host.Started(i.name, dir, p.Run.PID())
	defer func() {
		p.End() // the host may close media.sock only when the process is gone
		i.s.o.Host.Stopped(i.name)
	}()
	if f := l.configure(ctx, spec); f != nil {
		return ending{failure: f}
	}
	return l.connect(ctx)
}

// introduce asks the plugin who it is.
func (l *life) introduce(ctx context.Context) *fault.Failure {
	d, f := l.p.Describe(ctx, l.i.s.o.HubVersion, l.i.s.o.HubFeatures)
	if f != nil {
		return f
	}
	l.desc = d
	l.i.mu.Lock()
	l.i.desc = d
	l.i.mu.Unlock()
	l.i.set(func(st *Status) {
		st.describe(d)
		st.PID, st.State, st.Sandbox = l.p.Run.PID(), Configuring, sandbox(l.p.Run.Walled())
	})
	for _, m := range d.GetMissing() {
		if m.GetFatal() {
			return fault.New(fault.Missing, m.GetFix(), "it lacks %s", m.GetWhat()).Block()
		}
		l.i.note("warn", "it lacks "+m.GetWhat()+": "+m.GetFix())
	}
	return nil
}

// configure asks for the grant, lets the plugin check the config, and gives it.
func (l *life) configure(ctx context.Context, spec Spec) *fault.Failure {
	_, f := l.tryConfigure(ctx, spec)
	return f
}

func (l *life) tryConfigure(ctx context.Context, spec Spec) (restart bool, f *fault.Failure) {
	grant, err := l.i.s.o.Host.Grant(spec, l.desc)
	if err != nil {
		return false, grantFailure(err)
	}
	config := string(spec.Config)
	if config == "" {
		config = "{}"
	}
	checkCtx, cancel := context.WithTimeout(ctx, checkWithin)
	checked, err := l.p.Plugin.Check(checkCtx, &pb.CheckRequest{Config: config, Devices: spec.Devices})
	cancel()
	// A plugin in another language may have no Check.
	if err != nil && status.Code(err) != codes.Unimplemented {
		return false, l.p.CallFailed(fault.Configure, "check of the config", checkWithin, err)
	}
	whole, refused := apart(checked.GetProblems(), spec.Devices)
	if f := problems(whole); f != nil {
		return false, f
	}
	devices := slices.DeleteFunc(slices.Clone(spec.Devices), func(d *pb.DeviceEntry) bool { return len(refused[d.GetId()]) > 0 })
	l.i.s.o.Host.Refused(l.i.name, refused)
	l.i.revision++
	ctx, cancel = context.WithTimeout(ctx, configureWithin)
	defer cancel()
	result, err := l.p.Plugin.Configure(ctx, &pb.ConfigureRequest{
		Revision: l.i.revision, Config: config, Devices: devices, Grant: grant, Entry: spec.Name,
		DataDir: l.i.s.place.DataDir(spec.Name), InstanceDir: l.p.Dir,
		HubName: l.i.s.o.HubName, Timezone: l.i.s.o.Timezone, HubFeatures: l.i.s.o.HubFeatures,
	})
	if err != nil {
		return false, l.p.CallFailed(fault.Configure, "configure", configureWithin, err)
	}
	if f := problems(result.GetProblems()); f != nil {
		return false, f
	}
	if e := result.GetError(); e.GetCode() != pb.Code_CODE_OK || e.GetMessage() != "" {
		return false, fault.New(fault.Configure, "see its log", "it refused its configuration: %s", e.GetMessage())
	}
	return result.GetOutcome() == pb.ConfigureResult_OUTCOME_RESTART_NEEDED, nil
}

func grantFailure(err error) *fault.Failure {
	f := fault.New(fault.Permission, "see `permissions` of its entry in the config", "not granted: %v", err).Block().Because(err)
	var coded interface {
		Code() string
		Hint() string
	}
	if errors.As(err, &coded) {
		f.ID, f.Fix, f.Reason = coded.Code(), coded.Hint(), err.Error()
	}
	return f
}

// apart tells what is wrong with single devices from what is wrong with the plugin's
// config. A device that the plugin does not accept costs only itself.
func apart(list []*pb.Problem, devices []*pb.DeviceEntry) (whole []*pb.Problem, refused map[string][]*pb.Problem) {
	refused = map[string][]*pb.Problem{}
	for _, p := range list {
		id, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(p.GetPath(), "/"), "devices/"), "/")
		ours := slices.ContainsFunc(devices, func(d *pb.DeviceEntry) bool { return d.GetId() == id })
		if ours && strings.HasPrefix(strings.TrimPrefix(p.GetPath(), "/"), "devices/") {
			refused[id] = append(refused[id], p)
		} else {
			whole = append(whole, p)
		}
	}
	return whole, refused
}

// problems makes one failure of what a plugin found in its config.
func problems(list []*pb.Problem) *fault.Failure {
	if len(list) == 0 {
		return nil
	}
	var b strings.Builder
	for n, p := range list {
		if n == 5 {
			fmt.Fprintf(&b, "; and %d more", len(list)-n)
			break
		}
		if n > 0 {
			b.WriteString("; ")
		}
		if p.GetPath() != "" {
			b.WriteString(p.GetPath() + ": ")
		}
		b.WriteString(p.GetMessage())
	}
	fix := list[0].GetFix()
	if fix == "" {
		fix = "mend it in the config; it is taken up when the file is saved"
	}
	return fault.New(fault.Config, fix, "it does not accept its config: %s", b.String()).Block()
}

// connect opens the streams, asks for the first health and watches until the end.
func (l *life) connect(ctx context.Context) ending {
	l.streams = streams.New(l.i.s.o.Host, l.i.name, l.logged, l.late)
	// Not ended with ctx: while it stops politely the plugin still acknowledges and publishes.
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if err := l.streams.Open(streamCtx, l.p.Plugin); err != nil {
		cancel()
		return ending{failure: l.p.CallFailed(fault.Link, "opening its streams", child.ConnectTimeout, err)}
	}
	l.expose(l)
	l.i.s.o.Host.Configured(l.i.name)
	defer func() {
		l.expose(nil)
		l.p.Kill() // first: a call to a hung plugin ends no sooner
		cancel()
		l.streams.Close()
	}()
	e := l.watch(ctx)
	if e.failure == nil {
		// Asked to end: politely first.
		l.expose(nil)
		l.stop(e.asked)
	}
	return e
}

// expose lets commands reach this life.
func (l *life) expose(to *life) {
	l.i.mu.Lock()
	defer l.i.mu.Unlock()
	l.i.life = to
}

// stop gives the plugin its time to finish; the caller kills what is left. It does
// not use the life's context, which may have ended already.
func (l *life) stop(reason string) {
	l.i.set(func(st *Status) { st.State = Stopping })
	l.streams.Drain(reason)
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	_, _ = l.p.Plugin.Stop(ctx, &pb.StopRequest{Deadline: durationpb.New(stopWithin), Reason: reason})
	l.p.Run.Release()
	select {
	case <-l.p.Run.Exited():
	case <-ctx.Done():
		l.i.note("warn", fmt.Sprintf("it did not end within %s and was killed", stopWithin))
	}
}

func (l *life) late() {
	l.i.mu.Lock()
	defer l.i.mu.Unlock()
	l.i.st.LateReplies++
}

// logged takes a log line from the Link.
func (l *life) logged(m *pb.Log) {
	if !l.lines.Allow() {
		return
	}
	l.i.record(LogLine{Time: l.i.s.o.Clock.Now(), Level: level(m.GetLevel()), Origin: "log", Text: m.GetMessage(), Attrs: m.GetAttrs()})
}

// line takes a line from stdout or stderr.
func (i *instance) line(r runner.Line) {
	level, text := plainLine(r.Text)
	if text == "" {
		return
	}
	if r.Cut {
		text += " … (cut)"
	}
	i.record(LogLine{Time: i.s.o.Clock.Now(), Level: level, Origin: r.Origin, Text: text})
}

// record keeps a line and hands it, masked, to the host.
func (i *instance) record(l LogLine) {
	l = i.book.add(l)
	m := &pb.Log{Level: l.Level, Message: l.Text, Attrs: l.Attrs}
	i.s.o.Host.Log(i.name, m)
}

func level(s string) string {
	switch s = strings.ToLower(s); s {
	case "debug", "info", "warn", "error":
		return s
	}
	return "info"
}

// plainLine reads a line of go-plugin's own logger, which speaks JSON, and drops its
// chatter below warn; any other line is the plugin's.
func plainLine(text string) (lvl, message string) {
	if !strings.HasPrefix(text, `{"@level"`) {
		return "info", text
	}
	var line struct {
		Level   string `json:"@level"`
		Message string `json:"@message"`
		Module  string `json:"@module"`
	}
	if json.Unmarshal([]byte(text), &line) != nil {
		return "info", text
	}
	if line.Level == "debug" || line.Level == "trace" {
		return "debug", ""
	}
	return level(line.Level), line.Message
}
