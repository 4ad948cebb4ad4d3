package plugintest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/porchlight-hub/porchlight/sdk"
	"github.com/porchlight-hub/porchlight/sdk/wire"
)

// handshakeTime is how long a plugin has for its handshake line.
const handshakeTime = 10 * time.Second

// target makes running plugins for the rules.
type target interface {
	// start runs one; dir is where its sockets go.
	start(dir string, env []string) (*running, error)
}

// running is one running plugin.
type running struct {
	conn   grpc.ClientConnInterface
	pid    int           // 0: in this process
	exited chan struct{} // closed when it has ended
	code   func() int    // its exit code, after exited
	stdin  io.Closer     // nil in this process
	noise  func() string // what it printed on stdout beside the handshake line
	stderr func() string
	kill   func() // at once; then waits for its end
}

// ---- in this process -----------------------------------------------------------

type inProcess struct{ newPlugin func() sdk.Plugin }

func (p inProcess) start(string, []string) (*running, error) {
	theirs, ours, err := socketPair()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:plugin", append(wire.DialOptions(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(once(ours)))...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	stderr, code := &tail{}, 0
	r := &running{conn: conn, exited: make(chan struct{}), noise: func() string { return "" }, stderr: stderr.String}
	go func() {
		code = sdk.ServeConn(ctx, theirs, p.newPlugin, stderr)
		close(r.exited)
	}()
	r.code = func() int { return code }
	r.kill = func() {
		cancel()
		_ = conn.Close()
		_ = ours.Close()
		<-r.exited
	}
	return r, nil
}

// once dials the one connection there is.
func once(c net.Conn) func(context.Context, string) (net.Conn, error) {
	var mu sync.Mutex
	return func(context.Context, string) (net.Conn, error) {
		mu.Lock()
		defer mu.Unlock()
		if c == nil {
			return nil, net.ErrClosed
		}
		out := c
		c = nil
		return out, nil
	}
}

func socketPair() (a, b net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "pair")
		conns[i], err = net.FileConn(f)
		_ = f.Close()
		if err != nil {
			return nil, nil, fmt.Errorf("socket pair: %w", err)
		}
	}
	return conns[0], conns[1], nil
}

// ---- a process of its own ------------------------------------------------------

type process struct{ cmd func() *exec.Cmd }

func (p process) start(dir string, env []string) (*running, error) {
	var k *child
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: wire.Handshake(), Plugins: wire.Calling(),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC}, GRPCDialOptions: wire.DialOptions(),
		AutoMTLS: true, SkipHostEnv: true, StartTimeout: handshakeTime,
		Logger: hclog.NewNullLogger(), UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: dir},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, tmp string) (runner.Runner, error) {
			k = newChild(p.cmd(), append(spec.Env, env...), tmp)
			return k, nil
		},
	})
	r := &running{}
	c, err := client.Client()
	if k != nil {
		r.exited, r.code, r.stdin, r.noise, r.stderr = k.exited, k.exitCode, k.stdin, k.noise, k.errors.String
		r.kill = func() {
			_ = k.Kill(context.Background())
			<-k.exited
			client.Kill()
		}
		r.pid = k.pid()
	}
	if err != nil {
		if r.kill != nil {
			r.kill()
		}
		return r, fmt.Errorf("handshake: %w", err)
	}
	r.conn = c.(*plugin.GRPCClient).Conn
	return r, nil
}

// child is go-plugin's runner for the kit: it keeps a lifeline on stdin, and looks
// at what comes on stdout after the handshake line.
type child struct {
	cmd    *exec.Cmd
	dir    string
	stdin  io.WriteCloser
	out    *io.PipeReader
	outW   *io.PipeWriter
	errR   *io.PipeReader
	errW   *io.PipeWriter
	errors *tail
	exited chan struct{}

	mu    sync.Mutex
	line  bool
	extra strings.Builder
}

func newChild(cmd *exec.Cmd, env []string, dir string) *child {
	k := &child{cmd: cmd, dir: dir, errors: &tail{}, exited: make(chan struct{})}
	k.out, k.outW = io.Pipe()
	k.errR, k.errW = io.Pipe()
	cmd.Env = append(append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir}, cmd.Env...), env...)
	cmd.Stdout = writer(k.stdout)
	cmd.Stderr = io.MultiWriter(k.errors, writer(func(b []byte) { _, _ = k.errW.Write(b) }))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 2 * time.Second // a grandchild may hold the pipes
	return k
}

type writer func([]byte)

func (w writer) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// stdout passes the first line on; the rest is noise.
func (k *child) stdout(b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.line {
		head, rest, found := strings.Cut(string(b), "\n")
		_, _ = k.outW.Write([]byte(head))
		if !found {
			return
		}
		_, _ = k.outW.Write([]byte("\n"))
		k.line, b = true, []byte(rest)
	}
	if k.extra.Len() < 4096 {
		k.extra.Write(b)
	}
}

func (k *child) noise() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.extra.String()
}

func (k *child) pid() int {
	if k.cmd.Process == nil {
		return 0
	}
	return k.cmd.Process.Pid
}

func (k *child) exitCode() int { return k.cmd.ProcessState.ExitCode() }

// Start begins the process.
func (k *child) Start(context.Context) error {
	var err error
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return err
	}
	if err := k.cmd.Start(); err != nil {
		close(k.exited)
		return err
	}
	go func() {
		_ = k.cmd.Wait() // the exit code is read from ProcessState
		_ = k.outW.Close()
		_ = k.errW.Close()
		close(k.exited)
	}()
	return nil
}

// The rest of runner.Runner.

func (k *child) Wait(context.Context) error {
	<-k.exited
	return nil
}

func (k *child) Kill(context.Context) error {
	if pid := k.pid(); pid > 0 {
		return syscall.Kill(-pid, syscall.SIGKILL)
	}
	return nil
}

func (k *child) Stdout() io.ReadCloser           { return k.out }
func (k *child) Stderr() io.ReadCloser           { return k.errR }
func (k *child) Name() string                    { return filepath.Base(k.cmd.Path) }
func (k *child) ID() string                      { return fmt.Sprint(k.pid()) }
func (k *child) Diagnose(context.Context) string { return k.errors.String() }

// PluginToHost lets only a socket in the plugin's own folder through.
func (k *child) PluginToHost(network, addr string) (string, string, error) {
	if network != "unix" || filepath.Dir(addr) != k.dir {
		return "", "", fmt.Errorf("address %s %s is no Unix socket in PLUGIN_UNIX_SOCKET_DIR", network, addr)
	}
	return network, addr, nil
}

func (k *child) HostToPlugin(network, addr string) (string, string, error) { return network, addr, nil }

// tail keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if len(t.b) > tailSize {
		t.b = t.b[len(t.b)-tailSize:]
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
