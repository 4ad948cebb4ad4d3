package sdk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/porchlight-hub/porchlight/sdk/internal/ledger"
	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// linkWait is how long Run waits for the hub to open the Link after Configure.
const linkWait = 2 * time.Second

// instance is one running plugin: the author's value and its connection to the hub.
type instance struct {
	pluginv1grpc.UnimplementedPluginServer

	make   func() Plugin
	stderr io.Writer
	exit   func(code int)
	first  func() // before the author's first line runs
	log    *slog.Logger
	hub    *Hub

	born   sync.Once
	plugin Plugin

	urgent *wire.Outbox[*pb.UrgentFromPlugin]
	link   *wire.Outbox[*pb.FromPlugin]
	calls  *wire.Calls

	ctx  context.Context // ends when the plugin is stopped
	stop context.CancelFunc
	work sync.WaitGroup // Run, handlers, commands
	// mu guards what follows and keeps work.Add apart from a Wait on it.
	mu       sync.Mutex
	conf     *pb.ConfigureRequest // replaced whole, never changed
	draining bool
	stopping bool
	ended    bool
	ledger   *ledger.Ledger
	streams  map[lane]*attachment
	subs     map[uint32]*subscription
	opening  int                      // Subscribe calls under way
	early    map[uint32][]*earlyEvent // deliveries that overtook the SubscribeReply
	answered answers
	slots    map[lane]chan struct{} // commands that run; see urgentCommands

	configure sync.Mutex // one Configure at a time
	unknown   atomic.Uint64
	since     time.Time
}

// lane is one of the two streams.
type lane bool

const (
	onUrgent lane = true
	onLink   lane = false
)

func newInstance(newPlugin func() Plugin, stderr io.Writer, exit func(int)) *instance {
	in := &instance{
		make: newPlugin, stderr: stderr, exit: exit, first: func() {},
		urgent: wire.NewOutbox(func(p *pb.Publish) *pb.UrgentFromPlugin {
			return &pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Publish{Publish: p}}
		}),
		link: wire.NewOutbox(func(p *pb.Publish) *pb.FromPlugin {
			return &pb.FromPlugin{M: &pb.FromPlugin_Publish{Publish: p}}
		}),
		streams: make(map[lane]*attachment), subs: make(map[uint32]*subscription),
		early: make(map[uint32][]*earlyEvent), since: time.Now(),
	}
	in.answered.byKey = make(map[string]*answer)
	in.slots = map[lane]chan struct{}{onUrgent: make(chan struct{}, urgentCommands), onLink: make(chan struct{}, linkCommands)}
	in.calls = wire.NewCalls(in.link)
	in.ctx, in.stop = context.WithCancel(context.Background())
	in.log = slog.New(newLogHandler(in.link, stderr))
	in.hub = &Hub{in: in}
	return in
}

func registerServer(s *grpc.Server, in *instance) { pluginv1grpc.RegisterPluginServer(s, in) }

// author is the author's value, made when it is first needed.
func (in *instance) author() Plugin {
	in.born.Do(func() {
		in.first()
		in.plugin = in.make()
	})
	return in.plugin
}

func (in *instance) manifest() manifest.Manifest { return in.author().Manifest().Complete() }

// setup is the config in force; empty before the first Configure.
func (in *instance) setup() *pb.ConfigureRequest {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.conf
}

// guard runs the author's code. A panic in it is reported and ends the process
// with code 70; the hub starts a fresh one.
func (in *instance) guard(what string, f func()) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			in.report(what, v, debug.Stack())
		}
	}()
	f()
	return false
}

func (in *instance) report(what string, v any, stack []byte) {
	in.halt() // what the panic left half done is not built upon
	in.log.Error("panic", "in", what, "panic", fmt.Sprint(v), "stack", string(stack))
	ctx, cancel := context.WithTimeout(context.Background(), lifelineWait)
	defer cancel()
	_ = in.link.Flush(ctx) // as far as it goes; stderr has it all the same
	fmt.Fprintf(in.stderr, "panic in %s: %v\n%s", what, v, stack)
	in.end(exitPanic)
}

