package instance

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/porchlight-hub/porchlight/sdk/event"
	"github.com/porchlight-hub/porchlight/sdk/internal/ledger"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// linkWait is how long Run waits for the hub to open the Link after Configure.
const linkWait = 2 * time.Second

// Author is the author's plugin in the words of the protocol, as sdk dresses it.
// Every function may panic; the instance sees to that.
type Author struct {
	Describe func() *pb.Description
	Check    func(context.Context, *pb.CheckRequest) []*pb.Problem
	// Reconfigure takes a changed config; restart tells that it takes a fresh process.
	Reconfigure func(context.Context, *pb.ConfigureRequest) (restart bool, err error)
	Run         func(context.Context) error
	Health      func(context.Context) []*pb.PartHealth
	// Handle takes the events of the manifest's filters; nil: the author hears none.
	Handle func(context.Context, event.Delivery) error
	// Obey carries out a command that arrived at the given time.
	Obey func(ctx context.Context, c *pb.Command, arrived time.Time) (*pb.Reply, error)
	// Explain types an error of the author's for the hub.
	Explain func(error) *pb.Error
}

// Instance is one running plugin: the author's value and its connection to the hub.
// Its exported methods may be called at once, but the RPCs, which are the hub's.
type Instance struct {
	pluginv1grpc.UnimplementedPluginServer

	dress  func(*Instance) Author
	stderr io.Writer
	exit   func(code int)
	first  func() // before the author's first line runs
	log    *slog.Logger

	born   sync.Once
	author Author

	urgent *wire.Outbox[*pb.UrgentFromPlugin]
	link   *wire.Outbox[*pb.FromPlugin]
	calls  *wire.Calls

	ctx  context.Context // ends when the plugin is stopped
	stop context.CancelFunc
	work sync.WaitGroup // Run, handlers, commands

	// mu guards what follows and keeps work.Go apart from a Wait on it.
	mu       sync.Mutex
	conf     *pb.ConfigureRequest // replaced whole, never changed
	draining bool
	stopping bool
	ended    bool
	ledger   *ledger.Ledger
	streams  map[lane]*attachment
	subs     map[uint32]*Subscription
	opening  int                      // Subscribe calls under way
	early    map[uint32][]*earlyEvent // deliveries that overtook the SubscribeReply

	answered  answers
	slots     map[lane]chan struct{} // commands that run; see LinkCommands
	configure sync.Mutex             // one Configure at a time
	unknown   atomic.Uint64
}

// lane is one of the two streams.
type lane bool

const (
	onUrgent lane = true
	onLink   lane = false
)

func newInstance(dress func(*Instance) Author, stderr io.Writer, exit func(int)) *Instance {
	in := &Instance{
		dress: dress, stderr: stderr, exit: exit, first: func() {},
		urgent: wire.NewOutbox(func(p *pb.Publish) *pb.UrgentFromPlugin {
			return &pb.UrgentFromPlugin{M: &pb.UrgentFromPlugin_Publish{Publish: p}}
		}),
		link: wire.NewOutbox(func(p *pb.Publish) *pb.FromPlugin {
			return &pb.FromPlugin{M: &pb.FromPlugin_Publish{Publish: p}}
		}),
		streams: make(map[lane]*attachment), subs: make(map[uint32]*Subscription),
		early: make(map[uint32][]*earlyEvent),
	}
	in.answered.byKey = make(map[string]*answer)
	in.slots = map[lane]chan struct{}{onUrgent: make(chan struct{}, urgentCommands), onLink: make(chan struct{}, LinkCommands)}
	in.calls = wire.NewCalls(in.link)
	in.ctx, in.stop = context.WithCancel(context.Background())
	in.log = slog.New(newLogHandler(in.link, stderr))
	return in
}

// self is the author's value, made when it is first needed.
func (in *Instance) self() *Author {
	in.born.Do(func() {
		in.first()
		in.author = in.dress(in)
	})
	return &in.author
}

// Log goes over the Link, or to stderr while there is none.
func (in *Instance) Log() *slog.Logger { return in.log }

// Context ends when the plugin is to stop.
func (in *Instance) Context() context.Context { return in.ctx }

// Setup is the config in force; empty before the first Configure.
func (in *Instance) Setup() *pb.ConfigureRequest {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.conf
}

// Guard runs the author's code. A panic in it is reported and ends the process
// with code 70; the hub starts a fresh one.
func (in *Instance) Guard(what string, f func()) (panicked bool) {
	defer func() {
		if v := recover(); v != nil {
			panicked = true
			in.report(what, v, debug.Stack())
		}
	}()
	f()
	return false
}

func (in *Instance) report(what string, v any, stack []byte) {
	in.halt() // what the panic left half done is not built upon
	in.log.Error("panic", "in", what, "panic", fmt.Sprint(v), "stack", string(stack))
	ctx, cancel := context.WithTimeout(context.Background(), lifelineWait)
	defer cancel()
	_ = in.link.Flush(ctx) // as far as it goes; stderr has it all the same
	fmt.Fprintf(in.stderr, "panic in %s: %v\n%s", what, v, stack)
	in.end(exitPanic)
}

