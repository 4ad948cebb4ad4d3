package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	goplugin "github.com/hashicorp/go-plugin/runner"

	"github.com/porchlight-hub/porchlight/hub/supervisor/launch"
)

var _ goplugin.Runner = (*Runner)(nil)

// WaitDelay is how long what a dead process wrote may still be read: a grandchild
// that holds its stderr open does not keep it alive for us.
const WaitDelay = 250 * time.Millisecond

// socketDirKey tells go-plugin's server where to put its socket.
const socketDirKey = "PLUGIN_UNIX_SOCKET_DIR"

// Config of one process.
type Config struct {
	Name    string
	Starter *Starter
	Hub     *os.File // the binary that holds the launcher; stays the caller's
	Target  *launch.Target
	Policy  launch.Policy // Env is the explicit list; go-plugin's own is added
	Dir     string        // the instance directory, 0700
	Lines   func(Line)    // what the plugin writes; called from two goroutines
	Now     func() time.Time
}

// Exit is how a process ended.
type Exit struct {
	Code   int
	Signal syscall.Signal // 0: it exited by itself
}

func (e Exit) String() string {
	if e.Signal != 0 {
		return fmt.Sprintf("signal %d (%s)", int(e.Signal), e.Signal)
	}
	return fmt.Sprintf("exit code %d", e.Code)
}

// Runner is one process, once.
type Runner struct {
	c   Config
	env []string

	cmd    *exec.Cmd
	walled bool
	stdin  *os.File
	stdout *io.PipeReader
	head   *head
	limit  *Limiter

	exited chan struct{} // closed when the process has ended
	gone   chan struct{} // closed when its group and pipes are done with too
	exit   Exit

	mu      sync.Mutex
	pid     int    // 0 before Start
	born    uint64 // start time of the process in ticks; 0: not known
	reaped  bool
	killed  bool           // by us, while it lived or before
	kin     map[int]uint64 // descendants seen: pid to start time
	looked  time.Time      // when they were read
	address string         // the socket that was accepted
	refused error          // or why it was not
}

// New is for go-plugin's RunnerFunc; env is the environment that go-plugin made.
func New(c Config, env []string) *Runner {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Runner{
		c: c, env: env, limit: NewLimiter(c.Now), kin: map[int]uint64{},
		exited: make(chan struct{}), gone: make(chan struct{}),
	}
}

// Start returns when the launcher has become the plugin.
func (r *Runner) Start(ctx context.Context) error {
	var theirEnds, ourEnds closers
	defer theirEnds.close()
	stdinR, stdinW, err1 := os.Pipe()
	stdoutR, stdoutW, err2 := os.Pipe()
	stderrR, stderrW, err3 := os.Pipe()
	ours, theirs, err4 := socketPair()
	theirEnds.add(stdinR, stdoutW, stderrW, theirs)
	ourEnds.add(stdinW, stdoutR, stderrR, ours)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		ourEnds.close()
		return fmt.Errorf("plugin %s: pipes: %w", r.c.Name, err)
	}
	policy := r.c.Policy
	policy.Script = r.c.Target.Script
	policy.Env = slices.Concat(policy.Env, r.pluginEnv())
	policy.Path = r.c.Target.File.Name()
	cmd, walled, err := r.c.Starter.Start(func() *exec.Cmd {
		return &exec.Cmd{
			Path:  childPath(r.c.Hub),
			Args:  []string{"porchlight", "plugin", "exec"},
			Env:   []string{marker(r.c.Dir)},
			Stdin: stdinR, Stdout: stdoutW, Stderr: stderrW,
			// In the order of launch.PolicyFD, TargetFD, HubFD.
			ExtraFiles:  []*os.File{theirs, r.c.Target.File, r.c.Hub},
			SysProcAttr: childAttributes(),
		}
	})
	if err != nil {
		ourEnds.close()
		return fmt.Errorf("plugin %s: start the launcher: %w", r.c.Name, err)
	}
	r.cmd, r.walled, r.stdin = cmd, walled, stdinW
	r.mu.Lock()
	r.pid = r.cmd.Process.Pid
	r.born = startOf(r.pid)
	if r.killed {
		_ = killGroup(r.pid)
	}
	r.mu.Unlock()
	theirEnds.close()
	r.watch(stdoutR, stderrR)
	if err := r.hand(ctx, ours, policy); err != nil {
		_ = r.Kill(ctx)
		<-r.gone
		return err
	}
	return nil
}

// hand gives the launcher its policy; the whole of its work has 2 s.
func (r *Runner) hand(ctx context.Context, ours *os.File, p launch.Policy) error {
	c, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		return &launch.Error{Layer: "policy", Cause: err.Error()}
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(launch.Timeout))
	return launch.Hand(c.(*net.UnixConn), p)
}

// pluginEnv is go-plugin's own list with the socket put where we accept it.
func (r *Runner) pluginEnv() []string {
	env := slices.DeleteFunc(slices.Clone(r.env), func(kv string) bool { return strings.HasPrefix(kv, socketDirKey+"=") })
	return append(env, socketDirKey+"="+r.c.Dir, marker(r.c.Dir))
}