// begin counts a piece of work that close waits for; false: the plugin is stopping.
func (in *instance) begin(f func()) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopping {
		return false
	}
	in.work.Go(f)
	return true
}

// end ends the process once; the first code counts.
func (in *instance) end(code int) { in.exit(code) }

// hubGone gives the author's code a moment and ends the process.
func (in *instance) hubGone() {
	in.halt()
	ctx, cancel := context.WithTimeout(context.Background(), lifelineWait)
	defer cancel()
	in.settle(ctx)
	in.end(exitHubGone)
}

// halt begins the end: no new work, every context of the author ends.
func (in *instance) halt() {
	in.mu.Lock()
	in.stopping = true
	in.mu.Unlock()
	in.stop()
}

// settle waits for the author's code, until ctx ends.
func (in *instance) settle(ctx context.Context) {
	done := make(chan struct{})
	go func() { // ends with the work; a handler that never returns ends with the process
		in.work.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// close ends all that is left, without waiting.
func (in *instance) close() {
	in.halt()
	in.urgent.Close()
	in.link.Close()
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.ended && in.ledger != nil {
		_ = in.ledger.Close() // every line is written already
	}
	in.ended = true
}

func (in *instance) wait() { in.work.Wait() }

// Describe answers who the plugin is.
func (in *instance) Describe(context.Context, *pb.DescribeRequest) (*pb.Description, error) {
	var d *pb.Description
	if in.guard("Manifest", func() { d = in.describe() }) {
		return nil, errPanicked()
	}
	return d, nil
}

func errPanicked() error { return status.Error(codes.Internal, "the plugin panicked; see its log") }

func (in *instance) describe() *pb.Description {
	m := in.manifest()
	d := &pb.Description{
		Id: m.ID, Name: m.Name, Version: m.Version,
		ConfigSchema: string(m.ConfigSchema), DeviceSchema: string(m.DeviceSchema),
		Manifest: string(m.JSON()), Commands: in.commands(), Features: wire.Features(),
		EventTypes: eventTypes(m.Permissions.Publish),
	}
	for _, c := range m.Capabilities {
		d.Capabilities = append(d.Capabilities, string(c))
	}
	for _, a := range m.Actions {
		d.Actions = append(d.Actions, &pb.ActionDescription{
			Name: a.Name, Title: a.Title, InputSchema: string(a.InputSchema), OutputSchema: string(a.OutputSchema),
			Role: a.Role, ReadOnly: a.ReadOnly,
		})
	}
	if p, ok := in.plugin.(Preflighter); ok {
		for _, x := range p.Missing() {
			d.Missing = append(d.Missing, &pb.Missing{What: x.What, Fix: x.Fix, Fatal: x.Fatal})
		}
	}
	return d
}

// Check looks at a candidate config.
func (in *instance) Check(ctx context.Context, r *pb.CheckRequest) (*pb.CheckResult, error) {
	out := &pb.CheckResult{}
	panicked := in.guard("Check", func() {
		if c, ok := in.author().(Checker); ok {
			out.Problems = problemsToProto(c.Check(ctx, configOf(0, r.GetConfig(), r.GetDevices())))
		}
	})
	if panicked {
		return nil, errPanicked()
	}
	return out, nil
}

func configOf(revision uint64, config string, devices []*pb.DeviceEntry) Config {
	return Config{Revision: revision, JSON: []byte(config), Devices: devicesFrom(devices)}
}

// Configure takes the config. The first one starts Run; a later one goes to the
// author's Reconfigure, or asks for a restart.
func (in *instance) Configure(ctx context.Context, r *pb.ConfigureRequest) (*pb.ConfigureResult, error) {
	in.configure.Lock()
	defer in.configure.Unlock()
	old := in.setup()
	if old == nil {
		return in.start(r)
	}
	if sameSettings(old, r) {
		in.take(r)
		return applied(), nil
	}
	re, ok := in.author().(Reconfigurer)
	if !ok {
		return restartNeeded(), nil
	}
	var err error
	if in.guard("Reconfigure", func() {
		err = re.Reconfigure(ctx, configOf(r.GetRevision(), r.GetConfig(), r.GetDevices()))
	}) {
		return nil, errPanicked()
	}
	switch {
	case errors.Is(err, ErrRestart):
		return restartNeeded(), nil
	case err != nil:
		return &pb.ConfigureResult{Error: errorToProto(err)}, nil
	}
	in.take(r)
	return applied(), nil
}

func applied() *pb.ConfigureResult {
	return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_APPLIED}
}

func restartNeeded() *pb.ConfigureResult {
	return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_RESTART_NEEDED}
}