// Begin starts a piece of work for which Stop waits; false: the plugin is stopping.
func (in *Instance) Begin(f func()) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopping {
		return false
	}
	in.work.Go(f)
	return true
}

// end ends the process once; the first code counts.
func (in *Instance) end(code int) { in.exit(code) }

// hubGone gives the author's code a moment and ends the process.
func (in *Instance) hubGone() {
	in.halt()
	ctx, cancel := context.WithTimeout(context.Background(), lifelineWait)
	defer cancel()
	in.settle(ctx)
	in.end(exitHubGone)
}

// halt begins the end: no new work, every context of the author ends.
func (in *Instance) halt() {
	in.mu.Lock()
	in.stopping = true
	in.mu.Unlock()
	in.stop()
}

// settle waits for the author's code, until ctx ends.
func (in *Instance) settle(ctx context.Context) {
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
func (in *Instance) close() {
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

func (in *Instance) wait() { in.work.Wait() }

// Describe answers who the plugin is.
func (in *Instance) Describe(context.Context, *pb.DescribeRequest) (*pb.Description, error) {
	var d *pb.Description
	if in.Guard("Manifest", func() { d = in.self().Describe() }) {
		return nil, errPanicked()
	}
	return d, nil
}

func errPanicked() error { return status.Error(codes.Internal, "the plugin panicked; see its log") }

// Check looks at a candidate config.
func (in *Instance) Check(ctx context.Context, r *pb.CheckRequest) (*pb.CheckResult, error) {
	out := &pb.CheckResult{}
	if in.Guard("Check", func() { out.Problems = in.self().Check(ctx, r) }) {
		return nil, errPanicked()
	}
	return out, nil
}

// Configure takes the config. The first one starts Run; a later one goes to the
// author's Reconfigure, or asks for a restart.
func (in *Instance) Configure(ctx context.Context, r *pb.ConfigureRequest) (*pb.ConfigureResult, error) {
	in.configure.Lock()
	defer in.configure.Unlock()
	old := in.Setup()
	if old == nil {
		return in.start(r)
	}
	if sameSettings(old, r) {
		in.take(r)
		return applied(), nil
	}
	var restart bool
	var err error
	if in.Guard("Reconfigure", func() { restart, err = in.self().Reconfigure(ctx, r) }) {
		return nil, errPanicked()
	}
	switch {
	case err != nil:
		return &pb.ConfigureResult{Error: in.author.Explain(err)}, nil
	case restart:
		return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_RESTART_NEEDED}, nil
	}
	in.take(r)
	return applied(), nil
}

func applied() *pb.ConfigureResult {
	return &pb.ConfigureResult{Outcome: pb.ConfigureResult_OUTCOME_APPLIED}
}

// sameSettings tells whether only the revision or the grant differ.
func sameSettings(a, b *pb.ConfigureRequest) bool {
	x, y := proto.CloneOf(a), proto.CloneOf(b)
	x.Revision, y.Revision, x.Grant, y.Grant, x.HubFeatures, y.HubFeatures = 0, 0, nil, nil, nil, nil
	return proto.Equal(x, y)
}

func (in *Instance) take(r *pb.ConfigureRequest) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.conf = r
}

func (in *Instance) start(r *pb.ConfigureRequest) (*pb.ConfigureResult, error) {
	if in.Guard("New", func() { in.self() }) {
		return nil, errPanicked()
	}
	book, err := ledger.Open(r.GetDataDir())
	in.mu.Lock()
	in.conf, in.ledger = r, book
	if in.author.Handle != nil {
		in.subs[0] = newSubscription(in, 0, "", in.author.Handle)
	}
	in.mu.Unlock()
	if err != nil {
		in.forgetful(err)
	}
	in.Begin(in.run)
	return applied(), nil
}

// run begins when the hub has opened its Link, so that what Run has to say, its
// early end too, is heard; a hub that opens none is not waited for.
func (in *Instance) run() {
	ctx, cancel := context.WithTimeout(in.ctx, linkWait)
	_ = in.link.Attached(ctx)
	cancel()
	if in.ctx.Err() != nil {
		return // stopped before it began
	}
	in.Guard("Run", func() {
		err := in.self().Run(in.ctx)
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
func (in *Instance) Health(ctx context.Context, _ *pb.HealthRequest) (*pb.HealthReport, error) {
	out := &pb.HealthReport{}
	if in.Setup() == nil {
		return out, nil
	}
	if in.Guard("Health", func() { out.Parts = in.self().Health(ctx) }) {
		return nil, errPanicked()
	}
	return out, nil
}

// Stop ends the author's work within the deadline; the process ends soon after the answer.
func (in *Instance) Stop(ctx context.Context, r *pb.StopRequest) (*pb.StopResult, error) {
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