// watch begins the three goroutines of a process. They end by themselves: the
// waiter when the process does, the pumps at the latest WaitDelay after that.
func (r *Runner) watch(stdout, stderr *os.File) {
	forPlugin, toPlugin := io.Pipe()
	r.stdout = forPlugin
	r.head = &head{r: stdout}
	var pumps sync.WaitGroup
	pumps.Go(func() {
		defer stdout.Close()
		defer toPlugin.Close()
		first := true
		pump(r.head, func(line []byte, cut bool) {
			if first {
				// go-plugin reads one line; all that follows is noise.
				first = false
				_, _ = toPlugin.Write(append(line, '\n'))
				_ = toPlugin.Close()
				return
			}
			r.emit("stdout", line, cut)
		})
	})
	pumps.Go(func() {
		defer stderr.Close()
		pump(stderr, func(line []byte, cut bool) { r.emit("stderr", line, cut) })
	})
	go func() {
		defer close(r.gone)
		waitFor(r.cmd.Process.Pid)
		// Before the pid is given back to the kernel: afterwards the number may be another's.
		r.killGroup()
		r.mu.Lock()
		state, err := r.cmd.Process.Wait()
		r.reaped, r.exit = true, exitOf(state, err)
		r.mu.Unlock()
		_ = r.stdin.Close()
		close(r.exited)
		r.killKin()
		soon := time.Now().Add(WaitDelay)
		_ = stdout.SetReadDeadline(soon)
		_ = stderr.SetReadDeadline(soon)
		// A line that go-plugin never reads must not hold the pump.
		time.AfterFunc(WaitDelay, func() { _ = forPlugin.Close() })
		pumps.Wait()
	}()
}

func exitOf(state *os.ProcessState, err error) Exit {
	if err != nil || state == nil {
		return Exit{Code: -1}
	}
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return Exit{Code: -1, Signal: ws.Signal()}
	}
	return Exit{Code: state.ExitCode()}
}

func (r *Runner) emit(origin string, line []byte, cut bool) {
	if r.c.Lines == nil || !r.limit.Allow() {
		return
	}
	r.c.Lines(lineOf(origin, line, cut))
}

// Kill ends the whole group, grandchildren included, and returns at once. Before
// Start it makes Start end what it begins.
func (r *Runner) Kill(context.Context) error {
	r.Look()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reaped {
		return nil
	}
	r.killed = true
	if r.pid == 0 {
		return nil
	}
	return killGroup(r.pid)
}

// Killed: it ended because the hub wanted it to.
func (r *Runner) Killed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.killed && r.exit.Signal == syscall.SIGKILL
}

func (r *Runner) killGroup() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.reaped {
		_ = killGroup(r.pid)
	}
}

// Release closes the stdin of the process: the lifeline by which a plugin knows
// that it should end.
func (r *Runner) Release() { _ = r.stdin.Close() }

// Wait returns when the process has ended, whoever holds its pipes.
func (r *Runner) Wait(ctx context.Context) error {
	select {
	case <-r.exited:
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.exit.Code != 0 || r.exit.Signal != 0 {
		return errors.New(r.exit.String())
	}
	return nil
}

// Exited is closed when the process has ended.
func (r *Runner) Exited() <-chan struct{} { return r.exited }

// Gone is closed when nothing of the process is left to us: killed, reaped, read.
func (r *Runner) Gone() <-chan struct{} { return r.gone }

// Exit is how it ended; valid after Exited.
func (r *Runner) Exit() Exit { return r.exit }

// Walled: the process has a PID namespace of its own, so that the kernel ends all
// that it ever started together with it.
func (r *Runner) Walled() bool { return r.walled }

// PID of the process; 0 before Start.
func (r *Runner) PID() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pid
}

// Dropped counts lines beyond the rate.
func (r *Runner) Dropped() uint64 { return r.limit.Dropped() }

// Head is the beginning of what the process wrote on stdout.
func (r *Runner) Head() string {
	if r.head == nil {
		return ""
	}
	return r.head.text()
}

// Refused is the address that was not accepted; nil: none was.
func (r *Runner) Refused() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}

// Stdout gives go-plugin the one line that it reads.
func (r *Runner) Stdout() io.ReadCloser { return r.stdout }

// Stderr is empty: the pump of this package reads it, so that no pipe hides an exit.
func (r *Runner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name of the plugin.
func (r *Runner) Name() string { return r.c.Name }

// ID is the pid in text form; empty before Start.
func (r *Runner) ID() string {
	if pid := r.PID(); pid != 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

// Diagnose adds nothing: the supervisor knows more than go-plugin would print.
func (r *Runner) Diagnose(context.Context) string { return "" }

// PluginToHost refuses every address but a socket of the plugin's own.
func (r *Runner) PluginToHost(network, address string) (string, string, error) {
	err := checkAddress(network, address, r.c.Dir, os.Getuid())
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.refused = err
		return "", "", err
	}
	r.address = address
	return network, address, nil
}

// HostToPlugin is for the broker, which is not used.
func (r *Runner) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// Dial connects to the address that was accepted, and looks who answers.
func (r *Runner) Dial() (net.Conn, error) {
	r.mu.Lock()
	address := r.address
	r.mu.Unlock()
	return dial(address, os.Getuid())
}

// closers closes each file once.
type closers struct{ files []*os.File }

func (c *closers) add(files ...*os.File) { c.files = append(c.files, files...) }

func (c *closers) close() {
	for _, f := range c.files {
		if f != nil {
			_ = f.Close()
		}
	}
	c.files = nil
}
