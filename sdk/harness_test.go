package sdk

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/porchlight-hub/porchlight/sdk/manifest"
	pb "github.com/porchlight-hub/porchlight/sdk/proto/pluginv1"
	"github.com/porchlight-hub/porchlight/sdk/proto/pluginv1grpc"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// stub is a plugin made of functions.
type stub struct {
	run    func(context.Context, *Hub) error
	handle func(context.Context, Delivery) error
	play   func(context.Context, PlayRequest) (PlayResult, error)
	ident  func(context.Context, string) error
}

func (stub) Manifest() manifest.Manifest {
	return manifest.Manifest{ID: "org.example.stub", Name: "Stub", Version: "1.0.0", Capabilities: []manifest.Capability{manifest.Bridge, manifest.Chime}}
}

func (s stub) Run(ctx context.Context, h *Hub) error {
	if s.run == nil {
		return nil
	}
	return s.run(ctx, h)
}

func (s stub) HandleEvent(ctx context.Context, d Delivery) error { return s.handle(ctx, d) }

func (s stub) Play(ctx context.Context, r PlayRequest) (PlayResult, error) { return s.play(ctx, r) }

func (s stub) Identify(ctx context.Context, d string) error { return s.ident(ctx, d) }

// peer is the hub's end of a connection, in the protocol's own words.
type peer struct {
	t      *testing.T
	ctx    context.Context
	client pluginv1grpc.PluginClient
	code   chan int // the exit code, once
	urgent pluginv1grpc.Plugin_UrgentClient
	link   pluginv1grpc.Plugin_LinkClient
	cancel context.CancelFunc
	stderr *lines
}

// lines keeps what is written.
type lines struct {
	mu sync.Mutex
	b  []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b = append(l.b, b...)
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.b)
}

// connect starts the plugin and connects, nothing more.
func connect(t *testing.T, p Plugin) *peer {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	pe := &peer{t: t, ctx: ctx, code: make(chan int, 1), stderr: &lines{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		pe.code <- ServeConn(ctx, conns[0], func() Plugin { return p }, pe.stderr)
	}()
	conn, err := grpc.NewClient("passthrough:plugin", append(wire.DialOptions(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return conns[1], nil }))...)
	if err != nil {
		t.Fatal(err)
	}
	pe.client = wire.NewClient(conn)
	t.Cleanup(func() {
		cancel()
		conn.Close()
		conns[1].Close()
		<-ended
	})
	return pe
}

func (p *peer) configure(dataDir string) {
	p.t.Helper()
	p.configureWith(&pb.ConfigureRequest{Revision: 1, Entry: "stub", DataDir: dataDir, InstanceDir: p.t.TempDir()})
}

func (p *peer) configureWith(c *pb.ConfigureRequest) {
	p.t.Helper()
	r, err := p.client.Configure(p.ctx, c)
	if err != nil || r.GetOutcome() != pb.ConfigureResult_OUTCOME_APPLIED {
		p.t.Fatalf("configure: %v, %v", r, err)
	}
}

// open opens both streams.
func (p *peer) open() {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.ctx)
	var err error
	if p.urgent, err = p.client.Urgent(ctx); err != nil {
		p.t.Fatal(err)
	}
	if p.link, err = p.client.Link(ctx); err != nil {
		p.t.Fatal(err)
	}
	p.cancel = cancel
}

// start is connect, configure and open.
func start(t *testing.T, p Plugin) *peer {
	t.Helper()
	pe := connect(t, p)
	pe.configure(t.TempDir())
	pe.open()
	return pe
}

func (p *peer) recvUrgent() *pb.UrgentFromPlugin {
	p.t.Helper()
	m, err := p.urgent.Recv()
	if err != nil {
		p.t.Fatalf("urgent: %v; stderr: %s", err, p.stderr)
	}
	return m
}

func (p *peer) recvLink() *pb.FromPlugin {
	p.t.Helper()
	m, err := p.link.Recv()
	if err != nil {
		p.t.Fatalf("link: %v; stderr: %s", err, p.stderr)
	}
	return m
}

func (p *peer) sendUrgent(m *pb.UrgentFromHub) {
	p.t.Helper()
	if err := p.urgent.Send(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) sendLink(m *pb.FromHub) {
	p.t.Helper()
	if err := p.link.Send(m); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) command(id string, deadline time.Duration, key string, c *pb.Command) *pb.Command {
	c.Id, c.IdempotencyKey, c.Deadline = id, key, durationpb.New(deadline)
	return c
}

func urgentResult(r *pb.PublishResult) *pb.UrgentFromHub {
	return &pb.UrgentFromHub{M: &pb.UrgentFromHub_Result{Result: r}}
}

func linkResult(r *pb.PublishResult) *pb.FromHub {
	return &pb.FromHub{M: &pb.FromHub_Result{Result: r}}
}

func rejected(id string, code pb.Code, after time.Duration) *pb.PublishResult {
	return &pb.PublishResult{EventId: id, Outcome: pb.PublishResult_OUTCOME_REJECTED, Error: &pb.Error{Code: code, Message: "no", RetryAfter: durationpb.New(after)}}
}

func ids(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprint(i))
	}
	return out
}
