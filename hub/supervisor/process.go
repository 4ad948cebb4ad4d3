package supervisor

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

	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
	"github.com/porchlight-hub/porchlight/hub/supervisor/runner"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// connectTimeout bounds dialling the socket and TLS on it; both are local.
const connectTimeout = 5 * time.Second

// process is one started plugin: go-plugin's client with our runner below it.
type process struct {
	run    *runner.Runner
	client *goplugin.Client
	plugin pluginv1grpc.PluginClient
	dir    string

	mu    sync.Mutex
	conns []*grpc.ClientConn // all that go-plugin made; it forgets those whose first call fails
}

// start runs what spec says and shakes hands. On failure nothing is left behind.
// dir is the instance directory, which must exist.
func (s *Supervisor) start(ctx context.Context, spec Spec, dir string, lines func(runner.Line)) (*process, *Failure) {
	target, args, f := s.open(spec)
	if f != nil {
		return nil, f
	}
	if target.File != s.self {
		defer target.File.Close()
	}
	if spec.Sandbox == "required" && spec.Builtin == "" {
		return nil, fail(codeSandbox, "set `sandbox: best-effort` for this plugin, or wait for a version with all walls",
			"sandbox is required, and this version of the hub has it only in part").block()
	}
	dataDir := s.dataDir(spec.Name)
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return nil, fail(codeStart, "check the permissions of the data directory", "data folder: %v", err).because(err)
	}
	p := &process{dir: dir}
	stop := func() bool { return false }
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		Plugins:          wire.Calling(),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     spec.Limits.Start,
		Logger:           hclog.NewNullLogger(), // its errors come back as values
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		GRPCDialOptions:  p.dialOptions(),
		// After the handshake go-plugin's server sends what is written to os.Stdout and
		// os.Stderr over the connection; nobody reading it would block the plugin.
		SyncStdout: runner.NewWriter("stdout", lines),
		SyncStderr: runner.NewWriter("stderr", lines),
		RunnerFunc: func(_ hclog.Logger, cmd *exec.Cmd, _ string) (goplugin_runner.Runner, error) {
			p.run = runner.New(runner.Config{
				Name: spec.Name, Starter: s.starter, Hub: s.self, Target: target, Dir: dir, Lines: lines,
				Policy: launch.Policy{Args: args, Env: environment(spec, dataDir), Dir: dataDir, Limits: limitsOf(spec)},
			}, cmd.Env)
			// go-plugin's Start knows no context: ending the process ends it.
			stop = context.AfterFunc(ctx, p.kill)
			return p.run, nil
		},
	})
	_, err := p.client.Start()
	if err == nil {
		var c goplugin.ClientProtocol
		if c, err = p.client.Client(); err == nil {
			p.plugin = wire.NewClient(c.(*goplugin.GRPCClient).Conn)
		}
	}
	stop()
	if err != nil {
		f := explainStart(p.run, spec, err)
		p.end()
		return nil, f
	}
	return p, nil
}

// dialOptions are the limits of the wire, our own dialler, and no broker: its
// stream is refused before it is opened, so that a plugin cannot fill the hub's
// memory with promises of connections.
func (p *process) dialOptions() []grpc.DialOption {
	return append(wire.DialOptions(),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			return p.run.Dial()
		}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: connectTimeout}),
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

// kill ends the process and its group; it does not wait.
func (p *process) kill() {
	if p.run != nil {
		_ = p.run.Kill(context.Background())
	}
}

// end kills what still lives and tidies up: first the process, then go-plugin's
// client, whose Kill makes calls without a deadline while the process lives.
func (p *process) end() {
	p.kill()
	if p.run != nil && p.run.PID() != 0 {
		<-p.run.Gone()
	}
	p.client.Kill()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close() // closed before, as a rule
	}
}

func (p *process) keep(cc *grpc.ClientConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.conns, cc) {
		p.conns = append(p.conns, cc)
	}
}

// explainStart turns what went wrong between fork and handshake into a reason.
func explainStart(run *runner.Runner, spec Spec, err error) *Failure {
	var l *launch.Error
	if errors.As(err, &l) {
		if l.Layer == "exec" {
			return fail(codeStart, "run it by hand to see what the system says", "the system refused to execute it: %s", l.Cause).block().because(err)
		}
		return fail(codeLaunch, "see `porchlight doctor`; the plugin is not started without it", "the sandbox layer %q could not be applied: %s", l.Layer, l.Cause).block().because(err)
	}
	if run == nil || run.PID() == 0 {
		return fail(codeStart, "", "%v", err).because(err)
	}
	if refused := run.Refused(); refused != nil {
		return fail(codeAddress, "the plugin must listen where go-plugin tells it to; report it to its author", "the plugin named an address that the hub does not connect to: %v", refused).block().because(err)
	}
	line, handshake := handshakeLine(run.Head())
	switch {
	case handshake && line.core != goplugin.CoreProtocolVersion:
		return protocolFailure(line.core, goplugin.CoreProtocolVersion, "handshake").because(err)
	case handshake && line.app != wire.ProtocolVersion:
		return protocolFailure(line.app, wire.ProtocolVersion, "protocol").because(err)
	case handshake:
		return fail(codeConnect, "the plugin must serve gRPC with go-plugin's AutoMTLS; report it to its author", "the handshake was right, the connection was not: %v", err).because(err)
	case run.Head() != "":
		return fail(codeNoise, "log to stderr: the first line of stdout belongs to the handshake", "it wrote to stdout before the handshake: %s", quoted(run.Head())).because(err)
	}
	// go-plugin sees the end of stdout a moment before the kernel tells the exit.
	wait := time.NewTimer(runner.WaitDelay)
	defer wait.Stop()
	select {
	case <-run.Exited():
		if !run.Killed() {
			return fail(codeEarlyExit, "see its last log lines", "it ended before the handshake with %s", run.Exit()).because(err)
		}
	case <-wait.C:
	}
	return fail(codeHandshake, "start it by hand to see what it waits for; limits.start allows more time", "no handshake within %s", spec.Limits.Start).because(err)
}

func protocolFailure(have, want int, what string) *Failure {
	side := "update the plugin"
	if have > want {
		side = "update Porchlight"
	}
	return fail(codeProtocol, side, "the plugin speaks %s version %d, the hub speaks %d", what, have, want).block()
}

type handshake struct{ core, app int }

// handshakeLine reads core|app|network|address|… as go-plugin prints it.
func handshakeLine(head string) (handshake, bool) {
	first, _, _ := strings.Cut(head, "\n")
	var h handshake
	parts := strings.Split(strings.TrimSpace(first), "|")
	if len(parts) < 4 {
		return h, false
	}
	if _, err := fmt.Sscanf(parts[0]+" "+parts[1], "%d %d", &h.core, &h.app); err != nil {
		return h, false
	}
	return h, true
}

// quoted is the first 200 characters, fit for a terminal.
func quoted(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) > 200 {
		s = string([]rune(s)[:200]) + "…"
	}
	return fmt.Sprintf("%q", strings.TrimRight(s, "\n"))
}