// sameSettings tells whether only the revision or the grant differ.
func sameSettings(a, b *pb.ConfigureRequest) bool {
	x, y := proto.CloneOf(a), proto.CloneOf(b)
	x.Revision, y.Revision, x.Grant, y.Grant, x.HubFeatures, y.HubFeatures = 0, 0, nil, nil, nil, nil
	return proto.Equal(x, y)
}

func (in *instance) take(r *pb.ConfigureRequest) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.conf = r
}

func (in *instance) start(r *pb.ConfigureRequest) (*pb.ConfigureResult, error) {
	if in.guard("New", func() { in.author() }) {
		return nil, errPanicked()
	}
	book, err := ledger.Open(r.GetDataDir())
	in.mu.Lock()
	in.conf, in.ledger = r, book
	if b, ok := in.plugin.(Bridge); ok {
		in.subs[0] = newSubscription(in, 0, "", b.HandleEvent)
	}
	in.mu.Unlock()
	if err != nil {
		in.forgetful(err)
	}
	in.begin(in.run)
	return applied(), nil
}

// run begins when the hub has opened its Link, so that what Run has to say, its
// early end too, is heard; a hub that opens none is not waited for.
func (in *instance) run() {
	ctx, cancel := context.WithTimeout(in.ctx, linkWait)
	_ = in.link.Attached(ctx)
	cancel()
	in.guard("Run", func() {
		err := in.author().Run(in.ctx, in.hub)
		if err == nil || in.ctx.Err() != nil {
			return
		}
		in.log.Error("run ended", "error", err.Error())
		ctx, cancel := context.WithTimeout(context.Background(), lifelineWait)
		defer cancel()
		_ = in.link.Flush(ctx) // as far as it goes; stderr has it all the same
		fmt.Fprintf(in.stderr, "run ended: %v\n", err)
		in.end(exitRun)
	})
}

// Health answers how the parts are.
func (in *instance) Health(ctx context.Context, _ *pb.HealthRequest) (*pb.HealthReport, error) {
	out := &pb.HealthReport{}
	if in.setup() == nil {
		return out, nil
	}
	panicked := in.guard("Health", func() {
		h, ok := in.author().(Healther)
		if !ok {
			return
		}
		for _, p := range h.Health(ctx) {
			since := p.Since
			if since.IsZero() {
				since = in.since
			}
			out.Parts = append(out.Parts, &pb.PartHealth{
				Part: p.Name, State: pb.PartHealth_State(p.State), Reason: p.Reason, Fix: p.Fix, Since: timestamppb.New(since),
			})
		}
	})
	if panicked {
		return nil, errPanicked()
	}
	return out, nil
}

// Stop ends the author's work within the deadline; the process ends soon after the answer.
func (in *instance) Stop(ctx context.Context, r *pb.StopRequest) (*pb.StopResult, error) {
	if d := r.GetDeadline().AsDuration(); d > 0 {
		var cancel context.CancelFunc
		// A tenth is kept back for the answer's way.
		ctx, cancel = context.WithTimeout(ctx, d-d/10)
		defer cancel()
	}
	in.halt()
	in.settle(ctx)
	_ = in.urgent.Flush(ctx) // the last acks; what is lost is delivered again
	_ = in.link.Flush(ctx)
	time.AfterFunc(exitWait, func() { in.end(exitOK) })
	return &pb.StopResult{}, nil
}
