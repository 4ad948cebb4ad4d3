package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	goplugin_runner "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/porchlight-hub/porchlight/hub/supervisor/fault"
	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// ConnectTimeout bounds dialling the socket and TLS on it; both are local.
const ConnectTimeout = 5 * time.Second

// Process is one started plugin: go-plugin's client with our runner below it.
type Process struct {
	Run    *runner.Runner
	Plugin pluginv1grpc.PluginClient
	Dir    string // the instance directory

	client *goplugin.Client

	mu    sync.Mutex
	conns []*grpc.ClientConn // all that go-plugin made; it forgets those whose first call fails
}

// Start runs what w says and shakes hands. On failure nothing is left behind.
// dir is the instance directory, which must exist.
func (pl *Place) Start(ctx context.Context, w Want, dir string, lines func(runner.Line)) (*Process, *fault.Failure) {
	target, args, f := pl.open(w)
	if f != nil {
		return nil, f
	}
	if target.File != pl.self {
		defer target.File.Close()
	}
	if w.Sandbox == "required" && w.Builtin == "" {
		return nil, fault.New(fault.Sandbox, "set `sandbox: best-effort` for this plugin, or wait for a version with all walls",
			"sandbox is required, and this version of the hub has it only in part").Block()
	}
	dataDir := pl.DataDir(w.Name)
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fault.New(fault.Start, "check the permissions of the data directory", "data folder: %v", err).Because(err)
	}
	p := &Process{Dir: dir}
	stop := func() bool { return false }
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		Plugins:          wire.Calling(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     w.Within,
		Logger:           hclog.NewNullLogger(), // its errors come back as values
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		GRPCDialOptions:  p.dialOptions(),
		// After the handshake go-plugin's server sends what is written to os.Stdout and
		// os.Stderr over the connection; nobody reading it would block the plugin.
		SyncStdout: runner.NewWriter("stdout", lines),
		SyncStderr: runner.NewWriter("stderr", lines),
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (goplugin_runner.Runner, error) {
			p.Run = runner.New(runner.Config{
				Name: w.Name, Starter: pl.fork, Hub: pl.self, Target: target, Dir: dir, Lines: lines,
				Policy: launch.Policy{Args: args, Env: environment(w, dataDir), Dir: dataDir, Limits: limitsOf(w)},
			}, cmd.Env)
			// go-plugin's Start knows no context: ending the process ends it.
			stop = context.AfterFunc(ctx, p.Kill)
			return p.Run, nil
		},
	})
	_, err := p.client.Start()
	if err == nil {
		var c goplugin.ClientProtocol
		if c, err = p.client.Client(); err == nil {
			p.Plugin = wire.NewClient(c.(*goplugin.GRPCClient).Conn)
		}
	}
	stop()
	if err != nil {
		f := Explain(p.Run, w.Within, err)
		p.End()
		return nil, f
	}
	return p, nil
}

// dialOptions are the limits of the wire, our own dialler, and no broker: its
// stream is refused before it is opened, so that a plugin cannot fill the hub's
// memory with promises of connections.
func (p *Process) dialOptions() []grpc.DialOption {
	return append(wire.DialOptions(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			return p.Run.Dial()
		}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: ConnectTimeout}),
		grpc.WithChainStreamInterceptor(func(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, method string, next grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
			p.keep(cc)
			if strings.HasPrefix(method, "/plugin.GRPCBroker/") {
				return nil, status.Error(codes.Unimplemented, "the broker is not used")
			}
			return next(ctx, d, cc, method, opts...)
		}),
		grpc.WithMaxHeaderListSize(16<<10),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithIdleTimeout(0),
	)
}

// Kill ends the process and its group; it does not wait.
func (p *Process) Kill() {
	if p.Run != nil {
		_ = p.Run.Kill(context.Background())
	}
}

// End kills what still lives and tidies up: first the process, then go-plugin's
// client, whose Kill makes calls without a deadline while the process lives.
func (p *Process) End() {
	p.Kill()
	if p.Run != nil && p.Run.PID() != 0 {
		<-p.Run.Gone()
	}
	p.client.Kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close() // closed before, as a rule
	}
}

func (p *Process) keep(cc *grpc.ClientConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.conns, cc) {
		p.conns = append(p.conns, cc)
	}
}

// Explain turns what went wrong between fork and handshake into a reason.
func Explain(run *runner.Runner, within time.Duration, err error) *fault.Failure {
	var l *launch.Error
	if errors.As(err, &l) {
		if l.Layer == "exec" {
			return fault.New(fault.Start, "run it by hand to see what the system says", "the system refused to execute it: %s", l.Cause).Block().Because(err)
		}
		return fault.New(fault.Launch, "see `porchlight doctor`; the plugin is not started without it", "the sandbox layer %q could not be applied: %s", l.Layer, l.Cause).Block().Because(err)
	}
	if run == nil || run.PID() == 0 {
		return fault.New(fault.Start, "", "%v", err).Because(err)
	}
	if refused := run.Refused(); refused != nil {
		return fault.New(fault.Address, "the plugin must listen where go-plugin tells it to; report it to its author", "the plugin named an address that the hub does not connect to: %v", refused).Block().Because(err)
	}
	line, said := runner.ReadHandshake(run.Head())
	switch {
	case said && line.Core != goplugin.CoreProtocolVersion:
		return protocolFailure(line.Core, goplugin.CoreProtocolVersion, "handshake").Because(err)
	case said && line.App != wire.ProtocolVersion:
		return protocolFailure(line.App, wire.ProtocolVersion, "protocol").Because(err)
	case said:
		return fault.New(fault.Connect, "the plugin must serve gRPC with go-plugin's AutoMTLS; report it to its author", "the handshake was right, the connection was not: %v", err).Because(err)
	case run.Head() != "":
		return fault.New(fault.Noise, "log to stderr: the first line of stdout belongs to the handshake", "it wrote to stdout before the handshake: %s", quoted(run.Head())).Because(err)
	}
	// go-plugin sees the end of stdout a moment before the kernel tells the exit.
	wait := time.NewTimer(runner.WaitDelay)
	defer wait.Stop()
	select {
	case <-run.Exited():
		if !run.Killed() {
			return fault.New(fault.EarlyExit, "see its last log lines", "it ended before the handshake with %s", run.Exit()).Because(err)
		}
	case <-wait.C:
	}
	return fault.New(fault.Handshake, "start it by hand to see what it waits for; limits.start allows more time", "no handshake within %s", within).Because(err)
}

func protocolFailure(have, want int, what string) *fault.Failure {
	side := "update the plugin"
	if have > want {
		side = "update Porchlight"
	}
	return fault.New(fault.Protocol, side, "the plugin speaks %s version %d, the hub speaks %d", what, have, want).Block()
}

// quoted is the first 200 characters, fit for a terminal.
func quoted(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) > 200 {
		s = string([]rune(s)[:200]) + "…"
	}
	return fmt.Sprintf("%q", strings.TrimRight(s, "\n"))
}
